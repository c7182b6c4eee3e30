//! The loopback link: a real TCP connection between two threads, set up as one between two parties.
//!
//! One run sends a message and waits for the single byte that says it has all arrived. With a message
//! of one byte that is a round trip; the runner takes the round trip off the time of longer ones. A sender goes on as soon
//! as the system has its message, before it has arrived: that is measured apart. So are messages of a sender that has just
//! gone through other things: what the system needs for the sending has left the caches too.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::case::{Case, Op, WorkingSet};
use super::clock::{now, time};
use super::nearness::{Near, PROBES, TRIPS, quickest, wait_for_near};
use super::polling;
use super::sweep::Sweep;
use super::workload::{Workload, WorkloadError};
use crate::units::{Bytes, Nanos};

/// A peer that says nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages are taken into so much memory in turn, as those that wait are.
const COLD: usize = 64 << 20;
/// Bytes of it that are taken in at once.
const PART: usize = 128 << 10;
/// Longest message.
const LONGEST: usize = 1 << 30;

pub(super) fn workload(case: &Case) -> Result<Workload<'static>, WorkloadError> {
    let bytes = case.param("bytes").and_then(|bytes| bytes.parse().ok());
    let allowed = |bytes: &usize| match case.op {
        Op::RoundTrip => *bytes == 1,
        _ => (1..=LONGEST).contains(bytes),
    };
    let bytes = bytes
        .filter(allowed)
        .ok_or_else(|| WorkloadError::case(case, "message"))?;
    let mut loopback = Loopback::to(move |stream| acknowledge(stream, bytes, places(bytes)))?;
    let size = Bytes(bytes as u64);
    if case.working_set != WorkingSet::Hot {
        let sweep = Sweep::before(case.working_set);
        let prepare = move || {
            sweep.run();
            Ok(vec![0x5a; bytes])
        };
        let run = move |message: Vec<u8>| {
            loopback.exchange(&message)?;
            Ok(message)
        };
        return Ok(Workload::once(size, prepare, run));
    }
    let mut message = vec![0x5a; bytes];
    let workload = if case.op == Op::HandOver {
        Workload::in_parts(size, move || Ok(loopback.hand_over(&mut message)?))
    } else {
        Workload::again(size, move || Ok(loopback.exchange(&message)?))
    };
    Ok(workload.through(places(bytes)))
}

/// Waits until the cores of the loopback's ends are near each other, as in [`wait_for_near`]; the last
/// round trip.
pub(super) fn wait(known: Option<Near>, most: Duration) -> Result<Nanos, WorkloadError> {
    let mut loopback = Loopback::to(answer_probes)?;
    Ok(wait_for_near(known, most, || {
        loopback.send(&[1])?;
        quickest(|| loopback.exchange(&[1]))
    })?)
}

/// Places that messages of a length are taken into in turn.
const fn places(bytes: usize) -> usize {
    if bytes == 1 { 1 } else { COLD / bytes + 1 }
}

/// The sending end; the other one is a thread that takes in what comes.
pub(super) struct Loopback {
    stream: TcpStream,
    peer: Option<JoinHandle<()>>,
    _cores: Cores,
}

/// Cores that a thread may run on; gives the measuring thread all of them back when dropped. The ends of the link
/// run on cores of their own, as two busy parties do: on one core they would take turns, or not, by chance.
struct Cores(Option<CpuSet>);

/// Cores for the other end.
struct Others(Option<CpuSet>);

impl Cores {
    /// The first core for this thread, the rest for another.
    fn split() -> (Self, Others) {
        let all = sched_getaffinity(None).ok();
        let all = all.filter(|cores| cores.count() > 1);
        let first = |all: &CpuSet| (0..CpuSet::MAX_CPU).find(|&core| all.is_set(core));
        let Some((all, first)) = all.and_then(|all| Some((all, first(&all)?))) else {
            return (Self(None), Others(None));
        };
        let (mut own, mut rest) = (CpuSet::new(), all);
        own.set(first);
        rest.unset(first);
        Others(Some(own)).take();
        (Self(Some(all)), Others(Some(rest)))
    }
}

