//! The negacyclic number-theoretic transform of one limb: a polynomial of `Z_q[x]/(xⁿ+1)` as its n
//! coefficients, or as its values at the n primitive 2n-th roots of unity mod q.
//!
//! With ψ the engine's 2n-th root of unity, position i of the transformed polynomial a holds
//! a(ψ^(2·rev(i)+1)), rev reversing the log2 n bits of i ([`exponent`]). A product in the ring is
//! then a product position by position.
//!
//! Where there is AVX2 and no AVX-512, limbs of at most 50 bits are transformed by `fma`, with the engine's root and to
//! the same values: the engine has no vector multiplier there.
//!
//! This is the only file of the library that names the transform engine. Its pointwise products go wrong for some
//! primes: with k the bit length of q and b the width of the engine's words (52 below 2^51, else
//! 64), its Barrett reduction needs 2^(k+b−1) mod q ≤ q − 2^(k−1) to end below q after one
//! subtraction. Some 51-bit primes even break its transforms. So a limb is accepted only if that
//! inequality holds ([`is_accepted_prime`]). A plaintext modulus is transformed but never
//! multiplied, and is held to the inequality from 2^50 up ([`is_plaintext_prime`]).
//!
//! Plans are made once for each (n, q) and shared by the whole process.

#[cfg(target_arch = "x86_64")]
mod fma;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use concrete_ntt::prime64::Plan;
use thiserror::Error;

use super::modulus::Modulus;
#[cfg(target_arch = "x86_64")]
use super::pointwise;
use super::primality::is_prime;

/// Least ring degree that the engine transforms; real parameters start at 1024.
pub const MIN_DEGREE: usize = 16;
/// Greatest ring degree.
pub const MAX_DEGREE: usize = 32_768;

/// Why a number cannot be a modulus of the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PrimeError {
    /// The degree is no power of two that can be transformed.
    #[error("ring degree {n} is no power of two in {MIN_DEGREE}..={MAX_DEGREE}")]
    Degree {
        /// The degree asked for.
        n: usize,
    },
    /// The number is too wide.
    #[error("{value} has more than 61 bits", value = .0)]
    TooLarge(u64),
    /// The number is composite.
    #[error("{0} is not prime")]
    Composite(u64),
    /// The prime has no 2n-th root of unity.
    #[error("{prime} is not 1 modulo {two_n}")]
    Congruence {
        /// The prime.
        prime: u64,
        /// Twice the ring degree.
        two_n: u64,
    },
    /// The transform engine's reduction is not exact for this prime.
    #[error("the transform cannot reduce exactly modulo {0}; take another prime of this size")]
    Reduction(u64),
}

/// Whether `p` can be a limb of a ciphertext modulus at degree `n`.
///
/// # Errors
/// The first rule that is broken.
pub fn is_accepted_prime(p: u64, n: usize) -> Result<(), PrimeError> {
    has_transform(p, n)?;
    if reduces_exactly(p) {
        Ok(())
    } else {
        Err(PrimeError::Reduction(p))
    }
}

/// Whether `p` can be a plaintext modulus with n slots at degree `n`.
///
/// # Errors
/// The first rule that is broken.
pub fn is_plaintext_prime(p: u64, n: usize) -> Result<(), PrimeError> {
    if p >> 50 == 0 {
        has_transform(p, n)
    } else {
        is_accepted_prime(p, n)
    }
}

/// Prime, below 2^61, and 1 modulo 2n.
fn has_transform(p: u64, n: usize) -> Result<(), PrimeError> {
    if !n.is_power_of_two() || !(MIN_DEGREE..=MAX_DEGREE).contains(&n) {
        return Err(PrimeError::Degree { n });
    }
    if p >> Modulus::MAX_BITS != 0 {
        return Err(PrimeError::TooLarge(p));
    }
    if !is_prime(p) {
        return Err(PrimeError::Composite(p));
    }
    let two_n = 2 * n as u64;
    if p % two_n != 1 {
        return Err(PrimeError::Congruence { prime: p, two_n });
    }
    Ok(())
}

/// 2^(k+b−1) mod p ≤ p − 2^(k−1); see the head of this file.
fn reduces_exactly(p: u64) -> bool {
    let Some(modulus) = Modulus::new(p) else {
        return false;
    };
    let k = modulus.bits();
    let b = if p >> 51 == 0 { 52 } else { 64 };
    modulus.pow(2, u64::from(k + b - 1)) <= p - (1 << (k - 1))
}

