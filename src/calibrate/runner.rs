//! Measures cases and sums them up as a profile.
//!
//! The cases are gone through in rounds, as many as the time allows ([`Effort`]), each from another case on, and the
//! samples of all are pooled: with several, each case is measured at times that lie apart, so that no disturbance
//! shorter than the whole meets most of them. One round has no such protection.
//! Each sample is a loop of runs
//! ([`sample`]); medians and intervals are those of [`summarize`].
//!
//! A case that cannot be run does not end the calibration; it is named in the result.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::case::{Case, Op};
use super::clock::{Effort, now, sample};
use super::environment::environment;
use super::profile::{Profile, Record};
use super::statistics::{RESAMPLES, Summary, summarize};
use super::workload::{Operands, WorkloadError};
use crate::units::{Bytes, Nanos};

/// What is left of a sending's time at least, when the round trip is taken off it.
const LEAST_SHARE: f64 = 0.01;

/// What was measured, and what could not be.
#[derive(Debug)]
pub struct Calibration {
    /// The machine and a row for each case that was measured.
    pub profile: Profile,
    /// The cases that failed, and why.
    pub failed: Vec<(Case, WorkloadError)>,
    /// The others' samples, in the order of the profile's records.
    pub samples: Vec<Sampled>,
}

/// The samples of a case.
#[derive(Debug)]
pub struct Sampled {
    /// In the order of time.
    pub times: Vec<Nanos>,
    /// Summed up.
    pub summary: Summary,
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
            samples.push(Samples {
                times,
                bytes,
                failure: None,
            });
        }
        sum_up(&cases, samples)
    }

    /// The samples as CSV: the columns of a case as in the profile, then one sample a row, and 1 for outliers.
    pub fn samples_csv(&self) -> String {
        let columns = "op,n,limbs,q_bits,p_bits,param,threads,working_set,ns,outlier\n";
        let mut text = String::from(columns);
        for (record, Sampled { times, summary }) in self.profile.records.iter().zip(&self.samples) {
            let key = record.case.key();
            for time in times {
                let outlier = u8::from(summary.is_outlier(*time));
                let _ = writeln!(text, "{key},{:.2},{outlier}", time.0);
            }
        }
        text
    }
}

/// Samples of one case.
#[derive(Default)]
struct Samples {
    times: Vec<Nanos>,
    bytes: Bytes,
    failure: Option<WorkloadError>,
}

/// Measures `cases`, those of one thread on the caller's. `progress` is told how much is done, of how much, and what comes
/// next.
pub fn calibrate(
    cases: &[Case],
    effort: Effort,
    mut progress: impl FnMut(usize, usize, &Case),
) -> Calibration {
    let mut samples: Vec<Samples> = cases.iter().map(|_| Samples::default()).collect();
    let mut operands = Operands::default();
    let rounds = effort.rounds.max(1);
    let effort = Effort {
        measure: effort.measure / rounds as u32,
        min_samples: effort.min_samples.div_ceil(rounds),
        ..effort
    };
    let mut done = 0;
    let start = now();
    for round in 0..rounds {
        let round_start = now();
        let mut order: Vec<_> = cases.iter().zip(&mut samples).collect();
        order.rotate_left(round * cases.len() / rounds);
        for (case, samples) in order {
            progress(done, rounds * cases.len(), case);
            done += 1;
            if samples.failure.is_none() {
                samples.failure = measure(case, effort, &mut operands, samples).err();
            }
        }
        if start.elapsed() + round_start.elapsed() > effort.budget {
            break;
        }
    }
    sum_up(cases, samples)
}

fn measure(
    case: &Case,
    effort: Effort,
    operands: &mut Operands,
    samples: &mut Samples,
) -> Result<(), WorkloadError> {
    let mut workload = operands.workload(case)?;
    samples.bytes = workload.bytes();
    workload.go_through()?;
    samples
        .times
        .extend(sample(effort, |calls| workload.time(calls))?);
    Ok(())
}

fn sum_up(cases: &[Case], samples: Vec<Samples>) -> Calibration {
    let mut records = Vec::new();
    let (mut failed, mut kept) = (Vec::new(), Vec::new());
    for (
        case,
        Samples {
            times,
            bytes,
            failure,
        },
    ) in cases.iter().zip(samples)
    {
        match (failure, summarize(&times)) {
            (Some(failure), _) => failed.push((case.clone(), failure)),
            (None, Some(summary)) => {
                records.push(Record {
                    case: case.clone(),
                    samples: summary.samples,
                    median: summary.median,
                    low: summary.low,
                    high: summary.high,
                    bytes,
                });
                kept.push(Sampled { times, summary });
            }
            (None, None) => {}
        }
    }
    take_off_round_trip(&mut records);
    let profile = Profile {
        environment: environment_of(cases, &kept),
        records,
    };
    Calibration {
        profile,
        failed,
        samples: kept,
    }
}

/// The machine, and how times were summed up.
fn environment_of(cases: &[Case], kept: &[Sampled]) -> BTreeMap<String, String> {
    let threads = cases.iter().map(|case| case.threads).max().unwrap_or(1);
    let mut environment = environment(threads);
    let interval = format!("95 %, percentile bootstrap of {RESAMPLES} medians");
    let of = |count: fn(&Summary) -> u64| kept.iter().map(|s| count(&s.summary)).sum::<u64>();
    let (outliers, samples) = (of(|s| s.outliers), of(|s| s.samples));
    let outliers = format!("{outliers} of {samples} samples, modified z-score above 3.5");
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
    use crate::gc::GarblingHash;
    use std::time::Duration;

    use super::*;
    use crate::protocol::OtRole;

    const ONCE: Effort = Effort {
        warm_up: Duration::ZERO,
        measure: Duration::ZERO,
        min_samples: 2,
        rounds: 2,
        budget: Duration::MAX,
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
        cases.extend([(Op::RoundTrip, 1), (Op::Send, 70_000)].map(|(op, b)| Case::link(op, b)));
        cases
    }

    #[test]
    fn every_case_becomes_a_row_that_reads_back() {
        let cases = small();
        let mut seen = Vec::new();
        let measured = calibrate(&cases, ONCE, |done, total, _| {
            seen.push((done, total));
        });
        assert_eq!(measured.samples_csv().lines().count(), 1 + 2 * cases.len());
        let Calibration {
            profile, failed, ..
        } = measured;
        assert!(failed.is_empty(), "{failed:?}");
        let rows: Vec<Case> = profile.records.iter().map(|r| r.case.clone()).collect();
        assert_eq!(rows, cases);
        let expected: Vec<_> = (0..2 * cases.len()).map(|i| (i, 2 * cases.len())).collect();
        assert_eq!(seen, expected);
        let read = Profile::from_csv(&profile.to_csv()).unwrap();
        assert_eq!(read.records.len(), cases.len());
        assert!(
            profile
                .records
                .iter()
                .all(|r| r.samples == 2 && r.median.0 > 0.0)
        );
        let sent = profile.records.last().unwrap();
        assert_eq!(sent.bytes, Bytes(70_000));
    }

    #[test]
    fn a_round_that_would_end_late_is_not_begun() {
        let budget = Duration::ZERO;
        let cases = [Case::link(Op::RoundTrip, 1)];
        let calibration = calibrate(&cases, Effort { budget, ..ONCE }, |_, _, _| {});
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
        } = calibrate(&cases, ONCE, |_, _, _| {});
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].0, broken);
        assert!(failed[0].1.to_string().contains("describes no message"));
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
