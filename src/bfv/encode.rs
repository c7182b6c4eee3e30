//! Slots to plaintext polynomials and back, and plaintexts into and out of ciphertext moduli.
//!
//! Slots are the values of a polynomial modulo p at its roots of unity, in the order of two rows
//! (`ops.rs`). A message m enters a ciphertext as round(q·m/p), off by at most 1/2, and comes out as
//! round(p·x/q) mod p, exactly (`Rounding`).

use zeroize::{Zeroize, Zeroizing};

use super::error::BfvError;
use super::params::BfvParams;
use crate::ring::{Coefficient, Factor, Poly, Residues, bits, pointwise};

/// Slots encoded for multiplication: the centred plaintext polynomial modulo q, transformed.
#[derive(Clone, PartialEq, Eq)]
pub struct Plaintext(pub(super) Poly<Factor>);

impl Zeroize for Plaintext {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl BfvParams {
    /// The coefficients, in `0..p`, of the polynomial that holds `slots`.
    ///
    /// # Errors
    /// [`BfvError::SlotCount`] or [`BfvError::SlotValue`].
    pub fn encode(&self, slots: &[u64]) -> Result<Vec<u64>, BfvError> {
        self.check_residues(slots)?;
        let mut polynomial: Vec<u64> = gathered(self.slots_at(), slots).collect();
        self.plaintext_plan().inverse(&mut polynomial);
        Ok(polynomial)
    }

    /// The slots of a polynomial with coefficients in `0..p`.
    ///
    /// # Errors
    /// [`BfvError::SlotCount`] or [`BfvError::SlotValue`].
    pub fn decode(&self, mut polynomial: Vec<u64>) -> Result<Vec<u64>, BfvError> {
        self.check_residues(&polynomial)?;
        Ok(self.evaluate(&mut polynomial))
    }

    /// Encodes into n words.
    fn interpolate(&self, slots: &[u64], polynomial: &mut [u64]) -> Result<(), BfvError> {
        self.check_residues(slots)?;
        for (at, value) in polynomial.iter_mut().zip(gathered(self.slots_at(), slots)) {
            *at = value;
        }
        self.plaintext_plan().inverse(polynomial);
        Ok(())
    }

    /// The slots of a polynomial whose coefficients are known to be in `0..p`; it is used up.
    pub(super) fn evaluate(&self, polynomial: &mut [u64]) -> Vec<u64> {
        self.plaintext_plan().forward(polynomial);
        gathered(self.positions(), polynomial).collect()
    }

    /// Refuses anything but n residues modulo p; where all are, no branch depends on one.
    fn check_residues(&self, values: &[u64]) -> Result<(), BfvError> {
        let (n, p) = (self.degree(), self.plaintext_plan().modulus());
        if values.len() != n {
            return Err(BfvError::SlotCount {
                expected: n,
                actual: values.len(),
            });
        }
        if bits::in_range(p, values) {
            return Ok(());
        }
        let p = p.value();
        let offender = (0..).zip(values).find(|&(_, &x)| x >= p);
        let (slot, &value) = offender.unwrap_or((0, &p));
        Err(BfvError::SlotValue { slot, value, p })
    }

    /// Slots encoded for multiplication with ciphertexts.
    pub(super) fn encode_factor(&self, slots: &[u64]) -> Result<Plaintext, BfvError> {
        let (n, basis) = (self.degree(), self.basis());
        let mut polynomial = Residues::arbitrary(n);
        self.interpolate(slots, &mut polynomial)?;
        let mut factor = Poly::<Coefficient>::arbitrary(n, basis.limbs());
        let p = self.plaintext_plan().modulus();
        for (q, limb) in basis.moduli().zip(factor.iter_mut()) {
            pointwise::lift_centred(p, q, &polynomial, limb);
        }
        Ok(Plaintext(factor.into_ntt(basis).into_factor(basis)))
    }

    /// Slots encoded for multiplication in digits of `bits` bits, the least first: centred digits of the
    /// centred coefficients, Σ_j 2^(bits·j)·d_j; the last one takes what is left.
    pub(super) fn encode_digits(
        &self,
        slots: &[u64],
        bits: u32,
        count: usize,
    ) -> Result<Vec<Plaintext>, BfvError> {
        let (n, basis) = (self.degree(), self.basis());
        let p = self.plaintext_plan().modulus();
        let mut polynomial = Residues::arbitrary(n);
        self.interpolate(slots, &mut polynomial)?;
        let value = p.value().cast_signed();
        let centred = |&x: &u64| match x.cast_signed() {
            x if 2 * i128::from(x) > i128::from(value) => x - value,
            x => x,
        };
        let mut rest: Vec<i64> = polynomial.iter().map(centred).collect();
        let half = 1_i64 << (bits - 1).min(62);
        (1..=count)
            .map(|digit| {
                for (rest, residue) in rest.iter_mut().zip(polynomial.iter_mut()) {
                    let next = if digit == count {
                        0
                    } else {
                        (*rest + half) >> bits
                    };
                    let digit = *rest - (next << bits);
                    *residue = digit.rem_euclid(value).cast_unsigned();
                    *rest = next;
                }
                let mut factor = Poly::<Coefficient>::arbitrary(n, basis.limbs());
                for (q, limb) in basis.moduli().zip(factor.iter_mut()) {
                    pointwise::lift_centred(p, q, &polynomial, limb);
                }
                Ok(Plaintext(factor.into_ntt(basis).into_factor(basis)))
            })
            .collect()
    }

    /// poly += round(q'·m/p), q' the modulus of poly's limbs, m the polynomial that holds `slots`.
    pub(super) fn add_scaled(
        &self,
        poly: &mut Poly<Coefficient>,
        slots: &[u64],
    ) -> Result<(), BfvError> {
        let mut message = Zeroizing::new(Residues::arbitrary(self.degree()));
        self.interpolate(slots, &mut message)?;
        let level = self.level(poly.limbs());
        level.rounding.add_scaled(poly, &mut message);
        Ok(())
    }

    /// m = round(p·x/q') mod p for every coefficient x of `phase`, q' the modulus of its limbs; the
    /// phase is used up.
    pub(super) fn round_to_plaintext(&self, phase: &mut Poly<Coefficient>, m: &mut [u64]) {
        self.level(phase.limbs()).rounding.round(phase, m);
    }
}

/// `x[i]` for each of the indices, all of which exist.
fn gathered(indices: &[u32], x: &[u64]) -> impl ExactSizeIterator<Item = u64> {
    let at = |&index: &u32| x.get(index as usize).copied().unwrap_or_default();
    indices.iter().map(at)
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
