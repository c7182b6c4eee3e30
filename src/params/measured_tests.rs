//! The model held against real ciphertexts: noise of whole layers, and how often decryption fails.

use std::collections::BTreeMap;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::*;
use crate::bfv::{
    BfvLiteral, BfvParams, Ciphertext, Evaluator, GaloisKeys, HeOps, SecretKey, digit_ranges,
};
use crate::network::Shape;
use crate::packing::{
    ConvShape, LinearShape, PlainSlots, Plan, Windowed, WindowedCiphertext, Windows,
};

pub(super) const N: usize = 2048;

pub(super) fn insecure_test_literal(p: u64, limbs: usize, bits: u32) -> BfvLiteral {
    let mut primes =
        descending_ntt_primes(N, bits).filter(|&q| crate::ring::is_accepted_prime(q, N).is_ok());
    let special = vec![primes.next().unwrap()];
    let (flooding_log2, reply_limbs) = (None, 1);
    BfvLiteral {
        n: N,
        p,
        q: primes.take(limbs).collect(),
        special,
        digit_bits: None,
        flooding_log2,
        reply_limbs,
    }
}

/// Measured standard deviation and maximum of a layer's noise over those that the model gives (its mean;
/// its peak), worst output ciphertext of `runs` runs with fresh keys.
fn measured_over_predicted(layer: &LinearShape, runs: u64) -> (f64, f64, f64) {
    let p = 65_537;
    let literal = insecure_test_literal(p, 3, 50);
    let params = BfvParams::insecure(&literal).unwrap();
    let plan = Plan::new(layer, N).unwrap();
    let sources = NoiseSources {
        input: fresh_secret(),
        key_switch: key_switch(
            N,
            &digit_ranges(&literal.q, &literal.special, None),
            &literal.special,
        ),
    };
    let predicted = LayerNoise::of_plan(&plan, Windows::whole(p)).variance(&sources);
    let weights: Vec<i64> = (0..layer.weights() as i64)
        .map(|i| i * i * 37 % 255 - 127)
        .collect();
    let values: Vec<u64> = (0..layer.inputs() as u64).map(|i| i * 7919 % p).collect();
    let plain = PlainSlots::new(N, p);
    let slots = plan.pack_input(&values);
    let encode_plain: Vec<_> = (0..plan.weight_count())
        .map(|index| {
            plain
                .encode(&plan.weight_slots(&weights, p, index))
                .unwrap()
        })
        .collect();
    let expected = plan.run(&plain, &slots, &encode_plain).unwrap();
    let (mut mean, mut greatest, mut count) = (0.0, 0.0_f64, 0.0);
    for run in 0..runs {
        let mut rng = ChaCha8Rng::seed_from_u64(run);
        let secret = SecretKey::generate(&params, &mut rng);
        let rotations: Vec<_> = plan.rotations().into_iter().collect();
        let keys = GaloisKeys::generate(&secret, &rotations, &mut rng).unwrap();
        let evaluator = Evaluator::new(&params, keys).unwrap();
        let inputs: Vec<_> = slots
            .iter()
            .map(|slots| secret.encrypt(slots, &mut rng).unwrap().expand())
            .collect();
        let outputs = plan
            .run_with(&evaluator, &inputs, |index| {
                evaluator.encode(&plan.weight_slots(&weights, p, index))
            })
            .unwrap();
        for (output, expected) in outputs.iter().zip(&expected) {
            let noise = secret.noise(output, expected).unwrap();
            mean += (2.0 * noise.std_log2).exp2();
            greatest = greatest.max(noise.max_log2.exp2());
            count += 1.0;
        }
    }
    let deviation = (mean / count).sqrt();
    (
        deviation / predicted.mean.sqrt(),
        greatest / predicted.peak.sqrt(),
        greatest / deviation,
    )
}

#[test]
fn layers_are_as_noisy_as_predicted() {
    let conv = |channels, size| {
        LinearShape::Conv(ConvShape {
            input: Shape::new(channels, size, size),
            out_channels: 3,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups: 1,
        })
    };
    for layer in [
        LinearShape::fully_connected(1024, 64),
        LinearShape::Square { values: 3000 },
        conv(4, 16),
        conv(5, 8),
    ] {
        let (deviation, greatest, _) = measured_over_predicted(&layer, 3);
        assert!((0.7..1.2).contains(&deviation), "{layer:?}: {deviation}");
        assert!(greatest < 6.0, "{layer:?}: {greatest}");
    }
}

