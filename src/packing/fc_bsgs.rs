//! A fully connected layer y = W·x by baby steps and giant steps over the diagonals of Gazelle's hybrid.
//!
//! In the layout of `fc_layout.rs`, with diagonals d = j·B + i, i < B,
//!
//! acc = Σ_j rot_{jB}( Σ_{i<B} rot_i(x) ⊙ rot_{−jB}(W_{jB+i}) ),   y = fold of acc,
//!
//! so the inputs are rotated B − 1 times (hoisted) and the inner sums ⌈R/B⌉ − 1 times. Plaintexts are
//! rotated back before they are encoded, which costs nothing. Blocks of the input share the giant steps,
//! groups of outputs the baby steps.
//!
//! B is the one that makes blocks·(B − 1) + 2·Σ_groups(⌈R/B⌉ − 1) least, the first of equals: a rotation of
//! its own is weighed as two hoisted ones. Where R fills both rows, B divides a row, so that no giant step
//! starts in one row and ends in the other.
//!
//! Source: Halevi, Shoup, "Faster homomorphic linear transformations in HElib" (CRYPTO 2018), section 3.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use super::fc_layout::{Diagonals, FcLayout, Term};
use super::output_sum::OutputSum;
use super::plan::Schedule;
use super::shape::{LinearShape, PackingError};
use super::sums::{accumulate, fold, merge};
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};

/// What a rotation of its own costs, in hoisted ones.
const ROTATION_WEIGHT: usize = 2;

/// The baby-step giant-step schedule of a fully connected layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FcBsgs {
    layout: FcLayout,
    /// Baby steps, B.
    baby: usize,
    /// The products, in the order in which they run: by group, giant step, block.
    terms: Vec<Term>,
}

/// A block rotated for every baby step; `None` where the rotation is the identity, or not needed.
type Steps<C> = Vec<Option<C>>;

impl FcBsgs {
    /// Weighed rotations of a number of baby steps.
    fn cost(layout: &FcLayout, baby: usize) -> usize {
        let giants = (0..layout.groups()).map(|group| layout.diagonals(group).div_ceil(baby) - 1);
        layout.blocks() * (baby - 1) + ROTATION_WEIGHT * giants.sum::<usize>()
    }

    fn best_baby(layout: &FcLayout) -> usize {
        let most = layout.most_diagonals();
        let whole = most > layout.slots.row();
        let allowed = (1..=most).filter(|baby| !whole || baby.is_power_of_two());
        allowed
            .min_by_key(|&baby| Self::cost(layout, baby))
            .unwrap_or(1)
    }

    /// Group and giant step of a product.
    const fn inner_sum(&self, term: Term) -> (usize, usize) {
        (term.group, term.diagonal / self.baby)
    }

    /// Baby steps other than 0 that a block is rotated for.
    fn hoisted(&self, block: usize) -> BTreeSet<usize> {
        let of_block = self.terms.iter().filter(|term| term.block == block);
        let steps = of_block.map(|term| term.diagonal % self.baby);
        steps.filter(|&step| step > 0).collect()
    }

    /// The inner sums, by group and giant step.
    fn inner_sums(&self) -> BTreeSet<(usize, usize)> {
        self.terms
            .iter()
            .map(|&term| self.inner_sum(term))
            .collect()
    }

    /// The rotation of a giant step.
    const fn giant(&self, step: usize) -> Rotation {
        self.layout.slots.rotation(step * self.baby)
    }

    /// The blocks, each with its rotations for the baby steps it needs.
    fn rotate_inputs<H: HeOps>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
    ) -> Result<Vec<Steps<H::Ciphertext>>, H::Error> {
        let blocks = inputs[..self.layout.blocks()].iter().enumerate();
        blocks
            .map(|(block, input)| {
                let hoisted = self.hoisted(block);
                let decomposed = (!hoisted.is_empty()).then(|| ops.decompose(input));
                let steps = (0..self.baby).map(|step| match &decomposed {
                    Some(decomposed) if hoisted.contains(&step) => {
                        let rotation = self.layout.slots.rotation(step);
                        ops.rotate_decomposed(decomposed, rotation).map(Some)
                    }
                    _ => Ok(None),
                });
                steps.collect()
            })
            .collect()
    }
}

impl Schedule for FcBsgs {
    const NAME: &'static str = "fc_bsgs";

    fn new(layer: &LinearShape, n: usize) -> Result<Self, PackingError> {
        let layout = FcLayout::new(layer, n, Diagonals::Fewest, Self::NAME)?;
        let baby = Self::best_baby(&layout);
        if baby >= layout.most_diagonals() {
            return Err(PackingError::NothingToGain {
                schedule: Self::NAME,
            });
        }
        let blocks = 0..layout.blocks();
        let mut terms: Vec<Term> = blocks.flat_map(|block| layout.terms(block)).collect();
        terms.sort_by_key(|term| (term.group, term.diagonal / baby, term.block));
        Ok(Self {
            layout,
            baby,
            terms,
        })
    }

