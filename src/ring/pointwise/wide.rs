//! The loops for q of 51 to 61 bits: two digits of 52 bits a residue, on the 52-bit multiplier.
//!
//! With x = x₀ + x₁·2^52 and likewise f·R, the product is l + t·2^52 + h·2^104 from seven partial
//! products; those of a sum are added up. Twice a multiple m·q that ends in the same 52 bits as the
//! lowest digit is taken away (added, with m negated), and the digit is dropped. What remains is
//! below q + 2^22.

use std::arch::x86_64::*;

use super::lanes::{Lanes, difference, fold, high, lift, load, low, product_loops, splat, store};
pub(super) use super::lanes::{add_assign, centre, neg_assign, reduce_signed, sub_assign};
use super::{Stream, Term, portable};
use crate::prefetch::prefetch_ahead;
use crate::ring::modulus::{Constant, Modulus};

/// A modulus in all lanes.
#[derive(Clone, Copy)]
struct Wide {
    q: __m512i,
    high: __m512i,
    twice: __m512i,
    /// −1/q mod 2^52.
    inverse: __m512i,
}

#[target_feature(enable = "avx512f")]
#[inline]
fn prepare(q: Modulus) -> Wide {
    Wide {
        q: splat(q.value()),
        high: splat(q.value() >> 52),
        twice: splat(2 * q.value()),
        inverse: splat(q.inverse_52().wrapping_neg()),
    }
}

/// l + t·2^52 + h·2^104.
type Digits = [__m512i; 3];

/// sum + x·f·R.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn product([l, t, h]: Digits, x: __m512i, factor: __m512i) -> Digits {
    let (x1, f1) = (_mm512_srli_epi64::<52>(x), _mm512_srli_epi64::<52>(factor));
    [
        low(l, x, factor),
        low(low(high(t, x, factor), x, f1), x1, factor),
        low(high(high(h, x, f1), x1, factor), x1, f1),
    ]
}

/// The sum divided by R, below q + 2^22.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn reduced(m: Wide, [l, t, h]: Digits) -> __m512i {
    let zero = _mm512_setzero_si512();
    let first = low(zero, l, m.inverse);
    let t = _mm512_add_epi64(low(high(t, first, m.q), first, m.high), carry(l));
    let h = high(h, first, m.high);
    let second = low(zero, t, m.inverse);
    let h = _mm512_add_epi64(low(high(h, second, m.q), second, m.high), carry(t));
    _mm512_add_epi64(h, _mm512_slli_epi64::<52>(high(zero, second, m.high)))
}

/// What a digit carries when the multiple of q that clears its low 52 bits is added: ⌈x/2^52⌉.
#[target_feature(enable = "avx512f")]
#[inline]
fn carry(x: __m512i) -> __m512i {
    _mm512_srli_epi64::<52>(_mm512_add_epi64(x, splat(u64::MAX >> 12)))
}

/// x·f, below q + 2^22.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn multiplied(m: Wide, x: __m512i, factor: __m512i) -> __m512i {
    reduced(m, product([_mm512_setzero_si512(); 3], x, factor))
}

/// x·f, reduced.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn times(m: Wide, x: __m512i, factor: __m512i) -> __m512i {
    fold(multiplied(m, x, factor), m.q)
}

/// acc + x·f, reduced.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn plus_times(m: Wide, acc: __m512i, x: __m512i, factor: __m512i) -> __m512i {
    let sum = _mm512_add_epi64(acc, multiplied(m, x, factor));
    fold(fold(sum, m.twice), m.q)
}

/// w·x, reduced, for w·R in all lanes.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn scaled(m: Wide, w: __m512i, x: __m512i) -> __m512i {
    times(m, x, w)
}

/// acc + w·x, reduced, for w·R in all lanes.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn plus_scaled(m: Wide, acc: __m512i, w: __m512i, x: __m512i) -> __m512i {
    plus_times(m, acc, x, w)
}

/// w·R in all lanes.
#[target_feature(enable = "avx512f")]
#[inline]
fn constant(q: Modulus, w: Constant) -> __m512i {
    splat(q.mul_constant(q.radix(), w.value()))
}

/// Σ x·f at vector `i`, below q + 2^22.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn sum(m: Wide, terms: &[Term<'_>], i: usize) -> __m512i {
    let mut sum = [_mm512_setzero_si512(); 3];
    for term in terms {
        if let (Some(x), Some(factor)) = (vector(term.x, i), vector(term.factor, i)) {
            prefetch_ahead(term.factor, 8 * i);
            sum = product(sum, load(x), load(factor));
        }
    }
    reduced(m, sum)
}

fearless_simd::kernel!(
    pub(super) fn inner_product(token: Avx512, q: Modulus, terms: &[Term<'_>], out: &mut [u64]) {
        let _ = token;
        let m = prepare(q);
        let (vectors, rest) = out.as_chunks_mut();
        for (i, out) in vectors.iter_mut().enumerate() {
            *out = store(fold(sum(m, terms, i), m.q));
        }
        rest.fill(0);
        portable::add_inner_product_from(8 * vectors.len(), q, rest, terms);
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
        let (vectors, rest) = acc.as_chunks_mut();
        for (i, acc) in vectors.iter_mut().enumerate() {
            let sum = _mm512_add_epi64(sum(m, terms, i), load(acc));
            *acc = store(fold(fold(sum, m.twice), m.q));
        }
        portable::add_inner_product_from(8 * vectors.len(), q, rest, terms);
    }
);

/// Vector `i`.
#[inline(always)]
fn vector(x: &[u64], i: usize) -> Option<&Lanes> {
    x.as_chunks().0.get(i)
}

product_loops!(Avx512);

fearless_simd::kernel!(
    /// For `from` < 4·`to`.
    pub(super) fn lift_centred(
        token: Avx512,
        from: Modulus,
        to: Modulus,
        x: &[u64],
        out: &mut [u64],
    ) {
        let _ = token;
        let m = prepare(to);
        let (half, shift) = (splat(from.half()), splat(to.reduce(from.value())));
        let ((x, x_rest), (out, out_rest)) = (x.as_chunks(), out.as_chunks_mut());
        for (out, x) in out.iter_mut().zip(x) {
            let x = load(x);
            let above = _mm512_cmpgt_epu64_mask(x, half);
            let reduced = fold(fold(x, m.twice), m.q);
            let signed = _mm512_mask_sub_epi64(reduced, above, reduced, shift);
            *out = store(lift(signed, m.q));
        }
        portable::lift_centred(from, to, x_rest, out_rest);
    }
);