/// The plans made so far, by n and q.
type PlanCache = HashMap<(usize, u64), Arc<NttPlan>>;

/// The transform of one limb.
pub struct NttPlan {
    n: usize,
    modulus: Modulus,
    engine: Plan,
    #[cfg(target_arch = "x86_64")]
    fma: Option<fma::Engine>,
}

impl std::fmt::Debug for NttPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NttPlan(n = {}, q = {})", self.n, self.modulus.value())
    }
}

impl NttPlan {
    /// The plan of a ciphertext limb `q` at degree `n`.
    ///
    /// # Errors
    /// As [`is_accepted_prime`].
    pub fn limb(n: usize, q: u64) -> Result<Arc<Self>, PrimeError> {
        is_accepted_prime(q, n)?;
        Self::cached(n, q)
    }

    /// The plan of a plaintext modulus `p` at degree `n`; only its transforms may be used.
    ///
    /// # Errors
    /// As [`is_plaintext_prime`].
    pub fn plaintext(n: usize, p: u64) -> Result<Arc<Self>, PrimeError> {
        is_plaintext_prime(p, n)?;
        Self::cached(n, p)
    }

    fn cached(n: usize, q: u64) -> Result<Arc<Self>, PrimeError> {
        static PLANS: OnceLock<Mutex<PlanCache>> = OnceLock::new();
        let mut plans = PLANS
            .get_or_init(Mutex::default)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(&(n, q)) {
            return Ok(Arc::clone(plan));
        }
        let engine = Plan::try_new(n, q).ok_or(PrimeError::Degree { n })?;
        let modulus = Modulus::new(q).ok_or(PrimeError::TooLarge(q))?;
        let plan = Arc::new(Self::with(n, modulus, engine));
        plans.insert((n, q), Arc::clone(&plan));
        Ok(plan)
    }

    #[cfg(target_arch = "x86_64")]
    fn with(n: usize, modulus: Modulus, engine: Plan) -> Self {
        let fma = None;
        let mut plan = Self {
            n,
            modulus,
            engine,
            fma,
        };
        let tokens = (pointwise::avx512(), pointwise::avx2());
        if let (None, Some(token)) = tokens
            && modulus.is_narrow()
        {
            plan.fma = fma::Engine::new(token, modulus, n, plan.root());
        }
        plan
    }

    #[cfg(not(target_arch = "x86_64"))]
    const fn with(n: usize, modulus: Modulus, engine: Plan) -> Self {
        Self { n, modulus, engine }
    }

    /// n.
    pub const fn degree(&self) -> usize {
        self.n
    }

    /// q.
    pub const fn modulus(&self) -> Modulus {
        self.modulus
    }

    /// Coefficients to values, in place; `a` has n residues.
    pub fn forward(&self, a: &mut [u64]) {
        debug_assert_eq!(a.len(), self.n);
        #[cfg(target_arch = "x86_64")]
        if let Some(fma) = &self.fma {
            fma.forward(a);
            return;
        }
        self.engine.fwd(a);
    }

    /// Values to coefficients, in place; `a` has n residues.
    pub fn inverse(&self, a: &mut [u64]) {
        debug_assert_eq!(a.len(), self.n);
        #[cfg(target_arch = "x86_64")]
        if let Some(fma) = &self.fma {
            fma.inverse(a);
            return;
        }
        self.engine.inv(a);
        self.engine.normalize(a);
    }

    /// ψ, the 2n-th root of unity that position 0 of a transformed polynomial belongs to.
    pub fn root(&self) -> u64 {
        let mut x = vec![0; self.n];
        if let Some(linear) = x.get_mut(1) {
            *linear = 1;
        }
        self.forward(&mut x);
        x.first().copied().unwrap_or_default()
    }
}

/// The odd exponent e < 2n such that position `index` holds the value at ψ^e.
pub const fn exponent(n: usize, index: usize) -> usize {
    2 * reverse(n, index) + 1
}

/// The position that holds the value at ψ^`exponent`, for odd exponents (taken modulo 2n).
pub const fn position(n: usize, exponent: usize) -> usize {
    reverse(n, exponent % (2 * n) / 2)
}

/// The log2 n bits of `index`, reversed.
const fn reverse(n: usize, index: usize) -> usize {
    index.reverse_bits() >> (usize::BITS - n.trailing_zeros())
}

#[cfg(test)]
#[path = "ntt_tests.rs"]
mod tests;
