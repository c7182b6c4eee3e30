//! The server: owns the weights, computes on ciphertexts, garbles the circuits.
//!
//! It walks through a [`Script`]: [`Server::perform`] does one of its actions, given the messages that
//! have arrived, and returns the message that ends it. No I/O and no clock here.

use rand::{CryptoRng, RngExt};
use zeroize::Zeroizing;

use super::client::{reserve, written};
use super::error::PartyError;
use super::inbox::{Inbox, parts};
use super::party::{View, out_of_order};
use super::roles::{Delivery, Party};
use super::shares;
use super::work::{Act, Action, MessageKind, Script};
use crate::batch;
use crate::bfv::{Evaluator, GaloisKeys, HeOps, Plaintext, PublicKey, SeededCiphertext, Wire};
use crate::gc::{
    BaseOtOffer, BaseOtReceiver, ChoiceCorrections, ChosenSeeds, Delta, Extension,
    ExtensionColumns, ExtensionSender, GarbledPieces, PreparedSends, TreeSums,
};
use crate::network::Weights;

/// The server's state in a run.
pub struct Server<'a, R> {
    view: View<'a>,
    weights: &'a Weights,
    rings: Vec<(PublicKey, Evaluator)>,
    /// Encoded weights, by step.
    encoded: Vec<Vec<Plaintext>>,
    /// What the server adds to the reply's slots, by step and ciphertext: −r.
    masks: Vec<Zeroizing<Vec<Vec<u64>>>>,
    delta: Delta,
    base: Option<ChosenSeeds>,
    extension: Option<ExtensionSender>,
    /// Layers being garbled, or waiting for the client's corrections, by step.
    garbled: Vec<Option<Garbled>>,
    rng: R,
}

/// A layer of circuits: its transfers until they are used, its pieces once they can be garbled, and the
/// server's shares that go in.
struct Garbled {
    sends: Option<PreparedSends>,
    pieces: Option<GarbledPieces>,
    operand: Zeroizing<Vec<u64>>,
}

impl<'a, R: CryptoRng> Server<'a, R> {
    /// A server with the network's weights.
    ///
    /// # Errors
    /// Parameters below their security level.
    pub fn new(script: &'a Script, weights: &'a Weights, mut rng: R) -> Result<Self, PartyError> {
        let steps = script.steps.len();
        let input = vec![0; script.network.input.len()];
        Ok(Self {
            view: View::new(script, input)?,
            weights,
            rings: Vec::new(),
            encoded: (0..steps).map(|_| Vec::new()).collect(),
            masks: vec![Zeroizing::default(); steps],
            delta: Delta::random(&mut rng),
            base: None,
            extension: None,
            garbled: (0..steps).map(|_| None).collect(),
            rng,
        })
    }

    /// Does one of the server's actions and gives back the message that ends it, empty if none does.
    ///
    /// # Errors
    /// A message that is missing or refused, or an action out of order.
    pub fn perform(&mut self, action: &Action, inbox: &mut Inbox) -> Result<Vec<u8>, PartyError> {
        match action.act {
            Act::LoadKeys(ring) => self.load_keys(action, ring, inbox),
            Act::EncodeWeights => self.encode_weights(action),
            Act::AnswerBaseOt => {
                let offer = BaseOtOffer::read(&inbox.take(action, MessageKind::BaseOtPoint)?)?;
                let (seeds, reply) = BaseOtReceiver::reply(&offer, &self.delta, &mut self.rng)?;
                self.base = Some(seeds);
                Ok(written(|out| reply.write(out)))
            }
            Act::GrowTrees => self.grow_trees(action, inbox),
            Act::Reserve => {
                reserve(&self.view.script.held(Party::Server));
                Ok(Vec::new())
            }
            Act::DrawShare => self.draw_share(action),
            Act::AcceptExtension => self.extend(action, inbox),
            Act::Garble(_) => self.garble(action),
            Act::ApplyLinear => self.apply_linear(action, inbox),
            Act::TransferLabels => self.transfer_labels(action, inbox),
            Act::AcceptChoices => self.accept_choices(action, inbox),
            Act::Open => {
                let (share, p) = self.view.result(action)?;
                Ok(shares::pack(share, shares::width(p)))
            }
            Act::GenerateKeys(_)
            | Act::StartBaseOt
            | Act::FinishBaseOt
            | Act::ExtendOt
            | Act::EncryptInput
            | Act::DecryptReply
            | Act::Choose
            | Act::Evaluate(_)
            | Act::Local
            | Act::Reconstruct => Err(out_of_order(action)),
        }
    }

