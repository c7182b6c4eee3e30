//! The kernels for AVX-512 with VAES: four blocks in a register, eight registers in flight.
//!
//! In and out as in `kernels`. `fearless_simd::kernel!` ties each entry to a token that proves the
//! features; the functions below it inherit them. Intrinsics take and give values only; loads and
//! stores are `bytemuck` casts.

use std::arch::x86_64::*;

use bytemuck::must_cast;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{And, Gate, LANES, QUADS, Quad, Row, Square, Table};

/// The round keys. Their number is data: the compiler then keeps the loop over the rounds, and with it
/// the order of the instructions, eight independent ones in a row. Unrolled, it sorts them by
/// block, and the processor finds fewer to run side by side.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(in crate::gc) struct Key(Vec<u128>);

fearless_simd::kernel!(
    /// FIPS 197, section 5.2.
    pub(super) fn key(token: Avx512, key: &[u8; 16]) -> Key {
        let _ = token;
        let mut keys = [must_cast::<[u8; 16], __m128i>(*key); 11];
        keys[1] = next_key::<0x01>(keys[0]);
        keys[2] = next_key::<0x02>(keys[1]);
        keys[3] = next_key::<0x04>(keys[2]);
        keys[4] = next_key::<0x08>(keys[3]);
        keys[5] = next_key::<0x10>(keys[4]);
        keys[6] = next_key::<0x20>(keys[5]);
        keys[7] = next_key::<0x40>(keys[6]);
        keys[8] = next_key::<0x80>(keys[7]);
        keys[9] = next_key::<0x1b>(keys[8]);
        keys[10] = next_key::<0x36>(keys[9]);
        let mut rounds = Vec::with_capacity(keys.len());
        for key in keys {
            rounds.push(must_cast(key));
        }
        Key(rounds)
    }
);

fearless_simd::kernel!(
    pub(super) fn xor(token: Avx512, rows: &mut [Row], gates: &[Gate]) {
        let _ = token;
        for &gate in gates {
            for q in 0..QUADS {
                let (x, y) = inputs(rows, gate, q);
                rows[gate.to][q] = store(_mm512_xor_si512(x, y));
            }
        }
    }
);

fearless_simd::kernel!(
    pub(super) fn garble_and(
        token: Avx512,
        key: &Key,
        rows: &mut [Row],
        and: And,
        delta: u128,
        tables: &mut [Table; LANES],
    ) {
        let _ = token;
        let And { gate, first } = and;
        let delta = broadcast(delta);
        let (tables, _) = tables.as_chunks_mut::<8>();
        for (pair, tables) in tables.iter_mut().enumerate() {
            let mut h = [delta; 8];
            for i in 0..2 {
                let (a, b) = inputs(rows, gate, 2 * pair + i);
                h[4 * i] = a;
                h[4 * i + 1] = _mm512_xor_si512(a, delta);
                h[4 * i + 2] = b;
                h[4 * i + 3] = _mm512_xor_si512(b, delta);
            }
            let j = [tweaks(first, 2 * pair), tweaks(first, 2 * pair + 1)];
            let h = tmmo(
                key,
                h,
                [
                    j[0].0, j[0].0, j[0].1, j[0].1, j[1].0, j[1].0, j[1].1, j[1].1,
                ],
            );
            for i in 0..2 {
                let (a, b) = inputs(rows, gate, 2 * pair + i);
                let (p_a, p_b) = (lowest_bits(a), lowest_bits(b));
                let (h_a, h_b) = (h[4 * i], h[4 * i + 2]);
                let t_g = _mm512_xor_si512(h_a, h[4 * i + 1]);
                let t_g = _mm512_mask_xor_epi64(t_g, p_b, t_g, delta);
                let e = _mm512_xor_si512(h_b, h[4 * i + 3]);
                let w_g = _mm512_mask_xor_epi64(h_a, p_a, h_a, t_g);
                let w_e = _mm512_mask_xor_epi64(h_b, p_b, h_b, e);
                rows[gate.to][2 * pair + i] = store(_mm512_xor_si512(w_g, w_e));
                let rows = interleave(t_g, _mm512_xor_si512(e, a));
                let (half, _) = tables.as_chunks_mut::<4>();
                half[i] = must_cast(rows);
            }
        }
    }
);

