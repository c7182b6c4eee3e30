//! The transform modulo q of at most 50 bits where there is AVX2 and no AVX-512: butterflies of doubles by fused
//! multiply-adds, two levels at a time, four numbers in a register.
//!
//! Numbers are signed integers of at most 8q in magnitude, so that all sums of theirs are exact. A product with a root
//! w, |w| ≤ q/2, is x·w − b·q with b = round(x·(w/q)): x·w is split exactly into its rounded value and the rest of it,
//! and what is left is at most q·(1/2 + 1.25·|x|/2^53). Of four numbers that two levels combine, one is never multiplied
//! and is reduced by itself: forward, all stay below 5q/2, and 4q within; backward below 2q, and 8q within.
//!
//! The levels are those of Longa and Naehrig, "Speeding up the number theoretic transform for faster ideal
//! lattice-based cryptography", 2016, with roots in bit-reversed order; the last two, whose butterflies lie within a
//! register, are done on four registers transposed.

use std::arch::x86_64::*;

use bytemuck::{cast_slice_mut, must_cast};
use fearless_simd::Avx2;

use crate::ring::modulus::Modulus;

/// Numbers of one register.
type Lanes = [f64; 4];

/// 2^52.
const SHIFT: f64 = (1_u64 << 52) as f64;

/// A root w, and w/q.
type Root = [f64; 2];

/// Roots of two levels: of the first one, and the two of the second.
type Roots<T> = [T; 3];

/// The roots of one direction.
struct Levels {
    /// The root of level and block: at m + i that of block i of m.
    roots: Vec<Root>,
    /// The roots of four blocks of four numbers, without their quotients.
    last: Vec<Roots<Lanes>>,
}

/// The transform of one limb.
pub(super) struct Engine {
    token: Avx2,
    q: f64,
    forward: Levels,
    backward: Levels,
    /// 1/n.
    share: Root,
}

impl Engine {
    /// For ψ, a 2n-th root of unity modulo q, q of at most 50 bits and n of at least 16.
    pub(super) fn new(token: Avx2, q: Modulus, n: usize, psi: u64) -> Option<Self> {
        let root = |w: u64| {
            let w = q.centred(w) as f64;
            [w, w / q.value() as f64]
        };
        let levels = |psi: u64| {
            let mut roots = vec![[0.0; 2]; n];
            let mut power = 1;
            for i in 0..n {
                roots[super::reverse(n, i)] = root(power);
                power = q.mul(power, psi);
            }
            let of = |at: usize, step: usize| [0, 1, 2, 3].map(|i| roots[at + step * i][0]);
            let four = (0..n / 4).step_by(4);
            let last = four.map(|g| {
                [
                    of(n / 4 + g, 1),
                    of(n / 2 + 2 * g, 2),
                    of(n / 2 + 2 * g + 1, 2),
                ]
            });
            let last = last.collect();
            Levels { roots, last }
        };
        Some(Self {
            token,
            q: q.value() as f64,
            forward: levels(psi),
            backward: levels(q.inverse(psi)?),
            share: root(q.inverse(n as u64)?),
        })
    }

    /// Coefficients to values, in place.
    pub(super) fn forward(&self, a: &mut [u64]) {
        forward(self.token, self, a);
    }

    /// Values to coefficients, in place.
    pub(super) fn inverse(&self, a: &mut [u64]) {
        inverse(self.token, self, a);
    }
}

/// A modulus in all lanes.
#[derive(Clone, Copy)]
struct Prime {
    q: __m256d,
    inverse: __m256d,
}

/// A root in all lanes, or one in each.
#[derive(Clone, Copy)]
struct Factor {
    w: __m256d,
    quotient: __m256d,
}

#[inline(always)]
fn load(lanes: &Lanes) -> __m256d {
    must_cast(*lanes)
}

#[inline(always)]
fn store(register: __m256d) -> Lanes {
    must_cast(register)
}

