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
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::marker::PhantomData;

use super::fc_layout::{Diagonals, FcLayout, Term};
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
    /// The terms of a block: of the first, which stands for all but the last, and of the last.
    terms: [Vec<Term>; 2],
    rule: PhantomData<R>,
}

impl<R> FcByDiagonals<R> {
    /// The terms of a block, in the order in which they run.
    fn terms(&self, block: usize) -> impl ExactSizeIterator<Item = Term> + '_ {
        let kind = usize::from(block + 1 == self.layout.blocks());
        self.terms[kind]
            .iter()
            .map(move |&term| Term { block, ..term })
    }

    fn term(&self, index: usize) -> Option<Term> {
        let full = self.terms(0).len();
        let block = (index / full).min(self.layout.blocks() - 1);
        self.terms(block).nth(index - block * full)
    }

    /// Diagonals other than the first that a block is rotated for.
    fn hoisted(&self, block: usize) -> BTreeSet<usize> {
        let diagonals = self.terms(block).map(|term| term.diagonal);
        diagonals.filter(|&diagonal| diagonal > 0).collect()
    }
}

impl<R: DiagonalRule> Schedule for FcByDiagonals<R> {
    const NAME: &'static str = R::NAME;

    fn new(layer: &LinearShape, n: usize) -> Result<Self, PackingError> {
        let diagonals = if R::ALL {
            Diagonals::All
        } else {
            Diagonals::Fewest
        };
        let layout = FcLayout::new(layer, n, diagonals, Self::NAME)?;
        let fewest = FcLayout::new(layer, n, Diagonals::Fewest, Self::NAME)?;
        if R::ALL && fewest.folds() == 0 {
            return Err(PackingError::NothingToGain {
                schedule: Self::NAME,
            });
        }
        let terms = [0, layout.blocks() - 1].map(|block| layout.terms(block).collect());
        Ok(Self {
            terms,
            layout,
            rule: PhantomData,
        })
    }

    fn made_for(&self) -> (usize, LinearShape) {
        self.layout.made_for()
    }

    fn counts(&self) -> OpCounts {
        let mut counts = OpCounts::default();
        let last = self.layout.blocks() - 1;
        // All blocks but the last are full, hence alike.
        for (block, times) in [(0, last as u64), (last, 1)] {
            let hoisted = self.hoisted(block).len() as u64;
            counts[HeOp::Decompose] += times * u64::from(hoisted > 0);
            counts[HeOp::HoistedRotate] += times * hoisted;
            counts[HeOp::MultiplyAccumulate] += times * self.terms(block).len() as u64;
        }
        let groups = self.layout.groups() as u64;
        counts[HeOp::Hadamard] = groups;
        counts[HeOp::MultiplyAccumulate] -= groups;
        counts[HeOp::Rotate] = self.layout.folds();
        counts[HeOp::Add] = self.layout.folds();
        counts
    }

    fn rotation_counts(&self) -> BTreeMap<Rotation, u64> {
        let mut counts = self.layout.fold_rotations();
        let last = self.layout.blocks() - 1;
        for (block, times) in [(0, last as u64), (last, 1)] {
            for shift in self.hoisted(block) {
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
        let last = self.layout.blocks() - 1;
        last * self.terms(0).len() + self.terms(last).len()
    }

    fn output_sums(&self) -> Vec<OutputSum> {
        let last = self.layout.blocks() - 1;
        let sum = |group| {
            let mut sum = OutputSum {
                folds: self.layout.fold_shifts(group).count() as u32,
                ..OutputSum::default()
            };
            for (block, times) in [(0, last as u64), (last, 1)] {
                for term in self.terms(block).filter(|term| term.group == group) {
                    sum.products += times;
                    sum.rotated += times * u64::from(term.diagonal > 0);
                }
            }
            sum
        };
        let groups = BTreeSet::from([0, self.layout.groups() - 1]);
        groups.into_iter().map(sum).collect()
    }

    fn working_ciphertexts(&self) -> usize {
        // A sum for each group, a rotated input and the one that replaces it.
        self.layout.groups() + 2
    }

    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        self.layout.pack_input(values)
    }

    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
        let term = self.term(index);
        assert!(term.is_some(), "no plaintext {index}");
        term.map_or_else(Vec::new, |term| self.layout.weight_slots(weights, p, term))
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
        for (block, input) in inputs[..layout.blocks()].iter().enumerate() {
            let hoisted = self.hoisted(block);
            let decomposed = (!hoisted.is_empty()).then(|| ops.decompose(input));
            let mut rotated: Option<(usize, H::Ciphertext)> = None;
            for term in self.terms(block) {
                if let Some(decomposed) = &decomposed
                    && term.diagonal > 0
                    && rotated.as_ref().is_none_or(|(of, _)| *of != term.diagonal)
                {
                    let rotation = layout.slots.rotation(term.diagonal);
                    let ct = ops.rotate_decomposed(decomposed, rotation)?;
                    rotated = Some((term.diagonal, ct));
                }
                let ct = rotated.as_ref().map_or(input, |(_, ct)| ct);
                accumulate(ops, &mut sums[term.group], ct, weight(index)?.borrow());
                index += 1;
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
