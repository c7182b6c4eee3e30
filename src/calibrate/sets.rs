//! Where the operands of a BFV case come from, by its working set.

use super::case::{FAR, MIDDLE, NEAR, WorkingSet};
use super::sweep::SESSION;
use crate::bfv::HeOp;

/// Bytes that come from memory when they are gone through again and again. Of a large cache that is shared with other
/// tenants, what is not touched for some tens of milliseconds is theirs; going through these takes longer.
const BEYOND: usize = 384 << 20;

/// Where a product's ciphertext comes from.
pub(super) const fn of_ciphertext(set: WorkingSet) -> WorkingSet {
    match set {
        WorkingSet::Hot | WorkingSet::Cold | WorkingSet::Shared => WorkingSet::Hot,
        WorkingSet::Near | WorkingSet::Middle | WorkingSet::Far => set,
    }
}

/// Bytes of ciphertexts that are in turn.
pub(super) const fn spread(set: WorkingSet) -> Option<usize> {
    match set {
        WorkingSet::Hot | WorkingSet::Cold | WorkingSet::Shared => None,
        WorkingSet::Near => Some(NEAR),
        WorkingSet::Middle => Some(MIDDLE),
        WorkingSet::Far => Some(FAR),
    }
}

/// Bytes of encoded plaintexts that are in turn, unless it is always the same one.
pub(super) const fn of_plaintexts(set: WorkingSet) -> Option<usize> {
    match set {
        WorkingSet::Hot => None,
        WorkingSet::Shared => Some(FAR),
        WorkingSet::Cold | WorkingSet::Near | WorkingSet::Middle | WorkingSet::Far => Some(BEYOND),
    }
}

/// Bytes swept through the caches before the operation, if it is measured so.
pub(super) const fn swept(op: HeOp, set: WorkingSet) -> Option<usize> {
    match (op, set) {
        (HeOp::Rotate, _) => spread(set),
        (
            HeOp::AddPlain | HeOp::Decompose | HeOp::Rerandomize | HeOp::ModSwitch,
            WorkingSet::Cold,
        ) => Some(FAR),
        // An action begins with these.
        (HeOp::EncryptSecret | HeOp::Expand | HeOp::Decrypt, WorkingSet::Cold) => Some(SESSION),
        _ => None,
    }
}
