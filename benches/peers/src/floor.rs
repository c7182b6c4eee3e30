//! Floors: what memory and multiplier of this machine leave for an operation, at the least.
//!
//! Add, Hadamard and multiply-accumulate are loops over the same bytes as the operation, written for
//! AVX-512 with IFMA and checked against plain arithmetic (`floor/avx512.rs`); they are not offered
//! where the processor lacks it. Everything else is counted in transforms ([`transforms`]) at the time
//! of the fastest forward transform of the run: a bound by the usual algorithms, with all else free.

#[cfg(target_arch = "x86_64")]
mod avx512;

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::clock::repeat;
use crate::ops::{Op, Peer, Size};
use crate::rings::{DIGITS, Ring, bits};

/// Widest prime of the 52-bit multiplier.
const NARROW_BITS: u32 = 50;

/// Transforms that an operation takes at L limbs of q and one special prime (L ≥ 1), one direction
/// priced as the other; `None` if transforms are not what it consists of.
///
/// - rotate: c1 to coefficients, L; each of L digits to the L other primes, L²; from both sums the
///   special prime removed, 1 + L each. Together (L + 1)(L + 2).
/// - hoisting: L + L² once, then 2(1 + L) a rotation.
/// - decrypt from coefficients: c1 forward and the phase back, 2L, and 1 modulo p to decode; from NTT
///   form L + 1. Decode 1, encode 1, as a factor 1 + L.
/// - encrypt: 1 to encode, L for the secret key, 3L for the public one (u and two errors).
/// - a Galois key: an error modulo L + 1 primes for each of L digits.
///
/// With d digits in place of a special prime (L = 1): rotate and decompose 1 + d, a further rotation
/// none, a key d.
pub fn transforms(op: Op, ring: &Ring) -> Option<usize> {
    let l = ring.q.len();
    let switches = ring.special.is_some();
    match op {
        Op::Rotate if switches => Some((l + 1) * (l + 2)),
        Op::Decompose if switches => Some(l + l * l),
        Op::HoistedRotate if switches => Some(2 * (1 + l)),
        Op::GaloisKey if switches => Some(l * (l + 1)),
        Op::Rotate | Op::Decompose => Some(1 + DIGITS),
        Op::GaloisKey => Some(DIGITS),
        Op::Encode | Op::Decode => Some(1),
        Op::EncodeFactor => Some(1 + l),
        Op::EncodeEncryptSecret => Some(1 + l),
        Op::EncodeEncryptPublic => Some(1 + 3 * l),
        Op::EncryptSecret => Some(l),
        Op::EncryptPublic => Some(3 * l),
        Op::Decrypt => Some(2 * l + 1),
        Op::DecryptNtt => Some(l + 1),
        _ => None,
    }
}

/// A prime as the loops want it.
#[derive(Clone, Copy)]
struct Prime {
    q: u64,
    /// 1/q modulo 2^52, for primes of at most 50 bits.
    inverse: u64,
}

impl Prime {
    fn new(q: u64) -> Self {
        // Newton's iteration doubles the low bits that are right, from 3.
        let inverse = (0..5).fold(q, |x, _| {
            x.wrapping_mul(2_u64.wrapping_sub(q.wrapping_mul(x)))
        });
        Self {
            q,
            inverse: inverse & ((1 << 52) - 1),
        }
    }

    fn is_narrow(self) -> bool {
        bits(self.q) <= NARROW_BITS
    }
}

/// Eight residues in one cache line: a 512-bit access that crosses lines takes twice as long.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; 8]);

/// `values` in lines; their number is a multiple of 8.
fn lines(values: &[u64]) -> Vec<Line> {
    let (lines, _) = values.as_chunks::<8>();
    lines.iter().map(|&line| Line(line)).collect()
}

/// One limb of the operands: two halves of a ciphertext and of an accumulator, one factor.
struct Limb {
    prime: Prime,
    acc: [Vec<Line>; 2],
    ct: [Vec<Line>; 2],
    factor: Vec<Line>,
    /// Of each factor w: w·2^52 mod q for narrow primes, ⌊w·2^64 / q⌋ for wide ones.
    prepared: Vec<Line>,
}

