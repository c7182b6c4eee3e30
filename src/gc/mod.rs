//! Garbled circuits and oblivious transfer for the non-linear layers.
//!
//! Semi-honest security: both parties follow the protocol, neither learns more than its output. No I/O:
//! every step takes a message and gives the next one. In order:
//!
//! | | garbler | message | evaluator |
//! | --- | --- | --- | --- |
//! | set-up | [`BaseOtReceiver`] | ← [`BaseOtOffer`], [`BaseOtReply`] → | [`BaseOtSender`] |
//! | set-up | [`ExtensionSender`] | ← [`TreeSums`] | [`ExtensionReceiver`] |
//! | offline | [`ExtensionSender`] | ← [`ExtensionColumns`] | [`ExtensionReceiver`] |
//! | offline | [`GarbledPieces`] | tables, piece by piece → | |
//! | online | [`EvaluatorInputs::transfer`] | ← [`ChoiceCorrections`], [`LabelTransfer`] → | [`PreparedReceives::correct`] |
//! | online | [`GarblerInputs::encode_into`] | labels, piece by piece → | [`EvaluatedPieces`] |
//!
//! That is a layer *split* in two: its tables wait with the evaluator. *Streamed*, the evaluator corrects its
//! choices first, the garbler makes each piece for them ([`GarbledPieces::corrected`]), and the evaluator
//! drops it as soon as it is evaluated: one bit for each choice, no label transfer, and memory for one piece.
//! An evaluator that knows its inputs offline prepares transfers for them
//! ([`GarbledPieces::for_choices`]); no corrections and no label transfer are needed then.
//! [`Extension`] is the choice between bytes and work.
//!
//! Nothing says which party of a protocol garbles: with the server as garbler this is Gazelle's use, with the
//! client as garbler the server's share, known offline, needs no online transfer.
//!
//! Transfers of anything but labels are hashed first:
//!
//! | | sender | message | receiver |
//! | --- | --- | --- | --- |
//! | offline | [`PreparedSends::into_random`] | [`PadKeys`] → | [`PreparedReceives::into_random`] |
//! | online | [`RandomSends::transfer`] | ← [`ChoiceCorrections`], [`ChosenMessages`] → | [`RandomReceives::correct`] |
//!
//! # Speed
//! Nanoseconds for each AND of a ReLU of 22 bits, 1024 at a time, labels and messages included, on one core of an
//! Intel Xeon (Emerald Rapids) with 512-bit VAES; one run of `scripts/peers --only-gc`, 26 November 2026. An AES call
//! takes 0.83 ns there; the floor is those calls alone.
//!
//! | | ANDs | garble | evaluate |
//! | --- | --- | --- | --- |
//! | TMMO, two AES calls a hash | 107 | 9.1 | 4.6 |
//! | floor of TMMO | | 6.7 | 3.3 |
//! | re-keyed AES | 107 | 11.2 | 8.5 |
//! | emp-tool, re-keyed AES | 178 | 38.9 | 30.0 |
//! | Gazelle's code, fixed key | 178 | 25.4 | 20.5 |
//!
//! A layer takes a fixed 11.2 µs to garble and 7.7 to evaluate, and then 8.6 and 4.3 ns for each AND (least squares over
//! batches of 1 to 65,536). On a Zen 5 core an AND takes 4.9 and 2.4 ns, on a Zen 4 8.4 and 4.2 (w = 17). `BENCHMARKS.md`
//! has transfers, and what two threads gain.

mod arithmetic;
mod base_ot;
mod circuits;
mod error;
mod evaluate;
mod extension;
mod garble;
mod gates;
mod hash;
mod kernels;
mod labels;
mod lanes;
mod layer;
mod messages;
mod program;
mod shares;
mod transfer_messages;

pub use base_ot::{BaseOtReceiver, BaseOtSender, ChosenSeeds, SeedPairs};
pub use circuits::{Clip, Rectifier, ShareCircuit, ShareFunction, places};
pub use error::GcError;
pub use evaluate::{EvaluatedPieces, PieceMessages};
pub use extension::{
    Extension, ExtensionReceiver, ExtensionSender, PendingLabels, PendingMessages,
    PreparedReceives, PreparedSends, RandomReceives, RandomSends,
};
pub use garble::{EvaluatorInputs, GarbledPieces, GarblerInputs};
pub use gates::{Counter, GateCounts, Gates, Plain};
pub use hash::{ANDS_PER_KEY, GarblingHash};
pub use labels::{Delta, EvaluatorLabels};
pub use lanes::Piece;
pub use layer::{Kernels, Layer};
pub use messages::{GcSizes, LabelTransfer, PieceSizes};
pub use transfer_messages::{
    BASE_TRANSFERS, BaseOtOffer, BaseOtReply, ChoiceCorrections, ChosenMessages, ExtensionColumns,
    PadKeys, TRANSFERS_PER_KEY, TreeSums, pad_keys,
};

#[cfg(test)]
mod tests;
