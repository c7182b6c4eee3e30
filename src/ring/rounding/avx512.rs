//! The loops of rounding with AVX-512: eight residues in a register; names and meanings are those of
//! `Backend`.
//!
//! Narrow products take both halves from the 52-bit multiplier. Wide ones sum three of the four
//! products of 32-bit halves, rounded down one by one, so that the quotient is at most two too
//! small and a product, before it is folded, below 4q < 2^63.

use std::arch::x86_64::*;

use bytemuck::must_cast;

use super::{Affine, Step, Width, portable};
use crate::ring::modulus::{Constant, Modulus};

/// Residues of one register.
type Lanes = [u64; 8];

/// A constant factor and its modulus in all lanes.
#[derive(Clone, Copy)]
struct Factor {
    w: __m512i,
    /// ⌊w·2^52/q⌋, or ⌊w·2^64/q⌋ and its upper half.
    quotient: __m512i,
    upper: __m512i,
    q: __m512i,
    twice: __m512i,
}

#[target_feature(enable = "avx512f")]
#[inline]
fn splat(x: u64) -> __m512i {
    _mm512_set1_epi64(x.cast_signed())
}

#[target_feature(enable = "avx512f")]
#[inline]
fn factor<const WIDE: bool>(q: Modulus, w: Constant) -> Factor {
    Factor {
        w: splat(w.value()),
        quotient: splat(if WIDE { w.quotient() } else { w.quotient_52() }),
        upper: splat(w.quotient() >> 32),
        q: splat(q.value()),
        twice: splat(2 * q.value()),
    }
}

/// x if x < m, else x − m; for x < 2^63 + m.
#[target_feature(enable = "avx512f")]
#[inline]
fn fold(x: __m512i, m: __m512i) -> __m512i {
    // The difference of a smaller x wraps to more than any x.
    _mm512_min_epu64(x, _mm512_sub_epi64(x, m))
}

/// w·x mod q.
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
#[inline]
fn times<const WIDE: bool>(f: Factor, x: __m512i) -> __m512i {
    if WIDE {
        let upper = _mm512_srli_epi64::<32>(x);
        let (a, b) = (
            _mm512_mul_epu32(x, f.upper),
            _mm512_mul_epu32(upper, f.quotient),
        );
        let halves = _mm512_add_epi64(_mm512_srli_epi64::<32>(a), _mm512_srli_epi64::<32>(b));
        let quotient = _mm512_add_epi64(_mm512_mul_epu32(upper, f.upper), halves);
        let product = _mm512_mullo_epi64(x, f.w);
        let product = _mm512_sub_epi64(product, _mm512_mullo_epi64(quotient, f.q));
        fold(fold(product, f.twice), f.q)
    } else {
        let zero = _mm512_setzero_si512();
        let quotient = _mm512_madd52hi_epu64(zero, x, f.quotient);
        let product = _mm512_sub_epi64(
            _mm512_madd52lo_epu64(zero, x, f.w),
            _mm512_madd52lo_epu64(zero, quotient, f.q),
        );
        fold(_mm512_and_si512(product, splat(u64::MAX >> 12)), f.q)
    }
}

#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
#[inline]
fn affine_lanes<const WIDE: bool>(q: Modulus, map: Affine, x: &mut [Lanes]) {
    let (f, c) = (factor::<WIDE>(q, map.w), splat(map.c));
    for x in x {
        let product = times::<WIDE>(f, must_cast(*x));
        *x = must_cast(fold(_mm512_add_epi64(product, c), f.q));
    }
}

#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
#[inline]
fn accumulate_lanes<const WIDE: bool>(q: Modulus, map: Affine, x: &[Lanes], acc: &mut [Lanes]) {
    let (f, c) = (factor::<WIDE>(q, map.w), splat(map.c));
    for (acc, &x) in acc.iter_mut().zip(x) {
        let product = times::<WIDE>(f, must_cast(x));
        let sum = _mm512_add_epi64(_mm512_add_epi64(must_cast(*acc), c), product);
        *acc = must_cast(fold(fold(sum, f.twice), f.q));
    }
}

#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
#[inline]
fn eliminate_lanes<const WIDE: bool>(q: Modulus, step: Step, digit: &[Lanes], x: &mut [Lanes]) {
    let (f, multiple) = (factor::<WIDE>(q, step.w), splat(step.multiple));
    for (x, &digit) in x.iter_mut().zip(digit) {
        let raised = _mm512_add_epi64(must_cast(*x), multiple);
        let difference = _mm512_sub_epi64(raised, must_cast(digit));
        *x = must_cast(times::<WIDE>(f, difference));
    }
}

fearless_simd::kernel!(
    pub(super) fn affine(token: Avx512, width: Width, q: Modulus, map: Affine, x: &mut [u64]) {
        let _ = token;
        let (lanes, rest) = x.as_chunks_mut();
        match width {
            Width::Narrow => affine_lanes::<false>(q, map, lanes),
            Width::Wide => affine_lanes::<true>(q, map, lanes),
        }
        portable::affine(q, map, rest);
    }
);

fearless_simd::kernel!(
    pub(super) fn accumulate(
        token: Avx512,
        width: Width,
        q: Modulus,
        map: Affine,
        x: &[u64],
        acc: &mut [u64],
    ) {
        let _ = token;
        let ((x, x_rest), (acc, acc_rest)) = (x.as_chunks(), acc.as_chunks_mut());
        match width {
            Width::Narrow => accumulate_lanes::<false>(q, map, x, acc),
            Width::Wide => accumulate_lanes::<true>(q, map, x, acc),
        }
        portable::accumulate(q, map, x_rest, acc_rest);
    }
);

fearless_simd::kernel!(
    pub(super) fn eliminate(
        token: Avx512,
        width: Width,
        q: Modulus,
        step: Step,
        digit: &[u64],
        x: &mut [u64],
    ) {
        let _ = token;
        let ((digit, digit_rest), (x, x_rest)) = (digit.as_chunks(), x.as_chunks_mut());
        match width {
            Width::Narrow => eliminate_lanes::<false>(q, step, digit, x),
            Width::Wide => eliminate_lanes::<true>(q, step, digit, x),
        }
        portable::eliminate(q, step, digit_rest, x_rest);
    }
);
