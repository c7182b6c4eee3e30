//! What this machine takes for each operation: benchmark cases, the runner, the profile.
//!
//! Besides `verify` the only room that reads the clock.

mod case;
mod clock;
mod environment;
mod profile;
mod statistics;

pub use case::{Case, Op, WorkingSet};
pub use clock::{Effort, sample, time};
pub use environment::{environment, hostname};
pub use profile::{COLUMNS, Profile, ProfileError, Record};
pub use statistics::{Summary, fit_line, fit_plane, summarize};
