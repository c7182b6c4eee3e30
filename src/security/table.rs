//! The tables themselves: CSV rows of `data/`, embedded, parsed once into [`Cell`]s.
//!
//! A row says: against `attack`, with secrets drawn as `secret`, ring degree `n` gives `level` bits as
//! long as log2 of the product of all moduli is at most `max_log_q`. Sources stand in the files' heads.
//! The two tables are never merged. Nothing is interpolated.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// Which published table is asked.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Table {
    /// "Security Guidelines for Implementing Homomorphic Encryption", 2024 (ia.cr/2024/463).
    #[default]
    #[serde(rename = "2024")]
    Guidelines2024,
    /// The Homomorphic Encryption Standard of 2018, which the papers used.
    #[serde(rename = "2018")]
    Standard2018,
}

/// The attacker's machine.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Attack {
    /// A classical computer.
    #[default]
    Classical,
    /// A quantum computer.
    Quantum,
}

/// How the secret key is drawn.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum SecretKind {
    /// Coefficients uniform in {-1, 0, 1}.
    #[default]
    Ternary,
    /// Coefficients drawn like the error (called Gaussian in the 2024 guidelines).
    Error,
    /// Coefficients uniform modulo q (2018 only).
    Uniform,
}

impl Table {
    /// Both tables.
    pub const ALL: [Self; 2] = [Self::Guidelines2024, Self::Standard2018];

    /// The year, as flags and output write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guidelines2024 => "2024",
            Self::Standard2018 => "2018",
        }
    }

    /// The cells of this table, in the order of its file.
    pub(super) fn cells(self) -> &'static [Cell] {
        static GUIDELINES_2024: LazyLock<Vec<Cell>> =
            LazyLock::new(|| parse(include_str!("../../data/security-2024.csv")));
        static STANDARD_2018: LazyLock<Vec<Cell>> =
            LazyLock::new(|| parse(include_str!("../../data/security-2018.csv")));
        match self {
            Self::Guidelines2024 => &GUIDELINES_2024,
            Self::Standard2018 => &STANDARD_2018,
        }
    }
}

impl Attack {
    /// The name used in files and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classical => "classical",
            Self::Quantum => "quantum",
        }
    }
}

impl SecretKind {
    /// The name used in files and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ternary => "ternary",
            Self::Error => "error",
            Self::Uniform => "uniform",
        }
    }
}

/// One row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Cell {
    pub(super) attack: Attack,
    pub(super) secret: SecretKind,
    pub(super) level: u32,
    pub(super) n: usize,
    pub(super) max_log_q: u32,
}

/// The rows of an embedded file. A row that cannot be read is left out: what it would have allowed is
/// then refused, and the test that holds every cell against the publication fails.
fn parse(text: &str) -> Vec<Cell> {
    csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(text.as_bytes())
        .into_deserialize()
        .filter_map(Result::ok)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_rows_allow_nothing() {
        let head = "attack,secret,level,n,max_log_q\n";
        assert_eq!(
            parse(&format!("{head}classical,ternary,128,1024,many\n")),
            []
        );
        assert_eq!(parse(&format!("{head}classical,binary,128,1024,27\n")), []);
        assert_eq!(
            parse(&format!(
                "# source: a test\n{head}classical,ternary,128,1024,27\n"
            ))
            .len(),
            1
        );
    }

    #[test]
    fn every_row_of_both_files_is_read() {
        for (table, text) in [
            (
                Table::Guidelines2024,
                include_str!("../../data/security-2024.csv"),
            ),
            (
                Table::Standard2018,
                include_str!("../../data/security-2018.csv"),
            ),
        ] {
            let rows = text.lines().filter(|l| !l.starts_with('#')).count() - 1;
            assert_eq!(table.cells().len(), rows);
        }
    }
}
