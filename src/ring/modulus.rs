//! Arithmetic modulo one odd integer q < 2^61: values in `0..q` in, values in `0..q` out.
//!
//! Products are reduced by Barrett's method: with k the bit length of q and µ = ⌊2^2k / q⌋,
//! x − ⌊⌊x / 2^(k−1)⌋·µ / 2^(k+1)⌋·q < 3q for all x < q² (Menezes, van Oorschot, Vanstone,
//! *Handbook of Applied Cryptography*, algorithm 14.42). A factor that stays the same carries its
//! Shoup quotients ⌊w·2^64 / q⌋ and ⌊w·2^52 / q⌋ ([`Constant`]).
//!
//! Polynomials that are multiplied often are kept as *factors*: each value times R mod q, R = 2^52
//! for q of at most [`Modulus::NARROW_BITS`] bits and R = 2^104 above. A product x·(f·R) is then
//! divided by R, 52 bits at a time: m·q with m = x·f·R/q mod 2^52 has the same low 52 bits, and what is
//! left after subtracting it is shifted (Montgomery, "Modular multiplication without trial
//! division", 1985). 52 bits are the width of the vector multiplier.
//!
//! Operations are free of secret-dependent branches but not audited for constant time; `pow` and
//! `inverse` branch on the (public) exponent. Primality is not checked here.

/// An odd modulus q with 2 < q < 2^61.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modulus {
    value: u64,
    bits: u32,
    /// ⌊2^(2·bits) / q⌋.
    barrett: u64,
    /// ⌊2^64 / q⌋.
    barrett_word: u64,
    /// 2^64 mod q.
    word: u64,
    /// 1/q mod 2^52.
    inverse: u64,
    /// R mod q.
    radix: u64,
}

/// The low 52 bits of a word.
const LOW: u64 = (1 << 52) - 1;

/// A factor w in `0..q` with its Shoup quotients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constant {
    value: u64,
    quotient: u64,
    /// ⌊w·2^52 / q⌋.
    quotient_52: u64,
}

impl Constant {
    /// The factor w.
    pub const fn value(self) -> u64 {
        self.value
    }

    /// ⌊w·2^64 / q⌋.
    pub(super) const fn quotient(self) -> u64 {
        self.quotient
    }

    /// ⌊w·2^52 / q⌋.
    pub(super) const fn quotient_52(self) -> u64 {
        self.quotient_52
    }
}

impl Modulus {
    /// Bits that a modulus may have.
    pub const MAX_BITS: u32 = 61;
    /// Bits of a modulus for which the vector multiplier takes one step.
    pub const NARROW_BITS: u32 = 50;

    /// The modulus `value`, if it is odd, above 2 and below 2^61.
    pub const fn new(value: u64) -> Option<Self> {
        if value < 3 || value.is_multiple_of(2) || value >> Self::MAX_BITS != 0 {
            return None;
        }
        let bits = u64::BITS - value.leading_zeros();
        let radix = if bits <= Self::NARROW_BITS { 52 } else { 104 };
        Some(Self {
            value,
            bits,
            barrett: ((1_u128 << (2 * bits)) / value as u128) as u64,
            barrett_word: ((1_u128 << 64) / value as u128) as u64,
            word: ((1_u128 << 64) % value as u128) as u64,
            inverse: inverse_modulo_word(value) & LOW,
            radix: ((1_u128 << radix) % value as u128) as u64,
        })
    }

    /// Whether q has at most [`Modulus::NARROW_BITS`] bits.
    pub const fn is_narrow(self) -> bool {
        self.bits <= Self::NARROW_BITS
    }

    /// 1/q mod 2^52.
    pub(super) const fn inverse_52(self) -> u64 {
        self.inverse
    }

    /// R, which makes a value a factor.
    pub const fn radix(self) -> Constant {
        self.constant(self.radix)
    }

    /// q.
    pub const fn value(self) -> u64 {
        self.value
    }

    /// Bit length of q, which is also the width of a residue on the wire.
    pub const fn bits(self) -> u32 {
        self.bits
    }

    /// ⌊q/2⌋.
    pub const fn half(self) -> u64 {
        self.value / 2
    }

    /// x if x < q, else x − q; for x < 2q.
    #[inline]
    const fn fold(self, x: u64) -> u64 {
        let reduced = x.wrapping_sub(self.value);
        // The top bit is set exactly if x < q, since 2q < 2^62.
        let borrow = 0_u64.wrapping_sub(reduced >> 63);
        reduced.wrapping_add(self.value & borrow)
    }

