//! The loop that samples an operation.
//!
//! One sample is a loop of runs long enough for the clock (20 µs or more, and a 200th of the round's time), after
//! a warm-up; its time is divided by the runs. Where the operands of a run have to be prepared a sample is one run. Sampling
//! goes on until the time is spent.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::{Effort, now, time};
use super::pace::Watch;
use super::workload::{Workload, WorkloadError};
use crate::units::Nanos;

/// Least time of one sample.
const SAMPLE: Duration = Duration::from_micros(20);
/// Samples that the time of a round is divided into at most, so that a profile's can be kept.
const MOST_SAMPLES: u32 = 200;

/// One time of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The time of one run.
    pub time: Nanos,
    /// The slower of the processor's paces directly before and after, as a [`Watch`] sees them; `None` where there was none.
    pub pace: Option<Nanos>,
    /// The usual pace shortly before it ([`Watch::usual`]).
    pub usual: Option<Nanos>,
    /// The round trip between its two ends' cores before it, where it has two.
    pub near: Option<Nanos>,
}

/// Samples an operation. `watch` waits before each sample, within its limits.
///
/// # Errors
/// The first error of the operation.
pub fn sample(
    effort: Effort,
    watch: &mut Watch,
    workload: &mut Workload<'_>,
) -> Result<Vec<Sample>, WorkloadError> {
    let start = now();
    let (mut runs, mut spent) = (0u64, Nanos(0.0));
    while runs == 0 || start.elapsed() < effort.warm_up {
        spent += workload.time(1)?;
        runs += 1;
    }
    let least = SAMPLE.max(effort.measure / MOST_SAMPLES);
    let runs = workload.runs(spent * (1.0 / runs as f64), least);
    let mut samples = Vec::new();
    let start = now();
    while samples.len() < effort.min_samples || start.elapsed() < effort.measure {
        let mut waited = Nanos(0.0);
        let (taken, all) = time(|| {
            workload.time_after(runs, || {
                waited = watch.wait();
                waited
            })
        });
        samples.push(Sample {
            time: taken? * (1.0 / runs as f64),
            pace: Some(watch.worked(all - waited)),
            usual: None,
            near: None,
        });
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::{Summary, summarize};
    use crate::units::Bytes;

    const SHORT: Effort = Effort {
        measure: Duration::from_millis(5),
        ..Effort::QUICK
    };

    fn summed_up(mut workload: Workload<'_>) -> Summary {
        let samples = sample(SHORT, &mut SHORT.watch(), &mut workload).unwrap();
        let times: Vec<Nanos> = samples.iter().map(|sample| sample.time).collect();
        summarize(&times).unwrap()
    }

    #[test]
    fn a_loop_that_does_more_takes_longer() {
        let work = |rounds: u64| {
            let once = move || {
                let sum = (0..rounds).fold(0u64, |sum, i| sum.wrapping_mul(31).wrapping_add(i));
                Ok(std::hint::black_box(sum))
            };
            summed_up(Workload::again(Bytes(0), once))
        };
        let (short, long) = (work(100), work(10_000));
        assert!(long.median > short.median);
        assert!(short.low <= short.median && short.median <= short.high);
    }

    /// What prepares a run is not counted, and each sample has a run of its own.
    #[test]
    fn a_prepared_run_is_a_sample() {
        let (mut prepared, mut run) = (0, 0);
        let prepare = || {
            prepared += 1;
            std::thread::sleep(Duration::from_millis(1));
            Ok(())
        };
        let mut workload = Workload::once(Bytes(0), prepare, |()| {
            run += 1;
            Ok(())
        });
        let samples = sample(SHORT, &mut SHORT.watch(), &mut workload).unwrap();
        drop(workload);
        assert!(samples.iter().all(|sample| sample.pace.is_some()));
        assert!(samples.iter().any(|sample| sample.time.0 < 5e5));
        assert_eq!(prepared, run);
        assert_eq!(samples.len() + 1, run, "one of them warmed up");
    }
}
