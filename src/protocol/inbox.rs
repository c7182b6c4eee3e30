//! Messages that have arrived and not been read yet.

use std::collections::{HashMap, VecDeque};

use super::error::PartyError;
use super::work::{Action, Message, MessageKind};

/// Arrived messages, by the step they belong to and their kind; first in, first out.
#[derive(Debug, Default)]
pub struct Inbox(HashMap<(Option<usize>, MessageKind), VecDeque<Vec<u8>>>);

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
    /// Files the message that ended the other party's `action`.
    pub fn put(&mut self, action: &Action, message: Message, payload: Vec<u8>) {
        self.0
            .entry((action.step, message.kind))
            .or_default()
            .push_back(payload);
    }

    /// Takes the oldest message of `kind` for `action`'s step.
    pub(super) fn take(
        &mut self,
        action: &Action,
        kind: MessageKind,
    ) -> Result<Vec<u8>, PartyError> {
        let queue = self.0.get_mut(&(action.step, kind));
        queue
            .and_then(VecDeque::pop_front)
            .ok_or(PartyError::Missing { kind })
    }
}
