//! Wire labels: 128-bit blocks, the offset Δ between the two labels of a wire, and where they come from.
//!
//! Free XOR (Kolesnikov, Schneider 2008): `W1 = W0 ⊕ Δ` on every wire. Point and permute: Δ has
//! lowest bit 1, so that the lowest bits of the two labels differ. Everything here is wiped on drop
//! and has no `Debug`.

use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::kernels::{Backend, Cipher, Quad};

/// The garbler's secret offset; lives for a session. The lowest bit is 1.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Delta(pub(super) u128);

impl Delta {
    /// A fresh offset.
    pub fn random<R: CryptoRng>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0; 16]);
        rng.fill_bytes(&mut *bytes);
        Self(u128::from_le_bytes(*bytes) | 1)
    }

    /// The same offset, for state that outlives a borrow. Not public: copies stay in this room.
    pub(super) const fn copy(&self) -> Self {
        Self(self.0)
    }
}

/// Labels in the order instance, bit. Wiped on drop.
#[derive(Default)]
pub(super) struct Blocks(pub(super) Vec<u128>);

impl ZeroizeOnDrop for Blocks {}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// Active labels of the evaluator's inputs, in the order instance, bit. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct EvaluatorLabels(pub(super) Vec<u128>);

/// A seed that stretches to any length: AES-128 in counter mode, `AES_k(iv ⊕ i)` for i = 0, 1, …, with the
/// seed's first half for k and its second half for iv. A fresh seed for each use keeps all streams
/// apart; with m blocks a stream differs from a random one by m² / 2^129 at most, AES being ideal.
pub(super) struct Stretch {
    cipher: Cipher,
    iv: u128,
    position: u64,
}

impl Drop for Stretch {
    fn drop(&mut self) {
        self.iv.zeroize();
    }
}

impl Stretch {
    pub(super) fn new(mut seed: [u8; 32]) -> Self {
        let mut halves: [[u8; 16]; 2] = bytemuck::must_cast(seed);
        let stretch = Self {
            cipher: Cipher::new(Backend::fastest(), &halves[0]),
            iv: u128::from_le_bytes(halves[1]),
            position: 0,
        };
        seed.zeroize();
        halves.zeroize();
        stretch
    }

    /// The same stream from block `start` on.
    pub(super) fn skip(mut self, start: u64) -> Self {
        self.position = start;
        self
    }

    /// Fills `quads` with the next blocks of the stream.
    pub(super) fn fill(&mut self, quads: &mut [Quad]) {
        self.fill_at(self.position, quads);
        self.position += 4 * quads.len() as u64;
    }

    /// Fills `quads` with the blocks of the stream from `position` on.
    pub(super) fn fill_at(&self, position: u64, quads: &mut [Quad]) {
        self.cipher.counter(self.iv, position, quads);
    }
}

/// All ones where the lowest bit is set, else zero.
pub(super) const fn mask(bit: u128) -> u128 {
    (bit & 1).wrapping_neg()
}
