//! Measures cases and sums them up as a profile.
//!
//! The cases are gone through in rounds, as many as the time allows ([`Effort`]), each from another part on, and the
//! samples of all are pooled: with several, each case is measured at times that lie apart. What time is left then goes to
//! the cases whose samples were all disturbed.
//!
//! A part is the cases that share operands ([`parts`]). Who calibrates says how one is measured: [`measure`] does it here;
//! in a process of its own rotations are as quick as in sessions, and slower in one that has measured other rings before.
//!
//! Each sample is a loop of runs ([`sample`]). Those that were disturbed are set aside, whatever they are: taken while the
//! processor was shared, by its pace before and after them, or while the loopback's ends were far from each other
//! ([`Known`]); where fewer than [`LEAST_UNDISTURBED`] are left, so many of the least disturbed count. Of several threads it is the core
//! of the one that starts them. The others are told at the usual pace. Medians and intervals are those of [`summarize`].
//!
//! A case that cannot be run does not end the calibration; it is named in the result.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use super::case::{Case, Op};
use super::clock::{Effort, now};
use super::environment::environment;
use super::known::Known;
use super::link_workload;
use super::profile::{Profile, Record};
use super::sampling::{Sample, sample};
use super::statistics::{RESAMPLES, Summary, summarize};
use super::workload::{Operands, WorkloadError};
use crate::units::{Bytes, Nanos};

/// What is left of a sending's time at least, when the round trip is taken off it.
const LEAST_SHARE: f64 = 0.01;
/// Share of the time that goes to the rounds; the rest is for cases whose samples were all disturbed.
const FOR_ROUNDS: f64 = 0.9;
/// Undisturbed samples from which no others are needed.
const LEAST_UNDISTURBED: usize = 3;
/// How long it waits for near cores, at most, before each case of the loopback.
const NEAR_WAITING: Duration = Duration::from_secs(3);

/// What was measured, and what could not be.
#[derive(Debug)]
pub struct Calibration {
    /// The machine and a row for each case that was measured.
    pub profile: Profile,
    /// The cases that failed, and why.
    pub failed: Vec<(Case, String)>,
    /// The others' samples, in the order of the profile's records.
    pub samples: Vec<Sampled>,
}

/// The samples of a case.
#[derive(Debug)]
pub struct Sampled {
    /// In the order of time.
    pub samples: Vec<Sample>,
    /// Those that count, summed up.
    pub summary: Summary,
    /// What judges them.
    known: Known,
}

impl Sampled {
    /// Of some samples; `None` of none.
    fn of(samples: Vec<Sample>, known: Known) -> Option<Self> {
        let mut counted = samples.clone();
        counted.sort_by(|a, b| known.excess(a).total_cmp(&known.excess(b)));
        let own = counted.partition_point(|sample| !known.is_disturbed(sample));
        counted.truncate(own.max(LEAST_UNDISTURBED));
        let counted: Vec<Nanos> = counted.iter().map(|s| known.usual_time(s)).collect();
        let summary = summarize(&counted)?;
        Some(Self {
            samples,
            summary,
            known,
        })
    }

    /// Samples that were taken while the processor was shared, or the link's ends were far from each other.
    pub fn disturbed(&self) -> usize {
        let all = self.samples.iter();
        all.filter(|sample| self.known.is_disturbed(sample)).count()
    }

    /// Whether too few others were left, so that some of them count too.
    pub fn disturbed_throughout(&self) -> bool {
        disturbed_throughout(&self.samples, self.known)
    }
}

/// Whether hardly any sample was taken undisturbed.
fn disturbed_throughout(samples: &[Sample], known: Known) -> bool {
    let own = samples.iter().filter(|sample| !known.is_disturbed(sample));
    own.count() < LEAST_UNDISTURBED.min(samples.len())
}

/// Samples of a case that were taken elsewhere.
#[derive(Debug)]
pub struct Taking {
    /// What was measured.
    pub case: Case,
    /// Bytes that it sends.
    pub bytes: Bytes,
    /// The samples.
    pub times: Vec<Nanos>,
}

