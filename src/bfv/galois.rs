//! Galois keys, and the key switch of a rotation.
//!
//! The rotation is the automorphism σ: x → x^g. Switching happens *before* it: the key of σ takes c1
//! from s to σ⁻¹(s) (`key_switch`), and σ then brings the ciphertext back under s. Its pairs are
//! (−a_j·σ⁻¹(s) + e_j + P·g_j·s, a_j). The digits of c1 do not depend on σ, so one decomposition serves many rotations (hoisting; Halevi and Shoup, "Faster
//! homomorphic linear transformations in HElib", 2018), and only two polynomials are permuted.
//!
//! A rotation without a key of its own is a chain of rotations that have one: the shortest.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::rngs::ChaCha20Rng;
use rand::{CryptoRng, SeedableRng};
use zeroize::Zeroizing;

use super::ciphertext::Ciphertext;
use super::error::BfvError;
use super::ops::Rotation;
use super::params::BfvParams;
use super::secret_key::SecretKey;
use crate::batch;
use crate::ring::sampler::{self, Seed};
use crate::ring::{Automorphism, Factor, Ntt, Poly, pointwise};

/// The keys of a set of rotations.
#[derive(Debug, Clone)]
pub struct GaloisKeys {
    pub(super) params: BfvParams,
    pub(super) keys: BTreeMap<Rotation, GaloisKey>,
}

