//! Where the operands of a case come from, by its working set.

use super::case::{BEYOND, FAR, MIDDLE, NEAR, OUTSIDE, WorkingSet};
use crate::bfv::HeOp;

/// Bytes of ciphertexts that products of several sums share.
pub(super) const fn spread(set: WorkingSet) -> Option<usize> {
    match set {
        WorkingSet::Hot | WorkingSet::Cold | WorkingSet::Shared | WorkingSet::Alone => None,
        WorkingSet::Near => Some(NEAR),
        WorkingSet::Middle => Some(MIDDLE),
        WorkingSet::Far => Some(FAR),
        WorkingSet::Outside => Some(OUTSIDE),
    }
}

/// Bytes that operands come from again and again: encoded plaintexts or tables in turn, or what is swept between two acts;
/// none where they are at hand.
pub(super) const fn gone_through(set: WorkingSet) -> Option<usize> {
    match set {
        WorkingSet::Hot => None,
        WorkingSet::Shared => Some(FAR),
        WorkingSet::Cold
        | WorkingSet::Near
        | WorkingSet::Middle
        | WorkingSet::Far
        | WorkingSet::Outside
        | WorkingSet::Alone => Some(BEYOND),
    }
}

/// Bytes swept through the caches before the operation, if it is measured so.
pub(super) const fn swept(op: HeOp, set: WorkingSet) -> Option<usize> {
    match op {
        HeOp::AddPlain
        | HeOp::Decompose
        | HeOp::Rerandomize
        | HeOp::ModSwitch
        | HeOp::EncryptSecret
        | HeOp::Expand
        | HeOp::Decrypt => gone_through(set),
        _ => None,
    }
}
