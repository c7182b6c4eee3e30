//! What an output ciphertext is a sum of, in numbers: all that a noise model must know of a plan.
//!
//! An output is first a sum of products of inputs with plaintexts, some of the inputs rotated before, and of
//! inputs as they are; on
//! the way partial sums are rotated; at the end the sum is folded onto itself. Products of one output have
//! different plaintexts, and partial sums meet only once, so all terms before the folding are independent.

/// The numbers of one output ciphertext.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct OutputSum {
    /// Products that are summed.
    pub products: u64,
    /// Those of them whose input was rotated before.
    pub rotated: u64,
    /// Inputs that are added as they are.
    pub unscaled: u64,
    /// Rotations of partial sums after their products, each counted once.
    pub turns: u64,
    /// How often the whole sum is then added to a rotation of itself.
    pub folds: u32,
}