/// The key of one rotation: for each digit one pair (b, a) modulo q·P.
#[derive(Debug, Clone)]
pub(super) struct GaloisKey {
    pub(super) seed: Seed,
    pub(super) b: Vec<Poly<Factor>>,
    a: Vec<Poly<Factor>>,
    automorphism: Automorphism,
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
        let distinct: BTreeSet<Rotation> = rotations.iter().copied().collect();
        let seeded: Vec<(Rotation, Seed)> = distinct
            .into_iter()
            .filter(|rotation| !rotation.is_identity())
            .map(|rotation| (rotation, sampler::seed(rng)))
            .collect();
        let keys = batch::try_map(seeded, |(rotation, seed)| {
            let mut rng = ChaCha20Rng::from_seed(seed);
            GaloisKey::generate(secret, rotation, &mut rng).map(|key| (rotation, key))
        })?;
        Ok(Self {
            params: secret.params().clone(),
            keys: keys.into_iter().collect(),
        })
    }

    /// The parameters.
    pub const fn params(&self) -> &BfvParams {
        &self.params
    }

    /// The rotations that there are keys for.
    pub fn rotations(&self) -> impl ExactSizeIterator<Item = Rotation> + '_ {
        self.keys.keys().copied()
    }

    /// The fewest rotations with keys that make up `rotation`, in any order; none for the identity.
    ///
    /// # Errors
    /// [`BfvError::Rotation`] for a step beyond a row, [`BfvError::MissingKey`] if no chain leads to it.
    pub fn chain(&self, rotation: Rotation) -> Result<Vec<Rotation>, BfvError> {
        self.params.galois_element(rotation)?;
        let columns = self.params.degree() / 2;
        // Breadth first: the step that each rotation was first reached by.
        let mut reached = BTreeMap::from([(Rotation::rows(0), Rotation::rows(0))]);
        let mut queue = VecDeque::from([Rotation::rows(0)]);
        while let Some(at) = queue.pop_front() {
            if at == rotation {
                break;
            }
            for key in self.rotations() {
                let next = at.then(key, columns);
                if let Entry::Vacant(entry) = reached.entry(next) {
                    entry.insert(key);
                    queue.push_back(next);
                }
            }
        }
        let mut chain = Vec::new();
        let mut at = rotation;
        while !at.is_identity() {
            let &key = reached.get(&at).ok_or(BfvError::MissingKey(rotation))?;
            chain.push(key);
            at = at.then(key.inverse(columns), columns);
        }
        Ok(chain)
    }

    /// The ciphertext rotated.
    pub(super) fn rotate(
        &self,
        ct: &Ciphertext,
        rotation: Rotation,
    ) -> Result<Ciphertext, BfvError> {
        if rotation.is_identity() {
            return Ok(ct.clone());
        }
        let key = self.key(rotation)?;
        Ok(key.turn(
            &self.params,
            &self.params.key_switch().decompose(&ct.c1),
            &ct.c0,
        ))
    }

    /// What was decomposed, rotated.
    pub(super) fn rotate_decomposed(
        &self,
        decomposed: &Decomposed,
        rotation: Rotation,
    ) -> Result<Ciphertext, BfvError> {
        let Decomposed { ct, digits } = decomposed;
        if rotation.is_identity() {
            return Ok(ct.clone());
        }
        Ok(self.key(rotation)?.turn(&self.params, digits, &ct.c0))
    }

    /// The sum of rotations of what was decomposed. The products with the keys are summed modulo q·P and
    /// divided by P once, so that each rotation costs no transform (double hoisting; Bossuat,
    /// Mouchet, Troncoso-Pastoriza and Hubaux, "Efficient bootstrapping for approximate homomorphic
    /// encryption with non-sparse keys", 2021, section 4.2).
    pub(super) fn sum_of_rotations(
        &self,
        terms: &[(&Decomposed, Rotation)],
    ) -> Result<Ciphertext, BfvError> {
        let (params, switch) = (&self.params, self.params.key_switch());
        let (n, basis, key_basis) = (params.degree(), params.basis(), params.key_basis());
        let [mut c0, mut c1] = [(); 2].map(|()| Poly::zero(n, basis.limbs()));
        let mut sums = [(); 2].map(|()| Poly::zero(n, key_basis.limbs()));
        let mut turned = Poly::arbitrary(n, key_basis.limbs());
        for (Decomposed { ct, digits }, rotation) in terms {
            if rotation.is_identity() {
                c0.add_assign(basis, &ct.c0);
                c1.add_assign(basis, &ct.c1);
                continue;
            }
            let key = self.key(*rotation)?;
            c0.add_assign(basis, &ct.c0.permuted(&key.automorphism));
            for (sum, half) in sums.iter_mut().zip([&key.b, &key.a]) {
                let product = switch.multiply(digits, half);
                product.permute_into(&key.automorphism, &mut turned);
                sum.add_assign(key_basis, &turned);
            }
        }
        for (sum, c) in sums.iter_mut().zip([&mut c0, &mut c1]) {
            switch.divide_by_special(sum);
            c.add_assign(basis, sum);
        }
        let params = params.clone();
        Ok(Ciphertext { params, c0, c1 })
    }

    fn key(&self, rotation: Rotation) -> Result<&GaloisKey, BfvError> {
        self.keys
            .get(&rotation)
            .ok_or(BfvError::MissingKey(rotation))
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
        if params.key_digits() == 0 {
            return Err(BfvError::NoKeySwitch(rotation));
        }
        let inverse = params.galois_element(rotation.inverse(n / 2))?;
        let permuted = secret.minus_s().permuted(&Automorphism::new(n, inverse));
        let permuted = Zeroizing::new(permuted);
        let seed = sampler::seed(rng);
        let mut b = Vec::with_capacity(params.key_digits());
        for (digit, gadget) in (0..).zip(params.key_switch().gadgets()) {
            let a: Poly<Factor> = sampler::uniform(basis, &seed, digit);
            let mut half = sampler::error(basis, rng)
                .into_ntt(basis)
                .into_factor(basis);
            half.multiply_accumulate(basis, &a, &permuted);
            let limbs = basis.moduli().enumerate().skip(gadget.first);
            for ((limb, q), value) in limbs.zip(gadget.values) {
                let s = secret.s().limb(limb);
                pointwise::scale_accumulate(q, half.limb_mut(limb), s, q.constant(value));
            }
            b.push(half);
        }
        Self::from_parts(params, rotation, b, seed)
    }

    /// The key with the given halves.
    pub(super) fn from_parts(
        params: &BfvParams,
        rotation: Rotation,
        b: Vec<Poly<Factor>>,
        seed: Seed,
    ) -> Result<Self, BfvError> {
        let automorphism = Automorphism::new(params.degree(), params.galois_element(rotation)?);
        let a = (0..params.key_digits() as u32)
            .map(|digit| sampler::uniform(params.key_basis(), &seed, digit))
            .collect();
        Ok(Self {
            seed,
            b,
            a,
            automorphism,
        })
    }

    /// The rotation of the ciphertext with these digits and first half.
    fn turn(&self, params: &BfvParams, digits: &[Poly<Ntt>], c0: &Poly<Ntt>) -> Ciphertext {
        let switch = params.key_switch();
        let mut out = Ciphertext::arbitrary(params);
        let mut sum = switch.multiply(digits, &self.b);
        switch.divide_by_special(&mut sum);
        sum.add_assign(params.basis(), c0);
        sum.permute_into(&self.automorphism, &mut out.c0);
        let mut sum = switch.multiply(digits, &self.a);
        switch.divide_by_special(&mut sum);
        sum.permute_into(&self.automorphism, &mut out.c1);
        out
    }
}

impl Decomposed {
    /// Splits the second half of `ct`.
    pub(super) fn new(ct: &Ciphertext) -> Self {
        Self {
            ct: ct.clone(),
            digits: ct.params.key_switch().decompose(&ct.c1),
        }
    }
}
