//! Memory that is walked through so that the caches hold nothing else; and a rest, in which the core is left to
//! others: what comes next begins as an action does whose party has waited for the other's message.

use std::thread;
use std::time::Duration;

use super::workload::WorkloadError;

/// Words of a cache line.
const LINE: usize = 8;
/// How long the core is left to others.
const REST: Duration = Duration::from_millis(2);

/// As many bytes as are swept through the caches.
pub(super) struct Sweep(Vec<u64>);

impl Sweep {
    pub(super) fn of(bytes: usize) -> Self {
        Self(vec![1; bytes / size_of::<u64>()])
    }

    /// Writes to every line.
    pub(super) fn run(&mut self) {
        let lines = self.0.iter_mut().step_by(LINE);
        lines.for_each(|word| *word = word.wrapping_add(1));
        std::hint::black_box(&self.0);
    }

    /// The same, and a rest.
    pub(super) fn run_and_rest(&mut self) {
        self.run();
        thread::sleep(REST);
    }

    /// `prepare`, then a sweep: what it made is not at hand either.
    pub(super) fn after<'a, I: 'a>(
        mut self,
        mut prepare: impl FnMut() -> Result<I, WorkloadError> + 'a,
    ) -> impl FnMut() -> Result<I, WorkloadError> + 'a {
        move || {
            let made = prepare();
            self.run();
            made
        }
    }

    /// The same, and a rest.
    pub(super) fn and_rest_after<'a, I: 'a>(
        mut self,
        mut prepare: impl FnMut() -> Result<I, WorkloadError> + 'a,
    ) -> impl FnMut() -> Result<I, WorkloadError> + 'a {
        move || {
            let made = prepare();
            self.run_and_rest();
            made
        }
    }
}
