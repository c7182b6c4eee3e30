//! The operations, counted and not done: what a plan asks of a homomorphic encryption.
//!
//! Ciphertexts are empty. Encoding, every operation, and the rotations used are recorded; the
//! identity rotation of a decomposed ciphertext costs nothing and is not.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};

/// Counts what a plan does.
#[derive(Debug, Clone, Default)]
pub struct Counter {
    n: usize,
    counts: Cell<OpCounts>,
    rotations: RefCell<BTreeMap<Rotation, u64>>,
    /// The last rotation, hoisted ones apart, if no product came after it.
    last: Cell<Option<Rotation>>,
    turns: Cell<u64>,
    after_products: Cell<u64>,
}

impl Counter {
    /// A counter over ciphertexts of `n` slots.
    pub fn new(n: usize) -> Self {
        Self {
            n,
            ..Self::default()
        }
    }

    /// What was done so far.
    pub fn counts(&self) -> OpCounts {
        self.counts.get()
    }

    /// How often each rotation happened so far, the identity left out.
    pub fn rotation_counts(&self) -> BTreeMap<Rotation, u64> {
        self.rotations.borrow().clone()
    }

    /// How many rotations, hoisted ones apart, did not follow one by the same key directly.
    pub fn turns_of_keys(&self) -> u64 {
        self.turns.get()
    }

    /// How many of these came after a product.
    pub fn turns_after_products(&self) -> u64 {
        self.after_products.get()
    }

    fn record(&self, rotation: Rotation) {
        *self.rotations.borrow_mut().entry(rotation).or_default() += 1;
    }

    fn count(&self, op: HeOp) {
        let mut counts = self.counts.get();
        counts[op] += 1;
        self.counts.set(counts);
    }
}

impl HeOps for Counter {
    type Ciphertext = ();
    type Plaintext = ();
    type Decomposed = ();
    type Error = Infallible;

    fn slots(&self) -> usize {
        self.n
    }

    fn encode(&self, _slots: &[u64]) -> Result<(), Infallible> {
        self.count(HeOp::Encode);
        Ok(())
    }

    fn add(&self, _acc: &mut (), _other: &()) {
        self.count(HeOp::Add);
    }

    fn hadamard(&self, _ct: &(), _pt: &()) {
        self.last.set(None);
        self.count(HeOp::Hadamard);
    }

    fn multiply_accumulate(&self, _acc: &mut (), _ct: &(), _pt: &()) {
        self.last.set(None);
        self.count(HeOp::MultiplyAccumulate);
    }

    fn rotate(&self, _ct: &(), rotation: Rotation) -> Result<(), Infallible> {
        let before = self.last.replace(Some(rotation));
        if before != Some(rotation) {
            self.turns.set(self.turns.get() + 1);
        }
        if before.is_none() {
            self.after_products.set(self.after_products.get() + 1);
        }
        self.count(HeOp::Rotate);
        self.record(rotation);
        Ok(())
    }

    fn decompose(&self, _ct: &()) {
        self.count(HeOp::Decompose);
    }

    fn rotate_decomposed(&self, _decomposed: &(), rotation: Rotation) -> Result<(), Infallible> {
        if !rotation.is_identity() {
            self.count(HeOp::HoistedRotate);
            self.record(rotation);
        }
        Ok(())
    }
}
