//! What this machine takes for each operation: benchmark cases, the runner, the profile.
//!
//! A [`Case`] names one measurement; [`Operands`] makes a [`Workload`] of it; [`calibrate`] times
//! workloads and gives back a [`Profile`]. The benches run the same workloads.
//!
//! Besides `verify` the only room that reads the clock.

mod batch_workload;
mod case;
mod cases;
mod clock;
mod environment;
mod gc_workload;
mod he_workload;
mod link_workload;
mod memory_workload;
mod ot_workload;
mod pace;
pub(crate) mod polling;
mod profile;
mod runner;
mod sets;
mod statistics;
mod sweep;
mod threads;
mod turns;
mod value_workload;
mod workload;

pub use case::{Case, FAR, MIDDLE, NEAR, Op, WorkingSet};
pub use clock::{Effort, Moment, Sample, Taken, now, sample, time, timed};
pub use environment::{environment, hostname};
pub use pace::{Quickest, Watch};
pub use profile::{Agreement, COLUMNS, Profile, ProfileError, Record};
pub use runner::{Calibration, Sampled, Taking, calibrate};
pub use statistics::{RESAMPLES, Summary, fit_line, fit_plane, summarize};
pub use workload::{Operands, Workload, WorkloadError};
