//! Slots to plaintext polynomials and back, and plaintexts into and out of ciphertext moduli.
//!
//! Slots are the values of a polynomial modulo p at its roots of unity, in the order of two rows
//! (`ops.rs`). A message m enters a ciphertext as round(q·m/p), off by at most 1/2: with
//! h = ⌊p/2⌋ and t = (q·m + h) mod p it is (h − t)/p modulo each limb. It comes out as
//! round(p·x/q) mod p, exactly: with z = (p·x + ⌊q/2⌋) mod q as an integer, it is
//! (⌊q/2⌋ − z)/q modulo p.

use super::error::BfvError;
use super::params::{BfvParams, Level};
use crate::ring::{Coefficient, Factor, Modulus, Poly, pointwise};

/// Slots encoded for multiplication: the centred plaintext polynomial modulo q, transformed.
#[derive(Clone, PartialEq, Eq)]
pub struct Plaintext(pub(super) Poly<Factor>);

impl BfvParams {
    /// The coefficients, in `0..p`, of the polynomial that holds `slots`.
    ///
    /// # Errors
    /// [`BfvError::SlotCount`] or [`BfvError::SlotValue`].
    pub fn encode(&self, slots: &[u64]) -> Result<Vec<u64>, BfvError> {
        let (n, p) = (self.degree(), self.plaintext_modulus());
        if slots.len() != n {
            let actual = slots.len();
            return Err(BfvError::SlotCount {
                expected: n,
                actual,
            });
        }
        let mut polynomial = vec![0; n];
        for (slot, (&value, &position)) in slots.iter().zip(self.positions()).enumerate() {
            if value >= p {
                return Err(BfvError::SlotValue { slot, value, p });
            }
            if let Some(at) = polynomial.get_mut(position as usize) {
                *at = value;
            }
        }
        self.plaintext_plan().inverse(&mut polynomial);
        Ok(polynomial)
    }

    /// The slots of a polynomial with coefficients in `0..p`.
    ///
    /// # Errors
    /// [`BfvError::SlotCount`] or [`BfvError::SlotValue`].
    pub fn decode(&self, mut polynomial: Vec<u64>) -> Result<Vec<u64>, BfvError> {
        let (n, p) = (self.degree(), self.plaintext_modulus());
        if polynomial.len() != n {
            let actual = polynomial.len();
            return Err(BfvError::SlotCount {
                expected: n,
                actual,
            });
        }
        if let Some(slot) = polynomial.iter().position(|&x| x >= p) {
            let value = polynomial.get(slot).copied().unwrap_or_default();
            return Err(BfvError::SlotValue { slot, value, p });
        }
        self.plaintext_plan().forward(&mut polynomial);
        let mut slots = vec![0; n];
        pointwise::gather(self.positions(), &polynomial, &mut slots);
        Ok(slots)
    }

    /// Slots encoded for multiplication with ciphertexts.
    pub(super) fn encode_factor(&self, slots: &[u64]) -> Result<Plaintext, BfvError> {
        let (polynomial, basis) = (self.encode(slots)?, self.basis());
        let mut factor = Poly::<Coefficient>::zero(self.degree(), basis.limbs());
        let p = self.plaintext_plan().modulus();
        for (q, limb) in basis.moduli().zip(factor.iter_mut()) {
            pointwise::lift_centred(p, q, &polynomial, limb);
        }
        Ok(Plaintext(factor.into_ntt(basis).into_factor(basis)))
    }

    /// poly += round(q'·m/p), q' the modulus of poly's limbs, m the polynomial that holds `slots`.
    pub(super) fn add_scaled(
        &self,
        poly: &mut Poly<Coefficient>,
        slots: &[u64],
    ) -> Result<(), BfvError> {
        let (mut message, level) = (self.encode(slots)?, self.level(poly.limbs()));
        let p = self.plaintext_plan().modulus();
        // t = (q'·m + h) mod p, as an integer in 0..p.
        for m in &mut message {
            *m = p.add(p.mul_constant(level.q_mod_p, *m), p.half());
        }
        for ((q, limb), constants) in level.basis.moduli().zip(poly.iter_mut()).zip(&level.limbs) {
            let half = q.reduce(p.half());
            for (x, &t) in limb.iter_mut().zip(&message) {
                let scaled = q.mul_constant(constants.p_inverse, q.sub(half, q.reduce(t)));
                *x = q.add(*x, scaled);
            }
        }
        Ok(())
    }

    /// round(p·x/q') mod p for every coefficient of `phase`, q' the modulus of its limbs.
    pub(super) fn round_to_plaintext(&self, phase: &Poly<Coefficient>) -> Vec<u64> {
        let (level, p) = (self.level(phase.limbs()), self.plaintext_plan().modulus());
        let moduli: Vec<Modulus> = level.basis.moduli().collect();
        let limbs: Vec<&[u64]> = phase.iter().collect();
        let mut residues = vec![0; limbs.len()];
        (0..self.degree())
            .map(|i| {
                for (((z, x), &q), c) in residues
                    .iter_mut()
                    .zip(&limbs)
                    .zip(&moduli)
                    .zip(&level.limbs)
                {
                    let x = x.get(i).copied().unwrap_or_default();
                    *z = q.add(q.mul_constant(c.p, x), c.half);
                }
                round_one(level, p, &mut residues)
            })
            .collect()
    }
}

/// (⌊q/2⌋ − z)/q mod p for the integer z with the given residues.
fn round_one(level: &Level, p: Modulus, residues: &mut [u64]) -> u64 {
    level.basis.mixed_radix(residues);
    let z = level.basis.digits_modulo(residues, p);
    p.mul_constant(level.q_inverse, p.sub(level.half_mod_p, z))
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
