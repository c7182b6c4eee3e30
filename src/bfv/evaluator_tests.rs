//! What operations do to slots, against the same operations on plain slots; noise against formulas.

use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;

use super::super::test_support::{
    LIMBS, SPECIAL, WIDE, insecure_literal, insecure_params, random_slots, rng,
};
use super::super::{BfvLiteral, SecretKey, digit_ranges};
use super::*;
use crate::ring::sampler::ERROR_SIGMA;
use crate::ring::{Modulus, is_accepted_prime};

/// Both parties, with keys for `rotations`.
struct Parties {
    params: BfvParams,
    secret: SecretKey,
    evaluator: Evaluator,
    rng: ChaCha8Rng,
}

impl Parties {
    fn new(literal: &BfvLiteral, rotations: &[Rotation]) -> Self {
        let (params, mut rng) = (BfvParams::insecure(literal).unwrap(), rng(7));
        let secret = SecretKey::generate(&params, &mut rng);
        let keys = GaloisKeys::generate(&secret, rotations, &mut rng).unwrap();
        let evaluator = Evaluator::new(&params, keys).unwrap();
        Self {
            params,
            secret,
            evaluator,
            rng,
        }
    }

    fn slots(&mut self) -> Vec<u64> {
        random_slots(&self.params, &mut self.rng)
    }

    fn encrypt(&mut self, slots: &[u64]) -> Ciphertext {
        self.secret.encrypt(slots, &mut self.rng).unwrap().expand()
    }

    fn p(&self) -> Modulus {
        Modulus::new(self.params.plaintext_modulus()).unwrap()
    }
}

fn rotated(slots: &[u64], rotation: Rotation) -> Vec<u64> {
    let columns = slots.len() / 2;
    let from = |slot: usize| {
        let (row, column) = (slot / columns, slot % columns);
        (row ^ usize::from(rotation.swap)) * columns + (column + rotation.step) % columns
    };
    (0..slots.len()).map(|slot| slots[from(slot)]).collect()
}

fn plus(p: Modulus, x: &[u64], y: &[u64]) -> Vec<u64> {
    x.iter().zip(y).map(|(&x, &y)| p.add(x, y)).collect()
}

fn times(p: Modulus, x: &[u64], y: &[u64]) -> Vec<u64> {
    x.iter().zip(y).map(|(&x, &y)| p.mul(x, y)).collect()
}

#[test]
fn every_rotation_moves_slots_as_its_contract_says() {
    let literal = insecure_literal(64, 2);
    let all: Vec<Rotation> = (0..32)
        .flat_map(|step| [false, true].map(|swap| Rotation { step, swap }))
        .collect();
    let mut parties = Parties::new(&literal, &all);
    assert_eq!(parties.evaluator.keys.rotations().len(), 63);
    let slots = parties.slots();
    let ct = parties.encrypt(&slots);
    let decomposed = parties.evaluator.decompose(&ct);
    for rotation in all {
        let expected = rotated(&slots, rotation);
        let alone = parties.evaluator.rotate(&ct, rotation).unwrap();
        let hoisted = parties
            .evaluator
            .rotate_decomposed(&decomposed, rotation)
            .unwrap();
        assert_eq!(
            parties.secret.decrypt(&alone).unwrap(),
            expected,
            "{rotation}"
        );
        assert_eq!(
            parties.secret.decrypt(&hoisted).unwrap(),
            expected,
            "{rotation}"
        );
    }
}

/// Limbs of 50 bits that suit every degree up to 32768.
fn literal_at(n: usize, limbs: usize) -> BfvLiteral {
    let two_n = 2 * 32_768;
    let numbers = (1..).map(|i| (1_u64 << 50) - i * two_n + 1);
    let mut primes = numbers.filter(|&x| is_accepted_prime(x, 32_768).is_ok());
    BfvLiteral {
        n,
        p: 786_433,
        q: primes.by_ref().take(limbs).collect(),
        special: primes.take(1).collect(),
        ..insecure_literal(64, limbs)
    }
}

