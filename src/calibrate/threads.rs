//! The threads that share a batch.

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::case::Case;
use super::workload::WorkloadError;

/// Most threads.
const MOST: usize = 1024;

/// Where a batch is worked on.
pub(super) enum Threads {
    /// The caller's own thread.
    Own,
    /// A pool of several.
    Pool(ThreadPool),
}

impl Threads {
    /// Those of a case.
    pub(super) fn of(case: &Case) -> Result<Self, WorkloadError> {
        match case.threads {
            1 => Ok(Self::Own),
            count @ 2..=MOST => Ok(Self::Pool(
                ThreadPoolBuilder::new().num_threads(count).build()?,
            )),
            _ => Err(WorkloadError::case(case, "number of threads")),
        }
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Self::Own => 1,
            Self::Pool(pool) => pool.current_num_threads(),
        }
    }

    /// Runs `work`, whose parallel parts run there.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self {
            Self::Own => work(),
            Self::Pool(pool) => pool.install(work),
        }
    }
}
