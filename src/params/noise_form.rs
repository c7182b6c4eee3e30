//! The error of a linear layer, in closed form; and a packing plan run over errors instead of ciphertexts.
//!
//! In goes a plan; out comes a [`NoiseForm`] for each kind of output ciphertext: how much of an input's
//! error and of one key switch's error it holds. It is linear in these two sources, so a plan is looked at
//! once for each (n, p) and evaluated for any q. [`LayerNoise::of_plan`] reads it off the plan's
//! [`OutputSum`]s: with T products, H of them of rotated inputs, g the gain of a product ([`product_gain`]),
//! u inputs added as they are and s rotations of partial sums,
//!
//! variance = (T·g + u)·(input) + (H·g + s)·(key switch), then k foldings.
//!
//! In windows g is the sum over the digits of a weight.
//!
//! A rotation *before* the product costs g key switches, one *after* it a single one.
//!
//! Two variances are kept: the *mean* over the coefficients, which a product turns into the variance of
//! every coefficient of its result, and the *peak* over them, which decides whether decryption fails.
//! They part when a ciphertext is added to a rotation of itself: an automorphism fixes some coefficients
//! (always the constant one), so there errors add, not variances; folding 2ᵏ rotations leaves there 4ᵏ times
//! the variance, against 2ᵏ on average. The worst case is kept beside them.
//!
//! [`NoiseTracker`] runs any plan and is the oracle of the closed form; there a *lineage* marks ciphertexts
//! that are rotations of one another. It does not treat ciphertext-ciphertext products; there are none here.

use std::cell::Cell;
use std::convert::Infallible;

use super::noise::{product_gain, worst};
use crate::bfv::{HeOps, Rotation};
use crate::packing::{Digit, DigitEncoder, OutputSum, Plan, Windowed, WindowedCiphertext, Windows};

/// A variance, over the coefficients: on average, and where it is greatest.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Variance {
    /// Mean over the coefficients.
    pub mean: f64,
    /// Greatest of any coefficient.
    pub peak: f64,
}

impl Variance {
    const fn uniform(variance: f64) -> Self {
        Self {
            mean: variance,
            peak: variance,
        }
    }

    const fn scaled(self, source: f64) -> Self {
        Self {
            mean: self.mean * source,
            peak: self.peak * source,
        }
    }
}

/// How much of one source an error holds: of its variance, and of its worst case.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Part {
    variance: Variance,
    worst: f64,
}

impl Part {
    const ONE: Self = Self {
        variance: Variance::uniform(1.0),
        worst: 1.0,
    };

    fn sum(self, other: Self, kinship: Kinship) -> Self {
        let (one, two) = (self.variance, other.variance);
        let peak = match kinship {
            Kinship::Independent => one.peak + two.peak,
            Kinship::Rotations => {
                let deviation = one.peak.sqrt() + two.peak.sqrt();
                deviation * deviation
            }
        };
        Self {
            variance: Variance {
                mean: one.mean + two.mean,
                peak,
            },
            worst: self.worst + other.worst,
        }
    }

    fn product(self, gain: Gain) -> Self {
        Self {
            variance: Variance::uniform(self.variance.mean * gain.variance),
            worst: self.worst * gain.worst,
        }
    }

    /// `count` independent ones.
    const fn times(self, count: u64) -> Self {
        Self {
            variance: self.variance.scaled(count as f64),
            worst: self.worst * count as f64,
        }
    }
}

/// Factors of a product with a plaintext: the tracker's plaintext.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Gain {
    variance: f64,
    worst: f64,
}

impl Gain {
    fn of_digit(n: usize, digit: &Digit) -> Self {
        Self {
            variance: product_gain(n, digit.mean_square),
            worst: worst::product_gain(n, digit.greatest),
        }
    }

    /// Of a product in windows: its digits' together.
    fn of_all(n: usize, windows: &Windows) -> Self {
        let digits = windows.digits().map(|digit| Self::of_digit(n, &digit));
        digits.fold(Self::default(), |sum, digit| Self {
            variance: sum.variance + digit.variance,
            worst: sum.worst + digit.worst,
        })
    }
}

/// How two errors that are added hang together.
#[derive(Clone, Copy)]
enum Kinship {
    Independent,
    Rotations,
}

