//! Packing plans: which rotations, products and sums compute one linear layer, or a square, at a given n.
//!
//! A [`LinearShape`] (the shapes of a layer, no weights) and a ring degree n go in; a [`Plan`] comes
//! out. The plan says how the client lays out its values ([`Plan::pack_input`]), what the server
//! encodes ([`Plan::weight_slots`]), what it computes ([`Plan::run`], over any
//! [`HeOps`](crate::bfv::HeOps)), where the results stand ([`Plan::unpack_output`]), and what all of
//! it costs ([`Plan::counts`], in closed form).
//!
//! Slots are the real ones of BFV: two rows of m = n/2, slot i in row i / m, column i mod m. One
//! [`Rotation`](crate::bfv::Rotation) turns both rows and may exchange them, by one key switch.
//!
//! Always true: `counts` is what `run` does; `rotations` are exactly the Galois keys that `run` asks
//! for; a product with a plaintext that shapes alone make zero is never done. Slots that hold no
//! output may hold anything after `run`: the protocol masks them.
//!
//! Knows nothing of time, of security, of noise; it adds no bias (a bias goes onto the shares).
//!
//! A new schedule is one file with a type that implements [`Schedule`], and one line in the list at
//! the foot of `plan.rs`.
//!
//! ```
//! use nass::bfv::{HeOp, HeOps};
//! use nass::packing::{LinearShape, PlainSlots, Plan};
//!
//! let layer = LinearShape::fully_connected(3, 2);
//! let plan = Plan::new(&layer, 8)?;
//! let ops = PlainSlots::new(8, 97);
//! let weights = [1, 2, 3, -1, 0, 1];
//! let encoded = (0..plan.weight_count())
//!     .map(|index| ops.encode(&plan.weight_slots(&weights, 97, index)))
//!     .collect::<Result<Vec<_>, _>>()?;
//! let outputs = plan.run(&ops, &plan.pack_input(&[5, 6, 7]), &encoded)?;
//! assert_eq!(plan.unpack_output(&outputs), [38, 2]);
//! assert_eq!(plan.counts()[HeOp::Rotate], 2);
//! # Ok::<(), nass::packing::PackingError>(())
//! ```

mod alignment;
mod conv_client_rotation;
mod conv_input_rotation;
mod conv_layout;
mod conv_output_rotation;
mod conv_products;
mod conv_tiles;
mod counter;
mod fc_bsgs;
mod fc_hybrid;
mod fc_layout;
mod fc_naive;
mod keys;
mod output_sum;
mod plain_slots;
mod plan;
mod shape;
mod slots;
mod square;
mod strides;
mod sums;
mod windows;

pub use conv_client_rotation::ConvClientRotation;
pub use conv_input_rotation::{ConvByInputRotation, ConvInputRotation, ConvInputRotationDecimated};
pub use conv_output_rotation::{
    ConvByOutputRotation, ConvOutputRotation, ConvOutputRotationDecimated,
};
pub use counter::Counter;
pub use fc_bsgs::FcBsgs;
pub use fc_hybrid::{AllDiagonals, DiagonalRule, FcByDiagonals, FcDiagonal, FcHybrid, Hybrid};
pub use fc_naive::FcNaive;
pub use keys::KeyPolicy;
pub use output_sum::OutputSum;
pub use plain_slots::PlainSlots;
pub use plan::{Plan, PlanRequest, Schedule};
pub use shape::{ConvShape, LinearShape, PackingError};
pub use square::Square;
pub use strides::{Decimated, Discarded, StrideRule};

pub use windows::{DigitEncoder, Windowed, WindowedCiphertext, Windows};

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;
