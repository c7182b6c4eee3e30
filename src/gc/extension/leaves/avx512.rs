//! Sums of leaves in 512-bit registers: a group's quads at one place are loaded once. In and out as in
//! `leaves`.

use std::arch::x86_64::*;

use bytemuck::must_cast;
use fearless_simd::Avx512;

use super::super::super::kernels::Quad;
use super::{PIECE, Piece, portable};

pub(super) fn add_up(token: Avx512, leaves: &[Piece], v: &mut [Piece]) -> Piece {
    if let (Some(leaves), Some(v)) = (leaves.as_array(), v.as_mut_array()) {
        return sixteen(token, leaves, v);
    }
    if let (Some(leaves), Some(v)) = (leaves.as_array(), v.as_mut_array()) {
        return four(token, leaves, v);
    }
    if let (Some(leaves), Some(v)) = (leaves.as_array(), v.as_mut_array()) {
        return two(token, leaves, v);
    }
    portable::add_up(leaves, v)
}

fearless_simd::kernel!(
    fn sixteen(token: Avx512, leaves: &[Piece; 16], v: &mut [Piece; 4]) -> Piece {
        let _ = token;
        let mut u = Piece::default();
        for q in 0..PIECE {
            let nodes = halve::<16, 8>(load(leaves, q), &mut v[0][q]);
            let nodes = halve::<8, 4>(nodes, &mut v[1][q]);
            let nodes = halve::<4, 2>(nodes, &mut v[2][q]);
            let [root] = halve::<2, 1>(nodes, &mut v[3][q]);
            u[q] = Quad(must_cast(root));
        }
        u
    }
);

fearless_simd::kernel!(
    fn four(token: Avx512, leaves: &[Piece; 4], v: &mut [Piece; 2]) -> Piece {
        let _ = token;
        let mut u = Piece::default();
        for q in 0..PIECE {
            let nodes = halve::<4, 2>(load(leaves, q), &mut v[0][q]);
            let [root] = halve::<2, 1>(nodes, &mut v[1][q]);
            u[q] = Quad(must_cast(root));
        }
        u
    }
);

fearless_simd::kernel!(
    fn two(token: Avx512, leaves: &[Piece; 2], v: &mut [Piece; 1]) -> Piece {
        let _ = token;
        let mut u = Piece::default();
        for q in 0..PIECE {
            let [root] = halve::<2, 1>(load(leaves, q), &mut v[0][q]);
            u[q] = Quad(must_cast(root));
        }
        u
    }
);

#[inline(always)]
fn load<const N: usize>(leaves: &[Piece; N], q: usize) -> [__m512i; N] {
    std::array::from_fn(|x| must_cast(leaves[x][q].0))
}

/// The sums of neighbours; those with odd numbers are added to v.
#[target_feature(enable = "avx512f")]
#[inline]
fn halve<const N: usize, const M: usize>(nodes: [__m512i; N], v: &mut Quad) -> [__m512i; M] {
    let mut odd: __m512i = must_cast(v.0);
    let mut sums = [odd; M];
    for (i, sum) in sums.iter_mut().enumerate() {
        odd = _mm512_xor_si512(odd, nodes[2 * i + 1]);
        *sum = _mm512_xor_si512(nodes[2 * i], nodes[2 * i + 1]);
    }
    *v = Quad(must_cast(odd));
    sums
}
