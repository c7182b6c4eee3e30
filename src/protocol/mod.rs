//! How a layer becomes work and messages for two parties, offline and online.

mod link;

pub use link::{Link, LinkError};
