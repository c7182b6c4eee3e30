//! The client: owns the input and the secret keys, evaluates the circuits.
//!
//! It walks through a [`Script`]: [`Client::perform`] does one of its actions, given the messages that
//! have arrived, and returns the message that ends it. No I/O and no clock here.

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::error::PartyError;
use super::inbox::{Inbox, parts};
use super::party::{View, out_of_order};
use super::roles::{Delivery, Party};
use super::shares;
use super::work::{Act, Action, MessageKind, Script};
use crate::bfv::{GaloisKeys, PublicKey, Reply, SecretKey, Wire};
use crate::gc::{
    BaseOtReply, BaseOtSender, EvaluatedPieces, EvaluatorLabels, Extension, ExtensionReceiver,
    LabelTransfer, PendingLabels, PieceMessages, PreparedReceives,
};
use crate::units::Bytes;

/// The client's state in a run.
pub struct Client<'a, R> {
    view: View<'a>,
    keys: Vec<SecretKey>,
    base: Option<BaseOtSender>,
    extension: Option<ExtensionReceiver>,
    /// Transfers with random choices, by step.
    prepared: Vec<Option<PreparedReceives>>,
    /// Transfers whose choices have been corrected, before the labels arrive.
    pending: Option<PendingLabels>,
    /// The layer being evaluated, and its outputs so far.
    evaluation: Option<(EvaluatedPieces, Zeroizing<Vec<u64>>)>,
    result: Option<Vec<i64>>,
    rng: R,
}

impl<'a, R: CryptoRng> Client<'a, R> {
    /// A client with the network's quantized input, in channel, row, column order.
    ///
    /// # Errors
    /// An input of the wrong length or range, or parameters below their security level.
    pub fn new(script: &'a Script, input: &[i64], rng: R) -> Result<Self, PartyError> {
        let network = &script.network;
        let (expected, range) = (network.input.len(), network.input_range);
        let (low, high) = (range.low, range.high);
        if input.len() != expected || input.iter().any(|x| !(low..=high).contains(x)) {
            return Err(PartyError::Input {
                expected,
                low,
                high,
            });
        }
        let p = script.moduli[network.input_domain];
        let input = input.iter().map(|&x| shares::residue(x, p)).collect();
        Ok(Self {
            view: View::new(script, input)?,
            keys: Vec::new(),
            base: None,
            extension: None,
            prepared: script.steps.iter().map(|_| None).collect(),
            pending: None,
            evaluation: None,
            result: None,
            rng,
        })
    }

    /// The opened result, at the end of the script.
    pub fn result(&self) -> Option<&[i64]> {
        self.result.as_deref()
    }

    /// Does one of the client's actions and gives back the message that ends it, empty if none does.
    ///
    /// # Errors
    /// A message that is missing or refused, or an action out of order.
    pub fn perform(&mut self, action: &Action, inbox: &mut Inbox) -> Result<Vec<u8>, PartyError> {
        match action.act {
            Act::GenerateKeys(ring) => self.generate_keys(action, ring),
            Act::StartBaseOt => {
                let (base, offer) = BaseOtSender::offer(&mut self.rng);
                self.base = Some(base);
                Ok(written(|out| offer.write(out)))
            }
            Act::FinishBaseOt => {
                let reply = BaseOtReply::read(&inbox.take(action, MessageKind::BaseOtReply)?)?;
                let base = self.base.take().ok_or(out_of_order(action))?;
                let seeds = base.finish(&reply)?;
                let (extension, sums) = ExtensionReceiver::new(Extension::default(), &seeds);
                self.extension = Some(extension);
                Ok(written(|out| sums.write(out)))
            }
            Act::Reserve => {
                reserve(&self.view.script.held(Party::Client));
                Ok(Vec::new())
            }
            Act::ExtendOt => self.extend(action),
            Act::EncryptInput => self.encrypt(action),
            Act::DecryptReply => self.decrypt(action, inbox),
            Act::Choose => self.choose(action),
            Act::Evaluate(piece) => self.evaluate(action, piece, inbox),
            Act::Local => {
                let share = self.view.local(action)?.ok_or(out_of_order(action))?;
                self.view.store(action, share)?;
                Ok(Vec::new())
            }
            Act::Reconstruct => self.reconstruct(action, inbox),
            Act::LoadKeys(_)
            | Act::EncodeWeights
            | Act::AnswerBaseOt
            | Act::GrowTrees
            | Act::DrawShare
            | Act::AcceptExtension
            | Act::Garble(_)
            | Act::ApplyLinear
            | Act::TransferLabels
            | Act::AcceptChoices
            | Act::Open => Err(out_of_order(action)),
        }
    }

    fn generate_keys(&mut self, action: &Action, ring: usize) -> Result<Vec<u8>, PartyError> {
        let params = self.view.ring(ring).ok_or(out_of_order(action))?;
        let keys = self
            .view
            .script
            .rings
            .get(ring)
            .ok_or(out_of_order(action))?;
        let secret = SecretKey::generate(params, &mut self.rng);
        let public = PublicKey::generate(&secret, &mut self.rng);
        let galois = GaloisKeys::generate(&secret, &keys.rotations, &mut self.rng)?;
        self.keys.push(secret);
        Ok(written(|out| {
            public.write(out);
            galois.write(out);
        }))
    }

