//! Frames over a byte stream, counted: a kind, a length, a payload.
//!
//! The receiver knows from the script which message comes next and how long it is: anything else is
//! refused before it is read. A peer that closes the connection, or does not complete a message within
//! the channel's patience, ends the run with an error. Whoever waits polls ([`polling`]): its core stays its own.
//!
//! A channel may be *shaped* like a link: what is sent arrives at the bandwidth of the link, half a round trip
//! later ([`super::shaper`]). Each party shapes what it sends, so that the directions are apart.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use thiserror::Error;

use super::shaper::Shaper;
use crate::calibrate::{Moment, now, polling};
use crate::protocol::{FRAME_HEADER, Link, Message, MessageKind};
use crate::units::Nanos;

/// Why the channel ended the run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The stream failed or was closed.
    #[error("the other party is gone: {0}")]
    Gone(#[from] io::Error),
    /// A message was not completed in time.
    #[error("the other party is silent: nothing complete came or went for {seconds:.0} s")]
    Silent {
        /// How long it was waited for.
        seconds: f64,
    },
    /// Not the message that comes next.
    #[error("expected a message `{expected:?}` (tag {}), got tag {tag}", expected.tag())]
    Kind {
        /// What comes next.
        expected: MessageKind,
        /// What was announced.
        tag: u8,
    },
    /// Not the length that the message has.
    #[error("message `{kind:?}` should hold {expected} bytes, the frame announces {announced}")]
    Length {
        /// Which message.
        kind: MessageKind,
        /// Its length.
        expected: u64,
        /// What was announced.
        announced: u64,
    },
}

/// A connection to the other party that counts what it carries.
#[derive(Debug)]
pub struct Channel {
    stream: TcpStream,
    shaper: Option<Shaper>,
    patience: Duration,
    /// Bytes sent since the start, frames included.
    pub sent: u64,
    /// Bytes received since the start, frames included.
    pub received: u64,
}

impl Channel {
    /// A channel over a connected stream; a message that takes longer than `patience` ends it.
    pub fn new(stream: TcpStream, patience: Duration) -> Result<Self, ChannelError> {
        polling::ready(&stream)?;
        Ok(Self {
            stream,
            shaper: None,
            patience,
            sent: 0,
            received: 0,
        })
    }

    /// The same channel, whose sendings take the time of `link`.
    pub fn shaped(self, link: Link) -> Result<Self, ChannelError> {
        let shaper = Some(Shaper::new(self.stream.try_clone()?, link)?);
        Ok(Self { shaper, ..self })
    }

    /// The same channel with another patience.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Whether it goes to this machine, as fast as that is.
    pub fn within_machine(&self) -> bool {
        self.shaper.is_none() && polling::is_within_machine(&self.stream)
    }

    /// How long a shaped link still sends what it was handed; of another one nothing is known.
    pub fn ahead(&self) -> Nanos {
        self.shaper
            .as_ref()
            .map_or_else(Nanos::default, Shaper::ahead)
    }

    /// Sends one message.
    pub fn send(&mut self, kind: MessageKind, payload: &[u8]) -> Result<(), ChannelError> {
        let mut header = [0u8; FRAME_HEADER as usize];
        header[0] = kind.tag();
        header[1..].copy_from_slice(&(payload.len() as u64).to_le_bytes());
        self.sent += FRAME_HEADER + payload.len() as u64;
        self.write(&header, payload)
    }

    /// Sends bytes that are no part of the protocol, uncounted.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<(), ChannelError> {
        self.write(&[], bytes)
    }

    fn write(&mut self, head: &[u8], rest: &[u8]) -> Result<(), ChannelError> {
        let deadline = now() + self.patience;
        let written = match &mut self.shaper {
            Some(shaper) => shaper.send([head, rest].concat(), deadline),
            None => polling::write_headed(&self.stream, head, rest, deadline),
        };
        written.map_err(|error| self.failed(error))
    }

    /// Receives bytes that are no part of the protocol, uncounted.
    pub fn receive_raw(&mut self, count: usize) -> Result<Vec<u8>, ChannelError> {
        let mut bytes = vec![0; count];
        self.receive_raw_into(&mut bytes)?;
        Ok(bytes)
    }

    /// The same into memory that is there.
    pub fn receive_raw_into(&mut self, bytes: &mut [u8]) -> Result<(), ChannelError> {
        self.read(bytes, now() + self.patience)
    }

    /// Sleeps until the next byte that is no part of the protocol.
    pub fn receive_asleep(&mut self) -> Result<u8, ChannelError> {
        let mut byte = [0];
        match polling::read_asleep(&self.stream, &mut byte, now() + self.patience) {
            Ok(0) => Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(byte[0]),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Receives the message that comes next.
    pub fn receive(&mut self, message: Message) -> Result<Vec<u8>, ChannelError> {
        let deadline = now() + self.patience;
        let mut header = [0u8; FRAME_HEADER as usize];
        self.read(&mut header, deadline)?;
        let [tag, length @ ..] = header;
        if tag != message.kind.tag() {
            return Err(ChannelError::Kind {
                expected: message.kind,
                tag,
            });
        }
        let (announced, expected) = (u64::from_le_bytes(length), message.payload.0);
        if announced != expected {
            return Err(ChannelError::Length {
                kind: message.kind,
                expected,
                announced,
            });
        }
        let mut payload = Vec::with_capacity(expected as usize);
        polling::read_into(&self.stream, &mut payload, expected as usize, deadline)
            .map_err(|e| self.failed(e))?;
        self.received += FRAME_HEADER + expected;
        Ok(payload)
    }

    fn read(&mut self, bytes: &mut [u8], deadline: Moment) -> Result<(), ChannelError> {
        polling::read_exact(&self.stream, bytes, deadline).map_err(|e| self.failed(e))
    }

    /// A failure of the stream as the run's.
    fn failed(&self, error: io::Error) -> ChannelError {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ChannelError::Silent {
                seconds: self.patience.as_secs_f64(),
            },
            _ => ChannelError::Gone(error),
        }
    }
}
