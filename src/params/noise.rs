//! NoiseForm of a linear layer, in closed form: a packing plan run over variances instead of ciphertexts.
//!
//! In goes the plan, through [`HeOps`]; out comes a [`NoiseForm`] for each output ciphertext. The phase of a
//! ciphertext is (q/p)·m + e (scaled form: wrapped plaintext products vanish mod q, and encoding leaves a
//! rounding of variance 1/12 instead of a term in q mod p). Variances of a coefficient of e, error σ,
//! ternary secret, operands independent and of mean zero:
//!
//! | operation | variance |
//! | --- | --- |
//! | fresh, secret key | σ² + 1/12 |
//! | fresh, public key | σ²·(4n/3 + 1) + 1/12 |
//! | plaintext added | + 1/12 |
//! | sum | sum |
//! | plaintext product | × n·E\[w²\] = n·p²/12 (weights centred, coefficients as if uniform mod p) |
//! | key switch, centred digits of ranges rⱼ, special primes of product P | + n·σ²·Σⱼ(rⱼ/P)²/12 + (1 + 2n/3)/12 |
//! | modulus switch q → q′ | × (q′/q)², then + (1 + 2n/3)/12 |
//!
//! Two variances are kept: the *mean* over the coefficients, which a product turns into the variance of
//! every coefficient of its result, and the *peak* over them, which decides whether decryption fails.
//! They part when a ciphertext is added to a rotation of itself: an automorphism fixes some coefficients
//! (always the constant one), so there errors add, not variances; folding 2ᵏ rotations leaves there 4ᵏ times
//! the variance, against 2ᵏ on average. A *lineage* marks ciphertexts that are rotations of one another.
//!
//! Both are linear in two sources (an input's error, one key switch's error), so a plan is run once for each
//! (n, p) and evaluated for any q.
//! Sources: the table is textbook (Kim, Polyakov, Zucca 2021, section 4, in average-case form). Polynomials
//! that are sparse because their slots repeat have smaller products; the model is then an upper bound.
//!
//! It does not treat ciphertext-ciphertext products; there are none here.

use std::cell::Cell;
use std::convert::Infallible;

use crate::bfv::{HeOps, Rotation};
use crate::packing::Plan;
use crate::ring::sampler::ERROR_SIGMA;

/// Variance σ² of the error distribution.
const ERROR_VARIANCE: f64 = ERROR_SIGMA * ERROR_SIGMA;

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

/// Factor on the variance of a product with a plaintext that looks uniform mod p.
pub fn product_gain(n: usize, p: u64) -> f64 {
    n as f64 * (p as f64) * (p as f64) / 12.0
}

/// Variance that dividing both parts of a ciphertext and rounding leaves: (1 + 2n/3)/12.
pub fn switch_rounding(n: usize) -> f64 {
    (1.0 + 2.0 * n as f64 / 3.0) * ROUNDING
}

/// Variance that one key switch adds, for centred digits of these ranges (`bfv::digit_ranges`) and
/// special primes of product P; without special primes nothing is divided and rounded.
pub fn key_switch(n: usize, ranges: &[f64], special: &[u64]) -> f64 {
    let product: f64 = special.iter().map(|&prime| prime as f64).product();
    let digits: f64 = ranges
        .iter()
        .map(|range| (range / product).powi(2) / 12.0)
        .sum();
    let rounding = if special.is_empty() {
        0.0
    } else {
        switch_rounding(n)
    };
    n as f64 * ERROR_VARIANCE * digits + rounding
}

/// Variance after switching the modulus from q to q′, `ratio` = q′/q.
pub fn modulus_switched(n: usize, variance: f64, ratio: f64) -> f64 {
    variance * ratio * ratio + switch_rounding(n)
}

/// A variance, over the coefficients: on average, and where it is greatest.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Variance {
    /// Mean over the coefficients.
    pub mean: f64,
    /// Greatest of any coefficient.
    pub peak: f64,
}

impl Variance {
    const ONE: Self = Self {
        mean: 1.0,
        peak: 1.0,
    };

