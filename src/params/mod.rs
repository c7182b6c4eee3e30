//! The paper's parameter instantiation engine (PIE).
mod failure;
mod noise;
mod primes;
pub use failure::*;
pub use noise::*;
pub use primes::*;
