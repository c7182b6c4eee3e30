//! Networks redesigned for few ReLUs: DeepReShape's ReLU equalization.
//!
//! An order of stages by how much accuracy their ReLUs are worth goes in ([`Equalization`]); the
//! ResNets whose stages hold ReLUs in that order come out ([`Candidate`]), each a [`ResNetShape`]
//! that counts itself in closed form and becomes a `NetworkParams`. Trains and times nothing;
//! knows nothing of cryptography.

mod deepreshape;
mod error;
mod resnet;

pub use deepreshape::{Candidate, Equalization, StageOrder};
pub use error::ReluError;
pub use resnet::{ResNetCounts, ResNetShape};
