//! Waits before an inference, and before streams within it, until the two parties' cores are near each other ([`wait_for_near`]).
//!
//! The client sends probes, which the server acknowledges, and both nap between, until they take hardly longer
//! than the profile's between near cores; for some seconds at most. No party is sent anything that depends on its input.

use std::time::Duration;

use super::channel::{Channel, ChannelError};
use super::session::RunError;
use crate::calibrate::{Near, PROBES, TRIPS, now, quickest, wait_for_near};
use crate::protocol::{Act, Action, Phase, Script};

/// The inference begins.
const START: u8 = 0x21;
/// A group of probes follows, a byte of one, or its acknowledgement.
const GROUP: u8 = 0x22;
/// How long a server answers groups before one inference.
const PATIENT: Duration = Duration::from_secs(60);

/// How near the parties' cores are to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearness {
    /// The round trip between cores that are near.
    pub near: Near,
    /// How long to wait for them before an inference.
    pub most: Duration,
}

/// Whether the parties meet before each action: before the first of an inference, and within a machine
/// before each stream of pieces, so that its cores are near then too.
pub(super) fn meetings(script: &Script, within_machine: bool) -> Vec<bool> {
    let in_setup = |action: &&Action| action.phase == Phase::Setup;
    let first = script.actions.iter().take_while(in_setup).count();
    let all = script.actions.iter().enumerate();
    all.map(|(index, action)| {
        index == first || (within_machine && index > first && action.act == Act::Garble(0))
    })
    .collect()
}

/// The client's side: waits as long as `nearness` says, where both parties are on this machine, and starts the inference.
pub(super) fn start(channel: &mut Channel, nearness: Option<Nearness>) -> Result<(), ChannelError> {
    if let Some(Nearness { near, most }) = nearness.filter(|_| channel.within_machine()) {
        let end = now() + 2 * most;
        wait_for_near(Some(near), most, || {
            channel.send_raw(&[GROUP])?;
            quickest(|| {
                if now() > end {
                    let seconds = (2 * most).as_secs_f64();
                    return Err(ChannelError::Silent { seconds });
                }
                channel.send_raw(&[GROUP])?;
                channel.receive_raw_into(&mut [0])
            })
        })?;
    }
    channel.send_raw(&[START])
}

/// The server's side: acknowledges probes until the client starts the inference.
pub(super) fn started(channel: &mut Channel) -> Result<(), RunError> {
    let end = now() + PATIENT;
    while now() < end {
        match channel.receive_asleep()? {
            START => return Ok(()),
            GROUP => {
                for _ in 0..PROBES * TRIPS {
                    if now() > end {
                        return Err(RunError::Start(GROUP));
                    }
                    channel.receive_raw_into(&mut [0])?;
                    channel.send_raw(&[GROUP])?;
                }
            }
            tag => return Err(RunError::Start(tag)),
        }
    }
    Err(RunError::Start(GROUP))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{pair, toy};
    use super::*;
    use crate::protocol::{Link, StepPlan};

    /// The most that is waited.
    const MOST: Duration = Duration::from_secs(1);

    /// How long a start takes where cores with such a probe are near.
    fn started_after(near: &str, shaped: Option<Link>) -> Duration {
        let (mut client, mut server) = pair();
        if let Some(link) = shaped {
            client = client.shaped(link).unwrap();
        }
        let near = near.parse().unwrap();
        let server = std::thread::spawn(move || started(&mut server));
        let began = now();
        start(&mut client, Some(Nearness { near, most: MOST })).unwrap();
        server.join().unwrap().unwrap();
        assert_eq!((client.sent, client.received), (0, 0), "none of it counts");
        began.elapsed()
    }

    #[test]
    fn it_waits_for_near_cores_but_not_for_ever() {
        assert!(started_after("9000000000 ns", None) < MOST);
        assert!(started_after("1 ns", None) >= MOST);
        assert!(started_after("1 ns", Some(Link::LAN)) < MOST);
    }

    /// The other party meets at the same actions: none of the set-up, the first of an inference, and the first piece of each layer.
    #[test]
    fn parties_meet_before_an_inference_and_before_each_stream() {
        let script = toy().script;
        let actions = |within_machine| {
            let met = meetings(&script, within_machine).into_iter();
            let met = script.actions.iter().zip(met).filter(|(_, met)| *met);
            met.map(|(action, _)| action).collect::<Vec<&Action>>()
        };
        let first = script.actions.iter().find(|a| a.phase != Phase::Setup);
        assert_eq!(actions(false), [first.unwrap()]);
        let [begun, streams @ ..] = &*actions(true) else {
            panic!("nowhere")
        };
        assert_eq!(*begun, first.unwrap());
        let circuits = script.steps.iter();
        let circuits = circuits.filter(|step| matches!(step, StepPlan::Circuit { .. }));
        assert_eq!(streams.len(), circuits.count());
        assert!(streams.iter().all(|action| action.act == Act::Garble(0)));
    }

    #[test]
    fn what_starts_no_inference_ends_the_run() {
        let (mut near, mut far) = pair();
        near.send_raw(&[0xa5]).unwrap();
        let error = started(&mut far).unwrap_err().to_string();
        assert!(error.contains("165"), "{error}");
        drop(near);
        assert!(matches!(started(&mut far), Err(RunError::Channel(_))));
    }
}