/// What the two sources that a [`NoiseForm`] is linear in contribute: variances, or worst cases.
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
    input: Part,
    key_switch: Part,
    lineage: u64,
}

impl NoiseForm {
    /// The error of an output whose plan gives these numbers.
    fn of_sum(sum: &OutputSum, gain: Gain) -> Self {
        let one = Part::ONE.product(gain);
        let turns = Part::ONE.times(sum.turns);
        let unscaled = Part::ONE.times(sum.unscaled);
        let products = one.times(sum.products);
        let mut form = Self {
            input: products.sum(unscaled, Kinship::Independent),
            key_switch: one.times(sum.rotated).sum(turns, Kinship::Independent),
            lineage: 0,
        };
        for _ in 0..sum.folds {
            let turned = Self {
                key_switch: form.key_switch.sum(Part::ONE, Kinship::Independent),
                ..form
            };
            form = form.sum(&turned, Kinship::Rotations, 0);
        }
        form
    }

    /// The variance, given those of the sources.
    pub const fn variance(&self, sources: &NoiseSources) -> Variance {
        let input = self.input.variance.scaled(sources.input);
        let key_switch = self.key_switch.variance.scaled(sources.key_switch);
        Variance {
            mean: input.mean + key_switch.mean,
            peak: input.peak + key_switch.peak,
        }
    }

    /// The worst case, given those of the sources.
    pub const fn worst(&self, sources: &NoiseSources) -> f64 {
        self.input.worst * sources.input + self.key_switch.worst * sources.key_switch
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
    p: u64,
    lineages: Cell<u64>,
}

impl NoiseTracker {
    /// A tracker for ring degree `n` and plaintexts modulo `p`.
    pub const fn new(n: usize, p: u64) -> Self {
        Self {
            n,
            p,
            lineages: Cell::new(0),
        }
    }

    /// An input ciphertext: one unit of the input source.
    pub fn input(&self) -> NoiseForm {
        NoiseForm {
            input: Part::ONE,
            key_switch: Part::default(),
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
            key_switch: noise.key_switch.sum(Part::ONE, Kinship::Independent),
            ..*noise
        }
    }
}

impl HeOps for NoiseTracker {
    type Ciphertext = NoiseForm;
    type Plaintext = Gain;
    type Decomposed = NoiseForm;
    type Error = Infallible;

    fn slots(&self) -> usize {
        self.n
    }

    fn encode(&self, _slots: &[u64]) -> Result<Gain, Infallible> {
        Ok(Gain::of_all(self.n, &Windows::whole(self.p)))
    }

    fn add(&self, acc: &mut NoiseForm, other: &NoiseForm) {
        *acc = if acc.lineage == other.lineage {
            acc.sum(other, Kinship::Rotations, acc.lineage)
        } else {
            acc.sum(other, Kinship::Independent, self.new_lineage())
        };
    }

    fn hadamard(&self, ct: &NoiseForm, pt: &Gain) -> NoiseForm {
        NoiseForm {
            input: ct.input.product(*pt),
            key_switch: ct.key_switch.product(*pt),
            lineage: self.new_lineage(),
        }
    }

    fn multiply_accumulate(&self, acc: &mut NoiseForm, ct: &NoiseForm, pt: &Gain) {
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

impl DigitEncoder for NoiseTracker {
    fn encode_digits(&self, _slots: &[u64], windows: Windows) -> Result<Vec<Gain>, Infallible> {
        let gains = windows.digits().map(|digit| Gain::of_digit(self.n, &digit));
        Ok(gains.collect())
    }
}

/// The error of a layer's outputs, whatever q.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNoise {
    /// One of each kind: outputs with equal coefficients are kept once.
    kinds: Vec<NoiseForm>,
}

impl LayerNoise {
    /// Of a plan whose weights are cut so.
    pub fn of_plan(plan: &Plan, windows: Windows) -> Self {
        Self::of_sums(plan.made_for().0, &plan.output_sums(), windows)
    }

    /// In closed form, for outputs that are these sums, at ring degree `n`.
    pub(super) fn of_sums(n: usize, sums: &[OutputSum], windows: Windows) -> Self {
        let gain = Gain::of_all(n, &windows);
        let kinds = sums.iter().map(|sum| NoiseForm::of_sum(sum, gain));
        Self {
            kinds: kinds.collect(),
        }
    }