#[test]
fn real_degrees_with_one_to_three_limbs() {
    let rotations = [
        Rotation::rows(500),
        Rotation {
            step: 5,
            swap: true,
        },
    ];
    for n in [1024, 2048, 4096, 8192, 16_384, 32_768] {
        for limbs in if n > 8192 { 2..=2 } else { 1..=3 } {
            let mut parties = Parties::new(&literal_at(n, limbs), &rotations);
            let (x, y) = (parties.slots(), parties.slots());
            let (ct, p) = (parties.encrypt(&x), parties.p());
            for rotation in rotations {
                let turned = parties.evaluator.rotate(&ct, rotation).unwrap();
                let expected = rotated(&x, rotation);
                assert_eq!(parties.secret.decrypt(&turned).unwrap(), expected);
                if limbs > 1 {
                    let factor = parties.evaluator.encode(&y).unwrap();
                    let product = parties.evaluator.hadamard(&turned, &factor);
                    let expected = times(p, &expected, &y);
                    assert_eq!(parties.secret.decrypt(&product).unwrap(), expected);
                }
            }
        }
    }
}

/// Some limbs, plaintext primes and special primes that go together.
fn literal_of(which: usize) -> BfvLiteral {
    let base = insecure_literal(1024, 3);
    match which {
        0 => BfvLiteral {
            q: LIMBS[..2].to_vec(),
            reply_limbs: 1,
            ..base
        },
        1 => BfvLiteral {
            reply_limbs: 1,
            ..base
        },
        2 => BfvLiteral {
            q: WIDE[..2].to_vec(),
            reply_limbs: 1,
            special: vec![WIDE[2]],
            ..base
        },
        // Two special primes: digits of two limbs and of one.
        3 => BfvLiteral {
            special: vec![SPECIAL, WIDE[0]],
            reply_limbs: 1,
            ..base
        },
        // No special prime: digits of 18 bits of each limb.
        4 => BfvLiteral {
            special: Vec::new(),
            digit_bits: Some(18),
            reply_limbs: 1,
            ..base
        },
        5 => BfvLiteral {
            q: WIDE[..2].to_vec(),
            special: Vec::new(),
            digit_bits: Some(27),
            reply_limbs: 1,
            ..base
        },
        // A special prime that is narrower than the limbs, and a wider plaintext.
        _ => BfvLiteral {
            p: 1_073_692_673,
            q: WIDE.to_vec(),
            special: vec![137_438_085_121],
            reply_limbs: 2,
            ..base
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn chains_of_operations_decrypt_to_the_plain_result(
        which in 0_usize..7,
        steps in prop::collection::vec((0_usize..4, 0_usize..512, any::<bool>()), 1..8),
        seed: u64,
    ) {
        let rotations: Vec<Rotation> =
            steps.iter().map(|&(_, step, swap)| Rotation { step, swap }).collect();
        let mut parties = Parties::new(&literal_of(which), &rotations);
        parties.rng = rng(seed);
        let p = parties.p();
        let mut plain = parties.slots();
        let mut ct = parties.encrypt(&plain);
        let mut multiplied = false;
        for (&(op, ..), &rotation) in steps.iter().zip(&rotations) {
            let other = parties.slots();
            match op {
                0 => {
                    let fresh = parties.encrypt(&other);
                    parties.evaluator.add(&mut ct, &fresh);
                    plain = plus(p, &plain, &other);
                }
                // One level of products is what the moduli have room for.
                1 if !multiplied => {
                    let factor = parties.evaluator.encode(&other).unwrap();
                    ct = parties.evaluator.hadamard(&ct, &factor);
                    plain = times(p, &plain, &other);
                    multiplied = true;
                }
                2 => {
                    let (fresh, factor) = (parties.slots(), parties.slots());
                    let summand = parties.encrypt(&fresh);
                    let encoded = parties.evaluator.encode(&factor).unwrap();
                    parties.evaluator.multiply_accumulate(&mut ct, &summand, &encoded);
                    plain = plus(p, &plain, &times(p, &fresh, &factor));
                    multiplied = true;
                }
                _ => {
                    ct = parties.evaluator.rotate(&ct, rotation).unwrap();
                    plain = rotated(&plain, rotation);
                }
            }
        }
        parties.evaluator.add_plain(&mut ct, &plain).unwrap();
        plain = plus(p, &plain, &plain.clone());
        prop_assert!(parties.secret.noise(&ct, &plain).unwrap().budget_bits > 1.0);
        prop_assert_eq!(parties.secret.decrypt(&ct).unwrap(), plain.clone());
        let reply = parties.evaluator.mod_switch(&ct);
        prop_assert_eq!(parties.secret.decrypt(&reply).unwrap(), plain);
    }
}

#[test]
fn rerandomized_replies_decrypt_and_their_noise_is_the_flood() {
    for (n, limbs, flooding_log2) in [(2048, 2, 50), (4096, 2, 70), (4096, 3, 110)] {
        let literal = BfvLiteral {
            flooding_log2: Some(flooding_log2),
            reply_limbs: 1,
            ..insecure_literal(n, limbs)
        };
        let mut parties = Parties::new(&literal, &[]);
        let public_key = PublicKey::generate(&parties.secret, &mut parties.rng);
        let (x, mask) = (parties.slots(), parties.slots());
        let mut ct = parties.encrypt(&x);
        let rng = &mut parties.rng;
        parties
            .evaluator
            .rerandomize(&mut ct, &mask, &public_key, rng)
            .unwrap();
        let sum = plus(parties.p(), &x, &mask);
        let noise = parties.secret.noise(&ct, &sum).unwrap();
        // Uniform in ±B has the standard deviation B/√3.
        let expected = f64::from(flooding_log2) - 3.0_f64.log2() / 2.0;
        assert!((noise.std_log2 - expected).abs() < 0.1, "{noise:?}");
        assert!(
            (noise.max_log2 - f64::from(flooding_log2)).abs() < 0.1,
            "{noise:?}"
        );
        let reply = parties.evaluator.mod_switch(&ct);
        assert_eq!(parties.secret.decrypt(&reply).unwrap(), sum);
    }
}

/// log2 of a standard deviation from a variance.
fn std_log2(variance: f64) -> f64 {
    variance.log2() / 2.0
}

#[test]
fn noise_of_each_operation_is_what_the_formulas_say() {
    let (n, rotation) = (4096, Rotation::rows(3));
    let mut parties = Parties::new(&insecure_literal(n, 2), &[rotation]);
    let public_key = PublicKey::generate(&parties.secret, &mut parties.rng);
    let (x, y) = (parties.slots(), parties.slots());
    let (n, p, sigma2) = (n as f64, parties.p(), ERROR_SIGMA * ERROR_SIGMA);
    let near = |noise: super::super::Noise, variance: f64, what: &str| {
        let difference = noise.std_log2 - std_log2(variance);
        assert!(
            difference.abs() < 0.1,
            "{what}: {noise:?}, off by {difference}"
        );
        assert!(noise.max_log2 > noise.std_log2 && noise.max_log2 < noise.std_log2 + 3.0);
    };
    let fresh = parties.encrypt(&x);
    near(parties.secret.noise(&fresh, &x).unwrap(), sigma2, "fresh");
    let public = public_key.encrypt(&x, &mut parties.rng).unwrap();
    let of_public = parties.secret.noise(&public, &x).unwrap();
    near(of_public, sigma2 * (4.0 * n / 3.0 + 1.0), "public key");
    let product = parties
        .evaluator
        .hadamard(&fresh, &parties.evaluator.encode(&y).unwrap());
    let of_product = parties.secret.noise(&product, &times(p, &x, &y)).unwrap();
    // The rounding of q·m/p, uniform in ±1/2, is multiplied along with the error.
    let factor = n * (p.value() as f64).powi(2) / 12.0;
    near(of_product, (sigma2 + 1.0 / 12.0) * factor, "product");
    let turned = parties.evaluator.rotate(&fresh, rotation).unwrap();
    let of_rotation = parties
        .secret
        .noise(&turned, &rotated(&x, rotation))
        .unwrap();
    let special = SPECIAL as f64;
    let digits: f64 = LIMBS[..2]
        .iter()
        .map(|&q| (q as f64 / special).powi(2) / 12.0)
        .sum();
    let switch = n * sigma2 * digits + (1.0 + 2.0 * n / 3.0) / 12.0;
    near(of_rotation, sigma2 + switch, "rotation");
}

/// The noise that one rotation adds: for each digit n·σ²·|d|²/12 with
/// |d| its range, divided by P², and the rounding of the division.
fn switch_variance(params: &BfvParams) -> f64 {
    let (n, sigma2) = (params.degree() as f64, ERROR_SIGMA * ERROR_SIGMA);
    let BfvLiteral {
        q,
        special,
        digit_bits,
        ..
    } = params.literal();
    let ranges = digit_ranges(q, special, *digit_bits);
    let special: f64 = special.iter().map(|&p| p as f64).product();
    let digits: f64 = ranges.iter().map(|d| (d / special).powi(2) / 12.0).sum();
    let rounding = if params.literal().special.is_empty() {
        0.0
    } else {
        (1.0 + 2.0 * n / 3.0) / 12.0
    };
    n * sigma2 * digits + rounding
}

#[test]
fn noise_of_each_key_switch_is_what_the_formulas_say() {
    let rotation = Rotation {
        step: 3,
        swap: true,
    };
    let base = insecure_literal(4096, 3);
    let cases = [
        base.clone(),
        BfvLiteral {
            special: vec![SPECIAL, WIDE[1]],
            ..base.clone()
        },
        BfvLiteral {
            special: Vec::new(),
            digit_bits: Some(20),
            ..base.clone()
        },
        BfvLiteral {
            q: vec![WIDE[0]],
            special: Vec::new(),
            digit_bits: Some(27),
            reply_limbs: 1,
            ..base
        },
    ];
    for literal in cases {
        let mut parties = Parties::new(&literal, &[rotation]);
        let x = parties.slots();
        let fresh = parties.encrypt(&x);
        let turned = parties.evaluator.rotate(&fresh, rotation).unwrap();
        let noise = parties
            .secret
            .noise(&turned, &rotated(&x, rotation))
            .unwrap();
        let expected = ERROR_SIGMA * ERROR_SIGMA + switch_variance(&parties.params);
        let difference = noise.std_log2 - std_log2(expected);
        assert!(
            difference.abs() < 0.1,
            "{literal:?}: {noise:?}, off by {difference}"
        );
    }
}

#[test]
fn digits_have_the_ranges_that_their_split_says() {
    let q = [1 << 20, 1 << 10, 1 << 15].map(|q: u64| q - 1);
    let [q0, q1, q2] = q.map(|q| q as f64);
    assert_eq!(digit_ranges(&q, &[3], None), [q0, q1, q2]);
    assert_eq!(digit_ranges(&q, &[3, 5], None), [q0 * q1, q2]);
    let (base, whole) = (256.0, 65_536.0);
    let digits = [base, base, q0 / whole, base, q1 / base, base, q2 / base];
    assert_eq!(digit_ranges(&q, &[], Some(8)), digits);
    assert!(digit_ranges(&q, &[], None).is_empty());
}

#[test]
fn sums_of_rotations_are_the_sums_of_the_rotations() {
    let rotations: Vec<Rotation> = (0..6)
        .map(|step| Rotation {
            step,
            swap: step % 2 > 0,
        })
        .collect();
    for which in 0..7 {
        let mut parties = Parties::new(&literal_of(which), &rotations);
        let p = parties.p();
        let mut expected = vec![0; parties.params.degree()];
        let mut decomposed = Vec::new();
        for rotation in &rotations {
            let slots = parties.slots();
            expected = plus(p, &expected, &rotated(&slots, *rotation));
            let ct = parties.encrypt(&slots);
            decomposed.push(parties.evaluator.decompose(&ct));
        }
        let terms: Vec<_> = decomposed.iter().zip(rotations.iter().copied()).collect();
        let sum = parties.evaluator.sum_of_rotations(&terms).unwrap();
        assert_eq!(parties.secret.decrypt(&sum).unwrap(), expected);
        // The rounding of one division in place of five.
        let switches = 5.0 * switch_variance(&parties.params);
        let variance = 6.0 * ERROR_SIGMA * ERROR_SIGMA + switches;
        let noise = parties.secret.noise(&sum, &expected).unwrap();
        assert!(noise.std_log2 < std_log2(variance) + 0.1, "{noise:?}");
        let missing = [(&decomposed[0], Rotation::rows(9))];
        assert!(parties.evaluator.sum_of_rotations(&missing).is_err());
    }
}

#[test]
fn missing_steps_are_made_of_the_fewest_rotations_with_keys() {
    let swap = Rotation {
        step: 0,
        swap: true,
    };
    let keys = [
        Rotation::rows(1),
        Rotation::rows(8),
        Rotation::rows(31),
        swap,
    ];
    let mut parties = Parties::new(&insecure_literal(64, 2), &keys);
    let slots = parties.slots();
    let ct = parties.encrypt(&slots);
    for (step, turns, switches) in [
        (0, false, 0),
        (8, false, 1),
        (7, true, 3),
        (18, false, 4),
        (30, true, 3),
    ] {
        let rotation = Rotation { step, swap: turns };
        let chain = parties.evaluator.keys().chain(rotation).unwrap();
        assert_eq!(chain.len(), switches, "{rotation}: {chain:?}");
        let turned = parties.evaluator.rotate_by_chain(&ct, rotation).unwrap();
        assert_eq!(
            parties.secret.decrypt(&turned).unwrap(),
            rotated(&slots, rotation)
        );
    }
    let even = Parties::new(&insecure_literal(64, 2), &[Rotation::rows(2)]);
    let odd = Rotation::rows(3);
    let refused = even.evaluator.keys().chain(odd).unwrap_err();
    assert_eq!(refused, BfvError::MissingKey(odd));
    let without = BfvLiteral {
        special: Vec::new(),
        ..insecure_literal(64, 2)
    };
    let secret = SecretKey::generate(&BfvParams::insecure(&without).unwrap(), &mut rng(1));
    let refused = GaloisKeys::generate(&secret, &[odd], &mut rng(2)).unwrap_err();
    assert_eq!(refused, BfvError::NoKeySwitch(odd));
}

#[test]
fn mod_switched_noise_is_scaled_and_rounded() {
    let literal = BfvLiteral {
        reply_limbs: 1,
        ..insecure_literal(4096, 2)
    };
    let mut parties = Parties::new(&literal, &[]);
    let x = parties.slots();
    let ct = parties.encrypt(&x);
    let reply = parties.evaluator.mod_switch(&ct);
    let noise = parties.secret.noise(&reply, &x).unwrap();
    let expected = std_log2((1.0 + 2.0 * 4096.0 / 3.0) / 12.0);
    assert!((noise.std_log2 - expected).abs() < 0.1, "{noise:?}");
    let room = 50.0 - (parties.p().value() as f64).log2() - 1.0;
    assert!((noise.budget_bits - (room - noise.max_log2)).abs() < 1e-6);
}

#[test]
fn too_much_noise_leaves_no_budget_and_breaks_decryption() {
    let mut parties = Parties::new(&insecure_literal(1024, 1), &[]);
    let (x, y) = (parties.slots(), parties.slots());
    let ct = parties.encrypt(&x);
    let factor = parties.evaluator.encode(&y).unwrap();
    let p = parties.p();
    let twice = parties
        .evaluator
        .hadamard(&parties.evaluator.hadamard(&ct, &factor), &factor);
    let expected = times(p, &times(p, &x, &y), &y);
    assert!(parties.secret.noise(&twice, &expected).unwrap().budget_bits < 1.0);
    assert_ne!(parties.secret.decrypt(&twice).unwrap(), expected);
}

#[test]
fn missing_keys_and_strange_objects_are_refused() {
    let mut parties = Parties::new(&insecure_literal(64, 2), &[Rotation::rows(1)]);
    let slots = parties.slots();
    let ct = parties.encrypt(&slots);
    let missing = Rotation {
        step: 2,
        swap: true,
    };
    let refused = parties.evaluator.rotate(&ct, missing).unwrap_err();
    assert_eq!(refused, BfvError::MissingKey(missing));
    assert_eq!(refused.to_string(), "no Galois key for the rotation 2+swap");
    let beyond = Rotation::rows(32);
    let rng = &mut parties.rng;
    let refused = GaloisKeys::generate(&parties.secret, &[beyond], rng).unwrap_err();
    assert_eq!(
        refused,
        BfvError::Rotation {
            rotation: beyond,
            columns: 32
        }
    );

    let other = SecretKey::generate(&insecure_params(64, 1), rng);
    assert_eq!(other.decrypt(&ct), Err(BfvError::ParamsMismatch));
    assert_eq!(other.noise(&ct, &slots), Err(BfvError::ParamsMismatch));
    let keys = GaloisKeys::generate(&other, &[], rng).unwrap();
    let refused = Evaluator::new(&parties.params, keys).unwrap_err();
    assert_eq!(refused, BfvError::ParamsMismatch);
    let (mut ct, public_key) = (ct, PublicKey::generate(&other, rng));
    let refused = parties
        .evaluator
        .rerandomize(&mut ct, &slots, &public_key, rng);
    assert_eq!(refused, Err(BfvError::ParamsMismatch));
}

#[test]
fn equal_seeds_give_equal_ciphertexts_and_fresh_ones_differ() {
    let params = insecure_params(64, 1);
    let slots = random_slots(&params, &mut rng(1));
    let encrypt = |seed: u64| {
        let secret = SecretKey::generate(&params, &mut rng(0));
        secret.encrypt(&slots, &mut rng(seed)).unwrap().expand()
    };
    assert_eq!(encrypt(1).c0, encrypt(1).c0);
    assert_ne!(encrypt(1).c0, encrypt(2).c0);
    assert_ne!(encrypt(1).c1, encrypt(2).c1);
    let secret = SecretKey::generate(&params, &mut rng(3));
    assert_eq!(format!("{secret:?}"), "SecretKey { .. }");
}
