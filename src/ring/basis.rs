//! A basis of distinct primes q_0 … q_(L−1): an integer modulo q = Πq_i as its residues.
//!
//! Exact integers come back by Garner's mixed radix, x = d_0 + d_1·q_0 + d_2·q_0·q_1 + …, with
//! d_j = (…(x_j − d_0)/q_0 − … − d_(j−1))/q_(j−1) mod q_j (Knuth, *TAOCP* 2, section 4.3.2).
//! Division by the last prime with rounding needs no big integer: with r the centred residue of x
//! modulo it, (x − r)/q_last is exact in each other residue. The same digits, each centred, stand for
//! an integer of at most about q/2 in absolute value, which goes to another modulus by Horner's rule.

use std::sync::Arc;

use thiserror::Error;

use super::modulus::{Constant, Modulus};
use super::ntt::{NttPlan, PrimeError};
use super::pointwise;
use super::poly::{Coefficient, Poly};
use super::residues::Residues;

/// Why numbers are no basis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BasisError {
    /// There is no prime at all.
    #[error("a basis needs at least one prime")]
    Empty,
    /// A prime stands in the basis twice.
    #[error("{0} stands in the basis twice")]
    Repeated(u64),
    /// One of the numbers cannot be a limb.
    #[error(transparent)]
    Prime(#[from] PrimeError),
}

/// Distinct accepted primes at one ring degree, with their transforms and Garner's constants.
#[derive(Debug, Clone)]
pub struct RnsBasis {
    n: usize,
    plans: Vec<Arc<NttPlan>>,
    /// `inverses[j][i]` = 1/q_i mod q_j, for i < j.
    inverses: Vec<Vec<Constant>>,
    /// 1/q_(L−1) mod q_j, for j < L − 1.
    last_inverses: Vec<Constant>,
}

impl RnsBasis {
    /// The basis of `primes` at ring degree `n`.
    ///
    /// # Errors
    /// [`BasisError`], for the first prime that breaks a rule.
    pub fn new(n: usize, primes: &[u64]) -> Result<Self, BasisError> {
        if primes.is_empty() {
            return Err(BasisError::Empty);
        }
        let mut plans: Vec<Arc<NttPlan>> = Vec::with_capacity(primes.len());
        let mut inverses = Vec::with_capacity(primes.len());
        for &prime in primes {
            let plan = NttPlan::limb(n, prime)?;
            let q = plan.modulus();
            let earlier = plans
                .iter()
                .map(|earlier| q.inverse(earlier.modulus().value()))
                .map(|inverse| inverse.map(|inverse| q.constant(inverse)))
                .collect::<Option<Vec<Constant>>>()
                .ok_or(BasisError::Repeated(prime))?;
            inverses.push(earlier);
            plans.push(plan);
        }
        Ok(Self::from_parts(n, plans, inverses))
    }

    fn from_parts(n: usize, plans: Vec<Arc<NttPlan>>, inverses: Vec<Vec<Constant>>) -> Self {
        let mut earlier: Vec<Modulus> = plans.iter().map(|plan| plan.modulus()).collect();
        let last = earlier.pop().map_or(0, Modulus::value);
        // The primes are distinct: the inverses exist.
        let last_inverses = earlier
            .into_iter()
            .map(|q| q.constant(q.inverse(last).unwrap_or_default()))
            .collect();
        Self {
            n,
            plans,
            inverses,
            last_inverses,
        }
    }

    /// The basis of the first `limbs` primes (all of them if there are fewer).
    pub fn prefix(&self, limbs: usize) -> Self {
        let plans = self.plans.iter().take(limbs).cloned().collect();
        let inverses = self.inverses.iter().take(limbs).cloned().collect();
        Self::from_parts(self.n, plans, inverses)
    }

    /// Ring degree n.
    pub const fn degree(&self) -> usize {
        self.n
    }

    /// Number of primes L.
    pub fn limbs(&self) -> usize {
        self.plans.len()
    }

    /// The transforms, one a prime.
    pub fn plans(&self) -> &[Arc<NttPlan>] {
        &self.plans
    }

