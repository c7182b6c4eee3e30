//! Gazelle's protocol (Juvekar, Vaikuntanathan, Chandrakasan 2018) as a script for two parties.
//!
//! Both hold shares x = x_c + x_s mod p of every value; of the input the client holds all.
//!
//! - *Linear layer*, online: the client sends Enc(x_c), in V plaintext windows Enc(W^j·x_c) for each j < V; the
//!   server adds x_s (W^j·x_s), applies the packing plan,
//!   adds a flooded public-key encryption of −r (r uniform in all slots), switches the modulus and
//!   replies; y_c is what the client decrypts, y_s = r + bias.
//! - *Square*: the client sends Enc(x_c) and Enc(x_c²); the server adds 2·x_s ⊙ Enc(x_c), then an encryption of
//!   x_s² − r, and replies as above. It encodes 2·x_s as soon as it knows x_s.
//! - *Activation*: a circuit that one party garbles and the other evaluates (`circuit_script`).
//! - *Pools, sums, flatten*: each party on its own share, as soon as it knows that.
//! - *End*: the server sends its share of the result.
//!
//! Set-up, once a session: keys of each ring, encoded weights, base transfers. Where memory for encoded weights is
//! bounded, those of some steps are encoded online, one by one.

use std::collections::BTreeMap;

use super::circuit_script::LayerOfCircuits;
use super::error::ProtocolError;
use super::layer_work::{encode_ahead, encodings, he, key_bytes, ring_size, set_of, working_bytes};
use super::linear_values::{self, LinearValues};
use super::roles::{CircuitSettings, Known, Party, Phase, ProtocolSettings, WeightEncoding};
use super::shares;
use super::steps::{
    Held, Planner, Rings, StepKnown, keep_weights, layer_params, moduli, operands_held_by_server,
    plan_step, shares_known,
};
use super::task::{Streams, Task};
use super::values::ValueOp;
use super::work::{Act, Action, Message, MessageKind, RingKeys, Script, StepPlan, encoded};
use crate::bfv::{HeOp, OpCounts};
use crate::gc::ShareCircuit;
use crate::network::ResolvedNetwork;
use crate::packing::Plan;
use crate::params::LayerCrypto;
use crate::units::Bytes;

/// Writes the script of one inference, with the parameters chosen for each linear step.
///
/// # Errors
/// A linear step without parameters, or one whose packing is not supported.
pub fn gazelle(
    network: &ResolvedNetwork,
    crypto: &[Option<LayerCrypto>],
) -> Result<Script, ProtocolError> {
    gazelle_with(network, crypto, ProtocolSettings::default())
}

/// [`gazelle()`] carried out in another way.
///
/// # Errors
/// As there.
pub fn gazelle_with(
    network: &ResolvedNetwork,
    crypto: &[Option<LayerCrypto>],
    settings: ProtocolSettings,
) -> Result<Script, ProtocolError> {
    let circuits = settings.circuits;
    let moduli = moduli(network, crypto);
    let known = shares_known(network, circuits.garbler);
    let planner = Planner {
        network,
        crypto,
        moduli: &moduli,
        known: &known,
    };
    let mut rings = Rings::default();
    let mut steps = (0..network.steps.len())
        .map(|index| plan_step(&planner, index, &mut rings))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(limit) = settings.weight_memory {
        keep_weights(&mut steps, limit);
    }
    let (step, phase) = (None, Phase::Setup);
    let mut writer = Writer {
        network,
        steps: &steps,
        known: &known,
        circuits,
        actions: Vec::new(),
        step,
        phase,
    };
    writer.set_up(&rings.keys)?;
    for index in 0..steps.len() {
        writer.offline(index)?;
    }
    for (index, held) in operands_held_by_server(network).into_iter().enumerate() {
        writer.online(index, held)?;
    }
    writer.open(&moduli);
    let actions = writer.actions;
    let mut script = Script {
        network: network.clone(),
        moduli,
        steps,
        rings: rings.keys,
        circuits,
        actions,
    };
    reserve(&mut script);
    Ok(script)
}

/// What a layer of `batch` circuits takes whose operand is the result of a linear layer: its part of a
/// script, offline and online.
///
/// # Errors
/// A circuit that cannot be built.
pub fn circuit_actions(
    circuit: ShareCircuit,
    batch: usize,
    circuits: CircuitSettings,
) -> Result<Vec<Action>, ProtocolError> {
    let operand = Known {
        client: Phase::Online,
        server: Phase::Offline,
    };
    let layer = LayerOfCircuits::new(circuit, batch, operand, &circuits)?;
    let network = ResolvedNetwork::default();
    let (step, phase) = (None, Phase::Offline);
    let mut writer = Writer {
        network: &network,
        steps: &[],
        known: &[],
        circuits,
        actions: Vec::new(),
        step,
        phase,
    };
    writer.circuits_offline(&layer);
    writer.phase = Phase::Online;
    writer.circuits_online(&layer);
    Ok(writer.actions)
}

