//! Sums that may not have begun: the first term makes them, so that no encryption of zero is needed.

use super::slots::Slots;
use crate::bfv::HeOps;

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
