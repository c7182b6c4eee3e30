//! Work and messages of a two-party protocol, as a script that is priced and that is run.
//!
//! A [`Script`] is a list of [`Action`]s in the order in which they happen. Each is done by one party,
//! takes stated [`Task`]s, and ends in at most one message of an exact size. The predictor adds up the
//! script; the two parties of a verification walk through the same script, so neither can do, or send,
//! what the other did not count.

use serde::{Deserialize, Serialize};

use super::link::Link;
use super::roles::{CircuitSettings, OtRole, Party, Phase, RingSize};
use crate::bfv::{HeOp, OpCounts};
use crate::gc::ShareCircuit;
use crate::network::ResolvedNetwork;
use crate::packing::Plan;
use crate::params::LayerCrypto;
use crate::units::{Bytes, Nanos};

/// Bytes of a frame around each message: one for its kind, eight for the payload's length.
pub const FRAME_HEADER: u64 = 9;

/// A computation that has a price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Task {
    /// `count` times a BFV operation.
    He {
        /// Which.
        op: HeOp,
        /// In which ring.
        ring: RingSize,
        /// How often.
        count: u64,
        /// Encoded plaintexts that the action reads once each.
        streams: Bytes,
    },
    /// Base transfers.
    BaseOt {
        /// Whose side.
        role: OtRole,
        /// How many.
        count: u64,
    },
    /// Correlated transfers by extension.
    ExtendOt {
        /// Whose side.
        role: OtRole,
        /// How many.
        count: u64,
    },
    /// Prepared transfers turned to the real choices.
    DerandomizeOt {
        /// Whose side.
        role: OtRole,
        /// How many.
        count: u64,
    },
    /// Garbling of a piece.
    Garble {
        /// The circuit.
        circuit: ShareCircuit,
        /// How many of it.
        batch: u64,
    },
    /// Evaluation of a piece.
    Evaluate {
        /// The circuit.
        circuit: ShareCircuit,
        /// How many of it.
        batch: u64,
    },
    /// The first touch of memory that stays.
    Touch {
        /// How much.
        bytes: Bytes,
    },
    /// Residues drawn.
    Draw {
        /// How many.
        count: u64,
    },
    /// Values put into slots or taken from them.
    Arrange {
        /// How many slots.
        slots: u64,
    },
}

/// What a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Public and Galois keys of one ring.
    Keys,
    /// The base transfer sender's point.
    BaseOtPoint,
    /// The base transfer receiver's points.
    BaseOtReply,
    /// Sums over the trees of the transfer extension.
    TreeSums,
    /// Encryptions of the client's share.
    EncryptedInput,
    /// Encryptions of the client's share of the output.
    Reply,
    /// The columns of the transfer extension.
    Extension,
    /// Tables, decode bits and the garbler's labels of a piece.
    Garbled,
    /// The evaluator's corrected choices.
    Choices,
    /// The evaluator's labels, masked.
    Labels,
    /// The server's share of the result.
    Opening,
}

impl MessageKind {
    /// The byte that stands for it in a frame.
    pub const fn tag(self) -> u8 {
        self as u8 + 1
    }
}

/// A message that ends an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What it holds.
    pub kind: MessageKind,
    /// Its payload, without the frame.
    pub payload: Bytes,
}

impl Message {
    /// Bytes on the wire, frame included.
    pub const fn wire_bytes(self) -> Bytes {
        Bytes(self.payload.0 + FRAME_HEADER)
    }
}

/// What a party does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Client: secret, public and Galois keys of one ring (index into `Script::rings`).
    GenerateKeys(usize),
    /// Server: the keys of one ring, read and expanded.
    LoadKeys(usize),
    /// Server: encoded weights of the step.
    EncodeWeights,
    /// Client: opens the base transfers.
    StartBaseOt,
    /// Server: answers with its blinded choices.
    AnswerBaseOt,
    /// Client: derives the base keys, grows the extension's trees.
    FinishBaseOt,
    /// Server: grows the extension's trees.
    GrowTrees,
    /// Either: takes the memory that the messages and labels of an inference wait in.
    Reserve,
    /// Server: draws its share of the step's result.
    DrawShare,
    /// Client: random choices of the step's transfers, extended.
    ExtendOt,
    /// Server: its side of the step's transfers, extended.
    AcceptExtension,
    /// Server: garbles one piece of the step's circuits.
    Garble(usize),
    /// Client: encrypts its share of the operand.
    EncryptInput,
    /// Server: the linear layer on ciphertexts, masked.
    ApplyLinear,
    /// Client: its share of the result.
    DecryptReply,
    /// Client: tells which of its random choices were wrong.
    Choose,
    /// Server: answers with masked labels.
    TransferLabels,
    /// Server: takes the choices into the labels that it is going to garble for.
    AcceptChoices,
    /// Client: evaluates one piece of the step's circuits.
    Evaluate(usize),
    /// Client: its part of a step that needs no message.
    Local,
    /// Server: sends its share of the result.
    Open,
    /// Client: adds the shares of the result.
    Reconstruct,
}

