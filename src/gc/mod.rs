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
//! | offline | [`garble()`] | [`GarbledTables`] → | |
//! | online | [`EvaluatorInputs::transfer`] | ← [`ChoiceCorrections`], [`LabelTransfer`] → | [`PreparedReceives::correct`] |
//! | online | [`GarblerInputs::encode`] | [`GarblerLabels`] → | [`evaluate()`] |
//!
//! An evaluator that knows its inputs offline prepares transfers for them; [`garble_for_choices`]
//! then needs no corrections and no label transfer. [`Extension`] is the choice between bytes and work.
//!
//! Transfers of anything but labels are hashed first:
//!
//! | | sender | message | receiver |
//! | --- | --- | --- | --- |
//! | offline | [`PreparedSends::into_random`] | [`PadKeys`] → | [`PreparedReceives::into_random`] |
//! | online | [`RandomSends::transfer`] | ← [`ChoiceCorrections`], [`ChosenMessages`] → | [`RandomReceives::correct`] |

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
mod messages;
mod program;
mod shares;
mod transfer_messages;

pub use base_ot::{BaseOtReceiver, BaseOtSender, ChosenSeeds, SeedPairs};
pub use circuits::{Clip, Rectifier, ShareCircuit, ShareFunction};
pub use error::GcError;
pub use evaluate::evaluate;
pub use extension::{
    Extension, ExtensionReceiver, ExtensionSender, PendingLabels, PendingMessages,
    PreparedReceives, PreparedSends, RandomReceives, RandomSends,
};
pub use garble::{EvaluatorInputs, GarblerInputs, Garbling, garble, garble_for_choices};
pub use gates::{Counter, GateCounts, Gates, Plain};
pub use hash::ANDS_PER_KEY;
pub use labels::{Delta, EvaluatorLabels};
pub use messages::{GarbledTables, GarblerLabels, GcSizes, LabelTransfer};
pub use transfer_messages::{
    BASE_TRANSFERS, BaseOtOffer, BaseOtReply, ChoiceCorrections, ChosenMessages, ExtensionColumns,
    PadKeys, TRANSFERS_PER_KEY, TreeSums, pad_keys,
};

#[cfg(test)]
mod tests;
