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

/// Every combination of shares of a small circuit, with every mask or with some.
fn assert_right_for_all_shares(circuit: &ShareCircuit) {
    let (p, n) = (circuit.p_in, circuit.window());
    for code in 0..p.pow(2 * n as u32) {
        let s: Vec<u64> = (0..2 * n as u32).map(|i| code / p.pow(i) % p).collect();
        let r = code % circuit.p_out;
        let (a, b) = s.split_at(n);
        let (got, wanted) = (circuit.run_plain(a, b, r), circuit.plain(a, b, r));
        assert_eq!(got, wanted, "{circuit:?} {a:?} {b:?} r={r}");
        assert!(got.is_ok());
    }
}

#[test]
fn every_small_clip_is_right_for_all_shares_and_masks() {
    let mut built = 0;
    for (p_in, p_out) in [(3, 3), (7, 7), (13, 5), (17, 31), (31, 31), (61, 29)] {
        for shift in 0..=6 {
            for (low, high) in [
                (0, 0),
                (0, 1),
                (0, 3),
                (0, 6),
                (-1, 1),
                (-5, 2),
                (-2, 9),
                (-40, 5),
            ] {
                let function = ShareFunction::Clip(Clip { shift, low, high });
                let circuit = ShareCircuit {
                    function,
                    p_in,
                    p_out,
                };
                if circuit.check().is_ok() {
                    built += 1;
                    for a in 0..p_in {
                        for b in 0..p_in {
                            let r = (7 * a + 3 * b) % p_out;
                            let (got, wanted) = (
                                circuit.run_plain(&[a], &[b], r),
                                circuit.plain(&[a], &[b], r),
                            );
                            assert_eq!(got, wanted, "{circuit:?} a={a} b={b} r={r}");
                        }
                    }
                }
            }
        }
    }
    assert!(built > 150, "{built}");
}

#[test]
fn every_small_circuit_of_gazelle_is_right_for_all_shares() {
    for rectifier in [Rectifier::Relu, Rectifier::Linear] {
        for (window, p) in [(1, 3), (1, 13), (1, 31), (2, 5), (2, 11), (3, 5)] {
            let function = ShareFunction::Gazelle { window, rectifier };
            assert_right_for_all_shares(&ShareCircuit {
                function,
                p_in: p,
                p_out: p,
            });
        }
    }
}

#[test]
fn every_small_argmax_is_right_for_all_shares() {
    for (values, p_in) in [(2, 3), (2, 11), (3, 5), (3, 7), (4, 5), (5, 3), (6, 3)] {
        let function = ShareFunction::Argmax { values };
        assert_right_for_all_shares(&ShareCircuit {
            function,
            p_in,
            p_out: places(values),
        });
    }
}

/// The rule of the network's integer evaluator.
#[test]
fn the_meaning_is_that_of_the_networks_evaluator() {
    let p = 1009;
    for (shift, output_bits, signed) in [(0, 9, false), (3, 4, false), (3, 4, true), (9, 8, true)] {
        let then = requantize(shift, output_bits, signed);
        let circuit = ShareCircuit {
            function: ShareFunction::Requantize(then),
            p_in: p,
            p_out: 2027,
        };
        for x in -504_i64..=504 {
            let (a, b) = (123, (x - 123).rem_euclid(p as i64) as u64);
            let share = circuit.plain(&[a], &[b], 0).unwrap() as i64;
            assert_eq!(share, then.apply(x).rem_euclid(2027));
            assert_eq!(circuit.run_plain(&[a], &[b], 0).unwrap() as i64, share);
        }
    }
}

