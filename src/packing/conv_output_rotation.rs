//! A convolution by Gazelle's two-stage output rotation: filter taps by hoisted rotations of the
//! inputs, channel alignment by full rotations of the partial sums.
//!
//! In the layout of `conv_layout.rs`, for output ciphertext o, with A = (δ, swap) running over the
//! alignments of input to output channels,
//!
//! P_A = Σ_i Σ_t rot_t(x_i) ⊙ W_{o,A,i,t},   y_o = Σ_A rot_A(P_A).
//!
//! The rotations t of x_i share one decomposition. The outer sum is Horner's: partial sums are turned on to
//! the next alignment and accumulated into, so aligning c_n channels takes c_n − 1 rotations but at most
//! three Galois keys (one block, one block back, swap) where all alignments are needed.
//!
//! Source: Juvekar et al., "GAZELLE" (USENIX Security 2018), section 4.2 and its released code
//! (there with one key per alignment).

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use super::alignment::Alignment;
use super::conv_layout::ConvLayout;
use super::conv_products::{Product, Products};
use super::output_sum::OutputSum;
use super::plan::Schedule;
use super::shape::{LinearShape, PackingError};
use super::strides::{Decimated, Discarded, StrideRule, stride};
use super::sums::{accumulate, merge};
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};

/// Output rotation, strides by computing and discarding.
pub type ConvOutputRotation = ConvByOutputRotation<Discarded>;
/// Output rotation over a decimated input.
pub type ConvOutputRotationDecimated = ConvByOutputRotation<Decimated>;

/// The output-rotation schedule of a convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvByOutputRotation<S> {
    layout: ConvLayout,
    products: Products,
    /// For each input ciphertext of a lane, the indices of its taps.
    taps: Vec<BTreeSet<usize>>,
    strides: PhantomData<S>,
}

/// One input rotated for every tap; `None` where the rotation is the identity, or not needed.
type Taps<C> = Vec<Option<C>>;

impl<S> ConvByOutputRotation<S> {
    /// Rotations by a tap, of the inputs of one lane.
    fn hoisted(&self) -> impl Iterator<Item = (usize, Rotation)> + '_ {
        let taps = self.taps.iter().enumerate();
        let all = taps.flat_map(|(input, taps)| taps.iter().map(move |&tap| (input, tap)));
        all.map(|(input, tap)| (input, Rotation::rows(self.layout.taps[tap])))
            .filter(|(_, rotation)| !rotation.is_identity())
    }

    /// The inputs, each rotated for its taps.
    fn rotate_inputs<H: HeOps>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
    ) -> Result<Vec<Taps<H::Ciphertext>>, H::Error> {
        let inputs = inputs[..self.layout.input_ciphertexts()].iter().enumerate();
        inputs
            .map(|(index, input)| {
                let wanted = &self.taps[index % self.taps.len()];
                let moves = |tap: usize| wanted.contains(&tap) && self.layout.taps[tap] > 0;
                let decomposed = (0..self.layout.taps.len())
                    .any(moves)
                    .then(|| ops.decompose(input));
                let each = self.layout.taps.iter().enumerate();
                let each = each.map(|(tap, &step)| match &decomposed {
                    Some(decomposed) if moves(tap) => ops
                        .rotate_decomposed(decomposed, Rotation::rows(step))
                        .map(Some),
                    _ => Ok(None),
                });
                each.collect()
            })
            .collect()
    }

    /// The rotation that takes a partial sum from its alignment to the next of its side, or to 0.
    fn turn(&self, from: Alignment, next: Option<Alignment>) -> Option<Rotation> {
        let target = next.filter(|&next| side(next) == side(from));
        let blocks = from.delta - target.map_or(0, |next| next.delta);
        let row = self.layout.slots.row().cast_signed();
        let step = (blocks * self.layout.block.cast_signed()).rem_euclid(row);
        (blocks != 0).then(|| Rotation::rows(step.cast_unsigned()))
    }

    /// The turns of an output's partial sums, in their order.
    fn turns(&self, products: &[Product]) -> Vec<Option<Rotation>> {
        let partials = products.chunk_by(|a, b| a.alignment == b.alignment);
        let alignments: Vec<Alignment> = partials.map(|partial| partial[0].alignment).collect();
        let next = alignments.iter().skip(1).copied().map(Some);
        let next = next.chain(std::iter::once(None));
        let each = alignments.iter().zip(next);
        each.map(|(&from, next)| self.turn(from, next)).collect()
    }

    const fn swap(&self) -> Rotation {
        self.layout.slots.rotation(self.layout.slots.row())
    }

    /// One output ciphertext of every lane.
    fn output<H: HeOps, W: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        products: &[Product],
        (inputs, rotated): (&[H::Ciphertext], &[Taps<H::Ciphertext>]),
        mut weight: impl FnMut() -> Result<W, H::Error>,
    ) -> Result<Vec<Option<H::Ciphertext>>, H::Error> {
        let lanes = self.layout.lanes();
        let mut turns = self.turns(products).into_iter();
        let mut totals = vec![None; lanes];
        for products in products.chunk_by(|a, b| a.alignment.swap == b.alignment.swap) {
            let mut of_swap = vec![None; lanes];
            for products in products.chunk_by(|a, b| side(a.alignment) == side(b.alignment)) {
                let mut sums = vec![None; lanes];
                for products in products.chunk_by(|a, b| a.alignment == b.alignment) {
                    for product in products {
                        let plaintext = weight()?;
                        for (lane, sum) in sums.iter_mut().enumerate() {
                            let at = lane * self.taps.len() + product.input;
                            let ct = rotated[at][product.tap].as_ref().unwrap_or(&inputs[at]);
                            accumulate(ops, sum, ct, plaintext.borrow());
                        }
                    }
                    rotate_all(ops, &mut sums, turns.next().flatten())?;
                }
                merge_all(ops, &mut of_swap, sums);
            }
            let swap = products[0].alignment.swap.then(|| self.swap());
            rotate_all(ops, &mut of_swap, swap)?;
            merge_all(ops, &mut totals, of_swap);
        }
        Ok(totals)
    }
}

