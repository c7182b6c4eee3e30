//! Waits before an inference until the two parties' cores are near each other.
//!
//! A hypervisor places the cores of a virtual machine on those of its own and moves them about. Where two of them share no
//! cache, what one has written reaches the other late: on a Zen 4 a garbled piece of 1.2 MB took 0.16 or 0.61 ms through the
//! loopback (link of `Garble` over its count, among the acts of `nass verify lenet-mnist --inferences 5 --format json`, in
//! sessions minutes apart). Cores that compute on and on stay as they are; one that slept is placed anew when it wakes.
//!
//! So the client sends probes, which the server acknowledges, and both nap between, until a probe takes hardly longer
//! than the profile tells; for a few seconds at most. No party is sent anything that depends on its input.

use std::thread;
use std::time::Duration;

use super::channel::{Channel, ChannelError};
use super::session::RunError;
use crate::calibrate::{now, time};
use crate::protocol::Link;
use crate::units::{Bytes, Nanos};

/// The inference begins.
const START: u8 = 0x21;
/// A group of probes follows.
const PROBE: u8 = 0x22;
/// Bytes of a probe.
const LENGTH: usize = 1 << 20;
/// Probes of a group, of which the quickest counts: the first ones find the caches cold.
const GROUP: usize = 3;
/// Times what the profile tells of near cores, from which they are far.
const FAR: f64 = 2.0;
/// Sleep between two groups.
const NAP: Duration = Duration::from_micros(100);
/// Groups that a server answers before one inference.
const PATIENT: usize = 10_000;

/// How near the parties' cores are to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearness {
    /// The link between cores that are near.
    pub link: Link,
    /// How long to wait for them before an inference.
    pub most: Duration,
}

impl Nearness {
    fn is_near(&self, probe: Nanos) -> bool {
        probe.0 <= FAR * self.link.time(Bytes(LENGTH as u64)).0
    }
}

/// The client's side: waits as long as `nearness` says, where both parties are on this machine, and starts the inference.
pub(super) fn start(channel: &mut Channel, nearness: Option<Nearness>) -> Result<(), ChannelError> {
    if let Some(nearness) = nearness.filter(|_| channel.within_machine()) {
        let message = vec![0x5a; LENGTH];
        let end = now() + nearness.most;
        while !nearness.is_near(probe(channel, &message)?) && now() < end {
            thread::sleep(NAP);
        }
    }
    channel.send_raw(&[START])
}

/// The quickest of a group of probes.
fn probe(channel: &mut Channel, message: &[u8]) -> Result<Nanos, ChannelError> {
    channel.send_raw(&[PROBE])?;
    let mut quickest = Nanos(f64::INFINITY);
    for _ in 0..GROUP {
        let (acknowledged, taken) = time(|| {
            channel.send_raw(message)?;
            channel.receive_raw_into(&mut [0])
        });
        acknowledged?;
        quickest = Nanos(quickest.0.min(taken.0));
    }
    Ok(quickest)
}

/// The server's side: acknowledges probes until the client starts the inference.
pub(super) fn started(channel: &mut Channel) -> Result<(), RunError> {
    let mut message = Vec::new();
    for _ in 0..PATIENT {
        match channel.receive_asleep()? {
            START => return Ok(()),
            PROBE => {
                message.resize(LENGTH, 0);
                for _ in 0..GROUP {
                    channel.receive_raw_into(&mut message)?;
                    channel.send_raw(&[PROBE])?;
                }
            }
            tag => return Err(RunError::Start(tag)),
        }
    }
    Err(RunError::Start(PROBE))
}

#[cfg(test)]
mod tests {
    use super::super::tests::pair;
    use super::*;

    /// The most that is waited.
    const MOST: Duration = Duration::from_secs(1);

    /// How long a start takes where a probe should take half of `rtt_ms`.
    fn started_after(rtt_ms: f64, shaped: Option<Link>) -> Duration {
        let (mut near, mut far) = pair();
        if let Some(link) = shaped {
            near = near.shaped(link).unwrap();
        }
        let link = Link {
            rtt_ms,
            ..Link::parse("mbit=1e12,rtt_ms=0").unwrap()
        };
        let server = thread::spawn(move || started(&mut far));
        let began = now();
        start(&mut near, Some(Nearness { link, most: MOST })).unwrap();
        server.join().unwrap().unwrap();
        assert_eq!((near.sent, near.received), (0, 0), "none of it counts");
        began.elapsed()
    }

    #[test]
    fn it_waits_for_near_cores_but_not_for_ever() {
        assert!(started_after(1e4, None) < MOST);
        assert!(started_after(0.0, None) >= MOST);
        assert!(started_after(0.0, Some(Link::LAN)) < MOST);
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