impl Calibration {
    /// Sums up samples that were taken elsewhere; cases without any are left out.
    pub fn of(taken: Vec<Taking>) -> Self {
        let (mut cases, mut samples) = (Vec::new(), Vec::new());
        for Taking { case, bytes, times } in taken {
            cases.push(case);
            let unwatched = |time| Sample {
                time,
                pace: None,
                usual: None,
                near: None,
            };
            samples.push(Samples {
                taken: times.into_iter().map(unwatched).collect(),
                bytes,
                failure: None,
            });
        }
        sum_up(&cases, samples, Known::default())
    }

    /// The samples as CSV: the columns of a case as in the profile, then one sample a row, with the processor's pace
    /// and the round trip between a link's ends where they were watched,
    /// the usual pace, and 1 for those that were disturbed and for outliers. Times are as they were measured; outliers are those at
    /// the usual pace.
    pub fn samples_csv(&self) -> String {
        let columns = "op,n,limbs,q_bits,p_bits,param,threads,working_set,ns,pace_ns,usual_ns,near_ns,disturbed,outlier\n";
        let mut text = String::from(columns);
        for (record, sampled) in self.profile.records.iter().zip(&self.samples) {
            let key = record.case.key();
            for sample in &sampled.samples {
                let time = sampled.known.usual_time(sample);
                let told =
                    |time: Option<Nanos>| time.map_or_else(String::new, |t| format!("{:.0}", t.0));
                let [pace, usual, near] = [sample.pace, sample.usual, sample.near].map(told);
                let disturbed = u8::from(sampled.known.is_disturbed(sample));
                let outlier = u8::from(sampled.summary.is_outlier(time));
                let _ = writeln!(
                    text,
                    "{key},{:.2},{pace},{usual},{near},{disturbed},{outlier}",
                    sample.time.0
                );
            }
        }
        text
    }
}

/// Samples of a case, and bytes that it sends; or why there are none.
pub type Outcome = Result<(Vec<Sample>, Bytes), String>;

/// Samples of one case.
#[derive(Default)]
struct Samples {
    taken: Vec<Sample>,
    bytes: Bytes,
    failure: Option<String>,
}

impl Samples {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Ok((taken, bytes)) => {
                self.taken.extend(taken);
                self.bytes = bytes;
            }
            Err(failure) => self.failure = Some(failure),
        }
    }
}

/// Measures cases, those of one thread on the caller's, for a round's part of `effort`, on a machine of which so much is
/// `known`.
pub fn measure<'a>(
    cases: impl IntoIterator<Item = &'a Case>,
    effort: Effort,
    known: Known,
) -> Vec<Outcome> {
    let effort = effort.of_a_round();
    let (mut operands, mut watch) = (Operands::default(), effort.watch().knowing(known.pace));
    let mut one = |case: &Case| {
        let near = is_loopback(case.op)
            .then(|| link_workload::wait(known.near, effort.most_waiting.min(NEAR_WAITING)))
            .transpose()?;
        let mut workload = operands.workload(case)?;
        workload.go_through()?;
        let usual = watch.usual();
        let mut taken = sample(effort, &mut watch, &mut workload)?;
        taken
            .iter_mut()
            .for_each(|sample| (sample.usual, sample.near) = (Some(usual), near));
        Ok((taken, workload.bytes()))
    };
    let measured = cases.into_iter().map(|case| {
        let outcome: Result<_, WorkloadError> = one(case);
        outcome.map_err(|failure| failure.to_string())
    });
    measured.collect()
}

/// Whether the loopback's two ends take part.
const fn is_loopback(op: Op) -> bool {
    matches!(op, Op::Send | Op::HandOver | Op::RoundTrip)
}

/// Runs of neighbouring cases that share operands, or are of one kind.
fn parts(cases: &[Case]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        match parts.last_mut() {
            Some(part)
                if cases
                    .get(part.start)
                    .is_some_and(|first| alike(first, case)) =>
            {
                part.end = at + 1;
            }
            _ => parts.push(at..at + 1),
        }
    }
    parts
}

