//! `nass calibrate`: measures this machine, or its link to another one, and writes a profile.

mod compared;
mod fitted;
mod link;
mod measured;
mod process;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::compared::Compared;
use self::fitted::Fitted;
use self::link::Peer;
use self::measured::Measured;
use super::calibration;
use super::error::Failure;
use super::globals::Globals;
use super::output::{self, Progress};
use super::token::TokenArgs;
use crate::calibrate::{
    Calibration, Case, Effort, Known, Near, Outcome, OwnPace, Profile, calibrate,
};
use crate::predict::PriceList;

/// Measure what this machine takes for each operation, and write its profile
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  nass calibrate\n  nass calibrate --quick -o mine.csv\n  nass calibrate -o mine.csv --compare earlier.csv\n  nass calibrate -o mine.csv --fits\n  nass calibrate --serve-link 0.0.0.0:7000\n  nass calibrate -o mine.csv --link other:7000 --token TOKEN"
)]
pub(super) struct Args {
    /// Half a minute instead of several; less exact
    #[arg(long)]
    quick: bool,
    /// `loopback`, or also the link to the machine that runs `--serve-link` at HOST:PORT. Where FILE is there,
    /// that link alone is measured and put into it
    #[arg(long, value_name = "LINK", default_value = "loopback")]
    link: String,
    /// Measure nothing: answer one machine that measures its link to this one
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:0",
        conflicts_with_all = ["quick", "link", "compare", "fits", "output"])]
    serve_link: Option<String>,
    #[command(flatten)]
    token: TokenArgs,
    /// Measure the cases at these places alone, and print their samples: what the program tells itself
    #[arg(long, value_name = "PLACES", value_delimiter = ',', hide = true)]
    part: Option<Vec<usize>>,
    /// The pace of a processor of one's own, with --part
    #[arg(long, value_name = "PACE", requires = "part", hide = true)]
    pace: Option<OwnPace>,
    /// The round trip between near cores, with --part
    #[arg(long, value_name = "NEAR", requires = "part", hide = true)]
    near: Option<Near>,
    /// Measure nothing: tell how far the profile agrees with this one
    #[arg(long, value_name = "OTHER", conflicts_with_all = ["quick", "link"])]
    compare: Option<PathBuf>,
    /// Measure nothing: show the profile's fits over n and limbs, and how far its rows lie from them
    #[arg(long, conflicts_with_all = ["quick", "link", "compare"])]
    fits: bool,
    /// Where the profile goes, or is [default: `calibration/HOST.csv` of this host]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Time for a link.
const QUICK_LINK: Duration = Duration::from_secs(3);
const FULL_LINK: Duration = Duration::from_secs(12);
/// Share of a case's samples far out from which it was disturbed.
const DISTURBED: f64 = 0.25;
/// Share of the cases disturbed from which the machine was not quiet; on a quiet one about 5 % are, since samples of
/// some operations are all but equal and any other one is far out.
const UNQUIET: f64 = 0.1;

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    if let Some(addr) = &args.serve_link {
        return link::serve(addr, &args.token, globals);
    }
    let (effort, budget) = if args.quick {
        (Effort::QUICK, QUICK_LINK)
    } else {
        (Effort::FULL, FULL_LINK)
    };
    let threads = threads(globals);
    if let Some(places) = &args.part {
        let known = Known {
            pace: args.pace,
            near: args.near,
            usual: None,
        };
        return process::serve(places, &cases(threads)?, effort, known);
    }
    let path = args.output.unwrap_or_else(calibration::of_this_host);
    if path.is_dir() {
        let path = path.display();
        return Err(Failure::unusable(format_args!(
            "{path}: expected a file, found a folder"
        )));
    }
    if let Some(other) = &args.compare {
        return compare(&path, other, globals);
    }
    if args.fits {
        let prices = PriceList::new(&calibration::read(&path)?.profile);
        return output::present(&Fitted::of(&prices), globals);
    }
    let peer = Peer::of(&args.link, &args.token)?;
    if cfg!(debug_assertions) {
        output::warn(
            globals,
            "this program was built without optimization; its times say little",
        );
    }
    match peer {
        Some(peer) if path.exists() => add_link(&path, &peer, budget, globals),
        peer => {
            let link = peer.map(|peer| peer.measure(budget)).transpose()?;
            let quick = args.quick;
            let take = |part: &[usize], known| {
                let told = process::Told {
                    quick,
                    threads,
                    known,
                };
                process::take(part, told)
            };
            let calibration = measure(&cases(threads)?, effort, take, globals);
            write(&path, calibration, link, globals)
        }
    }
}