/// One thing a party does, what it takes, and what it sends afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Index of the step it belongs to; none in the set-up that serves all steps.
    pub step: Option<usize>,
    /// When.
    pub phase: Phase,
    /// Who.
    pub party: Party,
    /// What.
    pub act: Act,
    /// The computation, priced.
    pub tasks: Vec<Task>,
    /// The message to the other party that ends it.
    pub sends: Option<Message>,
}

impl Action {
    /// Time of its message on a link; a layer's later pieces follow the first without a gap.
    pub fn transfer_time(&self, link: &Link) -> Nanos {
        let bytes = self.sends.map(Message::wire_bytes);
        bytes.map_or(Nanos(0.0), |bytes| match self.act {
            Act::Garble(piece) if piece > 0 => link.time_in_stream(bytes),
            _ => link.time(bytes),
        })
    }
}

/// How one step is carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "a network has a few dozen steps")]
pub enum StepPlan {
    /// By ciphertexts: parameters, packing, and the index of its ring's keys.
    Linear {
        /// Parameters.
        crypto: LayerCrypto,
        /// Packing.
        plan: Plan,
        /// Index into `Script::rings`.
        ring: usize,
    },
    /// By a garbled circuit per result value.
    Circuit {
        /// The circuit.
        circuit: ShareCircuit,
        /// How many of it.
        batch: usize,
    },
    /// By each party on its own share.
    Local,
}

/// One ring's keys: parameters that share them, and the rotations they serve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RingKeys {
    /// Parameters of the layers that use these keys; layers with others have keys of their own.
    pub crypto: LayerCrypto,
    /// Rotations of all its layers.
    pub rotations: Vec<crate::bfv::Rotation>,
}

/// A whole inference for two parties: set-up, offline, online.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// What is inferred.
    pub network: ResolvedNetwork,
    /// Modulus of each domain.
    pub moduli: Vec<u64>,
    /// How each step is carried out.
    pub steps: Vec<StepPlan>,
    /// Key sets.
    pub rings: Vec<RingKeys>,
    /// How circuits are garbled.
    pub circuits: CircuitSettings,
    /// What happens, in order.
    pub actions: Vec<Action>,
}

impl Script {
    /// Pieces of memory that `party` fills in an inference: messages that wait with the client, a label for
    /// each of its choices, and the longest other message it makes or is sent.
    pub fn held(&self, party: Party) -> Vec<Bytes> {
        let offline = self.actions.iter().filter(|a| a.phase == Phase::Offline);
        let waiting = offline.filter_map(|action| action.sends);
        let waiting = waiting.filter(|m| party == Party::Client && m.kind == MessageKind::Garbled);
        let labels = self.steps.iter().filter_map(|step| match step {
            StepPlan::Circuit { circuit, batch } => {
                Some(Bytes(16 * (circuit.evaluator_input_bits() * batch) as u64))
            }
            StepPlan::Linear { .. } | StepPlan::Local => None,
        });
        let all = self.actions.iter().filter(|a| a.phase != Phase::Setup);
        let longest = all.filter_map(|action| action.sends).map(|m| m.payload).max();
        let waiting = waiting.map(|message| message.payload);
        waiting.chain(labels).chain(longest).collect()
    }

    /// Bytes that wait with the client between the offline and the online phase: tables, decode bits and
    /// labels of circuits that were garbled beforehand.
    pub fn stored(&self) -> Bytes {
        let offline = self.actions.iter().filter(|a| a.phase == Phase::Offline);
        let messages = offline.filter_map(|action| action.sends);
        let garbled = messages.filter(|message| message.kind == MessageKind::Garbled);
        garbled.map(|message| message.payload).sum()
    }
}

impl Task {
    /// The BFV operations `counts` in `ring`, as tasks; products stream `streams` bytes of weights.
    pub fn he(counts: &OpCounts, ring: RingSize, streams: Bytes) -> Vec<Self> {
        counts
            .iter()
            .map(|(op, count)| {
                let product = matches!(op, HeOp::Hadamard | HeOp::MultiplyAccumulate);
                Self::He {
                    op,
                    ring,
                    count,
                    streams: if product { streams } else { Bytes(0) },
                }
            })
            .collect()
    }
}