    fn sum(self, other: Self, kinship: Kinship) -> Self {
        Self {
            mean: self.mean + other.mean,
            peak: match kinship {
                Kinship::Independent => self.peak + other.peak,
                Kinship::Rotations => {
                    let deviation = self.peak.sqrt() + other.peak.sqrt();
                    deviation * deviation
                }
            },
        }
    }

    fn product(self, gain: f64) -> Self {
        let variance = self.mean * gain;
        Self {
            mean: variance,
            peak: variance,
        }
    }

    fn scaled(self, source: f64) -> Self {
        Self {
            mean: self.mean * source,
            peak: self.peak * source,
        }
    }
}

/// How two errors that are added hang together.
#[derive(Clone, Copy)]
enum Kinship {
    Independent,
    Rotations,
}

/// Variances of the two sources that a [`NoiseForm`] is linear in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseSources {
    /// Of an input ciphertext.
    pub input: f64,
    /// Of one key switch.
    pub key_switch: f64,
}

/// The error of a ciphertext, in units of the sources: the tracker's ciphertext.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseForm {
    input: Variance,
    key_switch: Variance,
    lineage: u64,
}

impl NoiseForm {
    /// The variance, given those of the sources.
    pub fn variance(&self, sources: &NoiseSources) -> Variance {
        let input = self.input.scaled(sources.input);
        input.sum(
            self.key_switch.scaled(sources.key_switch),
            Kinship::Independent,
        )
    }

    fn sum(&self, other: &Self, kinship: Kinship, lineage: u64) -> Self {
        Self {
            input: self.input.sum(other.input, kinship),
            key_switch: self.key_switch.sum(other.key_switch, kinship),
            lineage,
        }
    }
}

/// Runs packing plans over [`NoiseForm`]; no data, any plan.
#[derive(Debug)]
pub struct NoiseTracker {
    n: usize,
    gain: f64,
    lineages: Cell<u64>,
}

impl NoiseTracker {
    /// A tracker for ring degree `n` and plaintext modulus `p`.
    pub fn new(n: usize, p: u64) -> Self {
        Self {
            n,
            gain: product_gain(n, p),
            lineages: Cell::new(0),
        }
    }

    /// An input ciphertext: one unit of the input source.
    pub fn input(&self) -> NoiseForm {
        NoiseForm {
            input: Variance::ONE,
            key_switch: Variance::default(),
            lineage: self.new_lineage(),
        }
    }

    fn new_lineage(&self) -> u64 {
        let lineage = self.lineages.get();
        self.lineages.set(lineage + 1);
        lineage
    }

    fn rotated(&self, noise: &NoiseForm, rotation: Rotation) -> NoiseForm {
        if rotation.is_identity() {
            return *noise;
        }
        NoiseForm {
            key_switch: noise.key_switch.sum(Variance::ONE, Kinship::Independent),
            ..*noise
        }
    }
}

impl HeOps for NoiseTracker {
    type Ciphertext = NoiseForm;
    type Plaintext = ();
    type Decomposed = NoiseForm;
    type Error = Infallible;

    fn slots(&self) -> usize {
        self.n
    }

    fn encode(&self, _slots: &[u64]) -> Result<(), Infallible> {
        Ok(())
    }

    fn add(&self, acc: &mut NoiseForm, other: &NoiseForm) {
        *acc = if acc.lineage == other.lineage {
            acc.sum(other, Kinship::Rotations, acc.lineage)
        } else {
            acc.sum(other, Kinship::Independent, self.new_lineage())
        };
    }

    fn hadamard(&self, ct: &NoiseForm, _pt: &()) -> NoiseForm {
        NoiseForm {
            input: ct.input.product(self.gain),
            key_switch: ct.key_switch.product(self.gain),
            lineage: self.new_lineage(),
        }
    }

    fn multiply_accumulate(&self, acc: &mut NoiseForm, ct: &NoiseForm, pt: &()) {
        let product = self.hadamard(ct, pt);
        self.add(acc, &product);
    }

