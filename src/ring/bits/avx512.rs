//! The loops over bits with AVX-512 VBMI: eight residues, w bytes, a register.
//!
//! Unpacking: byte permutations bring to each lane the eight bytes from the residue's first on, and the
//! ninth; shifts and a mask leave the residue. Packing is the reverse: a residue shifted to its place
//! in its first byte covers at most nine bytes. Two residues meet in a byte only if they are
//! neighbours (w ≥ 8), so that the even ones, the odd ones and the ninth bytes are three
//! permutations that are joined by OR.

use std::arch::x86_64::*;

use bytemuck::must_cast;
use fearless_simd::Avx512;

use super::{GROUP, portable, window};
use crate::ring::modulus::Modulus;

/// Bytes of a register.
const REGISTER: usize = 64;
/// Least width of residues of which only neighbours share a byte.
const LEAST_BITS: u32 = 8;

/// The proof that these kernels can serve q on this processor.
pub(super) fn token(q: Modulus) -> Option<Avx512> {
    let level = fearless_simd::Level::new();
    level.as_avx512().filter(|_| q.bits() >= LEAST_BITS)
}

/// Where the residues of a group begin: byte, and bit within it.
fn places(width: u32) -> [(usize, u64); GROUP] {
    std::array::from_fn(|lane| {
        let bit = lane * width as usize;
        (bit / 8, (bit % 8) as u64)
    })
}

/// What brings a group of strings into lanes.
#[derive(Clone, Copy)]
struct Spread {
    bytes: __m512i,
    ninth: __m512i,
    right: __m512i,
    left: __m512i,
    mask: __m512i,
    bound: __m512i,
}

#[target_feature(enable = "avx512f")]
#[inline]
fn spread(q: Modulus) -> Spread {
    let places = places(q.bits());
    let bytes: [[u8; 8]; GROUP] =
        std::array::from_fn(|lane| std::array::from_fn(|k| (places[lane].0 + k) as u8));
    Spread {
        bytes: must_cast(bytes),
        // The upper bytes of these lanes are shifted out, or lie above the mask.
        ninth: must_cast(places.map(|(byte, _)| byte as u64 + 8)),
        right: must_cast(places.map(|(_, bit)| bit)),
        left: must_cast(places.map(|(_, bit)| u64::from(u64::BITS) - bit)),
        mask: splat(u64::MAX >> (u64::BITS - q.bits())),
        bound: splat(q.value()),
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn splat(x: u64) -> __m512i {
    _mm512_set1_epi64(x.cast_signed())
}

/// The group that begins at byte `at`, and which lanes are below q.
#[target_feature(enable = "avx512f,avx512vbmi")]
#[inline]
fn group(s: Spread, bytes: &[u8], at: usize) -> (__m512i, __mmask8) {
    let x = must_cast(window::<REGISTER>(bytes, at));
    let low = _mm512_srlv_epi64(_mm512_permutexvar_epi8(s.bytes, x), s.right);
    let high = _mm512_sllv_epi64(_mm512_permutexvar_epi8(s.ninth, x), s.left);
    let x = _mm512_and_si512(_mm512_or_si512(low, high), s.mask);
    (x, _mm512_cmplt_epu64_mask(x, s.bound))
}

fearless_simd::kernel!(
    pub(super) fn unpack(token: Avx512, q: Modulus, bytes: &[u8], out: &mut [u64]) -> bool {
        let _ = token;
        let (spread, width) = (spread(q), q.bits() as usize);
        let mut in_range = __mmask8::MAX;
        let (groups, _) = out.as_chunks_mut::<GROUP>();
        for (index, out) in groups.iter_mut().enumerate() {
            let (x, below) = group(spread, bytes, index * width);
            *out = must_cast(x);
            in_range &= below;
        }
        in_range == __mmask8::MAX
    }
);

fearless_simd::kernel!(
    pub(super) fn in_range(token: Avx512, q: Modulus, x: &[u64]) -> bool {
        let _ = token;
        let (bound, mut below) = (splat(q.value()), __mmask8::MAX);
        let (vectors, rest) = x.as_chunks::<GROUP>();
        for &vector in vectors {
            below &= _mm512_cmplt_epu64_mask(must_cast(vector), bound);
        }
        below == __mmask8::MAX && portable::in_range(q, rest)
    }
);

fearless_simd::kernel!(
    pub(super) fn accept(token: Avx512, q: Modulus, bytes: &[u8], out: &mut [u64]) -> usize {
        let _ = token;
        let (spread, width) = (spread(q), q.bits() as usize);
        let mut count = 0;
        for index in 0..bytes.len() / width {
            let (x, below) = group(spread, bytes, index * width);
            let x: [u64; GROUP] = must_cast(_mm512_maskz_compress_epi64(below, x));
            let rest = out.get_mut(count..).unwrap_or_default();
            if let Some(whole) = rest.first_chunk_mut() {
                *whole = x;
            } else {
                for (to, from) in rest.iter_mut().zip(x) {
                    *to = from;
                }
            }
            count += below.count_ones() as usize;
        }
        count.min(out.len())
    }
);

/// What brings lanes into strings: for the even, the odd and the ninth bytes where each byte of a
/// register comes from, and which bytes come from there at all.
#[derive(Clone, Copy)]
struct Gather {
    from: [__m512i; 3],
    used: [u64; 3],
    left: __m512i,
    right: __m512i,
}

fn gather(width: u32) -> Gather {
    let places = places(width);
    let (mut from, mut used) = ([[0_u8; REGISTER]; 3], [0; 3]);
    for (lane, (byte, bit)) in places.into_iter().enumerate() {
        let covered = (u64::from(width) + bit).div_ceil(8) as usize;
        for k in 0..covered {
            let (kind, source) = if k < 8 {
                (lane % 2, 8 * lane + k)
            } else {
                (2, 8 * lane)
            };
            from[kind][byte + k] = source as u8;
            used[kind] |= 1 << (byte + k);
        }
    }
    Gather {
        from: from.map(must_cast),
        used,
        left: must_cast(places.map(|(_, bit)| bit)),
        right: must_cast(places.map(|(_, bit)| u64::from(u64::BITS) - bit)),
    }
}

fearless_simd::kernel!(
    pub(super) fn pack(token: Avx512, width: u32, residues: &[u64], out: &mut [u8]) {
        let _ = token;
        let (g, width) = (gather(width), width as usize);
        let (groups, _) = residues.as_chunks::<GROUP>();
        for (index, &group) in groups.iter().enumerate() {
            let x = must_cast(group);
            let (low, ninth) = (_mm512_sllv_epi64(x, g.left), _mm512_srlv_epi64(x, g.right));
            let [even, odd, high] = [
                _mm512_maskz_permutexvar_epi8(g.used[0], g.from[0], low),
                _mm512_maskz_permutexvar_epi8(g.used[1], g.from[1], low),
                _mm512_maskz_permutexvar_epi8(g.used[2], g.from[2], ninth),
            ];
            let x: [u8; REGISTER] = must_cast(_mm512_or_si512(_mm512_or_si512(even, odd), high));
            // The bytes past the group's are zero, and the next group comes over them.
            let rest = out.get_mut(index * width..).unwrap_or_default();
            if let Some(whole) = rest.first_chunk_mut() {
                *whole = x;
            } else {
                for (to, from) in rest.iter_mut().zip(x) {
                    *to = from;
                }
            }
        }
    }
);
