//! The public key (b, a) with b = −a·s + e, and encryption under it.
//!
//! Encryption: (b·u + e0 + round(q·m/p), a·u + e1), u ternary, e0 and e1 errors. For a reply e0 gets
//! flooding noise on top, uniform in ±2^`flooding_log2`, which hides what the ciphertext it is added
//! to was computed from.

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::ciphertext::Ciphertext;
use super::error::BfvError;
use super::params::BfvParams;
use super::secret_key::SecretKey;
use crate::ring::sampler::{self, Seed};
use crate::ring::{Factor, Poly};

/// A public key; a is expanded from a seed.
#[derive(Debug, Clone)]
pub struct PublicKey {
    pub(super) params: BfvParams,
    pub(super) b: Poly<Factor>,
    pub(super) seed: Seed,
    a: Poly<Factor>,
}

impl PublicKey {
    /// The public key of a secret key.
    pub fn generate<R: CryptoRng + ?Sized>(secret: &SecretKey, rng: &mut R) -> Self {
        let (params, basis) = (secret.params(), secret.params().basis());
        let seed = sampler::seed(rng);
        let a: Poly<Factor> = sampler::uniform(basis, &seed, 0);
        let error = Poly::from_signed(basis, &sampler::error(params.degree(), rng));
        let mut b = error.into_ntt(basis).into_factor(basis);
        b.sub_assign(basis, &Zeroizing::new(a.product(basis, secret.s())));
        let params = params.clone();
        Self { params, b, seed, a }
    }

    /// The key with the given halves.
    pub(super) fn from_parts(params: BfvParams, b: Poly<Factor>, seed: Seed) -> Self {
        let a = sampler::uniform(params.basis(), &seed, 0);
        Self { params, b, seed, a }
    }

    /// The parameters.
    pub const fn params(&self) -> &BfvParams {
        &self.params
    }

    /// An encryption of `slots`.
    ///
    /// # Errors
    /// [`BfvError::SlotCount`] or [`BfvError::SlotValue`].
    pub fn encrypt<R: CryptoRng + ?Sized>(
        &self,
        slots: &[u64],
        rng: &mut R,
    ) -> Result<Ciphertext, BfvError> {
        self.encrypt_flooded(slots, None, rng)
    }

    /// An encryption of `slots`, e0 flooded by noise uniform in ±2^`flooding_log2`.
    pub(super) fn encrypt_flooded<R: CryptoRng + ?Sized>(
        &self,
        slots: &[u64],
        flooding_log2: Option<u32>,
        rng: &mut R,
    ) -> Result<Ciphertext, BfvError> {
        let (basis, n) = (self.params.basis(), self.params.degree());
        let u = Poly::from_signed(basis, &sampler::ternary(n, rng)).into_ntt(basis);
        let u = Zeroizing::new(u);
        let mut e0 = Poly::from_signed(basis, &sampler::error(n, rng));
        if let Some(k) = flooding_log2 {
            let noise = Zeroizing::new(sampler::flooding(basis, k, rng));
            e0.add_assign(basis, &noise);
        }
        self.params.add_scaled(&mut e0, slots)?;
        let mut c0 = e0.into_ntt(basis);
        c0.multiply_accumulate(basis, &u, &self.b);
        let mut c1 = Poly::from_signed(basis, &sampler::error(n, rng)).into_ntt(basis);
        c1.multiply_accumulate(basis, &u, &self.a);
        let params = self.params.clone();
        Ok(Ciphertext { params, c0, c1 })
    }
}
