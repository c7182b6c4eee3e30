//! The prices that a selection of parameters asks for: a calibrated machine's, over a link.
//!
//! A layer's operations and messages are priced by the functions that price a script's, so that what is
//! chosen by and what is then predicted are one number (a test in `linked_prices_tests` compares them), where data comes
//! from memory: the other layers of its network are not known yet, and leave nothing in the caches.

use std::borrow::Borrow;

use super::price_list::PriceList;
use super::reach::Reach;
use crate::gc::ShareCircuit;
use crate::params::{LayerCost, LayerWork, Prices};
use crate::protocol::{
    CircuitSettings, Link, Message, MessageKind, RingSize, Streams, Task, TransferTimes,
    circuit_actions,
};
use crate::units::{Bytes, Nanos};

/// Prices for the selection of parameters, over a link; `list` is a [`PriceList`] or borrows one.
#[derive(Debug, Clone, Copy)]
pub struct LinkedPrices<L> {
    /// Prices of operations.
    pub list: L,
    /// Price of bytes.
    pub link: Link,
}

impl<L: Borrow<PriceList>> Prices for LinkedPrices<L> {
    fn layer_cost(&self, work: &LayerWork) -> Option<Nanos> {
        let ring = RingSize {
            n: work.n,
            limbs: work.limbs,
            special: work.switching.special(),
            digits: work.switching.digits(),
        };
        let streams = Streams {
            weights: work.weights,
            ciphertexts: work.ciphertexts,
            keys: work.keys,
        };
        let operations = Task::reads(&work.counts, streams);
        let list = self.list.borrow();
        let computed = list.operations(ring, operations, Reach::MEMORY)?;
        // One to each party: each waits for half a round trip. What came before in a script has no part in the choice.
        let messages = [
            (MessageKind::EncryptedInput, work.to_server),
            (MessageKind::Reply, work.to_client),
        ];
        let sent = messages.map(|(kind, payload)| {
            let message = Message { kind, payload };
            self.link.time(message.wire_bytes())
        });
        Some(sent.into_iter().fold(computed, |sum, time| sum + time))
    }

    /// As a script has them, garbled as by default: how they are garbled has no part in the choice of p.
    fn circuits_cost(&self, circuit: &ShareCircuit, count: u64) -> Option<LayerCost> {
        let count = usize::try_from(count).ok()?;
        let actions = circuit_actions(*circuit, count, CircuitSettings::default()).ok()?;
        let mut cost = LayerCost {
            time: Nanos(0.0),
            bytes: Bytes(0),
        };
        // All pieces but the last are alike.
        let mut priced: Vec<(&Task, Nanos)> = Vec::new();
        let mut transfers = TransferTimes::new(&self.link);
        for action in &actions {
            let mut computed = Nanos(0.0);
            for task in &action.tasks {
                let known = priced.iter().find(|(known, _)| *known == task);
                let price = match known {
                    Some((_, price)) => *price,
                    None => self.list.borrow().task(task, Reach::MEMORY).ok()?,
                };
                if known.is_none() {
                    priced.push((task, price));
                }
                computed += price;
            }
            cost.time += computed + transfers.of(action, computed);
            let sent = action.sends.map(Message::wire_bytes);
            cost.bytes += sent.unwrap_or(Bytes(0));
        }
        Some(cost)
    }
}
