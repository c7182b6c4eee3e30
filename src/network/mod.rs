//! What is inferred: network descriptions, their shapes, ranges and counts, and their exact meaning.
//!
//! [`NetworkParams`] (from a TOML text, the [`zoo`], or built by hand) goes in;
//! [`NetworkParams::resolve`] gives the [`ResolvedNetwork`] two parties agree on, and [`evaluate()`]
//! runs it with [`Weights`] on plain integers. Knows nothing of cryptography.

mod activation_bits;
mod counts;
mod domains;
mod error;
mod evaluate;
mod layer;
mod ranges;
mod resolve;
mod resolved;
mod shape;
mod toml;
mod toml_fields;
mod toml_writer;
mod value;
mod weights;
mod weights_file;
mod weights_random;
pub mod zoo;

pub use counts::{Counts, NetworkCounts};
pub use error::NetworkError;
pub use evaluate::{evaluate, evaluate_steps};
pub use layer::{
    ConvParams, FcParams, LayerKind, LayerParams, NetworkParams, PoolParams, Quantizer, Shape,
    Source,
};
pub use resolved::{Domain, Origin, Requantize, ResolvedNetwork, Step, StepKind, ValueRange};
pub use toml::NetworkWarning;
pub use weights::{LayerWeights, Weights};
