//! The client: owns the input and the secret keys, evaluates the circuits.
//!
//! It walks through a [`Script`]: [`Client::perform`] does one of its actions, given the messages that
//! have arrived, and returns the message that ends it. No I/O and no clock here.

use rand::CryptoRng;

use super::error::PartyError;
use super::inbox::Inbox;
use super::shares;
use super::work::{Act, Action, MessageKind, Script, StepPlan};
use crate::bfv::{
    BfvParams, GaloisKeys, PublicKey, Reply, SecretKey, SeededCiphertext, Wire,
};
use crate::gc;
use crate::network::{ResolvedNetwork, Source};

/// The client's state in a run.
pub struct Client<'a, R> {
    script: &'a Script,
    input: Vec<u64>,
    params: Vec<Option<BfvParams>>,
    keys: Vec<SecretKey>,
    shares: Vec<Vec<u64>>,
    base: Option<gc::BaseSender>,
    transfers: Option<gc::ExtensionReceiver>,
    choices: Vec<Option<gc::RandomChoices>>,
    pending: Option<gc::PendingLabels>,
    result: Option<Vec<i64>>,
    rng: R,
}
