//! Random and chosen transfers: correlated rows, hashed so that both messages are independent.
//!
//! From rows `q_j = t_j ⊕ c_j Δ`, transfer j has the pads `m_0 = H(q_j, j)`, `m_1 = H(q_j ⊕ Δ, j)` for the
//! sender and `m_c = H(t_j, j)` for the receiver: a *random* transfer. H is TMMO (`hash`) under a
//! fresh random key, which the sender draws and sends, for each [`TRANSFERS_PER_KEY`] transfers; j counts
//! the transfers under one key. H being correlation robust, the other pad looks random to a receiver
//! that knows q_j or q_j ⊕ Δ (Guo, Katz, Wang, Yu 2020, section 7): about 128 − 20 bits of security.
//!
//! A *chosen* transfer of x_0, x_1 for a bit b, from a random one (Beaver 1995): the receiver sends
//! `d = b ⊕ c`, the sender `y_i = x_i ⊕ m_(i ⊕ d)`, and `y_b ⊕ m_c = x_b`. Everything but these is done
//! beforehand: online 1/8 byte up and 32 bytes down for each transfer.
//!
//! Semi-honest, as the extension. A random transfer serves once: it is used up.

use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::super::error::{GcError, expect_len};
use super::super::kernels::{Backend, Cipher};
use super::super::labels::{Delta, mask};
use super::super::transfer_messages::{
    ChoiceCorrections, ChosenMessages, PadKeys, TRANSFERS_PER_KEY, pad_keys,
};
use super::leaves::{PIECE, Piece};
use super::prepared::{PreparedReceives, PreparedSends};
use super::tile::zeros;
use crate::batch;

/// Random transfers of the sender: both pads of each.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RandomSends {
    /// m_0 and m_1 of each transfer.
    pads: Vec<u128>,
}

/// Random transfers of the receiver: its choices, and the pads these name.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RandomReceives {
    choices: Vec<bool>,
    pads: Vec<u128>,
}

/// The receiver between its corrections and the sender's messages.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PendingMessages {
    bits: Vec<bool>,
    pads: Vec<u128>,
}

/// Blocks in a piece.
const BLOCKS: usize = 4 * PIECE;
/// Transfers that a thread hashes at a time.
const PART: usize = 1 << 14;

impl PreparedSends {
    /// Hashes the rows, with Δ that of the extension. The keys go to the other party.
    pub fn into_random<R: CryptoRng>(self, delta: &Delta, rng: &mut R) -> (PadKeys, RandomSends) {
        let mut keys = vec![[0; 16]; pad_keys(self.rows.len())];
        keys.iter_mut().for_each(|key| rng.fill_bytes(key));
        let mut pads = zeros(2 * self.rows.len());
        let ciphers = ciphers(&keys);
        let parts = self.rows.chunks(PART).zip(pads.chunks_mut(2 * PART));
        let work = ciphers_of(&ciphers).zip(parts).collect();
        batch::map(work, |((cipher, j), (rows, pads))| {
            hash_both(cipher, j, rows, delta, pads);
        });
        let keys = keys.into_iter().map(u128::from_le_bytes).collect();
        (PadKeys { keys }, RandomSends { pads })
    }
}

impl PreparedReceives {
    /// Hashes the rows under the sender's keys.
    ///
    /// # Errors
    /// Keys for another number of transfers.
    pub fn into_random(mut self, keys: &PadKeys) -> Result<RandomReceives, GcError> {
        expect_len("pad keys", keys.keys.len(), pad_keys(self.rows.len()))?;
        let keys: Vec<_> = keys.keys.iter().map(|key| key.to_le_bytes()).collect();
        let ciphers = ciphers(&keys);
        let work = ciphers_of(&ciphers).zip(self.rows.chunks_mut(PART));
        batch::map(work.collect(), |((cipher, j), rows)| {
            let mut piece = Zeroizing::new(Piece::default());
            for (j, rows) in (j..).step_by(BLOCKS).zip(rows.chunks_mut(BLOCKS)) {
                load(&mut piece, rows);
                cipher.hash(j, &mut *piece);
                for (rows, quad) in rows.chunks_mut(4).zip(&*piece) {
                    let pairs = rows.iter_mut().zip(&quad.0);
                    pairs.for_each(|(to, pad)| *to = *pad);
                }
            }
        });
        Ok(RandomReceives {
            choices: std::mem::take(&mut self.choices),
            pads: std::mem::take(&mut self.rows),
        })
    }
}

impl RandomSends {
    /// Pads m_0 and m_1 of each transfer.
    pub fn pads(&self) -> &[[u128; 2]] {
        self.pads.as_chunks().0
    }