#[target_feature(enable = "avx2")]
#[inline]
fn prime(q: f64) -> Prime {
    Prime {
        q: _mm256_set1_pd(q),
        inverse: _mm256_set1_pd(1.0 / q),
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn everywhere([w, quotient]: Root) -> Factor {
    Factor {
        w: _mm256_set1_pd(w),
        quotient: _mm256_set1_pd(quotient),
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn each(p: Prime, w: &Lanes) -> Factor {
    let w = load(w);
    Factor {
        w,
        quotient: _mm256_mul_pd(w, p.inverse),
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn rounded(x: __m256d) -> __m256d {
    _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x)
}

/// x·w modulo q.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn times(p: Prime, x: __m256d, f: Factor) -> __m256d {
    let high = _mm256_mul_pd(x, f.w);
    let low = _mm256_fmsub_pd(x, f.w, high);
    let multiple = rounded(_mm256_mul_pd(x, f.quotient));
    _mm256_add_pd(_mm256_fnmadd_pd(multiple, p.q, high), low)
}

/// x modulo q, at most q/2 and a little in magnitude.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn reduced(p: Prime, x: __m256d) -> __m256d {
    let multiple = rounded(_mm256_mul_pd(x, p.inverse));
    _mm256_fnmadd_pd(multiple, p.q, x)
}

/// The residue of x as a word.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn word(p: Prime, x: __m256d) -> __m256d {
    let x = reduced(p, x);
    let x = _mm256_blendv_pd(x, _mm256_add_pd(x, p.q), x);
    let shift = _mm256_set1_pd(SHIFT);
    _mm256_xor_pd(_mm256_add_pd(x, shift), shift)
}

/// The number of a word below 2^52.
#[target_feature(enable = "avx2")]
#[inline]
fn number(word: __m256d) -> __m256d {
    let shift = _mm256_set1_pd(SHIFT);
    _mm256_sub_pd(_mm256_or_pd(word, shift), shift)
}

/// u + w·v and u − w·v.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn spread(p: Prime, u: __m256d, v: __m256d, f: Factor) -> [__m256d; 2] {
    let v = times(p, v, f);
    [_mm256_add_pd(u, v), _mm256_sub_pd(u, v)]
}

/// u + v and w·(u − v).
#[target_feature(enable = "avx2,fma")]
#[inline]
fn gather(p: Prime, u: __m256d, v: __m256d, f: Factor) -> [__m256d; 2] {
    [_mm256_add_pd(u, v), times(p, _mm256_sub_pd(u, v), f)]
}

/// Two levels forward.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn spread_twice(p: Prime, [x0, x1, x2, x3]: [__m256d; 4], f: Roots<Factor>) -> [__m256d; 4] {
    let [x0, x2] = spread(p, reduced(p, x0), x2, f[0]);
    let [x1, x3] = spread(p, x1, x3, f[0]);
    let [x0, x1] = spread(p, x0, x1, f[1]);
    let [x2, x3] = spread(p, x2, x3, f[2]);
    [x0, x1, x2, x3]
}

/// Two levels backward, but for a reduction of the first number.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn gather_twice(p: Prime, [x0, x1, x2, x3]: [__m256d; 4], f: Roots<Factor>) -> [__m256d; 4] {
    let [x0, x1] = gather(p, x0, x1, f[1]);
    let [x2, x3] = gather(p, x2, x3, f[2]);
    let [x0, x2] = gather(p, x0, x2, f[0]);
    let [x1, x3] = gather(p, x1, x3, f[0]);
    [x0, x1, x2, x3]
}

/// Rows to columns.
#[target_feature(enable = "avx2")]
#[inline]
fn transposed([a, b, c, d]: [__m256d; 4]) -> [__m256d; 4] {
    let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
    let (low_2, high_2) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
    [
        _mm256_permute2f128_pd::<0x20>(low, low_2),
        _mm256_permute2f128_pd::<0x20>(high, high_2),
        _mm256_permute2f128_pd::<0x31>(low, low_2),
        _mm256_permute2f128_pd::<0x31>(high, high_2),
    ]
}

/// The roots of two levels for block `i` of `m`.
#[target_feature(enable = "avx2")]
#[inline]
fn roots(levels: &Levels, m: usize, i: usize) -> Roots<Factor> {
    [m + i, 2 * (m + i), 2 * (m + i) + 1].map(|at| everywhere(levels.roots[at]))
}