fearless_simd::kernel!(
    pub(super) fn evaluate_and(
        token: Avx512,
        key: &Key,
        rows: &mut [Row],
        and: And,
        tables: &[Table; LANES],
    ) {
        let _ = token;
        let And { gate, first } = and;
        let (tables, _) = tables.as_chunks::<16>();
        for (four, tables) in tables.iter().enumerate() {
            let (mut h, mut j) = ([_mm512_setzero_si512(); 8], [_mm512_setzero_si512(); 8]);
            for i in 0..4 {
                (h[2 * i], h[2 * i + 1]) = inputs(rows, gate, 4 * four + i);
                (j[2 * i], j[2 * i + 1]) = tweaks(first, 4 * four + i);
            }
            let h = tmmo(key, h, j);
            let (tables, _) = tables.as_chunks::<4>();
            for i in 0..4 {
                let (a, b) = inputs(rows, gate, 4 * four + i);
                let (t_g, t_e) = separate(must_cast(tables[i]));
                let (h_a, h_b) = (h[2 * i], h[2 * i + 1]);
                let w_g = _mm512_mask_xor_epi64(h_a, lowest_bits(a), h_a, t_g);
                let t_e = _mm512_xor_si512(t_e, a);
                let w_e = _mm512_mask_xor_epi64(h_b, lowest_bits(b), h_b, t_e);
                rows[gate.to][4 * four + i] = store(_mm512_xor_si512(w_g, w_e));
            }
        }
    }
);

fearless_simd::kernel!(
    pub(super) fn counter(token: Avx512, key: &Key, iv: u128, start: u64, out: &mut [Quad]) {
        let _ = token;
        let iv = broadcast(iv);
        let four = _mm512_set_epi64(0, 4, 0, 4, 0, 4, 0, 4);
        let mut place = _mm512_add_epi64(
            _mm512_maskz_set1_epi64(0x55, start as i64),
            _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0),
        );
        for out in out.chunks_mut(8) {
            let mut blocks = [iv; 8];
            for block in &mut blocks {
                *block = _mm512_xor_si512(*block, place);
                place = _mm512_add_epi64(place, four);
            }
            let blocks = encrypt(key, blocks);
            for (out, block) in out.iter_mut().zip(blocks) {
                *out = store(block);
            }
        }
    }
);

fearless_simd::kernel!(
    pub(super) fn hash(token: Avx512, key: &Key, first: u64, blocks: &mut [Quad]) {
        let _ = token;
        let four = _mm512_set_epi64(0, 4, 0, 4, 0, 4, 0, 4);
        let mut tweak = _mm512_add_epi64(
            _mm512_maskz_set1_epi64(0x55, first as i64),
            _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0),
        );
        for quads in blocks.chunks_mut(8) {
            let (mut x, mut j) = ([_mm512_setzero_si512(); 8], [tweak; 8]);
            for (x, quad) in x.iter_mut().zip(&*quads) {
                *x = load(quad);
            }
            for j in &mut j {
                *j = tweak;
                tweak = _mm512_add_epi64(tweak, four);
            }
            for (quad, hash) in quads.iter_mut().zip(tmmo(key, x, j)) {
                *quad = store(hash);
            }
        }
    }
);

fearless_simd::kernel!(
    /// Halves, quarters, … (Warren, *Hacker's Delight*, 7-3).
    pub(super) fn transpose(token: Avx512, square: &mut Square) {
        let _ = token;
        for k in 0..64 {
            let (x, y) = (load(&square[k]), load(&square[k + 64]));
            square[k] = store(_mm512_unpacklo_epi64(x, y));
            square[k + 64] = store(_mm512_unpackhi_epi64(x, y));
        }
        exchange::<32>(square, 0x0000_0000_ffff_ffff);
        exchange::<16>(square, 0x0000_ffff_0000_ffff);
        exchange::<8>(square, 0x00ff_00ff_00ff_00ff);
        exchange::<4>(square, 0x0f0f_0f0f_0f0f_0f0f);
        exchange::<2>(square, 0x3333_3333_3333_3333);
        exchange::<1>(square, 0x5555_5555_5555_5555);
    }
);

#[target_feature(enable = "avx512f")]
#[inline]
fn exchange<const SIZE: u32>(square: &mut Square, low: i64) {
    let low = _mm512_set1_epi64(low);
    let size = SIZE as usize;
    for k in (0..square.len()).filter(|k| k & size == 0) {
        let (x, y) = (load(&square[k]), load(&square[k + size]));
        let exchanged = _mm512_xor_si512(_mm512_srli_epi64::<SIZE>(x), y);
        let exchanged = _mm512_and_si512(exchanged, low);
        square[k + size] = store(_mm512_xor_si512(y, exchanged));
        square[k] = store(_mm512_xor_si512(x, _mm512_slli_epi64::<SIZE>(exchanged)));
    }
}

