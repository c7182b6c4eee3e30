//! Memory that is walked through so that the caches hold nothing else.

use super::workload::WorkloadError;
use crate::units::Bytes;

/// Words of a cache line.
const LINE: usize = 8;
/// What goes through the caches of a session between two acts of one kind: tables, weights, other layers'; more than most
/// processors have of shared cache.
pub(super) const SESSION: usize = 64 << 20;

/// What is done between two runs.
pub(super) struct Sweep {
    memory: Vec<u64>,
}

impl Sweep {
    /// As many bytes swept through the caches.
    pub(super) fn of(bytes: usize) -> Self {
        let memory = vec![1; bytes / size_of::<u64>()];
        Self { memory }
    }

    /// As much as a layer's tables, and no more than a session's worth.
    pub(super) fn of_tables(tables: Bytes) -> Self {
        let bytes = usize::try_from(tables.0).unwrap_or(usize::MAX);
        Self::of(bytes.min(SESSION))
    }

    /// As much as a session works on between two acts of one kind.
    pub(super) fn of_session() -> Self {
        Self::of(SESSION)
    }

    /// Writes to every line.
    pub(super) fn run(&mut self) {
        let lines = self.memory.iter_mut().step_by(LINE);
        lines.for_each(|word| *word = word.wrapping_add(1));
        std::hint::black_box(&self.memory);
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
