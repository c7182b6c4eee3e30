//! Noise of every packing under every kind of key switching; and failures too rare to be seen.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::measured_tests::{Draw, N, accepted, conv, insecure_test_literal};
use super::*;
use crate::bfv::{BfvLiteral, BfvParams, Evaluator, GaloisKeys, SecretKey};
use crate::packing::LinearShape;

/// How keys are switched, under limbs of 46 bits.
#[derive(Debug, Clone, Copy)]
enum Switch {
    Special(usize),
    /// Of this width.
    Digits(u32),
}

fn literal(n: usize, switch: Switch, seed: u64) -> BfvLiteral {
    let bits = 17 + (seed % 3) as u32;
    let p = descending_ntt_primes(n, bits).next().unwrap();
    let (limbs, special, digit_bits) = match switch {
        Switch::Special(count) => (count.max(2), count, None),
        Switch::Digits(bits) => (2, 0, Some(bits)),
    };
    let mut primes = accepted(n, 46, limbs + special);
    let special = primes.split_off(limbs);
    BfvLiteral {
        n,
        p,
        q: primes,
        special,
        digit_bits,
        flooding_log2: None,
        reply_limbs: 1,
    }
}

/// Baby and giant steps, rotated inputs, the client's rotations, the hybrid: each under digits and under one, two
/// and three special primes. The deviation is the predicted one within 3 % and four standard errors, over all
/// within 3 %; nothing exceeds the bound that parameters are chosen by by 0.1 bit, nor ever the worst case.
#[test]
fn every_packing_is_as_noisy_as_predicted_under_every_key_switch() {
    let n = 1024;
    let fc = LinearShape::fully_connected;
    let layers = [
        ("fc_bsgs", fc(16, 1024)),
        ("fc_hybrid", fc(16, 1024)),
        ("conv_input_rotation", conv(2, 13, 2)),
        ("conv_client_rotation", conv(2, 13, 2)),
        ("conv_output_rotation", conv(2, 13, 2)),
    ];
    let switches = [
        Switch::Digits(9),
        Switch::Digits(16),
        Switch::Special(1),
        Switch::Special(2),
        Switch::Special(3),
    ];
    let cases: Vec<_> = layers
        .into_iter()
        .flat_map(|layer| switches.map(|switch| (layer, switch)))
        .enumerate()
        .collect();
    let logs: Vec<f64> = cases
        .into_par_iter()
        .map(|(seed, ((schedule, layer), switch))| {
            let draw = Draw {
                layer,
                literal: literal(n, switch, seed as u64),
                schedule: Some(schedule),
                windows: 1,
            };
            let found = draw.compare(seed as u64);
            let ratio = found.ratio();
            let error = (1.5 / found.apart as f64).sqrt();
            let told = format!("{schedule}, {switch:?}: {ratio}, {}", found.optimism);
            assert!((ratio - 1.0).abs() < 0.03 + 4.0 * error, "{told}");
            assert!(found.optimism < 0.1 && found.worst < 0.0, "{told}");
            ratio.ln()
        })
        .collect();
    let mean = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
    assert!((mean - 1.0).abs() < 0.03, "{mean}");
}

/// Coefficients of switched replies that decrypt wrongly, of how many, where the room is `z` standard deviations of
/// the predicted error; and the true z, p being a prime.
fn switched(z: f64, runs: u64) -> (usize, usize, f64) {
    let literal = insecure_test_literal(3, 2, 30);
    let room = 2.0 * z * switch_rounding(N).sqrt();
    let floor = (literal.q[0] as f64 / room) as u64;
    let p = ascending_ntt_primes(N, floor, 60).next().unwrap();
    let literal = BfvLiteral { p, ..literal };
    let params = BfvParams::insecure(&literal).unwrap();
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
    let ratio = 1.0 / literal.q[1] as f64;
    let deviation = modulus_switched(N, fresh_secret(), ratio).sqrt();
    let z = literal.q[0] as f64 / (2.0 * p as f64) / deviation;
    (failed.sum(), runs as usize * N, z)
}

/// With no failure in m trials the one-sided 95 % upper bound on their probability: 1 − 0.05^(1/m), about 3/m.
fn unseen(trials: usize) -> f64 {
    1.0 - 0.05_f64.powf(1.0 / trials as f64)
}

#[test]
fn nothing_seen_in_m_trials_bounds_the_probability_by_three_over_m() {
    for trials in [1000, 1_000_000] {
        let bound = unseen(trials);
        assert!((bound * trials as f64 / 3.0 - 1.0).abs() < 4e-3, "{bound}");
        // With that probability, no failure in so many trials has a chance of 5 %.
        assert!(((1.0 - bound).powi(trials as i32) - 0.05).abs() < 1e-6);
    }
}

/// Failures of 2^−50, as they are asked for, are never seen. Scaled sigma: the same error over rooms so much smaller
/// that failures show gives the error's deviation, and that what the model says of the real room. In the real
/// room nothing fails, which by itself bounds the probability by 3/m alone.
#[test]
fn failures_too_rare_to_see_are_extrapolated_from_scaled_errors() {
    let runs = 60;
    let (failed, trials, real) = switched(8.2, runs);
    let predicted = log2_tail(real);
    assert!((-56.0..-48.0).contains(&predicted), "{predicted}");
    assert_eq!(failed, 0);
    // What counting alone can say, with 95 % confidence: far from what is needed, and no contradiction.
    let bound = unseen(trials).log2();
    assert!(
        (-16.0..-14.0).contains(&bound) && predicted < bound,
        "{bound}"
    );
    let scaled = [1.3, 1.645, 2.0, 2.576].map(|z| {
        let (failed, trials, z) = switched(z, runs);
        assert!(failed > 100, "{z}: {failed}");
        let deviation = |failures: f64| z / tail_quantile((failures / trials as f64).log2());
        let failed = failed as f64;
        let (low, high) = (failed - 2.0 * failed.sqrt(), failed + 2.0 * failed.sqrt());
        [deviation(low), deviation(failed), deviation(high)]
    });
    // The deviation over the predicted one, the same at every scale, with its 95 % interval.
    let mean = scaled.iter().map(|of| of[1]).sum::<f64>() / scaled.len() as f64;
    for [low, deviation, high] in scaled {
        assert!((deviation / mean - 1.0).abs() < 0.03, "{scaled:?}");
        assert!(low < mean * 1.01 && mean * 0.99 < high, "{scaled:?}");
    }
    // Two in a hundred of the deviation are two bits of fifty.
    let extrapolated = log2_tail(real / mean);
    assert!(
        (extrapolated - predicted).abs() < 2.5,
        "{extrapolated} {predicted}"
    );
}