/// Whether two cases belong to one part.
fn alike(a: &Case, b: &Case) -> bool {
    let kind = |case: &Case| match case.op {
        Op::He(_) => 0,
        Op::Garble | Op::GarbleTables | Op::EncodeLabels | Op::Evaluate => 1,
        Op::BaseOt | Op::OtCorrelated | Op::OtRandom | Op::OtChosen | Op::OtDerandomize => 2,
        Op::Values(_) => 3,
        Op::Touch => 4,
        Op::Send | Op::HandOver | Op::RoundTrip | Op::LinkOut | Op::LinkIn | Op::LinkRoundTrip => 5,
    };
    let ring = |case: &Case| match case.op {
        Op::He(_) => Some((case.n, case.limbs, case.q_bits, case.param.clone())),
        _ => None,
    };
    (kind(a), a.threads, ring(a)) == (kind(b), b.threads, ring(b))
}

/// Measures `cases`, part by part: `take` is given the places of some of one part among them and what is known by
/// then, and gives back what it made of each ([`measure`]). `progress` is told how much is done, of how much, and what comes next.
pub fn calibrate(
    cases: &[Case],
    effort: Effort,
    mut take: impl FnMut(&[usize], Known) -> Vec<Outcome>,
    mut progress: impl FnMut(usize, usize, &Case),
) -> Calibration {
    let mut samples: Vec<Samples> = cases.iter().map(|_| Samples::default()).collect();
    let (parts, rounds) = (parts(cases), effort.rounds.max(1));
    let (mut done, mut gone_through) = (0, 0);
    let start = now();
    for round in 0..rounds {
        let round_start = now();
        let mut order: Vec<&Range<usize>> = parts.iter().collect();
        order.rotate_left(round * parts.len() / rounds);
        for part in order {
            if let Some(first) = cases.get(part.start) {
                progress(done, rounds * cases.len(), first);
            }
            done += part.len();
            take_some(&mut samples, part.clone(), &mut take);
        }
        gone_through += 1;
        if start.elapsed() + round_start.elapsed() > effort.budget.mul_f64(FOR_ROUNDS) {
            break;
        }
    }
    for part in (0..rounds).flat_map(|_| &parts) {
        if start.elapsed() > effort.budget {
            break;
        }
        let known = known(&samples);
        let shared = |at: &usize| {
            let samples = samples.get(*at);
            samples.is_some_and(|samples| disturbed_throughout(&samples.taken, known))
        };
        let shared: Vec<usize> = part.clone().filter(shared).collect();
        take_some(&mut samples, shared, &mut take);
    }
    let known = known(&samples);
    let mut calibration = sum_up(cases, samples, known);
    let environment = &mut calibration.profile.environment;
    environment.insert("rounds".to_owned(), gone_through.to_string());
    calibration
}

/// Takes samples of those of these cases that have not failed.
fn take_some(
    samples: &mut [Samples],
    places: impl IntoIterator<Item = usize>,
    take: &mut impl FnMut(&[usize], Known) -> Vec<Outcome>,
) {
    let sound = |at: &usize| samples.get(*at).is_some_and(|s| s.failure.is_none());
    let places: Vec<usize> = places.into_iter().filter(sound).collect();
    if places.is_empty() {
        return;
    }
    let known = known(samples);
    for (&at, outcome) in places.iter().zip(take(&places, known)) {
        if let Some(samples) = samples.get_mut(at) {
            samples.add(outcome);
        }
    }
}

/// What all samples show.
fn known(samples: &[Samples]) -> Known {
    Known::among(samples.iter().flat_map(|samples| &samples.taken))
}

fn sum_up(cases: &[Case], samples: Vec<Samples>, known: Known) -> Calibration {
    let mut records = Vec::new();
    let (mut failed, mut kept) = (Vec::new(), Vec::new());
    for (
        case,
        Samples {
            taken,
            bytes,
            failure,
        },
    ) in cases.iter().zip(samples)
    {
        match (failure, Sampled::of(taken, known)) {
            (Some(failure), _) => failed.push((case.clone(), failure)),
            (None, Some(sampled)) => {
                let summary = sampled.summary;
                records.push(Record {
                    case: case.clone(),
                    samples: summary.samples,
                    median: summary.median,
                    low: summary.low,
                    high: summary.high,
                    bytes,
                });
                kept.push(sampled);
            }
            (None, None) => {}
        }
    }
    take_off_round_trip(&mut records);
    let profile = Profile {
        environment: environment_of(cases, &kept, known),
        records,
    };
    Calibration {
        profile,
        failed,
        samples: kept,
    }
}