impl Limb {
    fn new(n: usize, q: u64) -> Self {
        let values = |a: u64| -> Vec<u64> {
            (1..=n as u64)
                .map(|i| i.wrapping_mul(a).wrapping_mul(0x9e37_79b9_7f4a_7c15) % q)
                .collect()
        };
        let factor = values(5);
        let prime = Prime::new(q);
        let prepare = |&w: &u64| {
            let (w, q) = (u128::from(w), u128::from(q));
            let prepared = if prime.is_narrow() {
                (w << 52) % q
            } else {
                (w << 64) / q
            };
            prepared as u64
        };
        let prepared: Vec<u64> = factor.iter().map(prepare).collect();
        Self {
            prime,
            acc: [1, 2].map(|a| lines(&values(a))),
            ct: [3, 4].map(|a| lines(&values(a))),
            prepared: lines(&prepared),
            factor: lines(&factor),
        }
    }
}

/// The loops with their operands.
pub struct Floor {
    #[cfg(target_arch = "x86_64")]
    token: fearless_simd::Avx512,
    limbs: Vec<Limb>,
}

impl Floor {
    /// The loops in `ring`, checked; `None` where the processor cannot run them.
    #[cfg(target_arch = "x86_64")]
    pub fn new(ring: &Ring) -> Result<Option<Self>> {
        let Some(token) = fearless_simd::Level::new().as_avx512() else {
            return Ok(None);
        };
        let limbs = || ring.q.iter().map(|&q| Limb::new(ring.n, q)).collect();
        for op in [Op::Add, Op::Hadamard, Op::MultiplyAccumulate] {
            let mut floor = Self {
                token,
                limbs: limbs(),
            };
            floor.run(op);
            let before: Vec<Limb> = limbs();
            for (after, before) in floor.limbs.iter().zip(&before) {
                check(op, before, after)?;
            }
        }
        Ok(Some(Self {
            token,
            limbs: limbs(),
        }))
    }

    /// The loops in `ring`: none on this architecture.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn new(_: &Ring) -> Result<Option<Self>> {
        Ok(None)
    }

    #[cfg(target_arch = "x86_64")]
    fn run(&mut self, op: Op) {
        for limb in &mut self.limbs {
            for (acc, ct) in limb.acc.iter_mut().zip(&limb.ct) {
                let (token, prime) = (self.token, limb.prime);
                let (w, v) = (&limb.factor, &limb.prepared);
                match (op, prime.is_narrow()) {
                    (Op::Add, _) => avx512::add(token, acc, ct, prime.q),
                    (Op::Hadamard, true) => avx512::multiply_narrow(token, acc, v, prime),
                    (Op::Hadamard, false) => avx512::multiply_wide(token, acc, w, v, prime.q),
                    (_, true) => avx512::accumulate_narrow(token, acc, ct, v, prime),
                    (_, false) => avx512::accumulate_wide(token, acc, ct, (w, v), prime.q),
                }
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn run(&mut self, _: Op) {}
}

/// Compares with plain arithmetic.
fn check(op: Op, before: &Limb, after: &Limb) -> Result<()> {
    let q = u128::from(before.prime.q);
    for half in 0..2 {
        let operands = [&before.acc[half], &before.ct[half], &before.factor];
        for i in 0..8 * operands[0].len() {
            let at = |x: &[Line]| u128::from(x[i / 8].0[i % 8]);
            let [acc, ct, w] = operands.map(|x| at(x));
            let wanted = match op {
                Op::Add => acc + ct,
                Op::Hadamard => acc * w,
                _ => acc + ct * w,
            } % q;
            ensure!(
                at(&after.acc[half]) == wanted,
                "floor: wrong result of {}",
                op.name()
            );
        }
    }
    Ok(())
}

impl Peer for Floor {
    fn name(&self) -> &str {
        "floor"
    }

    fn time(&mut self, op: Op, calls: u32) -> Result<Option<Duration>> {
        if !matches!(op, Op::Add | Op::Hadamard | Op::MultiplyAccumulate) {
            return Ok(None);
        }
        let time = repeat(calls, || {
            self.run(std::hint::black_box(op));
            Ok(())
        });
        time.map(Some)
    }

    fn bytes(&self, _: Size) -> Option<usize> {
        None
    }
}