/// Folding makes a few coefficients far noisier than the average; the peak is what foresees it.
#[test]
fn the_peak_of_a_fold_is_foreseen() {
    let layer = LinearShape::fully_connected(512, 2);
    let (deviation, greatest, spread) = measured_over_predicted(&layer, 6);
    assert!((0.5..1.5).contains(&deviation), "{deviation}");
    assert!((0.3..6.0).contains(&greatest), "{greatest}");
    assert!(
        spread > 8.0,
        "a Gaussian would stay below 6 deviations, not {spread}"
    );
}

/// Coefficients that decrypted wrongly, of how many, and the chance that the model gives each.
#[derive(Debug)]
struct Failures {
    failed: usize,
    trials: usize,
    predicted: f64,
}

impl Failures {
    /// The rate is within a factor 1.5 of the predicted one; so is what is left of it, or added to it, at the
    /// ends of the 95 % interval. And it is the tail of a Gaussian whose deviation is the predicted one
    /// within 4 %: what allows to go on to probabilities that nobody can count.
    fn assert_as_predicted(&self, decade: i32) {
        let Self {
            failed,
            trials,
            predicted,
        } = *self;
        assert!(
            (0.3..3.0).contains(&(predicted / 10_f64.powi(decade))),
            "{self:?}: {decade}"
        );
        let (failed, trials) = (failed as f64, trials as f64);
        let rate = failed / trials;
        let half_width = 2.0 * failed.sqrt() / trials;
        assert!(failed > 100.0, "too few to compare: {self:?}");
        assert!(rate - half_width < 1.5 * predicted, "{self:?}");
        assert!(rate + half_width > predicted / 1.5, "{self:?}");
        assert!((1.0 / 1.5..1.5).contains(&(rate / predicted)), "{self:?}");
        let deviation = tail_quantile(predicted.log2()) / tail_quantile(rate.log2());
        assert!((deviation - 1.0).abs() < 0.04, "{self:?}: {deviation}");
    }
}

const DECADES: [(i32, f64); 3] = [(-1, 1.645), (-2, 2.576), (-3, 3.29)];

/// The paper's Monte Carlo (NASS, section 4.1.3), on replies: nearly all of the error is the rounding of the
/// modulus switch.
#[test]
fn replies_fail_as_often_as_predicted_over_three_decades() {
    for (decade, z) in DECADES {
        let literal = insecure_test_literal(3, 2, 30);
        let room = 2.0 * z * switch_rounding(N).sqrt();
        let floor = (literal.q[0] as f64 / room) as u64;
        let p = ascending_ntt_primes(N, floor, 60).next().unwrap();
        let literal = BfvLiteral { p, ..literal };
        let params = BfvParams::insecure(&literal).unwrap();
        let ratio = 1.0 / literal.q[1] as f64;
        let deviation = modulus_switched(N, fresh_secret(), ratio).sqrt();
        let predicted = log2_tail(literal.q[0] as f64 / (2.0 * p as f64) / deviation).exp2();
        let runs = (400.0 / predicted / N as f64).ceil().max(20.0) as u64;
        let failed = (0..runs).into_par_iter().map(|run| {
            let mut rng = ChaCha8Rng::seed_from_u64(run);
            let secret = SecretKey::generate(&params, &mut rng);
            let keys = GaloisKeys::generate(&secret, &[], &mut rng).unwrap();
            let evaluator = Evaluator::new(&params, keys).unwrap();
            let slots: Vec<u64> = (0..N).map(|_| rng.random_range(0..p)).collect();
            let sent = params.encode(&slots).unwrap();
            let reply = evaluator.mod_switch(&secret.encrypt(&slots, &mut rng).unwrap().expand());
            let received = secret.decrypt_polynomial(&reply).unwrap();
            sent.iter().zip(&received).filter(|(a, b)| a != b).count()
        });
        let (failed, trials) = (failed.sum(), runs as usize * N);
        Failures {
            failed,
            trials,
            predicted,
        }
        .assert_as_predicted(decade);
    }
}

