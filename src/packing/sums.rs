//! Sums that may not have begun: the first term makes them, so that no encryption of zero is needed.

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
