//! One run of a script between two parties over a stream, each action timed.
//!
//! Both walk through the same script: a party does its own actions and waits for the messages that
//! end the other's. Before that each shows the digest of its script; after it the server reports its
//! times and how much waited with it. Neither exchange is counted: they are no part of the protocol.
//!
//! *Whose time is what.* A party's computation is timed where it runs. The link's is what the client
//! waits for a message beyond the moment at which the server had it ready, by the server's own times.

use std::net::TcpStream;

use rand::CryptoRng;
use thiserror::Error;

use super::channel::{Channel, ChannelError};
use super::outcome::Measured;
use crate::calibrate::time;
use crate::network::Weights;
use crate::predict::{BytesSplit, SecondsSplit, StoredBytes};
use crate::protocol::{Client, Inbox, Party, PartyError, Phase, Script, Server};

/// Why a run ended without a result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The channel failed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A party could not do its part.
    #[error(transparent)]
    Party(#[from] PartyError),
    /// The parties were not given the same network, parameters and weights.
    #[error(
        "the other party runs another script: give both the same network, weights, --calibration, \
             --link and other flags"
    )]
    OtherScript,
    /// The script ended without a result.
    #[error("the script opens no result")]
    NoResult,
    /// A message does not have the length that was predicted.
    #[error("`{act}` made a message of {made} bytes, {foretold} were predicted")]
    Length {
        /// The action.
        act: String,
        /// Bytes made.
        made: u64,
        /// Bytes predicted.
        foretold: u64,
    },
}

/// What one action took.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    computation: f64,
    link: f64,
    bytes: u64,
}

/// A finished run, from the client's side.
#[derive(Debug, Clone)]
pub struct Run {
    /// The opened result.
    pub result: Vec<i64>,
    /// What each step took.
    pub steps: Vec<Measured>,
    /// What the set-up took.
    pub setup: Measured,
    /// Bytes of garbled circuits that waited with each party.
    pub stored: StoredBytes,
}

/// Runs the server's side over a connected stream; messages wait in `inbox`.
///
/// # Errors
/// [`RunError`]: the connection, the other party's messages, or another script on the other side.
pub fn serve<R: CryptoRng>(
    stream: TcpStream,
    script: &Script,
    weights: &Weights,
    mut inbox: Inbox,
    rng: R,
) -> Result<(), RunError> {
    let mut channel = Channel::new(stream)?;
    agree(&mut channel, script)?;
    let mut server = Server::new(script, weights, rng)?;
    let mut times = Vec::new();
    for action in &script.actions {
        if action.party == Party::Server {
            let (payload, taken) = time(|| server.perform(action, &mut inbox));
            times.extend_from_slice(&taken.seconds().to_le_bytes());
            send(&mut channel, action, &payload?)?;
        } else if let Some(message) = action.sends {
            inbox.put(action, message, channel.receive(message)?)?;
        }
    }
    times.extend_from_slice(&inbox.stored().0.to_le_bytes());
    Ok(channel.send_raw(&times)?)
}

