//! Memory that is walked through so that the caches hold nothing else.

use std::hint::black_box;
use std::sync::LazyLock;

use super::case::{BEYOND, WorkingSet};
use super::sets::gone_through;
use super::workload::WorkloadError;

/// Words of a cache line.
const LINE: usize = 8;
/// What is walked through. It was written to: pages that were not are all one page.
static MEMORY: LazyLock<Vec<u64>> = LazyLock::new(|| vec![1; BEYOND / size_of::<u64>()]);

/// What is done between two runs.
pub(super) struct Sweep {
    words: usize,
}

impl Sweep {
    /// So many bytes through the caches, [`BEYOND`] at most.
    pub(super) fn of(bytes: usize) -> Self {
        let words = bytes.min(BEYOND) / size_of::<u64>();
        Self { words }
    }

    /// As much as goes through the caches between two acts whose operands are where `set` says.
    pub(super) fn before(set: WorkingSet) -> Self {
        Self::of(gone_through(set).unwrap_or(0))
    }

    /// Reads every line, as what a session goes through is for the most part read: weights, keys, tables.
    pub(super) fn run(&self) {
        if let Some(memory) = MEMORY.get(..self.words) {
            let lines = memory.iter().step_by(LINE);
            black_box(lines.fold(0, |sum: u64, word| sum.wrapping_add(*word)));
        }
    }

    /// `prepare`, then a sweep: what it made is not at hand either.
    pub(super) fn after<'a, I: 'a>(
        self,
        mut prepare: impl FnMut() -> Result<I, WorkloadError> + 'a,
    ) -> impl FnMut() -> Result<I, WorkloadError> + 'a {
        move || {
            let made = prepare();
            self.run();
            made
        }
    }

    /// The sweep alone.
    pub(super) fn alone<'a>(self) -> impl FnMut() -> Result<(), WorkloadError> + 'a {
        self.after(|| Ok(()))
    }
}
