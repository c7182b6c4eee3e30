//! What each operation does to a ciphertext's error: one variance and one worst case each.
//!
//! The phase of a ciphertext is (q/p)·m + e, in *scaled* form: a message is encoded as ⌊(q/p)·m⌉, so a
//! plaintext product that wraps mod p wraps mod q with it and leaves nothing, and encoding leaves a
//! rounding of at most 1/2. (With Δ·m, Δ = ⌊q/p⌋, as in Gazelle, a product that exceeds p by k·p leaves
//! k·(q mod p): [`wrap_remainder`] is that remainder, which such a scheme must keep small. Here the term
//! does not exist.) For a coefficient of e, error σ, no error drawn beyond B, ternary secret, operands
//! independent and of mean zero, plaintexts with coefficients in ±w/2:
//!
//! | operation | variance | worst case |
//! | --- | --- | --- |
//! | fresh, secret key | σ² + 1/12 | B + 1/2 |
//! | fresh, public key | σ²·(4n/3 + 1) + 1/12 | (2n + 1)·B + 1/2 |
//! | plaintext added | + 1/12 | + 1/2 |
//! | sum | sum | sum |
//! | plaintext product | × n·E\[w²\] = n·w²/12 (coefficients as if uniform) | × n·w/2 |
//! | rotation | + that of a key switch | + that of a key switch |
//! | key switch, centred digits of ranges rⱼ, special primes of product P | n·σ²·Σⱼ(rⱼ/P)²/12, with special primes + (1 + 2n/3)/12 | n·B·Σⱼ(rⱼ/P)/2, with special primes + (1 + n)/2 |
//! | flooding to f | (uniform) | + 2^f |
//! | modulus switch q → q′ | × (q′/q)², then + (1 + 2n/3)/12 | × q′/q, then + (1 + n)/2 |
//!
//! w is p for weights encoded whole, about the base for digits of them ([`Windows`](crate::packing::Windows)). The variances are the textbook's (Kim, Polyakov, Zucca 2021, section 4,
//! average case). Polynomials that are sparse because their slots repeat have smaller products; the model
//! is then an upper bound. Whole layers: `noise_form`.

use crate::ring::sampler::ERROR_SIGMA;

/// Variance σ² of the error distribution.
const ERROR_VARIANCE: f64 = ERROR_SIGMA * ERROR_SIGMA;

/// No error is drawn beyond: 2⁶³ times the chance of it is below 1.
const ERROR_BOUND: f64 = 30.0;

/// Variance of rounding to an integer.
const ROUNDING: f64 = 1.0 / 12.0;

/// Variance of a fresh encryption under the secret key.
pub fn fresh_secret() -> f64 {
    ERROR_VARIANCE + ROUNDING
}

/// Variance of a fresh encryption under the public key.
pub fn fresh_public(n: usize) -> f64 {
    ERROR_VARIANCE * (4.0 * n as f64 / 3.0 + 1.0) + ROUNDING
}

/// What adding an encoded plaintext adds to the variance.
pub const fn plaintext_added() -> f64 {
    ROUNDING
}

/// Factor on the variance of a product with a plaintext whose coefficients have this mean square: w²/12 where they
/// look uniform in ±w/2.
pub fn product_gain(n: usize, mean_square: f64) -> f64 {
    n as f64 * mean_square
}

/// q mod p, centred: what a wrapped product would leave in the error, per wrap, under Δ = ⌊q/p⌋.
pub fn wrap_remainder(q: &[u64], p: u64) -> i64 {
    let product = q.iter().fold(1, |product, &q| {
        product * u128::from(q) % u128::from(p.max(1))
    });
    let remainder = i64::try_from(product).unwrap_or_default();
    if u128::from(p) < 2 * product {
        remainder - p.cast_signed()
    } else {
        remainder
    }
}

/// Variance of what a product leaves in each coefficient under Δ = ⌊q/p⌋: k·(q mod p), where it exceeds p by
/// k·p. A product of polynomials with coefficients as if uniform in ±p/2 has variance n·p⁴/144, k that over p².
pub fn wrapped(n: usize, p: u64, remainder: i64) -> f64 {
    n as f64 * (p as f64 * remainder as f64).powi(2) / 144.0
}

/// Variance that dividing both parts of a ciphertext and rounding leaves: (1 + 2n/3)/12.
pub fn switch_rounding(n: usize) -> f64 {
    (1.0 + 2.0 * n as f64 / 3.0) * ROUNDING
}

/// What one key switch adds, for centred digits of these ranges (`bfv::digit_ranges`) and special primes
/// of product P; without special primes nothing is divided and rounded.
pub fn key_switch(n: usize, ranges: &[f64], special: &[u64]) -> f64 {
    let product: f64 = special.iter().map(|&prime| prime as f64).product();
    let digits = ranges.iter().map(|range| (range / product).powi(2)).sum();
    key_switch_of(n, digits, special.len())
}

/// Variance of a key switch whose digits have Σⱼ(rⱼ/P)² = `squares`.
pub(super) fn key_switch_of(n: usize, squares: f64, special: usize) -> f64 {
    let rounding = if special == 0 {
        0.0
    } else {
        switch_rounding(n)
    };
    n as f64 * ERROR_VARIANCE * squares / 12.0 + rounding
}

