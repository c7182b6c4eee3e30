//! ReLU and max pool gate for gate as Gazelle counts them (Juvekar, Vaikuntanathan, Chandrakasan 2018).
//!
//! Constants are wires here and cost what any other bit costs: so 8w + 2 ANDs for ReLU, and
//! for a window of four 21w + 5 without and 23w + 5 with ReLU. `rounded` computes the same in fewer.
//!
//! 1. The garbler feeds `(a + h) mod p`: `x + h = that + b mod p` is unsigned and ordered as x. 3w + 1.
//! 2. Maximum, of two values or of one and the constant h, which stands for 0: 2w.
//! 3. The garbler feeds `(−r − h) mod p`: the sum modulo p is `y − r`. 3w + 1.

use super::super::arithmetic::{Bit, Sign, add_reduced, maximum};
use super::super::gates::Gates;
use super::{Pair, Rectifier, ShareCircuit, width};

impl ShareCircuit {
    /// All three steps.
    pub(super) fn gazelle<G: Gates>(
        &self,
        g: &mut G,
        pairs: &[Pair<'_, G>],
        mask: &[Bit<G::Wire>],
        rectifier: Rectifier,
    ) -> Vec<Bit<G::Wire>> {
        let p = self.wires(g, self.p_in);
        let mut greatest = match rectifier {
            Rectifier::Relu => Some(self.wires(g, self.p_in / 2)),
            Rectifier::Linear => None,
        };
        for (v, b) in pairs {
            let x = add_reduced(g, v, b, &p);
            greatest = Some(match greatest {
                None => x,
                Some(other) => maximum(g, &other, &x, Sign::Unsigned),
            });
        }
        add_reduced(g, mask, &greatest.unwrap_or_default(), &p)
    }

    /// A constant, on wires.
    fn wires<G: Gates>(&self, g: &mut G, constant: u64) -> Vec<Bit<G::Wire>> {
        let bits = (0..width(self.p_in)).map(|i| (constant >> i) & 1 == 1);
        bits.map(|bit| Bit::Wire(g.constant(bit))).collect()
    }
}
