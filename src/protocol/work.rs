//! Work and messages of a two-party protocol, as a script that is priced and that is run.
//!
//! A [`Script`] is a list of [`Action`]s in the order in which they happen. Each is done by one party,
//! takes stated [`Task`]s, and ends in at most one message of an exact size. The predictor adds up the
//! script; the two parties of a verification walk through the same script, so neither can do, or send,
//! what the other did not count.

use serde::{Deserialize, Serialize};

use super::link::Link;
use super::roles::{CircuitSettings, Known, Party, Phase, WeightEncoding};
use super::task::Task;
use crate::gc::ShareCircuit;
use crate::network::ResolvedNetwork;
use crate::packing::Plan;
use crate::params::LayerCrypto;
use crate::units::{Bytes, Nanos};

/// Bytes of a frame around each message: one for its kind, eight for the payload's length.
pub const FRAME_HEADER: u64 = 9;

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
    /// Tables and decode bits of a piece, with the garbler's labels where they are known.
    Garbled,
    /// The garbler's labels of a piece.
    GarblerLabels,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    /// Server: the step's weights, encoded where they are kept, and memory for its ciphertexts.
    EncodeWeights,
    /// Server: its share of a square's operand, encoded.
    EncodeShare,
    /// Evaluator: opens the base transfers.
    StartBaseOt,
    /// Garbler: answers with its blinded choices.
    AnswerBaseOt,
    /// Evaluator: derives the base keys, grows the extension's trees.
    FinishBaseOt,
    /// Garbler: grows the extension's trees.
    GrowTrees,
    /// Either: takes the memory that an inference fills.
    Reserve,
    /// Server, of a linear step, or garbler, of a circuit: draws its share of the step's result.
    DrawShare,
    /// Evaluator: the step's transfers, extended for its share or, where that is not known, at random.
    ExtendOt,
    /// Garbler: its side of the step's transfers, extended.
    AcceptExtension,
    /// Garbler: garbles one piece of the step's circuits.
    Garble(usize),
    /// Garbler: its labels of a piece that was garbled before they were known.
    SendLabels(usize),
    /// Client: encrypts its share of the operand.
    EncryptInput,
    /// Server: the linear layer on ciphertexts, masked.
    ApplyLinear,
    /// Client: its share of the result.
    DecryptReply,
    /// Evaluator: tells which of its random choices were wrong.
    Choose,
    /// Garbler: answers with masked labels.
    TransferLabels,
    /// Garbler: takes the choices into the labels that it is going to garble for.
    AcceptChoices,
    /// Evaluator: evaluates one piece of the step's circuits.
    Evaluate(usize),
    /// Either: its part of a step that needs no message.
    Local,
    /// Server: sends its share of the result.
    Open,
    /// Client: adds the shares of the result.
    Reconstruct,
}

/// One thing a party does, what it takes, and what it sends afterwards.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// Bytes of its message that wait with the other party until the online phase: what is garbled offline.
    pub fn waits(&self) -> Bytes {
        let garbled = |message: &Message| message.kind == MessageKind::Garbled;
        match self.sends.filter(garbled) {
            Some(message) if self.phase == Phase::Offline => message.payload,
            _ => Bytes(0),
        }
    }
}

/// Times on a link of a script's messages, taken one after the other.
///
/// A message whose predecessor in its phase went the same way follows it, and what its sender computes in between passes
/// while that one is on its way; any other one waits for half a round trip.
#[derive(Debug)]
pub struct TransferTimes<'a> {
    link: &'a Link,
    last: Option<(Phase, Party)>,
    /// What the last sender has computed since.
    computed: Nanos,
}

impl<'a> TransferTimes<'a> {
    /// Before the first message.
    pub const fn new(link: &'a Link) -> Self {
        Self {
            link,
            last: None,
            computed: Nanos(0.0),
        }
    }

    /// Time of the next action's message, whose computation takes `computed`; none of an action that sends nothing.
    pub fn of(&mut self, action: &Action, computed: Nanos) -> Nanos {
        let way = Some((action.phase, action.party));
        let follows = self.last == way;
        if follows {
            self.computed += computed;
        }
        let Some(message) = action.sends else {
            return Nanos(0.0);
        };
        self.last = way;
        let meanwhile = std::mem::take(&mut self.computed);
        if follows {
            self.link.time_beyond(message.wire_bytes(), meanwhile)
        } else {
            self.link.time(message.wire_bytes())
        }
    }
}

/// How one step is carried out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(clippy::large_enum_variant, reason = "a network has a few dozen steps")]
pub enum StepPlan {
    /// By ciphertexts: parameters, packing, the index of its ring's keys, what becomes of its weights.
    Linear {
        /// Parameters.
        crypto: LayerCrypto,
        /// Packing.
        plan: Plan,
        /// Index into `Script::rings`.
        ring: usize,
        /// When its weights are encoded.
        weights: WeightEncoding,
    },
    /// By a garbled circuit per result value.
    Circuit {
        /// The circuit.
        circuit: ShareCircuit,
        /// How many of it.
        batch: usize,
        /// When the parties know their shares of the operand.
        operand: Known,
    },
    /// By each party on its own share.
    Local,
}

