//! The loops of the floors for AVX-512 with IFMA: slices of lines of 8 residues in and out.
//!
//! Narrow primes (at most 50 bits), Montgomery: with w' = w·2^52 mod q in place of the factor w and
//! m = a·w'·(1/q) mod 2^52, the low halves of a·w' and m·q are equal, and the difference of the high
//! ones is a·w modulo q, between −q and q. Wide primes (up to 61 bits), Shoup: with w' = ⌊w·2^64 / q⌋
//! beside w, and ⌊a·w' / 2^64⌋ from three 32-bit products (at most 3 too small), r = a·w − ⌊…⌋·q < 5q.
//! Then conditional additions and subtractions, as minima of unsigned numbers.

use std::arch::x86_64::*;

use bytemuck::must_cast;

use super::{Line, Prime};

fearless_simd::kernel!(
    /// acc += x.
    pub(super) fn add(token: Avx512, acc: &mut [Line], x: &[Line], q: u64) {
        let _ = token;
        let q = _mm512_set1_epi64(q as i64);
        for (acc, x) in acc.iter_mut().zip(x) {
            let sum = _mm512_add_epi64(must_cast(acc.0), must_cast(x.0));
            acc.0 = must_cast(subtract(sum, q));
        }
    }
);

fearless_simd::kernel!(
    /// acc *= w, from prepared factors, narrow.
    pub(super) fn multiply_narrow(token: Avx512, acc: &mut [Line], w: &[Line], prime: Prime) {
        let _ = token;
        let narrow = Narrow::new(prime);
        for (acc, w) in acc.iter_mut().zip(w) {
            acc.0 = must_cast(narrow.product(must_cast(acc.0), must_cast(w.0)));
        }
    }
);

fearless_simd::kernel!(
    /// acc += x·w, from prepared factors, narrow.
    pub(super) fn accumulate_narrow(
        token: Avx512,
        acc: &mut [Line],
        x: &[Line],
        w: &[Line],
        prime: Prime,
    ) {
        let _ = token;
        let narrow = Narrow::new(prime);
        for ((acc, x), w) in acc.iter_mut().zip(x).zip(w) {
            let product = narrow.product(must_cast(x.0), must_cast(w.0));
            let sum = _mm512_add_epi64(must_cast(acc.0), product);
            acc.0 = must_cast(subtract(sum, narrow.q));
        }
    }
);

fearless_simd::kernel!(
    /// acc *= w, with the quotients of w.
    pub(super) fn multiply_wide(token: Avx512, acc: &mut [Line], w: &[Line], v: &[Line], q: u64) {
        let _ = token;
        let [q, q2, q4] = [q, 2 * q, 4 * q].map(|x| _mm512_set1_epi64(x as i64));
        for ((acc, w), v) in acc.iter_mut().zip(w).zip(v) {
            let r = shoup(must_cast(acc.0), must_cast(w.0), must_cast(v.0), q);
            acc.0 = must_cast(subtract(subtract(subtract(r, q4), q2), q));
        }
    }
);

fearless_simd::kernel!(
    /// acc += x·w, with the quotients of w.
    pub(super) fn accumulate_wide(
        token: Avx512,
        acc: &mut [Line],
        x: &[Line],
        factor: (&[Line], &[Line]),
        q: u64,
    ) {
        let _ = token;
        let [q, q2, q4] = [q, 2 * q, 4 * q].map(|x| _mm512_set1_epi64(x as i64));
        let (w, v) = factor;
        for (((acc, x), w), v) in acc.iter_mut().zip(x).zip(w).zip(v) {
            let r = shoup(must_cast(x.0), must_cast(w.0), must_cast(v.0), q);
            let r = _mm512_add_epi64(r, must_cast(acc.0));
            acc.0 = must_cast(subtract(subtract(subtract(r, q4), q2), q));
        }
    }
);

/// Constants of a narrow prime.
#[derive(Clone, Copy)]
struct Narrow {
    q: __m512i,
    inverse: __m512i,
}

impl Narrow {
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn new(prime: Prime) -> Self {
        Self {
            q: _mm512_set1_epi64(prime.q as i64),
            inverse: _mm512_set1_epi64(prime.inverse as i64),
        }
    }

    /// a·w mod q, from the prepared w.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn product(self, a: __m512i, w: __m512i) -> __m512i {
        let zero = _mm512_setzero_si512();
        let m = _mm512_madd52lo_epu64(zero, _mm512_madd52lo_epu64(zero, a, w), self.inverse);
        let high = _mm512_madd52hi_epu64(zero, a, w);
        let r = _mm512_sub_epi64(high, _mm512_madd52hi_epu64(zero, m, self.q));
        _mm512_min_epu64(r, _mm512_add_epi64(r, self.q))
    }
}

/// x if x < q, else x − q.
#[target_feature(enable = "avx512f")]
#[inline]
fn subtract(x: __m512i, q: __m512i) -> __m512i {
    _mm512_min_epu64(x, _mm512_sub_epi64(x, q))
}

/// a·w modulo q, below 5q; v holds the quotients of w.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn shoup(a: __m512i, w: __m512i, v: __m512i, q: __m512i) -> __m512i {
    let (a_high, v_high) = (_mm512_srli_epi64::<32>(a), _mm512_srli_epi64::<32>(v));
    let first = _mm512_srli_epi64::<32>(_mm512_mul_epu32(a_high, v));
    let second = _mm512_srli_epi64::<32>(_mm512_mul_epu32(a, v_high));
    let high = _mm512_mul_epu32(a_high, v_high);
    let quotient = _mm512_add_epi64(_mm512_add_epi64(first, second), high);
    _mm512_sub_epi64(_mm512_mullo_epi64(a, w), _mm512_mullo_epi64(quotient, q))
}
