//! Gazelle's protocol (Juvekar, Vaikuntanathan, Chandrakasan 2018) as a script for two parties.
//!
//! Both hold shares x = x_c + x_s mod p of every value; of the input the client holds all.
//!
//! - *Linear layer*, online: the client sends Enc(x_c); the server adds x_s, applies the packing plan,
//!   adds a flooded public-key encryption of −r (r uniform in all slots), switches the modulus and
//!   replies; y_c is what the client decrypts, y_s = r + bias.
//! - *Activation*: tables, the server's labels and the transfer extension are made offline, the tables piece
//!   by piece, and wait with the client; online the client corrects its choices by one bit each, the server answers with masked labels, the client
//!   evaluates. The server's share of the result is drawn offline. *Streamed* ([`Delivery`]), the choices are
//!   corrected first, and the tables made, sent and evaluated online, piece by piece.
//! - *Pools, sums, flatten*: each party on its own share.
//! - *End*: the server sends its share of the result.
//!
//! Set-up, once a session: keys of each ring, encoded weights, base transfers.

use super::error::ProtocolError;
use super::roles::{CircuitSettings, Delivery, OtRole, Party, Phase, RingSize};
use super::shares;
use super::steps::{Held, Rings, layer_params, moduli, operands_held_by_server, plan_step};
use super::work::{Act, Action, Message, MessageKind, RingKeys, Script, StepPlan, Task};
use crate::bfv::{HeOp, OpCounts};
use crate::gc::{
    BASE_TRANSFERS, BaseOtOffer, BaseOtReply, Extension, GcSizes, PieceSizes, ShareCircuit,
    TreeSums,
};
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
    let mut rings = Rings::default();
    let steps = (0..network.steps.len())
        .map(|index| plan_step(network, index, crypto, &moduli, &mut rings))
        .collect::<Result<Vec<_>, _>>()?;
    let (step, phase) = (None, Phase::Setup);
    let mut writer = Writer {
        network,
        steps: &steps,
        delivery: circuits.delivery,
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
        let bytes = script.held(party).into_iter().sum();
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
struct Writer<'a> {
    network: &'a ResolvedNetwork,
    steps: &'a [StepPlan],
    delivery: Delivery,
    actions: Vec<Action>,
    step: Option<usize>,
    phase: Phase,
}

