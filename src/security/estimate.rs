//! A security level without a table: a formula fitted to the lattice estimator's output. An estimate.
//!
//! With b = log2 of the product of all moduli,
//!
//! λ(n, b) = −log2(α·b/n)·β·n/b + γ·(b/n)^δ·log2(n/b) bits,
//!
//! fitted for ternary secrets and for secrets drawn like the error, classical attacks. Source: fhegen
//! (Mono, Marcolla, Land, Güneysu, Aaraj 2022, ia.cr/2022/706, and its program). Used from n = 1024 to
//! 131,072 and from 80 to 256 bits, and only where [`Table::Estimate`](super::Table::Estimate) is asked for
//! by name. For ternary secrets it is within 13 bits of each cell of the table of 2018, on either side, and up to
//! 16 bits above the one of 2024: it may be too hopeful. λ falls as b grows.

use super::{Attack, SecretKind};

/// What outputs say of it.
pub(super) const SOURCE: &str = "ESTIMATE by the fitted formula of fhegen (Mono, Marcolla, Land, Güneysu, Aaraj 2022, ia.cr/2022/706): no published table grants this";

/// When it was published.
pub(super) const DATE: &str = "2022";

/// Levels for which it is used.
const LEVELS: std::ops::RangeInclusive<u32> = 80..=256;

/// α, β, γ, δ.
const fn coefficients(attack: Attack, secret: SecretKind) -> Option<[f64; 4]> {
    match (attack, secret) {
        (Attack::Classical, SecretKind::Ternary) => Some([0.05, 0.33, 17.88, 0.65]),
        (Attack::Classical, SecretKind::Error) => Some([3.87, 0.74, 12.72, 0.17]),
        (Attack::Classical, SecretKind::Uniform) | (Attack::Quantum, _) => None,
    }
}

/// λ in bits, for `bits` from 1 to n/8.
pub(super) fn level(attack: Attack, secret: SecretKind, n: usize, bits: f64) -> Option<f64> {
    let [alpha, beta, gamma, delta] = coefficients(attack, secret)?;
    let share = bits / n as f64;
    let used = n.is_power_of_two() && (1 << 10..=1 << 17).contains(&n);
    (used && bits >= 1.0 && share <= 0.125)
        .then(|| -(alpha * share).log2() * beta / share - gamma * share.powf(delta) * share.log2())
}

/// The greatest whole number of bits with a level of at least `asked`.
pub(super) fn max_bits(attack: Attack, secret: SecretKind, asked: u32, n: usize) -> Option<u32> {
    let grants = |bits: u32| level(attack, secret, n, bits.into()) >= Some(f64::from(asked));
    if !LEVELS.contains(&asked) || !grants(1) {
        return None;
    }
    let (mut granted, mut refused) = (1, u32::try_from(n / 8 + 1).ok()?);
    while refused - granted > 1 {
        let middle = u32::midpoint(granted, refused);
        if grants(middle) {
            granted = middle;
        } else {
            refused = middle;
        }
    }
    Some(granted)
}

#[cfg(test)]
mod tests {
    use super::super::{Requirement, Table, check, level_reached, max_log_q};
    use super::*;

    fn ternary(n: usize, bits: f64) -> f64 {
        level(Attack::Classical, SecretKind::Ternary, n, bits).unwrap()
    }

    /// The check values of the fit: what it gives at the maxima of the table of 2018, and at two papers' sets.
    #[test]
    fn the_formula_has_its_check_values() {
        for (n, bits, expected) in [
            (1024, 27.0, 128.6),
            (1024, 32.0, 107.8),
            (2048, 54.0, 128.6),
            (2048, 60.0, 115.2),
            (4096, 109.0, 127.3),
            (8192, 218.0, 127.3),
            (16_384, 438.0, 126.7),
            (32_768, 881.0, 126.0),
        ] {
            let level = ternary(n, bits);
            assert!((level - expected).abs() <= 0.051, "{n} {bits}: {level}");
        }
        let error = |n, bits| level(Attack::Classical, SecretKind::Error, n, bits).unwrap();
        assert!((error(1024, 27.0) - 128.4).abs() <= 0.051);
        assert!((error(1024, 32.0) - 107.5).abs() <= 0.051);
    }

    /// How far it is from the tables: never more than the head of this file says.
    #[test]
    fn the_formula_is_near_the_tables() {
        let (mut below, mut above) = (0.0_f64, 0.0_f64);
        for table in Table::ALL {
            let classical = |cell: &&super::super::Cell| cell.attack == Attack::Classical;
            let ternaries = |cell: &&super::super::Cell| cell.secret == SecretKind::Ternary;
            for cell in table.cells().iter().filter(classical).filter(ternaries) {
                let off = ternary(cell.n, cell.max_log_q.into()) - f64::from(cell.level);
                let most = if table == Table::Standard2018 {
                    13.0
                } else {
                    16.0
                };
                assert!((-13.0..most).contains(&off), "{cell:?}: {off}");
                (below, above) = (below.min(off), above.max(off));
            }
        }
        assert!(below < -12.0 && above > 15.0, "{below} {above}");
    }

    #[test]
    fn more_bits_are_never_safer_and_the_lookups_are_inverse() {
        for log_n in 10..=15 {
            let n = 1 << log_n;
            let levels: Vec<f64> = (8..=n / 8).map(|bits| ternary(n, bits as f64)).collect();
            assert!(levels.is_sorted_by(|a, b| a > b), "{n}");
            for asked in [80, 100, 128, 150, 256] {
                let requirement = Requirement {
                    table: Table::Estimate,
                    level: asked,
                    ..Requirement::default()
                };
                let bits = f64::from(max_log_q(&requirement, n).unwrap());
                let reached = |bits| {
                    let (attack, secret) = (requirement.attack, requirement.secret);
                    level_reached(Table::Estimate, attack, secret, n, bits)
                };
                assert!(reached(bits) >= Some(asked) && reached(bits + 1.0) < Some(asked));
                assert!(check(&requirement, n, bits).is_ok());
                assert!(check(&requirement, n, bits + 0.01).is_err());
            }
        }
    }

    #[test]
    fn beyond_its_range_it_says_nothing() {
        let classical = Attack::Classical;
        let most = |attack, secret, asked, n| max_bits(attack, secret, asked, n);
        assert_eq!(most(classical, SecretKind::Uniform, 128, 4096), None);
        assert_eq!(most(Attack::Quantum, SecretKind::Ternary, 128, 4096), None);
        for (asked, n) in [
            (79, 4096),
            (257, 4096),
            (128, 512),
            (128, 5000),
            (128, 1 << 18),
        ] {
            assert_eq!(
                most(classical, SecretKind::Ternary, asked, n),
                None,
                "{asked} {n}"
            );
        }
    }
}