    fn extend(&mut self, action: &Action) -> Result<Vec<u8>, PartyError> {
        let (circuit, batch) = self.view.circuit(action)?;
        let (index, _) = self.view.step(action)?;
        let extension = self.extension.as_mut().ok_or(out_of_order(action))?;
        let count = circuit.evaluator_input_bits() * batch;
        let (columns, prepared) = extension.extend_random(count);
        self.prepared[index] = Some(prepared);
        Ok(written(|out| columns.write(out)))
    }

    fn encrypt(&mut self, action: &Action) -> Result<Vec<u8>, PartyError> {
        let (plan, _, ring) = self.view.linear(action)?;
        let key = self.keys.get(ring).ok_or(out_of_order(action))?;
        let mut out = Vec::new();
        let packed = Zeroizing::new(plan.pack_input(self.view.operand(action)?));
        for slots in packed.iter() {
            key.encrypt(slots, &mut self.rng)?.write(&mut out);
        }
        Ok(out)
    }

    fn decrypt(&mut self, action: &Action, inbox: &mut Inbox) -> Result<Vec<u8>, PartyError> {
        let (plan, params, ring) = self.view.linear(action)?;
        let key = self.keys.get(ring).ok_or(out_of_order(action))?;
        let payload = inbox.take(action, MessageKind::Reply)?;
        let mut slots = Zeroizing::new(Vec::new());
        let (count, size) = (plan.output_ciphertexts(), params.reply_size());
        for bytes in parts(&payload, MessageKind::Reply, count, size)? {
            slots.push(key.decrypt(&Reply::read(params, bytes)?)?);
        }
        let share = plan.unpack_output(&slots);
        self.view.store(action, share)?;
        Ok(Vec::new())
    }

    fn choose(&mut self, action: &Action) -> Result<Vec<u8>, PartyError> {
        let (index, step) = self.view.step(action)?;
        let operand = Zeroizing::new(shares::circuit_operand(step, self.view.operand(action)?));
        let choices = Zeroizing::new(self.view.layer(action)?.choices(&operand)?);
        let prepared = self.prepared[index].take().ok_or(out_of_order(action))?;
        let (corrections, pending) = prepared.correct(&choices)?;
        self.pending = Some(pending);
        Ok(written(|out| corrections.write(out)))
    }

    fn evaluate(
        &mut self,
        action: &Action,
        index: usize,
        inbox: &mut Inbox,
    ) -> Result<Vec<u8>, PartyError> {
        let layer = self.view.layer(action)?;
        if index == 0 {
            let labels = match self.view.script.circuits.delivery {
                Delivery::Split => self.receive_labels(action, inbox)?,
                Delivery::Streamed => {
                    let pending = self.pending.take().ok_or(out_of_order(action))?;
                    pending.into_labels()
                }
            };
            let pieces = EvaluatedPieces::new(&layer, labels)?;
            self.evaluation = Some((pieces, Zeroizing::default()));
        }
        let (pieces, outputs) = self.evaluation.as_mut().ok_or(out_of_order(action))?;
        let piece = layer.pieces().nth(index).ok_or(out_of_order(action))?;
        let garbled = inbox.take(action, MessageKind::Garbled)?;
        let (tables, labels) = split_end(&garbled, layer.labels_size(&piece).0 as usize);
        pieces.next(PieceMessages { tables, labels }, outputs)?;
        if index + 1 == layer.pieces().len() {
            let share = std::mem::take(&mut **outputs);
            self.evaluation = None;
            self.view.store(action, share)?;
        }
        Ok(Vec::new())
    }

    fn receive_labels(
        &mut self,
        action: &Action,
        inbox: &mut Inbox,
    ) -> Result<EvaluatorLabels, PartyError> {
        let (circuit, batch) = self.view.circuit(action)?;
        let count = circuit.evaluator_input_bits() * batch;
        let transfer = LabelTransfer::read(count, &inbox.take(action, MessageKind::Labels)?)?;
        let pending = self.pending.take().ok_or(out_of_order(action))?;
        Ok(pending.receive(&transfer)?)
    }

    fn reconstruct(&mut self, action: &Action, inbox: &mut Inbox) -> Result<Vec<u8>, PartyError> {
        let payload = inbox.take(action, MessageKind::Opening)?;
        let (own, p) = self.view.result(action)?;
        let residues = PartyError::Residues {
            kind: MessageKind::Opening,
        };
        let other = shares::unpack(&payload, own.len(), p).ok_or(residues)?;
        let sum = |(&a, &b): (&u64, &u64)| shares::centred(shares::add(a, b, p), p);
        self.result = Some(own.iter().zip(&other).map(sum).collect());
        Ok(Vec::new())
    }
}

/// Takes memory of these sizes, touches it and gives it up: an allocator that keeps what it was given up finds
/// it again when messages of these sizes are made.
pub(super) fn reserve(sizes: &[Bytes]) {
    let taken: Vec<Vec<u8>> = sizes.iter().map(|size| vec![1; size.0 as usize]).collect();
    drop(std::hint::black_box(taken));
}

/// What `write` appends to an empty message.
pub(super) fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// `bytes` without its last `size`, and those; all of a shorter one comes first.
fn split_end(bytes: &[u8], size: usize) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.len().saturating_sub(size))
}
