//! Grids drawn for a terminal.
//!
//! On a terminal long cells wrap to its width; in a pipe or a file lines are as long as they need.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::grid::{Align, Grid};
use super::{Present, prediction_grids, random_layer_grids, sheet, verification_grids, verified};
use crate::predict::Prediction;
use crate::verify::{Verification, VerifiedLayers};

impl Grid {
    /// The grid as text, its title above it.
    pub fn to_text(&self) -> String {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_BORDERS_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(self.columns().iter().map(|column| column.heading));
        for row in self.rows() {
            table.add_row(row);
        }
        if let Some(totals) = self.totals() {
            table.add_row(self.columns().iter().map(|_| Cell::new("")));
            table.add_row(totals);
        }
        for (column, described) in table.column_iter_mut().zip(self.columns()) {
            column.set_cell_alignment(match described.align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        if self.title().is_empty() {
            format!("{}\n", table.trim_fmt())
        } else {
            format!("{}\n{}\n", self.title(), table.trim_fmt())
        }
    }
}

fn document(headline: String, grids: &[Grid], tail: String) -> String {
    let mut text = headline + "\n\n";
    for grid in grids.iter().filter(|grid| !grid.is_empty()) {
        text += &grid.to_text();
        text.push('\n');
    }
    text + &tail + "\n"
}

impl Present for Prediction {
    fn table(&self) -> String {
        document(
            sheet::prediction_headline(self),
            &prediction_grids(self),
            sheet::prediction_summary(self),
        )
    }

    fn csv(&self) -> Result<String, super::ReportError> {
        super::csv::layers(&self.circuits, self.layers.iter())
    }
}

impl Present for Verification {
    fn table(&self) -> String {
        document(
            verified::verification_headline(self),
            &verification_grids(self),
            format!(
                "{}\n{}",
                verified::verification_summary(self),
                verified::verdict(self)
            ),
        )
    }

    fn csv(&self) -> Result<String, super::ReportError> {
        super::csv::verified_layers(&self.circuits.predicted, &self.layers)
    }
}

impl Present for VerifiedLayers {
    fn table(&self) -> String {
        document(
            verified::random_headline(self),
            &random_layer_grids(self),
            verified::random_summary(self),
        )
    }

    fn csv(&self) -> Result<String, super::ReportError> {
        super::csv::verified_layers(&self.circuits, &self.random_layers)
    }
}
