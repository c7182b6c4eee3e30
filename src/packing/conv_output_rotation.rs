//! A convolution by Gazelle's two-stage output rotation: filter taps by hoisted rotations of the
//! inputs, channel alignment by full rotations of the partial sums.
//!
//! In the layout of `conv_layout.rs`, for output ciphertext o, with A = (δ, swap) running over the
//! alignments of input to output channels,
//!
//! P_A = Σ_i Σ_t rot_t(x_i) ⊙ W_{o,A,i,t},   y_o = Σ_A rot_A(P_A).
//!
//! The rotations t of x_i share one decomposition, and the P_A are made several at once. The outer sum is Horner's: it is
//! turned on to the next alignment, whose partial sum is added, so aligning c_n channels takes c_n − 1 rotations but at most
//! three Galois keys (one block, one block back, swap) where all alignments are needed.
//!
//! Source: Juvekar et al., "GAZELLE" (USENIX Security 2018), section 4.2 and its released code
//! (there with one key per alignment).

use std::borrow::Borrow;
use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;

use super::alignment::Alignment;
use super::conv_layout::Stride;
use super::conv_products::{Partial, Product, Products};
use super::convolution::{ConvOrder, Convolution};
use super::output_sum::OutputSum;
use super::strides::{Decimated, Discarded, StrideRule, stride};
use super::sums::{Order, SUMS_AT_ONCE, add_inner_products, are_alike, merge};
use crate::bfv::{HeOp, HeOps, Lane, OpCounts, Rotation};

/// Output rotation, strides by computing and discarding.
pub type ConvOutputRotation = Convolution<OutputRotation<Discarded>>;
/// Output rotation over a decimated input.
pub type ConvOutputRotationDecimated = Convolution<OutputRotation<Decimated>>;

/// The output-rotation schedule of a convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputRotation<S>(PhantomData<S>);

/// One input rotated for every tap; `None` where the rotation is the identity, or not needed.
type Rotated<C> = Vec<Option<C>>;

/// Alignments of partial sums, in the order in which they run, and how their sums are turned.
#[derive(Clone, Copy)]
struct Turns<'a>(&'a Products);

impl Turns<'_> {
    /// The rotation that takes a partial sum from its alignment to the next of its side, or to 0.
    fn turn(self, from: Alignment, next: Option<Alignment>) -> Option<Rotation> {
        let target = next.filter(|&next| side(next) == side(from));
        let blocks = from.delta - target.map_or(0, |next| next.delta);
        let row = self.0.layout.slots.row().cast_signed();
        let step = (blocks * self.0.layout.block.cast_signed()).rem_euclid(row);
        (blocks != 0).then(|| Rotation::rows(step.cast_unsigned()))
    }

    /// The turns of an output's partial sums, in their order.
    fn of(self, alignments: &[Alignment]) -> impl Iterator<Item = Option<Rotation>> {
        let next = alignments.iter().skip(1).copied().map(Some).chain([None]);
        let each = alignments.iter().zip(next);
        each.map(move |(&from, next)| self.turn(from, next))
    }

    /// All rotations of an output's partial sums.
    fn all(self, kind: &[Partial]) -> Vec<Rotation> {
        let alignments = alignments(kind);
        let swaps = alignments.iter().any(|alignment| alignment.swap);
        let swap = swaps.then(|| self.0.swap());
        self.of(&alignments).flatten().chain(swap).collect()
    }
}

/// The alignments of an output's partial sums.
fn alignments(kind: &[Partial]) -> Vec<Alignment> {
    let sums = kind.chunk_by(|a, b| a.alignment == b.alignment);
    sums.map(|sum| sum[0].alignment).collect()
}

/// Which chain of partial sums an alignment belongs to.
const fn side(alignment: Alignment) -> (bool, bool) {
    (alignment.swap, alignment.delta < 0)
}