/// Runs the client's side over a connected stream; messages wait in `inbox`.
///
/// # Errors
/// [`RunError`]: the connection, the other party's messages, or another script on the other side.
pub fn request<R: CryptoRng>(
    stream: TcpStream,
    script: &Script,
    input: &[i64],
    mut inbox: Inbox,
    rng: R,
) -> Result<Run, RunError> {
    let mut channel = Channel::new(stream)?;
    agree(&mut channel, script)?;
    let mut client = Client::new(script, input, rng)?;
    let mut costs = vec![Cost::default(); script.actions.len()];
    let mut waits = vec![0.0; script.actions.len()];
    for ((action, cost), wait) in script.actions.iter().zip(&mut costs).zip(&mut waits) {
        let before = channel.sent + channel.received;
        if action.party == Party::Client {
            let (payload, taken) = time(|| client.perform(action, &mut inbox));
            let (sent, sending) = time(|| send(&mut channel, action, &payload?));
            sent?;
            (cost.computation, cost.link) = (taken.seconds(), sending.seconds());
        } else if let Some(message) = action.sends {
            let (payload, waited) = time(|| channel.receive(message));
            inbox.put(action, message, payload?)?;
            *wait = waited.seconds();
        }
        cost.bytes = channel.sent + channel.received - before;
    }
    let servers = script
        .actions
        .iter()
        .filter(|a| a.party == Party::Server)
        .count();
    let times = channel.receive_raw(8 * servers)?;
    let mut server = [0; 8];
    server.copy_from_slice(&channel.receive_raw(8)?);
    let stored = StoredBytes {
        client: inbox.stored().0,
        server: u64::from_le_bytes(server),
    };
    attribute(script, &times, &waits, &mut costs);
    let result = client.result().ok_or(RunError::NoResult)?.to_vec();
    let (steps, setup) = summed(script, &costs);
    Ok(Run {
        result,
        steps,
        setup,
        stored,
    })
}

/// Enters the server's times, and what of the client's waiting was the link's.
fn attribute(script: &Script, times: &[u8], waits: &[f64], costs: &mut [Cost]) {
    let mut times = times
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| f64::from_le_bytes(bytes));
    let (mut client, mut server) = (0.0_f64, 0.0_f64);
    for ((action, cost), wait) in script.actions.iter().zip(costs).zip(waits) {
        match action.party {
            Party::Client => {
                client += cost.computation + cost.link;
                if action.sends.is_some() {
                    server = server.max(client);
                }
            }
            Party::Server => {
                let taken = times.next().unwrap_or_default();
                cost.computation = if taken.is_finite() {
                    taken.clamp(0.0, 1e9)
                } else {
                    0.0
                };
                server += cost.computation;
                if action.sends.is_some() {
                    let arrival = client + wait;
                    cost.link = (arrival - server.max(client)).max(0.0);
                    (client, server) = (arrival, server.max(arrival));
                }
            }
        }
    }
}

/// What each step took, and the set-up.
fn summed(script: &Script, costs: &[Cost]) -> (Vec<Measured>, Measured) {
    let mut steps = vec![Measured::default(); script.steps.len()];
    let mut setup = Measured::default();
    for (action, cost) in script.actions.iter().zip(costs) {
        let step = action.step.and_then(|index| steps.get_mut(index));
        let target = match (action.phase, step) {
            (Phase::Offline | Phase::Online, Some(step)) => step,
            _ => &mut setup,
        };
        let (party, phase) = (action.party, action.phase);
        target
            .seconds
            .add(&SecondsSplit::of(party, phase, cost.computation, cost.link));
        target.bytes.add(&BytesSplit::of(party, phase, cost.bytes));
    }
    (steps, setup)
}

fn send(
    channel: &mut Channel,
    action: &crate::protocol::Action,
    payload: &[u8],
) -> Result<(), RunError> {
    let Some(message) = action.sends else {
        return Ok(());
    };
    let (made, foretold) = (payload.len() as u64, message.payload.0);
    if made != foretold {
        return Err(RunError::Length {
            act: format!("{:?}", action.act),
            made,
            foretold,
        });
    }
    Ok(channel.send(message.kind, payload)?)
}

/// Both parties show the digest of what they are about to run.
fn agree(channel: &mut Channel, script: &Script) -> Result<(), RunError> {
    let mine = digest(script);
    channel.send_raw(&mine)?;
    let theirs = channel.receive_raw(mine.len())?;
    if theirs == mine {
        Ok(())
    } else {
        Err(RunError::OtherScript)
    }
}

fn digest(script: &Script) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
    // Writing plain data to memory does not fail; if it did, both sides would differ and stop.
    if let Ok(text) = serde_json::to_vec(script) {
        hasher.update(&text);
    }
    *hasher.finalize().as_bytes()
}
