//! Every cell of both tables, typed a second time in the layout of the publications; both lookups
//! held against each other.

use super::*;
use proptest::prelude::*;

const LEVELS: [u32; 3] = [128, 192, 256];
const ATTACKS: [Attack; 2] = [Attack::Classical, Attack::Quantum];
const SECRETS: [SecretKind; 3] = [SecretKind::Ternary, SecretKind::Error, SecretKind::Uniform];

/// Rows by level, columns n = 1024, 2048, …; 0 where the publication gives none.
type Rows = [&'static [u32]; 3];

const STANDARD_QUANTUM_WIDE: Rows = [
    &[27, 53, 103, 206, 413, 829],
    &[19, 37, 72, 143, 286, 573],
    &[15, 29, 56, 111, 222, 445],
];

fn published(table: Table, attack: Attack, secret: SecretKind) -> Rows {
    use {Attack::*, SecretKind::*, Table::*};
    match (table, attack, secret) {
        (Standard2018, Classical, Ternary) => [
            &[27, 54, 109, 218, 438, 881],
            &[19, 37, 75, 152, 305, 611],
            &[14, 29, 58, 118, 237, 476],
        ],
        (Standard2018, Classical, Uniform) => [
            &[29, 56, 111, 220, 440, 880],
            &[21, 39, 77, 154, 307, 612],
            &[16, 31, 60, 120, 239, 478],
        ],
        (Standard2018, Classical, Error) => [
            &[29, 56, 111, 220, 440, 883],
            &[21, 39, 77, 154, 307, 613],
            &[16, 31, 60, 120, 239, 478],
        ],
        (Standard2018, Quantum, Ternary) => [
            &[25, 51, 101, 202, 411, 827],
            &[17, 35, 70, 141, 284, 571],
            &[13, 27, 54, 109, 220, 443],
        ],
        (Standard2018, Quantum, Uniform | Error) => STANDARD_QUANTUM_WIDE,
        (Guidelines2024, Classical, Ternary) => [
            &[26, 53, 106, 214, 430, 868, 1747, 3523],
            &[0, 36, 73, 147, 297, 597, 1199, 2411],
            &[0, 27, 56, 114, 230, 462, 929, 1866],
        ],
        (Guidelines2024, Classical, Error) => [
            &[28, 55, 108, 216, 432, 870, 1749, 3525],
            &[0, 38, 75, 149, 299, 599, 1201, 2413],
            &[0, 30, 58, 119, 232, 464, 931, 1868],
        ],
        (Guidelines2024, Quantum, Ternary) => [
            &[25, 50, 101, 203, 409, 825, 1663, 3348],
            &[0, 34, 69, 140, 283, 570, 1145, 2301],
            &[0, 26, 53, 108, 219, 442, 888, 1784],
        ],
        (Guidelines2024, Quantum, Error) => [
            &[27, 52, 103, 205, 411, 827, 1665, 3351],
            &[0, 36, 72, 143, 285, 572, 1147, 2304],
            &[0, 28, 56, 111, 222, 445, 890, 1786],
        ],
        (Guidelines2024, _, Uniform) | (Estimate, _, _) => [&[], &[], &[]],
    }
}

fn every_column() -> impl Iterator<Item = (Table, Attack, SecretKind, usize)> {
    Table::ALL.into_iter().flat_map(|table| {
        ATTACKS.into_iter().flat_map(move |attack| {
            SECRETS.into_iter().flat_map(move |secret| {
                (0..10).map(move |log| (table, attack, secret, 512_usize << log))
            })
        })
    })
}

#[test]
fn every_cell_is_as_published() {
    let mut cells = 0;
    for (table, attack, secret, n) in every_column() {
        for (level, row) in LEVELS.into_iter().zip(published(table, attack, secret)) {
            let expected = (0..row.len())
                .find(|&column| 1024 << column == n)
                .map(|column| row[column])
                .filter(|&bits| bits > 0);
            let requirement = Requirement {
                table,
                attack,
                secret,
                level,
            };
            assert_eq!(max_log_q(&requirement, n), expected, "{requirement:?} {n}");
            cells += usize::from(expected.is_some());
        }
    }
    assert_eq!(
        cells,
        Table::ALL.iter().map(|t| t.cells().len()).sum::<usize>()
    );
}

#[test]
fn the_two_lookups_are_inverse() {
    for (table, attack, secret, n) in every_column() {
        let level_of = |bits: f64| level_reached(table, attack, secret, n, bits);
        for level in LEVELS {
            let requirement = Requirement {
                table,
                attack,
                secret,
                level,
            };
            let Some(bits) = max_log_q(&requirement, n) else {
                continue;
            };
            assert_eq!(level_of(f64::from(bits)), Some(level));
            assert!(level_of(f64::from(bits) + 1e-9) < Some(level));
        }
    }
}

#[test]
fn a_verdict_says_what_was_asked() {
    let asked = Requirement::default();
    let verdict = check(&asked, 8192, 200.5).unwrap();
    assert_eq!((verdict.table, verdict.level), (Table::Guidelines2024, 128));
    assert_eq!((verdict.n, verdict.max_bits), (8192, 214));
    let json = serde_json::to_value(verdict).unwrap();
    assert_eq!(json["table"], "2024");
    assert_eq!(json["attack"], "classical");
    assert_eq!(json["secret"], "ternary");
    assert_eq!(serde_json::from_value::<Verdict>(json).unwrap(), verdict);
}

#[test]
fn the_papers_set_at_1024_is_refused() {
    // NASS section 4.1.2 calls n = 1024 secure for q up to 2^32.
    let error = check(&Requirement::default(), 1024, 32.0).unwrap_err();
    assert!(matches!(error, SecurityError::TooManyBits { short_bits, .. } if short_bits == 6.0));
    assert_eq!(
        error.to_string(),
        "n = 1024 allows 26 bits of modulus at 128-bit security (2024), \
         32.00 were asked: 6.00 too many"
    );
    assert!(check(&Requirement::default(), 4096, f64::NAN).is_err());
    assert!(check(&Requirement::default(), 4096, f64::INFINITY).is_err());
}

#[test]
fn what_the_table_does_not_have_is_refused() {
    let asked = |level, secret| Requirement {
        level,
        secret,
        ..Requirement::default()
    };
    for (requirement, n) in [
        (asked(128, SecretKind::Uniform), 4096),
        (asked(192, SecretKind::Ternary), 1024),
        (asked(150, SecretKind::Ternary), 4096),
        (asked(128, SecretKind::Ternary), 4097),
    ] {
        assert_eq!(
            check(&requirement, n, 1.0),
            Err(SecurityError::NotInTable { requirement, n })
        );
    }
    assert_eq!(
        check(&asked(150, SecretKind::Ternary), 4096, 1.0)
            .unwrap_err()
            .to_string(),
        "the 2024 table has no entry for n = 4096, 150 bits, ternary secrets, classical attacks"
    );
}

proptest! {
    #[test]
    fn check_and_level_agree(
        log_n in 10_u32..18, level in prop::sample::select(&LEVELS[..]), bits in 1.0..4000.0_f64,
        table in prop::sample::select(&Table::ALL[..]), attack in prop::sample::select(&ATTACKS[..]),
        secret in prop::sample::select(&SECRETS[..]),
    ) {
        let n = 1 << log_n;
        let requirement = Requirement { table, attack, secret, level };
        let reached = level_reached(table, attack, secret, n, bits);
        prop_assert_eq!(
            check(&requirement, n, bits).is_ok(),
            max_log_q(&requirement, n).is_some() && reached >= Some(level)
        );
    }
}
