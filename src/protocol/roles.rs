//! Who acts, when, on which side of a transfer, in a ring of which size.

use serde::{Deserialize, Serialize};

use crate::gc::{Extension, GarblingHash};
use crate::units::Bytes;

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Owns the input and the secret keys.
    Client,
    /// Owns the weights.
    Server,
}

impl Party {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The name in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// When it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Once a session.
    Setup,
    /// Once an inference, before the input is known.
    Offline,
    /// Between the client's input and its answer.
    Online,
}

impl Phase {
    /// The name in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Offline => "offline",
            Self::Online => "online",
        }
    }
}

/// When the tables of a layer's circuits move.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Garbled and sent offline, as in Gazelle; they wait with the evaluator. Online one label for each choice
    /// that was not known before.
    #[default]
    Split,
    /// Garbled for the evaluator's choices and sent online, piece by piece; neither party keeps any. Online one
    /// bit for each choice that was not known before, and the tables.
    Streamed,
}

impl Delivery {
    /// The name in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Streamed => "streamed",
        }
    }
}

/// How circuits are garbled, and who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CircuitSettings {
    /// Who garbles; the other party evaluates. The server in Gazelle, the client in later systems
    /// (Garimella, Ghodsi, Jha, Garg, Reagen, ASPLOS 2023, section 5).
    pub garbler: Party,
    /// When their tables move.
    pub delivery: Delivery,
    /// How labels are hashed.
    pub hash: GarblingHash,
    /// How base transfers are stretched.
    pub extension: Extension,
}

impl Default for CircuitSettings {
    /// As in Gazelle, with the secure hash.
    fn default() -> Self {
        Self {
            garbler: Party::Server,
            delivery: Delivery::default(),
            hash: GarblingHash::default(),
            extension: Extension::default(),
        }
    }
}

/// How a protocol is carried out where it leaves a choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolSettings {
    /// How circuits are garbled, and who does it.
    pub circuits: CircuitSettings,
    /// Bytes that the server may keep of weights encoded ahead; without a limit it keeps all.
    pub weight_memory: Option<Bytes>,
}

impl From<CircuitSettings> for ProtocolSettings {
    fn from(circuits: CircuitSettings) -> Self {
        Self {
            circuits,
            ..Self::default()
        }
    }
}

/// When the server encodes a linear step's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightEncoding {
    /// In the set-up; they wait in memory.
    Ahead,
    /// Each one when it is multiplied, in every inference; none is kept.
    Streamed,
    /// There are none: the factors of a square are the server's share, encoded in every inference when it is known.
    OfShare,
}

/// From when on each party knows its share of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Known {
    /// The client.
    pub client: Phase,
    /// The server.
    pub server: Phase,
}

impl Known {
    /// From when on `party` knows its share.
    pub const fn of(self, party: Party) -> Phase {
        match party {
            Party::Client => self.client,
            Party::Server => self.server,
        }
    }

    /// From when on both values are known.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            client: self.client.max(other.client),
            server: self.server.max(other.server),
        }
    }
}

/// Where an evaluator's labels come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choices {
    /// Its share is known offline: the transfers are extended for it, and are the labels.
    Given,
    /// Its random choices are corrected online; the layer is garbled for them afterwards.
    Corrected,
    /// The layer is garbled before: corrections, and a masked label for each of them.
    Transferred,
}

/// How a garbler's labels travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnLabels {
    /// In the message of their piece's tables.
    WithTables,
    /// Online, when its share is known, after the tables of all pieces.
    AfterTables,
}

impl CircuitSettings {
    /// Where the evaluator's labels of a layer come from, whose operand is known so.
    pub(super) fn choices(&self, operand: Known) -> Choices {
        match (operand.of(self.garbler.other()), self.delivery) {
            (Phase::Online, Delivery::Split) => Choices::Transferred,
            (Phase::Online, Delivery::Streamed) => Choices::Corrected,
            (Phase::Setup | Phase::Offline, _) => Choices::Given,
        }
    }

    /// How the garbler's labels of a layer travel, whose operand is known so.
    pub(super) fn own_labels(&self, operand: Known) -> OwnLabels {
        match (operand.of(self.garbler), self.delivery) {
            (Phase::Online, Delivery::Split) => OwnLabels::AfterTables,
            _ => OwnLabels::WithTables,
        }
    }
}

/// The size of a ring as operations are priced by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RingSize {
    /// Ring degree n.
    pub n: usize,
    /// Primes in q.
    pub limbs: usize,
    /// Special primes.
    pub special: usize,
    /// Digits of each limb in a key switch, 0 with special primes.
    pub digits: u32,
}

/// Side of an oblivious transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtRole {
    /// Has two messages.
    Sender,
    /// Has a choice.
    Receiver,
}

impl OtRole {
    /// The name in profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Receiver => "receiver",
        }
    }
}
