//! The loopback link: a real TCP connection between two threads, without Nagle's delay.
//!
//! One run sends a message and waits for the single byte that says it has all arrived. With a message
//! of one byte that is a round trip; the runner takes the round trip off the time of longer ones.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::case::{Case, Op};
use super::workload::{Workload, WorkloadError};
use crate::units::Bytes;

/// A peer that says nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages are taken into so much memory in turn, as those that wait are.
const COLD: usize = 64 << 20;
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
    let mut loopback = Loopback::new(bytes)?;
    Ok(Workload::again(Bytes(bytes as u64), move || {
        Ok(loopback.exchange()?)
    }))
}

/// The sending end; the other one is a thread that acknowledges.
struct Loopback {
    stream: TcpStream,
    message: Vec<u8>,
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
    fn new(bytes: usize) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        let (other, _) = listener.accept()?;
        for end in [&stream, &other] {
            end.set_nodelay(true)?;
            end.set_read_timeout(Some(PATIENCE))?;
            end.set_write_timeout(Some(PATIENCE))?;
        }
        let builder = thread::Builder::new().name("loopback".to_owned());
        let (cores, others) = Cores::split();
        // An error ends the thread and closes its end, which the sender then sees.
        let peer = builder.spawn(move || {
            others.take();
            drop(acknowledge(&other, bytes));
        })?;
        Ok(Self {
            _cores: cores,
            stream,
            message: vec![0x5a; bytes],
            peer: Some(peer),
        })
    }

    fn exchange(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.message)?;
        self.stream.read_exact(&mut [0])
    }
}

/// Takes in messages of one length, each into memory that left the caches, and answers with one byte.
fn acknowledge(mut stream: &TcpStream, bytes: usize) -> io::Result<()> {
    let places = if bytes == 1 { 1 } else { COLD / bytes + 1 };
    let mut memory = vec![1; places * bytes];
    loop {
        for place in memory.chunks_exact_mut(bytes) {
            stream.read_exact(place)?;
            stream.write_all(&[1])?;
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
            let mut loopback = Loopback::new(bytes).unwrap();
            for _ in 0..3 {
                loopback.exchange().unwrap();
            }
        }
    }

    #[test]
    fn a_link_that_is_cut_is_an_error() {
        let mut loopback = Loopback::new(100).unwrap();
        loopback.stream.shutdown(Shutdown::Both).unwrap();
        assert!(loopback.exchange().is_err());
    }
}
