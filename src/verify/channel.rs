//! Frames over a byte stream, counted: a kind, a length, a payload.
//!
//! The receiver knows from the script which message comes next and how long it is: anything else is
//! refused before it is read. A peer that closes the connection, or sends nothing for
//! [`STALL`], ends the run with an error.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use thiserror::Error;

use crate::protocol::{FRAME_HEADER, Message, MessageKind};

/// How long a peer may stay silent.
pub const STALL: Duration = Duration::from_secs(600);

/// Why the channel ended the run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The stream failed or was closed.
    #[error("the other party is gone: {0}")]
    Gone(#[from] io::Error),
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

/// A stream that counts the bytes which the socket takes and gives.
#[derive(Debug)]
struct Counted<'a> {
    stream: &'a mut TcpStream,
    bytes: &'a mut u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.stream.write(bytes)?;
        *self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let given = self.stream.read(bytes)?;
        *self.bytes += given as u64;
        Ok(given)
    }
}

/// A connection to the other party that counts what it carries.
#[derive(Debug)]
pub struct Channel {
    stream: TcpStream,
    /// Bytes sent since the start, frames included.
    pub sent: u64,
    /// Bytes received since the start, frames included.
    pub received: u64,
}

impl Channel {
    /// A channel over a connected stream.
    pub fn new(stream: TcpStream) -> Result<Self, ChannelError> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(STALL))?;
        stream.set_write_timeout(Some(STALL))?;
        Ok(Self {
            stream,
            sent: 0,
            received: 0,
        })
    }

    /// Sends one message.
    pub fn send(&mut self, kind: MessageKind, payload: &[u8]) -> Result<(), ChannelError> {
        let mut header = [0u8; FRAME_HEADER as usize];
        header[0] = kind.tag();
        header[1..].copy_from_slice(&(payload.len() as u64).to_le_bytes());
        let mut counted = Counted {
            stream: &mut self.stream,
            bytes: &mut self.sent,
        };
        counted.write_all(&header)?;
        Ok(counted.write_all(payload)?)
    }

    /// Sends bytes that are no part of the protocol, uncounted.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<(), ChannelError> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Receives bytes that are no part of the protocol, uncounted.
    pub fn receive_raw(&mut self, count: usize) -> Result<Vec<u8>, ChannelError> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Receives the message that comes next.
    pub fn receive(&mut self, message: Message) -> Result<Vec<u8>, ChannelError> {
        let mut header = [0u8; FRAME_HEADER as usize];
        let mut counted = Counted {
            stream: &mut self.stream,
            bytes: &mut self.received,
        };
        counted.read_exact(&mut header)?;
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
        let mut payload = vec![0; expected as usize];
        counted.read_exact(&mut payload)?;
        Ok(payload)
    }
}
