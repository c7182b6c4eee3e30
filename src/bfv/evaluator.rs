//! What the server does with ciphertexts: the operations of [`HeOps`] with real keys, and the end of
//! a layer (its share added, the reply rerandomized, its modulus switched).

use rand::CryptoRng;

use super::ciphertext::{Ciphertext, Reply};
use super::encode::Plaintext;
use super::error::BfvError;
use super::galois::{Decomposed, GaloisKeys};
use super::ops::{HeOps, Lane, Rotation};
use super::params::BfvParams;
use super::public_key::PublicKey;
use crate::ring::{LaneOfBoth, Ntt, Poly, SumOfBoth};

/// Ciphertexts of so many bytes stay in a core's own caches from sum to sum by themselves.
const AT_HAND: usize = 1 << 20;

/// The server's side of the scheme.
///
/// Ciphertexts, keys and plaintexts must be of one parameter set. Where an operation can fail it
/// says so; where it cannot, the results are meaningless.
#[derive(Debug, Clone)]
pub struct Evaluator {
    params: BfvParams,
    keys: GaloisKeys,
}

impl Evaluator {
    /// An evaluator with the keys of the rotations it may carry out.
    ///
    /// # Errors
    /// [`BfvError::ParamsMismatch`].
    pub fn new(params: &BfvParams, keys: GaloisKeys) -> Result<Self, BfvError> {
        params.same(&keys.params)?;
        let params = params.clone();
        Ok(Self { params, keys })
    }

    /// The keys.
    pub const fn keys(&self) -> &GaloisKeys {
        &self.keys
    }

    /// ct = ct ⊙ pt.
    pub fn hadamard_assign(&self, ct: &mut Ciphertext, pt: &Plaintext) {
        let basis = self.params.basis();
        ct.c0.multiply_assign(basis, &pt.0);
        ct.c1.multiply_assign(basis, &pt.0);
    }

    /// Slots encoded for multiplication as `count` plaintexts of `bits` bits a coefficient: with the j-th,
    /// from 0, times 2^(bits·j) they add up to the plaintext of [`HeOps::encode`]. `bits` is 1 to 62.
    ///
    /// # Errors
    /// [`BfvError::SlotCount`] or [`BfvError::SlotValue`].
    pub fn encode_digits(
        &self,
        slots: &[u64],
        bits: u32,
        count: usize,
    ) -> Result<Vec<Plaintext>, BfvError> {
        self.params.encode_digits(slots, bits.clamp(1, 62), count)
    }

    /// The sum of rotations of decomposed ciphertexts, divided by the special primes once, which
    /// saves most transforms of each rotation but the first (`cargo bench --bench rotations`).
    ///
    /// # Errors
    /// [`BfvError::MissingKey`].
    pub fn sum_of_rotations(
        &self,
        terms: &[(&Decomposed, Rotation)],
    ) -> Result<Ciphertext, BfvError> {
        self.keys.sum_of_rotations(terms)
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

    /// Where a sum of products stands, or is going to.
    fn place_of<'a>(&self, sum: &'a mut Option<Ciphertext>) -> SumOfBoth<'a, Poly<Ntt>> {
        let begun = sum.is_some();
        let sum = sum.get_or_insert_with(|| Ciphertext::arbitrary(&self.params));
        let halves = [&mut sum.c0, &mut sum.c1];
        SumOfBoth { halves, begun }
    }

    /// Touches memory for `count` ciphertexts, so that operations find it at hand later: the first touch of
    /// a page costs more than most operations on it.
    pub fn reserve(&self, count: usize) {
        drop(vec![Ciphertext::zero(&self.params); count]);
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
        let basis = self.params.basis();
        let [c0, c1] = Poly::products_of_both(basis, [&ct.c0, &ct.c1], &pt.0);
        Ciphertext {
            params: ct.params.clone(),
            c0,
            c1,
        }
    }

    fn multiply_accumulate(&self, acc: &mut Ciphertext, ct: &Ciphertext, pt: &Plaintext) {
        let basis = self.params.basis();
        let (acc, x) = ([&mut acc.c0, &mut acc.c1], [&ct.c0, &ct.c1]);
        Poly::multiply_accumulate_both(basis, acc, x, &pt.0);
    }

    fn are_better_at_once(&self, products: usize) -> bool {
        let bytes = 2 * size_of::<u64>() * self.params.degree() * self.params.limbs();
        products * bytes > AT_HAND
    }

    fn add_inner_products(&self, lanes: &mut [Lane<'_, Ciphertext>], weights: &[&Plaintext]) {
        if lanes.iter().any(|lane| lane.operands.is_empty()) {
            return;
        }
        let lanes = lanes.iter_mut().map(|lane| LaneOfBoth {
            xs: lane.operands.iter().map(|ct| [&ct.c0, &ct.c1]).collect(),
            sums: lane.sums.iter_mut().map(|sum| self.place_of(sum)).collect(),
        });
        let mut lanes: Vec<_> = lanes.collect();
        let weights: Vec<_> = weights.iter().map(|pt| &pt.0).collect();
        Poly::add_inner_products(self.params.basis(), &mut lanes, &weights);
    }

    fn rotate(&self, ct: &Ciphertext, rotation: Rotation) -> Result<Ciphertext, BfvError> {
        self.keys.rotate(ct, rotation)
    }

    fn decompose(&self, ct: &Ciphertext) -> Decomposed {
        Decomposed::new(ct)
    }

    fn rotate_decomposed(
        &self,
        decomposed: &Decomposed,
        rotation: Rotation,
    ) -> Result<Ciphertext, BfvError> {
        self.keys.rotate_decomposed(decomposed, rotation)
    }
}

#[cfg(test)]
#[path = "evaluator_tests.rs"]
mod tests;