impl Writer<'_> {
    fn act(&mut self, party: Party, act: Act, tasks: Vec<Task>, sends: Option<Message>) {
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
            let tasks = he(&keys.crypto, &counts, Bytes(0));
            self.client(
                Act::GenerateKeys(index),
                tasks,
                message(MessageKind::Keys, payload),
            );
            let counts = [(HeOp::LoadKey, count as u64)];
            self.server(
                Act::LoadKeys(index),
                he(&keys.crypto, &counts, Bytes(0)),
                None,
            );
        }
        for (index, step) in self.steps.iter().enumerate() {
            if let StepPlan::Linear { crypto, plan, .. } = step {
                self.step = Some(index);
                let counts = [(HeOp::Encode, plan.weight_count() as u64)];
                let mut tasks = he(crypto, &counts, Bytes(0));
                let bytes = encoded(crypto, plan);
                tasks.push(Task::Touch { bytes });
                self.server(Act::EncodeWeights, tasks, None);
            }
        }
        self.step = None;
        self.base_transfers();
        Ok(())
    }

    fn base_transfers(&mut self) {
        if self
            .steps
            .iter()
            .any(|step| matches!(step, StepPlan::Circuit { .. }))
        {
            let count = BASE_TRANSFERS as u64;
            let point = Bytes(BaseOtOffer::WIRE_SIZE as u64);
            let reply = Bytes(BaseOtReply::WIRE_SIZE as u64);
            self.client(
                Act::StartBaseOt,
                vec![],
                message(MessageKind::BaseOtPoint, point),
            );
            let answer = vec![Task::BaseOt {
                role: OtRole::Receiver,
                count,
            }];
            self.server(
                Act::AnswerBaseOt,
                answer,
                message(MessageKind::BaseOtReply, reply),
            );
            let finish = vec![Task::BaseOt {
                role: OtRole::Sender,
                count,
            }];
            let sums = Bytes(TreeSums::wire_size_of(Extension::default()) as u64);
            let sums = message(MessageKind::TreeSums, sums);
            self.client(Act::FinishBaseOt, finish, sums);
            self.server(Act::GrowTrees, vec![], None);
        }
    }

    fn offline(&mut self, index: usize) -> Result<(), ProtocolError> {
        (self.step, self.phase) = (Some(index), Phase::Offline);
        self.server(Act::DrawShare, vec![], None);
        if let StepPlan::Circuit { circuit, batch } = &self.steps[index] {
            let (circuit, batch) = (*circuit, *batch);
            let sizes = GcSizes::new(&circuit, batch)?;
            let count = (circuit.evaluator_input_bits() * batch) as u64;
            let extend = |role| Task::ExtendOt { role, count };
            let extension = message(MessageKind::Extension, sizes.extension);
            self.client(Act::ExtendOt, vec![extend(OtRole::Receiver)], extension);
            self.server(Act::AcceptExtension, vec![extend(OtRole::Sender)], None);
            if self.delivery == Delivery::Split {
                for (index, piece) in sizes.pieces.iter().enumerate() {
                    self.garble(circuit, index, piece);
                }
            }
        }
        Ok(())
    }

    fn garble(&mut self, circuit: ShareCircuit, index: usize, piece: &PieceSizes) {
        let batch = piece.circuits;
        let garbled = message(MessageKind::Garbled, piece.tables + piece.garbler_labels);
        let tasks = vec![Task::Garble { circuit, batch }];
        self.server(Act::Garble(index), tasks, garbled);
    }

    fn online(&mut self, index: usize, operand: Held) -> Result<(), ProtocolError> {
        (self.step, self.phase) = (Some(index), Phase::Online);
        match &self.steps[index] {
            StepPlan::Local => self.client(Act::Local, vec![], None),
            StepPlan::Circuit { circuit, batch } => {
                let (circuit, batch) = (*circuit, *batch);
                let sizes = GcSizes::new(&circuit, batch)?;
                let count = (circuit.evaluator_input_bits() * batch) as u64;
                let derandomize = |role| vec![Task::DerandomizeOt { role, count }];
                let choices = message(MessageKind::Choices, sizes.corrections);
                self.client(Act::Choose, derandomize(OtRole::Receiver), choices);
                let answer = derandomize(OtRole::Sender);
                match self.delivery {
                    Delivery::Split => {
                        let labels = message(MessageKind::Labels, sizes.label_transfer);
                        self.server(Act::TransferLabels, answer, labels);
                    }
                    Delivery::Streamed => self.server(Act::AcceptChoices, answer, None),
                }
                for (index, piece) in sizes.pieces.iter().enumerate() {
                    if self.delivery == Delivery::Streamed {
                        self.garble(circuit, index, piece);
                    }
                    let batch = piece.circuits;
                    let evaluate = vec![Task::Evaluate { circuit, batch }];
                    self.client(Act::Evaluate(index), evaluate, None);
                }
            }
            StepPlan::Linear { crypto, plan, .. } => {
                let (crypto, plan) = (crypto.clone(), plan.clone());
                self.linear(&crypto, &plan, operand)?;
            }
        }
        Ok(())
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
        let encrypt = he(crypto, &[(HeOp::EncryptSecret, inputs)], Bytes(0));
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
        let weights = encoded(crypto, plan);
        let tasks = Task::he(&(around + plan.counts()), ring_size(crypto), weights);
        let reply = Bytes(params.reply_size() as u64) * outputs;
        self.server(Act::ApplyLinear, tasks, message(MessageKind::Reply, reply));
        self.client(
            Act::DecryptReply,
            he(crypto, &[(HeOp::Decrypt, outputs)], Bytes(0)),
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

fn he(crypto: &LayerCrypto, counts: &[(HeOp, u64)], streams: Bytes) -> Vec<Task> {
    Task::he(
        &counts.iter().copied().collect(),
        ring_size(crypto),
        streams,
    )
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
    }
}

fn message(kind: MessageKind, payload: Bytes) -> Option<Message> {
    Some(Message { kind, payload })
}
