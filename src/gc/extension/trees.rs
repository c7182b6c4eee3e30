//! Binary trees of seeds: k base transfers become 2^k leaf seeds, of which one party lacks one.
//!
//! Goldreich, Goldwasser, Micali (1986) with the puncturing of Boyle, Gilboa, Ishai (2015). A node is a
//! seed of 32 bytes; its stream's first four blocks are its two children. Bit ℓ of a leaf's number says on
//! which side its path turns at depth ℓ. The receiver of the extension grows the whole tree:
//! at depth 0 the nodes are the pair of base transfer 0, crosswise, `node_s = k_0^(1−s)`; at depth
//! ℓ > 0 it sends `k_ℓ^b ⊕ (sum of all nodes on side 1 − b)` for b = 0, 1. The sender, whose choices
//! were bits of Δ, opens the sums of the sides that its path to leaf Δ does not take, and
//! so knows all leaves but that one. It numbers them by y = x ⊕ Δ, the missing one being y = 0: so
//! no branch and no index depends on Δ.
//!
//! Semi-honest: sums are not checked, and wrong ones give wrong leaves.

use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

use super::super::kernels::Quad;
use super::super::labels::Stretch;

/// A node of a tree.
pub(super) type Seed = [u8; 32];
/// The nodes of one depth.
pub(super) type Nodes = Zeroizing<Vec<Seed>>;

/// All leaves of one tree, and what the other party needs for every depth but the first.
pub(super) fn grow(pairs: &[[Seed; 2]]) -> (Nodes, Vec<[Seed; 2]>) {
    let Some(([zero, one], deeper)) = pairs.split_first() else {
        return (Nodes::default(), Vec::new());
    };
    let mut nodes = Nodes::new(vec![*one, *zero]);
    let mut sums = Vec::with_capacity(deeper.len());
    for [zero, one] in deeper {
        let [lefts, rights] = children(&nodes);
        sums.push([add(*zero, &sum(&rights)), add(*one, &sum(&lefts))]);
        nodes = joined(&lefts, &rights);
    }
    (nodes, sums)
}

/// The leaves by y = x ⊕ Δ; number 0 is missing and stands there as zeros. `delta`: its k bits.
pub(super) fn puncture(chosen: &[Seed], delta: u128, sums: &[[Seed; 2]]) -> Nodes {
    let Some((first, deeper)) = chosen.split_first() else {
        return Nodes::default();
    };
    let mut nodes = Nodes::new(vec![Seed::default(), *first]);
    for ((depth, key), sums) in (1..).zip(deeper).zip(sums) {
        let bit = Choice::from((delta >> depth & 1) as u8);
        let [mut same, mut other] = children(&nodes);
        for (left, right) in same.iter_mut().zip(other.iter_mut()) {
            for (l, r) in left.iter_mut().zip(right) {
                u8::conditional_swap(l, r, bit);
            }
        }
        let mut opened = *key;
        for (opened, (zero, one)) in opened.iter_mut().zip(sums[0].iter().zip(&sums[1])) {
            *opened ^= u8::conditional_select(zero, one, bit);
        }
        same[0] = Seed::default();
        other[0] = Seed::default();
        other[0] = add(opened, &sum(&other));
        opened.zeroize();
        nodes = joined(&same, &other);
    }
    nodes
}

/// The left and the right children of all nodes.
fn children(nodes: &Nodes) -> [Nodes; 2] {
    let mut sides = [(); 2].map(|()| Nodes::new(Vec::with_capacity(nodes.len())));
    for &node in nodes.iter() {
        let mut quad = [Quad::default()];
        Stretch::new(node).fill(&mut quad);
        let [a, b, c, d] = quad[0].0.map(u128::to_le_bytes);
        sides[0].push(bytemuck::must_cast([a, b]));
        sides[1].push(bytemuck::must_cast([c, d]));
        quad.zeroize();
    }
    sides
}

fn joined(first: &Nodes, second: &Nodes) -> Nodes {
    let mut nodes = Nodes::new(Vec::with_capacity(first.len() + second.len()));
    nodes.extend_from_slice(first);
    nodes.extend_from_slice(second);
    nodes
}

fn sum(nodes: &Nodes) -> Seed {
    nodes.iter().fold(Seed::default(), add)
}

fn add(mut x: Seed, y: &Seed) -> Seed {
    x.iter_mut().zip(y).for_each(|(x, y)| *x ^= y);
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(number: u8) -> Seed {
        std::array::from_fn(|i| number.wrapping_mul(31) ^ (i as u8).wrapping_mul(7))
    }

    #[test]
    fn the_other_party_knows_all_leaves_but_deltas() {
        for k in [1, 2, 4, 8_u8] {
            let pairs: Vec<_> = (0..k).map(|i| [seed(2 * i), seed(2 * i + 1)]).collect();
            let (leaves, sums) = grow(&pairs);
            assert_eq!((leaves.len(), sums.len()), (1 << k, usize::from(k) - 1));
            for delta in [0, 1, 5, 77, 130, 255_u128].map(|delta| delta & ((1 << k) - 1)) {
                let choice = |i: u8| pairs[usize::from(i)][(delta >> i & 1) as usize];
                let chosen: Vec<_> = (0..k).map(choice).collect();
                let known = puncture(&chosen, delta, &sums);
                assert_eq!(known.len(), leaves.len());
                assert_eq!(known[0], Seed::default());
                for y in 1..known.len() {
                    assert_eq!(
                        known[y],
                        leaves[y ^ delta as usize],
                        "k={k} Δ={delta} y={y}"
                    );
                }
                assert!(!known.contains(&leaves[delta as usize]));
            }
        }
    }

    #[test]
    fn leaves_are_all_different() {
        let pairs: Vec<_> = (0..8).map(|i| [seed(2 * i), seed(2 * i + 1)]).collect();
        let leaves: std::collections::HashSet<_> = grow(&pairs).0.iter().copied().collect();
        assert_eq!(leaves.len(), 256);
        assert!(grow(&[]).0.is_empty() && puncture(&[], 0, &[]).is_empty());
    }
}
