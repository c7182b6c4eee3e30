//! The automorphism a(x) → a(x^g), g odd, on transformed polynomials: a permutation of the values.
//!
//! Position i of a transformed polynomial holds the value at ψ^e with e = 2·rev(i) + 1 ([`exponent`]),
//! so that after the automorphism it holds what stood at position (g·e). Within eight neighbours
//! i = 8b … 8b + 7 the exponents differ by multiples of n/4, and so do their images: blocks of eight go
//! to blocks of eight. Block b comes from one block, in one of eight orders:
//! with (g·e(8b) − 1)/2 mod n = t·n/8 + l, from block rev(l) in the order t, where lane j takes lane
//! rev₃(t + g·rev₃(j) mod 8).

use super::ntt::{exponent, position};

/// Residues in a block.
const LANES: usize = 8;

/// Where each value comes from.
#[derive(Debug, Clone)]
pub struct Automorphism {
    /// For every block the block it comes from, and the order of its lanes.
    sources: Vec<(u32, u32)>,
    /// The eight orders: for every lane the lane it comes from.
    orders: [[u64; LANES]; LANES],
}

impl Automorphism {
    /// The automorphism x → x^g of degree `n` (at least 16); `g` is odd.
    pub fn new(n: usize, g: usize) -> Self {
        let reverse = |lane: usize| position(LANES, 2 * lane + 1);
        let orders = std::array::from_fn(|order| {
            std::array::from_fn(|lane| reverse((order + g * reverse(lane)) % LANES) as u64)
        });
        let source = |block| {
            let half = (g * exponent(n, LANES * block) % (2 * n)) / 2;
            let (order, low) = (half / (n / LANES), half % (n / LANES));
            // The low bits alone, reversed, are eight times the block.
            (position(n, 2 * low + 1) / LANES, order)
        };
        Self {
            sources: (0..n / LANES)
                .map(source)
                .map(|(block, order)| (block as u32, order as u32))
                .collect(),
            orders,
        }
    }

    /// For each block in turn the block that it comes from and, lane by lane, the lane.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (usize, &[u64; LANES])> + '_ {
        self.sources.iter().map(|&(block, order)| {
            let [first, ..] = &self.orders;
            let lanes = self.orders.get(order as usize).unwrap_or(first);
            (block as usize, lanes)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_the_value_of_every_exponent() {
        for n in [16, 32, 256, 4096] {
            for g in [1, 3, 5, 27, n / 2 + 1, 2 * n - 1, 2 * n - 3] {
                let automorphism = Automorphism::new(n, g);
                let moved = automorphism
                    .blocks()
                    .flat_map(|(block, lanes)| lanes.map(|lane| 8 * block + lane as usize));
                let expected = (0..n).map(|index| position(n, g * exponent(n, index)));
                assert!(moved.eq(expected), "n = {n}, g = {g}");
            }
        }
    }
}