impl Others {
    /// Moves this thread there; where that is not allowed it stays.
    fn take(self) {
        if let Some(cores) = self.0 {
            let _ = sched_setaffinity(None, &cores);
        }
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        Others(self.0.take()).take();
    }
}

impl Loopback {
    /// To a thread that takes in messages of any length, as those that wait.
    pub(super) fn to_waiting() -> io::Result<Self> {
        Self::to(take_in)
    }

    /// To a thread that does this with its end.
    fn to(peer: impl FnOnce(&TcpStream) -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        let (other, _) = listener.accept()?;
        for end in [&stream, &other] {
            polling::ready(end)?;
        }
        let builder = thread::Builder::new().name("loopback".to_owned());
        let (cores, others) = Cores::split();
        // An error ends the thread and closes its end, which the sender then sees.
        let taking = builder.spawn(move || {
            others.take();
            drop(peer(&other));
        })?;
        Ok(Self {
            _cores: cores,
            stream,
            peer: Some(taking),
        })
    }

    /// Sends a message to a thread that acknowledges.
    fn exchange(&mut self, message: &[u8]) -> io::Result<()> {
        self.send(message)?;
        self.acknowledged()
    }

    /// Writes a message anew, so that it is as near as what was just made, and sends it to a thread that acknowledges; how
    /// long this end took over the sending.
    fn hand_over(&mut self, message: &mut [u8]) -> io::Result<Nanos> {
        let other = message.first().map_or(0, |byte| byte ^ 1);
        message.fill(other);
        let (sent, taken) = time(|| self.send(message));
        sent?;
        self.acknowledged().map(|()| taken)
    }

    fn acknowledged(&mut self) -> io::Result<()> {
        polling::read_exact(&self.stream, &mut [0], now() + PATIENCE)
    }

    /// Sends a message.
    pub(super) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        polling::write_all(&self.stream, message, now() + PATIENCE)
    }
}

/// Takes in messages of one length, into so many places in turn, and answers with one byte.
fn acknowledge(stream: &TcpStream, bytes: usize, places: usize) -> io::Result<()> {
    let mut memory = vec![1; places * bytes];
    loop {
        for place in memory.chunks_exact_mut(bytes) {
            polling::read_exact(stream, place, now() + PATIENCE)?;
            polling::write_all(stream, &[1], now() + PATIENCE)?;
        }
    }
}

/// Acknowledges groups of probes, and sleeps between them: a core that slept is placed anew.
fn answer_probes(stream: &TcpStream) -> io::Result<()> {
    while polling::read_asleep(stream, &mut [0], now() + PATIENCE)? > 0 {
        for _ in 0..PROBES * TRIPS {
            polling::read_exact(stream, &mut [0], now() + PATIENCE)?;
            polling::write_all(stream, &[1], now() + PATIENCE)?;
        }
    }
    Ok(())
}

/// Takes in whatever comes, into memory that left the caches.
fn take_in(stream: &TcpStream) -> io::Result<()> {
    let mut memory = vec![1; COLD];
    loop {
        for place in memory.chunks_exact_mut(PART) {
            if polling::read(stream, place, now() + PATIENCE)? == 0 {
                return Ok(());
            }
        }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        if let Some(peer) = self.peer.take() {
            let _ = peer.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_any_length_are_acknowledged() {
        for bytes in [1, 100_000, 3 << 20] {
            let mut loopback =
                Loopback::to(move |end| acknowledge(end, bytes, places(bytes))).unwrap();
            for _ in 0..3 {
                loopback.exchange(&vec![1; bytes]).unwrap();
                let mut message = vec![1; bytes];
                assert!(loopback.hand_over(&mut message).unwrap().0 > 0.0);
            }
        }
    }

    #[test]
    fn messages_are_taken_in_until_the_link_is_cut() {
        let mut loopback = Loopback::to_waiting().unwrap();
        for bytes in [1, 100_000, COLD + 1] {
            loopback.send(&vec![1; bytes]).unwrap();
        }
    }

    #[test]
    fn a_link_that_is_cut_is_an_error() {
        let mut loopback = Loopback::to(|end| acknowledge(end, 100, 1)).unwrap();
        loopback.stream.shutdown(Shutdown::Both).unwrap();
        assert!(loopback.exchange(&[1; 100]).is_err());
    }
}