/// Variance after switching the modulus from q to q′, `ratio` = q′/q.
pub fn modulus_switched(n: usize, variance: f64, ratio: f64) -> f64 {
    variance * ratio * ratio + switch_rounding(n)
}

/// Worst cases of the same operations.
pub mod worst {
    use super::ERROR_BOUND;

    /// A fresh encryption under the secret key.
    pub const fn fresh_secret() -> f64 {
        ERROR_BOUND + plaintext_added()
    }

    /// A fresh encryption under the public key: u·e + e₁ + s·e₂.
    pub const fn fresh_public(n: usize) -> f64 {
        (2.0 * n as f64 + 1.0) * ERROR_BOUND + plaintext_added()
    }

    /// What adding an encoded plaintext adds.
    pub const fn plaintext_added() -> f64 {
        0.5
    }

    /// Factor of a product with a plaintext none of whose coefficients exceeds `greatest`.
    pub fn product_gain(n: usize, greatest: f64) -> f64 {
        n as f64 * greatest
    }

    /// What dividing both parts of a ciphertext and rounding leaves.
    pub fn switch_rounding(n: usize) -> f64 {
        (1.0 + n as f64) / 2.0
    }

    /// What one key switch adds; arguments as in [`key_switch`](super::key_switch).
    pub fn key_switch(n: usize, ranges: &[f64], special: &[u64]) -> f64 {
        let product: f64 = special.iter().map(|&prime| prime as f64).product();
        let digits: f64 = ranges.iter().map(|range| range / product / 2.0).sum();
        let rounding = if special.is_empty() {
            0.0
        } else {
            switch_rounding(n)
        };
        n as f64 * ERROR_BOUND * digits + rounding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_switch_noise_is_rounding_once_the_special_prime_is_larger() {
        let ranges = [(1_u64 << 36) as f64; 2];
        let rounding = switch_rounding(4096);
        assert!((key_switch(4096, &ranges, &[1 << 50]) / rounding - 1.0).abs() < 1e-3);
        let equal = key_switch(4096, &ranges, &[1 << 36]);
        assert!((equal - rounding - 2.0 * 4096.0 * ERROR_VARIANCE / 12.0).abs() < 1e-6);
    }

    #[test]
    fn switching_divides_the_noise_and_adds_a_rounding() {
        let variance = modulus_switched(4096, 1e30, 2_f64.powi(-50));
        assert!((variance - switch_rounding(4096)).abs() < 1.0);
        assert!(fresh_public(4096) > 4096.0 * fresh_secret());
        assert_eq!(plaintext_added(), ROUNDING);
    }

    #[test]
    fn the_worst_case_is_worse_than_any_deviation() {
        let ranges = [(1_u64 << 36) as f64; 2];
        let pairs = [
            (fresh_secret(), worst::fresh_secret()),
            (fresh_public(4096), worst::fresh_public(4096)),
            (plaintext_added(), worst::plaintext_added()),
            (
                product_gain(4096, 65_537.0 * 65_537.0 / 12.0),
                worst::product_gain(4096, 65_537.0 / 2.0),
            ),
            (switch_rounding(4096), worst::switch_rounding(4096)),
            (
                key_switch(4096, &ranges, &[1 << 37]),
                worst::key_switch(4096, &ranges, &[1 << 37]),
            ),
            (
                key_switch(4096, &ranges, &[]),
                worst::key_switch(4096, &ranges, &[]),
            ),
        ];
        for (variance, bound) in pairs {
            assert!(bound > variance.sqrt(), "{variance} {bound}");
        }
    }

    /// Schoolbook products of random polynomials: how often they wrap.
    #[test]
    fn products_wrap_as_often_as_the_formula_says() {
        use rand::{RngExt, SeedableRng};
        let (n, p) = (512, 307_201_i64);
        let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(3);
        let mut draw = || -> Vec<i128> {
            let centred = || rng.random_range(0..p) - p / 2;
            std::iter::repeat_with(centred)
                .take(n)
                .map(i128::from)
                .collect()
        };
        let mut squares = 0.0;
        let runs = 12;
        for _ in 0..runs {
            let (a, b) = (draw(), draw());
            for k in 0..n {
                let term = |i: usize| {
                    let product = a[i] * b[(n + k - i) % n];
                    if i > k { -product } else { product }
                };
                let sum: i128 = (0..n).map(term).sum();
                squares += ((sum as f64 / p as f64).round() * 4.0).powi(2);
            }
        }
        let measured = squares / (runs * n) as f64;
        let ratio = measured / wrapped(n, p.cast_unsigned(), 4);
        assert!((0.95..1.05).contains(&ratio), "{ratio}");
    }

    #[test]
    fn the_remainder_of_gazelles_pairs_is_small() {
        // The printed pairs have q mod p = 1, 2 and 4.
        for (p, q, remainder) in [
            (307_201, 1_152_921_504_346_550_273, 1),
            (557_057, 1_152_921_504_499_937_281, 2),
            (1_712_129, 1_152_921_504_414_760_961, 4),
        ] {
            assert_eq!(wrap_remainder(&[q], p), remainder);
        }
        assert_eq!(wrap_remainder(&[12_289, 40_961], 5), -1);
    }
}
