//! What the operations of an action cost in one ring, by what they read.

use crate::bfv::HeOp;
use crate::calibrate::{FAR, MIDDLE, NEAR, WorkingSet};
use crate::protocol::Streams;
use crate::units::{Bytes, Nanos};

/// Encoded weights beyond this size stream from a cache that cores share, or from memory.
const CACHED: Bytes = Bytes(4 << 20);
/// Weights of a layer from this size on come from memory, whatever a cache that cores share has kept of them.
const FROM_MEMORY: usize = 4 * FAR;

/// Prices of all operations in one ring, in nanoseconds, by where they read from; infinite where there is
/// none.
#[derive(Debug)]
pub(super) struct Row {
    hot: Prices,
    /// Of products whose weights come from the shared cache.
    shared: Prices,
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
            shared: prices(WorkingSet::Shared),
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
        let streamed = self.streamed(op, streams.ciphertexts.0 as f64);
        let streamed = (streamed - self.spared(op, streams.weights)).max(hot);
        each(streamed, first) + each(hot, count - first)
    }

    /// What a product saves whose weights do not all come from memory: all of the difference up to [`FAR`] bytes of them,
    /// none from [`FROM_MEMORY`] on, a line between. Each is read once an inference, so that this takes the inferences to
    /// follow each other and the other layers to leave room: of a large network the small layers' weights may come from
    /// memory too.
    fn spared(&self, op: HeOp, weights: Bytes) -> f64 {
        if !matches!(op, HeOp::Hadamard | HeOp::MultiplyAccumulate) {
            return 0.0;
        }
        let [(_, cold), ..] = &self.streamed;
        let difference = of(cold, op) - of(&self.shared, op);
        let beyond = (weights.0 as f64 - FAR as f64) / (FROM_MEMORY - FAR) as f64;
        let spared = difference * (1.0 - beyond.clamp(0.0, 1.0));
        if spared > 0.0 { spared } else { 0.0 }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Products cost 100 ns with everything at hand, 110 with weights from the shared cache, 150 with weights from memory
    /// and 170 with ciphertexts from a set of the greatest size; rotations have no rows of a shared cache.
    fn row() -> Row {
        Row::new(|op, set| match (op, set) {
            (HeOp::MultiplyAccumulate, WorkingSet::Hot) => Some(Nanos(100.0)),
            (HeOp::MultiplyAccumulate, WorkingSet::Shared) => Some(Nanos(110.0)),
            (HeOp::MultiplyAccumulate, WorkingSet::Far) => Some(Nanos(170.0)),
            (HeOp::MultiplyAccumulate, _) => Some(Nanos(150.0)),
            (HeOp::Rotate, WorkingSet::Hot) => Some(Nanos(200.0)),
            (HeOp::Rotate, WorkingSet::Cold) => Some(Nanos(300.0)),
            _ => None,
        })
    }

    fn product(weights: usize, ciphertexts: usize) -> f64 {
        let streams = Streams {
            weights: Bytes(weights as u64),
            ciphertexts: Bytes(ciphertexts as u64),
            keys: 0,
        };
        row().price((HeOp::MultiplyAccumulate, 10, streams)) / 10.0
    }

    #[test]
    fn weights_cost_what_they_come_from() {
        assert_eq!(product(1 << 20, FAR), 100.0, "at hand");
        assert_eq!(product(8 << 20, 0), 110.0);
        assert_eq!(product(FAR, 0), 110.0);
        assert_eq!(product((FAR + FROM_MEMORY) / 2, 0), 130.0);
        assert_eq!(product(FROM_MEMORY, 0), 150.0);
        assert_eq!(product(1 << 40, FAR), 170.0);
        assert_eq!(product(8 << 20, FAR), 130.0, "40 less for the weights");
    }

    #[test]
    fn a_rotation_reads_its_key_once_and_knows_no_weights() {
        let streams = Streams {
            weights: Bytes(8 << 20),
            ciphertexts: Bytes(0),
            keys: 2,
        };
        assert_eq!(
            row().price((HeOp::Rotate, 5, streams)),
            2.0 * 300.0 + 3.0 * 200.0
        );
        assert_eq!(row().price((HeOp::Add, 1, streams)), f64::INFINITY);
    }
}
