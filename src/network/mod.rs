//! What is inferred: network descriptions, their shapes, ranges and counts, and their exact meaning.
//!
//! Knows nothing of cryptography.

mod layer;
mod resolved;

pub use layer::{
    ConvParams, FcParams, LayerKind, LayerParams, NetworkParams, PoolParams, Quantizer, Shape,
    Source,
};
pub use resolved::{Domain, Requantize, ResolvedNetwork, Step, StepKind, ValueRange};
