//! Half gates and their hashes for AVX-512 with VAES.
//!
//! In and out as in `kernels`, equations as in `garble`, `evaluate` and `hash`. Two quads are garbled at a
//! time and four evaluated: eight registers in flight, as many as the AES units need.

use std::arch::x86_64::*;

use bytemuck::must_cast;

use super::super::super::hash::GarblingHash;
use super::super::super::program::{And, Step};
use super::super::{Bytes64, Row, Work};
use super::{Key, broadcast, encrypt, load, store, sums};
use crate::prefetch::prefetch_ahead;

fearless_simd::kernel!(
    pub(in super::super) fn garble(
        token: Avx512,
        key: &Key,
        work: Work<'_>,
        delta: u128,
        tables: &mut [Bytes64],
    ) {
        let _ = token;
        match work.hash {
            GarblingHash::Tmmo => garble_steps::<TMMO>(key, work, delta, tables),
            GarblingHash::Rekeyed => garble_steps::<REKEYED>(key, work, delta, tables),
            GarblingHash::FixedKeyAsInPapers => garble_steps::<FIXED>(key, work, delta, tables),
        }
    }
);

fearless_simd::kernel!(
    pub(in super::super) fn evaluate(token: Avx512, key: &Key, work: Work<'_>, tables: &[Bytes64]) {
        let _ = token;
        match work.hash {
            GarblingHash::Tmmo => evaluate_steps::<TMMO>(key, work, tables),
            GarblingHash::Rekeyed => evaluate_steps::<REKEYED>(key, work, tables),
            GarblingHash::FixedKeyAsInPapers => evaluate_steps::<FIXED>(key, work, tables),
        }
    }
);

const TMMO: u8 = 0;
const REKEYED: u8 = 1;
const FIXED: u8 = 2;

#[target_feature(enable = "avx512f,avx512bw,gfni,vaes")]
#[inline]
fn garble_steps<const HASH: u8>(key: &Key, work: Work<'_>, delta: u128, tables: &mut [Bytes64]) {
    let delta = broadcast(delta);
    let (rows, quads) = (work.rows, work.quads);
    let mut tables = tables.chunks_exact_mut(2 * quads);
    let mut position = work.first;
    for step in work.steps {
        match step {
            Step::Xor { terms, to } => xor(rows, *terms, *to, quads),
            Step::And(and) => {
                let Some(tables) = tables.next() else { return };
                let (t_g, t_e) = tables.split_at_mut(quads);
                let (t_g, last_g) = t_g.as_chunks_mut();
                let (t_e, last_e) = t_e.as_chunks_mut();
                let mut quad = 0;
                for (t_g, t_e) in t_g.iter_mut().zip(t_e) {
                    let (at, tables) = ((quad, position), [t_g, t_e]);
                    garble_quads::<2, HASH>(key, rows, and, at, delta, tables);
                    quad += 2;
                }
                for (t_g, t_e) in last_g.iter_mut().zip(last_e) {
                    let tables = [t_g, t_e].map(std::array::from_mut);
                    garble_quads::<1, HASH>(key, rows, and, (quad, position), delta, tables);
                }
                position += work.lanes;
            }
        }
    }
}

/// An AND in `N` quads from `quad` on: fills the row it writes and `[T_G, T_E]`.
#[target_feature(enable = "avx512f,avx512bw,gfni,vaes")]
#[inline]
fn garble_quads<const N: usize, const HASH: u8>(
    key: &Key,
    rows: &mut [Row],
    and: &And,
    (quad, position): (usize, usize),
    delta: __m512i,
    [t_g, t_e]: [&mut [Bytes64; N]; 2],
) {
    let [negate_a, negate_b] = and.negated.map(|negated| u8::from(negated).wrapping_neg());
    let (mut x, mut j) = ([[delta; 4]; N], [[delta; 2]; N]);
    for i in 0..N {
        let (a, b) = (sum(rows, and.x, quad + i), sum(rows, and.y, quad + i));
        let a = _mm512_mask_xor_epi64(a, negate_a, a, delta);
        let b = _mm512_mask_xor_epi64(b, negate_b, b, delta);
        x[i] = [a, _mm512_xor_si512(a, delta), b, _mm512_xor_si512(b, delta)];
        j[i] = tweaks(position, quad + i);
    }
    let h = hash_gate::<N, 4, HASH>(key, x, j);
    for i in 0..N {
        let [a, _, b, _] = x[i];
        let (p_a, p_b) = (lowest_bits_twice(a), lowest_bits_twice(b));
        let [h_a, h_a1, h_b, h_b1] = h[i];
        let g = _mm512_xor_si512(h_a, h_a1);
        let g = _mm512_mask_xor_epi64(g, p_b, g, delta);
        let e = _mm512_xor_si512(h_b, h_b1);
        let w_g = _mm512_mask_xor_epi64(h_a, p_a, h_a, g);
        let w_e = _mm512_mask_xor_epi64(h_b, p_b, h_b, e);
        let add = load(&rows[and.add as usize][quad + i]);
        let w = _mm512_xor_si512(_mm512_xor_si512(w_g, w_e), add);
        rows[and.to as usize][quad + i] = store(w);
        t_g[i] = must_cast(g);
        t_e[i] = must_cast(_mm512_xor_si512(e, a));
    }
}