    /// a + b.
    #[inline]
    pub const fn add(self, a: u64, b: u64) -> u64 {
        self.fold(a + b)
    }

    /// a − b.
    #[inline]
    pub const fn sub(self, a: u64, b: u64) -> u64 {
        self.fold(a + self.value - b)
    }

    /// −a.
    #[inline]
    pub const fn neg(self, a: u64) -> u64 {
        self.fold(self.value - a)
    }

    /// a·b.
    #[inline]
    pub const fn mul(self, a: u64, b: u64) -> u64 {
        let x = a as u128 * b as u128;
        let high = (x >> (self.bits - 1)) as u64;
        let quotient = ((high as u128 * self.barrett as u128) >> (self.bits + 1)) as u64;
        let remainder = (x as u64).wrapping_sub(quotient.wrapping_mul(self.value));
        self.fold(self.fold(remainder))
    }

    /// x mod q for any word x.
    #[inline]
    pub const fn reduce(self, x: u64) -> u64 {
        let quotient = ((x as u128 * self.barrett_word as u128) >> 64) as u64;
        self.fold(x.wrapping_sub(quotient.wrapping_mul(self.value)))
    }

    /// (high·2^64 + low) mod q, for high in `0..q`: one step of Horner's rule over words.
    #[inline]
    pub const fn shift_in_word(self, high: u64, low: u64) -> u64 {
        self.add(self.mul(high, self.word), self.reduce(low))
    }

    /// x mod q for a signed x.
    #[inline]
    pub const fn from_signed(self, x: i64) -> u64 {
        let magnitude = self.reduce(x.unsigned_abs());
        if x < 0 {
            self.neg(magnitude)
        } else {
            magnitude
        }
    }

    /// The residue of least absolute value that is congruent to a.
    #[inline]
    pub const fn centred(self, a: u64) -> i64 {
        if a > self.half() {
            a as i64 - self.value as i64
        } else {
            a as i64
        }
    }

    /// base^exponent.
    pub const fn pow(self, base: u64, exponent: u64) -> u64 {
        let (mut power, mut square, mut rest) = (1, self.reduce(base), exponent);
        while rest > 0 {
            if rest & 1 == 1 {
                power = self.mul(power, square);
            }
            square = self.mul(square, square);
            rest >>= 1;
        }
        power
    }

    /// 1/a if a and q have no common factor, by the extended Euclidean algorithm.
    pub const fn inverse(self, a: u64) -> Option<u64> {
        let (mut r0, mut r1) = (self.value as i128, self.reduce(a) as i128);
        let (mut t0, mut t1) = (0_i128, 1_i128);
        while r1 != 0 {
            let quotient = r0 / r1;
            (r0, r1) = (r1, r0 - quotient * r1);
            (t0, t1) = (t1, t0 - quotient * t1);
        }
        if r0 == 1 {
            Some(t0.rem_euclid(self.value as i128) as u64)
        } else {
            None
        }
    }

    /// The factor `value` (reduced first), prepared for many products.
    pub const fn constant(self, value: u64) -> Constant {
        let value = self.reduce(value);
        Constant {
            value,
            quotient: (((value as u128) << 64) / self.value as u128) as u64,
            quotient_52: (((value as u128) << 52) / self.value as u128) as u64,
        }
    }

    /// x/R mod q for a sum x of at most [`Modulus::MAX_TERMS`] products of residues.
    #[inline]
    pub const fn divide_by_radix(self, x: u128) -> u64 {
        if self.is_narrow() {
            self.reduce(self.lower_by_52(x))
        } else {
            self.fold(self.shift_out(self.shift_out(x)) as u64)
        }
    }

    /// Products that [`Modulus::divide_by_radix`] can take in one sum.
    pub const MAX_TERMS: usize = 32;

    /// x/2^52 modulo a narrow q, as an integer from 1 to x/2^52 + q.
    #[inline]
    const fn lower_by_52(self, x: u128) -> u64 {
        let m = (x as u64 & LOW).wrapping_mul(self.inverse) & LOW;
        let taken = ((m as u128 * self.value as u128) >> 52) as u64;
        (x >> 52) as u64 + self.value - taken
    }

    /// x/2^52 modulo q, as an integer below (x + 2^52·q)/2^52.
    #[inline]
    const fn shift_out(self, x: u128) -> u128 {
        let m = (x as u64 & LOW).wrapping_mul(self.inverse.wrapping_neg()) & LOW;
        (x + m as u128 * self.value as u128) >> 52
    }

