//! The circuits against their integer meaning: all of it for small moduli, samples for large ones.

use proptest::prelude::*;

use super::*;

fn requantize(shift: u32, output_bits: u32, signed: bool) -> Requantize {
    Requantize {
        shift,
        output_bits,
        signed,
    }
}

fn relu(p_in: u64, p_out: u64, shift: u32, output_bits: u32) -> ShareCircuit {
    let function = ShareFunction::Requantize(requantize(shift, output_bits, false));
    ShareCircuit {
        function,
        p_in,
        p_out,
    }
}

#[test]
fn every_small_requantization_is_right_for_all_shares_and_masks() {
    let mut built = 0;
    for (p_in, p_out) in [(3, 3), (7, 7), (13, 5), (17, 31), (29, 11), (31, 31)] {
        for shift in 0..=6 {
            for output_bits in 1..=6 {
                for signed in [false, true] {
                    let function =
                        ShareFunction::Requantize(requantize(shift, output_bits, signed));
                    let circuit = ShareCircuit {
                        function,
                        p_in,
                        p_out,
                    };
                    if circuit.check().is_err() {
                        continue;
                    }
                    built += 1;
                    for a in 0..p_in {
                        for b in 0..p_in {
                            for r in 0..p_out {
                                assert_eq!(
                                    circuit.run_plain(&[a], &[b], r),
                                    circuit.plain(&[a], &[b], r),
                                    "{circuit:?} a={a} b={b} r={r}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(built > 300, "{built}");
}

#[test]
fn every_small_max_pool_of_two_is_right_for_all_shares() {
    for (p_in, p_out, shift, bits, signed) in [
        (7, 7, 0, 2, false),
        (11, 7, 1, 3, true),
        (11, 23, 0, 6, true),
        (13, 11, 1, 2, true),
    ] {
        let then = requantize(shift, bits, signed);
        let function = ShareFunction::MaxPool { window: 2, then };
        let circuit = ShareCircuit {
            function,
            p_in,
            p_out,
        };
        for code in 0..p_in.pow(4) {
            let s: Vec<u64> = (0..4).map(|i| code / p_in.pow(i) % p_in).collect();
            let r = code % p_out;
            assert_eq!(
                circuit.run_plain(&s[..2], &s[2..], r).unwrap(),
                circuit.plain(&s[..2], &s[2..], r).unwrap(),
                "{circuit:?} {s:?} r={r}"
            );
        }
    }
}

/// The meaning once more, in words of its own, so that `plain` is not its only witness.
#[test]
fn the_plain_meaning_is_the_rule_of_the_papers() {
    let circuit = relu(101, 17, 2, 3);
    for x in -50_i64..=50 {
        let rounded = (x as f64 / 4.0 + 0.5).floor();
        let y = rounded.clamp(0.0, 7.0) as i64;
        for a in [0, 1, 50, 100] {
            let b = (x - a).rem_euclid(101) as u64;
            let share = circuit.plain(&[a as u64], &[b], 5).unwrap();
            assert_eq!((share as i64 + 5) % 17, y, "x={x} a={a}");
        }
    }
}

#[test]
fn a_relu_is_smaller_than_gazelles() {
    for w in 3..=61_usize {
        let p = (1 << w) - 1;
        let and = relu(p, p, 0, w as u32 - 1).and_count().unwrap();
        assert_eq!(and, 5 * w - 3);
        assert!(and < 8 * w + 2);
        let then = requantize(0, w as u32 - 1, false);
        let function = ShareFunction::MaxPool { window: 4, then };
        let pool = ShareCircuit {
            function,
            p_in: p,
            p_out: p,
        }
        .and_count()
        .unwrap();
        assert_eq!(pool, 17 * w - 6);
        assert!(pool < 23 * w + 5);
    }
}

#[test]
fn each_unusable_circuit_is_refused_for_its_reason() {
    let good = relu(101, 101, 0, 6);
    assert_eq!(good.check(), Ok(()));
    for modulus in [0, 1, 2, 100, (1 << 62) + 1] {
        assert_eq!(
            ShareCircuit {
                p_in: modulus,
                ..good
            }
            .check(),
            Err(GcError::Modulus { modulus })
        );
    }
    assert_eq!(
        relu(101, 101, 62, 6).check(),
        Err(GcError::Shift { shift: 62 })
    );
    for output_bits in [0, 62] {
        assert_eq!(
            relu(101, 101, 0, output_bits).check(),
            Err(GcError::OutputBits { output_bits })
        );
    }
    for window in [0, 1025] {
        let function = ShareFunction::MaxPool {
            window,
            then: requantize(0, 6, false),
        };
        assert_eq!(
            ShareCircuit { function, ..good }.check(),
            Err(GcError::Window { window })
        );
    }
    let narrow = GcError::OutputRange {
        modulus: 17,
        magnitude: 50,
    };
    assert_eq!(relu(101, 17, 0, 6).check(), Err(narrow));
    assert_eq!(
        good.plain(&[101], &[0], 0),
        Err(GcError::Share {
            index: 0,
            modulus: 101
        })
    );
    assert_eq!(
        good.run_plain(&[0], &[0], 101),
        Err(GcError::Share {
            index: 0,
            modulus: 101
        })
    );
    let what = "evaluator's shares";
    let length = GcError::Length {
        what,
        expected: 1,
        actual: 2,
    };
    assert_eq!(good.run_plain(&[0], &[0, 1], 0), Err(length));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn large_circuits_match_their_meaning(
        p_in in 3_u64..1 << 61,
        narrower_in in 0_u32..58,
        p_out in 3_u64..1 << 61,
        narrower_out in 0_u32..58,
        shift in 0_u32..=61,
        output_bits in 1_u32..=61,
        signed: bool,
        window in 1_usize..5,
        seeds in prop::array::uniform9(0_u64..1 << 62),
    ) {
        let then = requantize(shift, output_bits, signed);
        let function = if window == 1 {
            ShareFunction::Requantize(then)
        } else {
            ShareFunction::MaxPool { window, then }
        };
        let (p_in, p_out) = ((p_in >> narrower_in) | 3, (p_out >> narrower_out) | 3);
        let mut circuit = ShareCircuit { function, p_in, p_out };
        if circuit.check().is_err() {
            circuit.p_out = (1 << 61) - 1;
        }
        prop_assume!(circuit.check().is_ok());
        let shares: Vec<u64> = seeds.iter().map(|s| s % p_in).collect();
        let (a, b, r) = (&shares[..window], &shares[4..4 + window], seeds[8] % circuit.p_out);
        prop_assert_eq!(circuit.run_plain(a, b, r), circuit.plain(a, b, r));
    }
}