/// The same for whole layers, with keys, rotations and products: p is made so large that their error reaches
/// the end of its room.
#[test]
fn layers_fail_as_often_as_predicted_over_three_decades() {
    let conv = LinearShape::Conv(ConvShape {
        input: Shape::new(2, 13, 13),
        out_channels: 2,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
    });
    for layer in [LinearShape::fully_connected(12, 1024), conv] {
        for (decade, z) in DECADES {
            weakened_layer(layer, z).assert_as_predicted(decade);
        }
    }
}

/// A layer whose room is about `z` deviations of its error.
fn weakened_layer(layer: LinearShape, z: f64) -> Failures {
    let n = 1024;
    let primes = accepted(n, 50, 2);
    let literal = |p| BfvLiteral {
        n,
        p,
        q: vec![primes[0]],
        special: vec![primes[1]],
        digit_bits: None,
        flooding_log2: None,
        reply_limbs: 1,
    };
    let room = |p: u64| {
        let draw = Draw {
            layer,
            literal: literal(p),
            windows: 1,
            schedule: None,
        };
        primes[0] as f64 / (2.0 * p as f64) / draw.predicted().peak.sqrt()
    };
    // The room falls with the square of p.
    let guess = 65_537.0 * (room(65_537) / z).sqrt();
    let near = ascending_ntt_primes(n, (0.9 * guess) as u64, 40).take(40);
    let distance = |p: &u64| (room(*p) / z).ln().abs();
    let p = near
        .min_by(|x, y| distance(x).total_cmp(&distance(y)))
        .unwrap();
    let draw = Draw {
        layer,
        literal: literal(p),
        windows: 1,
        schedule: None,
    };
    let predicted = log2_tail(room(p)).exp2();
    let params = BfvParams::insecure(&draw.literal).unwrap();
    let (batches, runs) = (
        16,
        (400.0 / predicted / n as f64 / 16.0).ceil().max(1.0) as usize,
    );
    let counts = (0..batches).into_par_iter().map(|seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut failed, mut trials) = (0, 0);
        draw.run(&mut rng, runs, &mut |secret, output, expected| {
            let sent = params.encode(expected).unwrap();
            let received = secret.decrypt_polynomial(output).unwrap();
            failed += sent.iter().zip(&received).filter(|(a, b)| a != b).count();
            trials += n;
        });
        (failed, trials)
    });
    let (failed, trials) = counts.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    Failures {
        failed,
        trials,
        predicted,
    }
}

/// A layer and parameters.
#[derive(Debug)]
pub(super) struct Draw {
    pub(super) layer: LinearShape,
    pub(super) literal: BfvLiteral,
    /// The packing; none for the preferred one.
    pub(super) schedule: Option<&'static str>,
    /// Plaintext windows.
    pub(super) windows: usize,
}

/// What a draw's runs show beside what the model says.
pub(super) struct Comparison {
    /// Squares of measured and predicted standard deviation.
    measured: f64,
    predicted: f64,
    /// Coefficients measured, without those that folding makes equal or zero.
    pub(super) apart: usize,
    /// log2 of the greatest error over what the model allows in so many coefficients.
    pub(super) optimism: f64,
    /// log2 of the greatest error over the worst case.
    pub(super) worst: f64,
}

impl Comparison {
    pub(super) fn ratio(&self) -> f64 {
        (self.measured / self.predicted).sqrt()
    }
}

/// Primes of n, of these bits, that the transform accepts.
pub(super) fn accepted(n: usize, bits: u32, count: usize) -> Vec<u64> {
    let primes =
        descending_ntt_primes(n, bits).filter(|&q| crate::ring::is_accepted_prime(q, n).is_ok());
    primes.take(count).collect()
}