    fn load_keys(
        &mut self,
        action: &Action,
        ring: usize,
        inbox: &mut Inbox,
    ) -> Result<Vec<u8>, PartyError> {
        let params = self.view.ring(ring).ok_or(out_of_order(action))?;
        let payload = inbox.take(action, MessageKind::Keys)?;
        let (public, galois) = payload.split_at(params.public_key_size().min(payload.len()));
        let public = PublicKey::read(params, public)?;
        let evaluator = Evaluator::new(params, GaloisKeys::read(params, galois)?)?;
        self.rings.push((public, evaluator));
        Ok(Vec::new())
    }

    fn grow_trees(&mut self, action: &Action, inbox: &mut Inbox) -> Result<Vec<u8>, PartyError> {
        let sums = inbox.take(action, MessageKind::TreeSums)?;
        let sums = TreeSums::read(Extension::default(), &sums)?;
        let seeds = self.base.take().ok_or(out_of_order(action))?;
        let extension = ExtensionSender::new(Extension::default(), &seeds, &self.delta, &sums)?;
        self.extension = Some(extension);
        Ok(Vec::new())
    }

    fn encode_weights(&mut self, action: &Action) -> Result<Vec<u8>, PartyError> {
        let (plan, params, ring) = self.view.linear(action)?;
        let (index, step) = self.view.step(action)?;
        let layer = self.weights.layers.get(&step.name);
        let layer = layer.ok_or(PartyError::Weights {
            layer: step.name.clone(),
        })?;
        let weights: Vec<i64> = layer.weight.iter().map(|&w| i64::from(w)).collect();
        let (_, evaluator) = self.rings.get(ring).ok_or(out_of_order(action))?;
        let p = params.plaintext_modulus();
        let encode = |index| evaluator.encode(&plan.weight_slots(&weights, p, index));
        self.encoded[index] = batch::try_map((0..plan.weight_count()).collect(), encode)?;
        evaluator.reserve(plan.working_ciphertexts());
        Ok(Vec::new())
    }

    /// The server's share of a step's result: r + bias, r′, or what follows from its operands.
    fn draw_share(&mut self, action: &Action) -> Result<Vec<u8>, PartyError> {
        let (index, step) = self.view.step(action)?;
        let p = self.view.p_out(step);
        let share = if let Some(share) = self.view.local(action)? {
            share
        } else if let Ok((plan, params, _)) = self.view.linear(action) {
            let (count, n) = (plan.output_ciphertexts(), params.degree());
            let mut draw = || (0..n).map(|_| self.rng.random_range(0..p)).collect();
            let r: Zeroizing<Vec<Vec<u64>>> = Zeroizing::new((0..count).map(|_| draw()).collect());
            let share = plan.unpack_output(&r);
            let negated = |slots: &Vec<u64>| slots.iter().map(|&r| (p - r) % p).collect();
            self.masks[index] = Zeroizing::new(r.iter().map(negated).collect());
            self.with_bias(action, share)?
        } else {
            (0..step.shape_out.len())
                .map(|_| self.rng.random_range(0..p))
                .collect()
        };
        self.view.store(action, share)?;
        Ok(Vec::new())
    }

    fn with_bias(&self, action: &Action, mut share: Vec<u64>) -> Result<Vec<u64>, PartyError> {
        let (_, step) = self.view.step(action)?;
        let p = self.view.p_out(step);
        let bias = self
            .weights
            .layers
            .get(&step.name)
            .map_or(&[][..], |layer| &layer.bias);
        let channel = share.len() / bias.len().max(1);
        for (values, &bias) in share.chunks_mut(channel.max(1)).zip(bias) {
            let bias = shares::residue(bias, p);
            values
                .iter_mut()
                .for_each(|value| *value = shares::add(*value, bias, p));
        }
        Ok(share)
    }

