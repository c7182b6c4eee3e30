//! The model held against real ciphertexts: noise of whole layers, and how often decryption fails.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::*;
use crate::bfv::{BfvLiteral, BfvParams, Evaluator, GaloisKeys, HeOps, SecretKey, digit_ranges};
use crate::network::Shape;
use crate::packing::{ConvShape, LinearShape, PlainSlots, Plan};

const N: usize = 2048;

fn insecure_test_literal(p: u64, limbs: usize, bits: u32) -> BfvLiteral {
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
    let predicted = LayerNoise::of_plan(&plan, p).variance(&sources);
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

/// Failures counted on real replies against the Gaussian tail (the paper's Monte Carlo).
#[test]
fn counted_failures_agree_with_the_tail() {
    // A room of about 2.5 deviations of the rounding.
    let literal = insecure_test_literal(3, 2, 30);
    let rounding = switch_rounding(N).sqrt();
    let room = 2.0 * 2.5 * rounding;
    let floor = (literal.q[0] as f64 / room) as u64;
    let p = ascending_ntt_primes(N, floor, 60).next().unwrap();
    let literal = BfvLiteral { p, ..literal };
    let params = BfvParams::insecure(&literal).unwrap();
    let ratio = 1.0 / literal.q[1] as f64;
    let deviation = modulus_switched(N, fresh_secret(), ratio).sqrt();
    let predicted = log2_tail(literal.q[0] as f64 / (2.0 * p as f64) / deviation).exp2();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut failed, runs) = (0, 20);
    for run in 0..runs {
        let secret = SecretKey::generate(&params, &mut rng);
        let keys = GaloisKeys::generate(&secret, &[], &mut rng).unwrap();
        let evaluator = Evaluator::new(&params, keys).unwrap();
        let slots: Vec<u64> = (0..N as u64).map(|i| i * (run + 3) * 104_729 % p).collect();
        let sent = params.encode(&slots).unwrap();
        let reply = evaluator.mod_switch(&secret.encrypt(&slots, &mut rng).unwrap().expand());
        let received = secret.decrypt_polynomial(&reply).unwrap();
        failed += sent.iter().zip(&received).filter(|(a, b)| a != b).count();
    }
    let expected = predicted * (N as f64) * runs as f64;
    assert!(expected > 200.0, "too few to compare: {expected}");
    let off = (failed as f64 - expected) / expected.sqrt();
    assert!(off.abs() < 5.0, "{failed} failed, {expected:.0} expected");
}