impl Draw {
    fn new(seed: u64) -> Self {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let n = if seed.is_multiple_of(16) {
            4096
        } else {
            1024 << (seed % 3 / 2)
        };
        let p = descending_ntt_primes(n, rng.random_range(17..20))
            .next()
            .unwrap();
        let (bits, limbs) = [(50, 2), (46, 2), (36, 3), (58, 2)][rng.random_range(0..4)];
        let wide = rng.random_range(0..=limbs);
        // Special primes somewhat smaller than the limbs let the digits' part of a key switch show.
        let special_bits = bits - rng.random_range(0..5);
        let (mut q, mut special) = (
            accepted(n, bits, 2 * limbs),
            accepted(n, special_bits, wide),
        );
        let rest = q.split_off(limbs);
        if special_bits == bits {
            special = rest[..wide].to_vec();
        }
        let digit_bits = (wide == 0).then(|| rng.random_range(8..20));
        let (flooding_log2, reply_limbs) = (None, 1);
        let literal = BfvLiteral {
            n,
            p,
            q,
            special,
            digit_bits,
            flooding_log2,
            reply_limbs,
        };
        let layer = if seed.is_multiple_of(2) {
            // Many outputs: at most two foldings, so that enough coefficients stay apart.
            LinearShape::fully_connected(rng.random_range(3..=16), rng.random_range(n / 8 + 1..=n))
        } else {
            // On a grid without margin the weights of the kernel's centre are the same in every slot of a
            // channel: see `weights_that_repeat_make_less_noise`.
            let size = [5, 6, 7, 9, 10, 11, 12, 13][rng.random_range(0..8)];
            conv(rng.random_range(1..4), size, rng.random_range(1..4))
        };
        let windows = rng.random_range(1..=4);
        Self {
            layer,
            literal,
            schedule: None,
            windows,
        }
    }

    fn windows(&self) -> Windows {
        Windows::new(self.literal.p, self.windows)
    }

    fn sources(&self) -> [NoiseSources; 2] {
        let BfvLiteral {
            n,
            q,
            special,
            digit_bits,
            ..
        } = &self.literal;
        let ranges = digit_ranges(q, special, *digit_bits);
        let deviation = NoiseSources {
            input: fresh_secret(),
            key_switch: key_switch(*n, &ranges, special),
        };
        let worst = NoiseSources {
            input: worst::fresh_secret(),
            key_switch: worst::key_switch(*n, &ranges, special),
        };
        [deviation, worst]
    }

    fn plan(&self) -> Plan {
        let n = self.literal.n;
        match self.schedule {
            Some(schedule) => Plan::named(schedule, &self.layer, n).unwrap(),
            None => Plan::new(&self.layer, n).unwrap(),
        }
    }

    fn predicted(&self) -> Variance {
        LayerNoise::of_plan(&self.plan(), self.windows()).variance(&self.sources()[0])
    }

    /// Runs the layer with fresh weights and inputs under fresh keys; `each` sees the secret and, one after
    /// another, the outputs with the slots that they hold.
    fn run(
        &self,
        rng: &mut ChaCha8Rng,
        runs: usize,
        each: &mut dyn FnMut(&SecretKey, &Ciphertext, &[u64]),
    ) {
        let BfvLiteral { n, p, .. } = self.literal;
        let params = BfvParams::insecure(&self.literal).unwrap();
        let (plan, plain) = (self.plan(), PlainSlots::new(n, p));
        let rotations: Vec<_> = plan.rotations().into_iter().collect();
        let secret = SecretKey::generate(&params, rng);
        let keys = GaloisKeys::generate(&secret, &rotations, rng).unwrap();
        let (evaluator, windows) = (Evaluator::new(&params, keys).unwrap(), self.windows());
        let ops = Windowed::new(&evaluator, windows);
        for _ in 0..runs {
            let weights = (0..self.layer.weights()).map(|_| rng.random_range(-127..128));
            let weights: Vec<i64> = weights.collect();
            let values = (0..self.layer.inputs()).map(|_| rng.random_range(0..p));
            let slots = plan.pack_input(&values.collect::<Vec<_>>());
            let weight = |index| plan.weight_slots(&weights, p, index);
            let encoded = (0..plan.weight_count()).map(|i| plain.encode(&weight(i)).unwrap());
            let expected = plan
                .run(&plain, &slots, &encoded.collect::<Vec<_>>())
                .unwrap();
            let mut encrypt = |slots: &Vec<u64>| secret.encrypt(slots, rng).unwrap().expand();
            let inputs = slots.iter().map(|slots| {
                let scaled = windows.scaled(slots.clone());
                WindowedCiphertext(scaled.iter().map(&mut encrypt).collect())
            });
            let inputs: Vec<_> = inputs.collect();
            let encode = |index| ops.encode(&weight(index));
            let outputs = plan.run_with(&ops, &inputs, encode).unwrap();
            let outputs = outputs.iter().flat_map(|output| &output.0);
            let pairs = outputs.zip(&expected);
            pairs.for_each(|(output, expected)| each(&secret, output, expected));
        }
    }

