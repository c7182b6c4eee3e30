//! How far two profiles agree, as a table.

use serde::Serialize;

use crate::calibrate::Agreement;
use crate::report::{Align, Grid, Present, ReportError};

/// How far two profiles agree, as it is printed.
#[derive(Serialize)]
pub(super) struct Compared {
    cases: usize,
    median_difference: f64,
    within_3_percent: f64,
    within_10_percent: f64,
    worst_case: String,
    worst_difference: f64,
}

impl Compared {
    pub(super) fn of(agreement: &Agreement) -> Self {
        let worst = agreement.worst.as_ref();
        Self {
            cases: agreement.cases,
            median_difference: agreement.median,
            within_3_percent: agreement.within_3,
            within_10_percent: agreement.within_10,
            worst_case: worst.map_or_else(String::new, |(case, _)| case.to_string()),
            worst_difference: worst.map_or(0.0, |(_, by)| *by),
        }
    }

    fn grid(&self, share: impl Fn(f64) -> String) -> Grid {
        use Align::{Left, Right};
        let columns = [
            ("cases", Right),
            ("median difference", Right),
            ("within 3 %", Right),
            ("within 10 %", Right),
            ("worst", Right),
            ("case", Left),
        ];
        let mut grid = Grid::new("agreement of two profiles", &columns);
        let shares = [
            self.median_difference,
            self.within_3_percent,
            self.within_10_percent,
            self.worst_difference,
        ];
        let cases = [self.cases.to_string()];
        let shares = shares.map(share);
        let worst = [self.worst_case.clone()];
        grid.row(cases.into_iter().chain(shares).chain(worst));
        grid
    }
}

impl Present for Compared {
    fn table(&self) -> String {
        self.grid(|share| format!("{:.1} %", 100.0 * share))
            .to_text()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid(|share| share.to_string()).to_csv()
    }
}
