//! A sending end that behaves like a link of a given bandwidth and round trip.
//!
//! A message of B bytes handed over at t, when the link is free at f, has left at max(t, f) + B / bandwidth
//! (then f), and is handed to the stream half a round trip later, by a thread of the shaper's. The sender
//! goes on at once, as with a socket's buffer; it waits while [`AHEAD`] of sending time are still to leave.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::calibrate::{Moment, now, polling};
use crate::protocol::Link;
use crate::units::{Bytes, Nanos};

/// Sending time that may lie ahead of the link.
const AHEAD: Duration = Duration::from_millis(20);

/// The end of a link that messages go into.
#[derive(Debug)]
pub(super) struct Shaper {
    link: Link,
    free: Moment,
    queue: Option<Sender<(Moment, Vec<u8>)>>,
    writer: Option<JoinHandle<()>>,
}

impl Shaper {
    pub(super) fn new(stream: TcpStream, link: Link) -> io::Result<Self> {
        let (queue, messages) = channel();
        let builder = thread::Builder::new().name("link".to_owned());
        let writer = builder.spawn(move || pass_on(stream, &messages))?;
        Ok(Self {
            link,
            free: now(),
            queue: Some(queue),
            writer: Some(writer),
        })
    }

    /// How long the link still sends what it was handed.
    pub(super) fn ahead(&self) -> Nanos {
        let left = self.free.saturating_duration_since(now());
        Nanos::from_seconds(left.as_secs_f64())
    }

    /// Takes a message, once the link has nearly sent those before.
    pub(super) fn send(&mut self, message: Vec<u8>, deadline: Moment) -> io::Result<()> {
        let start = now();
        let on_link = self.link.time_in_stream(Bytes(message.len() as u64));
        self.free = self.free.max(start) + Duration::from_secs_f64(on_link.seconds());
        let ahead = self.free.saturating_duration_since(start);
        if self.free.checked_sub(AHEAD).is_some_and(|at| at > deadline) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let half = Duration::from_secs_f64(self.link.rtt_ms / 2e3);
        let queue = self.queue.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        let sent = queue.send((self.free + half, message));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        polling::wait_until(start + ahead.saturating_sub(AHEAD));
        Ok(())
    }
}

/// Writes each message when it is due; ends with the queue or the stream.
fn pass_on(mut stream: TcpStream, messages: &Receiver<(Moment, Vec<u8>)>) {
    for (due, message) in messages {
        thread::sleep(due.saturating_duration_since(now()));
        if stream.write_all(&message).is_err() {
            return;
        }
    }
}

impl Drop for Shaper {
    /// What was sent before is still passed on.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}
