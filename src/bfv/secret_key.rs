//! The secret key: ternary s, encryption with a seeded second half, decryption, measured noise.
//!
//! Encryption: (−a·s + e + round(q·m/p), a), a expanded from a seed. Decryption: round(p·x/q) of the
//! phase x = c0 + c1·s. Correct as long as the noise x − round(q·m/p) stays below q/(2p) in absolute
//! value. Only the holder of the key can measure that noise.

use rand::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use super::ciphertext::{Ciphertext, Reply, SeededCiphertext};
use super::error::BfvError;
use super::params::BfvParams;
use crate::ring::{Coefficient, Factor, Ntt, Poly, sampler};

/// The secret key. Wiped when dropped; prints nothing of itself.
pub struct SecretKey {
    params: BfvParams,
    /// s modulo q·P, transformed.
    s: Poly<Factor>,
}

/// What the holder of a secret key sees of a ciphertext's noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// log2 of the largest coefficient (minus infinity where all are zero).
    pub max_log2: f64,
    /// log2 of the standard deviation (the root of the mean square) over the coefficients.
    pub std_log2: f64,
    /// log2(q/(2p)) − `max_log2`: decryption is right while it is positive.
    pub budget_bits: f64,
}

/// What a secret key can decrypt.
pub trait Encrypted: sealed::Phase {}
impl Encrypted for Ciphertext {}
impl Encrypted for Reply {}

mod sealed {
    use super::{BfvParams, Coefficient, Factor, Poly};

    /// c0 + c1·s in coefficients.
    pub trait Phase {
        fn parameters(&self) -> &BfvParams;
        fn phase(&self, s: &Poly<Factor>) -> Poly<Coefficient>;
    }
}

impl sealed::Phase for Ciphertext {
    fn parameters(&self) -> &BfvParams {
        &self.params
    }

    fn phase(&self, s: &Poly<Factor>) -> Poly<Coefficient> {
        let basis = self.params.basis();
        let mut x = self.c0.clone();
        x.multiply_accumulate(basis, &self.c1, s);
        x.into_coefficients(basis)
    }
}

impl sealed::Phase for Reply {
    fn parameters(&self) -> &BfvParams {
        &self.params
    }

    fn phase(&self, s: &Poly<Factor>) -> Poly<Coefficient> {
        let basis = &self.params.level(self.c0.limbs()).basis;
        let c1 = self.c1.clone().into_ntt(basis);
        let mut x = c1.product(basis, s).into_coefficients(basis);
        x.add_assign(basis, &self.c0);
        x
    }
}

impl SecretKey {
    /// A fresh key.
    pub fn generate<R: CryptoRng + ?Sized>(params: &BfvParams, rng: &mut R) -> Self {
        let basis = params.key_basis();
        let coefficients = sampler::ternary(params.degree(), rng);
        Self {
            params: params.clone(),
            s: Poly::from_signed(basis, &coefficients)
                .into_ntt(basis)
                .into_factor(basis),
        }
    }

    /// The parameters.
    pub const fn params(&self) -> &BfvParams {
        &self.params
    }

    /// s modulo q·P; its first limbs are s modulo q.
    pub(super) const fn s(&self) -> &Poly<Factor> {
        &self.s
    }

    /// An encryption of `slots`.
    ///
    /// # Errors
    /// [`BfvError::SlotCount`] or [`BfvError::SlotValue`].
    pub fn encrypt<R: CryptoRng + ?Sized>(
        &self,
        slots: &[u64],
        rng: &mut R,
    ) -> Result<SeededCiphertext, BfvError> {
        let (basis, n) = (self.params.basis(), self.params.degree());
        let seed = sampler::seed(rng);
        let a: Poly<Ntt> = sampler::uniform(basis, &seed, 0);
        let mut message = Poly::from_signed(basis, &sampler::error(n, rng));
        self.params.add_scaled(&mut message, slots)?;
        let mut c0 = message.into_ntt(basis);
        c0.sub_assign(basis, &Zeroizing::new(a.product(basis, &self.s)));
        let params = self.params.clone();
        Ok(SeededCiphertext { params, c0, seed })
    }

    /// The slots of a ciphertext or reply.
    ///
    /// # Errors
    /// [`BfvError::ParamsMismatch`].
    pub fn decrypt<C: Encrypted>(&self, ciphertext: &C) -> Result<Vec<u64>, BfvError> {
        self.params.decode(self.decrypt_polynomial(ciphertext)?)
    }

    /// The plaintext polynomial of a ciphertext or reply, its slots not yet decoded.
    ///
    /// # Errors
    /// [`BfvError::ParamsMismatch`].
    pub fn decrypt_polynomial<C: Encrypted>(&self, ciphertext: &C) -> Result<Vec<u64>, BfvError> {
        self.params.same(ciphertext.parameters())?;
        let phase = Zeroizing::new(ciphertext.phase(&self.s));
        Ok(self.params.round_to_plaintext(&phase))
    }

    /// The noise of a ciphertext or reply that should decrypt to `slots`.
    ///
    /// # Errors
    /// [`BfvError::ParamsMismatch`], [`BfvError::SlotCount`] or [`BfvError::SlotValue`].
    pub fn noise<C: Encrypted>(&self, ciphertext: &C, slots: &[u64]) -> Result<Noise, BfvError> {
        self.params.same(ciphertext.parameters())?;
        let phase = Zeroizing::new(ciphertext.phase(&self.s));
        let basis = &self.params.level(phase.limbs()).basis;
        // −noise; the sign does not matter.
        let mut difference = Zeroizing::new(Poly::zero(self.params.degree(), phase.limbs()));
        self.params.add_scaled(&mut difference, slots)?;
        difference.sub_assign(basis, &phase);
        let (mut max, mut squares) = (0.0_f64, 0.0);
        for i in 0..self.params.degree() {
            let residue = |limb: &[u64]| limb.get(i).copied().unwrap_or_default();
            let mut x: Vec<u64> = difference.iter().map(residue).collect();
            let mut y: Vec<u64> = basis.moduli().zip(&x).map(|(q, &x)| q.neg(x)).collect();
            basis.mixed_radix(&mut x);
            basis.mixed_radix(&mut y);
            let size = basis.digits_to_f64(&x).min(basis.digits_to_f64(&y));
            max = max.max(size);
            squares += size * size;
        }
        let p_bits = (self.params.plaintext_modulus() as f64).log2();
        Ok(Noise {
            max_log2: max.log2(),
            std_log2: (squares / self.params.degree() as f64).log2() / 2.0,
            budget_bits: basis.log2() - p_bits - 1.0 - max.log2(),
        })
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.s.zeroize();
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretKey").finish_non_exhaustive()
    }
}
