//! The server: owns the weights, computes on ciphertexts; garbles the circuits, or evaluates them.
//!
//! It walks through a [`Script`]: [`Server::perform`] does one of its actions, given the messages that
//! have arrived, and returns the message that ends it. No I/O and no clock here.

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::circuit_side::CircuitSide;
use super::error::PartyError;
use super::inbox::{Inbox, parts};
use super::party::{View, out_of_order};
use super::roles::{Party, WeightEncoding};
use super::shares;
use super::square;
use super::work::{Act, Action, MessageKind, Script};
use crate::batch;
use crate::bfv::{
    BfvError, Evaluator, GaloisKeys, HeOps, Plaintext, PublicKey, SeededCiphertext, Wire,
};
use crate::network::Weights;
use crate::packing::{Windowed, WindowedCiphertext, residue};

/// The server's state in a run.
pub struct Server<'a, R> {
    view: View<'a>,
    weights: &'a Weights,
    rings: Vec<(PublicKey, Evaluator)>,
    /// Encoded weights, by step, each in its windows.
    encoded: Vec<Vec<Vec<Plaintext>>>,
    /// Twice the server's share of a square's operand, encoded, by step.
    doubled: Vec<Zeroizing<Vec<Vec<Plaintext>>>>,
    /// What the server adds to the reply's slots, by step and ciphertext: −r, and in a square the square of
    /// its share.
    masks: Vec<Zeroizing<Vec<Vec<u64>>>>,
    circuits: CircuitSide,
    rng: R,
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
            doubled: (0..steps).map(|_| Zeroizing::default()).collect(),
            masks: vec![Zeroizing::default(); steps],
            circuits: CircuitSide::of(Party::Server, script, &mut rng),
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
            Act::EncodeShare => self.encode_share(action),
            Act::DrawShare if self.view.linear(action).is_ok() => self.draw_share(action),
            Act::ApplyLinear => self.apply_linear(action, inbox),
            Act::Reserve => self.view.reserve(Party::Server, inbox),
            Act::Local => self.view.run_local(action),
            Act::Open => {
                let (share, _, p) = self.view.result(action)?;
                Ok(shares::pack(share, shares::width(p)))
            }
            _ => self
                .circuits
                .perform(action, &mut self.view, inbox, &mut self.rng),
        }
    }

    /// Takes back the message that ended `action`, once it has been sent: its memory may serve the next one.
    pub fn reclaim(&mut self, action: &Action, message: Vec<u8>) {
        self.circuits.reclaim(action, message);
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

    fn encode_weights(&mut self, action: &Action) -> Result<Vec<u8>, PartyError> {
        let (plan, _, ring) = self.view.linear(action)?;
        let (index, _) = self.view.step(action)?;
        if self.view.weight_encoding(action)? == WeightEncoding::Ahead {
            let all = (0..plan.weight_count()).collect();
            let encoded = batch::try_map(all, self.encoder(action)?)?;
            self.encoded[index] = encoded;
        }
        let (_, evaluator) = self.rings.get(ring).ok_or(out_of_order(action))?;
        evaluator.reserve(self.view.windows(action)?.working(plan));
        Ok(Vec::new())
    }

    /// Encodes any one of a step's plaintexts of weights.
    fn encoder(
        &self,
        action: &Action,
    ) -> Result<impl Fn(usize) -> Result<Vec<Plaintext>, BfvError> + '_, PartyError> {
        let (plan, params, ring) = self.view.linear(action)?;
        let (_, step) = self.view.step(action)?;
        let layer = self.weights.layers.get(&step.name);
        let layer = layer.ok_or(PartyError::Weights {
            layer: step.name.clone(),
        })?;
        let weights: Vec<i64> = layer.weight.iter().map(|&w| i64::from(w)).collect();
        let (_, evaluator) = self.rings.get(ring).ok_or(out_of_order(action))?;
        let (p, windows) = (params.plaintext_modulus(), self.view.windows(action)?);
        let ops = Windowed::new(evaluator, windows);
        Ok(move |index| ops.encode(&plan.weight_slots(&weights, p, index)))
    }

    /// Twice the server's share of a square's operand, encoded, and its square in the masks.
    fn encode_share(&mut self, action: &Action) -> Result<Vec<u8>, PartyError> {
        let (plan, params, ring) = self.view.linear(action)?;
        let (index, _) = self.view.step(action)?;
        let (share, p) = (self.view.operand(action)?, params.plaintext_modulus());
        let (_, evaluator) = self.rings.get(ring).ok_or(out_of_order(action))?;
        let factors = square::doubled(share, p);
        let ops = Windowed::new(evaluator, self.view.windows(action)?);
        let encode = |index| {
            let slots = Zeroizing::new(plan.weight_slots(&factors, p, index));
            ops.encode(&slots)
        };
        let doubled = batch::try_map((0..plan.weight_count()).collect(), encode)?;
        self.doubled[index] = Zeroizing::new(doubled);
        square::add_squares(&mut self.masks[index], plan, share, p);
        Ok(Vec::new())
    }

    /// The server's share of a linear step's result, r + bias, with the masks −r.
    fn draw_share(&mut self, action: &Action) -> Result<Vec<u8>, PartyError> {
        let (plan, params, _) = self.view.linear(action)?;
        let (index, step) = self.view.step(action)?;
        let p = self.view.p_out(step);
        let (count, n) = (plan.output_ciphertexts(), params.degree());
        let mut draw = || shares::drawn(n, p, &mut self.rng);
        let r: Zeroizing<Vec<Vec<u64>>> = Zeroizing::new((0..count).map(|_| draw()).collect());
        let share = plan.unpack_output(&r);
        let negated = |slots: &Vec<u64>| shares::negated(slots, p);
        self.masks[index] = Zeroizing::new(r.iter().map(negated).collect());
        let share = self.with_bias(action, share)?;
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
            let bias = residue(bias, p);
            values
                .iter_mut()
                .for_each(|value| *value = shares::add(*value, bias, p));
        }
        Ok(share)
    }

    fn apply_linear(&mut self, action: &Action, inbox: &mut Inbox) -> Result<Vec<u8>, PartyError> {
        let (plan, params, ring) = self.view.linear(action)?;
        let (index, _) = self.view.step(action)?;
        let (public, evaluator) = self.rings.get(ring).ok_or(out_of_order(action))?;
        let payload = inbox.take(action, MessageKind::EncryptedInput)?;
        let windows = self.view.windows(action)?;
        let mut sent = Vec::new();
        let (count, size) = (windows.inputs(plan), params.seeded_ciphertext_size());
        for bytes in parts(&payload, MessageKind::EncryptedInput, count, size)? {
            sent.push(SeededCiphertext::read(params, bytes)?.expand());
        }
        if self.view.operand_is_shared(action)? {
            let share = self.view.packed(action)?;
            for (ciphertext, slots) in sent.iter_mut().zip(share.iter().flatten()) {
                evaluator.add_plain(ciphertext, slots)?;
            }
        }
        let mut sent = sent.into_iter();
        let inputs = (0..plan.input_ciphertexts()).map(|_| {
            let all = sent.by_ref().take(windows.count());
            WindowedCiphertext(all.collect())
        });
        let inputs: Vec<_> = inputs.collect();
        let ops = Windowed::new(evaluator, windows);
        let kept = |factors: &[Vec<Plaintext>]| {
            plan.run_threaded(&ops, &inputs, |index| Ok(&factors[index]))
        };
        let outputs = match self.view.weight_encoding(action)? {
            WeightEncoding::Ahead => kept(&self.encoded[index])?,
            WeightEncoding::OfShare => kept(&self.doubled[index])?,
            WeightEncoding::Streamed => {
                let ops = ops.one_by_one();
                plan.run_threaded(&ops, &inputs, self.encoder(action)?)?
            }
        };
        let outputs = outputs.into_iter().flat_map(|output| output.0);
        let mut out = Vec::with_capacity(plan.output_ciphertexts() * params.reply_size());
        for (mut ciphertext, mask) in outputs.zip(self.masks[index].iter()) {
            evaluator.rerandomize(&mut ciphertext, mask, public, &mut self.rng)?;
            evaluator.mod_switch(&ciphertext).write(&mut out);
        }
        Ok(out)
    }
}
