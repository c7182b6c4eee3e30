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
//! A plan is described by its sizes: runs of products that are alike for a convolution, ranges of diagonals for a fully
//! connected layer. Counts are read off these; the products are listed from them, one by one, when a plan
//! runs or its weights are encoded. The schedules of a layer share them ([`Layouts`]).
//!
//! A new schedule is one file with a type that implements [`Schedule`] (or what `convolution.rs` and
//! `fully_connected.rs` ask of an order), and one line in the list at the foot of `plan.rs`.
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
mod convolution;
mod counter;
mod fc_bsgs;
mod fc_hybrid;
mod fc_layout;
mod fc_naive;
mod fully_connected;
mod keys;
mod layouts;
mod listed;
mod output_sum;
mod plain_slots;
mod plan;
mod ranges;
mod shape;
mod slots;
mod square;
mod strides;
mod sums;
mod threaded;
mod windows;

pub use conv_client_rotation::{ClientRotation, ConvClientRotation};
pub use conv_input_rotation::{ConvInputRotation, ConvInputRotationDecimated, InputRotation};
pub use conv_output_rotation::{ConvOutputRotation, ConvOutputRotationDecimated, OutputRotation};
pub use convolution::Convolution;
pub use counter::Counter;
pub use fc_bsgs::{BabySteps, FcBsgs};
pub use fc_hybrid::{AllDiagonals, ByDiagonals, DiagonalRule, FcDiagonal, FcHybrid, Hybrid};
pub use fc_naive::FcNaive;
pub use fully_connected::FullyConnected;
pub use keys::{KeyPolicy, KeyReads};
pub use layouts::Layouts;
pub use output_sum::OutputSum;
pub use plain_slots::PlainSlots;
pub use plan::{Plan, PlanRequest, Schedule};
pub use shape::{ConvShape, LinearShape, PackingError};
pub(crate) use slots::residue;
pub use square::Square;
pub use strides::{Decimated, Discarded, StrideRule};
pub use sums::SUMS_AT_ONCE;

pub use windows::{Digit, DigitEncoder, Windowed, WindowedCiphertext, Windows};

#[cfg(test)]
mod bfv_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
pub(crate) mod tests;
