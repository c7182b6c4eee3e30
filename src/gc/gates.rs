//! Gates: what a circuit is written over, and the two readers that need no cryptography.
//!
//! A circuit is a function generic over [`Gates`]. [`Plain`] computes bits (the oracle),
//! [`Counter`] counts. `program` records, for garbling and evaluating.

use serde::{Deserialize, Serialize};

/// A reader of circuits. Wires are handles: copying one copies no labels.
pub trait Gates {
    /// A wire of the circuit.
    type Wire: Copy;

    /// A wire that carries `bit`, known to both parties.
    fn constant(&mut self, bit: bool) -> Self::Wire;

    /// `x ⊕ y`: free.
    fn xor(&mut self, x: Self::Wire, y: Self::Wire) -> Self::Wire;

    /// `¬x`: free.
    fn not(&mut self, x: Self::Wire) -> Self::Wire;

    /// `x ∧ y`: two ciphertexts.
    fn and(&mut self, x: Self::Wire, y: Self::Wire) -> Self::Wire;
}

/// Computes the bits themselves.
#[derive(Debug, Default)]
pub struct Plain;

impl Gates for Plain {
    type Wire = bool;

    fn constant(&mut self, bit: bool) -> bool {
        bit
    }

    fn xor(&mut self, x: bool, y: bool) -> bool {
        x ^ y
    }

    fn not(&mut self, x: bool) -> bool {
        !x
    }

    fn and(&mut self, x: bool, y: bool) -> bool {
        x & y
    }
}

/// Gates of a circuit by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateCounts {
    /// AND gates: 32 bytes of tables each.
    pub and: usize,
    /// XOR gates: free on the wire.
    pub xor: usize,
    /// Negations: free on the wire.
    pub not: usize,
    /// Constants.
    pub constant: usize,
}

/// Counts gates.
#[derive(Debug, Default)]
pub struct Counter {
    /// The gates seen so far.
    pub counts: GateCounts,
}

impl Gates for Counter {
    type Wire = ();

    fn constant(&mut self, _bit: bool) {
        self.counts.constant += 1;
    }

    fn xor(&mut self, (): (), (): ()) {
        self.counts.xor += 1;
    }

    fn not(&mut self, (): ()) {
        self.counts.not += 1;
    }

    fn and(&mut self, (): (), (): ()) {
        self.counts.and += 1;
    }
}