/// Which chain of partial sums an alignment belongs to.
const fn side(alignment: Alignment) -> (bool, bool) {
    (alignment.swap, alignment.delta < 0)
}

/// Chains of partial sums of an output.
fn chains(products: &[Product]) -> u64 {
    let chains = products.chunk_by(|a, b| side(a.alignment) == side(b.alignment));
    chains.count() as u64
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

impl<S: StrideRule> Schedule for ConvByOutputRotation<S> {
    const NAME: &'static str = if S::DECIMATES {
        "conv_output_rotation_decimated"
    } else {
        "conv_output_rotation"
    };

    fn new(layer: &LinearShape, n: usize) -> Result<Self, PackingError> {
        let layout = ConvLayout::new(layer, n, stride::<S>(), Self::NAME)?;
        let products = Products::new(&layout);
        Ok(Self {
            taps: products.taps_by_input(&layout),
            layout,
            products,
            strides: PhantomData,
        })
    }

    fn made_for(&self) -> (usize, LinearShape) {
        self.layout.made_for()
    }

    fn counts(&self) -> OpCounts {
        let mut counts = OpCounts::default();
        let moved: BTreeSet<usize> = self.hoisted().map(|(input, _)| input).collect();
        counts[HeOp::Decompose] = moved.len() as u64;
        counts[HeOp::HoistedRotate] = self.hoisted().count() as u64;
        for (products, times) in self.products.kinds() {
            let turns = self.turns(products).iter().flatten().count() as u64;
            let swaps = u64::from(products.iter().any(|product| product.alignment.swap));
            let chains = chains(products);
            counts[HeOp::Rotate] += times * (turns + swaps);
            counts[HeOp::Hadamard] += times * chains;
            counts[HeOp::MultiplyAccumulate] += times * (products.len() as u64 - chains);
            counts[HeOp::Add] += times * (chains - 1);
        }
        counts * self.layout.lanes() as u64
    }

    fn rotation_counts(&self) -> BTreeMap<Rotation, u64> {
        let lanes = self.layout.lanes() as u64;
        let mut counts = BTreeMap::new();
        for (_, rotation) in self.hoisted() {
            *counts.entry(rotation).or_default() += lanes;
        }
        for (products, times) in self.products.kinds() {
            let swaps = products.iter().any(|product| product.alignment.swap);
            let swap = swaps.then(|| self.swap());
            for rotation in self.turns(products).into_iter().flatten().chain(swap) {
                *counts.entry(rotation).or_default() += times * lanes;
            }
        }
        counts
    }

    fn input_ciphertexts(&self) -> usize {
        self.layout.input_ciphertexts()
    }

    fn output_ciphertexts(&self) -> usize {
        self.layout.output_ciphertexts()
    }

    fn weight_count(&self) -> usize {
        self.products.len()
    }

    fn output_sums(&self) -> Option<Vec<OutputSum>> {
        let sums = self.products.kinds().map(|(products, _)| {
            let rotated = products
                .iter()
                .filter(|product| self.layout.taps[product.tap] > 0);
            let swaps = products.iter().any(|product| product.alignment.swap);
            let turns = self.turns(products).iter().flatten().count();
            OutputSum {
                products: products.len() as u64,
                rotated: rotated.count() as u64,
                unscaled: 0,
                turns: turns as u64 + u64::from(swaps),
                folds: 0,
            }
        });
        Some(sums.collect())
    }

    fn working_ciphertexts(&self) -> usize {
        // Rotated inputs, the outputs, and for each lane a sum of each kind; one rotation.
        let rotated = self.input_ciphertexts() * self.layout.taps.len();
        rotated + self.output_ciphertexts() + 2 * self.layout.lanes() + 1
    }

    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        self.layout.pack_input(values)
    }

    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
        let product = self.products.get(index);
        assert!(product.is_some(), "no plaintext {index}");
        product.map_or_else(Vec::new, |product| {
            self.layout.weight_slots(weights, p, &product)
        })
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        mut weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let rotated = self.rotate_inputs(ops, inputs)?;
        let mut index = 0;
        let mut outputs = vec![Vec::new(); self.layout.lanes()];
        for output in 0..self.products.outputs() {
            let products: Vec<Product> = self.products.of(output).collect();
            let next = || {
                index += 1;
                weight(index - 1)
            };
            let totals = self.output(ops, &products, (inputs, &rotated), next)?;
            for (lane, total) in outputs.iter_mut().zip(totals) {
                lane.extend(total);
            }
        }
        Ok(outputs.into_iter().flatten().collect())
    }

    fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        self.layout.unpack_output(slots)
    }
}
