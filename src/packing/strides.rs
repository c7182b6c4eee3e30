//! What a schedule of a convolution does with strides, as a type: two schedules from one.

use std::fmt::Debug;

use super::conv_layout::Stride;

/// What becomes of a stride.
pub trait StrideRule: Debug + Clone + PartialEq + Eq {
    /// Whether the input is cut into its phases, so that the convolutions have stride 1.
    const DECIMATES: bool;
}

/// Outputs are computed at stride 1 and most of them discarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discarded;

/// The phases of the input are channels of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimated;

impl StrideRule for Discarded {
    const DECIMATES: bool = false;
}

impl StrideRule for Decimated {
    const DECIMATES: bool = true;
}

/// The rule as a value.
pub(super) const fn stride<S: StrideRule>() -> Stride {
    if S::DECIMATES {
        Stride::Decimate
    } else {
        Stride::Discard
    }
}