    fn made_for(&self) -> (usize, LinearShape) {
        self.layout.made_for()
    }

    fn counts(&self) -> OpCounts {
        let mut counts = OpCounts::default();
        let last = self.layout.blocks() - 1;
        for (block, times) in [(0, last as u64), (last, 1)] {
            let hoisted = self.hoisted(block).len() as u64;
            counts[HeOp::Decompose] += times * u64::from(hoisted > 0);
            counts[HeOp::HoistedRotate] += times * hoisted;
        }
        let sums = self.inner_sums();
        let giants = sums.iter().filter(|(_, step)| *step > 0).count() as u64;
        let (sums, groups) = (sums.len() as u64, self.layout.groups() as u64);
        counts[HeOp::Hadamard] = sums;
        counts[HeOp::MultiplyAccumulate] = self.terms.len() as u64 - sums;
        counts[HeOp::Rotate] = giants + self.layout.folds();
        counts[HeOp::Add] = sums - groups + self.layout.folds();
        counts
    }

    fn rotation_counts(&self) -> BTreeMap<Rotation, u64> {
        let mut counts = self.layout.fold_rotations();
        let last = self.layout.blocks() - 1;
        for (block, times) in [(0, last as u64), (last, 1)] {
            for step in self.hoisted(block) {
                *counts.entry(self.layout.slots.rotation(step)).or_default() += times;
            }
        }
        for (_, step) in self.inner_sums().into_iter().filter(|&(_, step)| step > 0) {
            *counts.entry(self.giant(step)).or_default() += 1;
        }
        counts
    }

    fn input_ciphertexts(&self) -> usize {
        self.layout.blocks()
    }

    fn output_ciphertexts(&self) -> usize {
        self.layout.groups()
    }

    fn weight_count(&self) -> usize {
        self.terms.len()
    }

    fn output_sums(&self) -> Option<Vec<OutputSum>> {
        let groups = self.terms.chunk_by(|a, b| a.group == b.group);
        let sums = groups.map(|terms| {
            let rotated = terms.iter().filter(|term| term.diagonal % self.baby > 0);
            let inner = terms.chunk_by(|&a, &b| self.inner_sum(a) == self.inner_sum(b));
            let giants = inner.filter(|terms| terms[0].diagonal >= self.baby);
            OutputSum {
                products: terms.len() as u64,
                rotated: rotated.count() as u64,
                unscaled: 0,
                turns: giants.count() as u64,
                folds: self.layout.fold_shifts(terms[0].group).count() as u32,
            }
        });
        Some(sums.collect())
    }

    fn working_ciphertexts(&self) -> usize {
        // Rotated inputs, a sum for each group, an inner sum and its rotation.
        self.layout.blocks() * (self.baby - 1) + self.layout.groups() + 2
    }

    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        self.layout.pack_input(values)
    }

    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
        let (term, slots) = (self.terms[index], self.layout.slots);
        let plaintext = self.layout.weight_slots(weights, p, term);
        let back = self.giant(term.diagonal / self.baby).inverse(slots.row());
        let sources = (0..slots.n()).map(|slot| slots.source(slot, back));
        sources.map(|source| plaintext[source]).collect()
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        mut weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let rotated = self.rotate_inputs(ops, inputs)?;
        let mut totals: Vec<Option<H::Ciphertext>> = vec![None; self.layout.groups()];
        let mut index = 0;
        for terms in self
            .terms
            .chunk_by(|&a, &b| self.inner_sum(a) == self.inner_sum(b))
        {
            let (group, step) = self.inner_sum(terms[0]);
            let mut sum = None;
            for term in terms {
                let ct = rotated[term.block][term.diagonal % self.baby].as_ref();
                let ct = ct.unwrap_or(&inputs[term.block]);
                accumulate(ops, &mut sum, ct, weight(index)?.borrow());
                index += 1;
            }
            if let (Some(inner), true) = (&sum, step > 0) {
                sum = Some(ops.rotate(inner, self.giant(step))?);
            }
            merge(ops, &mut totals[group], sum);
        }
        let totals = totals.into_iter().flatten().enumerate();
        totals
            .map(|(group, sum)| {
                let shifts = self.layout.fold_shifts(group);
                fold(ops, sum, self.layout.slots, shifts)
            })
            .collect()
    }

    fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        self.layout.unpack_output(slots)
    }
}
