//! What the operations of an action cost in one ring, by what they read.

use super::reach::Reach;
use crate::bfv::HeOp;
use crate::calibrate::{FAR, MIDDLE, NEAR, OUTSIDE, WorkingSet};
use crate::packing::KeyReads;
use crate::protocol::Streams;
use crate::units::{Bytes, Nanos};

/// Prices of all operations in one ring, in nanoseconds, by where they read from; infinite where there is
/// none.
#[derive(Debug)]
pub(super) struct Row {
    hot: Prices,
    /// With operands from the cache that cores share.
    shared: Prices,
    /// With operands from memory: weights, a key, what an act begins with; by the size of the set that sums go through. Beyond
    /// none it was measured of several sums at once; the few schedules that go product by product are priced alike.
    streamed: [(f64, Prices); 5],
    /// Of a rotation after other things.
    alone: Prices,
}

type Prices = [f64; HeOp::ALL.len()];

impl Row {
    const SETS: [(usize, WorkingSet); 5] = [
        (0, WorkingSet::Cold),
        (NEAR, WorkingSet::Near),
        (MIDDLE, WorkingSet::Middle),
        (FAR, WorkingSet::Far),
        (OUTSIDE, WorkingSet::Outside),
    ];

    /// From the price of an operation by where it reads from, where there is one.
    pub(super) fn new(price: impl Fn(HeOp, WorkingSet) -> Option<Nanos>) -> Self {
        let prices = |set| HeOp::ALL.map(|op| price(op, set).map_or(f64::INFINITY, |time| time.0));
        Self {
            hot: prices(WorkingSet::Hot),
            shared: prices(WorkingSet::Shared),
            streamed: Self::SETS.map(|(bytes, set)| (bytes as f64, prices(set))),
            alone: prices(WorkingSet::Alone),
        }
    }

    /// The price of `count` operations of an action, of data that `reach` is gone through between. A product reads its
    /// weights, the first rotation by each key that; a later one finds the key in the cache that cores share where another one
    /// was in use before, else at hand; of what else an action does, the first one finds nothing at hand. None of these costs
    /// less than it would with everything at hand. A rotation after products finds even what it works in gone. (Products of several
    /// lanes read a weight once for a few of them, and are priced as if each did.)
    pub(super) fn price(&self, (op, count, streams): (HeOp, u64, Streams), reach: Reach) -> f64 {
        let KeyReads {
            keys,
            turns,
            after_products,
        } = streams.keys;
        let (first, later) = match op {
            _ if reach.at_hand() => (0, 0),
            HeOp::Hadamard | HeOp::MultiplyAccumulate if streams.weights.0 > 0 => (count, 0),
            HeOp::Rotate | HeOp::HoistedRotate => {
                let first = keys.min(count);
                (first, turns.min(count).saturating_sub(first))
            }
            HeOp::Hadamard | HeOp::MultiplyAccumulate | HeOp::Add => (0, 0),
            _ => (count.min(1), 0),
        };
        let hot = of(&self.hot, op);
        let each = |price: f64, count: u64| {
            if count == 0 {
                0.0
            } else {
                price * count as f64
            }
        };
        let [(_, memory), ..] = &self.streamed;
        let [shared, memory] = [&self.shared, memory].map(|prices| of(prices, op));
        let spared = memory - reach.between(shared, memory);
        let streamed = self.streamed(op, streams.ciphertexts.0 as f64) - spared.max(0.0);
        let streamed = streamed.max(hot);
        let shared = shared.min(streamed).max(hot);
        let read = each(streamed, first) + each(shared, later) + each(hot, count - first - later);
        let gone_through = streams.weights.0 as f64 / after_products.max(1) as f64;
        let share = after_others(gone_through);
        let alone = |read: f64| (of(&self.alone, op) - read).max(0.0) * share;
        let new = after_products.min(first);
        read + each(alone(streamed), new) + each(alone(shared), after_products - new)
    }

