//! Sums that may not have begun: the first term makes them, so that no encryption of zero is needed.

use std::borrow::Borrow;

use super::slots::Slots;
use crate::bfv::{HeOps, Lane};

/// Sums that are made at once: each block of ciphertexts that they share is taken for all of them.
pub const SUMS_AT_ONCE: usize = 8;

/// Whether two lists of products have the same keys, one by one: the same operands, or the same sums.
pub(super) fn are_alike<T, K: PartialEq>(a: &[T], b: &[T], key: impl Fn(&T) -> K) -> bool {
    a.iter().map(&key).eq(b.iter().map(&key))
}

/// In which order products ask for their weights.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    /// All of one sum, then those of the next.
    SumBySum,
    /// All of one operand, then those of the next.
    OperandByOperand,
}

impl Order {
    /// The operand and the sum of each product.
    fn places(self, operands: usize, sums: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..operands * sums).map(move |index| match self {
            Self::SumBySum => (index % operands, index / operands),
            Self::OperandByOperand => (index / sums, index % sums),
        })
    }
}

/// Adds to the sums k of every lane Σ_i operands\[i\] ⊙ w_{k,i}; the lanes have equally many operands and sums, and share
/// the weights. Where it does not gain to have them all, one weight at a time is held.
pub(super) fn add_inner_products<H: HeOps, W: Borrow<H::Plaintext>>(
    ops: &H,
    lanes: &mut [Lane<'_, H::Ciphertext>],
    order: Order,
    mut weight: impl FnMut() -> Result<W, H::Error>,
) -> Result<(), H::Error> {
    let sizes = |lane: &Lane<'_, _>| (lane.operands.len(), lane.sums.len());
    let (operands, sums) = lanes.first().map_or((0, 0), sizes);
    if sums < 2 || !ops.are_better_at_once(operands) {
        for (operand, sum) in order.places(operands, sums) {
            let weight = weight()?;
            for lane in &mut *lanes {
                let (sum, ct) = (&mut lane.sums[sum], lane.operands[operand]);
                ops.accumulate(sum, ct, weight.borrow());
            }
        }
        return Ok(());
    }
    let weights = (0..operands * sums).map(|_| weight());
    let weights = weights.collect::<Result<Vec<W>, _>>()?;
    let mut ordered: Vec<Option<&H::Plaintext>> = vec![None; weights.len()];
    for ((operand, sum), weight) in order.places(operands, sums).zip(&weights) {
        ordered[sum * operands + operand] = Some(weight.borrow());
    }
    let weights: Vec<&H::Plaintext> = ordered.into_iter().flatten().collect();
    ops.add_inner_products(lanes, &weights);
    Ok(())
}

/// `sum += more`, where either may be absent.
pub(super) fn merge<H: HeOps>(
    ops: &H,
    sum: &mut Option<H::Ciphertext>,
    more: Option<H::Ciphertext>,
) {
    match (sum.as_mut(), more) {
        (Some(sum), Some(more)) => ops.add(sum, &more),
        (None, more) => *sum = more,
        (Some(_), None) => {}
    }
}

/// `sum` with its rotations by the shifts added, one after the other.
pub(super) fn fold<H: HeOps>(
    ops: &H,
    mut sum: H::Ciphertext,
    slots: Slots,
    shifts: impl Iterator<Item = usize>,
) -> Result<H::Ciphertext, H::Error> {
    for shift in shifts {
        let rotated = ops.rotate(&sum, slots.rotation(shift))?;
        ops.add(&mut sum, &rotated);
    }
    Ok(sum)
}
