//! The clock, and the loop that samples an operation with it.
//!
//! One sample is a loop of calls long enough for the clock (20 µs or more), after a warm-up; its time
//! is divided by the calls. Sampling goes on until the time is spent.

#![expect(clippy::disallowed_methods, reason = "this file is the clock")]

use std::time::{Duration, Instant};

use super::statistics::{Summary, summarize};
use crate::units::Nanos;

/// How long to sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Time before the first sample.
    pub warm_up: Duration,
    /// Time for all samples.
    pub measure: Duration,
    /// At least so many samples.
    pub min_samples: usize,
}

impl Effort {
    /// All of the built-in cases in about half a minute.
    pub const QUICK: Self = Self {
        warm_up: Duration::from_millis(5),
        measure: Duration::from_millis(60),
        min_samples: 7,
    };
    /// All of the built-in cases in a few minutes.
    pub const FULL: Self = Self {
        warm_up: Duration::from_millis(50),
        measure: Duration::from_millis(600),
        min_samples: 11,
    };
}

/// Least time of one sample.
const SAMPLE: Duration = Duration::from_micros(20);

/// Runs `operation` and gives back the wall time it took.
pub fn time<T>(operation: impl FnOnce() -> T) -> (T, Nanos) {
    let start = Instant::now();
    let result = operation();
    (result, Nanos(start.elapsed().as_nanos() as f64))
}

/// Samples `operation`.
pub fn sample(effort: Effort, mut operation: impl FnMut()) -> Option<Summary> {
    let start = Instant::now();
    let mut calls = 0u32;
    while calls == 0 || start.elapsed() < effort.warm_up {
        operation();
        calls += 1;
    }
    let each = start.elapsed() / calls;
    let repeats = (SAMPLE.as_nanos() / each.as_nanos().max(1) + 1) as u32;
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < effort.min_samples || start.elapsed() < effort.measure {
        let ((), taken) = time(|| (0..repeats).for_each(|_| operation()));
        times.push(taken * (1.0 / f64::from(repeats)));
    }
    summarize(&times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_does_more_takes_longer() {
        let work = |rounds: u64| {
            let effort = Effort {
                measure: Duration::from_millis(5),
                ..Effort::QUICK
            };
            sample(effort, || {
                let sum = (0..rounds).fold(0u64, |sum, i| sum.wrapping_mul(31).wrapping_add(i));
                std::hint::black_box(sum);
            })
            .unwrap()
        };
        let (short, long) = (work(100), work(10_000));
        assert!(long.median > short.median);
        assert!(short.low <= short.median && short.median <= short.high);
    }
}
