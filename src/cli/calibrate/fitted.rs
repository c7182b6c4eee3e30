//! The fits of a profile over ring degree and limbs, as a table, with the rows that they miss most.

use serde::Serialize;

use crate::predict::{FitPoint, HeFit, PriceList};
use crate::report::{Align, Grid, Present, ReportError};
use crate::units::Nanos;

/// The fits as they are printed.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Fitted(Vec<Fit>);

/// t = `seconds` · (n / 4096)^`n_power` · limbs^`limbs_power`.
#[derive(Serialize)]
struct Fit {
    op: &'static str,
    working_set: &'static str,
    seconds: f64,
    n_power: f64,
    limbs_power: f64,
    median_residual: f64,
    worst_residual: f64,
    worst_n: usize,
    worst_limbs: usize,
    rows: Vec<Row>,
}

/// A measured row and its residual, measured over fitted less one.
#[derive(Serialize)]
struct Row {
    n: usize,
    limbs: usize,
    seconds: f64,
    residual: f64,
}

/// Ring degree that a fit's time is told for.
const DEGREE: f64 = 4096.0;

impl Fitted {
    pub(super) fn of(prices: &PriceList) -> Self {
        Self(prices.fits().filter_map(Fit::of).collect())
    }

    fn grid(&self, time: impl Fn(f64) -> String, share: impl Fn(f64) -> String) -> Grid {
        use Align::{Left, Right};
        let columns = [
            ("op", Left),
            ("working_set", Left),
            ("rows", Right),
            ("n=4096, 1 limb", Right),
            ("n^", Right),
            ("limbs^", Right),
            ("median residual", Right),
            ("worst", Right),
            ("at n", Right),
            ("limbs", Right),
        ];
        let mut grid = Grid::new("fits over n and limbs, one special prime", &columns);
        for fit in &self.0 {
            let power = |power: f64| format!("{power:.3}");
            grid.row([
                fit.op.to_owned(),
                fit.working_set.to_owned(),
                fit.rows.len().to_string(),
                time(fit.seconds),
                power(fit.n_power),
                power(fit.limbs_power),
                share(fit.median_residual),
                share(fit.worst_residual),
                fit.worst_n.to_string(),
                fit.worst_limbs.to_string(),
            ]);
        }
        grid
    }
}

impl Fit {
    fn of(fit: &HeFit) -> Option<Self> {
        let worst = fit.worst()?;
        let [c0, n_power, limbs_power] = fit.coefficients;
        let row = |&FitPoint {
                       n,
                       limbs,
                       time,
                       residual,
                   }: &FitPoint| Row {
            n,
            limbs,
            seconds: time.seconds(),
            residual,
        };
        Some(Self {
            op: fit.op.name(),
            working_set: fit.working_set.name(),
            seconds: Nanos((c0 + n_power * DEGREE.ln()).exp()).seconds(),
            n_power,
            limbs_power,
            median_residual: fit.median_residual(),
            worst_residual: worst.residual,
            worst_n: worst.n,
            worst_limbs: worst.limbs,
            rows: fit.points.iter().map(row).collect(),
        })
    }
}

impl Present for Fitted {
    fn table(&self) -> String {
        let time = |seconds| Nanos::from_seconds(seconds).to_string();
        self.grid(time, |share| format!("{:+.1} %", 100.0 * share))
            .to_text()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid(|seconds| seconds.to_string(), |share| share.to_string())
            .to_csv()
    }
}
