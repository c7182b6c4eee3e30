//! Where the server waits for its client: whoever connects has to show the token.
//!
//! All who have connected are listened to at once, each for [`GREETING`] at most, so that no stranger keeps the
//! client out, however many come and however silent they are; beyond [`MOST`] of them the oldest is sent away.

use std::collections::VecDeque;
use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use thiserror::Error;

use super::token::Token;
use crate::calibrate::{Moment, now};

/// How long somebody who has connected may take to show the token.
pub const GREETING: Duration = Duration::from_secs(10);
/// At most so many are listened to at once.
const MOST: usize = 64;
/// Between two looks at who has come and what was shown.
const PAUSE: Duration = Duration::from_millis(2);

/// Why nobody was let in.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DoorError {
    /// The listener failed.
    #[error("cannot listen: {0}")]
    Listener(#[from] io::Error),
    /// Nobody showed the token.
    #[error("no client showed the token within {seconds:.0} s; {strangers} others were sent away")]
    Nobody {
        /// How long it was waited for.
        seconds: f64,
        /// How many others connected.
        strangers: usize,
    },
}

/// Why somebody was sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// Another token was shown.
    OtherToken,
    /// None was shown: the connection failed or was closed, or nothing came in time.
    NoToken,
}

/// Somebody who has connected and not shown all of a token yet.
struct Guest {
    stream: TcpStream,
    peer: SocketAddr,
    shown: Vec<u8>,
    until: Moment,
}

impl Guest {
    /// What has become of the guest; `None` while more may come.
    fn greeted(&mut self, token: &Token) -> Option<Result<(), Stranger>> {
        let mut part = [0; Token::BYTES];
        let left = Token::BYTES - self.shown.len();
        match self.stream.read(&mut part[..left]) {
            Ok(0) => return Some(Err(Stranger::NoToken)),
            Ok(given) => self.shown.extend_from_slice(&part[..given]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Some(Err(Stranger::NoToken)),
        }
        if self.shown.len() == Token::BYTES {
            let same = token.is_shown_by(&self.shown);
            return Some(if same {
                Ok(())
            } else {
                Err(Stranger::OtherToken)
            });
        }
        (now() >= self.until).then_some(Err(Stranger::NoToken))
    }
}

/// Waits until somebody who connects shows the token, and gives back that connection; `sent_away` is told of all
/// others.
///
/// # Errors
/// Nobody does within `patience`, or the listener fails.
pub fn admit(
    listener: &TcpListener,
    token: &Token,
    patience: Duration,
    mut sent_away: impl FnMut(SocketAddr, Stranger),
) -> Result<TcpStream, DoorError> {
    listener.set_nonblocking(true)?;
    let deadline = now() + patience;
    let mut strangers = 0;
    let mut refuse = |guest: &Guest, why| {
        strangers += 1;
        sent_away(guest.peer, why);
    };
    let mut guests: VecDeque<Guest> = VecDeque::new();
    while now() < deadline {
        while let Some(guest) = next(listener)? {
            guests.push_back(guest);
        }
        while guests.len() > MOST {
            if let Some(oldest) = guests.pop_front() {
                refuse(&oldest, Stranger::NoToken);
            }
        }
        for mut guest in std::mem::take(&mut guests) {
            match guest.greeted(token) {
                Some(Ok(())) => {
                    guest.stream.set_nonblocking(false)?;
                    return Ok(guest.stream);
                }
                Some(Err(why)) => refuse(&guest, why),
                None => guests.push_back(guest),
            }
        }
        thread::sleep(PAUSE);
    }
    guests
        .iter()
        .for_each(|guest| refuse(guest, Stranger::NoToken));
    let seconds = patience.as_secs_f64();
    Err(DoorError::Nobody { seconds, strangers })
}

/// Somebody who has come since; a connection that failed before it was taken is nobody.
fn next(listener: &TcpListener) -> io::Result<Option<Guest>> {
    let (stream, peer) = match listener.accept() {
        Ok(connected) => connected,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            };
        }
    };
    stream.set_nonblocking(true)?;
    Ok(Some(Guest {
        stream,
        peer,
        shown: Vec::new(),
        until: now() + GREETING,
    }))
}