/// Size of a layer's encoded weights.
pub(super) fn encoded(crypto: &LayerCrypto, plan: &Plan) -> Bytes {
    plan.weight_bytes(crypto.q.len()) * crypto.windows().count() as u64
}

impl StepPlan {
    /// Bytes of encoded weights that the server keeps for a linear step.
    pub fn kept_weights(&self) -> Option<Bytes> {
        match self {
            Self::Linear {
                crypto,
                plan,
                weights,
                ..
            } => Some(match weights {
                WeightEncoding::Ahead => encoded(crypto, plan),
                WeightEncoding::Streamed | WeightEncoding::OfShare => Bytes(0),
            }),
            Self::Circuit { .. } | Self::Local => None,
        }
    }
}

/// One ring's keys: parameters that share them, and the rotations they serve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RingKeys {
    /// Parameters of the layers that use these keys; layers with others have keys of their own.
    pub crypto: LayerCrypto,
    /// Rotations of all its layers.
    pub rotations: Vec<crate::bfv::Rotation>,
}

/// A whole inference for two parties: set-up, offline, online.
///
/// It can be written to a file, to be looked at, and not read: what a party walks through is always derived from the
/// network and its parameters, never taken from elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// Pieces of memory that either party fills in an inference besides what waits: a row for each of the
    /// transfers, and thrice the longest of all messages, which is made, sent and read.
    pub(super) fn worked_on(&self) -> Vec<Bytes> {
        let rows = self.steps.iter().filter_map(|step| match step {
            StepPlan::Circuit { circuit, batch, .. } => {
                Some(Bytes(16 * (circuit.evaluator_input_bits() * batch) as u64))
            }
            StepPlan::Linear { .. } | StepPlan::Local => None,
        });
        let all = self.actions.iter().filter(|a| a.phase != Phase::Setup);
        let longest = all.filter_map(|a| a.sends).map(|m| m.payload).max();
        let longest = longest.unwrap_or_default();
        rows.chain([longest; 3]).collect()
    }

    /// Bytes that both parties go through in an inference: all that they take into use in the set-up, but for the keys that
    /// the client makes and sends.
    pub fn gone_through(&self) -> Bytes {
        let setup = self.actions.iter().filter(|action| {
            let makes_keys = matches!(action.act, Act::GenerateKeys(_));
            action.phase == Phase::Setup && !makes_keys
        });
        let tasks = setup.flat_map(|action| &action.tasks);
        let taken = tasks.filter_map(|task| match task {
            Task::Touch { bytes } => Some(*bytes),
            _ => None,
        });
        taken.sum()
    }

    /// The messages that wait with `party` between the offline and the online phase.
    pub(super) fn waiting(&self, party: Party) -> Vec<Bytes> {
        let others = self.actions.iter().filter(|a| a.party == party.other());
        others
            .map(Action::waits)
            .filter(|bytes| bytes.0 > 0)
            .collect()
    }

    /// Bytes that wait with `party` between the offline and the online phase: tables, decode bits and
    /// labels of circuits that the other party garbled beforehand. Not counted are the transfers' rows, which both
    /// parties keep: 16 bytes for each choice.
    pub fn stored(&self, party: Party) -> Bytes {
        self.waiting(party).into_iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a round trip is paid where the direction or the phase changes, and each byte always.
    #[test]
    fn messages_that_follow_each_other_share_the_way() {
        let link = Link {
            mbit_per_s: 8.0,
            rtt_ms: 2.0,
            hand_over: Some(0.0),
            by_size: None,
            after_others: None,
        };
        let megabyte = Bytes(1_000_000 - FRAME_HEADER);
        let (client, server) = (Party::Client, Party::Server);
        let (offline, online) = (Phase::Offline, Phase::Online);
        let steps = [
            (offline, server, Some(megabyte), 1.001),
            (offline, server, Some(megabyte), 0.75),
            (offline, server, None, 0.0),
            (offline, server, Some(megabyte), 0.5),
            (offline, client, None, 0.0),
            (offline, server, Some(megabyte), 0.75),
            (online, server, Some(megabyte), 1.001),
            (online, client, Some(megabyte), 1.001),
            (online, server, None, 0.0),
            (online, client, Some(megabyte), 0.75),
            (online, server, Some(megabyte), 1.001),
        ];
        let mut transfers = TransferTimes::new(&link);
        for (at, (phase, party, payload, expected)) in steps.into_iter().enumerate() {
            let kind = MessageKind::Opening;
            let sends = payload.map(|payload| Message { kind, payload });
            let action = Action {
                step: None,
                phase,
                party,
                act: Act::Local,
                tasks: Vec::new(),
                sends,
            };
            let seconds = transfers.of(&action, Nanos(2.5e8)).seconds();
            assert!((seconds - expected).abs() < 1e-12, "{at}: {seconds}");
        }
    }
}
