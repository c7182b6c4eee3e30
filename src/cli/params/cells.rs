//! Cells of the tables and CSV of `nass params`: a table says `12.3 ms`, CSV has bare seconds and bytes.

use crate::params::LayerCost;
use crate::report::Align;

/// For whom a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// People.
    Table,
    /// Programs: numbers bare, in seconds and bytes.
    Csv,
}

impl For {
    /// Time and bytes; blank where there is no cost.
    pub(super) fn cost(self, cost: Option<LayerCost>) -> [String; 2] {
        match (self, cost) {
            (_, None) => [String::new(), String::new()],
            (Self::Table, Some(cost)) => [cost.time.to_string(), cost.bytes.to_string()],
            (Self::Csv, Some(cost)) => [cost.time.seconds().to_string(), cost.bytes.0.to_string()],
        }
    }

    /// Columns; in CSV with those of who says what is secure, which a table tells below.
    pub(super) fn columns(self, columns: &[(&'static str, Align)]) -> Vec<(&'static str, Align)> {
        let names: &[&str] = match self {
            Self::Table => &[],
            Self::Csv => &[
                "security_table",
                "security_attack",
                "security_secret",
                "security_date",
                "security_source",
            ],
        };
        let sources = names.iter().map(|&name| (name, Align::Left));
        columns.iter().copied().chain(sources).collect()
    }

    /// The cells of those last columns.
    pub(super) fn sources(self, cells: [&str; 5]) -> Vec<String> {
        match self {
            Self::Table => Vec::new(),
            Self::Csv => cells.map(str::to_owned).to_vec(),
        }
    }

    /// A number, in a table to so many decimals.
    pub(super) fn number(self, number: Option<f64>, decimals: usize) -> String {
        match (self, number) {
            (_, None) => String::new(),
            (Self::Table, Some(number)) => format!("{number:.decimals$}"),
            (Self::Csv, Some(number)) => number.to_string(),
        }
    }

    /// A probability given by its log2.
    pub(super) fn probability(self, log2: f64) -> String {
        match self {
            Self::Table => crate::report::log2_probability(log2),
            Self::Csv => log2.to_string(),
        }
    }
}

/// Blank for what there is none of.
pub(super) fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}
