//! Is it prime? Numbers in, yes or no out.
//!
//! Up to 64 bits the answer is certain ([`crate::ring::is_prime`]). Above it is the test of Baillie and Wagstaff (*Lucas
//! pseudoprimes*, Mathematics of Computation 1980) with the parameters of Selfridge, as Pomerance,
//! Selfridge and Wagstaff recommend it: a strong test to base 2, then a strong Lucas test. No composite is
//! known that passes, and none below 2⁶⁴ does.
//!
//! Strong: N − 1 = d·2ˢ, and 2ᵈ = 1 or 2^(d·2ʳ) = −1 for an r < s. Lucas: P = 1, Q = (1 − D)/4, D the first of
//! 5, −7, 9, −11, … with (D/N) = −1; N + 1 = d·2ˢ, and U_d = 0 or V_(d·2ʳ) = 0 for an r < s.

use num_bigint::BigUint;

use crate::ring::is_prime;

/// Whether `candidate` is prime: certain up to 64 bits, above by the test of Baillie and Wagstaff.
pub fn is_probable_prime(candidate: &BigUint) -> bool {
    if let Ok(small) = u64::try_from(candidate) {
        return is_prime(small);
    }
    let divides = |&p: &u32| candidate % p == BigUint::ZERO;
    !SMALL_PRIMES.iter().any(divides) && passes_strong_tests(candidate)
}

const SMALL_PRIMES: [u32; 24] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
];

/// Both tests, for odd numbers above 3.
pub(super) fn passes_strong_tests(candidate: &BigUint) -> bool {
    strong_to_base_2(candidate) && strong_lucas(candidate)
}

fn strong_to_base_2(n: &BigUint) -> bool {
    let minus_one = n - 1_u32;
    let twos = minus_one.trailing_zeros().unwrap_or(0);
    let mut power = BigUint::from(2_u32).modpow(&(&minus_one >> twos), n);
    if power == BigUint::from(1_u32) || power == minus_one {
        return true;
    }
    (1..twos).any(|_| {
        power = &power * &power % n;
        power == minus_one
    })
}

fn strong_lucas(n: &BigUint) -> bool {
    let root = n.sqrt();
    if &root * &root == *n {
        return false;
    }
    // Numbers that are no squares have such a D, on average the second one; other D show a divisor.
    let candidates = (5_i64..).step_by(2).zip([1, -1].into_iter().cycle());
    let signed = candidates.map(|(size, sign)| size * sign);
    let Some(d) = signed.take(1 << 16).find(|&d| jacobi(d, n) != 1) else {
        return false;
    };
    if jacobi(d, n) == 0 {
        return *n == BigUint::from(d.unsigned_abs());
    }
    Lucas::new(d, n).passes()
}

/// (d/n), for odd n.
fn jacobi(d: i64, n: &BigUint) -> i32 {
    let mut sign = 1;
    let low = |mask: u64| n.iter_u64_digits().next().unwrap_or(0) & mask;
    if d < 0 && low(3) == 3 {
        sign = -sign;
    }
    let mut top = d.unsigned_abs();
    if top.is_multiple_of(2) {
        return 0;
    }
    // (top/n), both odd: reciprocity once, then 64-bit numbers.
    if top & 3 == 3 && low(3) == 3 {
        sign = -sign;
    }
    let mut bottom = top;
    top = u64::try_from(n % bottom).unwrap_or(0);
    while top != 0 {
        let twos = top.trailing_zeros();
        top >>= twos;
        if twos % 2 == 1 && matches!(bottom & 7, 3 | 5) {
            sign = -sign;
        }
        if top & 3 == 3 && bottom & 3 == 3 {
            sign = -sign;
        }
        (top, bottom) = (bottom % top, top);
    }
    if bottom == 1 { sign } else { 0 }
}

/// The sequences U, V of P = 1 and D modulo n, with the powers of Q.
struct Lucas<'a> {
    n: &'a BigUint,
    d: BigUint,
    q: BigUint,
    u: BigUint,
    v: BigUint,
    power: BigUint,
}

impl<'a> Lucas<'a> {
    /// At index 1.
    fn new(d: i64, n: &'a BigUint) -> Self {
        let residue = |x: i64| {
            let size = BigUint::from(x.unsigned_abs()) % n;
            if x < 0 { (n - size) % n } else { size }
        };
        let (one, q) = (BigUint::from(1_u32), residue((1 - d) / 4));
        Self {
            n,
            d: residue(d),
            power: q.clone(),
            q,
            u: one.clone(),
            v: one,
        }
    }

