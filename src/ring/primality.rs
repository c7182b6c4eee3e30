//! Is a number of at most 64 bits prime? Certain answers.
//!
//! After a division by small primes, strong tests (n − 1 = d·2ˢ, and aᵈ = 1 or a^(d·2ʳ) = −1 for an r < s) to
//! the seven bases a of J. Sinclair, which no composite below 2⁶⁴ passes (miller-rabin.appspot.com; checked
//! there against Feitsma's list of all pseudoprimes to base 2).

const SMALL_PRIMES: [u64; 24] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
];

/// Whether a number is prime; certain.
pub fn is_prime(n: u64) -> bool {
    for prime in SMALL_PRIMES {
        if n.is_multiple_of(prime) {
            return n == prime;
        }
    }
    let small = n < 97 * 97;
    let strong = || {
        // Nearly all composites fail the first.
        let modulo = Montgomery::new(n);
        modulo.passes(FIRST_BASE) && modulo.passes(OTHER_BASES)
    };
    n > 1 && (small || strong())
}

/// No composite below 2⁶⁴ passes the strong tests to this one and the others.
const FIRST_BASE: [u64; 1] = [2];

const OTHER_BASES: [u64; 6] = [325, 9375, 28_178, 450_775, 9_780_504, 1_795_265_022];

/// Products modulo an odd number of at most 64 bits; x stands for x·2^−64.
struct Montgomery {
    n: u64,
    /// n⁻¹ mod 2⁶⁴.
    inverse: u64,
    /// 2⁶⁴ mod n.
    one: u64,
}

impl Montgomery {
    const fn new(n: u64) -> Self {
        // n·n = 1 mod 8, and each step doubles the bits that are right.
        let (mut inverse, mut bits) = (n, 3);
        while bits < u64::BITS {
            inverse = inverse.wrapping_mul(2_u64.wrapping_sub(n.wrapping_mul(inverse)));
            bits *= 2;
        }
        Self {
            n,
            inverse,
            one: (u64::MAX % n + 1) % n,
        }
    }

    fn product(&self, x: u64, y: u64) -> u64 {
        let high = |product: u128| (product >> 64) as u64;
        let product = u128::from(x) * u128::from(y);
        let quotient = (product as u64).wrapping_mul(self.inverse);
        let (difference, below) =
            high(product).overflowing_sub(high(u128::from(quotient) * u128::from(self.n)));
        if below {
            difference.wrapping_add(self.n)
        } else {
            difference
        }
    }

    /// Whether n passes the strong tests to some bases: all at once, as a product waits for the one before.
    fn passes<const BASES: usize>(&self, bases: [u64; BASES]) -> bool {
        let minus_one = self.n - self.one;
        let twos = (self.n - 1).trailing_zeros();
        let bases = bases.map(|base| self.of(base));
        let mut powers = self.powers(bases, (self.n - 1) >> twos);
        let first = |(power, base): (&u64, u64)| base == 0 || *power == self.one;
        let mut passed = [false; BASES];
        for (passed, first) in passed.iter_mut().zip(powers.iter().zip(bases).map(first)) {
            *passed = first;
        }
        for _ in 0..twos {
            for (passed, power) in passed.iter_mut().zip(&mut powers) {
                *passed |= *power == minus_one;
                *power = self.product(*power, *power);
            }
            if passed == [true; BASES] {
                return true;
            }
        }
        false
    }

    /// What stands for a number.
    fn of(&self, number: u64) -> u64 {
        let moved = (u128::from(number) << 64) % u128::from(self.n);
        u64::try_from(moved).unwrap_or_default()
    }

    fn powers<const BASES: usize>(&self, bases: [u64; BASES], exponent: u64) -> [u64; BASES] {
        let bits = (0..u64::BITS - exponent.leading_zeros()).rev();
        bits.fold([self.one; BASES], |mut powers, bit| {
            for (power, base) in powers.iter_mut().zip(bases) {
                *power = self.product(*power, *power);
                if exponent >> bit & 1 == 1 {
                    *power = self.product(*power, base);
                }
            }
            powers
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_numbers_are_told_apart() {
        assert!((0..100_000).all(|n| is_prime(n) == primal::is_prime(n)));
        // The largest prime below 2⁶⁴, and the least numbers that pass the first one to seven prime bases.
        assert!(is_prime(u64::MAX - 58) && !is_prime(u64::MAX));
        for pseudoprime in [
            2047,
            1_373_653,
            25_326_001,
            3_215_031_751,
            2_152_302_898_747,
            3_474_749_660_383,
            341_550_071_728_321,
            3_825_123_056_546_413_051,
        ] {
            assert!(!is_prime(pseudoprime));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn numbers_of_64_bits_are_told_apart(n: u64, bits in 0_u32..64, factor in 3_u64..1 << 32) {
            let next = (n >> bits..).find(|&n| primal::is_prime(n));
            for n in [n >> bits, (n >> bits) | 1, factor * (factor - 1) + 1].into_iter().chain(next) {
                prop_assert_eq!(is_prime(n), primal::is_prime(n), "{}", n);
            }
            let prime = (factor..).find(|&n| primal::is_prime(n)).unwrap_or(3);
            let product = prime.checked_mul(2 * prime - 1);
            prop_assert!(product.is_none_or(|n| !is_prime(n)));
        }
    }
}