    fn rotate(&self, ct: &NoiseForm, rotation: Rotation) -> Result<NoiseForm, Infallible> {
        Ok(self.rotated(ct, rotation))
    }

    fn decompose(&self, ct: &NoiseForm) -> NoiseForm {
        *ct
    }

    fn rotate_decomposed(
        &self,
        decomposed: &NoiseForm,
        rotation: Rotation,
    ) -> Result<NoiseForm, Infallible> {
        Ok(self.rotated(decomposed, rotation))
    }
}

/// The error of a layer's outputs, whatever q: its plan run once over a [`NoiseTracker`].
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNoise {
    /// One of each kind: outputs with equal coefficients are kept once.
    kinds: Vec<NoiseForm>,
}

impl LayerNoise {
    /// Runs `plan` for plaintext modulus `p`.
    pub fn of_plan(plan: &Plan, p: u64) -> Self {
        let tracker = NoiseTracker::new(plan.made_for().0, p);
        let inputs: Vec<_> = (0..plan.input_ciphertexts())
            .map(|_| tracker.input())
            .collect();
        let weights = vec![(); plan.weight_count()];
        let Ok(mut kinds) = plan.run(&tracker, &inputs, &weights);
        kinds.dedup_by(|a, b| a.input == b.input && a.key_switch == b.key_switch);
        Self { kinds }
    }

    /// Variance of the output coefficients: greatest mean and greatest peak of any output.
    pub fn variance(&self, sources: &NoiseSources) -> Variance {
        self.kinds.iter().map(|noise| noise.variance(sources)).fold(
            Variance::default(),
            |worst, one| Variance {
                mean: worst.mean.max(one.mean),
                peak: worst.peak.max(one.peak),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: NoiseSources = NoiseSources {
        input: 10.0,
        key_switch: 3.0,
    };

    #[test]
    fn products_and_sums_follow_the_table() {
        let tracker = NoiseTracker::new(2048, 12289);
        let (x, y) = (tracker.input(), tracker.input());
        let mut acc = tracker.hadamard(&x, &());
        tracker.multiply_accumulate(&mut acc, &y, &());
        let gain = 2048.0 * 12289.0 * 12289.0 / 12.0;
        let expected = 2.0 * 10.0 * gain;
        assert_eq!(
            acc.variance(&SOURCES),
            Variance {
                mean: expected,
                peak: expected
            }
        );
    }

    #[test]
    fn rotating_before_a_product_costs_the_product_of_the_key_switch() {
        let tracker = NoiseTracker::new(2048, 12289);
        let x = tracker.input();
        let gain = product_gain(2048, 12289);
        let Ok(before) = tracker.rotate(&x, Rotation::rows(1));
        assert_eq!(
            tracker.hadamard(&before, &()).variance(&SOURCES).mean,
            gain * 13.0
        );
        let Ok(after) = tracker.rotate(&tracker.hadamard(&x, &()), Rotation::rows(1));
        assert_eq!(after.variance(&SOURCES).mean, gain * 10.0 + 3.0);
        let Ok(still) = tracker.rotate_decomposed(&tracker.decompose(&x), Rotation::rows(0));
        assert_eq!(still, x);
    }

    #[test]
    fn folding_raises_the_peak_twice_as_fast_as_the_mean() {
        let tracker = NoiseTracker::new(2048, 12289);
        let mut v = tracker.input();
        for step in [512, 256, 128, 64] {
            let Ok(rotated) = tracker.rotate(&v, Rotation::rows(step));
            tracker.add(&mut v, &rotated);
        }
        let free = NoiseSources {
            key_switch: 0.0,
            ..SOURCES
        };
        assert_eq!(
            v.variance(&free),
            Variance {
                mean: 160.0,
                peak: 2560.0
            }
        );
    }

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
        assert!((variance - switch_rounding(4096)) < 1.0);
        assert!(fresh_public(4096) > 4096.0 * fresh_secret());
        assert_eq!(plaintext_added(), ROUNDING);
    }
}
