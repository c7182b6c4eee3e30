//! Sums that may not have begun: the first term makes them, so that no encryption of zero is needed.

use std::borrow::Borrow;

use super::slots::Slots;
use crate::bfv::HeOps;

/// Sums that are made at once: each block of ciphertexts that they share is taken for all of them.
pub const SUMS_AT_ONCE: usize = 8;

/// Sums of products that share their ciphertexts, over the ciphertexts of one lane.
pub(super) struct Lane<'a, C> {
    /// What is multiplied.
    pub(super) operands: Vec<&'a C>,
    /// The sums, as far as they have begun.
    pub(super) sums: Vec<Option<C>>,
}

impl<'a, C> Lane<'a, C> {
    /// So many sums that have not begun.
    pub(super) fn of(operands: Vec<&'a C>, sums: usize) -> Self {
        let sums = (0..sums).map(|_| None).collect();
        Self { operands, sums }
    }
}

/// Adds to the sums k of every lane Σ_i operands[i] ⊙ weight(k·operands + i); the lanes have equally many operands and
/// sums, and share the weights. Where it does not gain to have them all, one weight at a time is held.
pub(super) fn add_inner_products<H: HeOps, W: Borrow<H::Plaintext>>(
    ops: &H,
    lanes: &mut [Lane<'_, H::Ciphertext>],
    weight: impl FnMut(usize) -> Result<W, H::Error>,
) -> Result<(), H::Error> {
    let (terms, sums) = lanes
        .first()
        .map_or((0, 0), |lane| (lane.operands.len(), lane.sums.len()));
    let mut weights = (0..terms * sums).map(weight);
    if ops.are_better_at_once(terms) {
        let weights = weights.collect::<Result<Vec<W>, _>>()?;
        let weights: Vec<&H::Plaintext> = weights.iter().map(Borrow::borrow).collect();
        for lane in lanes {
            ops.add_inner_products(&mut lane.sums, &lane.operands, &weights);
        }
        return Ok(());
    }
    for sum in 0..sums {
        for (term, weight) in weights.by_ref().take(terms).enumerate() {
            let weight = weight?;
            for lane in &mut *lanes {
                let (sum, ct) = (&mut lane.sums[sum], lane.operands[term]);
                accumulate(ops, sum, ct, weight.borrow());
            }
        }
    }
    Ok(())
}

/// `sum += ct ⊙ pt`, where there may be no sum yet.
pub(super) fn accumulate<H: HeOps>(
    ops: &H,
    sum: &mut Option<H::Ciphertext>,
    ct: &H::Ciphertext,
    pt: &H::Plaintext,
) {
    match sum {
        Some(sum) => ops.multiply_accumulate(sum, ct, pt),
        None => *sum = Some(ops.hadamard(ct, pt)),
    }
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
