//! Galois keys, and the key switch of a rotation.
//!
//! The rotation is the automorphism σ: x → x^g. Switching happens *before* it: the key of σ holds,
//! for every limb i of q (one digit a limb, hybrid with one special prime P), an encryption
//! (−a_i·σ⁻¹(s) + e_i + P·g_i·s, a_i) modulo q·P, where g_i is 1 modulo q_i and 0 modulo the other
//! limbs. With d_i the centred residue of c1 modulo q_i, Σd_i·g_i = c1 mod q, so that
//! Σd_i·key_i, divided by P with rounding, turns c1·s into a ciphertext under σ⁻¹(s); σ then brings
//! it back under s. The digits do not depend on σ, so one decomposition serves many rotations
//! (hoisting; Halevi and Shoup, "Faster homomorphic linear transformations in HElib", 2018), and only
//! two polynomials are permuted.

use std::collections::BTreeMap;

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::ciphertext::Ciphertext;
use super::error::BfvError;
use super::ops::Rotation;
use super::params::BfvParams;
use super::secret_key::SecretKey;
use crate::ring::sampler::{self, Seed};
use crate::ring::{Ntt, Poly, automorphism, pointwise};

/// The keys of a set of rotations.
#[derive(Debug, Clone)]
pub struct GaloisKeys {
    pub(super) params: BfvParams,
    pub(super) keys: BTreeMap<Rotation, GaloisKey>,
}

/// The key of one rotation: for each limb of q one pair (b, a) modulo q·P.
#[derive(Debug, Clone)]
pub(super) struct GaloisKey {
    pub(super) seed: Seed,
    pub(super) b: Vec<Poly<Ntt>>,
    a: Vec<Poly<Ntt>>,
    /// Where σ takes each transformed value from.
    permutation: Vec<u32>,
}

/// A ciphertext with the digits of its second half, ready for many rotations.
#[derive(Debug, Clone)]
pub struct Decomposed {
    pub(super) ct: Ciphertext,
    digits: Vec<Poly<Ntt>>,
}

impl GaloisKeys {
    /// Keys for `rotations`; the identity needs none, repetitions are made once.
    ///
    /// # Errors
    /// [`BfvError::Rotation`] if a step is not below n/2.
    pub fn generate<R: CryptoRng + ?Sized>(
        secret: &SecretKey,
        rotations: &[Rotation],
        rng: &mut R,
    ) -> Result<Self, BfvError> {
        let mut keys = BTreeMap::new();
        for &rotation in rotations {
            if !rotation.is_identity() && !keys.contains_key(&rotation) {
                keys.insert(rotation, GaloisKey::generate(secret, rotation, rng)?);
            }
        }
        let params = secret.params().clone();
        Ok(Self { params, keys })
    }

    /// The parameters.
    pub const fn params(&self) -> &BfvParams {
        &self.params
    }

    /// The rotations that there are keys for.
    pub fn rotations(&self) -> impl ExactSizeIterator<Item = Rotation> + '_ {
        self.keys.keys().copied()
    }

    /// The ciphertext rotated.
    pub(super) fn rotate(
        &self,
        decomposed: &Decomposed,
        rotation: Rotation,
    ) -> Result<Ciphertext, BfvError> {
        if rotation.is_identity() {
            return Ok(decomposed.ct.clone());
        }
        let key = self
            .keys
            .get(&rotation)
            .ok_or(BfvError::MissingKey(rotation))?;
        let mut c0 = self.switch(&decomposed.digits, &key.b);
        c0.add_assign(self.params.basis(), &decomposed.ct.c0);
        let c1 = self.switch(&decomposed.digits, &key.a);
        Ok(Ciphertext {
            params: self.params.clone(),
            c0: c0.permuted(&key.permutation),
            c1: c1.permuted(&key.permutation),
        })
    }

    /// round(Σ digit·key / P) modulo q.
    fn switch(&self, digits: &[Poly<Ntt>], keys: &[Poly<Ntt>]) -> Poly<Ntt> {
        let basis = self.params.key_basis();
        let mut sum = Poly::zero(basis.degree(), basis.limbs());
        for (digit, key) in digits.iter().zip(keys) {
            sum.multiply_accumulate(basis, digit, key);
        }
        divide_by_special(&self.params, sum)
    }
}

