//! A linear layer's work in numbers: operations in its ring, encodings, and the memory that they take.

use super::linear_values::LinearValues;
use super::roles::RingSize;
use super::task::{Streams, Task};
use super::work::encoded;
use crate::bfv::HeOp;
use crate::packing::Plan;
use crate::params::{LayerCrypto, working_set};
use crate::units::Bytes;

/// These operations in the layer's ring.
pub(super) fn he(crypto: &LayerCrypto, counts: &[(HeOp, u64)]) -> Vec<Task> {
    let (counts, ring) = (counts.iter().copied().collect(), ring_size(crypto));
    Task::he(&counts, ring, Streams::default())
}

/// Encoding of all of a layer's weights, and the memory that they come to.
pub(super) fn encode_ahead(crypto: &LayerCrypto, plan: &Plan) -> Vec<Task> {
    let mut tasks = he(crypto, &[(HeOp::Encode, encodings(crypto, plan))]);
    tasks.push(LinearValues::of(plan).arrange());
    let bytes = encoded(crypto, plan);
    tasks.push(Task::Touch { bytes });
    tasks
}

/// Polynomials that hold a layer's weights.
pub(super) fn encodings(crypto: &LayerCrypto, plan: &Plan) -> u64 {
    (crypto.windows().count() * plan.weight_count()) as u64
}

/// What sums take ciphertexts from.
pub(super) fn set_of(crypto: &LayerCrypto, plan: &Plan) -> Bytes {
    let ring = (crypto.n, crypto.q.len(), crypto.switching());
    let windows = crypto.windows();
    let held = windows.inputs(plan) + windows.working(plan);
    working_set(ring, held as u64, &plan.counts())
}

/// Size of the ciphertexts that are held at once.
pub(super) fn working_bytes(crypto: &LayerCrypto, plan: &Plan) -> Bytes {
    Bytes((16 * crypto.n * crypto.q.len() * crypto.windows().working(plan)) as u64)
}

/// Size of the key of one rotation: for each digit of a ciphertext two polynomials over all primes.
pub(super) fn key_bytes(crypto: &LayerCrypto) -> Bytes {
    let (limbs, special) = (crypto.q.len(), crypto.special.len());
    let digits = limbs * (crypto.switching().digits() as usize).max(1);
    Bytes((16 * crypto.n * digits * (limbs + special)) as u64)
}

/// The ring as operations are priced by it.
pub(super) fn ring_size(crypto: &LayerCrypto) -> RingSize {
    RingSize {
        n: crypto.n,
        limbs: crypto.q.len(),
        special: crypto.special.len(),
        digits: crypto.switching().digits(),
    }
}