    /// The primes.
    pub fn moduli(&self) -> impl DoubleEndedIterator<Item = Modulus> + ExactSizeIterator + '_ {
        self.plans.iter().map(|plan| plan.modulus())
    }

    /// log2 q.
    pub fn log2(&self) -> f64 {
        self.moduli().map(|q| (q.value() as f64).log2()).sum()
    }

    /// q mod `m`.
    pub fn product_modulo(&self, m: Modulus) -> u64 {
        self.moduli()
            .fold(1, |product, q| m.mul(product, m.reduce(q.value())))
    }

    /// ⌊q/2⌋ mod `m`: (q − 1)/2, since q is odd.
    pub fn half_modulo(&self, m: Modulus) -> u64 {
        // (m + 1)/2 is 1/2 mod the odd m.
        m.mul(m.sub(self.product_modulo(m), 1), m.half() + 1)
    }

    /// The mixed-radix digits of the integer in `0..q` with the given residues, in place.
    pub fn mixed_radix(&self, residues: &mut [u64]) {
        for (j, (q, inverses)) in self.moduli().zip(&self.inverses).enumerate() {
            let (digits, rest) = residues.split_at_mut(j);
            let Some(x) = rest.first_mut() else { return };
            for (&digit, &inverse) in digits.iter().zip(inverses) {
                *x = q.mul_constant(inverse, q.sub(*x, q.reduce(digit)));
            }
        }
    }

    /// The integer with the given mixed-radix digits, modulo `m`.
    pub fn digits_modulo(&self, digits: &[u64], m: Modulus) -> u64 {
        let pairs = self.moduli().zip(digits).rev();
        pairs.fold(0, |x, (q, &digit)| {
            // d_j + q_j·(what stands above), from the top digit down.
            m.add(m.mul(x, m.reduce(q.value())), m.reduce(digit))
        })
    }

    /// The integer with the given mixed-radix digits, rounded to a float.
    pub fn digits_to_f64(&self, digits: &[u64]) -> f64 {
        let pairs = self.moduli().zip(digits).rev();
        pairs.fold(0.0, |x, (q, &digit)| x * q.value() as f64 + digit as f64)
    }

    /// The centred mixed-radix digits of the integers with the given residues, in place: n residues
    /// for each prime, and n words of `scratch`. Digit j is a residue modulo q_j that stands for its
    /// centred value d_j; Σ d_j·q_0·…·q_(j−1) has the given residues and is at most about q/2 in size.
    pub fn centred_digits(&self, residues: &mut [u64], scratch: &mut [u64]) {
        for (j, (q, inverses)) in self.moduli().zip(&self.inverses).enumerate() {
            let (digits, rest) = residues.split_at_mut(j * self.n);
            let Some(x) = rest.get_mut(..self.n) else {
                return;
            };
            let earlier = digits.chunks_exact(self.n).zip(self.moduli());
            for ((digit, from), &inverse) in earlier.zip(inverses) {
                pointwise::lift_centred(from, q, digit, scratch);
                pointwise::sub_scale_assign(q, x, scratch, inverse);
            }
        }
    }

    /// The integers with the given centred digits, modulo `to`; n words of `scratch`.
    pub fn lift_digits(&self, digits: &[u64], to: Modulus, out: &mut [u64], scratch: &mut [u64]) {
        let mut pairs = self.moduli().zip(digits.chunks_exact(self.n)).rev();
        let Some((from, top)) = pairs.next() else {
            return;
        };
        pointwise::lift_centred(from, to, top, out);
        for (from, digit) in pairs {
            pointwise::scale_assign(to, out, to.constant(from.value()));
            pointwise::lift_centred(from, to, digit, scratch);
            pointwise::add_assign(to, out, scratch);
        }
    }

    /// Divides by the last prime, rounding to nearest, and drops that limb. `poly` is over this
    /// basis, the result over `prefix(limbs − 1)`.
    pub fn divide_by_last(&self, poly: &Poly<Coefficient>) -> Poly<Coefficient> {
        let mut out = poly.truncated(self.limbs() - 1);
        let Some(last) = self.moduli().last() else {
            return out;
        };
        let remainder = poly.limb(self.limbs() - 1);
        let mut lifted = Residues::zero(self.n);
        let limbs = self.moduli().zip(&self.last_inverses);
        for ((q, &inverse), limb) in limbs.zip(out.iter_mut()) {
            pointwise::lift_centred(last, q, remainder, &mut lifted);
            pointwise::sub_scale_assign(q, limb, &lifted, inverse);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::{BigInt, BigUint};
    use proptest::prelude::*;

    use super::*;

    const PRIMES: [u64; 3] = [1_125_899_906_826_241, 1_125_899_906_629_633, 1_073_643_521];

    fn basis(limbs: usize) -> RnsBasis {
        RnsBasis::new(16, &PRIMES[..limbs]).unwrap()
    }

    fn integer(words: [u64; 2], basis: &RnsBasis) -> BigUint {
        let q = basis
            .moduli()
            .fold(BigUint::from(1_u8), |q, m| q * m.value());
        ((BigUint::from(words[0]) << 64) + words[1]) % q
    }

    fn residues(x: &BigUint, basis: &RnsBasis) -> Vec<u64> {
        basis
            .moduli()
            .map(|m| u64::try_from(x % m.value()).unwrap())
            .collect()
    }

    proptest! {
        #[test]
        fn mixed_radix_gives_the_integer_back(words: [u64; 2], limbs in 1_usize..=3) {
            let basis = basis(limbs);
            let x = integer(words, &basis);
            let mut digits = residues(&x, &basis);
            basis.mixed_radix(&mut digits);
            let m = Modulus::new(12_289).unwrap();
            prop_assert_eq!(BigUint::from(basis.digits_modulo(&digits, m)), &x % 12_289_u64);
            let back = digits.iter().zip(basis.moduli()).rev()
                .fold(BigUint::ZERO, |x, (&d, m)| x * m.value() + d);
            prop_assert_eq!(&back, &x);
            let float: f64 = x.to_string().parse().unwrap();
            prop_assert!((basis.digits_to_f64(&digits) - float).abs() <= float * 1e-14);
        }

        #[test]
        fn division_by_the_last_prime_rounds(words: [u64; 2]) {
            let basis = basis(3);
            let x = integer(words, &basis);
            let mut poly = Poly::zero(16, 3);
            for (j, r) in residues(&x, &basis).into_iter().enumerate() {
                poly.limb_mut(j)[5] = r;
            }
            let divided = basis.divide_by_last(&poly);
            let expected = (x + PRIMES[2] / 2) / PRIMES[2];
            for (j, r) in residues(&expected, &basis.prefix(2)).into_iter().enumerate() {
                prop_assert_eq!(divided.limb(j)[5], r);
            }
        }
    }

    proptest! {
        #[test]
        fn centred_digits_stand_for_a_small_integer(words: [u64; 2], limbs in 1_usize..=3) {
            let (basis, m) = (basis(limbs), Modulus::new(1_073_479_681).unwrap());
            let x = integer(words, &basis);
            let mut digits: Vec<u64> = residues(&x, &basis).iter().flat_map(|&r| [r; 16]).collect();
            let (mut out, mut scratch) = ([0; 16], [0; 16]);
            basis.centred_digits(&mut digits, &mut scratch);
            basis.lift_digits(&digits, m, &mut out, &mut scratch);
            let pairs = basis.moduli().zip(digits.chunks(16)).rev();
            let signed = pairs.fold(BigInt::ZERO, |y, (q, d)| y * q.value() + q.centred(d[0]));
            let product = basis.moduli().fold(BigInt::from(1), |y, q| y * q.value());
            prop_assert_eq!((&signed - BigInt::from(x)) % &product, BigInt::ZERO);
            prop_assert!(&signed * 2 <= &product + (&product >> 28_u32));
            prop_assert!(&signed * -2 <= &product + (&product >> 28_u32));
            let expected = ((signed % m.value()) + m.value()) % m.value();
            for out in out {
                prop_assert_eq!(BigInt::from(out), expected.clone());
            }
        }
    }

    #[test]
    fn products_and_halves_agree_with_big_integers() {
        let (basis, m) = (basis(3), Modulus::new(12_289).unwrap());
        let q = basis
            .moduli()
            .fold(BigUint::from(1_u8), |q, m| q * m.value());
        assert_eq!(BigUint::from(basis.product_modulo(m)), &q % 12_289_u64);
        assert_eq!(
            BigUint::from(basis.half_modulo(m)),
            (&q >> 1_u32) % 12_289_u64
        );
        assert!((basis.log2() - 130.0).abs() < 1e-3);
    }

    #[test]
    fn bad_bases_are_refused() {
        assert_eq!(RnsBasis::new(16, &[]).unwrap_err(), BasisError::Empty);
        let twice = [1_073_643_521, PRIMES[0], 1_073_643_521];
        assert_eq!(
            RnsBasis::new(16, &twice).unwrap_err(),
            BasisError::Repeated(1_073_643_521)
        );
        assert_eq!(
            RnsBasis::new(16, &[15]).unwrap_err(),
            BasisError::Prime(PrimeError::Composite(15))
        );
    }
}
