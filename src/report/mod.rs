//! What was found, shown: values in, terminal tables, CSV, JSON and one self-contained page out.
//!
//! [`Present`] is what every command prints. A value becomes [`Grid`]s (titles, columns, rows of
//! text); one grid is drawn in the terminal, written as CSV or set in the page, so that the three
//! cannot disagree. A page is a list of [`Section`]s: new kinds of result add sections, not pages.
//! Nothing here computes a cost, opens a file or writes to a stream.

mod chart;
mod csv;
mod error;
mod grid;
mod html;
mod number;
mod scatter;
mod sheet;
mod study;
mod table;
mod verified;

use serde::Serialize;

pub use chart::{Bar, Chart, Part};
pub use error::ReportError;
pub use grid::{Align, Column, Grid};
pub use html::{Section, page, prediction_sections, random_layer_sections, verification_sections};
pub use number::{bytes, count, log2_probability, percent, seconds, signed_bytes};
pub use scatter::{Mark, Point, Scatter};
pub use sheet::{prediction_grids, security_sources};
pub use study::{StudyReport, study_sections};
pub use verified::{random_layer_grids, verification_grids};

/// A result that a command can print in each of the three formats.
pub trait Present: Serialize {
    /// Text for a terminal, with a line feed at the end.
    fn table(&self) -> String;

    /// CSV with a header line; numbers bare and in base units (seconds, bytes).
    ///
    /// # Errors
    /// [`ReportError::Csv`] if a row cannot be written.
    fn csv(&self) -> Result<String, ReportError>;

    /// JSON, indented, with a line feed at the end.
    ///
    /// # Errors
    /// [`ReportError::Json`] if the value cannot be written as JSON.
    fn json(&self) -> Result<String, ReportError> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