    /// Lines through what was measured, from none to [`OUTSIDE`] bytes, where they end.
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

/// How much of what a rotation alone takes longer than one among others one does after which so many bytes of weights have
/// gone through the caches since the last one: what it works in, a few megabytes, is gone when [`FAR`] have.
fn after_others(bytes: f64) -> f64 {
    if Reach::of(Bytes(bytes as u64)).at_hand() {
        0.0
    } else {
        (bytes / FAR as f64).min(1.0)
    }
}

fn of(prices: &Prices, op: HeOp) -> f64 {
    prices.get(op as usize).copied().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::BEYOND;

    /// Products cost 100 ns with everything at hand, 110 with weights from the shared cache, 150 with weights from memory,
    /// 170 and 180 with ciphertexts from the sets of the greatest sizes.
    fn row() -> Row {
        Row::new(|op, set| match (op, set) {
            (HeOp::MultiplyAccumulate, WorkingSet::Hot) => Some(Nanos(100.0)),
            (HeOp::MultiplyAccumulate, WorkingSet::Shared) => Some(Nanos(110.0)),
            (HeOp::MultiplyAccumulate, WorkingSet::Far) => Some(Nanos(170.0)),
            (HeOp::MultiplyAccumulate, WorkingSet::Outside) => Some(Nanos(180.0)),
            (HeOp::MultiplyAccumulate, _) => Some(Nanos(150.0)),
            (HeOp::Rotate, WorkingSet::Hot) => Some(Nanos(200.0)),
            (HeOp::Rotate, WorkingSet::Shared) => Some(Nanos(240.0)),
            (HeOp::Rotate, WorkingSet::Cold) => Some(Nanos(300.0)),
            (HeOp::Rotate, WorkingSet::Alone) => Some(Nanos(350.0)),
            (HeOp::Decrypt, WorkingSet::Hot) => Some(Nanos(40.0)),
            (HeOp::Decrypt, WorkingSet::Shared) => Some(Nanos(60.0)),
            (HeOp::Decrypt, WorkingSet::Cold) => Some(Nanos(90.0)),
            _ => None,
        })
    }

    fn product(reach: usize, ciphertexts: usize) -> f64 {
        let streams = Streams {
            weights: Bytes(1),
            ciphertexts: Bytes(ciphertexts as u64),
            keys: KeyReads::default(),
        };
        let reach = Reach::of(Bytes(reach as u64));
        row().price((HeOp::MultiplyAccumulate, 10, streams), reach) / 10.0
    }

    #[test]
    fn weights_cost_what_they_come_from() {
        assert_eq!(product(1 << 20, FAR), 100.0, "at hand");
        assert_eq!(product(8 << 20, 0), 110.0);
        assert_eq!(product(FAR, 0), 110.0);
        let middle = (FAR as f64 * BEYOND as f64).sqrt() as usize;
        assert!((product(middle, 0) - 130.0).abs() < 1e-3);
        assert_eq!(product(BEYOND, 0), 150.0);
        assert_eq!(product(1 << 40, FAR), 170.0);
        assert_eq!(product(1 << 40, (FAR + OUTSIDE) / 2), 175.0);
        assert_eq!(product(1 << 40, 2 * OUTSIDE), 180.0);
        assert_eq!(product(8 << 20, FAR), 130.0, "40 less for the weights");
    }

    /// Five rotations by one key at hand, two of them after so many bytes of weights each.
    #[test]
    fn a_rotation_after_products_has_nothing_at_hand() {
        let price = |between: usize| {
            let streams = Streams {
                weights: Bytes(2 * between as u64),
                ciphertexts: Bytes(0),
                keys: KeyReads {
                    keys: 0,
                    turns: 2,
                    after_products: 2,
                },
            };
            row().price((HeOp::Rotate, 5, streams), Reach::MEMORY)
        };
        let read = 2.0 * 240.0 + 3.0 * 200.0;
        assert_eq!(price(1 << 20), read);
        assert!((price(FAR / 2) - read - 110.0).abs() < 1e-6);
        assert_eq!(price(FAR), read + 2.0 * 110.0);
        assert_eq!(price(BEYOND), read + 2.0 * 110.0);
    }

    /// The key that it reads from memory is part of what it was measured with.
    #[test]
    fn a_rotation_alone_reads_its_key_but_once() {
        let streams = Streams {
            weights: Bytes(BEYOND as u64),
            ciphertexts: Bytes(0),
            keys: KeyReads {
                keys: 1,
                turns: 1,
                after_products: 1,
            },
        };
        let price = row().price((HeOp::Rotate, 3, streams), Reach::MEMORY);
        assert_eq!(price, 350.0 + 2.0 * 200.0);
    }

    #[test]
    fn a_rotation_reads_its_key_from_memory_once() {
        let streams = Streams {
            weights: Bytes(1),
            ciphertexts: Bytes(0),
            keys: KeyReads {
                keys: 2,
                turns: 3,
                after_products: 0,
            },
        };
        let price = |op, count| row().price((op, count, streams), Reach::MEMORY);
        assert_eq!(price(HeOp::Rotate, 5), 2.0 * 300.0 + 240.0 + 2.0 * 200.0);
        assert_eq!(price(HeOp::Rotate, 1), 300.0);
        assert_eq!(price(HeOp::Add, 1), f64::INFINITY);
        assert_eq!(price(HeOp::Decrypt, 3), 90.0 + 2.0 * 40.0);
        let at_hand = row().price((HeOp::Rotate, 5, streams), Reach::of(Bytes(1)));
        assert_eq!(at_hand, 5.0 * 200.0);
        let shared = row().price((HeOp::Decrypt, 3, streams), Reach::of(Bytes(8 << 20)));
        assert_eq!(shared, 60.0 + 2.0 * 40.0);
    }
}