/// The closed forms of the header.
fn closed_form(circuit: &ShareCircuit) -> usize {
    let (w, n) = (width(circuit.p_in), circuit.window());
    let bits = |x: i128| (i128::BITS - x.leading_zeros()) as usize;
    let (low, high) = (circuit.lowest(), circuit.highest());
    let clamped = (circuit.clamp(low), circuit.clamp(high));
    let h = i128::from(circuit.p_in / 2) + circuit.half();
    let (s, fits) = (circuit.shift() as usize, clamped == (low, high));
    let (all, last) = match circuit.function {
        ShareFunction::Gazelle { rectifier, .. } => {
            let relu = if rectifier == Rectifier::Relu {
                2 * w
            } else {
                0
            };
            return n * (3 * w + 1) + (n - 1) * 2 * w + relu + 3 * w + 1;
        }
        ShareFunction::Argmax { values } => {
            let m = values.ilog2() as usize;
            return n * (2 * w - 1) + (2 * n - 3) * w + n - 1 - m;
        }
        ShareFunction::Clip(_) if !fits => {
            let sign = usize::from(low < clamped.0);
            let all = (bits(h - (clamped.0 << s)) + sign).max(s + 1);
            let (z, m) = (all - s - sign, clamped.1 - clamped.0);
            let compared = z.saturating_sub(m.trailing_ones() as usize + 1);
            let open = compared > 0 || z > m.trailing_ones() as usize;
            let kept = if sign == 1 || open { bits(m) } else { 0 };
            (all, compared + sign * usize::from(open) + kept)
        }
        ShareFunction::Requantize(then) | ShareFunction::MaxPool { then, .. } if !then.signed => {
            let all = (bits(h) + 1).max(s + 1);
            (all, all - s - 1)
        }
        _ if fits => ((bits(h - (low << s))).max(s + 1), 0),
        _ => (bits(h) + 1, bits(h) + 1 - s - 2),
    };
    n * (w + all - 1) + (n - 1) * 2 * (all - s) + last + 2 * width(circuit.p_out) - 1
}

#[test]
fn counts_are_the_closed_forms() {
    for w in 3..=61_u32 {
        let p = (1 << w) - 1;
        let count = |function, p_out| {
            let circuit = ShareCircuit {
                function,
                p_in: p,
                p_out,
            };
            let count = circuit.and_count().unwrap();
            assert_eq!(count, closed_form(&circuit), "{circuit:?}");
            count
        };
        let gazelle = |window, rectifier| count(ShareFunction::Gazelle { window, rectifier }, p);
        let pool = |signed| ShareFunction::MaxPool {
            window: 4,
            then: requantize(0, 61, signed),
        };
        let w = w as usize;
        assert_eq!(gazelle(1, Rectifier::Relu), 8 * w + 2);
        assert_eq!(gazelle(4, Rectifier::Linear), 21 * w + 5);
        assert_eq!(gazelle(4, Rectifier::Relu), 23 * w + 5);
        assert_eq!(count(ShareFunction::relu(), p), 5 * w - 3);
        assert_eq!(count(pool(false), p), 17 * w - 6);
        assert_eq!(count(pool(true), p), 16 * w - 5);
        count(ShareFunction::truncate(w as u32 / 2), p);
        count(
            ShareFunction::Requantize(requantize(w as u32 / 3, 2, true)),
            p,
        );
        for (low, high) in [(0, 6), (0, 1), (-1, 1), (-3, 0)] {
            let shift = w as u32 / 4;
            count(ShareFunction::Clip(Clip { shift, low, high }), p);
        }
        for values in [2, 4, 8, 16] {
            count(ShareFunction::Argmax { values }, places(values));
        }
    }
}

/// Counts of the circuits that Gazelle's released code builds, 8w + 2 for a ReLU: bits of p and ANDs.
#[test]
fn gazelles_counts_are_the_published_ones() {
    let published = [
        (16, 130),
        (20, 162),
        (21, 170),
        (22, 178),
        (41, 330),
        (42, 338),
    ];
    for (w, ands) in published {
        let p = (1 << w) - 1;
        let function = ShareFunction::Gazelle {
            window: 1,
            rectifier: Rectifier::Relu,
        };
        let circuit = ShareCircuit {
            function,
            p_in: p,
            p_out: p,
        };
        assert_eq!(circuit.and_count(), Ok(ands));
    }
}