/// Tells how far two profiles agree, and what they were not measured alike under.
fn compare(path: &Path, other: &Path, globals: &Globals) -> Result<(), Failure> {
    let (ours, theirs) = (calibration::read(path)?, calibration::read(other)?);
    let (ours, theirs) = (ours.profile, theirs.profile);
    let differs = theirs.differs_from(&ours.environment);
    if !differs.is_empty() {
        let (other, list) = (other.display(), differs.join("; "));
        output::warn(globals, &format!("{other} was measured elsewhere ({list})"));
    }
    output::present(&Compared::of(&ours.agreement(&theirs)), globals)
}

/// As many threads as were asked for, else as there are cores.
fn threads(globals: &Globals) -> usize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    globals.threads_or(cores)
}

/// All that is built in, with one thread and with so many.
fn cases(threads: usize) -> Result<Vec<Case>, Failure> {
    let mut cases = Case::builtin().map_err(Failure::job)?;
    if threads > 1 {
        cases.extend(Case::on_threads(threads).map_err(Failure::job)?);
    }
    Ok(cases)
}

fn measure(
    cases: &[Case],
    effort: Effort,
    take: impl FnMut(&[usize], Known) -> Vec<Outcome>,
    globals: &Globals,
) -> Calibration {
    let mut bar: Option<Progress> = None;
    calibrate(cases, effort, take, |done, total, case| {
        let bar = bar.get_or_insert_with(|| Progress::new(globals, total as u64, "calibrating"));
        bar.set(done as u64);
        bar.message(&format!("{case:<60.60}"));
    })
}

/// Measures a link and puts it into the profile that is there, its samples beside it.
fn add_link(path: &Path, peer: &Peer, budget: Duration, globals: &Globals) -> Result<(), Failure> {
    let mut profile = calibration::read(path)?.profile;
    let link = peer.measure(budget)?;
    link::put(&link.profile, &mut profile);
    write_profile(path, &profile, globals)?;
    write_samples(&path.with_extension("link.samples.csv"), &link, globals)?;
    link::warn_of_directions(&link.profile, globals);
    output::present(&Measured::of(&link), globals)
}

fn write_profile(path: &Path, profile: &Profile, globals: &Globals) -> Result<(), Failure> {
    output::write_file(path, profile.to_csv().as_bytes())?;
    output::say(globals, &format!("wrote {}", path.display()));
    Ok(())
}

fn write_samples(path: &Path, calibration: &Calibration, globals: &Globals) -> Result<(), Failure> {
    output::write_file(path, calibration.samples_csv().as_bytes())?;
    output::say(globals, &format!("wrote {}", path.display()));
    Ok(())
}

/// Writes the profile if all was measured. Else what there was before stays, and what was measured
/// goes beside it.
fn write(
    path: &Path,
    mut calibration: Calibration,
    link: Option<Calibration>,
    globals: &Globals,
) -> Result<(), Failure> {
    if let Some(link) = link {
        link::put(&link.profile, &mut calibration.profile);
        link::warn_of_directions(&link.profile, globals);
        calibration.samples.extend(link.samples);
    }
    if calibration.failed.is_empty() {
        write_profile(path, &calibration.profile, globals)?;
        write_samples(&path.with_extension("samples.csv"), &calibration, globals)?;
        warn_of_outliers(&calibration, globals);
        warn_of_sharing(&calibration, globals);
        return output::present(&Measured::of(&calibration), globals);
    }
    for (case, reason) in &calibration.failed {
        output::warn(globals, &format!("{case}: {reason}"));
    }
    let partial = path.with_extension("partial.csv");
    output::write_file(&partial, calibration.profile.to_csv().as_bytes())?;
    let (failed, partial) = (calibration.failed.len(), partial.display());
    Err(Failure::Job(anyhow::anyhow!(
        "{failed} cases could not be measured; the others are in {partial}"
    )))
}

