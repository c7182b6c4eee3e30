//! The loops over secret words with AVX-512: eight words in a register, four registers in flight.
//!
//! Whole vectors here, what is left over in `portable`. A comparison gives a mask, and a mask adds one
//! to the lanes that it holds.

use std::arch::x86_64::*;

use bytemuck::must_cast;

use super::{THIRDS, portable};

#[target_feature(enable = "avx512f")]
#[inline]
fn splat(x: u64) -> __m512i {
    _mm512_set1_epi64(x.cast_signed())
}

fearless_simd::kernel!(
    pub(super) fn ternary(token: Avx512, words: &mut [u64]) {
        let _ = token;
        let (thirds, one) = (THIRDS.map(|third| splat(third)), splat(1));
        let (vectors, rest) = words.as_chunks_mut::<8>();
        for vector in vectors {
            let x = must_cast(*vector);
            let mut sum = splat(u64::MAX);
            for third in thirds {
                sum = _mm512_mask_add_epi64(sum, _mm512_cmpge_epu64_mask(x, third), sum, one);
            }
            *vector = must_cast(sum);
        }
        portable::ternary(rest);
    }
);

fearless_simd::kernel!(
    pub(super) fn errors(token: Avx512, words: &mut [u64], tails: &[u64]) {
        let _ = token;
        let (one, zero) = (splat(1), splat(0));
        let (vectors, _) = words.as_chunks_mut::<8>();
        let (flights, _) = vectors.as_chunks_mut::<4>();
        let done = size_of_val(flights) / size_of::<u64>();
        for flight in flights {
            let x = flight.map(must_cast);
            let u = x.map(|x| _mm512_srli_epi64::<1>(x));
            let mut magnitude = [zero; 4];
            for &tail in tails {
                let tail = splat(tail);
                for (sum, u) in magnitude.iter_mut().zip(u) {
                    let below = _mm512_cmplt_epu64_mask(u, tail);
                    *sum = _mm512_mask_add_epi64(*sum, below, *sum, one);
                }
            }
            for ((flight, sum), x) in flight.iter_mut().zip(magnitude).zip(x) {
                let negative = _mm512_test_epi64_mask(x, one);
                *flight = must_cast(_mm512_mask_sub_epi64(sum, negative, zero, sum));
            }
        }
        portable::errors(words.get_mut(done..).unwrap_or_default(), tails);
    }
);