#[target_feature(enable = "sse2,aes")]
#[inline]
fn next_key<const CONSTANT: i32>(key: __m128i) -> __m128i {
    let word = _mm_shuffle_epi32::<0xff>(_mm_aeskeygenassist_si128::<CONSTANT>(key));
    let key = _mm_xor_si128(key, _mm_slli_si128::<4>(key));
    let key = _mm_xor_si128(key, _mm_slli_si128::<8>(key));
    _mm_xor_si128(key, word)
}

#[inline(always)]
fn load(quad: &Quad) -> __m512i {
    must_cast(quad.0)
}

#[inline(always)]
fn store(register: __m512i) -> Quad {
    Quad(must_cast(register))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn broadcast(block: u128) -> __m512i {
    _mm512_broadcast_i32x4(must_cast(block))
}

/// The labels of one quad of both inputs.
#[inline(always)]
fn inputs(rows: &[Row], gate: Gate, quad: usize) -> (__m512i, __m512i) {
    (load(&rows[gate.x][quad]), load(&rows[gate.y][quad]))
}

/// The tweaks `2i` and `2i + 1` of the ANDs of one quad.
#[target_feature(enable = "avx512f")]
#[inline]
fn tweaks(first: usize, quad: usize) -> (__m512i, __m512i) {
    let start = _mm512_maskz_set1_epi64(0x55, 2 * (first + 4 * quad) as i64);
    (
        _mm512_add_epi64(start, _mm512_set_epi64(0, 6, 0, 4, 0, 2, 0, 0)),
        _mm512_add_epi64(start, _mm512_set_epi64(0, 7, 0, 5, 0, 3, 0, 1)),
    )
}

/// For each block a pair of bits: set where the block's lowest bit is.
#[target_feature(enable = "avx512f")]
#[inline]
fn lowest_bits(blocks: __m512i) -> __mmask8 {
    let low = _mm512_unpacklo_epi64(blocks, blocks);
    _mm512_test_epi64_mask(low, _mm512_set1_epi64(1))
}

/// `T_G, T_E` lane by lane.
#[target_feature(enable = "avx512f")]
#[inline]
fn interleave(t_g: __m512i, t_e: __m512i) -> [__m512i; 2] {
    let low = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    let high = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    [
        _mm512_permutex2var_epi64(t_g, low, t_e),
        _mm512_permutex2var_epi64(t_g, high, t_e),
    ]
}

/// The inverse of [`interleave`].
#[target_feature(enable = "avx512f")]
#[inline]
fn separate([x, y]: [__m512i; 2]) -> (__m512i, __m512i) {
    let garbler = _mm512_set_epi64(13, 12, 9, 8, 5, 4, 1, 0);
    let evaluator = _mm512_set_epi64(15, 14, 11, 10, 7, 6, 3, 2);
    (
        _mm512_permutex2var_epi64(x, garbler, y),
        _mm512_permutex2var_epi64(x, evaluator, y),
    )
}

#[target_feature(enable = "avx512f,vaes")]
#[inline]
fn encrypt(key: &Key, mut x: [__m512i; 8]) -> [__m512i; 8] {
    let [first, middle @ .., last] = key.0.as_slice() else {
        return x;
    };
    let (first, last) = (broadcast(*first), broadcast(*last));
    for x in &mut x {
        *x = _mm512_xor_si512(*x, first);
    }
    for &round in middle {
        let round = broadcast(round);
        for x in &mut x {
            *x = _mm512_aesenc_epi128(*x, round);
        }
    }
    for x in &mut x {
        *x = _mm512_aesenclast_epi128(*x, last);
    }
    x
}

/// `H(x, j) = π(π(x) ⊕ j) ⊕ π(x)`.
#[target_feature(enable = "avx512f,vaes")]
#[inline]
fn tmmo(key: &Key, x: [__m512i; 8], j: [__m512i; 8]) -> [__m512i; 8] {
    let inner = encrypt(key, x);
    let mut outer = inner;
    for (x, j) in outer.iter_mut().zip(j) {
        *x = _mm512_xor_si512(*x, j);
    }
    let mut outer = encrypt(key, outer);
    for (x, inner) in outer.iter_mut().zip(inner) {
        *x = _mm512_xor_si512(*x, inner);
    }
    outer
}