    /// By running the plan over a [`NoiseTracker`]: slower, and the oracle of [`LayerNoise::of_plan`].
    pub fn tracked(plan: &Plan, windows: Windows) -> Self {
        let mut kinds = Self::outputs(plan, windows);
        kinds.dedup_by(|a, b| a.input == b.input && a.key_switch == b.key_switch);
        Self { kinds }
    }

    /// The error of each output of a plan run over a [`NoiseTracker`].
    pub(super) fn outputs(plan: &Plan, windows: Windows) -> Vec<NoiseForm> {
        let tracker = NoiseTracker::new(plan.made_for().0, windows.plaintext_modulus());
        let ops = Windowed::new(&tracker, windows);
        let input = |_| {
            let parts = (0..windows.count()).map(|_| tracker.input());
            WindowedCiphertext(parts.collect())
        };
        let inputs: Vec<_> = (0..plan.input_ciphertexts()).map(input).collect();
        let Ok(outputs) = plan.run_with(&ops, &inputs, |_| ops.encode(&[]));
        outputs.into_iter().flat_map(|output| output.0).collect()
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

    /// What no output coefficient exceeds, given the worst cases of the sources.
    pub fn worst(&self, sources: &NoiseSources) -> f64 {
        let each = self.kinds.iter().map(|noise| noise.worst(sources));
        each.fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packing::LinearShape;
    use crate::packing::tests::any_conv;

    const SOURCES: NoiseSources = NoiseSources {
        input: 10.0,
        key_switch: 3.0,
    };

    #[test]
    fn products_and_sums_follow_the_table() {
        let tracker = NoiseTracker::new(2048, 12289);
        let (x, y) = (tracker.input(), tracker.input());
        let Ok(whole) = tracker.encode(&[]);
        let mut acc = tracker.hadamard(&x, &whole);
        tracker.multiply_accumulate(&mut acc, &y, &whole);
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
        let Ok(whole) = tracker.encode(&[]);
        let gain = 2048.0 * 12289.0 * 12289.0 / 12.0;
        let Ok(before) = tracker.rotate(&x, Rotation::rows(1));
        assert_eq!(
            tracker.hadamard(&before, &whole).variance(&SOURCES).mean,
            gain * 13.0
        );
        let Ok(after) = tracker.rotate(&tracker.hadamard(&x, &whole), Rotation::rows(1));
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

    /// The closed form against the plan itself run over the tracker: variances and worst cases.
    fn assert_closed_form(layer: &LinearShape, n: usize, count: usize) {
        let windows = Windows::new(65_537, count);
        for plan in Plan::candidates(layer, n).into_iter().flatten() {
            let (closed, tracked) = (
                LayerNoise::of_plan(&plan, windows),
                LayerNoise::tracked(&plan, windows),
            );
            for (input, key_switch) in [(1.0, 0.0), (0.0, 1.0), (10.0, 3.0)] {
                let sources = NoiseSources { input, key_switch };
                let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs();
                let (a, b) = (closed.variance(&sources), tracked.variance(&sources));
                assert!(
                    close(a.mean, b.mean) && close(a.peak, b.peak),
                    "{plan:?}: {a:?} {b:?}"
                );
                let (a, b) = (closed.worst(&sources), tracked.worst(&sources));
                assert!(close(a, b), "{plan:?}: {a} {b}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn squares_have_the_noise_of_their_plan(values in 1_usize..5000, log_n in 5_u32..12) {
            assert_closed_form(&LinearShape::Square { values }, 1 << log_n, 1);
        }

        #[test]
        fn fully_connected_layers_have_the_noise_of_their_plan(
            inputs in 1_usize..700, outputs in 1_usize..300, log_n in 5_u32..10,
            windows in 1_usize..5,
        ) {
            let layer = LinearShape::fully_connected(inputs, outputs);
            assert_closed_form(&layer, 1 << log_n, windows);
        }

        /// Of any stride, dilation, padding and number of groups, whole or in tiles.
        #[test]
        fn convolutions_have_the_noise_of_their_plan(
            (layer, n) in any_conv(), windows in 1_usize..5,
        ) {
            assert_closed_form(&layer, n, windows);
        }
    }
}
