//! Eight residues in a register, and the loops that need no multiplier.
//!
//! The kernels take slices of equal length, whole vectors first; what is left over goes to `portable`.
//! Their names and meanings are those of `pointwise`.

use std::arch::x86_64::*;

use bytemuck::must_cast;

use super::portable;
use crate::ring::automorphism::Automorphism;
use crate::ring::modulus::Modulus;

/// Residues of one register.
pub(super) type Lanes = [u64; 8];

#[inline(always)]
pub(super) fn load(lanes: &Lanes) -> __m512i {
    must_cast(*lanes)
}

#[inline(always)]
pub(super) fn store(register: __m512i) -> Lanes {
    must_cast(register)
}

#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn splat(x: u64) -> __m512i {
    _mm512_set1_epi64(x.cast_signed())
}

/// x if x < m, else x − m; for x < 2^63 + m.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn fold(x: __m512i, m: __m512i) -> __m512i {
    // The difference of a smaller x wraps to more than any x.
    _mm512_min_epu64(x, _mm512_sub_epi64(x, m))
}

/// x if it is not negative, else x + m.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn lift(x: __m512i, m: __m512i) -> __m512i {
    _mm512_min_epu64(x, _mm512_add_epi64(x, m))
}

fearless_simd::kernel!(
    pub(super) fn add_assign(token: Avx512, q: Modulus, acc: &mut [u64], x: &[u64]) {
        let _ = token;
        let m = splat(q.value());
        let ((acc, acc_rest), (x, x_rest)) = (acc.as_chunks_mut(), x.as_chunks());
        for (acc, x) in acc.iter_mut().zip(x) {
            *acc = store(fold(_mm512_add_epi64(load(acc), load(x)), m));
        }
        portable::add_assign(q, acc_rest, x_rest);
    }
);

fearless_simd::kernel!(
    pub(super) fn sub_assign(token: Avx512, q: Modulus, acc: &mut [u64], x: &[u64]) {
        let _ = token;
        let m = splat(q.value());
        let ((acc, acc_rest), (x, x_rest)) = (acc.as_chunks_mut(), x.as_chunks());
        for (acc, x) in acc.iter_mut().zip(x) {
            *acc = store(lift(_mm512_sub_epi64(load(acc), load(x)), m));
        }
        portable::sub_assign(q, acc_rest, x_rest);
    }
);

fearless_simd::kernel!(
    pub(super) fn neg_assign(token: Avx512, q: Modulus, x: &mut [u64]) {
        let _ = token;
        let m = splat(q.value());
        let (x, x_rest) = x.as_chunks_mut();
        for x in x {
            *x = store(fold(_mm512_sub_epi64(m, load(x)), m));
        }
        portable::neg_assign(q, x_rest);
    }
);

fearless_simd::kernel!(
    pub(super) fn permute(token: Avx512, automorphism: &Automorphism, x: &[u64], out: &mut [u64]) {
        let _ = token;
        let ((blocks, _), (out, _)) = (x.as_chunks::<8>(), out.as_chunks_mut());
        for (out, (block, lanes)) in out.iter_mut().zip(automorphism.blocks()) {
            if let Some(from) = blocks.get(block) {
                *out = store(_mm512_permutexvar_epi64(load(lanes), load(from)));
            }
        }
    }
);

fearless_simd::kernel!(
    pub(super) fn centre(token: Avx512, q: Modulus, x: &mut [u64]) {
        let _ = token;
        let (m, half) = (splat(q.value()), splat(q.half()));
        let (x, x_rest) = x.as_chunks_mut();
        for lanes in x {
            let x = load(lanes);
            let above = _mm512_cmpgt_epu64_mask(x, half);
            *lanes = store(_mm512_mask_sub_epi64(x, above, x, m));
        }
        portable::centre(q, x_rest);
    }
);

fearless_simd::kernel!(
    pub(super) fn reduce_signed(token: Avx512, q: Modulus, x: &[u64], out: &mut [u64]) {
        let _ = token;
        let m = splat(q.value());
        let ((x, x_rest), (out, out_rest)) = (x.as_chunks(), out.as_chunks_mut());
        for (out, x) in out.iter_mut().zip(x) {
            *out = store(lift(load(x), m));
        }
        portable::reduce_signed(q, x_rest, out_rest);
    }
);

fearless_simd::kernel!(
    pub(super) fn take_digit(token: Avx512, bits: u32, x: &mut [u64], digit: &mut [u64]) {
        let _ = token;
        let (shift, above) = (splat(bits.into()), splat((u64::BITS - bits).into()));
        let ((x, x_rest), (digit, digit_rest)) = (x.as_chunks_mut(), digit.as_chunks_mut());
        for (lanes, digit) in x.iter_mut().zip(digit) {
            let x = load(lanes);
            let low = _mm512_srav_epi64(_mm512_sllv_epi64(x, above), above);
            *digit = store(low);
            *lanes = store(_mm512_srav_epi64(_mm512_sub_epi64(x, low), shift));
        }
        portable::take_digit(bits, x_rest, digit_rest);
    }
);
