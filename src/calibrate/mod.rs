//! What this machine takes for each operation: benchmark cases, the runner, the profile.
//!
//! A [`Case`] names one measurement; [`Operands`] makes a [`Workload`] of it; [`measure`] times some, and [`calibrate`] all of
//! them in rounds, and gives back a [`Profile`]. The benches run the same workloads.
//!
//! Besides `verify` the only room that reads the clock.

mod batch_workload;
mod case;
mod cases;
mod clock;
mod environment;
mod gc_workload;
mod he_workload;
mod known;
mod link_workload;
mod memory_workload;
mod moduli;
mod nearness;
mod ot_workload;
mod pace;
pub(crate) mod polling;
mod profile;
mod runner;
mod sampling;
mod sets;
mod statistics;
mod sweep;
mod threads;
mod turns;
mod value_workload;
mod workload;

pub use case::{BEYOND, Case, FAR, MIDDLE, NEAR, OUTSIDE, Op, WorkingSet};
pub use clock::{Effort, Moment, Taken, now, time, timed};
pub use environment::{environment, hostname};
pub use known::Known;
pub use nearness::{Near, PROBES, TRIPS, quickest, wait_for_near};
pub use pace::{OwnPace, Watch};
pub use profile::{Agreement, COLUMNS, Profile, ProfileError, Record};
pub use runner::{Calibration, Outcome, Sampled, Taking, calibrate, measure};
pub use sampling::{Sample, sample};
pub use statistics::{RESAMPLES, Summary, fit_line, fit_plane, summarize};
pub use workload::{Operands, Workload, WorkloadError};
