//! What calibration measures: one value a benchmark case, the key under which a profile stores it.
//!
//! A case is `(operation, n, limbs, q bits, p bits, param, threads, working set)`. The runner times
//! it, the profile stores it, the predictor looks it up by the same key.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bfv::HeOp;
use crate::gc::{Extension, GarblingHash};
use crate::protocol::{OtRole, ValueOp};

/// An operation that calibration measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// A BFV operation.
    He(HeOp),
    /// Garbling of a batch of circuits, and the garbler's labels.
    Garble,
    /// The same without the labels.
    GarbleTables,
    /// The garbler's labels of a batch of circuits.
    EncodeLabels,
    /// Evaluation of a batch of circuits.
    Evaluate,
    /// One base transfer, one side.
    BaseOt,
    /// One correlated transfer by extension, one side.
    OtCorrelated,
    /// One random transfer by extension, one side: both pads, or the chosen one.
    OtRandom,
    /// One chosen transfer by extension, one side, all in.
    OtChosen,
    /// One prepared transfer turned to the choice that is wanted, one side.
    OtDerandomize,
    /// Work on plain values.
    Values(ValueOp),
    /// The first touch of memory that the process did not have.
    Touch,
    /// Sending of bytes over the link.
    Send,
    /// Handing bytes to the system that sends them.
    HandOver,
    /// A message of one byte there and back.
    RoundTrip,
    /// Sending of bytes to another machine.
    LinkOut,
    /// Receiving of bytes from another machine.
    LinkIn,
    /// A short message to another machine and back.
    LinkRoundTrip,
}

impl Op {
    /// The name in the profile.
    pub const fn name(self) -> &'static str {
        match self {
            Self::He(op) => op.name(),
            Self::Garble => "garble",
            Self::GarbleTables => "garble_tables",
            Self::EncodeLabels => "encode_labels",
            Self::Evaluate => "evaluate",
            Self::BaseOt => "base_ot",
            Self::OtCorrelated => "ot_correlated",
            Self::OtRandom => "ot_random",
            Self::OtChosen => "ot_chosen",
            Self::OtDerandomize => "ot_derandomize",
            Self::Values(op) => op.name(),
            Self::Touch => "touch",
            Self::Send => "send",
            Self::HandOver => "hand_over",
            Self::RoundTrip => "round_trip",
            Self::LinkOut => "link_out",
            Self::LinkIn => "link_in",
            Self::LinkRoundTrip => "link_round_trip",
        }
    }

    /// The operation with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let others = [
            Self::Garble,
            Self::GarbleTables,
            Self::EncodeLabels,
            Self::Evaluate,
            Self::BaseOt,
            Self::OtCorrelated,
            Self::OtRandom,
            Self::OtChosen,
            Self::OtDerandomize,
            Self::Touch,
            Self::Send,
            Self::HandOver,
            Self::RoundTrip,
            Self::LinkOut,
            Self::LinkIn,
            Self::LinkRoundTrip,
        ];
        let he = HeOp::ALL.into_iter().map(Self::He);
        let values = ValueOp::ALL.into_iter().map(Self::Values);
        he.chain(values).chain(others).find(|op| op.name() == name)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether the operands come from cache or from memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkingSet {
    /// The same operands again and again.
    Hot,
    /// From memory. One operand taken in turn from a set of [`BEYOND`] bytes: a product's plaintext, the tables of circuits.
    /// Of what an action does once or a few times, of runs of rotations, and of messages: after so much has been swept through
    /// the caches.
    Cold,
    /// From the cache that cores share: as [`WorkingSet::Cold`], with [`FAR`] bytes.
    Shared,
    /// As [`WorkingSet::Far`], with [`NEAR`] bytes.
    Near,
    /// As [`WorkingSet::Far`], with [`MIDDLE`] bytes.
    Middle,
    /// Of a product, the encoded plaintext from memory, several sums made at once over ciphertexts of [`FAR`] bytes.
    Far,
    /// As [`WorkingSet::Far`], with [`OUTSIDE`] bytes.
    Outside,
    /// Of a rotation, one alone after [`BEYOND`] bytes of other data: what it works in is not at hand either.
    Alone,
}

/// Size of the ciphertexts that the sums of [`WorkingSet::Near`] products are over.
pub const NEAR: usize = 6 << 20;

/// The same for [`WorkingSet::Middle`].
pub const MIDDLE: usize = 10 << 20;

/// Size of the ciphertexts that the sums of [`WorkingSet::Far`] products are over, and of what goes through the
/// caches where operands are [`WorkingSet::Shared`]: beyond a core's own caches, within what cores share.
pub const FAR: usize = 24 << 20;

