//! A fully connected layer by diagonals in one of several orders: what they share, and the trait of what they do not.
//!
//! In the layout of `fc_layout.rs`, with diagonals d = j·B + i, i < B,
//!
//! acc = Σ_j rot_{jB}( Σ_{i<B} rot_i(x) ⊙ rot_{−jB}(W_{jB+i}) ),   y = fold of acc.
//!
//! Inputs are rotated by hoisting for the baby steps i, inner sums for the giant steps j. Plaintexts are
//! rotated back before they are encoded, which costs nothing. Blocks of the input share the giant steps,
//! groups of outputs the baby steps. With B = R there is one inner sum and no giant step.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::fc_layout::{Diagonals, FcLayout, Term};
use super::layouts::Layouts;
use super::listed::Listed;
use super::output_sum::OutputSum;
use super::plan::Schedule;
use super::ranges::Ranges;
use super::shape::{LinearShape, PackingError};
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};

/// In what order the diagonals are multiplied.
pub(super) trait DiagonalOrder: Sized {
    const NAME: &'static str;
    const DIAGONALS: Diagonals;

    /// B; none where a simpler schedule does the same.
    fn baby_steps(layout: &FcLayout) -> Option<usize>;

    /// Puts terms in the order in which they run, from that of [`FcLayout::terms`].
    fn sort(steps: &Steps, terms: &mut [Term]);

    /// As [`Schedule::working_ciphertexts`].
    fn working_ciphertexts(steps: &Steps) -> usize;

    /// As [`Schedule::turns_after_products`].
    fn turns_after_products(_steps: &Steps) -> u64 {
        1
    }

    /// Computes the layer from its terms in the order in which they run.
    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        steps: &Steps,
        terms: &[Term],
        input: (&H, &[H::Ciphertext]),
        weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error>;
}

/// Diagonals as baby steps and giant steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) layout: FcLayout,
    /// Baby steps, B.
    pub(super) baby: usize,
}

impl Steps {
    /// Group and giant step of a product.
    pub(super) const fn inner_sum(&self, term: Term) -> (usize, usize) {
        (term.group, term.diagonal / self.baby)
    }

    /// Baby steps of a block.
    fn babies(&self, block: usize) -> Ranges {
        self.layout.of_block(block).remainders(self.baby)
    }

    /// Whether a block is rotated at all.
    pub(super) fn turns(&self, block: usize) -> bool {
        self.babies(block).iter().any(|step| step > 0)
    }

    /// Giant steps of a group, of any block.
    fn giants(&self, group: usize) -> Ranges {
        let blocks = self.layout.block_kinds();
        let of_block = |(block, _)| self.layout.met(block, group).quotients(self.baby);
        blocks.map(of_block).collect()
    }

    /// The rotation of a giant step.
    pub(super) const fn giant(&self, step: usize) -> Rotation {
        self.layout.slots.rotation(step * self.baby)
    }

    /// What the output of a group is a sum of.
    fn output_sum(&self, group: usize) -> OutputSum {
        let (blocks, giants) = (self.layout.block_kinds(), self.giants(group));
        let still = blocks.map(|(block, times)| {
            let of_block = self.layout.met(block, group);
            times * of_block.multiples(self.baby) as u64
        });
        let products = self.layout.products(group);
        OutputSum {
            products,
            rotated: products - still.sum::<u64>(),
            turns: turning(&giants),
            folds: self.layout.fold_shifts(group).count() as u32,
            unscaled: 0,
        }
    }
}

/// How many steps there are but 0.
fn turning(steps: &Ranges) -> u64 {
    (steps.len() - usize::from(steps.contains(0))) as u64
}

/// A fully connected layer in the order `O`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullyConnected<O> {
    steps: Steps,
    /// The products in the order in which they run, once they are asked for.
    terms: Listed<Term>,
    order: PhantomData<O>,
}

/// The products in the order in which they run.
fn listed<O: DiagonalOrder>(layer: &FullyConnected<O>) -> &[Term] {
    layer.terms.get(|| {
        let mut terms = layer.steps.layout.terms();
        O::sort(&layer.steps, &mut terms);
        terms
    })
}

impl<O: DiagonalOrder> Schedule for FullyConnected<O> {
    const NAME: &'static str = O::NAME;

    fn over(layouts: &Layouts) -> Result<Self, PackingError> {
        let layout = layouts.fully_connected(O::DIAGONALS, Self::NAME)?;
        let baby = O::baby_steps(&layout).ok_or(PackingError::NothingToGain {
            schedule: Self::NAME,
        })?;
        Ok(Self {
            steps: Steps { layout, baby },
            terms: Listed::default(),
            order: PhantomData,
        })
    }

    fn made_for(&self) -> (usize, LinearShape) {
        self.steps.layout.made_for()
    }

    fn counts(&self) -> OpCounts {
        let (steps, layout) = (&self.steps, &self.steps.layout);
        let mut counts = OpCounts::default();
        for (block, times) in layout.block_kinds() {
            let hoisted = turning(&steps.babies(block));
            counts[HeOp::Decompose] += times * u64::from(hoisted > 0);
            counts[HeOp::HoistedRotate] += times * hoisted;
        }
        for (group, times) in layout.group_kinds() {
            let (inner_sums, sum) = (steps.giants(group).len() as u64, steps.output_sum(group));
            counts[HeOp::Hadamard] += times * inner_sums;
            counts[HeOp::MultiplyAccumulate] += times * (sum.products - inner_sums);
            counts[HeOp::Rotate] += times * sum.turns;
            counts[HeOp::Add] += times * (inner_sums - 1);
        }
        counts[HeOp::Rotate] += layout.folds();
        counts[HeOp::Add] += layout.folds();
        counts
    }

    fn rotation_counts(&self) -> BTreeMap<Rotation, u64> {
        let (steps, layout) = (&self.steps, &self.steps.layout);
        let mut counts = layout.fold_rotations();
        for (block, times) in layout.block_kinds() {
            for step in steps.babies(block).iter().filter(|&step| step > 0) {
                *counts.entry(layout.slots.rotation(step)).or_default() += times;
            }
        }
        for (group, times) in layout.group_kinds() {
            for step in steps.giants(group).iter().filter(|&step| step > 0) {
                *counts.entry(steps.giant(step)).or_default() += times;
            }
        }
        counts
    }

    fn input_ciphertexts(&self) -> usize {
        self.steps.layout.blocks()
    }

    fn output_ciphertexts(&self) -> usize {
        self.steps.layout.groups()
    }

    fn weight_count(&self) -> usize {
        self.steps.layout.all_products() as usize
    }

    fn output_sums(&self) -> Vec<OutputSum> {
        let groups = self.steps.layout.group_kinds();
        let sums = groups.map(|(group, _)| self.steps.output_sum(group));
        sums.collect()
    }

    fn working_ciphertexts(&self) -> usize {
        O::working_ciphertexts(&self.steps)
    }

    fn turns_after_products(&self) -> u64 {
        O::turns_after_products(&self.steps)
    }

    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        self.steps.layout.pack_input(values)
    }

    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
        let (term, layout) = (listed(self)[index], &self.steps.layout);
        let plaintext = layout.weight_slots(weights, p, term);
        let (_, giant) = self.steps.inner_sum(term);
        if giant == 0 {
            return plaintext;
        }
        let back = self.steps.giant(giant).inverse(layout.slots.row());
        layout.slots.rotated(&plaintext, back)
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        O::run(&self.steps, listed(self), (ops, inputs), weight)
    }

    fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        self.steps.layout.unpack_output(slots)
    }
}
