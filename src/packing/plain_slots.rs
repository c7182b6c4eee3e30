//! The operations on plain slot vectors modulo p: what a plan computes, without any encryption.
//!
//! The oracle of the packing tests and of `verify`: same plan, same weights, no noise.

use super::shape::PackingError;
use super::slots::Slots;
use crate::bfv::{HeOps, Rotation};

/// Slot vectors of length n with values in `0..p`.
#[derive(Debug, Clone, Copy)]
pub struct PlainSlots {
    n: usize,
    p: u64,
}

impl PlainSlots {
    /// The slots of a ring of degree `n` modulo `p`, which need not be prime here.
    pub const fn new(n: usize, p: u64) -> Self {
        Self { n, p }
    }

    fn rotated(&self, ct: &[u64], rotation: Rotation) -> Result<Vec<u64>, PackingError> {
        Ok(Slots::new(self.n)?.rotated(ct, rotation))
    }

    fn reduce(&self, value: u128) -> u64 {
        u64::try_from(value % u128::from(self.p)).unwrap_or_default()
    }
}

impl HeOps for PlainSlots {
    type Ciphertext = Vec<u64>;
    type Plaintext = Vec<u64>;
    type Decomposed = Vec<u64>;
    type Error = PackingError;

    fn slots(&self) -> usize {
        self.n
    }

    fn encode(&self, slots: &[u64]) -> Result<Vec<u64>, PackingError> {
        if slots.len() == self.n {
            Ok(slots.to_vec())
        } else {
            Err(PackingError::SlotCount {
                expected: self.n,
                given: slots.len(),
            })
        }
    }

    fn add(&self, acc: &mut Vec<u64>, other: &Vec<u64>) {
        for (a, &b) in acc.iter_mut().zip(other) {
            *a = self.reduce(u128::from(*a) + u128::from(b));
        }
    }

    fn hadamard(&self, ct: &Vec<u64>, pt: &Vec<u64>) -> Vec<u64> {
        let products = ct.iter().zip(pt);
        products
            .map(|(&a, &b)| self.reduce(u128::from(a) * u128::from(b)))
            .collect()
    }

    fn multiply_accumulate(&self, acc: &mut Vec<u64>, ct: &Vec<u64>, pt: &Vec<u64>) {
        self.add(acc, &self.hadamard(ct, pt));
    }

    /// Always, so that plans over slots show what they do then.
    fn are_better_at_once(&self, _products: usize) -> bool {
        true
    }

    fn rotate(&self, ct: &Vec<u64>, rotation: Rotation) -> Result<Vec<u64>, PackingError> {
        self.rotated(ct, rotation)
    }

    fn decompose(&self, ct: &Vec<u64>) -> Vec<u64> {
        ct.clone()
    }

    fn rotate_decomposed(
        &self,
        decomposed: &Vec<u64>,
        rotation: Rotation,
    ) -> Result<Vec<u64>, PackingError> {
        self.rotated(decomposed, rotation)
    }
}
