//! Eight residues in a register; the loops that need no product, and the frame of those that do.
//!
//! The kernels take slices of equal length, whole vectors first; what is left over goes to `portable`.
//! Their names and meanings are those of `pointwise`.

use std::arch::x86_64::*;

use bytemuck::must_cast;

use super::portable;
use crate::prefetch::prefetch_ahead;
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

/// acc + the low 52 bits of the product of the low 52 bits of x and y.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn low(acc: __m512i, x: __m512i, y: __m512i) -> __m512i {
    _mm512_madd52lo_epu64(acc, x, y)
}

/// acc + the high 52 bits of it.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn high(acc: __m512i, x: __m512i, y: __m512i) -> __m512i {
    _mm512_madd52hi_epu64(acc, x, y)
}

fearless_simd::kernel!(
    pub(super) fn add_assign(token: Avx512, q: Modulus, acc: &mut [u64], x: &[u64]) {
        let _ = token;
        let m = splat(q.value());
        let ((acc, acc_rest), (x, x_rest)) = (acc.as_chunks_mut(), x.as_chunks());
        for (i, (acc, lanes)) in acc.iter_mut().zip(x).enumerate() {
            prefetch_ahead(x, i);
            *acc = store(fold(_mm512_add_epi64(load(acc), load(lanes)), m));
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

/// acc − x + m.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn difference(acc: __m512i, x: __m512i, m: __m512i) -> __m512i {
    _mm512_add_epi64(_mm512_sub_epi64(acc, x), m)
}

/// The loops with one product for each residue, for the processors of a token: from the module's own `load`, `store`,
/// `difference`, `prepare`, `times`, `plus_times` (reduced products, the second added to a residue), `constant`,
/// `scaled` and `plus_scaled` (the same for a constant factor), with `Lanes`, `Stream` and `portable` in scope.
macro_rules! product_loops {
    ($token:ident) => {
        fearless_simd::kernel!(
            pub(super) fn multiply_assign(
                token: $token,
                q: Modulus,
                x: &mut [u64],
                factor: &[u64],
            ) {
                let _ = token;
                let m = prepare(q);
                let ((x, x_rest), (factor, factor_rest)) = (x.as_chunks_mut(), factor.as_chunks());
                for (x, factor) in x.iter_mut().zip(factor) {
                    *x = store(times(m, load(x), load(factor)));
                }
                portable::multiply_assign(q, x_rest, factor_rest);
            }
        );

        fearless_simd::kernel!(
            pub(super) fn multiply_accumulate(
                token: $token,
                q: Modulus,
                acc: &mut [u64],
                x: &[u64],
                factor: &[u64],
            ) {
                let _ = token;
                let m = prepare(q);
                let ((x, x_rest), (factor, factor_rest)) = (x.as_chunks(), factor.as_chunks());
                let (acc, acc_rest) = acc.as_chunks_mut();
                for ((acc, x), factor) in acc.iter_mut().zip(x).zip(factor) {
                    *acc = store(plus_times(m, load(acc), load(x), load(factor)));
                }
                portable::multiply_accumulate(q, acc_rest, x_rest, factor_rest);
            }
        );

        fearless_simd::kernel!(
            pub(super) fn multiply_both(
                token: $token,
                q: Modulus,
                x: [&[u64]; 2],
                stream: Stream<'_>,
                out: [&mut [u64]; 2],
            ) {
                let _ = token;
                let (m, [x, y], [out, other]) = (prepare(q), x, out);
                let ((x, x_rest), (y, y_rest)) = (x.as_chunks(), y.as_chunks());
                let (out, out_rest) = out.as_chunks_mut();
                let (other, other_rest) = other.as_chunks_mut();
                let (factors, factor_rest) = stream.factor.as_chunks();
                let next = stream.next.as_chunks::<{ size_of::<Lanes>() / 8 }>().0;
                let both = out.iter_mut().zip(other).zip(x.iter().zip(y));
                for (i, (((out, other), (x, y)), factor)) in both.zip(factors).enumerate() {
                    $crate::prefetch::prefetch(next, i);
                    let factor = load(factor);
                    *out = store(times(m, load(x), factor));
                    *other = store(times(m, load(y), factor));
                }
                let rests = [out_rest, other_rest];
                let rest = Stream::alone(factor_rest);
                portable::multiply_both(q, [x_rest, y_rest], rest, rests);
            }
        );

        fearless_simd::kernel!(
            pub(super) fn multiply_accumulate_both(
                token: $token,
                q: Modulus,
                acc: [&mut [u64]; 2],
                x: [&[u64]; 2],
                stream: Stream<'_>,
            ) {
                let _ = token;
                let (m, [acc, other], [x, y]) = (prepare(q), acc, x);
                let ((x, x_rest), (y, y_rest)) = (x.as_chunks(), y.as_chunks());
                let (acc, acc_rest) = acc.as_chunks_mut();
                let (other, other_rest) = other.as_chunks_mut();
                let (factors, factor_rest) = stream.factor.as_chunks();
                let next = stream.next.as_chunks::<{ size_of::<Lanes>() / 8 }>().0;
                let both = acc.iter_mut().zip(other).zip(x.iter().zip(y));
                for (i, (((acc, other), (x, y)), factor)) in both.zip(factors).enumerate() {
                    $crate::prefetch::prefetch(next, i);
                    let factor = load(factor);
                    *acc = store(plus_times(m, load(acc), load(x), factor));
                    *other = store(plus_times(m, load(other), load(y), factor));
                }
                let rests = [acc_rest, other_rest];
                let rest = Stream::alone(factor_rest);
                portable::multiply_accumulate_both(q, rests, [x_rest, y_rest], rest);
            }
        );

        fearless_simd::kernel!(
            pub(super) fn scale_assign(token: $token, q: Modulus, x: &mut [u64], w: Constant) {
                let _ = token;
                let (m, lanes) = (prepare(q), constant(q, w));
                let (x, x_rest) = x.as_chunks_mut();
                for x in x {
                    *x = store(scaled(m, lanes, load(x)));
                }
                portable::scale_assign(q, x_rest, w);
            }
        );

        fearless_simd::kernel!(
            pub(super) fn sub_scale_assign(
                token: $token,
                q: Modulus,
                acc: &mut [u64],
                x: &[u64],
                w: Constant,
            ) {
                let _ = token;
                let (m, lanes) = (prepare(q), constant(q, w));
                let ((acc, acc_rest), (x, x_rest)) = (acc.as_chunks_mut(), x.as_chunks());
                for (acc, x) in acc.iter_mut().zip(x) {
                    *acc = store(scaled(m, lanes, difference(load(acc), load(x), m.q)));
                }
                portable::sub_scale_assign(q, acc_rest, x_rest, w);
            }
        );

        fearless_simd::kernel!(
            pub(super) fn scale_accumulate(
                token: $token,
                q: Modulus,
                acc: &mut [u64],
                x: &[u64],
                w: Constant,
            ) {
                let _ = token;
                let (m, lanes) = (prepare(q), constant(q, w));
                let ((acc, acc_rest), (x, x_rest)) = (acc.as_chunks_mut(), x.as_chunks());
                for (acc, x) in acc.iter_mut().zip(x) {
                    *acc = store(plus_scaled(m, load(acc), lanes, load(x)));
                }
                portable::scale_accumulate(q, acc_rest, x_rest, w);
            }
        );
    };
}

pub(super) use product_loops;