    /// x·f, where `factor` is f·R.
    #[inline]
    pub const fn mul_factor(self, x: u64, factor: u64) -> u64 {
        let product = x as u128 * factor as u128;
        if self.is_narrow() {
            self.fold(self.lower_by_52(product))
        } else {
            self.divide_by_radix(product)
        }
    }

    /// w·x for any word x.
    #[inline]
    pub const fn mul_constant(self, w: Constant, x: u64) -> u64 {
        let quotient = ((w.quotient as u128 * x as u128) >> 64) as u64;
        self.fold(
            w.value
                .wrapping_mul(x)
                .wrapping_sub(quotient.wrapping_mul(self.value)),
        )
    }
}

/// 1/value mod 2^64 for odd values, by Newton's iteration: each step doubles the right bits, of
/// which the value itself has three.
const fn inverse_modulo_word(value: u64) -> u64 {
    let mut inverse = value;
    let mut bits = 3;
    while bits < u64::BITS {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(value.wrapping_mul(inverse)));
        bits *= 2;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn modulus() -> impl Strategy<Value = Modulus> {
        (2_u32..=61, any::<u64>()).prop_map(|(bits, x)| {
            let value = (1 << (bits - 1)) | (x >> (64 - bits)) | 1;
            Modulus::new(value).unwrap()
        })
    }

    proptest! {
        #[test]
        fn agrees_with_wide_division(q in modulus(), a: u64, b: u64) {
            let v = u128::from(q.value());
            let (x, y) = (a % q.value(), b % q.value());
            let (wide_x, wide_y) = (u128::from(x), u128::from(y));
            prop_assert_eq!(q.reduce(a), x);
            prop_assert_eq!(u128::from(q.add(x, y)), (wide_x + wide_y) % v);
            prop_assert_eq!(u128::from(q.sub(x, y)), (wide_x + v - wide_y) % v);
            prop_assert_eq!(u128::from(q.mul(x, y)), wide_x * wide_y % v);
            prop_assert_eq!(q.add(x, q.neg(x)), 0);
            prop_assert_eq!(
                u128::from(q.mul_constant(q.constant(a), b)),
                wide_x * u128::from(b) % v
            );
            prop_assert_eq!(
                u128::from(q.shift_in_word(x, b)),
                ((wide_x << 64) | u128::from(b)) % v
            );
            prop_assert_eq!(
                i128::from(q.from_signed(a as i64)),
                i128::from(a as i64).rem_euclid(v as i128)
            );
            prop_assert_eq!(q.from_signed(q.centred(x)), x);
            prop_assert!(q.centred(x).unsigned_abs() <= q.half());
        }

        #[test]
        fn factors_multiply(q in modulus(), terms in prop::collection::vec(any::<(u64, u64)>(), 1..=32)) {
            let (mut sum, mut expected) = (0, 0);
            for (x, y) in terms {
                let (x, y) = (q.reduce(x), q.reduce(y));
                let factor = q.mul_constant(q.radix(), y);
                prop_assert_eq!(q.mul_factor(x, factor), q.mul(x, y));
                sum += u128::from(x) * u128::from(factor);
                expected = q.add(expected, q.mul(x, y));
            }
            prop_assert_eq!(q.divide_by_radix(sum), expected);
            let largest = u128::from(q.value() - 1).pow(2) * Modulus::MAX_TERMS as u128;
            let r = u128::from(q.radix().value());
            let back = u128::from(q.divide_by_radix(largest)) * r % u128::from(q.value());
            prop_assert_eq!(back, largest % u128::from(q.value()));
        }

        #[test]
        fn inverse_times_value_is_one(q in modulus(), a: u64) {
            match q.inverse(a) {
                Some(inverse) => prop_assert_eq!(q.mul(inverse, q.reduce(a)), 1),
                None => {
                    let (mut x, mut y) = (q.value(), q.reduce(a));
                    while y != 0 { (x, y) = (y, x % y); }
                    prop_assert!(x > 1);
                }
            }
        }

        #[test]
        fn powers_multiply(q in modulus(), a: u64, x in 0_u64..1000, y in 0_u64..1000) {
            prop_assert_eq!(q.mul(q.pow(a, x), q.pow(a, y)), q.pow(a, x + y));
        }
    }

    #[test]
    fn even_tiny_and_wide_moduli_are_refused() {
        for value in [0, 1, 2, 4, 1 << 60, (1 << 61) + 1, u64::MAX] {
            assert_eq!(Modulus::new(value), None);
        }
        assert!(Modulus::new((1 << 61) - 1).is_some());
    }
}
