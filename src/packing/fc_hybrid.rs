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
use std::fmt::Debug;
use std::marker::PhantomData;

use super::fc_layout::{Diagonals, FcLayout, Term};
use super::fully_connected::{DiagonalOrder, FullyConnected, Steps};
use super::sums::fold;
use crate::bfv::HeOps;

/// Gazelle's hybrid.
pub type FcHybrid = FullyConnected<ByDiagonals<Hybrid>>;
/// Halevi and Shoup's diagonals.
pub type FcDiagonal = FullyConnected<ByDiagonals<AllDiagonals>>;

/// By block, diagonal, group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByDiagonals<R>(PhantomData<R>);

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

impl<R: DiagonalRule> DiagonalOrder for ByDiagonals<R> {
    const NAME: &'static str = R::NAME;
    const DIAGONALS: Diagonals = if R::ALL {
        Diagonals::All
    } else {
        Diagonals::Fewest
    };

    fn baby_steps(layout: &FcLayout) -> Option<usize> {
        // Where the fewest diagonals are all, the hybrid is this.
        let all = layout.most_diagonals();
        (!R::ALL || layout.would_fold()).then_some(all)
    }

    fn sort(_steps: &Steps, _terms: &mut [Term]) {}

    fn working_ciphertexts(steps: &Steps) -> usize {
        // A sum for each group, a rotated input and the one that replaces it.
        steps.layout.groups() + 2
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        steps: &Steps,
        terms: &[Term],
        (ops, inputs): (&H, &[H::Ciphertext]),
        mut weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let layout = &steps.layout;
        let mut sums: Vec<Option<H::Ciphertext>> = vec![None; layout.groups()];
        let mut index = 0;
        for terms in terms.chunk_by(|a, b| a.block == b.block) {
            let (block, input) = (terms[0].block, &inputs[terms[0].block]);
            let decomposed = steps.turns(block).then(|| ops.decompose(input));
            for terms in terms.chunk_by(|a, b| a.diagonal == b.diagonal) {
                let diagonal = terms[0].diagonal;
                let moved = decomposed.as_ref().filter(|_| diagonal > 0);
                let rotation = layout.slots.rotation(diagonal);
                let rotated = moved.map(|moved| ops.rotate_decomposed(moved, rotation));
                let rotated = rotated.transpose()?;
                for term in terms {
                    let ct = rotated.as_ref().unwrap_or(input);
                    ops.accumulate(&mut sums[term.group], ct, weight(index)?.borrow());
                    index += 1;
                }
            }
        }
        let sums = sums.into_iter().flatten().enumerate();
        sums.map(|(group, sum)| fold(ops, sum, layout.slots, layout.fold_shifts(group)))
            .collect()
    }
}
