//! Messages that have arrived and not been read yet, in memory or, where asked, in a file of the caller's.
//!
//! What is garbled offline may be many times a process's memory, and waits until the input is known: an
//! inbox [`on`](Inbox::on) a store writes those messages there, one behind the other, and reads
//! each back when it is taken. [`Inbox::stored`] says how much has waited, there or in memory.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{Read, Seek, SeekFrom, Write};

use super::error::PartyError;
use super::roles::Phase;
use super::work::{Action, Message, MessageKind};
use crate::units::Bytes;

/// Where long messages can wait: a file, or anything like one.
pub trait Store: Read + Write + Seek + Send {}

impl<S: Read + Write + Seek + Send> Store for S {}

/// Arrived messages, by the step they belong to and their kind; first in, first out.
#[derive(Default)]
pub struct Inbox {
    waiting: HashMap<(Option<usize>, MessageKind), VecDeque<Waiting>>,
    store: Option<Box<dyn Store>>,
    /// Bytes garbled offline so far.
    stored: u64,
    /// Where the store is free, and how many messages lie before that, unread.
    free_at: u64,
    unread: usize,
}

/// Where long messages wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Memory,
    Store,
}

/// A message's payload, or the place in the store where it begins and its length.
enum Waiting {
    Here(Vec<u8>),
    Stored(u64, usize),
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting: usize = self.waiting.values().map(VecDeque::len).sum();
        write!(f, "Inbox({waiting} messages, {} stored)", self.stored())
    }
}

/// Splits a message into `count` parts of `size` bytes, which it must fill.
pub(super) fn parts(
    payload: &[u8],
    kind: MessageKind,
    count: usize,
    size: usize,
) -> Result<std::slice::Chunks<'_, u8>, PartyError> {
    let (expected, actual) = (count.saturating_mul(size), payload.len());
    if actual == expected {
        Ok(payload.chunks(size.max(1)))
    } else {
        Err(PartyError::Length {
            kind,
            expected,
            actual,
        })
    }
}

impl Inbox {
    /// An inbox that keeps what is garbled offline in `store`, from its start on.
    pub fn on(store: Box<dyn Store>) -> Self {
        Self {
            store: Some(store),
            ..Self::default()
        }
    }

    /// Where what is garbled offline waits.
    pub(super) const fn keeps(&self) -> Place {
        match self.store {
            Some(_) => Place::Store,
            None => Place::Memory,
        }
    }

    /// Bytes garbled offline that have waited here, in the store or in memory: of one inference all at once, when
    /// its online phase begins; then the store's space is used again.
    pub const fn stored(&self) -> Bytes {
        Bytes(self.stored)
    }

    /// Files the message that ended the other party's `action`.
    ///
    /// # Errors
    /// The store refuses it.
    pub fn put(
        &mut self,
        action: &Action,
        message: Message,
        payload: Vec<u8>,
    ) -> Result<(), PartyError> {
        let long = action.phase == Phase::Offline && message.kind == MessageKind::Garbled;
        let (at, length) = (self.free_at, payload.len());
        let waiting = match &mut self.store {
            Some(store) if long => {
                store.seek(SeekFrom::Start(at))?;
                store.write_all(&payload)?;
                self.free_at += length as u64;
                self.unread += 1;
                Waiting::Stored(at, length)
            }
            _ => Waiting::Here(payload),
        };
        if long {
            self.stored += length as u64;
        }
        let key = (action.step, message.kind);
        self.waiting.entry(key).or_default().push_back(waiting);
        Ok(())
    }

    /// Takes the oldest message of `kind` for `action`'s step.
    pub(super) fn take(
        &mut self,
        action: &Action,
        kind: MessageKind,
    ) -> Result<Vec<u8>, PartyError> {
        let queue = self.waiting.get_mut(&(action.step, kind));
        let waiting = queue.and_then(VecDeque::pop_front);
        match (waiting, &mut self.store) {
            (Some(Waiting::Here(payload)), _) => Ok(payload),
            (Some(Waiting::Stored(at, length)), Some(store)) => {
                let mut payload = vec![0; length];
                store.seek(SeekFrom::Start(at))?;
                store.read_exact(&mut payload)?;
                self.unread -= 1;
                if self.unread == 0 {
                    self.free_at = 0;
                }
                Ok(payload)
            }
            (Some(Waiting::Stored(..)) | None, _) => Err(PartyError::Missing { kind }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::roles::Party;
    use super::super::work::Act;
    use super::*;

    const MESSAGE: Message = Message {
        kind: MessageKind::Garbled,
        payload: Bytes(3),
    };

    fn action(step: usize, phase: Phase) -> Action {
        Action {
            step: Some(step),
            phase,
            party: Party::Server,
            act: Act::Garble(0),
            tasks: Vec::new(),
            sends: Some(MESSAGE),
        }
    }

    #[test]
    fn what_is_garbled_offline_waits_in_the_store() {
        let mut inbox = Inbox::on(Box::new(Cursor::new(Vec::new())));
        let [first, second] = [0, 1].map(|step| action(step, Phase::Offline));
        let online = action(0, Phase::Online);
        for (action, payload) in [(&first, [1; 3]), (&second, [2; 3]), (&first, [3; 3])] {
            inbox.put(action, MESSAGE, payload.to_vec()).unwrap();
        }
        inbox.put(&online, MESSAGE, vec![4; 3]).unwrap();
        assert_eq!(inbox.stored(), Bytes(9));
        assert_eq!(format!("{inbox:?}"), "Inbox(4 messages, 9 B stored)");
        let mut take = |action: &Action| inbox.take(action, MessageKind::Garbled);
        assert_eq!(take(&first).unwrap(), [1; 3]);
        assert_eq!(take(&second).unwrap(), [2; 3]);
        assert_eq!(take(&online).unwrap(), [3; 3]);
        assert_eq!(take(&online).unwrap(), [4; 3]);
        assert!(matches!(take(&online), Err(PartyError::Missing { .. })));
    }

    #[test]
    fn a_full_store_is_an_error() {
        let mut inbox = Inbox::on(Box::new(Cursor::new([0; 2])));
        let refused = inbox.put(&action(0, Phase::Offline), MESSAGE, vec![1; 3]);
        assert!(matches!(refused, Err(PartyError::Store(_))));
    }
}
