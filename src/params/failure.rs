//! How rarely a decryption fails: Gaussian tails as logarithms, union bounds, the flooding's width.
//!
//! A coefficient with Gaussian error of standard deviation s and room m (what is left of q/(2p)) fails with
//! probability erfc(z/√2), z = m/s. All N coefficients that a layer decrypts fail with at most N times
//! that. NASS section 4.1.3 asks for δ per inference; here δ is split evenly over the linear
//! layers, then over their coefficients.
//!
//! Everything is kept as log2, since 2⁻¹⁰⁰⁰⁰ is a usual value once replies are flooded. Above z/√2 = 20,
//! erfc comes from its asymptotic series (Abramowitz and Stegun 7.1.23), relative error below 10⁻⁸ there.

/// Least probability that is ever printed.
const LEAST_PROBABILITY: f64 = 1e-300;

/// log2 of erfc(x), for any x of at least 0.
fn log2_erfc(x: f64) -> f64 {
    if x < 20.0 {
        return libm::erfc(x).log2();
    }
    let inverse = 1.0 / (2.0 * x * x);
    let series = 1.0 - inverse * (1.0 - inverse * (3.0 - inverse * 15.0));
    (series / (x * std::f64::consts::PI.sqrt())).log2() - x * x * std::f64::consts::LOG2_E
}

/// log2 of the probability that a Gaussian exceeds `z` standard deviations in absolute value; 0 (that is,
/// certainty) where `z` is not positive.
pub fn log2_tail(z: f64) -> f64 {
    if z > 0.0 {
        log2_erfc(z * std::f64::consts::FRAC_1_SQRT_2)
    } else {
        0.0
    }
}

/// The z whose [`log2_tail`] is `log2_probability` (at most 0): how many standard deviations are needed.
///
/// By Newton's method from above: the logarithm of the tail is concave and falls, so no step leads below the root.
pub fn tail_quantile(log2_probability: f64) -> f64 {
    // The tail falls faster than 2^(-z²/2·log2 e), so the root lies below this.
    let mut z = (-2.0 * log2_probability / std::f64::consts::LOG2_E)
        .max(0.0)
        .sqrt()
        + 1.0;
    loop {
        let tail = log2_tail(z);
        // d/dz log2 erfc(z/√2) = −log2 e · √(2/π)·e^(−z²/2) / erfc(z/√2).
        let ratio = (-0.5 * z * z * std::f64::consts::LOG2_E - tail).exp2();
        let slope = ratio * std::f64::consts::LOG2_E * (2.0 * std::f64::consts::FRAC_1_PI).sqrt();
        let next = (z - (log2_probability - tail) / slope).max(0.0);
        if next >= z * (1.0 - 4.0 * f64::EPSILON) || next.is_nan() {
            return z;
        }
        z = next;
    }
}

/// The share of `log2_probability` that each of `parts` equal parts may use (union bound).
pub fn split(log2_probability: f64, parts: u64) -> f64 {
    log2_probability - (parts.max(1) as f64).log2()
}

/// log2 of the probability that any of `parts` events of the given probability happens, at most 0.
pub fn union(log2_probability: f64, parts: u64) -> f64 {
    (log2_probability + (parts.max(1) as f64).log2()).min(0.0)
}

/// log2 of the probability that any of events of these probabilities (log2) happens, at most 0 (union bound).
pub fn any_of(log2_probabilities: impl IntoIterator<Item = f64>) -> f64 {
    let add = |sum: f64, next: f64| {
        let (more, less) = (sum.max(next), sum.min(next));
        if less.is_finite() {
            more + (less - more).exp2().ln_1p() / std::f64::consts::LN_2
        } else {
            more
        }
    };
    let all = log2_probabilities.into_iter();
    all.fold(f64::NEG_INFINITY, add).min(0.0)
}

/// A probability for print: never 0, at least 10⁻³⁰⁰.
pub fn printable_probability(log2_probability: f64) -> f64 {
    log2_probability.exp2().clamp(LEAST_PROBABILITY, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Required Δ/(2s), one row a target, for N = 1, 2048, 8192, 10⁶ coefficients.
    #[test]
    fn quantiles_are_those_of_the_table() {
        for (target, row) in [
            (1e-2_f64.log2(), [2.58, 4.57, 4.85, 5.73]),
            (1e-3_f64.log2(), [3.29, 5.03, 5.29, 6.11]),
            (-32.0, [6.34, 7.42, 7.61, 8.20]),
            (-40.0, [7.14, 8.13, 8.29, 8.85]),
            (-64.0, [9.16, 9.95, 10.1, 10.5]),
        ] {
            for (count, expected) in [1, 2048, 8192, 1_000_000].into_iter().zip(row) {
                let z = tail_quantile(split(target, count));
                let digits = if expected >= 10.0 { 0.05 } else { 0.005 };
                assert!(
                    (z - expected).abs() <= digits + 1e-9,
                    "{target} {count}: {z}"
                );
            }
        }
    }

    #[test]
    fn rarer_failures_cost_little() {
        let z = |target: f64| tail_quantile(split(target, 8192));
        let bits = (z(-40.0) / z(1e-3_f64.log2())).log2();
        assert!((bits - 0.65).abs() < 0.005, "{bits}");
    }

    #[test]
    fn the_series_meets_erfc() {
        // Both forms, side by side, where erfc is still a normal number.
        for x in [20.0_f64, 22.0, 25.0, 26.0] {
            let direct = libm::erfc(x).log2();
            assert!((log2_erfc(x) - direct).abs() < 1e-6, "{x}");
        }
        assert!(log2_tail(1e6).is_finite());
        assert!(log2_tail(37.0) < -900.0);
        assert_eq!(log2_tail(-3.0), 0.0);
        assert_eq!(log2_tail(f64::NAN), 0.0);
    }

    #[test]
    fn probabilities_are_never_printed_as_zero() {
        assert_eq!(printable_probability(-1e12), 1e-300);
        assert_eq!(printable_probability(-1.0), 0.5);
        assert_eq!(union(-1.0, 1024), 0.0);
    }

    proptest! {
        #[test]
        fn quantile_inverts_tail(log2_probability in -5000.0..-0.01_f64) {
            let back = log2_tail(tail_quantile(log2_probability));
            prop_assert!((back - log2_probability).abs() < 1e-6 * log2_probability.abs().max(1.0));
        }

        #[test]
        fn unlike_events_add_up_as_like_ones(
            log2_probability in -3000.0..-41.0_f64, parts in 1_u64..1000,
        ) {
            let each = (0..parts).map(|_| log2_probability);
            let sum = any_of(each);
            prop_assert!((sum - union(log2_probability, parts)).abs() < 1e-9);
            prop_assert!(any_of([log2_probability, -4000.0]) >= log2_probability);
        }

        #[test]
        fn splitting_and_union_cancel(log2_probability in -500.0..-40.0_f64, parts in 1_u64..1 << 40) {
            let back = union(split(log2_probability, parts), parts);
            prop_assert!((back - log2_probability).abs() < 1e-9);
        }
    }
}