/// The machine, and how times were summed up.
fn environment_of(cases: &[Case], kept: &[Sampled], known: Known) -> BTreeMap<String, String> {
    let threads = cases.iter().map(|case| case.threads).max().unwrap_or(1);
    let mut environment = environment(threads);
    let interval = format!("95 %, percentile bootstrap of {RESAMPLES} medians");
    let of = |count: fn(&Summary) -> u64| kept.iter().map(|s| count(&s.summary)).sum::<u64>();
    let (outliers, samples) = (of(|s| s.outliers), of(|s| s.samples));
    let outliers = format!("{outliers} of {samples} samples, modified z-score above 3.5");
    if known != Known::default() {
        let taken: usize = kept.iter().map(|s| s.samples.len()).sum();
        let disturbed: usize = kept.iter().map(Sampled::disturbed).sum();
        let disturbed = format!("{disturbed} of {taken} samples, by pace and round trip");
        environment.insert("disturbed".to_owned(), disturbed);
    }
    known.enter(&mut environment);
    environment.insert("interval".to_owned(), interval);
    environment.insert("outliers".to_owned(), outliers);
    environment
}

/// A message is sent when its acknowledgement, a round trip later, is here.
fn take_off_round_trip(records: &mut [Record]) {
    for (op, trip) in [
        (Op::Send, Op::RoundTrip),
        (Op::LinkOut, Op::LinkRoundTrip),
        (Op::LinkIn, Op::LinkRoundTrip),
    ] {
        let round_trip = records.iter().find(|record| record.case.op == trip);
        let round_trip = round_trip.map_or(Nanos(0.0), |record| record.median);
        for record in records.iter_mut().filter(|record| record.case.op == op) {
            let less = |time: Nanos| Nanos((time - round_trip).0.max(LEAST_SHARE * time.0));
            (record.low, record.median, record.high) =
                (less(record.low), less(record.median), less(record.high));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pace::OwnPace;
    use super::*;
    use crate::gc::GarblingHash;
    use crate::protocol::OtRole;

    fn calibrated(
        cases: &[Case],
        effort: Effort,
        progress: impl FnMut(usize, usize, &Case),
    ) -> Calibration {
        let take =
            |part: &[usize], known| measure(part.iter().map(|&at| &cases[at]), effort, known);
        calibrate(cases, effort, take, progress)
    }

    const ONCE: Effort = Effort {
        warm_up: Duration::ZERO,
        measure: Duration::ZERO,
        min_samples: 2,
        rounds: 2,
        budget: Duration::MAX,
        waiting: 0.0,
        most_waiting: Duration::ZERO,
    };

    /// A case of every operation, small.
    fn small() -> Vec<Case> {
        let mut cases = Case::of_ring((64, 2));
        let hash = GarblingHash::default();
        let circuits = [Op::Garble, Op::GarbleTables, Op::EncodeLabels, Op::Evaluate];
        cases.extend(circuits.map(|op| Case::relu(op, hash, 20, 2).unwrap()));
        for role in [OtRole::Sender, OtRole::Receiver] {
            let transfers = [
                (Op::BaseOt, 128),
                (Op::OtCorrelated, 200),
                (Op::OtDerandomize, 40),
            ];
            cases.extend(transfers.map(|(op, count)| Case::transfer(op, role, count)));
        }
        let messages = [
            (Op::RoundTrip, 1),
            (Op::HandOver, 70_000),
            (Op::Send, 70_000),
        ];
        cases.extend(messages.map(|(op, bytes)| Case::link(op, bytes)));
        cases
    }

    #[test]
    fn every_case_becomes_a_row_that_reads_back() {
        let cases = small();
        let mut seen = Vec::new();
        let measured = calibrated(&cases, ONCE, |done, total, _| {
            seen.push((done, total));
        });
        let taken: usize = measured.samples.iter().map(|s| s.samples.len()).sum();
        assert_eq!(measured.samples_csv().lines().count(), 1 + taken);
        assert!(taken >= 2 * cases.len());
        let Calibration {
            profile, failed, ..
        } = measured;
        assert!(failed.is_empty(), "{failed:?}");
        let rows: Vec<Case> = profile.records.iter().map(|r| r.case.clone()).collect();
        assert_eq!(rows, cases);
        let all = 2 * cases.len();
        assert_eq!(seen.len(), 2 * parts(&cases).len());
        assert!(seen.is_sorted() && seen[0] == (0, all), "{seen:?}");
        let read = Profile::from_csv(&profile.to_csv()).unwrap();
        assert_eq!(read.records.len(), cases.len());
        assert!(read.known().pace.is_some_and(|own| own.time().0 > 100.0));
        assert!(read.known().near.is_some() && read.known().usual.is_some());
        assert!(
            profile
                .records
                .iter()
                .all(|r| r.samples >= 2 && r.median.0 > 0.0)
        );
        let sent = profile.records.last().unwrap();
        assert_eq!(sent.bytes, Bytes(70_000));
    }

    #[test]
    fn samples_of_a_shared_processor_are_set_aside_while_there_are_others() {
        let sample = |time: f64, pace: f64| Sample {
            time: Nanos(time),
            pace: Some(Nanos(pace)),
            usual: None,
            near: None,
        };
        let known = Known {
            pace: OwnPace::of([Nanos(10.0)]),
            ..Known::default()
        };
        let own = [5.0, 6.0, 7.0].map(|time| sample(time, 10.5));
        let shared = [90.0, 91.0].map(|time| sample(time, 15.0));
        let both = [&own[..], &shared].concat();
        let of = |samples: &[Sample], known| Sampled::of(samples.to_vec(), known).unwrap();
        let kept = of(&both, known);
        assert_eq!((kept.summary.samples, kept.summary.median), (3, Nanos(6.0)));
        assert_eq!((kept.samples.len(), kept.disturbed()), (5, 2));
        assert!(!kept.disturbed_throughout());
        let few = of(&[&both[1..], &[sample(95.0, 14.0)]].concat(), known);
        assert_eq!(few.summary.samples, 3, "too few others");
        assert_eq!(
            few.summary.median,
            Nanos(7.0),
            "6, 7 and that of the quickest pace"
        );
        assert!(few.disturbed_throughout());
        let unwatched = of(&both, Known::default());
        assert_eq!((unwatched.summary.samples, unwatched.disturbed()), (5, 0));
        assert!(Sampled::of(Vec::new(), known).is_none());
    }

    #[test]
    fn a_round_that_would_end_late_is_not_begun() {
        let budget = Duration::ZERO;
        let cases = [Case::link(Op::RoundTrip, 1)];
        let calibration = calibrated(&cases, Effort { budget, ..ONCE }, |_, _, _| {});
        let samples: Vec<u64> = calibration
            .profile
            .records
            .iter()
            .map(|r| r.samples)
            .collect();
        assert_eq!(samples, [1]);
    }

    #[test]
    fn a_case_that_fails_is_named_and_the_others_are_measured() {
        let mut cases = small().split_off(26);
        let broken = Case {
            param: "bytes=0".to_owned(),
            ..Case::link(Op::Send, 1)
        };
        cases.insert(1, broken.clone());
        let Calibration {
            profile, failed, ..
        } = calibrated(&cases, ONCE, |_, _, _| {});
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].0, broken);
        assert!(failed[0].1.contains("describes no message"));
        assert_eq!(profile.records.len(), cases.len() - 1);
    }

    #[test]
    fn the_round_trip_is_taken_off_but_never_all() {
        let record = |op, ns: f64| Record {
            case: Case::link(op, 1),
            samples: 1,
            median: Nanos(ns),
            low: Nanos(ns),
            high: Nanos(ns),
            bytes: Bytes(1),
        };
        let mut records = [
            record(Op::Send, 100.0),
            record(Op::RoundTrip, 30.0),
            record(Op::Send, 20.0),
        ];
        take_off_round_trip(&mut records);
        assert_eq!(records.map(|r| r.median.0), [70.0, 30.0, 0.2]);
    }
}