/// The inputs, each rotated for its taps.
fn rotate_inputs<H: HeOps>(
    products: &Products,
    ops: &H,
    inputs: &[H::Ciphertext],
) -> Result<Vec<Rotated<H::Ciphertext>>, H::Error> {
    let layout = &products.layout;
    let of_lane = layout.channels.input_ciphertexts();
    let inputs = inputs[..layout.input_ciphertexts()].iter().enumerate();
    let rotated = inputs.map(|(index, input)| {
        let mut rotated = vec![None; layout.taps.len()];
        let taps = products.taps_of_input(index % of_lane).iter().copied();
        let mut decomposed = None;
        for tap in taps.filter(|&tap| layout.taps[tap] > 0) {
            let decomposed = decomposed.get_or_insert_with(|| ops.decompose(input));
            let rotation = Rotation::rows(layout.taps[tap]);
            rotated[tap] = Some(ops.rotate_decomposed(decomposed, rotation)?);
        }
        Ok(rotated)
    });
    rotated.collect()
}

/// One output ciphertext of every lane, of these alignments; `next` gives their partial sums, one after the other.
fn output<H: HeOps>(
    of: &Products,
    ops: &H,
    alignments: &[Alignment],
    mut next: impl FnMut() -> Result<Vec<Option<H::Ciphertext>>, H::Error>,
) -> Result<Vec<Option<H::Ciphertext>>, H::Error> {
    let lanes = of.layout.lanes();
    let mut turns = Turns(of).of(alignments);
    let mut totals = vec![None; lanes];
    for alignments in alignments.chunk_by(|a, b| a.swap == b.swap) {
        let mut of_swap = vec![None; lanes];
        for alignments in alignments.chunk_by(|&a, &b| side(a) == side(b)) {
            let mut sums = vec![None; lanes];
            for turn in turns.by_ref().take(alignments.len()) {
                merge_all(ops, &mut sums, next()?);
                rotate_all(ops, &mut sums, turn)?;
            }
            merge_all(ops, &mut of_swap, sums);
        }
        let swap = alignments[0].swap.then(|| of.swap());
        rotate_all(ops, &mut of_swap, swap)?;
        merge_all(ops, &mut totals, of_swap);
    }
    Ok(totals)
}

fn rotate_all<H: HeOps>(
    ops: &H,
    sums: &mut [Option<H::Ciphertext>],
    rotation: Option<Rotation>,
) -> Result<(), H::Error> {
    let Some(rotation) = rotation else {
        return Ok(());
    };
    for sum in sums.iter_mut().flatten() {
        *sum = ops.rotate(sum, rotation)?;
    }
    Ok(())
}

fn merge_all<H: HeOps>(
    ops: &H,
    sums: &mut [Option<H::Ciphertext>],
    more: Vec<Option<H::Ciphertext>>,
) {
    for (sum, more) in sums.iter_mut().zip(more) {
        merge(ops, sum, more);
    }
}

