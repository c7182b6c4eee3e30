//! What a linear layer may do with ciphertexts, as one trait, and the names of all costed operations.
//!
//! [`HeOps`] is the set of operations that a packing plan is made of. The same plan runs over real
//! BFV ciphertexts, over plain slots, and over a counter, so its counts cannot drift from what runs.
//! [`HeOp`] names every operation that is measured, counted and priced.
//!
//! Slots are two rows of n/2. Slot `i` stands in row `i / (n/2)`, column `i % (n/2)`.

use std::fmt;
use std::ops::{Add, AddAssign, Index, IndexMut, Mul};

use serde::{Deserialize, Serialize};

/// A rotation of the slots: each row to the left by `step`, then the two rows exchanged if `swap`.
///
/// After it, slot (row, column) holds what stood at (row ⊕ swap, column + step mod n/2). It is one
/// Galois automorphism and costs one key switch whether or not it swaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rotation {
    /// How far each row moves to the left, in `0..n/2`.
    pub step: usize,
    /// Whether the two rows are exchanged.
    pub swap: bool,
}

impl Rotation {
    /// A rotation of both rows to the left by `step`.
    pub const fn rows(step: usize) -> Self {
        Self { step, swap: false }
    }

    /// Whether nothing moves.
    pub const fn is_identity(self) -> bool {
        self.step == 0 && !self.swap
    }

    /// This rotation and another, in any order, where a row has `columns` slots.
    pub const fn then(self, other: Self, columns: usize) -> Self {
        Self {
            step: (self.step + other.step) % columns,
            swap: self.swap != other.swap,
        }
    }

    /// The rotation that undoes this one. A step beyond the row stays beyond it.
    pub const fn inverse(self, columns: usize) -> Self {
        Self {
            step: if self.step < columns {
                (columns - self.step) % columns
            } else {
                self.step
            },
            swap: self.swap,
        }
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.step, if self.swap { "+swap" } else { "" })
    }
}

/// Sums of products over the same ciphertexts.
pub struct Lane<'a, C> {
    /// What is multiplied.
    pub operands: Vec<&'a C>,
    /// The sums, as far as they have begun.
    pub sums: Vec<Option<C>>,
}

impl<'a, C> Lane<'a, C> {
    /// So many sums that have not begun.
    pub fn of(operands: Vec<&'a C>, sums: usize) -> Self {
        let sums = (0..sums).map(|_| None).collect();
        Self { operands, sums }
    }
}

/// The operations on packed ciphertexts that a linear layer is built from.
///
/// Methods take `&self`: an implementation that counts or tracks uses interior mutability.
pub trait HeOps {
    /// A ciphertext over all slots.
    type Ciphertext: Clone;
    /// An encoded vector of slots, ready to be multiplied.
    type Plaintext;
    /// A ciphertext decomposed once, to be rotated many times (hoisting).
    type Decomposed;
    /// Why an operation was refused (for instance a missing Galois key).
    type Error;

    /// Number of slots n.
    fn slots(&self) -> usize;
    /// Encodes `slots` (length n, values in `0..p`) for multiplication.
    fn encode(&self, slots: &[u64]) -> Result<Self::Plaintext, Self::Error>;
    /// `acc += other`.
    fn add(&self, acc: &mut Self::Ciphertext, other: &Self::Ciphertext);
    /// The slot-wise product of a ciphertext and an encoded vector.
    fn hadamard(&self, ct: &Self::Ciphertext, pt: &Self::Plaintext) -> Self::Ciphertext;
    /// `acc += ct ⊙ pt`.
    fn multiply_accumulate(
        &self,
        acc: &mut Self::Ciphertext,
        ct: &Self::Ciphertext,
        pt: &Self::Plaintext,
    );
    /// `sum += ct ⊙ pt`; where there is no sum yet this begins it, so that no encryption of zero is needed.
    fn accumulate(
        &self,
        sum: &mut Option<Self::Ciphertext>,
        ct: &Self::Ciphertext,
        pt: &Self::Plaintext,
    ) {
        match sum {
            Some(sum) => self.multiply_accumulate(sum, ct, pt),
            None => *sum = Some(self.hadamard(ct, pt)),
        }
    }
    /// Whether sums of so many products that share their ciphertexts are better made at once, by
    /// [`HeOps::add_inner_products`], than product by product.
    fn are_better_at_once(&self, _products: usize) -> bool {
        false
    }
    /// Adds to sum k of every lane, where there is none yet begins it with, Σ_i operands\[i\] ⊙ weights\[k·I + i\] of I
    /// operands. The lanes have equally many operands and sums, and share the weights.
    ///
    /// # Panics
    /// If a lane has fewer operands or sums than the first one.
    fn add_inner_products(
        &self,
        lanes: &mut [Lane<'_, Self::Ciphertext>],
        weights: &[&Self::Plaintext],
    ) {
        for Lane { operands, sums } in lanes {
            for (sum, weights) in sums.iter_mut().zip(weights.chunks(operands.len().max(1))) {
                for (ct, pt) in operands.iter().zip(weights) {
                    self.accumulate(sum, ct, pt);
                }
            }
        }
    }
    /// The ciphertext rotated, by a key switch of its own.
    fn rotate(
        &self,
        ct: &Self::Ciphertext,
        rotation: Rotation,
    ) -> Result<Self::Ciphertext, Self::Error>;
    /// Splits a ciphertext for many rotations of it.
    fn decompose(&self, ct: &Self::Ciphertext) -> Self::Decomposed;
    /// The ciphertext rotated, reusing its decomposition. The identity costs nothing.
    fn rotate_decomposed(
        &self,
        decomposed: &Self::Decomposed,
        rotation: Rotation,
    ) -> Result<Self::Ciphertext, Self::Error>;
}

/// Every BFV operation that calibration measures and prediction prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeOp {
    /// Ciphertext plus ciphertext, in place.
    Add,
    /// Ciphertext times encoded plaintext, slot by slot.
    Hadamard,
    /// Accumulator plus ciphertext times encoded plaintext.
    MultiplyAccumulate,
    /// Ciphertext plus slots in the clear, encoding included.
    AddPlain,
    /// Rotation with its own key switch, NTT form in and out.
    Rotate,
    /// Decomposition for hoisting.
    Decompose,
    /// One rotation of a decomposed ciphertext.
    HoistedRotate,
    /// Slots to an encoded plaintext ready for multiplication (NTT form over q).
    Encode,
    /// Plaintext polynomial to slots.
    Decode,
    /// Encryption of slots under the secret key, second half a seed.
    EncryptSecret,
    /// Expansion of a seeded ciphertext to its two halves in NTT form.
    Expand,
    /// Encryption of slots under the public key.
    EncryptPublic,
    /// Flooded public-key encryption of a mask added to a reply.
    Rerandomize,
    /// Decryption of a reply to slots, decoding included.
    Decrypt,
    /// Reply brought down to fewer limbs.
    ModSwitch,
    /// Generation of the Galois key of one rotation.
    GaloisKey,
    /// Generation of the public key.
    PublicKey,
    /// One Galois key read and its seeded half expanded.
    LoadKey,
}

