//! How a layer becomes work and messages for two parties, offline and online.

mod link;
mod roles;

pub use link::{Link, LinkError};
pub use roles::{OtRole, Party, Phase, RingSize};
