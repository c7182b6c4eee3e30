//! `nass calibrate`: measures this machine and writes its profile.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::calibration;
use super::error::Failure;
use super::globals::Globals;
use super::output::{self, Progress};
use crate::calibrate::{Agreement, Calibration, Case, Effort, Profile, Record, calibrate};
use crate::report::{Align, Grid, Present, ReportError};
use crate::units::Nanos;

/// Measure what this machine takes for each operation, and write its profile
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  nass calibrate\n  nass calibrate --quick -o mine.csv\n  nass calibrate -o mine.csv --compare earlier.csv"
)]
pub(super) struct Args {
    /// Half a minute instead of several; less exact
    #[arg(long)]
    quick: bool,
    /// The link that is measured
    #[arg(long, value_enum, default_value_t)]
    link: Link,
    /// Measure nothing: tell how far the profile agrees with this one
    #[arg(long, value_name = "FILE", conflicts_with = "quick")]
    compare: Option<PathBuf>,
    /// Where the profile goes [default: `calibration/HOST.csv` of this host]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Links that can be measured.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Link {
    /// TCP between two threads of this machine
    #[default]
    Loopback,
}

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    let Link::Loopback = args.link;
    let threads = globals.threads_or(NonZeroUsize::MIN);
    if threads != 1 {
        return Err(Failure::unusable(format_args!(
            "--threads {threads}: operations are measured with one thread only; expected 1"
        )));
    }
    let path = args.output.unwrap_or_else(calibration::of_this_host);
    if path.is_dir() {
        let path = path.display();
        return Err(Failure::unusable(format_args!(
            "{path}: expected a file, found a folder"
        )));
    }
    if let Some(other) = &args.compare {
        let (ours, theirs) = (calibration::read(&path)?, calibration::read(other)?);
        let agreement = ours.profile.agreement(&theirs.profile);
        return output::present(&Compared::of(&agreement), globals);
    }
    if cfg!(debug_assertions) {
        output::warn(
            globals,
            "this program was built without optimization; its times say little",
        );
    }
    let effort = if args.quick {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    let cases = Case::builtin().map_err(Failure::job)?;
    write(&path, measure(&cases, effort, globals), globals)
}

fn measure(cases: &[Case], effort: Effort, globals: &Globals) -> Calibration {
    let mut bar: Option<Progress> = None;
    calibrate(cases, effort, |done, total, case| {
        let bar = bar.get_or_insert_with(|| Progress::new(globals, total as u64, "calibrating"));
        bar.set(done as u64);
        bar.message(&format!("{case:<60.60}"));
    })
}

/// Writes the profile if all was measured. Else what there was before stays, and what was measured
/// goes beside it.
fn write(path: &Path, calibration: Calibration, globals: &Globals) -> Result<(), Failure> {
    let samples = calibration.samples_csv();
    let Calibration {
        profile, failed, ..
    } = calibration;
    if failed.is_empty() {
        output::write_file(path, profile.to_csv().as_bytes())?;
        let beside = path.with_extension("samples.csv");
        output::write_file(&beside, samples.as_bytes())?;
        let (path, beside) = (path.display(), beside.display());
        output::say(globals, &format!("wrote {path} and {beside}"));
        return output::present(&Measured::of(&profile), globals);
    }
    for (case, reason) in &failed {
        output::warn(globals, &format!("{case}: {reason}"));
    }
    let partial = path.with_extension("partial.csv");
    output::write_file(&partial, profile.to_csv().as_bytes())?;
    let (failed, partial) = (failed.len(), partial.display());
    Err(Failure::Job(anyhow::anyhow!(
        "{failed} cases could not be measured; the others are in {partial}"
    )))
}

/// How far two profiles agree, as it is printed.
#[derive(Serialize)]
struct Compared {
    cases: usize,
    median_difference: f64,
    within_3_percent: f64,
    within_10_percent: f64,
    worst_case: String,
    worst_difference: f64,
}

impl Compared {
    fn of(agreement: &Agreement) -> Self {
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

/// A profile as it is printed.
#[derive(Serialize)]
#[serde(transparent)]
struct Measured(Vec<Row>);

#[derive(Serialize)]
struct Row {
    op: &'static str,
    n: usize,
    limbs: usize,
    param: String,
    working_set: &'static str,
    samples: u64,
    seconds: f64,
    low: f64,
    high: f64,
    bytes: u64,
}

impl Measured {
    fn of(profile: &Profile) -> Self {
        Self(profile.records.iter().map(Row::of).collect())
    }

    fn grid(&self, time: impl Fn(f64) -> String) -> Grid {
        use Align::{Left, Right};
        let columns = [
            ("op", Left),
            ("n", Right),
            ("limbs", Right),
            ("param", Left),
            ("working_set", Left),
            ("samples", Right),
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
                row.working_set.to_owned(),
                row.samples.to_string(),
            ];
            let times = [row.seconds, row.low, row.high].map(&time);
            let bytes = [row.bytes.to_string()];
            grid.row(names.into_iter().chain(place).chain(times).chain(bytes));
        }
        grid
    }
}

impl Row {
    fn of(record: &Record) -> Self {
        let case = &record.case;
        Self {
            op: case.op.name(),
            n: case.n,
            limbs: case.limbs,
            param: case.param.clone(),
            working_set: case.working_set.name(),
            samples: record.samples,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ONCE: Effort = Effort {
        warm_up: Duration::ZERO,
        measure: Duration::ZERO,
        min_samples: 1,
    };

    #[test]
    fn only_one_thread_and_a_file_are_accepted() {
        let args = || Args {
            quick: true,
            compare: None,
            link: Link::Loopback,
            output: Some(".".into()),
        };
        let two = Globals {
            threads: NonZeroUsize::new(2),
            ..Globals::default()
        };
        let failure = run(args(), &two).unwrap_err();
        assert!(failure.to_string().contains("expected 1"));
        assert!(matches!(failure, Failure::Input(_)));
        let failure = run(args(), &Globals::default()).unwrap_err();
        assert!(failure.to_string().contains("found a folder"));
    }

    #[test]
    fn a_profile_is_printed_row_by_row() {
        let cases = Case::of_ring((64, 1));
        let measured = Measured::of(&measure(&cases, ONCE, &Globals::default()).profile);
        assert!(measured.table().contains("multiply_accumulate"));
        let csv = measured.csv().unwrap();
        assert_eq!(csv.lines().count(), cases.len() + 1);
        assert!(csv.starts_with("op,n,limbs,param,"), "{csv}");
    }

    #[test]
    fn an_incomplete_profile_replaces_nothing() {
        let mut cases = Case::of_ring((64, 1)).split_off(17);
        cases.push(Case {
            n: 100,
            ..cases[0].clone()
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.csv");
        std::fs::write(&path, "old").unwrap();
        let quiet = Globals {
            verbosity: crate::cli::Verbosity::Quiet,
            ..Globals::default()
        };
        let failure = write(&path, measure(&cases, ONCE, &quiet), &quiet).unwrap_err();
        assert!(
            failure
                .to_string()
                .starts_with("1 cases could not be measured")
        );
        assert!(matches!(failure, Failure::Job(_)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let partial = std::fs::read_to_string(path.with_extension("partial.csv")).unwrap();
        assert!(Profile::from_csv(&partial).is_ok_and(|profile| !profile.records.is_empty()));
    }
}