#[test]
fn each_new_function_is_refused_for_its_reason() {
    let circuit = |function, p_in, p_out| ShareCircuit {
        function,
        p_in,
        p_out,
    };
    let clip = |low, high| {
        ShareFunction::Clip(Clip {
            shift: 0,
            low,
            high,
        })
    };
    for (low, high) in [(1, 2), (-2, -1), (1, -1)] {
        let refused = circuit(clip(low, high), 101, 101).check();
        assert_eq!(refused, Err(GcError::Clip { low, high }));
    }
    let gazelle = ShareFunction::Gazelle {
        window: 1,
        rectifier: Rectifier::Relu,
    };
    let (p_in, p_out) = (101, 103);
    let refused = circuit(gazelle, p_in, p_out).check();
    assert_eq!(refused, Err(GcError::OneModulus { p_in, p_out }));
    let argmax = |values| ShareFunction::Argmax { values };
    let refused = circuit(argmax(3), 101, 101).check();
    let (given, expected) = (101, 4);
    assert_eq!(refused, Err(GcError::Places { given, expected }));
    for window in [0, 1, 1025] {
        let refused = circuit(argmax(window), 101, 1).check();
        assert_eq!(refused, Err(GcError::Window { window }));
    }
    let masked = circuit(argmax(2), 101, 2).run_plain(&[0, 0], &[0, 0], 2);
    let (index, modulus) = (0, 2);
    assert_eq!(masked, Err(GcError::Share { index, modulus }));
    let narrow = circuit(ShareFunction::truncate(0), 101, 17).check();
    let (modulus, magnitude) = (17, 50);
    assert_eq!(narrow, Err(GcError::OutputRange { modulus, magnitude }));
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

    /// Whatever was read from a file is refused or can be built.
    #[test]
    fn any_record_is_refused_or_built(
        moduli in prop::array::uniform2(any::<u64>()),
        narrower in prop::array::uniform2(0_u32..64),
        shift in 0_u32..70,
        output_bits in 0_u32..70,
        signed: bool,
        window in 0_usize..9,
        limits in prop::array::uniform2(any::<i64>()),
        kind in 0_usize..5,
    ) {
        let then = Requantize { shift, output_bits, signed };
        let rectifier = Rectifier::Relu;
        let function = match kind {
            0 => ShareFunction::Requantize(then),
            1 => ShareFunction::MaxPool { window, then },
            2 => ShareFunction::Clip(Clip { shift, low: limits[0], high: limits[1] }),
            3 => ShareFunction::Gazelle { window, rectifier },
            _ => ShareFunction::Argmax { values: window },
        };
        let [p_in, p_out] = [moduli[0] >> narrower[0], moduli[1] >> narrower[1]];
        let circuit = ShareCircuit { function, p_in, p_out };
        prop_assert_eq!(circuit.and_count().is_ok(), circuit.check().is_ok());
    }

    #[test]
    fn large_clips_pools_and_places_match_their_meaning(
        p in 3_u64..1 << 61,
        narrower in 0_u32..58,
        shift in 0_u32..=61,
        low in -(1_i64 << 60)..=0,
        high in 0_i64..1 << 60,
        lower in 0_u32..60,
        values in 2_usize..12,
        seeds in prop::array::uniform24(0_u64..1 << 62),
    ) {
        let p = (p >> narrower) | 3;
        let clip = Clip { shift, low: low >> lower, high: high >> lower };
        let window = values;
        for (function, p_out) in [
            (ShareFunction::Clip(clip), p),
            (ShareFunction::relu(), p),
            (ShareFunction::truncate(shift), p),
            (ShareFunction::Gazelle { window, rectifier: Rectifier::Relu }, p),
            (ShareFunction::Gazelle { window, rectifier: Rectifier::Linear }, p),
            (ShareFunction::Argmax { values }, places(values)),
        ] {
            let circuit = ShareCircuit { function, p_in: p, p_out };
            let shares: Vec<u64> = seeds.iter().map(|s| s % p).collect();
            let (a, b) = (&shares[..circuit.window()], &shares[12..12 + circuit.window()]);
            let r = seeds[11] % p_out;
            let wanted = circuit.plain(a, b, r);
            prop_assert!(wanted.is_ok(), "{:?}", circuit);
            prop_assert_eq!(circuit.run_plain(a, b, r), wanted, "{:?}", circuit);
        }
    }
}
