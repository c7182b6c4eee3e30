//! Wire labels: 128-bit blocks, the offset Δ between the two labels of a wire, and where they come from.
//!
//! Free XOR (Kolesnikov, Schneider 2008): `W1 = W0 ⊕ Δ` on every wire. Point and permute: Δ has
//! lowest bit 1, so that the lowest bits of the two labels differ. Everything here is wiped on drop
//! and has no `Debug`.

use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

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
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub(super) struct Blocks(pub(super) Vec<u128>);

/// Active labels of the evaluator's inputs, in the order instance, bit. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct EvaluatorLabels(pub(super) Vec<u128>);

/// A seed that stretches to any length: blake3 in keyed mode as an extendable output.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Stretch {
    seed: [u8; 32],
    position: u64,
}

impl Stretch {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed, position: 0 }
    }

    pub(super) fn random<R: CryptoRng>(rng: &mut R) -> Self {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Self::new(seed)
    }

    /// The next `count` blocks of the stream.
    pub(super) fn blocks(&mut self, count: usize) -> Blocks {
        let mut bytes = Zeroizing::new(vec![0; 16 * count]);
        let mut stream = blake3::Hasher::new_keyed(&self.seed).finalize_xof();
        stream.set_position(self.position);
        stream.fill(&mut bytes);
        self.position += bytes.len() as u64;
        Blocks(
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|&b| u128::from_le_bytes(b))
                .collect(),
        )
    }
}

/// All ones where the lowest bit is set, else zero.
pub(super) const fn mask(bit: u128) -> u128 {
    (bit & 1).wrapping_neg()
}
