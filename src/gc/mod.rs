//! Garbled circuits and oblivious transfer for the non-linear layers, semi-honest, without I/O.

mod arithmetic;
mod circuits;
mod error;
mod gates;
mod hash;
mod labels;

pub use circuits::{ShareCircuit, ShareFunction};
pub use error::GcError;
pub use gates::{Counter, GateCounts, Gates, Plain};
pub use hash::ANDS_PER_KEY;
pub use labels::{Delta, EvaluatorLabels};
