//! A fully connected layer y = W·x by hoisted diagonals: Gazelle's hybrid, and Halevi and Shoup's method.
//!
//! In the layout of `fc_layout.rs`, with R diagonals in a copy of w slots,
//!
//! acc = Σ_{d<R} rot_d(x) ⊙ W_d,   y = fold of acc by R, 2R, …, w/2.
//!
//! The R − 1 rotations of x share one decomposition; the lg(w/R) of the fold are full. Blocks of the input
//! are summed before the one fold; groups of outputs share the rotated inputs. Gazelle's hybrid takes the
//! fewest diagonals. With all of them, R = w, there is no fold, and no error is added to its own rotation.
//!
//! Sources: Juvekar, Vaikuntanathan, Chandrakasan, "GAZELLE" (USENIX Security 2018), section 4.1; Halevi,
//! Shoup, "Algorithms in HElib" (CRYPTO 2014), section 4.3.
//!
//! Always true: a diagonal that meets no weight is neither rotated for nor multiplied.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;

use super::fc_layout::{Diagonals, FcLayout, Term};
use super::layouts::Layouts;
use super::listed::Listed;
use super::output_sum::OutputSum;
use super::plan::Schedule;
use super::shape::{LinearShape, PackingError};
use super::sums::{accumulate, fold};
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};

/// Gazelle's hybrid.
pub type FcHybrid = FcByDiagonals<Hybrid>;
/// Halevi and Shoup's diagonals.
pub type FcDiagonal = FcByDiagonals<AllDiagonals>;

/// How many diagonals are multiplied, and the name of that.
pub trait DiagonalRule: Debug + Clone + PartialEq + Eq {
    /// Name of the schedule.
    const NAME: &'static str;
    /// Whether all diagonals are multiplied and nothing is folded.
    const ALL: bool;
}

/// The fewest diagonals, then a fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hybrid;

/// All diagonals, no fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllDiagonals;

impl DiagonalRule for Hybrid {
    const NAME: &'static str = "fc_hybrid";
    const ALL: bool = false;
}

impl DiagonalRule for AllDiagonals {
    const NAME: &'static str = "fc_diagonal";
    const ALL: bool = true;
}

/// A fully connected layer by diagonals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FcByDiagonals<R> {
    layout: FcLayout,
    terms: Listed<Term>,
    rule: PhantomData<R>,
}

impl<R> FcByDiagonals<R> {
    /// The products in the order in which they run: by block, diagonal, group.
    fn terms(&self) -> &[Term] {
        self.terms.get(|| self.layout.terms())
    }

    /// How many diagonals other than the first a block is rotated for.
    fn hoisted(&self, block: usize) -> usize {
        let diagonals = self.layout.of_block(block);
        diagonals.len() - usize::from(diagonals.contains(0))
    }
}

impl<R: DiagonalRule> Schedule for FcByDiagonals<R> {
    const NAME: &'static str = R::NAME;

    fn over(layouts: &Layouts) -> Result<Self, PackingError> {
        let fewest = layouts.fully_connected(Diagonals::Fewest, Self::NAME)?;
        if R::ALL && fewest.folds() == 0 {
            return Err(PackingError::NothingToGain {
                schedule: Self::NAME,
            });
        }
        let layout = if R::ALL {
            layouts.fully_connected(Diagonals::All, Self::NAME)?
        } else {
            fewest
        };
        Ok(Self {
            layout,
            terms: Listed::default(),
            rule: PhantomData,
        })
    }

    fn made_for(&self) -> (usize, LinearShape) {
        self.layout.made_for()
    }

    fn counts(&self) -> OpCounts {
        let mut counts = OpCounts::default();
        for (block, times) in self.layout.block_kinds() {
            let hoisted = self.hoisted(block) as u64;
            counts[HeOp::Decompose] += times * u64::from(hoisted > 0);
            counts[HeOp::HoistedRotate] += times * hoisted;
        }
        let groups = self.layout.groups() as u64;
        counts[HeOp::Hadamard] = groups;
        counts[HeOp::MultiplyAccumulate] = self.layout.all_products() - groups;
        counts[HeOp::Rotate] = self.layout.folds();
        counts[HeOp::Add] = self.layout.folds();
        counts
    }

    fn rotation_counts(&self) -> BTreeMap<Rotation, u64> {
        let mut counts = self.layout.fold_rotations();
        for (block, times) in self.layout.block_kinds() {
            for shift in self
                .layout
                .of_block(block)
                .iter()
                .filter(|&shift| shift > 0)
            {
                *counts.entry(self.layout.slots.rotation(shift)).or_default() += times;
            }
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
        self.layout.all_products() as usize
    }

    fn output_sums(&self) -> Option<Vec<OutputSum>> {
        let sum = |group| {
            let blocks = self.layout.block_kinds();
            let still = blocks.filter(|&(block, _)| self.layout.met(block, group).contains(0));
            let still: u64 = still.map(|(_, times)| times).sum();
            let products = self.layout.products(group);
            OutputSum {
                products,
                rotated: products - still,
                turns: 0,
                folds: self.layout.fold_shifts(group).count() as u32,
            }
        };
        let groups = self.layout.group_kinds();
        Some(groups.map(|(group, _)| sum(group)).collect())
    }

    fn working_ciphertexts(&self) -> usize {
        // A sum for each group, a rotated input and the one that replaces it.
        self.layout.groups() + 2
    }

    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        self.layout.pack_input(values)
    }

    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
        self.layout.weight_slots(weights, p, self.terms()[index])
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        mut weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let layout = &self.layout;
        let mut sums: Vec<Option<H::Ciphertext>> = vec![None; layout.groups()];
        let mut index = 0;
        for terms in self.terms().chunk_by(|a, b| a.block == b.block) {
            let (block, input) = (terms[0].block, &inputs[terms[0].block]);
            let decomposed = (self.hoisted(block) > 0).then(|| ops.decompose(input));
            for terms in terms.chunk_by(|a, b| a.diagonal == b.diagonal) {
                let diagonal = terms[0].diagonal;
                let moved = decomposed.as_ref().filter(|_| diagonal > 0);
                let rotation = layout.slots.rotation(diagonal);
                let rotated = moved.map(|moved| ops.rotate_decomposed(moved, rotation));
                let rotated = rotated.transpose()?;
                for term in terms {
                    let ct = rotated.as_ref().unwrap_or(input);
                    accumulate(ops, &mut sums[term.group], ct, weight(index)?.borrow());
                    index += 1;
                }
            }
        }
        let sums = sums.into_iter().flatten().enumerate();
        sums.map(|(group, sum)| fold(ops, sum, layout.slots, layout.fold_shifts(group)))
            .collect()
    }

    fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        self.layout.unpack_output(slots)
    }
}
