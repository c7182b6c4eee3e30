//! A convolution by input rotation: one hoisted rotation brings filter tap and channel at once.
//!
//! In the layout of `conv_layout.rs`, for output ciphertext o, with A running over the alignments of input
//! to output channels and t over the filter taps,
//!
//! y_o = Σ_i Σ_A Σ_t rot_{A∘t}(x_i) ⊙ rot_A(W_{o,A,i,t}).
//!
//! Everything is multiplied and summed after the rotations: no rotation of its own, but c_n·F − 1 hoisted
//! ones of each input, a Galois key for each, and their errors multiplied. Outputs share the rotations.
//!
//! Source: Juvekar et al., "GAZELLE" (USENIX Security 2018), section 4.2 (multi-channel convolution, "input
//! rotations").

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::alignment::Alignment;
use super::conv_layout::Stride;
use super::conv_products::{Partial, Product, Products};
use super::convolution::{ConvOrder, Convolution};
use super::output_sum::OutputSum;
use super::strides::{Decimated, Discarded, StrideRule, stride};
use super::sums::{Order, add_inner_products, are_alike};
use crate::bfv::{HeOp, HeOps, Lane, OpCounts, Rotation};

/// Input rotation, strides by computing and discarding.
pub type ConvInputRotation = Convolution<InputRotation<Discarded>>;
/// Input rotation over a decimated input.
pub type ConvInputRotationDecimated = Convolution<InputRotation<Decimated>>;

/// The input-rotation schedule of a convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputRotation<S>(PhantomData<S>);

/// The rotation that brings channels and a tap.
fn rotation(products: &Products, alignment: Alignment, tap: usize) -> Rotation {
    let layout = &products.layout;
    let own = Rotation::rows(layout.taps[tap]);
    own.then(layout.aligning(alignment), layout.slots.row())
}

fn of_product(products: &Products, product: &Product) -> Rotation {
    rotation(products, product.alignment, product.tap)
}

/// The rotations of a partial, as often as it has products of one input.
fn of_partial<'a>(
    products: &'a Products,
    partial: &'a Partial,
) -> impl Iterator<Item = Rotation> + 'a {
    let taps = products.taps_of(partial).indices.iter();
    taps.map(|&tap| rotation(products, partial.alignment, tap))
}

/// Which rotations the inputs of each run are turned by, the identity left out: one bit each.
struct Hoisted {
    /// Slots of a row.
    row: usize,
    words: Vec<u64>,
}

/// Rotations of an input that are held at once, so that a sum takes several products at a time.
const TURNS_AT_ONCE: usize = 8;

/// Whether products of two rotations go into the same outputs, one product into each.
fn same_outputs(a: &[Product], b: &[Product]) -> bool {
    are_distinct(a) && are_alike(a, b, |product| product.output)
}

/// Whether the products of a rotation go into different outputs: where taps and alignments turn an input alike, several go
/// into one.
fn are_distinct(products: &[Product]) -> bool {
    products.is_sorted_by(|a, b| a.output < b.output)
}

/// Adds products with a few rotations of an input to the sums of all lanes, each lane with `outputs` of them;
/// `products` are those of each rotation.
fn add_products<H: HeOps, W: Borrow<H::Plaintext>>(
    ops: &H,
    (sums, outputs): (&mut [Option<H::Ciphertext>], usize),
    products: &[Product],
    operands: Vec<Vec<&H::Ciphertext>>,
    mut weight: impl FnMut() -> Result<W, H::Error>,
) -> Result<(), H::Error> {
    let place = |lane: usize, product: &Product| lane * outputs + product.output;
    if !are_distinct(products) {
        for product in products {
            let weight = weight()?;
            for (lane, operands) in operands.iter().enumerate() {
                let sum = &mut sums[place(lane, product)];
                ops.accumulate(sum, operands[0], weight.borrow());
            }
        }
        return Ok(());
    }
    let lane = |(lane, operands): (usize, _)| {
        let begun = products
            .iter()
            .map(|product| sums[place(lane, product)].take());
        let sums = begun.collect();
        Lane { operands, sums }
    };
    let mut lanes: Vec<_> = operands.into_iter().enumerate().map(lane).collect();
    add_inner_products(ops, &mut lanes, Order::OperandByOperand, weight)?;
    for (lane, done) in lanes.into_iter().enumerate() {
        for (product, sum) in products.iter().zip(done.sums) {
            sums[place(lane, product)] = sum;
        }
    }
    Ok(())
}

impl Hoisted {
    fn new(products: &Products) -> Self {
        let slots = products.layout.slots;
        let of_run = Self::words_of(slots.row());
        let mut words = vec![0; products.runs().count() * of_run];
        for partial in products.kinds().flat_map(|(kind, _)| kind) {
            let words = &mut words[partial.run * of_run..][..of_run];
            for rotation in of_partial(products, partial) {
                let bit = usize::from(rotation.swap) * slots.row() + rotation.step;
                words[bit / 64] |= 1 << (bit % 64);
            }
        }
        // The identity is bit 0.
        words
            .iter_mut()
            .step_by(of_run)
            .for_each(|word| *word &= !1);
        Self {
            row: slots.row(),
            words,
        }
    }

    const fn words_of(row: usize) -> usize {
        (2 * row).div_ceil(64)
    }