    /// Masks x_0 and x_1 of each transfer for the choices as corrected.
    ///
    /// # Errors
    /// Not one pair of messages and one correction for each transfer.
    pub fn transfer(
        mut self,
        messages: &[[u128; 2]],
        corrections: &ChoiceCorrections,
    ) -> Result<ChosenMessages, GcError> {
        let pads = self.pads.as_chunks_mut().0;
        expect_len("pairs of messages", messages.len(), pads.len())?;
        expect_len("choice corrections", corrections.bits.len(), pads.len())?;
        for ((x, m), &d) in messages.iter().zip(pads).zip(&corrections.bits) {
            let exchanged = mask(u128::from(d)) & (m[0] ^ m[1]);
            *m = [x[0] ^ m[0] ^ exchanged, x[1] ^ m[1] ^ exchanged];
        }
        let masked = std::mem::take(&mut self.pads);
        Ok(ChosenMessages { masked })
    }
}

impl RandomReceives {
    /// The choice c of each transfer.
    pub fn choices(&self) -> &[bool] {
        &self.choices
    }

    /// The pad m_c of each transfer.
    pub fn pads(&self) -> &[u128] {
        &self.pads
    }

    /// Turns the random choices into `bits`: `d = b ⊕ c`.
    ///
    /// # Errors
    /// Not one bit for each transfer.
    pub fn correct(
        mut self,
        bits: &[bool],
    ) -> Result<(ChoiceCorrections, PendingMessages), GcError> {
        expect_len("choice bits", bits.len(), self.choices.len())?;
        let corrected = bits.iter().zip(&self.choices).map(|(b, c)| b ^ c);
        let corrections = ChoiceCorrections {
            bits: corrected.collect(),
        };
        let pending = PendingMessages {
            bits: bits.to_vec(),
            pads: std::mem::take(&mut self.pads),
        };
        Ok((corrections, pending))
    }
}

impl PendingMessages {
    /// The message x_b of each transfer.
    ///
    /// # Errors
    /// Not two blocks for each transfer.
    pub fn receive(mut self, messages: &ChosenMessages) -> Result<Zeroizing<Vec<u128>>, GcError> {
        let expected = self.pads.len().saturating_mul(2);
        expect_len("masked messages", messages.masked.len(), expected)?;
        let pairs = messages.masked.as_chunks::<2>().0;
        for ((y, &b), m) in pairs.iter().zip(&self.bits).zip(&mut self.pads) {
            *m ^= y[0] ^ (mask(u128::from(b)) & (y[0] ^ y[1]));
        }
        Ok(Zeroizing::new(std::mem::take(&mut self.pads)))
    }
}

/// The ciphers of the keys.
fn ciphers(keys: &[[u8; 16]]) -> Vec<Cipher> {
    keys.iter()
        .map(|key| Cipher::new(Backend::fastest(), key))
        .collect()
}

/// For each part its cipher, and its first transfer's number under that key.
fn ciphers_of(ciphers: &[Cipher]) -> impl Iterator<Item = (&Cipher, u64)> {
    let numbers = || (0..TRANSFERS_PER_KEY as u64).step_by(PART);
    let of_key = move |cipher| numbers().map(move |j| (cipher, j));
    ciphers.iter().flat_map(of_key)
}

/// Both pads of each row, the first of which is transfer number j.
fn hash_both(cipher: &Cipher, j: u64, rows: &[u128], delta: &Delta, pads: &mut [u128]) {
    let mut pair = Zeroizing::new([Piece::default(); 2]);
    let pieces = rows.chunks(BLOCKS).zip(pads.chunks_mut(2 * BLOCKS));
    for (j, (rows, pads)) in (j..).step_by(BLOCKS).zip(pieces) {
        let [zero, one] = &mut *pair;
        load(zero, rows);
        for (one, zero) in one.iter_mut().zip(&*zero) {
            one.0 = zero.0.map(|block| block ^ delta.0);
        }
        cipher.hash(j, zero);
        cipher.hash(j, one);
        let quads = zero.iter().zip(&*one);
        for (pads, (zero, one)) in pads.chunks_mut(8).zip(quads) {
            let both = zero.0.iter().zip(&one.0);
            let both = both.flat_map(|(&zero, &one)| [zero, one]);
            pads.iter_mut().zip(both).for_each(|(to, pad)| *to = pad);
        }
    }
}

/// Copies up to a piece's blocks; what follows them is left as it was.
fn load(piece: &mut Piece, rows: &[u128]) {
    for (quad, rows) in piece.iter_mut().zip(rows.chunks(4)) {
        quad.0.iter_mut().zip(rows).for_each(|(to, row)| *to = *row);
    }
}
