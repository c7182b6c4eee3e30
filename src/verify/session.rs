//! Runs of a script between two parties over a stream, each action timed.
//!
//! Both walk through the same script: a party does its own actions and waits for the messages that
//! end the other's. Before that each shows the digest of its script; after it the server reports its
//! times and memory. Neither exchange is counted: they are no part of the protocol. The set-up is done
//! once, what follows as often as asked, each time a further inference of the same session.
//!
//! *Whose time is what.* A party's computation is timed where it runs, by the wall clock and by its thread's.
//! The link's is what the client waits for a message beyond the moment at which the server had it ready,
//! by the server's own times.
//!
//! Before an action for which the other one waits a party waits for a processor that is not shared, and it takes the pace
//! before and after every action ([`Watch`]). Before an inference, and within a machine before each stream of garbled pieces,
//! they meet and wait for cores that are near each other ([`super::nearness`]), and after it they look how fast the clock is ([`Watch::usual`]). None of that is counted, but for waits in which a shaped link went on to send.

use rand::CryptoRng;
use thiserror::Error;

use super::channel::{Channel, ChannelError};
use super::memory::peak_memory;
use super::nearness::{self, Nearness};
use super::tally::{Cost, Paces, Tally};
use crate::calibrate::{OwnPace, Taken, Watch, time, timed};
use crate::network::Weights;
use crate::predict::StoredBytes;
use crate::protocol::{Action, Client, Inbox, Party, PartyError, Phase, Script, Server};
use crate::units::Nanos;

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
    /// The client neither started an inference nor probed the link.
    #[error("the other party says {0}, which starts no inference")]
    Start(u8),
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

/// Finished inferences of one session, from the client's side.
#[derive(Debug, Clone)]
pub struct Run {
    /// The opened results, one an inference.
    pub results: Vec<Vec<i64>>,
    /// What each action took: those of the set-up once, the others once an inference.
    pub tally: Tally,
    /// The pace of a processor of one's own, for each party.
    pub paces: Paces,
    /// Bytes of garbled circuits that waited with each party in one inference.
    pub stored: StoredBytes,
    /// Most memory that the client's and the server's process have had, in bytes; 0 where that is unknown.
    pub peak_memory: [u64; 2],
}

impl Run {
    /// Without the first inferences, which took memory into use; the set-up stays.
    #[must_use]
    pub fn warmed_up(mut self, script: &Script, inferences: usize) -> Self {
        let skipped = inferences.min(self.results.len());
        self.results.drain(..skipped);
        let in_setup = |cost: &Cost| script.actions[cost.action].phase == Phase::Setup;
        let costs = &mut self.tally.costs;
        costs.retain(|cost| in_setup(cost) || cost.inference >= skipped);
        for cost in costs {
            cost.inference = cost.inference.saturating_sub(skipped);
        }
        self
    }

    /// Adds the inferences of a later session of the same script.
    pub fn append(&mut self, later: Self) {
        let before = self.results.len();
        self.results.extend(later.results);
        let costs = later.tally.costs.into_iter().map(|cost| Cost {
            inference: before + cost.inference,
            ..cost
        });
        self.tally.costs.extend(costs);
        self.paces = self.paces.merged(later.paces);
        self.stored = later.stored;
        self.peak_memory = later.peak_memory;
    }
}

/// How a party runs a script.
#[derive(Debug)]
pub struct SessionSettings {
    /// Inferences after one set-up; the other party's number must be the same.
    pub inferences: usize,
    /// Where messages wait.
    pub inbox: Inbox,
    /// What the client waits for before each inference, between parties on one machine.
    pub nearness: Option<Nearness>,
}

/// Which messages there are beside the script's: both parties must know the same.
const SESSION: u64 = 3;
/// Bytes of the server's report on one action: what the wait before it delayed, wall and thread time, the processor's pace.
const REPORT: usize = 32;

/// Looks at the processor's pace before an action, and where the other party can do nothing but wait for what follows
/// from it, waits for a processor that is not shared; how long that took.
fn look_or_wait(watch: &mut Watch, script: &Script, index: usize) -> Nanos {
    let from_here = script.actions.iter().skip(index);
    let next = from_here.clone().find(|action| action.sends.is_some());
    let party = |action: &Action| action.party;
    if next.map(party) == script.actions.get(index).map(party) {
        watch.wait()
    } else {
        watch.look_before()
    }
}

/// What a wait before an action delayed: nothing, where the link still had so much of its sending `ahead` that it
/// would not have been ready for the action's message without the wait either.
fn delay(waited: Nanos, computed: Nanos, ahead: Nanos) -> Nanos {
    let beyond = |time: Nanos| (time - ahead).0.max(0.0);
    Nanos(beyond(waited + computed) - beyond(computed))
}

