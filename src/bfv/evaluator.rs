//! What the server does with ciphertexts: the operations of [`HeOps`] with real keys, and the end of
//! a layer (its share added, the reply rerandomized, its modulus switched).

use std::sync::{Mutex, PoisonError};

use rand::CryptoRng;

use super::ciphertext::{Ciphertext, Reply};
use super::encode::Plaintext;
use super::error::BfvError;
use super::galois::{Decomposed, GaloisKeys};
use super::key_switch::Scratch;
use super::ops::{HeOps, Rotation};
use super::params::BfvParams;
use super::public_key::PublicKey;
use crate::ring::Poly;

/// The server's side of the scheme.
///
/// Ciphertexts, keys and plaintexts must be of one parameter set. Where an operation can fail it
/// says so; where it cannot, the results are meaningless.
#[derive(Debug)]
pub struct Evaluator {
    params: BfvParams,
    keys: GaloisKeys,
    /// What the operations without a scratch of the caller's work in, one a call at a time.
    scratch: Mutex<Vec<Scratch>>,
}

impl Clone for Evaluator {
    fn clone(&self) -> Self {
        Self {
            params: self.params.clone(),
            keys: self.keys.clone(),
            scratch: Mutex::default(),
        }
    }
}

impl Evaluator {
    /// An evaluator with the keys of the rotations it may carry out.
    ///
    /// # Errors
    /// [`BfvError::ParamsMismatch`].
    pub fn new(params: &BfvParams, keys: GaloisKeys) -> Result<Self, BfvError> {
        params.same(&keys.params)?;
        let params = params.clone();
        let scratch = Mutex::default();
        Ok(Self {
            params,
            keys,
            scratch,
        })
    }

    /// The keys.
    pub const fn keys(&self) -> &GaloisKeys {
        &self.keys
    }

    /// Room to work in, for [`Evaluator::rotate_into`] and [`Evaluator::rotate_decomposed_into`].
    pub fn scratch(&self) -> Scratch {
        self.params.key_switch().scratch()
    }

    /// Runs `work` with a scratch that no other call has.
    fn with_scratch<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let lock = || self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = lock().pop();
        let mut scratch = spare.unwrap_or_else(|| self.scratch());
        let done = work(&mut scratch);
        lock().push(scratch);
        done
    }

    /// out = ct ⊙ pt, without new memory.
    pub fn hadamard_into(&self, ct: &Ciphertext, pt: &Plaintext, out: &mut Ciphertext) {
        let basis = self.params.basis();
        out.c0.set_product(basis, &ct.c0, &pt.0);
        out.c1.set_product(basis, &ct.c1, &pt.0);
    }

    /// ct = ct ⊙ pt.
    pub fn hadamard_assign(&self, ct: &mut Ciphertext, pt: &Plaintext) {
        let basis = self.params.basis();
        ct.c0.multiply_assign(basis, &pt.0);
        ct.c1.multiply_assign(basis, &pt.0);
    }

    /// out = ct rotated, without new memory.
    ///
    /// # Errors
    /// [`BfvError::MissingKey`].
    pub fn rotate_into(
        &self,
        ct: &Ciphertext,
        rotation: Rotation,
        out: &mut Ciphertext,
        scratch: &mut Scratch,
    ) -> Result<(), BfvError> {
        self.keys.rotate(ct, rotation, out, scratch)
    }

    /// out = what was decomposed, rotated, without new memory.
    ///
    /// # Errors
    /// [`BfvError::MissingKey`].
    pub fn rotate_decomposed_into(
        &self,
        decomposed: &Decomposed,
        rotation: Rotation,
        out: &mut Ciphertext,
        scratch: &mut Scratch,
    ) -> Result<(), BfvError> {
        self.keys
            .rotate_decomposed(decomposed, rotation, out, scratch)
    }

    /// The ciphertext rotated by as few key switches as the keys at hand allow.
    ///
    /// # Errors
    /// As [`GaloisKeys::chain`].
    pub fn rotate_by_chain(
        &self,
        ct: &Ciphertext,
        rotation: Rotation,
    ) -> Result<Ciphertext, BfvError> {
        let chain = self.keys.chain(rotation)?;
        chain
            .into_iter()
            .try_fold(ct.clone(), |ct, step| self.rotate(&ct, step))
    }

    /// The parameters.
    pub const fn params(&self) -> &BfvParams {
        &self.params
    }

    /// Adds `slots` to what `ct` encrypts.
    ///
    /// # Errors
    /// [`BfvError::SlotCount`] or [`BfvError::SlotValue`].
    pub fn add_plain(&self, ct: &mut Ciphertext, slots: &[u64]) -> Result<(), BfvError> {
        let basis = self.params.basis();
        let mut scaled = Poly::zero(self.params.degree(), basis.limbs());
        self.params.add_scaled(&mut scaled, slots)?;
        ct.c0.add_assign(basis, &scaled.into_ntt(basis));
        Ok(())
    }

    /// Adds a fresh encryption of `mask` under the public key, flooded as the parameters say: after
    /// it the ciphertext shows its slots plus the mask, and nothing of how they came about.
    ///
    /// # Errors
    /// [`BfvError::ParamsMismatch`], [`BfvError::SlotCount`] or [`BfvError::SlotValue`].
    pub fn rerandomize<R: CryptoRng + ?Sized>(
        &self,
        ct: &mut Ciphertext,
        mask: &[u64],
        public_key: &PublicKey,
        rng: &mut R,
    ) -> Result<(), BfvError> {
        self.params.same(public_key.params())?;
        let flooding_log2 = self.params.literal().flooding_log2;
        let fresh = public_key.encrypt_flooded(mask, flooding_log2, rng)?;
        self.add(ct, &fresh);
        Ok(())
    }

    /// The ciphertext brought down to a reply's limbs.
    pub fn mod_switch(&self, ct: &Ciphertext) -> Reply {
        Reply::from_ciphertext(ct)
    }
}

