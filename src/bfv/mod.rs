//! The packed additive homomorphic encryption: BFV over RNS, and the operations on it by name.

mod ops;

pub use ops::{HeOp, HeOps, OpCounts, Rotation};
