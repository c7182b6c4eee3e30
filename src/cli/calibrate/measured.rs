//! What was measured, as a table: medians with their 95 % intervals, and how many samples lay far out.

use serde::Serialize;

use crate::calibrate::{Calibration, Record, Sampled};
use crate::report::{Align, Grid, Present, ReportError};
use crate::units::Nanos;

/// A profile as it is printed.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Measured(Vec<Row>);

#[derive(Serialize)]
struct Row {
    op: &'static str,
    n: usize,
    limbs: usize,
    param: String,
    threads: usize,
    working_set: &'static str,
    samples: u64,
    outliers: u64,
    seconds: f64,
    low: f64,
    high: f64,
    bytes: u64,
}

impl Measured {
    pub(super) fn of(calibration: &Calibration) -> Self {
        let records = calibration.profile.records.iter();
        let rows = records.zip(&calibration.samples);
        Self(rows.map(|(record, of)| Row::of(record, of)).collect())
    }

    fn grid(&self, time: impl Fn(f64) -> String) -> Grid {
        use Align::{Left, Right};
        let columns = [
            ("op", Left),
            ("n", Right),
            ("limbs", Right),
            ("param", Left),
            ("threads", Right),
            ("working_set", Left),
            ("samples", Right),
            ("outliers", Right),
            ("seconds", Right),
            ("low", Right),
            ("high", Right),
            ("bytes", Right),
        ];
        let mut grid = Grid::new("calibration", &columns);
        for row in &self.0 {
            let names = [row.op.to_owned(), row.n.to_string(), row.limbs.to_string()];
            let place = [
                row.param.clone(),
                row.threads.to_string(),
                row.working_set.to_owned(),
                row.samples.to_string(),
                row.outliers.to_string(),
            ];
            let times = [row.seconds, row.low, row.high].map(&time);
            let bytes = [row.bytes.to_string()];
            grid.row(names.into_iter().chain(place).chain(times).chain(bytes));
        }
        grid
    }
}

impl Row {
    fn of(record: &Record, sampled: &Sampled) -> Self {
        let case = &record.case;
        Self {
            op: case.op.name(),
            n: case.n,
            limbs: case.limbs,
            param: case.param.clone(),
            threads: case.threads,
            working_set: case.working_set.name(),
            samples: record.samples,
            outliers: sampled.summary.outliers,
            seconds: record.median.seconds(),
            low: record.low.seconds(),
            high: record.high.seconds(),
            bytes: record.bytes.0,
        }
    }
}

impl Present for Measured {
    fn table(&self) -> String {
        self.grid(|seconds| Nanos::from_seconds(seconds).to_string())
            .to_text()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid(|seconds| seconds.to_string()).to_csv()
    }
}
