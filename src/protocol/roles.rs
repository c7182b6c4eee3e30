//! Who acts, when, on which side of a transfer, in a ring of which size.

use serde::{Deserialize, Serialize};

use crate::gc::GarblingHash;

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Owns the input and the secret keys; evaluates the circuits.
    Client,
    /// Owns the weights; garbles the circuits.
    Server,
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

/// When the tables of a layer's circuits move.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Garbled and sent offline, as in Gazelle; they wait with the client. Online one label for each choice.
    #[default]
    Split,
    /// Garbled for the client's choices and sent online, piece by piece; neither party keeps any. Online one
    /// bit for each choice, and the tables.
    Streamed,
}

/// How circuits are garbled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CircuitSettings {
    /// When their tables move.
    pub delivery: Delivery,
    /// How labels are hashed.
    pub hash: GarblingHash,
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