    fn passes(mut self) -> bool {
        let next = self.n + 1_u32;
        let twos = next.trailing_zeros().unwrap_or(0);
        let odd = &next >> twos;
        for bit in (0..odd.bits() - 1).rev() {
            self.double();
            if odd.bit(bit) {
                self.advance();
            }
        }
        if self.u == BigUint::ZERO || self.v == BigUint::ZERO {
            return true;
        }
        (1..twos).any(|_| {
            self.double();
            self.v == BigUint::ZERO
        })
    }

    /// `U_2k = U·V`, `V_2k = V² − 2Qᵏ`.
    fn double(&mut self) {
        self.u = &self.u * &self.v % self.n;
        let twice = &self.power << 1;
        self.v = (&self.v * &self.v + (self.n << 1) - twice) % self.n;
        self.power = &self.power * &self.power % self.n;
    }

    /// `U_(k+1) = (U + V)/2`, `V_(k+1) = (D·U + V)/2`.
    fn advance(&mut self) {
        let u = self.half(&self.u + &self.v);
        self.v = self.half((&self.d * &self.u + &self.v) % self.n);
        self.u = u;
        self.power = &self.power * &self.q % self.n;
    }

    fn half(&self, x: BigUint) -> BigUint {
        let even = if x.bit(0) { x + self.n } else { x };
        (even >> 1_u32) % self.n
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Odd composites below 60,000 that pass, found by trying all.
    fn pseudoprimes(passes: fn(&BigUint) -> bool) -> Vec<u32> {
        let odd = (5..60_000_u32).step_by(2);
        let composite = odd.filter(|&n| !primal::is_prime(n.into()));
        composite.filter(|&n| passes(&n.into())).collect()
    }

    /// All of the published ones below 60,000 (OEIS A001262 and A217255), and none in common.
    #[test]
    fn each_test_alone_has_the_pseudoprimes_that_are_known() {
        let known = [
            2047, 3277, 4033, 4681, 8321, 15_841, 29_341, 42_799, 49_141, 52_633,
        ];
        assert_eq!(pseudoprimes(strong_to_base_2), known);
        let known = [
            5459, 5777, 10_877, 16_109, 18_971, 22_499, 24_569, 25_199, 40_309, 58_519,
        ];
        assert_eq!(pseudoprimes(strong_lucas), known);
        assert_eq!(pseudoprimes(passes_strong_tests), [0; 0]);
    }

    #[test]
    fn no_prime_fails() {
        for n in (5..60_000_u32)
            .step_by(2)
            .filter(|&n| primal::is_prime(n.into()))
        {
            assert!(passes_strong_tests(&n.into()), "{n}");
        }
    }

    #[test]
    fn known_large_numbers_are_told_apart() {
        let mersenne = |e: u32| (BigUint::from(1_u32) << e) - 1_u32;
        for (exponent, prime) in [
            (89, true),
            (107, true),
            (127, true),
            (101, false),
            (131, false),
        ] {
            assert_eq!(is_probable_prime(&mersenne(exponent)), prime);
        }
        // A product of two primes of 61 and 89 bits, and the square of one, have no small factor.
        assert!(!is_probable_prime(&(mersenne(61) * mersenne(89))));
        assert!(!is_probable_prime(&(mersenne(89) * mersenne(89))));
        // (k + 1)(2k + 1): the shape that passes single bases oftenest.
        let k = BigUint::from(1_u32) << 70;
        assert!(!is_probable_prime(&((&k + 1_u32) * ((&k << 1) + 1_u32))));
    }

    /// Miller and Rabin with the first 40 primes as bases.
    fn miller_rabin(n: &BigUint) -> bool {
        let minus_one = n - 1_u32;
        let twos = minus_one.trailing_zeros().unwrap();
        primal::Primes::all().take(40).all(|base| {
            let mut power = BigUint::from(base).modpow(&(&minus_one >> twos), n);
            (0..twos).any(|r| {
                let passes = power == minus_one || (r == 0 && power == BigUint::from(1_u32));
                power = &power * &power % n;
                passes
            })
        })
    }

    proptest! {
        #[test]
        fn the_answer_is_that_of_forty_bases(bytes in prop::collection::vec(any::<u8>(), 9..32)) {
            let mut n = BigUint::from_bytes_le(&bytes) << 1 | BigUint::from(1_u32);
            n |= BigUint::from(1_u32) << 65;
            prop_assert_eq!(is_probable_prime(&n), miller_rabin(&n));
            // And at the next prime above.
            while !miller_rabin(&n) {
                prop_assert!(!is_probable_prime(&n));
                n += 2_u32;
            }
            prop_assert!(is_probable_prime(&n));
        }
    }
}
