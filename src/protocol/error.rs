//! Why a network cannot be run by a protocol, or a run had to end.

use thiserror::Error;

use super::work::{Act, MessageKind};
use crate::bfv::{BfvError, WireError};
use crate::gc::GcError;
use crate::packing::PackingError;
use crate::units::Bytes;

/// Why a script could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A linear step came without parameters.
    #[error("layer `{step}`: no parameters were chosen for it")]
    NoParameters {
        /// Name of the step.
        step: String,
    },
    /// Parameters below their security level, or no parameters at all.
    #[error(transparent)]
    Bfv(#[from] BfvError),
    /// An activation that no circuit computes.
    #[error(transparent)]
    Gc(#[from] GcError),
    /// A linear step's packing is not supported.
    #[error("layer `{step}`: {reason}")]
    Packing {
        /// Name of the step.
        step: String,
        /// Why.
        reason: PackingError,
    },
}

/// Why a party could not do its part.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PartyError {
    /// A message that the script announced has not arrived.
    #[error("message `{kind:?}` has not arrived")]
    Missing {
        /// Which.
        kind: MessageKind,
    },
    /// The script asks for something that its earlier actions did not prepare.
    #[error("action `{act:?}` came before what it needs, or to the wrong party")]
    OutOfOrder {
        /// Which.
        act: Act,
    },
    /// A message of the wrong length.
    #[error("message `{kind:?}` holds {actual} bytes where {expected} were expected")]
    Length {
        /// Which.
        kind: MessageKind,
        /// What the script says.
        expected: usize,
        /// What came.
        actual: usize,
    },
    /// A message does not hold what it should.
    #[error("message `{kind:?}` does not hold valid residues")]
    Residues {
        /// Which.
        kind: MessageKind,
    },
    /// The input does not fit the network.
    #[error("the input must be {expected} integers in {low}..={high}")]
    Input {
        /// Number of values.
        expected: usize,
        /// Least value.
        low: i64,
        /// Greatest value.
        high: i64,
    },
    /// Weights that the network does not have.
    #[error("layer `{layer}` has no weights")]
    Weights {
        /// Name of the layer.
        layer: String,
    },
    /// There is not so much memory.
    #[error("{size} of memory cannot be had")]
    Memory {
        /// How much was asked for.
        size: Bytes,
    },
    /// What should wait could not be stored or read back.
    #[error("the store for garbled circuits failed: {0}")]
    Store(#[from] std::io::Error),
    /// The homomorphic encryption refused.
    #[error(transparent)]
    Bfv(#[from] BfvError),
    /// A BFV message was refused.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The garbled circuits or transfers refused.
    #[error(transparent)]
    Gc(#[from] GcError),
}
