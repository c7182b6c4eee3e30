//! The client: owns the input and the secret keys; evaluates the circuits, or garbles them.
//!
//! It walks through a [`Script`]: [`Client::perform`] does one of its actions, given the messages that
//! have arrived, and returns the message that ends it. No I/O and no clock here.

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::circuit_side::CircuitSide;
use super::error::PartyError;
use super::inbox::{Inbox, parts};
use super::party::{View, out_of_order};
use super::roles::Party;
use super::shares;
use super::work::{Act, Action, MessageKind, Script};
use crate::bfv::{GaloisKeys, PublicKey, Reply, SecretKey, Wire};
use crate::packing::residue;

/// The client's state in a run.
pub struct Client<'a, R> {
    view: View<'a>,
    keys: Vec<SecretKey>,
    circuits: CircuitSide,
    result: Option<Vec<i64>>,
    rng: R,
}

impl<'a, R: CryptoRng> Client<'a, R> {
    /// A client with the network's quantized input, in channel, row, column order.
    ///
    /// # Errors
    /// An input of the wrong length or range, or parameters below their security level.
    pub fn new(script: &'a Script, input: &[i64], mut rng: R) -> Result<Self, PartyError> {
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
        let input = input.iter().map(|&x| residue(x, p)).collect();
        Ok(Self {
            view: View::new(script, input)?,
            keys: Vec::new(),
            circuits: CircuitSide::of(Party::Client, script, &mut rng),
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
            Act::EncryptInput => self.encrypt(action),
            Act::DecryptReply => self.decrypt(action, inbox),
            Act::Reserve => self.view.reserve(Party::Client, inbox),
            Act::Local => self.view.run_local(action),
            Act::Reconstruct => self.reconstruct(action, inbox),
            _ => self
                .circuits
                .perform(action, &mut self.view, inbox, &mut self.rng),
        }
    }

    /// Takes back the message that ended `action`, once it has been sent: its memory may serve the next one.
    pub fn reclaim(&mut self, action: &Action, message: Vec<u8>) {
        self.circuits.reclaim(action, message);
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
        let mut out = Vec::with_capacity(public.wire_size() + galois.wire_size());
        public.write(&mut out);
        galois.write(&mut out);
        Ok(out)
    }

    fn encrypt(&mut self, action: &Action) -> Result<Vec<u8>, PartyError> {
        let (_, params, ring) = self.view.linear(action)?;
        let key = self.keys.get(ring).ok_or(out_of_order(action))?;
        let packed = self.view.packed(action)?;
        let count = packed.iter().map(Vec::len).sum::<usize>();
        let mut out = Vec::with_capacity(count * params.seeded_ciphertext_size());
        for slots in packed.iter().flatten() {
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

    fn reconstruct(&mut self, action: &Action, inbox: &mut Inbox) -> Result<Vec<u8>, PartyError> {
        let payload = inbox.take(action, MessageKind::Opening)?;
        let (own, step, p) = self.view.result(action)?;
        let residues = PartyError::Residues {
            kind: MessageKind::Opening,
        };
        self.result = Some(shares::opened(&step.kind, own, &payload, p).ok_or(residues)?);
        Ok(Vec::new())
    }
}
