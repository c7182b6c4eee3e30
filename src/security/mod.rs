//! Security of ring LWE, from the two published tables: is `(n, log2 qP)` allowed, what is, what does it reach.
//!
//! In goes a [`Requirement`] (table, attack, kind of secret, level) with a ring degree n and the number of
//! bits an adversary sees: log2 of q **times the special primes** of key switching. Out comes a [`Verdict`],
//! or a [`SecurityError`] that says by how many bits the request misses.
//!
//! Rule: allowed if and only if `total_bits <= max_log_q(table, attack, secret, level, n)`. A cell that the
//! table does not have is refused; [`Table::Estimate`] asks a fitted formula instead, by name. Sources: the Homomorphic Encryption Standard (2018) and
//! the Security Guidelines for Implementing Homomorphic Encryption (2024); files `data/security-*.csv`.
//!
//! ```
//! use nass::security::{Requirement, check};
//!
//! let asked = Requirement::default(); // 2024 guidelines, classical, ternary secrets, 128 bits
//! assert_eq!(check(&asked, 4096, 100.0).unwrap().max_bits, 106);
//! assert!(check(&asked, 2048, 60.0).is_err());
//! ```

mod estimate;
mod table;

use serde::{Deserialize, Serialize};

use table::Cell;
pub use table::{Attack, SecretKind, Table};

/// What is asked of a parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Requirement {
    /// The table to ask.
    pub table: Table,
    /// The attacker's machine.
    pub attack: Attack,
    /// How the secret key is drawn.
    pub secret: SecretKind,
    /// Security level λ in bits: 128, 192 or 256; any from 80 to 256 of the estimate.
    pub level: u32,
}

impl Default for Requirement {
    fn default() -> Self {
        Self {
            table: Table::default(),
            attack: Attack::default(),
            secret: SecretKind::default(),
            level: 128,
        }
    }
}

/// That a parameter set has the level asked for, and where that is written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The table asked.
    pub table: Table,
    /// The attacker's machine.
    pub attack: Attack,
    /// How the secret key is drawn.
    pub secret: SecretKind,
    /// Security level asked for and met, in bits.
    pub level: u32,
    /// Ring degree.
    pub n: usize,
    /// log2 of q times the special primes.
    pub total_bits: f64,
    /// Greatest `total_bits` that the table allows here.
    pub max_bits: u32,
}

/// Why a parameter set is refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// More modulus bits than the table allows.
    #[error(
        "n = {n} allows {max_bits} bits of modulus at {level}-bit security ({}), \
         {total_bits:.2} were asked: {short_bits:.2} too many", table.name()
    )]
    TooManyBits {
        /// The table asked.
        table: Table,
        /// Security level asked for.
        level: u32,
        /// Ring degree.
        n: usize,
        /// log2 of q times the special primes.
        total_bits: f64,
        /// What the table allows.
        max_bits: u32,
        /// By how many bits the request misses.
        short_bits: f64,
    },
    /// The table has no such cell.
    #[error(
        "{} has no entry for n = {n}, {level} bits, {} secrets, {} attacks",
        requirement.table.noun(), requirement.secret.name(), requirement.attack.name(),
        level = requirement.level
    )]
    NotInTable {
        /// What was asked.
        requirement: Requirement,
        /// Ring degree.
        n: usize,
    },
}

/// Greatest log2 of q times the special primes at ring degree `n`, if the table says.
pub fn max_log_q(requirement: &Requirement, n: usize) -> Option<u32> {
    let &Requirement {
        table,
        attack,
        secret,
        level,
    } = requirement;
    if table == Table::Estimate {
        return estimate::max_bits(attack, secret, level, n);
    }
    cells(table, attack, secret)
        .find(|cell| cell.n == n && cell.level == level)
        .map(|cell| cell.max_log_q)
}

/// Holds `total_bits` (log2 of q times the special primes) at ring degree `n` against the table.
///
/// # Errors
/// [`SecurityError::TooManyBits`] if the modulus is too large (or no number),
/// [`SecurityError::NotInTable`] if the table does not say.
pub fn check(
    requirement: &Requirement,
    n: usize,
    total_bits: f64,
) -> Result<Verdict, SecurityError> {
    let &Requirement {
        table,
        attack,
        secret,
        level,
    } = requirement;
    let max_bits = max_log_q(requirement, n).ok_or(SecurityError::NotInTable {
        requirement: *requirement,
        n,
    })?;
    if total_bits <= f64::from(max_bits) {
        return Ok(Verdict {
            table,
            attack,
            secret,
            level,
            n,
            total_bits,
            max_bits,
        });
    }
    Err(SecurityError::TooManyBits {
        table,
        level,
        n,
        total_bits,
        max_bits,
        short_bits: total_bits - f64::from(max_bits),
    })
}

/// Highest level of the table that `(n, total_bits)` reaches, of the estimate in whole bits; `None` if it
/// reaches none, or n is not there.
pub fn level_reached(
    table: Table,
    attack: Attack,
    secret: SecretKind,
    n: usize,
    total_bits: f64,
) -> Option<u32> {
    if table == Table::Estimate {
        return estimate::level(attack, secret, n, total_bits).map(|level| level as u32);
    }
    cells(table, attack, secret)
        .filter(|cell| cell.n == n && total_bits <= f64::from(cell.max_log_q))
        .map(|cell| cell.level)
        .max()
}

/// The cells for one attack and one kind of secret.
fn cells(table: Table, attack: Attack, secret: SecretKind) -> impl Iterator<Item = &'static Cell> {
    table
        .cells()
        .iter()
        .filter(move |cell| cell.attack == attack && cell.secret == secret)
}

#[cfg(test)]
mod tests;
