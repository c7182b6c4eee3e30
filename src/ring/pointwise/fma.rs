//! The loops for q of at most 50 bits where there is AVX2 and no AVX-512: the 52-bit multiplier is made of
//! fused multiply-adds of doubles, four residues at a time.
//!
//! A product x·y of integers is split exactly into h + l with h a multiple of 2^52 and |l| ≤ 2^51: adding it to 2^104
//! in one rounding gives h, and adding it to −h in one rounding gives l (Emmart, Zheng, Weems, "Faster modular
//! exponentiation using double precision floating point arithmetic on the GPU", 2018, who round towards zero).
//!
//! - Factors: x·f·R = h + l. With m = l/q modulo 2^52, |m| ≤ 2^51, the number l − m·q is a multiple of 2^52 and has
//!   few enough bits to come out of one multiply-add exactly; x·f = (h + l − m·q)/2^52 lies in −q/2 … 3q/4. In a sum of
//!   products h and l are summed apart, four at a time so that the sum of the l stays exact.
//! - Constants: x·w − b·q with b = round(x·(w/q)), where w/q is rounded: |x·w − b·q| < q for all x < 2^51.

use std::arch::x86_64::*;

use bytemuck::must_cast;

pub(super) use super::avx2::{add_assign, centre, neg_assign, reduce_signed, sub_assign};
use super::lanes::product_loops;
use super::{Stream, Term, portable};
use crate::prefetch::prefetch_ahead;
use crate::ring::modulus::{Constant, Modulus};

/// Residues of one register.
type Lanes = [u64; 4];

/// 2^52.
const SHIFT: f64 = (1_u64 << 52) as f64;
/// Added to a number from −2^50 to 3·2^50 it rounds it to an integer, which the low bits then hold, in two's complement.
const WHOLE: f64 = 1.25 * SHIFT;
/// 2^104: numbers of its binade are multiples of 2^52.
const HIGH: f64 = SHIFT * SHIFT;
/// The same for signed numbers of magnitude below 2^103.
const SIGNED: f64 = 1.5 * HIGH;

/// A modulus in all lanes.
#[derive(Clone, Copy)]
struct Narrow {
    q: __m256i,
    number: __m256d,
    /// 1/q modulo 2^52, of magnitude at most 2^51.
    inverse: __m256d,
}

/// A constant in all lanes.
#[derive(Clone, Copy)]
struct Multiplier {
    value: __m256d,
    quotient: __m256d,
}

#[target_feature(enable = "avx2")]
#[inline]
fn splat(x: f64) -> __m256d {
    _mm256_set1_pd(x)
}

#[inline(always)]
fn load(lanes: &Lanes) -> __m256i {
    must_cast(*lanes)
}

#[inline(always)]
fn store(register: __m256i) -> Lanes {
    must_cast(register)
}

#[target_feature(enable = "avx2")]
#[inline]
fn prepare(q: Modulus) -> Narrow {
    let inverse = q.inverse_52().cast_signed();
    let centred = if inverse >> 51 == 0 {
        inverse
    } else {
        inverse - (1 << 52)
    };
    Narrow {
        q: _mm256_set1_epi64x(q.value().cast_signed()),
        number: splat(q.value() as f64),
        inverse: splat(centred as f64),
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn constant(q: Modulus, w: Constant) -> Multiplier {
    let value = w.value() as f64;
    Multiplier {
        value: splat(value),
        quotient: splat(value / q.value() as f64),
    }
}

/// The number in each lane, below 2^52.
#[target_feature(enable = "avx2")]
#[inline]
fn number(x: __m256i) -> __m256d {
    let shift = splat(SHIFT);
    let shifted = _mm256_or_si256(x, _mm256_castpd_si256(shift));
    _mm256_sub_pd(_mm256_castsi256_pd(shifted), shift)
}

/// scale·x as a signed word; an integer from −2^50 to 3·2^50.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn word(x: __m256d, scale: f64) -> __m256i {
    let whole = splat(WHOLE);
    let shifted = _mm256_fmadd_pd(x, splat(scale), whole);
    _mm256_sub_epi64(_mm256_castpd_si256(shifted), _mm256_castpd_si256(whole))
}

/// `other` where x is negative, else x.
#[target_feature(enable = "avx2")]
#[inline]
fn unless_negative(x: __m256i, other: __m256i) -> __m256i {
    let (x, other) = (_mm256_castsi256_pd(x), _mm256_castsi256_pd(other));
    _mm256_castpd_si256(_mm256_blendv_pd(x, other, x))
}

/// x if x < m, else x − m; for signed x.
#[target_feature(enable = "avx2")]
#[inline]
fn fold(x: __m256i, m: __m256i) -> __m256i {
    unless_negative(_mm256_sub_epi64(x, m), x)
}

/// x if it is not negative, else x + m.
#[target_feature(enable = "avx2")]
#[inline]
fn lift(x: __m256i, m: __m256i) -> __m256i {
    unless_negative(x, _mm256_add_epi64(x, m))
}

/// [−h, l] of x·y; both below 2^52.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn split(x: __m256d, y: __m256d) -> [__m256d; 2] {
    let base = splat(HIGH);
    let less = _mm256_sub_pd(base, _mm256_fmadd_pd(x, y, base));
    [less, _mm256_fmadd_pd(x, y, less)]
}

