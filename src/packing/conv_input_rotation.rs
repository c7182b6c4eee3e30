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
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::sync::OnceLock;

use super::alignment::Alignment;
use super::conv_layout::ConvLayout;
use super::conv_products::{Product, Products};
use super::output_sum::OutputSum;
use super::plan::Schedule;
use super::shape::{LinearShape, PackingError};
use super::strides::{Decimated, Discarded, StrideRule, stride};
use super::sums::accumulate;
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};

/// Input rotation, strides by computing and discarding.
pub type ConvInputRotation = ConvByInputRotation<Discarded>;
/// Input rotation over a decimated input.
pub type ConvInputRotationDecimated = ConvByInputRotation<Decimated>;

/// The input-rotation schedule of a convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvByInputRotation<S> {
    layout: ConvLayout,
    products: Products,
    /// For each input ciphertext of a lane, its rotations.
    rotations: Vec<BTreeSet<Rotation>>,
    /// The products in the order in which they run: by input, rotation, output.
    ordered: OnceLock<Vec<Product>>,
    strides: PhantomData<S>,
}

/// The rotation that brings a product's channels and tap.
fn rotation(layout: &ConvLayout, product: &Product) -> Rotation {
    let own = Rotation::rows(layout.taps[product.tap]);
    own.then(layout.aligning(product.alignment), layout.slots.row())
}

impl<S> ConvByInputRotation<S> {
    fn ordered(&self) -> &[Product] {
        self.ordered.get_or_init(|| {
            let outputs = 0..self.products.outputs();
            let mut all: Vec<Product> = outputs.flat_map(|o| self.products.of(o)).collect();
            all.sort_by_key(|product| {
                let rotation = rotation(&self.layout, product);
                (product.input, rotation, product.output)
            });
            all
        })
    }

    /// Rotations of the inputs of one lane, the identity left out.
    fn hoisted(&self) -> impl Iterator<Item = (usize, Rotation)> + '_ {
        let rotations = self.rotations.iter().enumerate();
        let all = rotations.flat_map(|(input, of)| of.iter().map(move |&r| (input, r)));
        all.filter(|(_, rotation)| !rotation.is_identity())
    }
}

impl<S: StrideRule> Schedule for ConvByInputRotation<S> {
    const NAME: &'static str = if S::DECIMATES {
        "conv_input_rotation_decimated"
    } else {
        "conv_input_rotation"
    };

    fn new(layer: &LinearShape, n: usize) -> Result<Self, PackingError> {
        let layout = ConvLayout::new(layer, n, stride::<S>(), Self::NAME)?;
        let products = Products::new(&layout);
        let all = || products.kinds().flat_map(|(products, _)| products);
        let in_place = Alignment {
            swap: false,
            delta: 0,
        };
        if all().all(|product| product.alignment == in_place) {
            return Err(PackingError::NothingToGain {
                schedule: Self::NAME,
            });
        }
        let mut rotations = vec![BTreeSet::new(); layout.channels.input_ciphertexts()];
        for product in all() {
            rotations[product.input].insert(rotation(&layout, product));
        }
        Ok(Self {
            layout,
            products,
            rotations,
            ordered: OnceLock::new(),
            strides: PhantomData,
        })
    }

    fn made_for(&self) -> (usize, LinearShape) {
        self.layout.made_for()
    }

    fn counts(&self) -> OpCounts {
        let moved: BTreeSet<usize> = self.hoisted().map(|(input, _)| input).collect();
        let outputs = self.products.outputs() as u64;
        let mut counts = OpCounts::default();
        counts[HeOp::Decompose] = moved.len() as u64;
        counts[HeOp::HoistedRotate] = self.hoisted().count() as u64;
        counts[HeOp::Hadamard] = outputs;
        counts[HeOp::MultiplyAccumulate] = self.products.len() as u64 - outputs;
        counts * self.layout.lanes() as u64
    }

    fn rotation_counts(&self) -> BTreeMap<Rotation, u64> {
        let mut counts = BTreeMap::new();
        for (_, rotation) in self.hoisted() {
            *counts.entry(rotation).or_default() += self.layout.lanes() as u64;
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

    fn output_sums(&self) -> Vec<OutputSum> {
        let sums = self.products.kinds().map(|(products, _)| {
            let rotations = products
                .iter()
                .map(|product| rotation(&self.layout, product));
            OutputSum {
                products: products.len() as u64,
                rotated: rotations.filter(|rotation| !rotation.is_identity()).count() as u64,
                ..OutputSum::default()
            }
        });
        sums.collect()
    }

    fn working_ciphertexts(&self) -> usize {
        // The outputs; for each lane a rotated input, and one that replaces another.
        self.output_ciphertexts() + self.layout.lanes() + 1
    }

    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        self.layout.pack_input(values)
    }

    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
        let (product, slots) = (self.ordered()[index], self.layout.slots);
        let plaintext = self.layout.weight_slots(weights, p, &product);
        let aligning = self.layout.aligning(product.alignment);
        let sources = (0..slots.n()).map(|slot| slots.source(slot, aligning));
        sources.map(|source| plaintext[source]).collect()
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        mut weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let (lanes, of_lane) = (self.layout.lanes(), self.products.outputs());
        let mut sums = vec![None; lanes * of_lane];
        let mut index = 0;
        for of_input in self.ordered().chunk_by(|a, b| a.input == b.input) {
            let at = |lane: usize| lane * self.rotations.len() + of_input[0].input;
            let still = self.rotations[of_input[0].input]
                .iter()
                .all(|r| r.is_identity());
            let decomposed = (0..lanes).filter(|_| !still);
            let decomposed: Vec<_> = decomposed
                .map(|lane| ops.decompose(&inputs[at(lane)]))
                .collect();
            let same =
                |a: &Product, b: &Product| rotation(&self.layout, a) == rotation(&self.layout, b);
            for products in of_input.chunk_by(same) {
                let rotation = rotation(&self.layout, &products[0]);
                let moved = decomposed.iter().filter(|_| !rotation.is_identity());
                let rotated = moved
                    .map(|decomposed| ops.rotate_decomposed(decomposed, rotation))
                    .collect::<Result<Vec<_>, _>>()?;
                for product in products {
                    let plaintext = weight(index)?;
                    index += 1;
                    for lane in 0..lanes {
                        let ct = rotated.get(lane).unwrap_or(&inputs[at(lane)]);
                        let sum = &mut sums[lane * of_lane + product.output];
                        accumulate(ops, sum, ct, plaintext.borrow());
                    }
                }
            }
        }
        Ok(sums.into_iter().flatten().collect())
    }

    fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        self.layout.unpack_output(slots)
    }
}
