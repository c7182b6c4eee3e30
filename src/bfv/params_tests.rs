//! Every rule on parameters, and what a verdict is about.

use super::super::ops::Rotation;
use super::super::test_support::{LIMBS, SPECIAL, WIDE, insecure_literal};
use super::*;
use crate::ring::{BasisError, PrimeError};
use crate::security::{Attack, SecretKind, SecurityError, Table};

fn requirement(level: u32) -> Requirement {
    Requirement {
        table: Table::Guidelines2024,
        attack: Attack::Classical,
        secret: SecretKind::Ternary,
        level,
    }
}

fn refusal(change: impl FnOnce(&mut BfvLiteral)) -> BfvError {
    let mut literal = insecure_literal(4096, 2);
    change(&mut literal);
    BfvParams::insecure(&literal).unwrap_err()
}

#[test]
fn the_table_is_asked_about_all_moduli() {
    let mut literal = insecure_literal(4096, 1);
    let params = BfvParams::new(&literal, &requirement(128)).unwrap();
    let verdict = params.verdict().unwrap();
    assert_eq!(verdict.n, 4096);
    assert!((verdict.total_bits - 100.0).abs() < 1e-6);
    assert!(BfvParams::insecure(&literal).unwrap().verdict().is_none());

    // One limb more is 150 bits: too many at n = 4096, fine at n = 8192.
    literal = insecure_literal(4096, 2);
    let refused = BfvParams::new(&literal, &requirement(128)).unwrap_err();
    assert!(matches!(
        refused,
        BfvError::Security(SecurityError::TooManyBits { .. })
    ));
    literal.n = 8192;
    assert!(BfvParams::new(&literal, &requirement(128)).is_ok());
}

#[test]
fn each_broken_rule_is_named() {
    let composite = PrimeError::Composite(15);
    assert_eq!(refusal(|l| l.p = 15), BfvError::Plaintext(composite));
    assert_eq!(
        refusal(|l| l.q[1] = 15),
        BfvError::Modulus(BasisError::Prime(composite))
    );
    assert_eq!(
        refusal(|l| l.q.clear()),
        BfvError::Modulus(BasisError::Empty)
    );
    assert_eq!(
        refusal(|l| l.special[0] = LIMBS[0]),
        BfvError::Modulus(BasisError::Repeated(LIMBS[0]))
    );
    assert_eq!(refusal(|l| l.p = LIMBS[1]), BfvError::SharedPrime(LIMBS[1]));
    assert_eq!(refusal(|l| l.p = SPECIAL), BfvError::SharedPrime(SPECIAL));
    let limbs = 2;
    for (count, digits) in [(1, true), (3, false)] {
        let refused = refusal(|l| {
            l.special = [SPECIAL, LIMBS[2], WIDE[0]][..count].to_vec();
            l.digit_bits = digits.then_some(20);
        });
        let special = count;
        assert_eq!(
            refused,
            BfvError::KeySwitch {
                special,
                limbs,
                digits
            }
        );
    }
    for bits in [0, 1, 51] {
        let refused = refusal(|l| (l.special, l.digit_bits) = (Vec::new(), Some(bits)));
        let narrowest = 50;
        assert_eq!(refused, BfvError::DigitBits { bits, narrowest });
    }
    for reply_limbs in [0, 3] {
        let expected = BfvError::ReplyLimbs {
            reply_limbs,
            limbs: 2,
        };
        assert_eq!(refusal(|l| l.reply_limbs = reply_limbs), expected);
    }
    let narrow = refusal(|l| (l.q[0], l.p, l.reply_limbs) = (1_073_643_521, 1_073_692_673, 1));
    assert!(matches!(narrow, BfvError::NoRoom { .. }), "{narrow}");
    let flooded = refusal(|l| l.flooding_log2 = Some(80));
    assert!(
        matches!(
            flooded,
            BfvError::Flooding {
                flooding_log2: 80,
                ..
            }
        ),
        "{flooded}"
    );
    let mut literal = insecure_literal(4096, 2);
    literal.flooding_log2 = Some(78);
    assert!(BfvParams::insecure(&literal).is_ok());
}

#[test]
fn fingerprint_binds_every_field() {
    let base = insecure_literal(4096, 2);
    let fingerprint = |l: &BfvLiteral| BfvParams::insecure(l).unwrap().fingerprint();
    let changed: Vec<BfvLiteral> = vec![
        BfvLiteral {
            n: 2048,
            ..base.clone()
        },
        BfvLiteral {
            p: 786_433,
            ..base.clone()
        },
        BfvLiteral {
            q: vec![LIMBS[0], LIMBS[2]],
            ..base.clone()
        },
        BfvLiteral {
            special: vec![LIMBS[2]],
            ..base.clone()
        },
        BfvLiteral {
            special: Vec::new(),
            ..base.clone()
        },
        BfvLiteral {
            special: Vec::new(),
            digit_bits: Some(25),
            ..base.clone()
        },
        BfvLiteral {
            special: vec![SPECIAL, LIMBS[2]],
            ..base.clone()
        },
        BfvLiteral {
            flooding_log2: Some(0),
            ..base.clone()
        },
        BfvLiteral {
            reply_limbs: 1,
            ..base.clone()
        },
    ];
    for other in changed {
        assert_ne!(fingerprint(&other), fingerprint(&base), "{other:?}");
    }
    assert_eq!(fingerprint(&base), fingerprint(&base.clone()));
}

#[test]
fn galois_elements_follow_the_rows() {
    let params = BfvParams::insecure(&insecure_literal(1024, 1)).unwrap();
    let element = |step, swap| params.galois_element(Rotation { step, swap });
    assert_eq!(element(0, false), Ok(1));
    assert_eq!(element(1, false), Ok(3));
    assert_eq!(element(0, true), Ok(2047));
    assert_eq!(element(2, true), Ok(2048 - 9));
    let beyond = Rotation::rows(512);
    assert_eq!(
        params.galois_element(beyond),
        Err(BfvError::Rotation {
            rotation: beyond,
            columns: 512
        })
    );
}

#[test]
fn debug_shows_what_they_are() {
    let text = format!(
        "{:?}",
        BfvParams::insecure(&insecure_literal(1024, 1)).unwrap()
    );
    assert!(
        text.contains("1032193") && text.contains("verdict: None"),
        "{text}"
    );
}
