//! The tables themselves: CSV rows of `data/`, embedded, parsed once into [`Cell`]s.
//!
//! A row says: against `attack`, with secrets drawn as `secret`, ring degree `n` gives `level` bits as
//! long as log2 of the product of all moduli is at most `max_log_q`. Sources stand in the files' heads.
//! The two tables are never merged. Nothing is interpolated. Beside them stands a fitted formula
//! (`estimate`), which is asked only by name.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// Which published table is asked, or, by name only, the estimate.
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
    /// No table: a formula fitted to an estimator's output (`estimate`). Its levels are estimates.
    #[serde(rename = "estimate")]
    Estimate,
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
    /// Both published tables.
    pub const ALL: [Self; 2] = [Self::Guidelines2024, Self::Standard2018];

    /// The year, or `estimate`, as flags and output write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guidelines2024 => "2024",
            Self::Standard2018 => "2018",
            Self::Estimate => "estimate",
        }
    }

    /// The name in a sentence.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Guidelines2024 => "the 2024 table",
            Self::Standard2018 => "the 2018 table",
            Self::Estimate => "the estimate",
        }
    }

    /// The publication that its numbers are from.
    pub fn source(self) -> &'static str {
        match self {
            Self::Guidelines2024 | Self::Standard2018 => head(self.text(), "# source: "),
            Self::Estimate => super::estimate::SOURCE,
        }
    }

    /// The date of that publication.
    pub fn date(self) -> &'static str {
        match self {
            Self::Guidelines2024 | Self::Standard2018 => head(self.text(), "# date: "),
            Self::Estimate => super::estimate::DATE,
        }
    }

    /// The file of a published table; nothing for the estimate.
    const fn text(self) -> &'static str {
        match self {
            Self::Guidelines2024 => include_str!("../../data/security-2024.csv"),
            Self::Standard2018 => include_str!("../../data/security-2018.csv"),
            Self::Estimate => "",
        }
    }

    /// The cells of this table, in the order of its file; the estimate has none.
    pub(super) fn cells(self) -> &'static [Cell] {
        static GUIDELINES_2024: LazyLock<Vec<Cell>> =
            LazyLock::new(|| parse(Table::Guidelines2024.text()));
        static STANDARD_2018: LazyLock<Vec<Cell>> =
            LazyLock::new(|| parse(Table::Standard2018.text()));
        match self {
            Self::Guidelines2024 => &GUIDELINES_2024,
            Self::Standard2018 => &STANDARD_2018,
            Self::Estimate => &[],
        }
    }
}

/// What a file's head says under a name.
fn head(text: &'static str, name: &str) -> &'static str {
    let lines = text.lines();
    let mut named = lines.filter_map(|line| line.strip_prefix(name));
    named.next().unwrap_or_default()
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
        for table in Table::ALL {
            let rows = table.text().lines().filter(|l| !l.starts_with('#'));
            assert_eq!(table.cells().len(), rows.count() - 1);
        }
    }

    #[test]
    fn every_source_has_a_name_and_a_date() {
        for (table, source, date) in [
            (Table::Guidelines2024, "ia.cr/2024/463", "2024"),
            (Table::Standard2018, "HomomorphicEncryption.org", "2018"),
            (Table::Estimate, "ia.cr/2022/706", "2022"),
        ] {
            assert!(table.source().contains(source), "{}", table.source());
            assert_eq!(table.date(), date);
        }
    }
}
