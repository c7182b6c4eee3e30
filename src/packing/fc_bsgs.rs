//! A fully connected layer y = W·x by baby steps and giant steps over the diagonals of Gazelle's hybrid.
//!
//! In the order of `fully_connected.rs` the inputs are rotated B − 1 times (hoisted) and the inner sums
//! ⌈R/B⌉ − 1 times.
//!
//! B is the one that makes blocks·(B − 1) + 2·Σ_groups(⌈R/B⌉ − 1) least, the first of equals: a rotation of
//! its own is weighed as two hoisted ones. Where R fills both rows, B divides a row, so that no giant step
//! starts in one row and ends in the other.
//!
//! Source: Halevi, Shoup, "Faster homomorphic linear transformations in HElib" (CRYPTO 2018), section 3.

use std::borrow::Borrow;

use super::fc_layout::{Diagonals, FcLayout, Term};
use super::fully_connected::{DiagonalOrder, FullyConnected, Steps};
use super::sums::{Order, SUMS_AT_ONCE, add_inner_products, are_alike, fold, merge};
use crate::bfv::{HeOps, Lane};

/// The baby-step giant-step schedule of a fully connected layer.
pub type FcBsgs = FullyConnected<BabySteps>;

/// By group, giant step, block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BabySteps;

/// What a rotation of its own costs, in hoisted ones.
const ROTATION_WEIGHT: usize = 2;

/// Weighed rotations of a number of baby steps.
fn cost(layout: &FcLayout, baby: usize) -> usize {
    let giants = |group| layout.diagonals(group).div_ceil(baby) - 1;
    let groups = layout.group_kinds();
    let giants = groups.map(|(group, times)| times as usize * giants(group));
    layout.blocks() * (baby - 1) + ROTATION_WEIGHT * giants.sum::<usize>()
}

/// A block rotated for every baby step; `None` where the rotation is the identity, or not needed.
type Rotated<C> = Vec<Option<C>>;

/// The blocks, each with its rotations for the baby steps that its terms need.
fn rotate_inputs<H: HeOps>(
    steps: &Steps,
    terms: &[Term],
    (ops, inputs): (&H, &[H::Ciphertext]),
) -> Result<Vec<Rotated<H::Ciphertext>>, H::Error> {
    let mut needed = vec![vec![false; steps.baby]; steps.layout.blocks()];
    for term in terms {
        needed[term.block][term.diagonal % steps.baby] = true;
    }
    let rotated = needed.iter().zip(inputs).map(|(needed, input)| {
        let mut decomposed = None;
        let each = needed.iter().enumerate().map(|(step, &needed)| {
            if step == 0 || !needed {
                return Ok(None);
            }
            let decomposed = decomposed.get_or_insert_with(|| ops.decompose(input));
            let rotation = steps.layout.slots.rotation(step);
            ops.rotate_decomposed(decomposed, rotation).map(Some)
        });
        each.collect()
    });
    rotated.collect()
}

impl DiagonalOrder for BabySteps {
    const NAME: &'static str = "fc_bsgs";
    const DIAGONALS: Diagonals = Diagonals::Fewest;

    fn baby_steps(layout: &FcLayout) -> Option<usize> {
        let most = layout.most_diagonals();
        let whole = most > layout.slots.row();
        let allowed = (1..=most).filter(|baby| !whole || baby.is_power_of_two());
        let best = allowed.min_by_key(|&baby| cost(layout, baby));
        best.filter(|&baby| baby < most)
    }

    fn sort(steps: &Steps, terms: &mut [Term]) {
        terms.sort_by_key(|&term| (steps.inner_sum(term), term.block));
    }

    fn working_ciphertexts(steps: &Steps) -> usize {
        // Rotated inputs, a sum for each group, inner sums and a rotation.
        let layout = &steps.layout;
        let giants = layout.most_diagonals().div_ceil(steps.baby);
        let sums = (layout.groups() * giants).min(SUMS_AT_ONCE);
        layout.blocks() * (steps.baby - 1) + layout.groups() + sums + 1
    }

    /// The first after each few inner sums made at once.
    fn turns_after_products(steps: &Steps) -> u64 {
        let giants = steps.layout.most_diagonals().div_ceil(steps.baby);
        let sums = steps.layout.groups() * giants;
        sums.div_ceil(SUMS_AT_ONCE) as u64
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        steps: &Steps,
        terms: &[Term],
        (ops, inputs): (&H, &[H::Ciphertext]),
        mut weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let layout = &steps.layout;
        let rotated = rotate_inputs(steps, terms, (ops, inputs))?;
        let mut totals: Vec<Option<H::Ciphertext>> = vec![None; layout.groups()];
        let sums = terms.chunk_by(|&a, &b| steps.inner_sum(a) == steps.inner_sum(b));
        let sums: Vec<&[Term]> = sums.collect();
        let mut index = 0;
        let operands = |term: &Term| (term.block, term.diagonal % steps.baby);
        for alike in sums.chunk_by(|a, b| are_alike(a, b, operands)) {
            for sums in alike.chunks(SUMS_AT_ONCE) {
                let operand = |term: &Term| {
                    let ct = rotated[term.block][term.diagonal % steps.baby].as_ref();
                    ct.unwrap_or(&inputs[term.block])
                };
                let operands = sums[0].iter().map(operand).collect();
                let mut lane = [Lane::of(operands, sums.len())];
                let next = || {
                    index += 1;
                    weight(index - 1)
                };
                add_inner_products(ops, &mut lane, Order::SumBySum, next)?;
                let [lane] = lane;
                for (terms, mut sum) in sums.iter().zip(lane.sums) {
                    let (group, giant) = steps.inner_sum(terms[0]);
                    if let (Some(inner), true) = (&sum, giant > 0) {
                        sum = Some(ops.rotate(inner, steps.giant(giant))?);
                    }
                    merge(ops, &mut totals[group], sum);
                }
            }
        }
        let totals = totals.into_iter().flatten().enumerate();
        totals
            .map(|(group, sum)| fold(ops, sum, layout.slots, layout.fold_shifts(group)))
            .collect()
    }
}