/// Actions of one inference: in the first also those of the set-up.
fn round(script: &Script, inference: usize) -> impl Iterator<Item = (usize, &Action)> {
    let all = script.actions.iter().enumerate();
    all.filter(move |(_, action)| inference == 0 || action.phase != Phase::Setup)
}

/// Runs the server's side over a connected channel.
///
/// # Errors
/// [`RunError`]: the connection, the other party's messages, or another script on the other side.
pub fn serve<R: CryptoRng>(
    channel: &mut Channel,
    script: &Script,
    weights: &Weights,
    mut session: SessionSettings,
    watch: &mut Watch,
    rng: R,
) -> Result<(), RunError> {
    let within_machine = agree(channel, script, session.inferences)?;
    let mut server = Server::new(script, weights, rng)?;
    let (inferences, inbox) = (session.inferences, &mut session.inbox);
    let (mut report, mut usual) = (Vec::new(), Vec::new());
    let meetings = nearness::meetings(script, within_machine);
    for inference in 0..inferences {
        for (index, action) in round(script, inference) {
            if meetings[index] {
                nearness::started(channel)?;
            }
            if action.party == Party::Server {
                let ahead = channel.ahead();
                let waited = look_or_wait(watch, script, index);
                let (payload, taken) = timed(|| server.perform(action, inbox));
                let payload = payload?;
                send(channel, action, &payload)?;
                server.reclaim(action, payload);
                let delay = delay(waited, taken.wall, ahead);
                for time in [delay, taken.wall, taken.cpu, watch.worked(taken.wall)] {
                    report.extend_from_slice(&time.seconds().to_le_bytes());
                }
            } else if let Some(message) = action.sends {
                inbox.put(action, message, channel.receive(message)?)?;
            }
        }
        usual.extend_from_slice(&watch.usual().seconds().to_le_bytes());
    }
    report.extend_from_slice(&usual);
    report.extend_from_slice(&watch.own_pace().time().seconds().to_le_bytes());
    report.extend_from_slice(&peak_memory().to_le_bytes());
    report.extend_from_slice(&inbox.stored().0.to_le_bytes());
    Ok(channel.send_raw(&report)?)
}

/// Runs the client's side over a connected channel.
///
/// # Errors
/// [`RunError`]: the connection, the other party's messages, or another script on the other side.
pub fn request<R: CryptoRng>(
    channel: &mut Channel,
    script: &Script,
    input: &[i64],
    mut session: SessionSettings,
    watch: &mut Watch,
    rng: R,
) -> Result<Run, RunError> {
    let within_machine = agree(channel, script, session.inferences)?;
    let mut client = Client::new(script, input, rng)?;
    let (inferences, inbox) = (session.inferences, &mut session.inbox);
    let (mut costs, mut results, mut usual) = (Vec::new(), Vec::new(), Vec::new());
    let meetings = nearness::meetings(script, within_machine);
    for inference in 0..inferences {
        for (index, action) in round(script, inference) {
            if meetings[index] {
                nearness::start(channel, session.nearness)?;
            }
            let mut cost = Cost::of(index, inference);
            let before = channel.sent + channel.received;
            if action.party == Party::Client {
                let ahead = channel.ahead();
                let waited = look_or_wait(watch, script, index);
                let (payload, taken) = timed(|| client.perform(action, inbox));
                let payload = payload?;
                cost.delay = delay(waited, taken.wall, ahead);
                let (sent, sending) = time(|| send(channel, action, &payload));
                sent?;
                client.reclaim(action, payload);
                (cost.taken, cost.link) = (taken, sending);
                cost.pace = Some(watch.worked(taken.wall));
            } else if let Some(message) = action.sends {
                let (payload, waited) = time(|| channel.receive(message));
                inbox.put(action, message, payload?)?;
                cost.waited = waited;
            }
            cost.bytes = channel.sent + channel.received - before;
            costs.push(cost);
        }
        results.push(client.result().ok_or(RunError::NoResult)?.to_vec());
        usual.push(watch.usual());
    }
    let of_server = |cost: &&Cost| script.actions[cost.action].party == Party::Server;
    let actions = costs.iter().filter(of_server).count();
    let report = Report::receive(channel, actions, inferences)?;
    let paces = Paces {
        client: Some(watch.own_pace()),
        server: OwnPace::of(Some(report.pace).filter(|pace| pace.0 > 0.0)),
        usual: None,
    };
    let each = inferences.max(1) as u64;
    attribute(script, &meetings, (&report, &usual), &mut costs);
    Ok(Run {
        results,
        tally: Tally { costs },
        paces,
        stored: StoredBytes {
            client: inbox.stored().0 / each,
            server: report.stored / each,
        },
        peak_memory: [peak_memory(), report.peak],
    })
}

