//! The prediction checked: the same layers run for real between two parties, measured beside predicted.
//!
//! [`measure_link`] measures the link between two machines beforehand.
//! [`serve`] and [`request`] carry out a script over a [`Channel`]; [`compare()`] sets the run beside its
//! prediction. Besides `calibrate` the only room that reads the clock, through it.

mod acts;
mod channel;
mod compare;
mod door;
mod echo;
mod memory;
mod nearness;
mod outcome;
mod random_layers;
mod session;
mod shaper;
mod summary;
mod tally;
mod token;

pub use acts::acts;
pub use channel::{Channel, ChannelError};
pub use compare::{compare, compare_layer};
pub use door::{DoorError, GREETING, Stranger, admit};
pub use echo::{EchoError, measure_link, serve_link};
pub use memory::peak_memory;
pub use nearness::Nearness;
pub use outcome::{
    Judged, Measured, PeakMemory, PredictionError, Undisturbed, Verification, VerifiedAct,
    VerifiedCircuits, VerifiedLayer, VerifiedLayers, VerifiedSetup, VerifiedTotal,
};
pub use random_layers::random_layer;
pub use session::{Run, RunError, SessionSettings, request, serve};
pub use summary::{LEAST_SECONDS, Summary, both_summaries};
pub use tally::{Cost, Paces, Spread, Tally};
pub use token::Token;

#[cfg(test)]
mod tests;
