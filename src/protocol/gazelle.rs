//! Gazelle's protocol (Juvekar, Vaikuntanathan, Chandrakasan 2018) as a script for two parties.
//!
//! Both hold shares x = x_c + x_s mod p of every value; of the input the client holds all.
//!
//! - *Linear layer*, online: the client sends Enc(x_c); the server adds x_s, applies the packing plan,
//!   adds a flooded public-key encryption of −r (r uniform in all slots), switches the modulus and
//!   replies; y_c is what the client decrypts, y_s = r + bias.
//! - *Square*: the client sends Enc(x_c) and Enc(x_c²); the server adds 2·x_s ⊙ Enc(x_c), then an encryption of
//!   x_s² − r, and replies as above. It encodes 2·x_s as soon as it knows x_s.
//! - *Activation*: a circuit that one party garbles and the other evaluates (`circuit_script`).
//! - *Pools, sums, flatten*: each party on its own share, as soon as it knows that.
//! - *End*: the server sends its share of the result.
//!
//! Set-up, once a session: keys of each ring, encoded weights, base transfers.

use super::circuit_script::LayerOfCircuits;
use super::error::ProtocolError;
use super::roles::{CircuitSettings, Party, Phase, RingSize};
use super::shares;
use super::steps::{
    Held, Planner, Rings, StepKnown, layer_params, moduli, operands_held_by_server, plan_step,
    shares_known,
};
use super::work::{Act, Action, Message, MessageKind, RingKeys, Script, StepPlan, Streams, Task};
use crate::bfv::{HeOp, OpCounts};
use crate::network::{ResolvedNetwork, StepKind};
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
    gazelle_with(network, crypto, CircuitSettings::default())
}

/// [`gazelle()`] with circuits garbled in another way.
///
/// # Errors
/// As there.
pub fn gazelle_with(
    network: &ResolvedNetwork,
    crypto: &[Option<LayerCrypto>],
    circuits: CircuitSettings,
) -> Result<Script, ProtocolError> {
    let moduli = moduli(network, crypto);
    let known = shares_known(network, circuits.garbler);
    let planner = Planner {
        network,
        crypto,
        moduli: &moduli,
        known: &known,
    };
    let mut rings = Rings::default();
    let steps = (0..network.steps.len())
        .map(|index| plan_step(&planner, index, &mut rings))
        .collect::<Result<Vec<_>, _>>()?;
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
            let tasks = he(&keys.crypto, &counts);
            self.client(
                Act::GenerateKeys(index),
                tasks,
                message(MessageKind::Keys, payload),
            );
            let counts = [(HeOp::LoadKey, count as u64)];
            self.server(Act::LoadKeys(index), he(&keys.crypto, &counts), None);
        }
        for (index, step) in self.steps.iter().enumerate() {
            if let StepPlan::Linear { crypto, plan, .. } = step
                && !self.is_square(index)
            {
                self.step = Some(index);
                let counts = [(HeOp::Encode, plan.weight_count() as u64)];
                let mut tasks = he(crypto, &counts);
                let bytes = encoded(crypto, plan);
                tasks.push(Task::Touch { bytes });
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
            StepPlan::Linear { crypto, plan, .. } => {
                self.server(Act::DrawShare, vec![], None);
                self.encode_share(index, crypto, plan);
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
            StepPlan::Linear { crypto, plan, .. } => {
                self.encode_share(index, crypto, plan);
                self.linear(crypto, plan, held)?;
            }
        }
        Ok(())
    }

    /// The parties whose operands are known in this phase, and were not before.
    fn local(&mut self, index: usize) {
        for party in [Party::Client, Party::Server] {
            if self.known[index].result.of(party) == self.phase {
                self.act(party, Act::Local, vec![], None);
            }
        }
    }

    fn is_square(&self, index: usize) -> bool {
        self.network.steps[index].kind == StepKind::Square
    }

    /// The server's part of a square, in the phase in which it knows its share of the operand.
    fn encode_share(&mut self, index: usize, crypto: &LayerCrypto, plan: &Plan) {
        if self.is_square(index) && self.known[index].operand.server == self.phase {
            let counts = [(HeOp::Encode, plan.weight_count() as u64)];
            self.server(Act::EncodeShare, he(crypto, &counts), None);
        }
    }

    fn linear(
        &mut self,
        crypto: &LayerCrypto,
        plan: &Plan,
        operand: Held,
    ) -> Result<(), ProtocolError> {
        let params = layer_params(crypto)?;
        let (inputs, outputs) = (
            plan.input_ciphertexts() as u64,
            plan.output_ciphertexts() as u64,
        );
        let encrypt = he(crypto, &[(HeOp::EncryptSecret, inputs)]);
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
        let around: OpCounts = [
            (HeOp::Expand, inputs),
            (HeOp::AddPlain, added),
            (HeOp::Rerandomize, outputs),
            (HeOp::ModSwitch, outputs),
        ]
        .into_iter()
        .collect();
        let polynomial = 8 * crypto.n * crypto.q.len();
        let streams = Streams {
            weights: encoded(crypto, plan),
            ciphertexts: Bytes((2 * polynomial * plan.working_ciphertexts()) as u64),
            keys: plan.rotations().len() as u64,
        };
        let tasks = Task::he(&(around + plan.counts()), ring_size(crypto), streams);
        let reply = Bytes(params.reply_size() as u64) * outputs;
        self.server(Act::ApplyLinear, tasks, message(MessageKind::Reply, reply));
        self.client(
            Act::DecryptReply,
            he(crypto, &[(HeOp::Decrypt, outputs)]),
            None,
        );
        Ok(())
    }

    fn open(&mut self, moduli: &[u64]) {
        if let Some(last) = self.network.steps.last() {
            let width = u64::from(shares::width(moduli[last.domain]));
            let bits = width * last.shape_out.len() as u64;
            let opening = message(MessageKind::Opening, Bytes::of_bits(bits));
            self.server(Act::Open, vec![], opening);
            self.client(Act::Reconstruct, vec![], None);
        }
    }
}

fn he(crypto: &LayerCrypto, counts: &[(HeOp, u64)]) -> Vec<Task> {
    let (counts, ring) = (counts.iter().copied().collect(), ring_size(crypto));
    Task::he(&counts, ring, Streams::default())
}

/// Size of a layer's encoded weights.
fn encoded(crypto: &LayerCrypto, plan: &Plan) -> Bytes {
    Bytes((8 * crypto.n * crypto.q.len() * plan.weight_count()) as u64)
}

fn ring_size(crypto: &LayerCrypto) -> RingSize {
    RingSize {
        n: crypto.n,
        limbs: crypto.q.len(),
        special: crypto.special.len(),
        digits: crypto.switching().digits(),
    }
}

pub(super) fn message(kind: MessageKind, payload: Bytes) -> Option<Message> {
    Some(Message { kind, payload })
}
