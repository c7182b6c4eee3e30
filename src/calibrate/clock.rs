//! The clock, and how long to measure by it.

#![expect(clippy::disallowed_methods, reason = "this file is the clock")]

use std::time::{Duration, Instant};

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
        waiting: 0.1,
        most_waiting: Duration::from_millis(100),
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
}
