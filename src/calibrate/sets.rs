//! Where the operands of a BFV case come from, by its working set.

use super::case::{FAR, MIDDLE, NEAR, WorkingSet};
use crate::bfv::HeOp;

/// Where a product's ciphertext comes from.
pub(super) const fn of_ciphertext(set: WorkingSet) -> WorkingSet {
    match set {
        WorkingSet::Hot | WorkingSet::Cold => WorkingSet::Hot,
        WorkingSet::Near | WorkingSet::Middle | WorkingSet::Far => set,
    }
}

/// Bytes of ciphertexts that are in turn.
pub(super) const fn spread(set: WorkingSet) -> Option<usize> {
    match set {
        WorkingSet::Hot | WorkingSet::Cold => None,
        WorkingSet::Near => Some(NEAR),
        WorkingSet::Middle => Some(MIDDLE),
        WorkingSet::Far => Some(FAR),
    }
}

/// Bytes swept through the caches before the operation, if it is measured so.
pub(super) const fn swept(op: HeOp, set: WorkingSet) -> Option<usize> {
    match (op, set) {
        (HeOp::Rotate, _) => spread(set),
        (
            HeOp::AddPlain
            | HeOp::Decompose
            | HeOp::EncryptSecret
            | HeOp::Expand
            | HeOp::Rerandomize
            | HeOp::Decrypt
            | HeOp::ModSwitch,
            WorkingSet::Cold,
        ) => Some(FAR),
        _ => None,
    }
}