#[target_feature(enable = "avx512f,avx512bw,gfni,vaes")]
#[inline]
fn evaluate_steps<const HASH: u8>(key: &Key, work: Work<'_>, tables: &[Bytes64]) {
    let (rows, quads) = (work.rows, work.quads);
    let mut gates = tables.chunks_exact(2 * quads).enumerate();
    let mut position = work.first;
    for step in work.steps {
        match step {
            Step::Xor { terms, to } => xor(rows, *terms, *to, quads),
            Step::And(and) => {
                let Some((gate, here)) = gates.next() else {
                    return;
                };
                for quad in 0..2 * quads {
                    prefetch_ahead(tables, 2 * quads * gate + quad);
                }
                let (t_g, t_e) = here.split_at(quads);
                let (t_g, last_g) = t_g.as_chunks();
                let (t_e, last_e) = t_e.as_chunks();
                let mut quad = 0;
                for (t_g, t_e) in t_g.iter().zip(t_e) {
                    evaluate_quads::<4, HASH>(key, rows, and, (quad, position), [t_g, t_e]);
                    quad += 4;
                }
                for (&t_g, &t_e) in last_g.iter().zip(last_e) {
                    evaluate_quads::<1, HASH>(key, rows, and, (quad, position), [&[t_g], &[t_e]]);
                    quad += 1;
                }
                position += work.lanes;
            }
        }
    }
}

/// An AND in `N` quads from `quad` on, whose tables are `[T_G, T_E]`.
#[target_feature(enable = "avx512f,avx512bw,gfni,vaes")]
#[inline]
fn evaluate_quads<const N: usize, const HASH: u8>(
    key: &Key,
    rows: &mut [Row],
    and: &And,
    (quad, position): (usize, usize),
    [t_g, t_e]: [&[Bytes64; N]; 2],
) {
    let zero = _mm512_setzero_si512();
    let (mut x, mut j) = ([[zero; 2]; N], [[zero; 2]; N]);
    for i in 0..N {
        x[i] = [sum(rows, and.x, quad + i), sum(rows, and.y, quad + i)];
        j[i] = tweaks(position, quad + i);
    }
    let h = hash_gate::<N, 2, HASH>(key, x, j);
    for i in 0..N {
        let ([a, b], [h_a, h_b]) = (x[i], h[i]);
        let t_e = _mm512_xor_si512(must_cast(t_e[i]), a);
        let w_g = _mm512_mask_xor_epi64(h_a, lowest_bits_twice(a), h_a, must_cast(t_g[i]));
        let w_e = _mm512_mask_xor_epi64(h_b, lowest_bits_twice(b), h_b, t_e);
        let add = load(&rows[and.add as usize][quad + i]);
        let w = _mm512_xor_si512(_mm512_xor_si512(w_g, w_e), add);
        rows[and.to as usize][quad + i] = store(w);
    }
}

