//! Memory that is walked through so that the caches hold nothing else; and a rest, in which the core is left to
//! others: what comes next begins as an action does whose party has waited for the other's message.

use std::thread;
use std::time::Duration;

use super::workload::WorkloadError;
use crate::units::Bytes;

/// Words of a cache line.
const LINE: usize = 8;
/// Most tables that go through the caches.
const MOST_TABLES: usize = 64 << 20;
/// As long as a party waits for the other one's next message; what follows takes the longer the longer this was, up
/// to some 10 ms.
pub(super) const SHORT: Duration = Duration::from_millis(2);
/// As long as a client waits for a linear layer's reply.
pub(super) const LONG: Duration = Duration::from_millis(8);

/// What is done between two runs.
pub(super) struct Sweep {
    memory: Vec<u64>,
    rest: Duration,
}

impl Sweep {
    /// As many bytes swept through the caches.
    pub(super) fn of(bytes: usize) -> Self {
        let memory = vec![1; bytes / size_of::<u64>()];
        let rest = Duration::ZERO;
        Self { memory, rest }
    }

    /// The same, and a rest, in which the core is left to others.
    pub(super) fn and_rest(bytes: usize, rest: Duration) -> Self {
        Self {
            rest,
            ..Self::of(bytes)
        }
    }

    /// As much as a layer's tables, and a short rest: what comes between its transfers and their use.
    pub(super) fn of_tables(tables: Bytes) -> Self {
        let bytes = usize::try_from(tables.0).unwrap_or(usize::MAX);
        Self::and_rest(bytes.min(MOST_TABLES), SHORT)
    }

    /// Writes to every line, and rests.
    pub(super) fn run(&mut self) {
        let lines = self.memory.iter_mut().step_by(LINE);
        lines.for_each(|word| *word = word.wrapping_add(1));
        std::hint::black_box(&self.memory);
        thread::sleep(self.rest);
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
}
