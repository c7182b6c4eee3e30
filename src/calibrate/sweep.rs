//! Memory that is walked through so that the caches hold nothing else.

use super::workload::WorkloadError;

/// Words of a cache line.
const LINE: usize = 8;

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