/// What is done to every block of `4·step` registers: `butterfly` of four registers that lie `step` apart.
macro_rules! for_each_four {
    ($blocks:expr, $levels:expr, $step:expr, |$roots:ident, $four:ident| $butterfly:expr) => {
        let step = $step;
        let m = $blocks.len() / (4 * step);
        for (i, block) in $blocks.chunks_exact_mut(4 * step).enumerate() {
            let $roots = roots($levels, m, i);
            let (left, right) = block.split_at_mut(2 * step);
            let ((x0, x1), (x2, x3)) = (left.split_at_mut(step), right.split_at_mut(step));
            let all = x0.iter_mut().zip(x1).zip(x2.iter_mut().zip(x3));
            for ((x0, x1), (x2, x3)) in all {
                let $four = [load(x0), load(x1), load(x2), load(x3)];
                [*x0, *x1, *x2, *x3] = $butterfly.map(store);
            }
        }
    };
}

fearless_simd::kernel!(
    fn forward(token: Avx2, engine: &Engine, a: &mut [u64]) {
        let _ = token;
        let (p, levels) = (prime(engine.q), &engine.forward);
        let (registers, _) = cast_slice_mut::<u64, f64>(a).as_chunks_mut::<4>();
        let mut step = registers.len();
        if step.trailing_zeros() % 2 == 1 {
            step /= 2;
            let root = everywhere(levels.roots[1]);
            let (left, right) = registers.split_at_mut(step);
            for (u, v) in left.iter_mut().zip(right) {
                let pair = spread(p, number(load(u)), number(load(v)), root);
                [*u, *v] = pair.map(store);
            }
        } else {
            for register in registers.iter_mut() {
                *register = store(number(load(register)));
            }
        }
        while step > 1 {
            step /= 4;
            for_each_four!(registers, levels, step, |roots, four| spread_twice(
                p, four, roots
            ));
        }
        for (four, roots) in registers
            .as_chunks_mut::<4>()
            .0
            .iter_mut()
            .zip(&levels.last)
        {
            let [x0, x1, x2, x3] = &*four;
            let columns = transposed([load(x0), load(x1), load(x2), load(x3)]);
            let [first, even, odd] = roots;
            let roots = [each(p, first), each(p, even), each(p, odd)];
            let [x0, x1, x2, x3] = spread_twice(p, columns, roots);
            let words = [word(p, x0), word(p, x1), word(p, x2), word(p, x3)];
            *four = transposed(words).map(store);
        }
    }
);

fearless_simd::kernel!(
    fn inverse(token: Avx2, engine: &Engine, a: &mut [u64]) {
        let _ = token;
        let (p, levels) = (prime(engine.q), &engine.backward);
        let (registers, _) = cast_slice_mut::<u64, f64>(a).as_chunks_mut::<4>();
        for (four, roots) in registers
            .as_chunks_mut::<4>()
            .0
            .iter_mut()
            .zip(&levels.last)
        {
            let [x0, x1, x2, x3] = &*four;
            let words = [load(x0), load(x1), load(x2), load(x3)];
            let [x0, x1, x2, x3] = transposed(words);
            let columns = [number(x0), number(x1), number(x2), number(x3)];
            let [first, even, odd] = roots;
            let roots = [each(p, first), each(p, even), each(p, odd)];
            let [x0, x1, x2, x3] = gather_twice(p, columns, roots);
            let rows = transposed([reduced(p, x0), x1, x2, x3]);
            *four = rows.map(store);
        }
        let mut step = 1;
        while 4 * step <= registers.len() {
            for_each_four!(registers, levels, step, |roots, four| {
                let [x0, x1, x2, x3] = gather_twice(p, four, roots);
                [reduced(p, x0), x1, x2, x3]
            });
            step *= 4;
        }
        let share = everywhere(engine.share);
        if step < registers.len() {
            let root = everywhere(levels.roots[1]);
            let (left, right) = registers.split_at_mut(step);
            for (u, v) in left.iter_mut().zip(right) {
                let [x, y] = gather(p, load(u), load(v), root);
                *u = store(word(p, times(p, x, share)));
                *v = store(word(p, times(p, y, share)));
            }
        } else {
            for register in registers.iter_mut() {
                *register = store(word(p, times(p, load(register), share)));
            }
        }
    }
);
