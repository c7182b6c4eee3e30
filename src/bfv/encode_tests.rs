//! Encoding against evaluation by definition, scaling and rounding against big integers.

use num_bigint::BigUint;
use proptest::prelude::*;

use super::super::BfvLiteral;
use super::super::test_support::{WIDE, insecure_literal, insecure_params, random_slots, rng};
use super::*;
use crate::ring::Ntt;

#[test]
fn slots_are_values_at_powers_of_the_root_in_two_rows() {
    let params = insecure_params(64, 1);
    let (n, p) = (64, params.plaintext_plan().modulus());
    let slots = random_slots(&params, &mut rng(1));
    let polynomial = params.encode(&slots).unwrap();
    let root = params.plaintext_plan().root();
    let value_at = |x: u64| {
        polynomial
            .iter()
            .rev()
            .fold(0, |v, &c| p.add(p.mul(v, x), c))
    };
    let mut power = 1_u64;
    for column in 0..n / 2 {
        assert_eq!(value_at(p.pow(root, power)), slots[column]);
        assert_eq!(value_at(p.pow(root, 128 - power)), slots[n / 2 + column]);
        power = power * 3 % 128;
    }
    assert_eq!(params.decode(polynomial), Ok(slots));
}

#[test]
fn wrong_vectors_are_refused() {
    let params = insecure_params(64, 1);
    let p = params.plaintext_modulus();
    let count = BfvError::SlotCount {
        expected: 64,
        actual: 63,
    };
    assert_eq!(params.encode(&[0; 63]), Err(count));
    assert_eq!(params.decode(vec![0; 63]), Err(count));
    let mut slots = vec![0; 64];
    slots[7] = p;
    let value = BfvError::SlotValue {
        slot: 7,
        value: p,
        p,
    };
    assert_eq!(params.encode(&slots), Err(value));
    assert_eq!(params.decode(slots), Err(value));
}

/// Literals with narrow and wide limbs and plaintext moduli.
fn literals() -> Vec<BfvLiteral> {
    let base = insecure_literal(64, 3);
    vec![
        insecure_literal(64, 1),
        insecure_literal(64, 2),
        base.clone(),
        BfvLiteral {
            q: WIDE.to_vec(),
            p: 1_099_511_480_321,
            ..base.clone()
        },
        // p wider than every limb.
        BfvLiteral {
            q: vec![1_073_643_521, 1_073_430_529, 1_073_233_921],
            p: 288_230_376_150_876_161,
            ..base
        },
    ]
}

fn product(params: &BfvParams, limbs: usize) -> BigUint {
    let moduli = params.basis().moduli().take(limbs);
    moduli.fold(BigUint::from(1_u8), |q, m| q * m.value())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn scaling_and_rounding_are_exact(which in 0_usize..5, words: [u64; 4], seed: u64) {
        let params = BfvParams::insecure(&literals()[which]).unwrap();
        let p = params.plaintext_modulus();
        for limbs in 1..=params.limbs() {
            let q = product(&params, limbs);
            // Rounding: any phase at all.
            let x = words.iter().fold(BigUint::ZERO, |x, &w| (x << 64) + w) % &q;
            let mut phase = Poly::<Coefficient>::zero(64, limbs);
            for (m, limb) in params.basis().moduli().zip(phase.iter_mut()) {
                limb[3] = u64::try_from(&x % m.value()).unwrap();
            }
            let expected = ((x * p + (&q >> 1_u32)) / &q) % p;
            let mut rounded = vec![1; 64];
            params.round_to_plaintext(&mut phase, &mut rounded);
            prop_assert_eq!(BigUint::from(rounded[3]), expected);
            prop_assert_eq!(rounded[0], 0);
            // Scaling: round(q·m/p), and back.
            let slots = random_slots(&params, &mut rng(seed));
            let message = params.encode(&slots).unwrap();
            let mut scaled = Poly::<Coefficient>::zero(64, limbs);
            params.add_scaled(&mut scaled, &slots).unwrap();
            for (i, &m) in message.iter().enumerate() {
                let expected = (&q * m + p / 2) / p;
                for (limb, q) in scaled.iter().zip(params.basis().moduli()) {
                    prop_assert_eq!(BigUint::from(limb[i]), &expected % q.value());
                }
            }
            if params.level(limbs).basis.log2() > (p as f64).log2() + 1.0 {
                params.round_to_plaintext(&mut scaled, &mut rounded);
                prop_assert_eq!(rounded, message);
            }
        }
    }
}

#[test]
fn factors_are_centred() {
    let params = insecure_params(64, 2);
    let slots = random_slots(&params, &mut rng(2));
    let message = params.encode(&slots).unwrap();
    let factor = params.encode_factor(&slots).unwrap().0;
    // A factor of 1/R takes the R away.
    let ones = Poly::from_residues(64, &[1; 128]);
    let mut values = Poly::<Ntt>::from_residues(64, factor.residues());
    values.multiply_assign(params.basis(), &ones);
    let factor = values.into_coefficients(params.basis());
    let p = params.plaintext_plan().modulus();
    for (q, limb) in params.basis().moduli().zip(factor.iter()) {
        for (&x, &m) in limb.iter().zip(&message) {
            assert_eq!(q.centred(x), p.centred(m));
        }
    }
}
