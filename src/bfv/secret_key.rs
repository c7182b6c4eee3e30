//! The secret key: ternary s, encryption with a seeded second half, decryption, measured noise.
//!
//! Encryption: (−a·s + e + round(q·m/p), a), a expanded from a seed. Decryption: round(p·x/q) of the
//! phase x = c0 + c1·s. Correct as long as the noise x − round(q·m/p) stays below q/(2p) in absolute
//! value. Only the holder of the key can measure that noise.
//!
//! No branch and no address depends on the key, the errors, the message or the phase.

use rand::rngs::ChaCha20Rng;
use rand::{CryptoRng, SeedableRng};
use zeroize::{Zeroize, Zeroizing};

use super::ciphertext::{Ciphertext, Reply, SeededCiphertext};
use super::error::BfvError;
use super::params::BfvParams;
use crate::batch;
use crate::ring::{Coefficient, Factor, Ntt, Poly, Residues, sampler};

/// The secret key. Wiped when dropped; prints nothing of itself.
pub struct SecretKey {
    params: BfvParams,
    /// s modulo q·P, transformed.
    s: Poly<Factor>,
    /// −s: what encryption multiplies with.
    minus_s: Poly<Factor>,
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
        let mut x = self.c1.clone().into_ntt(basis);
        x.multiply_assign(basis, s);
        let mut x = x.into_coefficients(basis);
        x.add_assign(basis, &self.c0);
        x
    }
}

impl SecretKey {
    /// A fresh key.
    pub fn generate<R: CryptoRng + ?Sized>(params: &BfvParams, rng: &mut R) -> Self {
        let basis = params.key_basis();
        let s = sampler::ternary(basis, rng).into_ntt(basis);
        let s = s.into_factor(basis);
        let mut minus_s = s.clone();
        minus_s.neg_assign(basis);
        let params = params.clone();
        Self { params, s, minus_s }
    }

    /// The parameters.
    pub const fn params(&self) -> &BfvParams {
        &self.params
    }

    /// s modulo q·P; its first limbs are s modulo q.
    pub(super) const fn s(&self) -> &Poly<Factor> {
        &self.s
    }

    /// −s.
    pub(super) const fn minus_s(&self) -> &Poly<Factor> {
        &self.minus_s
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
        let basis = self.params.basis();
        let seed = sampler::seed(rng);
        let a: Poly<Ntt> = sampler::uniform(basis, &seed, 0);
        let mut message = sampler::error(basis, rng);
        self.params.add_scaled(&mut message, slots)?;
        let mut c0 = message.into_ntt(basis);
        c0.multiply_accumulate(basis, &a, &self.minus_s);
        let params = self.params.clone();
        Ok(SeededCiphertext { params, c0, seed })
    }

    /// An encryption of each of `batch`, on all threads of the current pool. Each gets a generator of
    /// its own, seeded from `rng` in order: the result does not depend on the number of threads.
    ///
    /// # Errors
    /// [`BfvError::SlotCount`] or [`BfvError::SlotValue`].
    pub fn encrypt_all<S, R>(
        &self,
        batch: &[S],
        rng: &mut R,
    ) -> Result<Vec<SeededCiphertext>, BfvError>
    where
        S: AsRef<[u64]> + Sync,
        R: CryptoRng + ?Sized,
    {
        let seeded = batch
            .iter()
            .map(|slots| (slots, Zeroizing::new(sampler::seed(rng))));
        batch::try_map(seeded.collect(), |(slots, seed)| {
            self.encrypt(slots.as_ref(), &mut ChaCha20Rng::from_seed(*seed))
        })
    }

    /// The slots of a ciphertext or reply.
    ///
    /// # Errors
    /// [`BfvError::ParamsMismatch`].
    pub fn decrypt<C: Encrypted>(&self, ciphertext: &C) -> Result<Vec<u64>, BfvError> {
        let mut polynomial = Residues::arbitrary(self.params.degree());
        self.decrypt_into(ciphertext, &mut polynomial)?;
        Ok(self.params.evaluate(&mut polynomial))
    }

    /// The slots of each of `batch`, on all threads of the current pool.
    ///
    /// # Errors
    /// [`BfvError::ParamsMismatch`].
    pub fn decrypt_all<C: Encrypted + Sync>(&self, batch: &[C]) -> Result<Vec<Vec<u64>>, BfvError> {
        batch::try_map(batch.iter().collect(), |one| self.decrypt(one))
    }

    /// The plaintext polynomial of a ciphertext or reply, its slots not yet decoded.
    ///
    /// # Errors
    /// [`BfvError::ParamsMismatch`].
    pub fn decrypt_polynomial<C: Encrypted>(&self, ciphertext: &C) -> Result<Vec<u64>, BfvError> {
        let mut polynomial = vec![0; self.params.degree()];
        self.decrypt_into(ciphertext, &mut polynomial)?;
        Ok(polynomial)
    }

    fn decrypt_into<C: Encrypted>(
        &self,
        ciphertext: &C,
        polynomial: &mut [u64],
    ) -> Result<(), BfvError> {
        self.params.same(ciphertext.parameters())?;
        let mut phase = Zeroizing::new(ciphertext.phase(&self.s));
        self.params.round_to_plaintext(&mut phase, polynomial);
        Ok(())
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
        self.minus_s.zeroize();
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{insecure_params, random_slots, rng};
    use super::super::{BfvError, Wire};
    use super::*;

    fn on_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(run)
    }

    #[test]
    fn batches_come_back_and_do_not_depend_on_threads() {
        let params = insecure_params(64, 2);
        let secret = SecretKey::generate(&params, &mut rng(1));
        let batch: Vec<Vec<u64>> = (0..7)
            .map(|seed| random_slots(&params, &mut rng(seed)))
            .collect();
        let written = |threads| -> Vec<Vec<u8>> {
            let encrypted = on_threads(threads, || secret.encrypt_all(&batch, &mut rng(3)));
            let encrypted = encrypted.unwrap();
            let expanded: Vec<Ciphertext> = encrypted.iter().cloned().map(|x| x.expand()).collect();
            assert_eq!(
                on_threads(threads, || secret.decrypt_all(&expanded)).as_ref(),
                Ok(&batch)
            );
            let written = |one: &SeededCiphertext| {
                let mut bytes = Vec::new();
                one.write(&mut bytes);
                bytes
            };
            encrypted.iter().map(written).collect()
        };
        let one = written(1);
        assert_eq!(one, written(3));
        assert!(
            one.windows(2)
                .all(|pair| pair[0][10..42] != pair[1][10..42])
        );
    }

    #[test]
    fn a_batch_is_refused_for_one_of_it() {
        let (params, other) = (insecure_params(64, 1), insecure_params(64, 2));
        let secret = SecretKey::generate(&params, &mut rng(1));
        let count = BfvError::SlotCount {
            expected: 64,
            actual: 63,
        };
        let batch = [vec![0; 64], vec![0; 63]];
        let refused = secret.encrypt_all(&batch, &mut rng(2));
        assert_eq!(refused.unwrap_err(), count);
        let own = secret.encrypt(&[0; 64], &mut rng(3)).unwrap().expand();
        let stranger = SecretKey::generate(&other, &mut rng(4));
        let stranger = stranger.encrypt(&[0; 64], &mut rng(5)).unwrap().expand();
        let refused = secret.decrypt_all(&[own, stranger]);
        assert_eq!(refused, Err(BfvError::ParamsMismatch));
    }
}