    /// Runs the layer until some four thousand coefficients have been measured, half of them under each of two
    /// keys.
    pub(super) fn compare(&self, seed: u64) -> Comparison {
        let n = self.literal.n;
        let (plan, [sources, bounds]) = (self.plan(), self.sources());
        let forms = LayerNoise::outputs(&plan, self.windows());
        let model = LayerNoise::of_plan(&plan, self.windows());
        let folds = plan
            .output_sums()
            .iter()
            .map(|sum| sum.folds)
            .max()
            .unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let runs = (2048 << folds) / (n * forms.len());
        let (mut measured, mut count, mut greatest) = (0.0, 0, 0.0_f64);
        for _ in 0..2 {
            self.run(&mut rng, runs.max(1), &mut |secret, output, expected| {
                let noise = secret.noise(output, expected).unwrap();
                measured += (2.0 * noise.std_log2).exp2();
                greatest = greatest.max(noise.max_log2.exp2());
                count += 1;
            });
        }
        let mean = |form: &NoiseForm| form.variance(&sources).mean;
        let peak = model.variance(&sources).peak.sqrt();
        let bound = peak * tail_quantile(split(-15.0, (count * n) as u64));
        Comparison {
            measured: measured / count as f64,
            predicted: forms.iter().map(mean).sum::<f64>() / forms.len() as f64,
            apart: (count * n) >> folds,
            optimism: (greatest / bound).log2(),
            worst: (greatest / model.worst(&bounds)).log2(),
        }
    }
}

pub(super) fn conv(channels: usize, size: usize, out_channels: usize) -> LinearShape {
    LinearShape::Conv(ConvShape {
        input: Shape::new(channels, size, size),
        out_channels,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
    })
}

/// 500 layers with rings, moduli, special primes or digits, windows and weights drawn at random. The standard deviation
/// is the predicted one within 3 % over the layers of each kind, and for each single layer within 3 % and
/// four standard errors of its own few coefficients; the bound that parameters are chosen by is never
/// exceeded by 0.1 bit, the worst case never at all.
#[test]
fn noise_of_random_layers_is_as_predicted() {
    let draws = 0..500_u64;
    let found = draws.into_par_iter().map(|seed| {
        let draw = Draw::new(seed);
        let found = draw.compare(seed);
        (draw, found)
    });
    let found: Vec<(Draw, Comparison)> = found.collect();
    let mut kinds: BTreeMap<_, Vec<f64>> = BTreeMap::new();
    for (draw, found) in &found {
        let ratio = found.ratio();
        // A product's coefficients hang together: their squares vary up to three times as much.
        let error = (1.5 / found.apart as f64).sqrt();
        assert!(
            (ratio - 1.0).abs() < 0.03 + 4.0 * error,
            "{ratio}: {draw:?}"
        );
        assert!(found.optimism < 0.1, "{}: {draw:?}", found.optimism);
        assert!(found.worst < 0.0, "{}: {draw:?}", found.worst);
        let literal = &draw.literal;
        for kind in [
            format!("n = {}", literal.n),
            format!("{} windows", draw.windows),
            format!("{} limbs", literal.q.len()),
            format!("{} special primes", literal.special.len()),
            format!(
                "convolution: {}",
                matches!(draw.layer, LinearShape::Conv(_))
            ),
        ] {
            kinds.entry(kind).or_default().push(ratio.ln());
        }
    }
    for (kind, logs) in kinds {
        let mean = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
        assert!(logs.len() >= 20, "{kind}: {}", logs.len());
        assert!((mean - 1.0).abs() < 0.03, "{kind}: {mean}");
    }
}

/// Where a weight fills a channel of 8 × 8 slots, its polynomial is sparse: the model is then above what is
/// measured, and never below.
#[test]
fn weights_that_repeat_make_less_noise() {
    let ratios: Vec<f64> = (0..8)
        .map(|seed| {
            let literal = Draw::new(2 * seed + 1).literal;
            Draw {
                layer: conv(1, 8, 2),
                literal,
                windows: 1,
                schedule: None,
            }
            .compare(seed)
            .ratio()
        })
        .collect();
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert!((0.9..0.99).contains(&mean), "{ratios:?}");
}