/// Lets both parties take, at the end of the set-up, the memory that an inference fills.
fn reserve(script: &mut Script) {
    let (step, phase, act, sends) = (None, Phase::Setup, Act::Reserve, None);
    let reserve = |party| {
        let pieces = script.waiting(party).into_iter();
        let bytes = pieces.chain(script.worked_on()).sum();
        let tasks = vec![Task::Touch { bytes }];
        Action {
            step,
            phase,
            party,
            act,
            tasks,
            sends,
        }
    };
    let both = [Party::Client, Party::Server].map(reserve);
    let begun = |action: &Action| action.phase == Phase::Setup;
    let at = script.actions.partition_point(begun);
    script.actions.splice(at..at, both);
}

/// Appends actions; `step` and `phase` are those of what is being written.
pub(super) struct Writer<'a> {
    network: &'a ResolvedNetwork,
    pub(super) steps: &'a [StepPlan],
    known: &'a [StepKnown],
    pub(super) circuits: CircuitSettings,
    actions: Vec<Action>,
    step: Option<usize>,
    phase: Phase,
}

impl Writer<'_> {
    pub(super) fn act(&mut self, party: Party, act: Act, tasks: Vec<Task>, sends: Option<Message>) {
        let (step, phase) = (self.step, self.phase);
        self.actions.push(Action {
            step,
            phase,
            party,
            act,
            tasks,
            sends,
        });
    }

    fn client(&mut self, act: Act, tasks: Vec<Task>, sends: Option<Message>) {
        self.act(Party::Client, act, tasks, sends);
    }

    fn server(&mut self, act: Act, tasks: Vec<Task>, sends: Option<Message>) {
        self.act(Party::Server, act, tasks, sends);
    }

    fn set_up(&mut self, rings: &[RingKeys]) -> Result<(), ProtocolError> {
        self.phase = Phase::Setup;
        for (index, keys) in rings.iter().enumerate() {
            let params = layer_params(&keys.crypto)?;
            let count = keys.rotations.len();
            let counts = [(HeOp::PublicKey, 1), (HeOp::GaloisKey, count as u64)];
            let payload = Bytes((params.public_key_size() + params.galois_keys_size(count)) as u64);
            let expanded = key_bytes(&keys.crypto) * count as u64;
            let mut tasks = he(&keys.crypto, &counts);
            let bytes = expanded + payload;
            tasks.push(Task::Touch { bytes });
            let message = message(MessageKind::Keys, payload);
            self.client(Act::GenerateKeys(index), tasks, message);
            let counts = [(HeOp::LoadKey, count as u64)];
            let mut tasks = he(&keys.crypto, &counts);
            let bytes = expanded;
            tasks.push(Task::Touch { bytes });
            self.server(Act::LoadKeys(index), tasks, None);
        }
        let mut reserved: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for (index, step) in self.steps.iter().enumerate() {
            if let StepPlan::Linear {
                crypto,
                plan,
                weights,
                ..
            } = step
            {
                self.step = Some(index);
                let mut tasks = match weights {
                    WeightEncoding::Ahead => encode_ahead(crypto, plan),
                    WeightEncoding::Streamed | WeightEncoding::OfShare => Vec::new(),
                };
                // What one layer has reserved serves the next one of the same ring.
                let working = working_bytes(crypto, plan).0;
                let reserved = reserved.entry((crypto.n, crypto.q.len())).or_default();
                let more = working.saturating_sub(*reserved);
                *reserved += more;
                tasks.push(Task::Touch { bytes: Bytes(more) });
                self.server(Act::EncodeWeights, tasks, None);
            }
        }
        self.step = None;
        self.base_transfers();
        Ok(())
    }

    fn offline(&mut self, index: usize) -> Result<(), ProtocolError> {
        (self.step, self.phase) = (Some(index), Phase::Offline);
        let steps = self.steps;
        match &steps[index] {
            StepPlan::Linear {
                crypto,
                plan,
                weights,
                ..
            } => {
                self.server(Act::DrawShare, LinearValues::of(plan).draw(), None);
                if *weights == WeightEncoding::OfShare {
                    self.encode_share(index, crypto, plan);
                }
            }
            StepPlan::Local => self.local(index),
            StepPlan::Circuit {
                circuit,
                batch,
                operand,
            } => {
                let layer = LayerOfCircuits::new(*circuit, *batch, *operand, &self.circuits)?;
                self.circuits_offline(&layer);
            }
        }
        Ok(())
    }

    fn online(&mut self, index: usize, held: Held) -> Result<(), ProtocolError> {
        (self.step, self.phase) = (Some(index), Phase::Online);
        let steps = self.steps;
        match &steps[index] {
            StepPlan::Local => self.local(index),
            StepPlan::Circuit {
                circuit,
                batch,
                operand,
            } => {
                let layer = LayerOfCircuits::new(*circuit, *batch, *operand, &self.circuits)?;
                self.circuits_online(&layer);
            }
            StepPlan::Linear {
                crypto,
                plan,
                weights,
                ..
            } => {
                if *weights == WeightEncoding::OfShare {
                    self.encode_share(index, crypto, plan);
                }
                self.linear((crypto, plan), *weights, held)?;
            }
        }
        Ok(())
    }

    /// The parties whose operands are known in this phase, and were not before.
    fn local(&mut self, index: usize) {
        for party in [Party::Client, Party::Server] {
            if self.known[index].result.of(party) == self.phase {
                let task = linear_values::local(&self.network.steps[index]);
                self.act(party, Act::Local, vec![task], None);
            }
        }
    }

    /// The server's part of a square, in the phase in which it knows its share of the operand.
    fn encode_share(&mut self, index: usize, crypto: &LayerCrypto, plan: &Plan) {
        if self.known[index].operand.server == self.phase {
            let mut tasks = he(crypto, &[(HeOp::Encode, encodings(crypto, plan))]);
            tasks.push(LinearValues::of(plan).arrange());
            self.server(Act::EncodeShare, tasks, None);
        }
    }

    fn linear(
        &mut self,
        (crypto, plan): (&LayerCrypto, &Plan),
        weights: WeightEncoding,
        operand: Held,
    ) -> Result<(), ProtocolError> {
        let params = layer_params(crypto)?;
        let (inputs, outputs) = (
            crypto.windows().inputs(plan) as u64,
            plan.output_ciphertexts() as u64,
        );
        let values = LinearValues::of(plan);
        let mut encrypt = he(crypto, &[(HeOp::EncryptSecret, inputs)]);
        encrypt.push(values.pack());
        let input = Bytes(params.seeded_ciphertext_size() as u64) * inputs;
        self.client(
            Act::EncryptInput,
            encrypt,
            message(MessageKind::EncryptedInput, input),
        );
        let added = match operand {
            Held::Yes => inputs,
            Held::No => 0,
        };
        // What is encoded on the spot is still in the cache when it is multiplied.
        let (encodings, waiting) = match weights {
            WeightEncoding::Ahead | WeightEncoding::OfShare => (0, encoded(crypto, plan)),
            WeightEncoding::Streamed => (encodings(crypto, plan), Bytes(0)),
        };
        let around: OpCounts = [
            (HeOp::Encode, encodings),
            (HeOp::Expand, inputs),
            (HeOp::AddPlain, added),
            (HeOp::Rerandomize, outputs),
            (HeOp::ModSwitch, outputs),
        ]
        .into_iter()
        .collect();
        let streams = Streams {
            weights: waiting,
            ciphertexts: set_of(crypto, plan),
            keys: plan.key_reads(),
        };
        let counts = around + crypto.windows().counts(plan.counts());
        let mut tasks = Task::he(&counts, ring_size(crypto), streams);
        if operand == Held::Yes {
            tasks.push(values.pack());
        }
        if weights == WeightEncoding::Streamed {
            tasks.push(values.arrange());
        }
        let reply = Bytes(params.reply_size() as u64) * outputs;
        self.server(Act::ApplyLinear, tasks, message(MessageKind::Reply, reply));
        let mut decrypt = he(crypto, &[(HeOp::Decrypt, outputs)]);
        decrypt.push(values.unpack());
        self.client(Act::DecryptReply, decrypt, None);
        Ok(())
    }

    fn open(&mut self, moduli: &[u64]) {
        if let Some(last) = self.network.steps.last() {
            let width = u64::from(shares::width(moduli[last.domain]));
            let bits = width * last.shape_out.len() as u64;
            let opening = message(MessageKind::Opening, Bytes::of_bits(bits));
            let task = |op| vec![Task::values(op, last.shape_out.len() as u64)];
            self.server(Act::Open, task(ValueOp::WriteShare), opening);
            self.client(Act::Reconstruct, task(ValueOp::JoinShares), None);
        }
    }
}

pub(super) fn message(kind: MessageKind, payload: Bytes) -> Option<Message> {
    Some(Message { kind, payload })
}