/// (h + l)/2^52 modulo q for [−h, l] with |l| ≤ 2^51, within q/2 of (h + l)/2^52.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn divided(m: Narrow, [less, l]: [__m256d; 2]) -> __m256i {
    let base = splat(SIGNED);
    let above = _mm256_sub_pd(base, _mm256_fmadd_pd(l, m.inverse, base));
    let multiple = _mm256_fmadd_pd(l, m.inverse, above);
    let rest = _mm256_fnmadd_pd(multiple, m.number, l);
    word(_mm256_sub_pd(rest, less), 1.0 / SHIFT)
}

/// x·f, between −q and q.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn product(m: Narrow, x: __m256i, factor: __m256i) -> __m256i {
    divided(m, split(number(x), number(factor)))
}

/// x·f, reduced.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn times(m: Narrow, x: __m256i, factor: __m256i) -> __m256i {
    lift(product(m, x, factor), m.q)
}

/// acc + x·f, reduced.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn plus_times(m: Narrow, acc: __m256i, x: __m256i, factor: __m256i) -> __m256i {
    let sum = _mm256_add_epi64(acc, product(m, x, factor));
    lift(fold(sum, m.q), m.q)
}

/// acc − x + m.
#[target_feature(enable = "avx2")]
#[inline]
fn difference(acc: __m256i, x: __m256i, m: __m256i) -> __m256i {
    _mm256_add_epi64(_mm256_sub_epi64(acc, x), m)
}

/// w·x modulo q, between −q and q; for x < 2^51.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn nearly_scaled(m: Narrow, w: Multiplier, x: __m256i) -> __m256i {
    let (x, whole) = (number(x), splat(WHOLE));
    let high = _mm256_mul_pd(x, w.value);
    let low = _mm256_fmsub_pd(x, w.value, high);
    let multiple = _mm256_sub_pd(_mm256_fmadd_pd(x, w.quotient, whole), whole);
    let rest = _mm256_fnmadd_pd(multiple, m.number, high);
    word(_mm256_add_pd(rest, low), 1.0)
}

/// w·x, reduced; for x < 2^51.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn scaled(m: Narrow, w: Multiplier, x: __m256i) -> __m256i {
    lift(nearly_scaled(m, w, x), m.q)
}

/// acc + w·x, reduced; for x < 2^51.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn plus_scaled(m: Narrow, acc: __m256i, w: Multiplier, x: __m256i) -> __m256i {
    let sum = _mm256_add_epi64(acc, nearly_scaled(m, w, x));
    lift(fold(sum, m.q), m.q)
}

/// Registers of [`sums`] that are in flight at once.
const FLIGHT: usize = 2;
/// Products whose l are summed exactly.
const EXACT: usize = 4;

/// A sum of [`split`] products.
type Sum = [__m256d; 2];

#[target_feature(enable = "avx2")]
#[inline]
fn plus([less, l]: Sum, [more_less, more_l]: Sum) -> Sum {
    [_mm256_add_pd(less, more_less), _mm256_add_pd(l, more_l)]
}

/// The same sum with |l| ≤ 2^51.
#[target_feature(enable = "avx2")]
#[inline]
fn carried([less, l]: Sum) -> Sum {
    let base = splat(SIGNED);
    let carry = _mm256_sub_pd(_mm256_add_pd(l, base), base);
    [_mm256_sub_pd(less, carry), _mm256_sub_pd(l, carry)]
}

