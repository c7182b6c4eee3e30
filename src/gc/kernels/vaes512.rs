//! The kernels for AVX-512 with VAES: four blocks in a register, eight registers in flight.
//!
//! In and out as in `kernels`. `fearless_simd::kernel!` ties each entry to a token that proves the
//! features; the functions below it inherit them. Intrinsics take and give values only; loads and
//! stores are `bytemuck` casts.

use std::arch::x86_64::*;

use bytemuck::must_cast;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Quad, Row, Square};

mod half_gates;

pub(super) use half_gates::{evaluate, garble};

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
    pub(super) fn choose(token: Avx512, zero: &mut Row, bits: u32, delta: u128) {
        let _ = token;
        let delta = broadcast(delta);
        for (q, quad) in zero.iter_mut().enumerate() {
            let four = bits >> (4 * q) & 0xf;
            let two = (four | four << 2) & 0x33;
            let one = (two | two << 1) & 0x55;
            let mask = (one | one << 1) as __mmask8;
            let label = load(quad);
            *quad = store(_mm512_mask_xor_epi64(label, mask, label, delta));
        }
    }
);

fearless_simd::kernel!(
    pub(super) fn lowest_bits(token: Avx512, row: &Row) -> u32 {
        let _ = token;
        let lowest = _mm512_set_epi64(0, 1, 0, 1, 0, 1, 0, 1);
        let mut bits = 0;
        for (q, quad) in row.iter().enumerate() {
            let one = u32::from(_mm512_test_epi64_mask(load(quad), lowest));
            let two = (one | one >> 1) & 0x33;
            bits |= ((two | two >> 2) & 0xf) << (4 * q);
        }
        bits
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
            let [blocks] = encrypt(key, [blocks]);
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
            for (quad, hash) in quads.iter_mut().zip(tmmo(key, [x], [j]).as_flattened()) {
                *quad = store(*hash);
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

/// `π(π(x) ⊕ j) ⊕ π(x)`.
#[target_feature(enable = "avx512f,vaes")]
#[inline]
fn tmmo<const N: usize, const W: usize>(
    key: &Key,
    x: [[__m512i; W]; N],
    j: [[__m512i; W]; N],
) -> [[__m512i; W]; N] {
    let inner = encrypt(key, x);
    sums(encrypt(key, sums(inner, j)), inner)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn sums<const N: usize, const W: usize>(
    mut x: [[__m512i; W]; N],
    y: [[__m512i; W]; N],
) -> [[__m512i; W]; N] {
    for i in 0..N {
        for k in 0..W {
            x[i][k] = _mm512_xor_si512(x[i][k], y[i][k]);
        }
    }
    x
}

/// π of every block.
#[target_feature(enable = "avx512f,vaes")]
#[inline]
fn encrypt<const N: usize, const W: usize>(
    key: &Key,
    mut x: [[__m512i; W]; N],
) -> [[__m512i; W]; N] {
    let [first, middle @ .., last] = key.0.as_slice() else {
        return x;
    };
    let (first, last) = (broadcast(*first), broadcast(*last));
    for x in x.as_flattened_mut() {
        *x = _mm512_xor_si512(*x, first);
    }
    for &round in middle {
        let round = broadcast(round);
        for x in x.as_flattened_mut() {
            *x = _mm512_aesenc_epi128(*x, round);
        }
    }
    for x in x.as_flattened_mut() {
        *x = _mm512_aesenclast_epi128(*x, last);
    }
    x
}
