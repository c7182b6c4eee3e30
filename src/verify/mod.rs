//! The prediction checked: the same layers run for real between two parties, measured beside predicted.
//!
//! [`serve`] and [`request`] carry out a script over a stream; [`compare()`] sets the run beside its
//! prediction. Besides `calibrate` the only room that reads the clock, through it.

mod channel;
mod compare;
mod outcome;
mod session;

pub use channel::{Channel, ChannelError, STALL};
pub use compare::compare;
pub use outcome::{
    Measured, PredictionError, Verification, VerifiedCircuits, VerifiedLayer, VerifiedSetup,
    VerifiedTotal,
};
pub use session::{Run, RunError, request, serve};

#[cfg(test)]
mod tests;
