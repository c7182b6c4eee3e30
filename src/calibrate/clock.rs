//! The clock, and the loop that samples an operation with it.
//!
//! One sample is a loop of calls long enough for the clock (20 µs or more, and a 200th of the round's time), after
//! a warm-up; its time is divided by the calls. Sampling goes on until the time is spent.

#![expect(clippy::disallowed_methods, reason = "this file is the clock")]

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::pace::Watch;
use crate::units::Nanos;

/// How long to sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effort {
    /// Time before the first sample of each round.
    pub warm_up: Duration,
    /// Time for all samples of a case, waits included.
    pub measure: Duration,
    /// At least so many samples of a case.
    pub min_samples: usize,
    /// Rounds through all cases at most, among which time and samples are divided.
    pub rounds: usize,
    /// Time for all cases: a further round is begun only where it ends in time if it takes as long as the last one.
    pub budget: Duration,
    /// How long it may wait for a processor that is not shared, for each time that is measured.
    pub waiting: f64,
    /// And at most without measuring.
    pub most_waiting: Duration,
}

impl Effort {
    /// All of the built-in cases within half a minute, unless one round takes longer.
    pub const QUICK: Self = Self {
        warm_up: Duration::from_micros(500),
        measure: Duration::from_millis(5),
        min_samples: 4,
        rounds: 2,
        budget: Duration::from_secs(29),
        waiting: 0.2,
        most_waiting: Duration::from_millis(300),
    };
    /// All of the built-in cases within five minutes, as often as they can be gone through.
    pub const FULL: Self = Self {
        warm_up: Duration::from_millis(2),
        measure: Duration::from_millis(150),
        min_samples: 20,
        rounds: 10,
        budget: Duration::from_secs(285),
        waiting: 2.0,
        most_waiting: Duration::from_secs(10),
    };
}

impl Effort {
    /// What falls to one of the rounds.
    pub(super) fn of_a_round(self) -> Self {
        let rounds = self.rounds.max(1);
        Self {
            measure: self.measure / rounds as u32,
            min_samples: self.min_samples.div_ceil(rounds),
            ..self
        }
    }

    /// Who watches the processor meanwhile.
    pub fn watch(&self) -> Watch {
        Watch::start(self.waiting, self.most_waiting)
    }
}

/// Least time of one sample.
const SAMPLE: Duration = Duration::from_micros(20);
/// A wait that costs what lies in the caches.
const AWAY: Nanos = Nanos(1e5);
/// Samples that the time of a round is divided into at most, so that a profile's can be kept.
const MOST_SAMPLES: u32 = 200;

/// A point in time.
pub type Moment = Instant;

/// This moment.
pub fn now() -> Moment {
    Instant::now()
}

/// Runs `operation` and gives back the wall time it took.
pub fn time<T>(operation: impl FnOnce() -> T) -> (T, Nanos) {
    let start = Instant::now();
    let result = operation();
    (result, Nanos(start.elapsed().as_nanos() as f64))
}

/// What an operation took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Taken {
    /// By the wall clock.
    pub wall: Nanos,
    /// On a processor, by the clock of this thread: what it does not run is not counted.
    pub cpu: Nanos,
}

/// Runs `operation` and gives back what it took by both clocks.
pub fn timed<T>(operation: impl FnOnce() -> T) -> (T, Taken) {
    let start = thread_time();
    let (result, wall) = time(operation);
    let cpu = Nanos(thread_time().0 - start.0);
    (result, Taken { wall, cpu })
}

/// Time that this thread has run so far.
fn thread_time() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Nanos(time.tv_sec as f64 * 1e9 + time.tv_nsec as f64)
}

/// One time of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The time of one run.
    pub time: Nanos,
    /// The slower of the processor's paces directly before and after, as a [`Watch`] sees them; `None` where there was none.
    pub pace: Option<Nanos>,
}

/// Samples an operation: `timed` runs it a number of times and tells how long that took. The times are
/// those of one operation each. `watch` waits before each sample, within its limits.
///
/// # Errors
/// The first error of `timed`.
pub fn sample<E>(
    effort: Effort,
    watch: &mut Watch,
    mut timed: impl FnMut(u64) -> Result<Nanos, E>,
) -> Result<Vec<Sample>, E> {
    let start = Instant::now();
    let (mut calls, mut spent) = (0u64, Nanos(0.0));
    while calls == 0 || start.elapsed() < effort.warm_up {
        spent += timed(1)?;
        calls += 1;
    }
    let each = spent.0 / calls as f64;
    let least = SAMPLE.max(effort.measure / MOST_SAMPLES);
    let repeats = (least.as_nanos() as f64 / each.max(1.0)).ceil().max(1.0) as u64;
    let mut samples = Vec::new();
    let start = Instant::now();
    while samples.len() < effort.min_samples || start.elapsed() < effort.measure {
        if watch.wait() > AWAY {
            // Others have filled the caches.
            timed(1)?;
        }
        let taken = timed(repeats)?;
        samples.push(Sample {
            time: taken * (1.0 / repeats as f64),
            pace: Some(watch.worked(taken)),
        });
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_counts_by_the_wall_alone() {
        let (_, taken) = timed(|| std::thread::sleep(Duration::from_millis(20)));
        assert!(taken.wall.0 >= 2e7 && taken.cpu.0 < 1e7, "{taken:?}");
        let (_, taken) = timed(|| (0..1_000_000u64).map(std::hint::black_box).sum::<u64>());
        assert!(taken.cpu.0 > 0.0 && taken.cpu.0 < 1.5 * taken.wall.0 + 1e6);
    }

    use crate::calibrate::summarize;

    #[test]
    fn a_loop_that_does_more_takes_longer() {
        let work = |rounds: u64| {
            let effort = Effort {
                measure: Duration::from_millis(5),
                ..Effort::QUICK
            };
            let once = || {
                let sum = (0..rounds).fold(0u64, |sum, i| sum.wrapping_mul(31).wrapping_add(i));
                std::hint::black_box(sum);
            };
            let timed = |calls| Ok::<_, ()>(time(|| (0..calls).for_each(|_| once())).1);
            let times = sample(effort, &mut effort.watch(), timed).unwrap();
            let times: Vec<Nanos> = times.iter().map(|sample| sample.time).collect();
            summarize(&times).unwrap()
        };
        let (short, long) = (work(100), work(10_000));
        assert!(long.median > short.median);
        assert!(short.low <= short.median && short.median <= short.high);
    }
}
