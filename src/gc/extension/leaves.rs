//! From the leaf streams of a tree to a piece of its columns: the inner loop of the extension.
//!
//! In come 2^k streams r_x, one a leaf; out go `u = Σ r_x` and `v_j = Σ (bit j of x) r_x` for j < k, all
//! sums being XORs over [`PIECE`] quads of each stream. Pairs of neighbours are added depth by
//! depth, the odd ones into v_j, which takes two XORs a leaf; groups of [`GROUP`] leaves fit the
//! registers, and their sums are the leaves of the next group. A missing leaf 0 counts as zeros.
//!
//! `portable` is the oracle; `avx512` does the same sums in registers. Both give the same bits.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use zeroize::Zeroize;

use super::super::kernels::{Backend, Quad};
use super::super::labels::Stretch;
use super::trees::Nodes;

/// Quads of a stream that are made at a time: the counter mode's stride.
pub(super) const PIECE: usize = 8;
/// A piece of a stream or column: 4096 bits.
pub(super) type Piece = [Quad; PIECE];
/// Leaves that are summed at a time; 2^k is this or a power of it, or less.
const GROUP: usize = 16;

/// The streams of one tree.
pub(super) struct Leaves {
    streams: Vec<Stretch>,
    /// 1 if leaf 0 is missing.
    first: usize,
}

/// Whether leaf 0 is known.
#[derive(Clone, Copy)]
pub(super) enum LeafZero {
    Known,
    Missing,
}

/// Space for the streams of a group, and for the sums of the groups. Wiped on drop.
pub(super) struct Scratch {
    group: [Piece; GROUP],
    sums: [Piece; GROUP],
}

impl Scratch {
    pub(super) fn new() -> Box<Self> {
        let [group, sums] = [[Piece::default(); GROUP]; 2];
        Box::new(Self { group, sums })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.group.iter_mut().for_each(Zeroize::zeroize);
        self.sums.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl Leaves {
    pub(super) fn new(seeds: &Nodes, zero: LeafZero) -> Self {
        let first = match zero {
            LeafZero::Known => 0,
            LeafZero::Missing => 1,
        };
        let streams = seeds.iter().skip(first).copied().map(Stretch::new);
        Self {
            streams: streams.collect(),
            first,
        }
    }

    /// k.
    pub(super) fn bits(&self) -> usize {
        (self.streams.len() + self.first).ilog2() as usize
    }

    /// A piece of u, and of v_0, v_1, …, which it overwrites, from block `position` of the streams on.
    pub(super) fn columns(
        &self,
        backend: Backend,
        scratch: &mut Scratch,
        position: u64,
        v: &mut [Piece],
    ) -> Piece {
        v.fill(Piece::default());
        let Scratch { group, sums } = scratch;
        let leaves = self.streams.len() + self.first;
        let (low, high) = v.split_at_mut(v.len().min(GROUP.ilog2() as usize));
        let mut missing = self.first;
        let mut streams = self.streams.iter();
        for sum in sums.iter_mut().take(leaves.div_ceil(GROUP)) {
            let group = &mut group[..leaves.min(GROUP)];
            group[..missing].fill(Piece::default());
            for (piece, stream) in group[missing..].iter_mut().zip(&mut streams) {
                stream.fill_at(position, piece);
            }
            missing = 0;
            *sum = add_up(backend, group, low);
        }
        if high.is_empty() {
            sums[0]
        } else {
            add_up(backend, sums, high)
        }
    }
}

/// `Σ r_x`; adds `Σ (bit j of x) r_x` to v_j.
fn add_up(backend: Backend, leaves: &[Piece], v: &mut [Piece]) -> Piece {
    match backend {
        #[cfg(target_arch = "x86_64")]
        Backend::Vaes512(token) => avx512::add_up(token, leaves, v),
        _ => portable::add_up(leaves, v),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gc::extension::trees::Seed;

    fn seeds(count: usize) -> Nodes {
        let seed = |i: usize| -> Seed { std::array::from_fn(|j| (i * 57 + j * 3) as u8) };
        Nodes::new((0..count).map(seed).collect())
    }

    /// The definition, stream by stream.
    fn slow(seeds: &Nodes, zero: LeafZero, pieces: usize) -> (Piece, Vec<Piece>) {
        let k = seeds.len().ilog2() as usize;
        let (mut u, mut v) = (Piece::default(), vec![Piece::default(); k]);
        for (x, seed) in seeds.iter().enumerate() {
            if x == 0 && matches!(zero, LeafZero::Missing) {
                continue;
            }
            let mut stream = Stretch::new(*seed);
            let mut r = Piece::default();
            (0..pieces).for_each(|_| stream.fill(&mut r));
            for q in 0..PIECE {
                for s in 0..4 {
                    u[q].0[s] ^= r[q].0[s];
                    for (j, v) in v.iter_mut().enumerate() {
                        v[q].0[s] ^= (x >> j & 1) as u128 * r[q].0[s];
                    }
                }
            }
        }
        (u, v)
    }

    fn bits(pieces: &[Piece]) -> Vec<u128> {
        pieces.iter().flatten().flat_map(|quad| quad.0).collect()
    }

    #[test]
    fn columns_are_the_sums_of_the_definition_for_every_variant() {
        for (k, zero) in [1, 2, 4, 8]
            .into_iter()
            .flat_map(|k| [(k, LeafZero::Known), (k, LeafZero::Missing)])
        {
            let seeds = seeds(1 << k);
            for backend in [Backend::Portable, Backend::fastest()] {
                let leaves = Leaves::new(&seeds, zero);
                let mut scratch = Scratch::new();
                let mut v = vec![Piece::default(); k];
                for piece in [1, 0] {
                    let position = (4 * PIECE * piece) as u64;
                    let u = leaves.columns(backend, &mut scratch, position, &mut v);
                    let (slow_u, slow_v) = slow(&seeds, zero, piece + 1);
                    assert_eq!(bits(&[u]), bits(&[slow_u]));
                    assert_eq!(bits(&v), bits(&slow_v));
                }
            }
        }
    }
}