/// What the server reports at the end.
struct Report {
    /// Of each of its actions.
    times: Vec<u8>,
    /// The usual pace at the end of each inference.
    usual: Vec<Nanos>,
    /// The pace of a processor of its own.
    pace: Nanos,
    /// Most memory, in bytes.
    peak: u64,
    /// Bytes of circuits that waited.
    stored: u64,
}

impl Report {
    fn receive(
        channel: &mut Channel,
        actions: usize,
        inferences: usize,
    ) -> Result<Self, ChannelError> {
        let times = channel.receive_raw(REPORT * actions)?;
        let words = channel.receive_raw(8 * (inferences + 3))?;
        let mut words = words.as_chunks().0.iter().copied();
        let usual = words.by_ref().take(inferences).map(reported).collect();
        let mut next = || words.next().unwrap_or_default();
        Ok(Self {
            times,
            usual,
            pace: reported(next()),
            peak: u64::from_le_bytes(next()),
            stored: u64::from_le_bytes(next()),
        })
    }
}

/// A time that the server reports.
fn reported(bytes: [u8; 8]) -> Nanos {
    let seconds = f64::from_le_bytes(bytes);
    let finite = if seconds.is_finite() { seconds } else { 0.0 };
    Nanos::from_seconds(finite.clamp(0.0, 1e9))
}

/// Enters the server's times, the usual paces (`usual` are the client's), and what of the client's waiting was the link's.
fn attribute(
    script: &Script,
    meetings: &[bool],
    (report, usual): (&Report, &[Nanos]),
    costs: &mut [Cost],
) {
    let mut times = report.times.as_chunks().0.iter().copied().map(reported);
    let (mut client, mut server) = (0.0_f64, 0.0_f64);
    for cost in costs {
        let action = &script.actions[cost.action];
        let usual = match action.party {
            Party::Client => usual,
            Party::Server => &report.usual,
        };
        cost.usual = usual.get(cost.inference).copied();
        if meetings[cost.action] {
            // Each had done what comes before.
            let both = client.max(server);
            (client, server) = (both, both);
        }
        match action.party {
            Party::Client => {
                client += cost.delay.0 + cost.taken.wall.0 + cost.link.0;
                if action.sends.is_some() {
                    server = server.max(client);
                }
                client += cost.pace.unwrap_or_default().0;
            }
            Party::Server => {
                let mut next = || times.next().unwrap_or_default();
                cost.delay = next();
                cost.taken = Taken {
                    wall: next(),
                    cpu: next(),
                };
                cost.pace = Some(next()).filter(|pace| pace.0 > 0.0);
                server += cost.delay.0 + cost.taken.wall.0;
                if action.sends.is_some() {
                    let arrival = client + cost.waited.0;
                    cost.link = Nanos((arrival - server.max(client)).max(0.0));
                    (client, server) = (arrival, server.max(arrival));
                }
                server += cost.pace.unwrap_or_default().0;
            }
        }
    }
}

fn send(channel: &mut Channel, action: &Action, payload: &[u8]) -> Result<(), RunError> {
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

/// Both parties show the digest of what they are about to run; whether both have an unshaped channel within a machine.
fn agree(channel: &mut Channel, script: &Script, inferences: usize) -> Result<bool, RunError> {
    let mine = digest(script, inferences);
    let within_machine = channel.within_machine();
    channel.send_raw(&mine)?;
    channel.send_raw(&[u8::from(within_machine)])?;
    let theirs = channel.receive_raw(mine.len())?;
    if theirs != mine {
        return Err(RunError::OtherScript);
    }
    let mut flag = [0];
    channel.receive_raw_into(&mut flag)?;
    Ok(within_machine && flag == [1])
}

fn digest(script: &Script, inferences: usize) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
    hasher.update(&(inferences as u64).to_le_bytes());
    hasher.update(&SESSION.to_le_bytes());
    // Writing plain data to memory does not fail; if it did, both sides would differ and stop.
    if let Ok(text) = serde_json::to_vec(script) {
        hasher.update(&text);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wait of 5 ms before 3 ms of computing: on a link that is idle, or busy for 2, 6, 8 or 80 ms.
    #[test]
    fn a_wait_in_which_the_link_still_sends_delays_nothing() {
        let delayed = |ahead| delay(Nanos(5.0), Nanos(3.0), Nanos(ahead)).0;
        assert_eq!(
            [0.0, 2.0, 6.0, 8.0, 80.0].map(delayed),
            [5.0, 5.0, 2.0, 0.0, 0.0]
        );
    }

    /// What is no time is none.
    #[test]
    fn reported_times_are_finite_and_positive() {
        let of = |seconds: f64| reported(seconds.to_le_bytes());
        assert_eq!(of(0.5), Nanos(5e8));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            assert_eq!(of(bad), Nanos(0.0), "{bad}");
        }
        assert_eq!(of(1e300), Nanos(1e18));
    }
}