impl<S: StrideRule> ConvOrder for OutputRotation<S> {
    const NAME: &'static str = if S::DECIMATES {
        "conv_output_rotation_decimated"
    } else {
        "conv_output_rotation"
    };
    const STRIDE: Stride = stride::<S>();

    fn counts(products: &Products) -> OpCounts {
        let mut counts = OpCounts::default();
        for (taps, inputs) in products.runs() {
            counts[HeOp::Decompose] += inputs * u64::from(taps.turning > 0);
            counts[HeOp::HoistedRotate] += inputs * taps.turning;
        }
        for (kind, times) in products.kinds() {
            let partials = alignments(kind).len() as u64;
            counts[HeOp::Rotate] += times * Turns(products).all(kind).len() as u64;
            counts[HeOp::Hadamard] += times * partials;
            counts[HeOp::MultiplyAccumulate] += times * (products.count(kind) - partials);
            counts[HeOp::Add] += times * (partials - 1);
        }
        counts
    }

    fn rotation_counts(products: &Products) -> BTreeMap<Rotation, u64> {
        let mut counts = BTreeMap::new();
        for (taps, inputs) in products.runs() {
            let steps = taps.indices.iter().map(|&tap| products.layout.taps[tap]);
            for step in steps.filter(|&step| step > 0) {
                *counts.entry(Rotation::rows(step)).or_default() += inputs;
            }
        }
        for (kind, times) in products.kinds() {
            for rotation in Turns(products).all(kind) {
                *counts.entry(rotation).or_default() += times;
            }
        }
        counts
    }

    /// Sums made at once are turned one after the other, and so are all lanes.
    fn turns_of_keys(products: &Products) -> u64 {
        let of_output = |kind| {
            let turns = Turns(products).all(kind);
            let runs = turns.chunk_by(|a, b| a == b);
            let reads = runs.map(|run| run.len().div_ceil(SUMS_AT_ONCE));
            reads.sum::<usize>() as u64
        };
        let kinds = products.kinds();
        kinds.map(|(kind, times)| times * of_output(kind)).sum()
    }

    /// The first after each few sums made at once.
    fn turns_after_products(products: &Products) -> u64 {
        let partials = |(kind, times): (&[Partial], u64)| alignments(kind).len() as u64 * times;
        let partials: u64 = products.kinds().map(partials).sum();
        partials.div_ceil(SUMS_AT_ONCE as u64)
    }

    fn output_sum(products: &Products, kind: &[Partial]) -> OutputSum {
        let rotated = |partial| products.inputs_of(partial) * products.taps_of(partial).turning;
        OutputSum {
            products: products.count(kind),
            rotated: kind.iter().map(rotated).sum(),
            turns: Turns(products).all(kind).len() as u64,
            ..OutputSum::default()
        }
    }

    fn working_ciphertexts(products: &Products) -> usize {
        // Rotated inputs, the outputs, and for each lane a sum of each kind and partial sums; one rotation.
        let layout = &products.layout;
        let rotated = layout.input_ciphertexts() * layout.taps.len();
        let partials = products.kinds();
        let partials = partials.map(|(kind, times)| alignments(kind).len() * times as usize);
        let partials = partials.sum::<usize>().min(SUMS_AT_ONCE);
        rotated + layout.output_ciphertexts() + (2 + partials) * layout.lanes() + 1
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        products: &Products,
        listed: &[Product],
        (ops, inputs): (&H, &[H::Ciphertext]),
        mut weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let rotated = rotate_inputs(products, ops, inputs)?;
        let (lanes, of_lane) = (
            products.layout.lanes(),
            products.layout.channels.input_ciphertexts(),
        );
        let operand = |lane: usize, product: &Product| {
            let at = lane * of_lane + product.input;
            rotated[at][product.tap].as_ref().unwrap_or(&inputs[at])
        };
        let partials = listed.chunk_by(|a, b| (a.output, a.alignment) == (b.output, b.alignment));
        let partials: Vec<&[Product]> = partials.collect();
        let alike =
            partials.chunk_by(|a, b| are_alike(a, b, |product| (product.input, product.tap)));
        let mut alike = alike.flat_map(|alike| alike.chunks(SUMS_AT_ONCE));
        let (mut index, mut waiting) = (0, VecDeque::new());
        let mut next = || {
            if waiting.is_empty()
                && let Some(partials) = alike.next()
            {
                let lane = |lane| {
                    let operands = partials[0].iter().map(|product| operand(lane, product));
                    Lane::of(operands.collect(), partials.len())
                };
                let mut lanes: Vec<_> = (0..lanes).map(lane).collect();
                let weight = || {
                    index += 1;
                    weight(index - 1)
                };
                add_inner_products(ops, &mut lanes, Order::SumBySum, weight)?;
                for k in 0..partials.len() {
                    let sums = lanes.iter_mut().map(|lane| lane.sums[k].take());
                    waiting.push_back(sums.collect());
                }
            }
            Ok(waiting.pop_front().unwrap_or_default())
        };
        let mut outputs = vec![Vec::new(); lanes];
        for of_output in partials.chunk_by(|a, b| a[0].output == b[0].output) {
            let alignments: Vec<Alignment> = of_output.iter().map(|sum| sum[0].alignment).collect();
            let totals = output(products, ops, &alignments, &mut next)?;
            for (lane, total) in outputs.iter_mut().zip(totals) {
                lane.extend(total);
            }
        }
        Ok(outputs.into_iter().flatten().collect())
    }
}