impl HeOps for Evaluator {
    type Ciphertext = Ciphertext;
    type Plaintext = Plaintext;
    type Decomposed = Decomposed;
    type Error = BfvError;

    fn slots(&self) -> usize {
        self.params.degree()
    }

    fn encode(&self, slots: &[u64]) -> Result<Plaintext, BfvError> {
        self.params.encode_factor(slots)
    }

    fn add(&self, acc: &mut Ciphertext, other: &Ciphertext) {
        let basis = self.params.basis();
        acc.c0.add_assign(basis, &other.c0);
        acc.c1.add_assign(basis, &other.c1);
    }

    fn hadamard(&self, ct: &Ciphertext, pt: &Plaintext) -> Ciphertext {
        let mut out = Ciphertext::zero(&self.params);
        self.hadamard_into(ct, pt, &mut out);
        out
    }

    fn multiply_accumulate(&self, acc: &mut Ciphertext, ct: &Ciphertext, pt: &Plaintext) {
        let basis = self.params.basis();
        acc.c0.multiply_accumulate(basis, &ct.c0, &pt.0);
        acc.c1.multiply_accumulate(basis, &ct.c1, &pt.0);
    }

    fn rotate(&self, ct: &Ciphertext, rotation: Rotation) -> Result<Ciphertext, BfvError> {
        let mut out = Ciphertext::zero(&self.params);
        self.with_scratch(|scratch| self.rotate_into(ct, rotation, &mut out, scratch))?;
        Ok(out)
    }

    fn decompose(&self, ct: &Ciphertext) -> Decomposed {
        self.with_scratch(|scratch| Decomposed::new(ct, scratch))
    }

    fn rotate_decomposed(
        &self,
        decomposed: &Decomposed,
        rotation: Rotation,
    ) -> Result<Ciphertext, BfvError> {
        let mut out = Ciphertext::zero(&self.params);
        self.with_scratch(|scratch| {
            self.rotate_decomposed_into(decomposed, rotation, &mut out, scratch)
        })?;
        Ok(out)
    }
}

#[cfg(test)]
#[path = "evaluator_tests.rs"]
mod tests;
