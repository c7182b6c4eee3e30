//! What the operations of an action cost in one ring, by what they read.

use crate::bfv::HeOp;
use crate::calibrate::{FAR, MIDDLE, NEAR, WorkingSet};
use crate::protocol::Streams;
use crate::units::{Bytes, Nanos};

/// Encoded weights beyond this size stream from memory, not from a cache.
const CACHED: Bytes = Bytes(4 << 20);

/// Prices of all operations in one ring, in nanoseconds, by where they read from; infinite where there is
/// none.
#[derive(Debug)]
pub(super) struct Row {
    hot: Prices,
    /// Of operations that stream their weights or their key, by the size of the set that ciphertexts are taken from
    /// and put into.
    streamed: [(f64, Prices); 4],
}

type Prices = [f64; HeOp::ALL.len()];

impl Row {
    const SETS: [(usize, WorkingSet); 4] = [
        (0, WorkingSet::Cold),
        (NEAR, WorkingSet::Near),
        (MIDDLE, WorkingSet::Middle),
        (FAR, WorkingSet::Far),
    ];

    /// From the price of an operation by where it reads from, where there is one.
    pub(super) fn new(price: impl Fn(HeOp, WorkingSet) -> Option<Nanos>) -> Self {
        let prices = |set| HeOp::ALL.map(|op| price(op, set).map_or(f64::INFINITY, |time| time.0));
        Self {
            hot: prices(WorkingSet::Hot),
            streamed: Self::SETS.map(|(bytes, set)| (bytes as f64, prices(set))),
        }
    }

    /// The price of `count` operations of an action. A product streams its weights, the first rotation by each key
    /// that; of what else an action does, the first one finds nothing at hand. None of these costs less than it
    /// would with everything at hand.
    pub(super) fn price(&self, (op, count, streams): (HeOp, u64, Streams)) -> f64 {
        let first = match op {
            HeOp::Hadamard | HeOp::MultiplyAccumulate if streams.weights > CACHED => count,
            HeOp::Rotate | HeOp::HoistedRotate => streams.keys.min(count),
            HeOp::Hadamard | HeOp::MultiplyAccumulate | HeOp::Add => 0,
            _ => count.min(1),
        };
        let hot = of(&self.hot, op);
        let each = |price: f64, count: u64| {
            if count == 0 {
                0.0
            } else {
                price * count as f64
            }
        };
        let streamed = self.streamed(op, streams.ciphertexts.0 as f64).max(hot);
        each(streamed, first) + each(hot, count - first)
    }

    /// Lines through what was measured, from none to [`FAR`] bytes, where they end.
    fn streamed(&self, op: HeOp, at: f64) -> f64 {
        let above = self.streamed.iter().position(|(bytes, _)| *bytes >= at);
        let above = above.unwrap_or(self.streamed.len() - 1).max(1);
        let ((low, from), (high, to)) = (&self.streamed[above - 1], &self.streamed[above]);
        let (from, to) = (of(from, op), of(to, op));
        let share = ((at - low) / (high - low)).min(1.0);
        if share == 0.0 {
            from
        } else {
            from + (to - from) * share
        }
    }
}

fn of(prices: &Prices, op: HeOp) -> f64 {
    prices.get(op as usize).copied().unwrap_or(f64::INFINITY)
}
