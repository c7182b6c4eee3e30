//! Shares as bits: what each party feeds into a circuit, and what it reads off.
//!
//! Constants are added here, in the clear, where they cost no gate: the garbler feeds
//! `((a + h) mod p_in) + 2^w − p_in` and `((−r − offset) mod p_out) + 2^w' − p_out` (header of
//! `circuits`; Gazelle's without the powers of two; an argmax's mask as it is); the evaluator feeds b as it is. Shares that are not below their modulus are refused.

use super::circuits::{ShareCircuit, ShareFunction, width};
use super::error::{GcError, expect_len};

impl ShareCircuit {
    /// The garbler's input bits for a batch, in the order instance, bit.
    pub(super) fn garbler_bits(
        &self,
        shares: &[u64],
        masks: &[u64],
        batch: usize,
    ) -> Result<Vec<bool>, GcError> {
        self.check_shares("garbler's shares", shares, batch)?;
        self.check_masks(masks, batch)?;
        let (p, p_out) = (self.p_in, self.p_out);
        let offset = (-self.offset()).rem_euclid(i128::from(p_out)) as u64;
        // Of a sum below twice the modulus.
        let reduced = |sum: u64, modulus: u64| sum.min(sum.wrapping_sub(modulus));
        let mut bits = Vec::with_capacity(batch * self.garbler_input_bits());
        for (shares, &r) in shares.chunks(self.window()).zip(masks) {
            for &a in shares {
                let shifted = reduced(a + p / 2, p);
                split(&mut bits, shifted + self.headroom(p), width(p));
            }
            if self.is_shared_by_xor() {
                split(&mut bits, r, self.output_bits());
            } else {
                let mask = reduced(offset + (p_out - r), p_out);
                split(&mut bits, mask + self.headroom(p_out), width(p_out));
            }
        }
        Ok(bits)
    }

    /// `2^w − p`, which the circuits but Gazelle's want added: their sums then carry where they pass p.
    const fn headroom(&self, p: u64) -> u64 {
        match self.function {
            ShareFunction::Gazelle { .. } => 0,
            _ => (1 << width(p)) - p,
        }
    }

    /// Whether the garbler's mask is added bit by bit: to an argmax's output.
    const fn is_shared_by_xor(&self) -> bool {
        matches!(self.function, ShareFunction::Argmax { .. })
    }

    /// The evaluator's input bits for a batch, in the order instance, bit: what it chooses by transfer.
    ///
    /// # Errors
    /// A wrong number of shares, or a share not below p_in.
    pub fn evaluator_bits(&self, shares: &[u64], batch: usize) -> Result<Vec<bool>, GcError> {
        self.check_shares("evaluator's shares", shares, batch)?;
        let mut bits = Vec::with_capacity(batch * self.evaluator_input_bits());
        for &b in shares {
            split(&mut bits, b, width(self.p_in));
        }
        Ok(bits)
    }

    pub(super) fn check_shares(
        &self,
        what: &'static str,
        s: &[u64],
        batch: usize,
    ) -> Result<(), GcError> {
        expect_len(what, s.len(), batch.saturating_mul(self.window()))?;
        below(s, self.p_in)
    }

    pub(super) fn check_masks(&self, masks: &[u64], batch: usize) -> Result<(), GcError> {
        expect_len("masks", masks.len(), batch)?;
        below(masks, self.p_out)
    }
}

fn below(shares: &[u64], modulus: u64) -> Result<(), GcError> {
    match shares.iter().position(|&share| share >= modulus) {
        Some(index) => Err(GcError::Share { index, modulus }),
        None => Ok(()),
    }
}

/// Appends the `len` lowest bits of `value`, lowest first.
fn split(bits: &mut Vec<bool>, value: u64, len: usize) {
    bits.extend((0..len).map(|i| (value >> i) & 1 == 1));
}

/// The number whose bits these are, lowest first.
pub(super) fn join(bits: impl IntoIterator<Item = bool>) -> u64 {
    bits.into_iter()
        .enumerate()
        .fold(0, |sum, (i, bit)| sum | u64::from(bit) << i)
}