impl GaloisKey {
    fn generate<R: CryptoRng + ?Sized>(
        secret: &SecretKey,
        rotation: Rotation,
        rng: &mut R,
    ) -> Result<Self, BfvError> {
        let (params, basis) = (secret.params(), secret.params().key_basis());
        let n = params.degree();
        let inverse = params.galois_element(inverse(rotation, n))?;
        let permuted = Zeroizing::new(secret.s().permuted(&automorphism(n, inverse)));
        let special = basis.moduli().last().map_or(0, |p| p.value());
        let seed = sampler::seed(rng);
        let mut b = Vec::with_capacity(params.limbs());
        for (digit, q) in basis.moduli().take(params.limbs()).enumerate() {
            let a = sampler::uniform(basis, &seed, digit as u32);
            let mut half = sampler::error(basis, rng).into_ntt(basis);
            half.sub_assign(basis, &Zeroizing::new(a.product(basis, &permuted)));
            let (limb, s) = (half.limb_mut(digit), secret.s().limb(digit));
            pointwise::scale_accumulate(q, limb, s, q.constant(special));
            b.push(half);
        }
        Self::from_parts(params, rotation, b, seed)
    }

    /// The key with the given halves.
    pub(super) fn from_parts(
        params: &BfvParams,
        rotation: Rotation,
        b: Vec<Poly<Ntt>>,
        seed: Seed,
    ) -> Result<Self, BfvError> {
        let permutation = automorphism(params.degree(), params.galois_element(rotation)?);
        let a = (0..params.limbs() as u32)
            .map(|digit| sampler::uniform(params.key_basis(), &seed, digit))
            .collect();
        Ok(Self {
            seed,
            b,
            a,
            permutation,
        })
    }
}

impl Decomposed {
    /// Splits c1 into its residues modulo each limb of q, each taken as a small integer, centred,
    /// modulo q·P, and transformed.
    pub(super) fn new(ct: &Ciphertext) -> Self {
        let (params, basis) = (&ct.params, ct.params.key_basis());
        let coefficients = ct.c1.clone().into_coefficients(params.basis());
        let digits = params.basis().moduli().enumerate().map(|(i, q)| {
            let mut digit = Poly::<Ntt>::zero(params.degree(), basis.limbs());
            for (j, (plan, out)) in basis.plans().iter().zip(digit.iter_mut()).enumerate() {
                if i == j {
                    out.copy_from_slice(ct.c1.limb(i));
                } else {
                    pointwise::lift_centred(q, plan.modulus(), coefficients.limb(i), out);
                    plan.forward(out);
                }
            }
            digit
        });
        let digits = digits.collect();
        Self {
            ct: ct.clone(),
            digits,
        }
    }
}

/// round(x/P) modulo q for x modulo q·P.
fn divide_by_special(params: &BfvParams, mut x: Poly<Ntt>) -> Poly<Ntt> {
    let (n, limbs) = (params.degree(), params.limbs());
    let plans = params.key_basis().plans();
    let Some((special, plans)) = plans.split_last() else {
        return x;
    };
    let mut remainder = x.limb(limbs).to_vec();
    special.inverse(&mut remainder);
    let mut lifted = vec![0; n];
    for ((plan, limb), &inverse) in plans
        .iter()
        .zip(x.iter_mut())
        .zip(params.special_inverses())
    {
        pointwise::lift_centred(special.modulus(), plan.modulus(), &remainder, &mut lifted);
        plan.forward(&mut lifted);
        pointwise::sub_scale_assign(plan.modulus(), limb, &lifted, inverse);
    }
    x.truncated(limbs)
}

/// The rotation that undoes `rotation`, among n slots.
const fn inverse(rotation: Rotation, n: usize) -> Rotation {
    let columns = n / 2;
    Rotation {
        // A step beyond the row stays beyond it, and is refused where it is looked up.
        step: if rotation.step < columns {
            (columns - rotation.step) % columns
        } else {
            rotation.step
        },
        swap: rotation.swap,
    }
}
