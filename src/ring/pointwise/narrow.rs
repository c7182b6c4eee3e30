//! The loops for q of at most 50 bits, with the 52-bit multiplier of AVX-512 IFMA.
//!
//! - Factors: x·f·R = h·2^52 + l. With m = l/q mod 2^52 the product m·q ends in l too, so that
//!   x·f = h − ⌊m·q/2^52⌋, which lies in −q … q²/2^52. In a sum of products h and l are summed apart,
//!   and the carry of the sum of the l is added to h.
//! - Constants: x·w − ⌊x·w′/2^52⌋·q with w′ = ⌊w·2^52/q⌋ lies in 0 … 2q − 1 for all x < 2^52.
//! - Words below 2^52: the same with w = 1.

use std::arch::x86_64::*;

use super::lanes::{Lanes, difference, fold, high, lift, load, low, product_loops, splat, store};
pub(super) use super::lanes::{add_assign, centre, neg_assign, reduce_signed, sub_assign};
use super::{Stream, Term, portable};
use crate::prefetch::prefetch_ahead;
use crate::ring::modulus::{Constant, Modulus};

/// A modulus in all lanes.
#[derive(Clone, Copy)]
struct Narrow {
    q: __m512i,
    twice: __m512i,
    inverse: __m512i,
}

/// A constant in all lanes.
#[derive(Clone, Copy)]
struct Multiplier {
    value: __m512i,
    quotient: __m512i,
}

#[target_feature(enable = "avx512f")]
#[inline]
fn prepare(q: Modulus) -> Narrow {
    Narrow {
        q: splat(q.value()),
        twice: splat(2 * q.value()),
        inverse: splat(q.inverse_52()),
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn constant(_q: Modulus, w: Constant) -> Multiplier {
    Multiplier {
        value: splat(w.value()),
        quotient: splat(w.quotient_52()),
    }
}

/// x·f, between −q and q.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn product(m: Narrow, x: __m512i, factor: __m512i) -> __m512i {
    let zero = _mm512_setzero_si512();
    let multiple = low(zero, low(zero, x, factor), m.inverse);
    _mm512_sub_epi64(high(zero, x, factor), high(zero, multiple, m.q))
}

/// x·f, reduced.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn times(m: Narrow, x: __m512i, factor: __m512i) -> __m512i {
    lift(product(m, x, factor), m.q)
}

/// acc + x·f, reduced.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn plus_times(m: Narrow, acc: __m512i, x: __m512i, factor: __m512i) -> __m512i {
    fold(lift(_mm512_add_epi64(acc, product(m, x, factor)), m.q), m.q)
}

/// w·x, reduced; for x < 2^52.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn scaled(m: Narrow, w: Multiplier, x: __m512i) -> __m512i {
    fold(nearly_scaled(m, w, x), m.q)
}

/// acc + w·x, reduced; for x < 2^52.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn plus_scaled(m: Narrow, acc: __m512i, w: Multiplier, x: __m512i) -> __m512i {
    let sum = _mm512_add_epi64(acc, nearly_scaled(m, w, x));
    fold(fold(sum, m.twice), m.q)
}

/// w·x modulo q, below 2q; for x < 2^52.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn nearly_scaled(m: Narrow, w: Multiplier, x: __m512i) -> __m512i {
    let zero = _mm512_setzero_si512();
    let quotient = high(zero, x, w.quotient);
    let difference = _mm512_sub_epi64(low(zero, x, w.value), low(zero, quotient, m.q));
    _mm512_and_si512(difference, splat(u64::MAX >> 12))
}

/// Terms of [`sums`] that have vectors in flight at once.
const FLIGHT: usize = 4;

