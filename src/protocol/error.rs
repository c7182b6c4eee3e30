//! Why a network cannot be run by a protocol, or a run had to end.

use thiserror::Error;

use crate::packing::PackingError;

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
    /// A linear step's packing is not supported.
    #[error("layer `{step}`: {reason}")]
    Packing {
        /// Name of the step.
        step: String,
        /// Why.
        reason: PackingError,
    },
}