/// Σ x·f over the registers from `FLIGHT·block` on, between −q/2 and 5q/2.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn sums(m: Narrow, terms: &[Term<'_>], block: usize) -> [__m256i; FLIGHT] {
    let none = [[_mm256_setzero_pd(); 2]; FLIGHT];
    let mut sums = none;
    for terms in terms.chunks(EXACT) {
        let mut part = none;
        for term in terms {
            let (x, factor) = (flight(term.x, block), flight(term.factor, block));
            if let (Some(x), Some(factor)) = (x, factor) {
                for i in 0..FLIGHT {
                    prefetch_ahead(term.factor, 4 * (FLIGHT * block + i));
                    let product = split(number(load(&x[i])), number(load(&factor[i])));
                    part[i] = plus(part[i], product);
                }
            }
        }
        for i in 0..FLIGHT {
            sums[i] = carried(plus(sums[i], carried(part[i])));
        }
    }
    let mut divided_sums = [_mm256_setzero_si256(); FLIGHT];
    for i in 0..FLIGHT {
        divided_sums[i] = divided(m, sums[i]);
    }
    divided_sums
}

/// Registers `FLIGHT·block` and those behind.
#[inline(always)]
fn flight(x: &[u64], block: usize) -> Option<&[Lanes; FLIGHT]> {
    let (lanes, _) = x.as_chunks();
    let (flights, _) = lanes.as_chunks();
    flights.get(block)
}

/// Whole flights, and what is left.
#[inline(always)]
fn flights_mut(x: &mut [u64]) -> (&mut [[Lanes; FLIGHT]], &mut [u64]) {
    let whole = x.len() - x.len() % (4 * FLIGHT);
    let (flights, rest) = x.split_at_mut(whole);
    (flights.as_chunks_mut().0.as_chunks_mut().0, rest)
}

fearless_simd::kernel!(
    pub(super) fn inner_product(token: Avx2, q: Modulus, terms: &[Term<'_>], out: &mut [u64]) {
        let _ = token;
        let m = prepare(q);
        let (flights, rest) = flights_mut(out);
        for (block, out) in flights.iter_mut().enumerate() {
            let sums = sums(m, terms, block);
            for i in 0..FLIGHT {
                out[i] = store(lift(fold(fold(sums[i], m.q), m.q), m.q));
            }
        }
        rest.fill(0);
        let start = flights.len() * FLIGHT * 4;
        portable::add_inner_product_from(start, q, rest, terms);
    }
);

fearless_simd::kernel!(
    pub(super) fn add_inner_product(token: Avx2, q: Modulus, acc: &mut [u64], terms: &[Term<'_>]) {
        let _ = token;
        let m = prepare(q);
        let twice = _mm256_add_epi64(m.q, m.q);
        let (flights, rest) = flights_mut(acc);
        for (block, acc) in flights.iter_mut().enumerate() {
            let sums = sums(m, terms, block);
            for i in 0..FLIGHT {
                // Below 7q/2.
                let sum = _mm256_add_epi64(sums[i], load(&acc[i]));
                acc[i] = store(lift(fold(fold(sum, twice), m.q), m.q));
            }
        }
        let start = flights.len() * FLIGHT * 4;
        portable::add_inner_product_from(start, q, rest, terms);
    }
);

product_loops!(Avx2);

fearless_simd::kernel!(
    pub(super) fn lift_centred(
        token: Avx2,
        from: Modulus,
        to: Modulus,
        x: &[u64],
        out: &mut [u64],
    ) {
        let _ = token;
        let (m, one) = (prepare(to), constant(to, to.constant(1)));
        let half = _mm256_set1_epi64x(from.half().cast_signed());
        let shift = _mm256_set1_epi64x(to.reduce(from.value()).cast_signed());
        let ((x, x_rest), (out, out_rest)) = (x.as_chunks(), out.as_chunks_mut());
        for (out, x) in out.iter_mut().zip(x) {
            let x = load(x);
            let above = _mm256_cmpgt_epi64(x, half);
            let less = _mm256_and_si256(above, shift);
            let signed = _mm256_sub_epi64(scaled(m, one, x), less);
            *out = store(lift(signed, m.q));
        }
        portable::lift_centred(from, to, x_rest, out_rest);
    }
);