/// Σ x·f over the vectors from `4·block` on, between −q and 2q.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn sums(m: Narrow, terms: &[Term<'_>], block: usize) -> [__m512i; FLIGHT] {
    let zero = _mm512_setzero_si512();
    let (mut h, mut l) = ([zero; FLIGHT], [zero; FLIGHT]);
    for term in terms {
        let (x, factor) = (flight(term.x, block), flight(term.factor, block));
        if let (Some(x), Some(factor)) = (x, factor) {
            for i in 0..FLIGHT {
                prefetch_ahead(term.factor, 8 * (FLIGHT * block + i));
                let (x, factor) = (load(&x[i]), load(&factor[i]));
                h[i] = high(h[i], x, factor);
                l[i] = low(l[i], x, factor);
            }
        }
    }
    for i in 0..FLIGHT {
        let multiple = low(zero, l[i], m.inverse);
        // The multiple of q ends in the same 52 bits: the others are the carry.
        let carry = _mm512_srli_epi64::<52>(l[i]);
        // At most eight products of q²/2^52 ≤ q/4 each.
        h[i] = _mm512_sub_epi64(_mm512_add_epi64(h[i], carry), high(zero, multiple, m.q));
    }
    h
}

/// Vectors `4·block` to `4·block + 3`.
#[inline(always)]
fn flight(x: &[u64], block: usize) -> Option<&[Lanes; FLIGHT]> {
    let (lanes, _) = x.as_chunks();
    let (flights, _) = lanes.as_chunks();
    flights.get(block)
}

fearless_simd::kernel!(
    pub(super) fn inner_product(token: Avx512, q: Modulus, terms: &[Term<'_>], out: &mut [u64]) {
        let _ = token;
        let m = prepare(q);
        let (flights, rest) = flights_mut(out);
        for (block, out) in flights.iter_mut().enumerate() {
            let sums = sums(m, terms, block);
            for i in 0..FLIGHT {
                out[i] = store(fold(lift(sums[i], m.q), m.q));
            }
        }
        rest.fill(0);
        let start = flights.len() * FLIGHT * 8;
        portable::add_inner_product_from(start, q, rest, terms);
    }
);

fearless_simd::kernel!(
    pub(super) fn add_inner_product(
        token: Avx512,
        q: Modulus,
        acc: &mut [u64],
        terms: &[Term<'_>],
    ) {
        let _ = token;
        let m = prepare(q);
        let (flights, rest) = flights_mut(acc);
        for (block, acc) in flights.iter_mut().enumerate() {
            let sums = sums(m, terms, block);
            for i in 0..FLIGHT {
                // Between 0 and 4q.
                let sum = _mm512_add_epi64(_mm512_add_epi64(sums[i], load(&acc[i])), m.q);
                acc[i] = store(fold(fold(sum, m.twice), m.q));
            }
        }
        let start = flights.len() * FLIGHT * 8;
        portable::add_inner_product_from(start, q, rest, terms);
    }
);

/// Whole flights, and what is left.
#[inline(always)]
fn flights_mut(x: &mut [u64]) -> (&mut [[Lanes; FLIGHT]], &mut [u64]) {
    let whole = x.len() - x.len() % (8 * FLIGHT);
    let (flights, rest) = x.split_at_mut(whole);
    (flights.as_chunks_mut().0.as_chunks_mut().0, rest)
}

product_loops!(Avx512);

fearless_simd::kernel!(
    pub(super) fn lift_centred(
        token: Avx512,
        from: Modulus,
        to: Modulus,
        x: &[u64],
        out: &mut [u64],
    ) {
        let _ = token;
        let (m, one) = (prepare(to), constant(to, to.constant(1)));
        let (half, shift) = (splat(from.half()), splat(to.reduce(from.value())));
        let ((x, x_rest), (out, out_rest)) = (x.as_chunks(), out.as_chunks_mut());
        for (out, x) in out.iter_mut().zip(x) {
            let x = load(x);
            let above = _mm512_cmpgt_epu64_mask(x, half);
            let reduced = scaled(m, one, x);
            let signed = _mm512_mask_sub_epi64(reduced, above, reduced, shift);
            *out = store(lift(signed, m.q));
        }
        portable::lift_centred(from, to, x_rest, out_rest);
    }
);