/// `H(x, j)`: in each quad the first half of the blocks has the first tweak, the second the other.
#[target_feature(enable = "avx512f,avx512bw,gfni,vaes")]
#[inline]
fn hash_gate<const N: usize, const W: usize, const HASH: u8>(
    key: &Key,
    x: [[__m512i; W]; N],
    j: [[__m512i; 2]; N],
) -> [[__m512i; W]; N] {
    match HASH {
        TMMO => {
            let inner = encrypt(key, x);
            let outer = encrypt(key, tweaked(inner, j));
            sums(outer, inner)
        }
        REKEYED => sums(encrypt_rekeyed(key, x, j), x),
        _ => {
            let inner = tweaked(doubled(x), j);
            sums(encrypt(key, inner), inner)
        }
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn tweaked<const N: usize, const W: usize>(
    mut x: [[__m512i; W]; N],
    j: [[__m512i; 2]; N],
) -> [[__m512i; W]; N] {
    for i in 0..N {
        for k in 0..W {
            x[i][k] = _mm512_xor_si512(x[i][k], j[i][2 * k / W]);
        }
    }
    x
}

/// 2x in GF(2^128).
#[target_feature(enable = "avx512f")]
#[inline]
fn doubled<const N: usize, const W: usize>(mut x: [[__m512i; W]; N]) -> [[__m512i; W]; N] {
    let reduction = _mm512_set_epi64(1, 0x87, 1, 0x87, 1, 0x87, 1, 0x87);
    for x in x.as_flattened_mut() {
        let carries = _mm512_srai_epi64::<63>(_mm512_shuffle_epi32::<0x4e>(*x));
        let reduced = _mm512_and_si512(carries, reduction);
        *x = _mm512_xor_si512(_mm512_slli_epi64::<1>(*x), reduced);
    }
    x
}

/// `AES_{s ⊕ j}(x)`: the round keys are made beside the rounds, as many as `key` has.
#[target_feature(enable = "avx512f,avx512bw,gfni,vaes")]
#[inline]
fn encrypt_rekeyed<const N: usize, const W: usize>(
    key: &Key,
    mut x: [[__m512i; W]; N],
    j: [[__m512i; 2]; N],
) -> [[__m512i; W]; N] {
    let [start, _, middle @ ..] = key.0.as_slice() else {
        return x;
    };
    let start = broadcast(*start);
    let mut keys = j;
    for key in keys.as_flattened_mut() {
        *key = _mm512_xor_si512(*key, start);
    }
    x = tweaked(x, keys);
    let two = _mm512_set1_epi8(2);
    let mut constant = _mm512_set1_epi32(1);
    for _ in middle {
        for key in keys.as_flattened_mut() {
            *key = next_keys(*key, constant);
        }
        for i in 0..N {
            for k in 0..W {
                x[i][k] = _mm512_aesenc_epi128(x[i][k], keys[i][2 * k / W]);
            }
        }
        constant = _mm512_gf2p8mul_epi8(constant, two);
    }
    for key in keys.as_flattened_mut() {
        *key = next_keys(*key, constant);
    }
    for i in 0..N {
        for k in 0..W {
            x[i][k] = _mm512_aesenclast_epi128(x[i][k], keys[i][2 * k / W]);
        }
    }
    x
}

/// FIPS 197, section 5.2: `RotWord` of the last word in every column, which `ShiftRows` leaves as they are.
#[target_feature(enable = "avx512f,avx512bw,vaes")]
#[inline]
fn next_keys(key: __m512i, constant: __m512i) -> __m512i {
    let word = _mm512_shuffle_epi8(key, _mm512_set1_epi32(0x0c0f_0e0d));
    let word = _mm512_aesenclast_epi128(word, constant);
    let key = _mm512_xor_si512(key, _mm512_bslli_epi128::<4>(key));
    let key = _mm512_xor_si512(key, _mm512_bslli_epi128::<8>(key));
    _mm512_xor_si512(key, word)
}

/// One quad of a sum of rows.
#[target_feature(enable = "avx512f")]
#[inline]
fn sum(rows: &[Row], [x, y]: [u32; 2], quad: usize) -> __m512i {
    let (x, y) = (&rows[x as usize][quad], &rows[y as usize][quad]);
    _mm512_xor_si512(load(x), load(y))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor(rows: &mut [Row], [x, y, z, w]: [u32; 4], to: u32, quads: usize) {
    for quad in 0..quads {
        let sum = _mm512_xor_si512(sum(rows, [x, y], quad), sum(rows, [z, w], quad));
        rows[to as usize][quad] = store(sum);
    }
}

/// The tweaks `2i` and `2i + 1` of the ANDs of one quad.
#[target_feature(enable = "avx512f")]
#[inline]
fn tweaks(first: usize, quad: usize) -> [__m512i; 2] {
    let start = _mm512_maskz_set1_epi64(0x55, 2 * (first + 4 * quad) as i64);
    [
        _mm512_add_epi64(start, _mm512_set_epi64(0, 6, 0, 4, 0, 2, 0, 0)),
        _mm512_add_epi64(start, _mm512_set_epi64(0, 7, 0, 5, 0, 3, 0, 1)),
    ]
}

/// For each block a pair of bits: set where the block's lowest bit is.
#[target_feature(enable = "avx512f")]
#[inline]
fn lowest_bits_twice(blocks: __m512i) -> __mmask8 {
    let low = _mm512_unpacklo_epi64(blocks, blocks);
    _mm512_test_epi64_mask(low, _mm512_set1_epi64(1))
}
