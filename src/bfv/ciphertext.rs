//! Ciphertexts: the pair (c0, c1) with c0 + c1·s = round(q·m/p) + noise.
//!
//! A [`Ciphertext`] is transformed, over all limbs of q: what the server computes with. A
//! [`SeededCiphertext`] is a fresh one from the secret key's holder, its uniform c1 replaced by the
//! seed it is expanded from. A [`Reply`] is what goes back: in coefficients, over the first
//! `reply_limbs` limbs.

use super::params::BfvParams;
use crate::ring::sampler::{self, Seed};
use crate::ring::{Coefficient, Ntt, Poly};

/// A ciphertext to compute with.
#[derive(Debug, Clone)]
pub struct Ciphertext {
    pub(super) params: BfvParams,
    pub(super) c0: Poly<Ntt>,
    pub(super) c1: Poly<Ntt>,
}

/// A fresh ciphertext with a seed for its second half.
#[derive(Debug, Clone)]
pub struct SeededCiphertext {
    pub(super) params: BfvParams,
    pub(super) c0: Poly<Ntt>,
    pub(super) seed: Seed,
}

/// A ciphertext ready to be sent back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) params: BfvParams,
    pub(super) c0: Poly<Coefficient>,
    pub(super) c1: Poly<Coefficient>,
}

impl SeededCiphertext {
    /// The ciphertext, its second half expanded.
    pub fn expand(self) -> Ciphertext {
        let c1 = sampler::uniform(self.params.basis(), &self.seed, 0);
        Ciphertext {
            params: self.params,
            c0: self.c0,
            c1,
        }
    }
}

impl Ciphertext {
    /// An encryption of zeros without noise.
    pub fn zero(params: &BfvParams) -> Self {
        let zero = || Poly::zero(params.degree(), params.limbs());
        Self {
            params: params.clone(),
            c0: zero(),
            c1: zero(),
        }
    }

    /// A place for a result.
    pub(super) fn arbitrary(params: &BfvParams) -> Self {
        let any = || Poly::arbitrary(params.degree(), params.limbs());
        Self {
            params: params.clone(),
            c0: any(),
            c1: any(),
        }
    }

    /// The parameters.
    pub const fn params(&self) -> &BfvParams {
        &self.params
    }
}

impl Reply {
    /// The parameters.
    pub const fn params(&self) -> &BfvParams {
        &self.params
    }

    /// `ct` with its modulus switched down to the first `reply_limbs` limbs: each limb dropped
    /// divides by it, rounding to nearest.
    pub(super) fn from_ciphertext(ct: &Ciphertext) -> Self {
        let (params, limbs) = (&ct.params, ct.params.literal().reply_limbs);
        let switch = |poly: &Poly<Ntt>| {
            let start = poly.clone().into_coefficients(params.basis());
            (limbs..params.limbs()).rev().fold(start, |poly, kept| {
                params.level(kept + 1).basis.divide_by_last(&poly)
            })
        };
        Self {
            params: params.clone(),
            c0: switch(&ct.c0),
            c1: switch(&ct.c1),
        }
    }
}