/// Warns of a machine that was not quiet.
fn warn_of_outliers(calibration: &Calibration, globals: &Globals) {
    let share = |s: &crate::calibrate::Summary| s.outliers as f64 / s.samples as f64;
    let summaries = calibration.samples.iter().map(|of| &of.summary);
    let disturbed = summaries.filter(|s| share(s) > DISTURBED).count();
    let of = calibration.samples.len();
    if disturbed as f64 > UNQUIET * of as f64 {
        let told = format!(
            "{disturbed} of {of} cases have outliers in more than a quarter of their samples: \
             was the machine doing something else?"
        );
        output::warn(globals, &told);
    }
}

/// Warns of cases that met no processor of their own.
fn warn_of_sharing(calibration: &Calibration, globals: &Globals) {
    let cases = calibration.samples.iter();
    let shared = cases.filter(|of| of.disturbed_throughout()).count();
    if shared > 0 {
        let of = calibration.samples.len();
        let told = format!(
            "{shared} of {of} cases met a processor shared with others, or far ends of the loopback, alone, and their times are of that"
        );
        output::warn(globals, &told);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::calibrate::{Op, Taking};
    use crate::report::Present as _;
    use crate::units::{Bytes, Nanos};

    const ONCE: Effort = Effort {
        warm_up: Duration::ZERO,
        measure: Duration::ZERO,
        min_samples: 1,
        rounds: 2,
        budget: Duration::MAX,
        waiting: 0.0,
        most_waiting: Duration::ZERO,
    };

    /// Measured in this process.
    fn measured(cases: &[Case], globals: &Globals) -> Calibration {
        let take = |part: &[usize], known| {
            let part = part.iter().map(|&at| &cases[at]);
            crate::calibrate::measure(part, ONCE, known)
        };
        measure(cases, ONCE, take, globals)
    }

    #[test]
    fn one_thread_and_as_many_as_asked_for_are_measured() {
        let threads = |asked: usize| {
            let globals = Globals {
                threads: NonZeroUsize::new(asked),
                ..Globals::default()
            };
            let cases = cases(super::threads(&globals)).unwrap();
            cases.iter().map(|c| c.threads).collect::<BTreeSet<_>>()
        };
        assert_eq!(threads(1), BTreeSet::from([1]));
        assert_eq!(threads(3), BTreeSet::from([1, 3]));
        assert!(threads(0).contains(&1), "as many as there are cores");
    }

    #[test]
    fn a_link_takes_the_place_of_the_one_before() {
        let link = |nanos: f64, addr: &str| {
            let ops = [Op::LinkRoundTrip, Op::LinkOut, Op::LinkIn];
            let taken = ops.map(|op| Taking {
                case: Case::link(op, 1),
                bytes: Bytes(1),
                times: vec![Nanos(nanos); 3],
            });
            let mut profile = Calibration::of(taken.into()).profile;
            profile.environment = [("link".to_owned(), addr.to_owned())].into();
            profile
        };
        let mut profile = measured(&[Case::link(Op::Touch, 1)], &Globals::default()).profile;
        for (nanos, addr) in [(1e6, "a:1"), (2e6, "b:2")] {
            link::put(&link(nanos, addr), &mut profile);
            assert_eq!(profile.records.len(), 4);
            assert_eq!(profile.records[1].median, Nanos(nanos));
            assert_eq!(profile.environment["link"], addr);
        }
        assert!(profile.environment.contains_key("processor"));
        assert_eq!(
            Profile::from_csv(&profile.to_csv()).unwrap().records.len(),
            4
        );
    }

    #[test]
    fn a_profile_is_printed_row_by_row() {
        let cases = Case::of_ring((64, 1));
        let measured = Measured::of(&measured(&cases, &Globals::default()));
        assert!(measured.table().contains("multiply_accumulate"));
        let csv = measured.csv().unwrap();
        assert_eq!(csv.lines().count(), cases.len() + 1);
        assert!(csv.starts_with("op,n,limbs,param,threads,"), "{csv}");
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
        let failure = write(&path, measured(&cases, &quiet), None, &quiet).unwrap_err();
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