    fn extend(&mut self, action: &Action, inbox: &mut Inbox) -> Result<Vec<u8>, PartyError> {
        let (circuit, batch) = self.view.circuit(action)?;
        let (index, step) = self.view.step(action)?;
        let count = circuit.evaluator_input_bits() * batch;
        let columns = inbox.take(action, MessageKind::Extension)?;
        let blocks = Extension::default().random_blocks(count);
        let columns = ExtensionColumns::read(blocks, &columns)?;
        let extension = self.extension.as_mut().ok_or(out_of_order(action))?;
        let sends = extension.extend(count, &columns)?;
        let operand = Zeroizing::new(shares::circuit_operand(step, self.view.operand(action)?));
        let layer = self.view.layer(action)?;
        let pieces = match self.view.script.circuits.delivery {
            Delivery::Split => Some(GarbledPieces::fresh(&layer, &self.delta, &mut self.rng)),
            Delivery::Streamed => None,
        };
        self.garbled[index] = Some(Garbled {
            sends: Some(sends),
            pieces,
            operand,
        });
        Ok(Vec::new())
    }

    fn garble(&mut self, action: &Action) -> Result<Vec<u8>, PartyError> {
        let (index, _) = self.view.step(action)?;
        let layer = self.view.layer(action)?;
        let share = self.view.share(index).ok_or(out_of_order(action))?;
        let garbled = self.garbled[index].as_mut().ok_or(out_of_order(action))?;
        let mut out = Vec::new();
        let pieces = garbled.pieces.as_mut().ok_or(out_of_order(action))?;
        let inputs = pieces.next_into(&mut out, &mut self.rng);
        let inputs = inputs.ok_or(out_of_order(action))?;
        inputs.encode_into(&layer, &garbled.operand, share, &mut out)?;
        Ok(out)
    }

    fn apply_linear(&mut self, action: &Action, inbox: &mut Inbox) -> Result<Vec<u8>, PartyError> {
        let (plan, params, ring) = self.view.linear(action)?;
        let (index, _) = self.view.step(action)?;
        let (public, evaluator) = self.rings.get(ring).ok_or(out_of_order(action))?;
        let payload = inbox.take(action, MessageKind::EncryptedInput)?;
        let mut inputs = Vec::new();
        let (count, size) = (plan.input_ciphertexts(), params.seeded_ciphertext_size());
        for bytes in parts(&payload, MessageKind::EncryptedInput, count, size)? {
            inputs.push(SeededCiphertext::read(params, bytes)?.expand());
        }
        if self.view.operand_is_shared(action)? {
            let share = Zeroizing::new(plan.pack_input(self.view.operand(action)?));
            for (ciphertext, slots) in inputs.iter_mut().zip(share.iter()) {
                evaluator.add_plain(ciphertext, slots)?;
            }
        }
        let mut outputs = plan.run(evaluator, &inputs, &self.encoded[index])?;
        let mut out = Vec::new();
        for (ciphertext, mask) in outputs.iter_mut().zip(self.masks[index].iter()) {
            evaluator.rerandomize(ciphertext, mask, public, &mut self.rng)?;
            evaluator.mod_switch(ciphertext).write(&mut out);
        }
        Ok(out)
    }

    fn choices(&self, action: &Action, inbox: &mut Inbox) -> Result<ChoiceCorrections, PartyError> {
        let (circuit, batch) = self.view.circuit(action)?;
        let count = circuit.evaluator_input_bits() * batch;
        let payload = inbox.take(action, MessageKind::Choices)?;
        Ok(ChoiceCorrections::read(count, &payload)?)
    }

    fn accept_choices(
        &mut self,
        action: &Action,
        inbox: &mut Inbox,
    ) -> Result<Vec<u8>, PartyError> {
        let choices = self.choices(action, inbox)?;
        let (index, _) = self.view.step(action)?;
        let layer = self.view.layer(action)?;
        let garbled = self.garbled[index].as_mut().ok_or(out_of_order(action))?;
        let sends = garbled.sends.take().ok_or(out_of_order(action))?;
        let pieces = GarbledPieces::corrected(&layer, sends, &choices, &self.delta)?;
        garbled.pieces = Some(pieces);
        Ok(Vec::new())
    }

    fn transfer_labels(
        &mut self,
        action: &Action,
        inbox: &mut Inbox,
    ) -> Result<Vec<u8>, PartyError> {
        let choices = self.choices(action, inbox)?;
        let (index, _) = self.view.step(action)?;
        let garbled = self.garbled[index].take();
        let both = garbled.and_then(|garbled| Some((garbled.sends?, garbled.pieces?)));
        let (sends, pieces) = both.ok_or(out_of_order(action))?;
        let transfer = pieces.into_evaluator_inputs()?.transfer(sends, &choices)?;
        Ok(written(|out| transfer.write(out)))
    }
}