impl HeOp {
    /// All operations, in the order of the profile.
    pub const ALL: [Self; 18] = [
        Self::Add,
        Self::Hadamard,
        Self::MultiplyAccumulate,
        Self::AddPlain,
        Self::Rotate,
        Self::Decompose,
        Self::HoistedRotate,
        Self::Encode,
        Self::Decode,
        Self::EncryptSecret,
        Self::Expand,
        Self::EncryptPublic,
        Self::Rerandomize,
        Self::Decrypt,
        Self::ModSwitch,
        Self::GaloisKey,
        Self::PublicKey,
        Self::LoadKey,
    ];

    /// The name used in profiles, tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Hadamard => "hadamard",
            Self::MultiplyAccumulate => "multiply_accumulate",
            Self::AddPlain => "add_plain",
            Self::Rotate => "rotate",
            Self::Decompose => "decompose",
            Self::HoistedRotate => "hoisted_rotate",
            Self::Encode => "encode",
            Self::Decode => "decode",
            Self::EncryptSecret => "encrypt_secret",
            Self::Expand => "expand",
            Self::EncryptPublic => "encrypt_public",
            Self::Rerandomize => "rerandomize",
            Self::Decrypt => "decrypt",
            Self::ModSwitch => "mod_switch",
            Self::GaloisKey => "galois_key",
            Self::PublicKey => "public_key",
            Self::LoadKey => "load_key",
        }
    }
}

/// How often each BFV operation happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpCounts([u64; HeOp::ALL.len()]);

impl OpCounts {
    /// The operations that happen at least once, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (HeOp, u64)> + '_ {
        HeOp::ALL
            .into_iter()
            .map(|op| (op, self[op]))
            .filter(|&(_, count)| count > 0)
    }
}

impl Index<HeOp> for OpCounts {
    type Output = u64;
    fn index(&self, op: HeOp) -> &u64 {
        &self.0[op as usize]
    }
}

impl IndexMut<HeOp> for OpCounts {
    fn index_mut(&mut self, op: HeOp) -> &mut u64 {
        &mut self.0[op as usize]
    }
}

impl FromIterator<(HeOp, u64)> for OpCounts {
    fn from_iter<I: IntoIterator<Item = (HeOp, u64)>>(counts: I) -> Self {
        let mut all = Self::default();
        for (op, count) in counts {
            all[op] += count;
        }
        all
    }
}

impl Add for OpCounts {
    type Output = Self;
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl AddAssign for OpCounts {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

impl Mul<u64> for OpCounts {
    type Output = Self;
    fn mul(self, factor: u64) -> Self {
        Self(self.0.map(|count| count * factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_operation_at_its_index() {
        for (index, op) in HeOp::ALL.into_iter().enumerate() {
            assert_eq!(op as usize, index);
        }
    }

    #[test]
    fn counts_add_and_scale() {
        let counts: OpCounts = [(HeOp::Add, 2), (HeOp::Rotate, 1)].into_iter().collect();
        let total = (counts + counts) * 3;
        assert_eq!(
            total.iter().collect::<Vec<_>>(),
            vec![(HeOp::Add, 12), (HeOp::Rotate, 6)]
        );
    }
}