/// Size of the ciphertexts that the sums of [`WorkingSet::Outside`] products are over: beyond what most cores share.
pub const OUTSIDE: usize = 48 << 20;

/// What goes through the caches where operands are [`WorkingSet::Cold`]. Of a large cache that is shared with other tenants,
/// what is not touched for some tens of milliseconds is theirs; going through so much takes longer.
pub const BEYOND: usize = 256 << 20;

impl WorkingSet {
    /// The name in the profile.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cold => "cold",
            Self::Shared => "shared",
            Self::Near => "near",
            Self::Middle => "middle",
            Self::Far => "far",
            Self::Outside => "outside",
            Self::Alone => "alone",
        }
    }
}

/// A benchmark case: the key of one measurement. Fields that do not apply are 0 or empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Case {
    /// What is measured.
    pub op: Op,
    /// Ring degree.
    pub n: usize,
    /// Primes in q.
    pub limbs: usize,
    /// Bits of q, special primes left out.
    pub q_bits: u32,
    /// Bits of p.
    pub p_bits: u32,
    /// `special=<bits>` (`special=<bits>+<bits>` for two primes) or `digit=<bits>` for BFV;
    /// `circuit=…;hash=…;ands=…;batch=…` for circuits, `circuit=…;labels=…;batch=…` for their labels; `role=…;batch=…` for transfers, with `extension=…`
    /// where they are extended; `values=…` for work on plain values; `bytes=…` for sending and touching.
    pub param: String,
    /// Threads that share a batch.
    pub threads: usize,
    /// Where the operands come from.
    pub working_set: WorkingSet,
}

impl Case {
    /// A part of `param` by its key.
    pub fn param(&self, key: &str) -> Option<&str> {
        let parts = self
            .param
            .split(';')
            .filter_map(|part| part.split_once('='));
        parts
            .into_iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// The columns of a profile that name it.
    pub(super) fn key(&self) -> String {
        format!(
            "{},{},{},{},{},{},{},{}",
            self.op,
            self.n,
            self.limbs,
            self.q_bits,
            self.p_bits,
            self.param,
            self.threads,
            self.working_set.name(),
        )
    }

    /// Whose side of a transfer was measured.
    pub fn role(&self) -> Option<OtRole> {
        [OtRole::Sender, OtRole::Receiver]
            .into_iter()
            .find(|r| self.param("role") == Some(r.name()))
    }

    /// The extension that transfers were measured with; rows that name none are older than the choice.
    pub fn extension(&self) -> Option<Extension> {
        self.param("extension")
            .map_or(Some(Extension::Iknp), Extension::from_name)
    }

    /// The hash that circuits were measured with; rows that name none are older than the choice.
    pub fn hash(&self) -> Option<GarblingHash> {
        self.param("hash")
            .map_or(Some(GarblingHash::Tmmo), GarblingHash::from_name)
    }

    /// What the time of a batch grows with: ANDs, labels, transfers, bytes; 1 for a round trip.
    pub fn size(&self) -> Option<f64> {
        let positive = |size: &f64| size.is_finite() && *size > 0.0;
        let number = |key| self.param(key)?.parse::<f64>().ok().filter(positive);
        match self.op {
            Op::Garble | Op::GarbleTables | Op::Evaluate => {
                Some(number("ands")? * number("batch")?)
            }
            Op::EncodeLabels => Some(number("labels")? * number("batch")?),
            Op::BaseOt | Op::OtCorrelated | Op::OtRandom | Op::OtChosen | Op::OtDerandomize => {
                number("batch")
            }
            Op::Values(_) => number("values"),
            Op::Touch | Op::Send | Op::HandOver | Op::LinkOut | Op::LinkIn => number("bytes"),
            Op::RoundTrip | Op::LinkRoundTrip => Some(1.0),
            Op::He(_) => None,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.op)?;
        if self.n > 0 {
            write!(f, " n={} limbs={} q={}b", self.n, self.limbs, self.q_bits)?;
        }
        if !self.param.is_empty() {
            write!(f, " {}", self.param)?;
        }
        if self.threads > 1 {
            write!(f, " threads={}", self.threads)?;
        }
        write!(f, " {}", self.working_set.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        let values = ValueOp::ALL.into_iter().map(Op::Values);
        for op in HeOp::ALL.into_iter().map(Op::He).chain(values).chain([
            Op::Garble,
            Op::GarbleTables,
            Op::EncodeLabels,
            Op::RoundTrip,
            Op::LinkOut,
            Op::LinkIn,
            Op::LinkRoundTrip,
        ]) {
            assert_eq!(Op::from_name(op.name()), Some(op));
        }
        assert_eq!(Op::from_name("nonsense"), None);
    }
}