    /// How many there are for each run.
    fn counts(&self) -> impl Iterator<Item = u64> {
        let runs = self.words.chunks(Self::words_of(self.row));
        runs.map(|words| words.iter().map(|word| u64::from(word.count_ones())).sum())
    }

    fn of_run(&self, run: usize) -> impl Iterator<Item = Rotation> {
        let of_run = Self::words_of(self.row);
        let words = &self.words[run * of_run..][..of_run];
        let set = move |bit: &usize| words[bit / 64] >> (bit % 64) & 1 == 1;
        (0..2 * self.row).filter(set).map(|bit| Rotation {
            step: bit % self.row,
            swap: bit >= self.row,
        })
    }
}

impl<S: StrideRule> ConvOrder for InputRotation<S> {
    const NAME: &'static str = if S::DECIMATES {
        "conv_input_rotation_decimated"
    } else {
        "conv_input_rotation"
    };
    const STRIDE: Stride = stride::<S>();

    fn gains(products: &Products) -> bool {
        let moves = |partial: &Partial| partial.alignment.swap || partial.alignment.delta != 0;
        products.kinds().any(|(kind, _)| kind.iter().any(moves))
    }

    fn sort(products: &Products, listed: &mut [Product]) {
        listed.sort_by_key(|product| {
            let rotation = of_product(products, product);
            (product.input, rotation, product.output)
        });
    }

    fn counts(products: &Products) -> OpCounts {
        let outputs = products.outputs() as u64;
        let mut counts = OpCounts::default();
        for (hoisted, (_, inputs)) in Hoisted::new(products).counts().zip(products.runs()) {
            counts[HeOp::Decompose] += inputs * u64::from(hoisted > 0);
            counts[HeOp::HoistedRotate] += inputs * hoisted;
        }
        counts[HeOp::Hadamard] = outputs;
        counts[HeOp::MultiplyAccumulate] = products.len() - outputs;
        counts
    }

    fn rotation_counts(products: &Products) -> BTreeMap<Rotation, u64> {
        let hoisted = Hoisted::new(products);
        let mut counts = BTreeMap::new();
        for (run, (_, inputs)) in products.runs().enumerate() {
            for rotation in hoisted.of_run(run) {
                *counts.entry(rotation).or_default() += inputs;
            }
        }
        counts
    }

    fn output_sum(products: &Products, kind: &[Partial]) -> OutputSum {
        let still = |partial: &Partial| {
            let rotations = of_partial(products, partial);
            let still = rotations.filter(|rotation| rotation.is_identity());
            products.inputs_of(partial) * still.count() as u64
        };
        let all = products.count(kind);
        OutputSum {
            products: all,
            rotated: all - kind.iter().map(still).sum::<u64>(),
            ..OutputSum::default()
        }
    }

    fn working_ciphertexts(products: &Products) -> usize {
        // The outputs; for each lane rotated inputs.
        products.layout.output_ciphertexts() + TURNS_AT_ONCE * products.layout.lanes()
    }

    fn aligned(products: &Products, product: &Product, slots: Vec<u64>) -> Vec<u64> {
        let layout = &products.layout;
        layout
            .slots
            .rotated(&slots, layout.aligning(product.alignment))
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        products: &Products,
        listed: &[Product],
        (ops, inputs): (&H, &[H::Ciphertext]),
        mut weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let (lanes, of_lane) = (products.layout.lanes(), products.outputs());
        let of_input = products.layout.channels.input_ciphertexts();
        let rotation = |product: &Product| of_product(products, product);
        let mut sums = vec![None; lanes * of_lane];
        let mut index = 0;
        for listed in listed.chunk_by(|a, b| a.input == b.input) {
            let at = |lane: usize| lane * of_input + listed[0].input;
            let turns = listed
                .iter()
                .any(|product| !rotation(product).is_identity());
            let decomposed = (0..lanes).filter(|_| turns);
            let decomposed: Vec<_> = decomposed
                .map(|lane| ops.decompose(&inputs[at(lane)]))
                .collect();
            let turned = listed.chunk_by(|a, b| rotation(a) == rotation(b));
            let turned: Vec<&[Product]> = turned.collect();
            for alike in turned.chunk_by(|a, b| same_outputs(a, b)) {
                for turned in alike.chunks(TURNS_AT_ONCE) {
                    let rotate = |listed: &&[Product]| {
                        let rotation = rotation(&listed[0]);
                        let moved = decomposed.iter().filter(|_| !rotation.is_identity());
                        let rotated = moved.map(|it| ops.rotate_decomposed(it, rotation));
                        rotated.collect::<Result<Vec<_>, _>>()
                    };
                    let rotated = turned.iter().map(rotate).collect::<Result<Vec<_>, _>>()?;
                    let operands = |lane: usize| {
                        let operands = rotated.iter().map(|rotated| rotated.get(lane));
                        let operands = operands.map(|ct| ct.unwrap_or(&inputs[at(lane)]));
                        operands.collect()
                    };
                    let operands = (0..lanes).map(operands).collect();
                    let next = || {
                        index += 1;
                        weight(index - 1)
                    };
                    add_products(ops, (&mut sums, of_lane), turned[0], operands, next)?;
                }
            }
        }
        Ok(sums.into_iter().flatten().collect())
    }
}
