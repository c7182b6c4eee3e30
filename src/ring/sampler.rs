//! Random polynomials: uniform from a seed, ternary secrets, Gaussian errors, flooding noise.
//!
//! - Uniform: the blake3 output stream keyed by a 32-byte seed, one stream a limb, read as strings of
//!   ⌈log2 q⌉ bits, of which those below q are kept (`bits::accept`). So a seed of 32 bytes
//!   stands for a polynomial on the wire, the same on every processor.
//! - Secret polynomials: one seed of 32 bytes is drawn from the caller's generator and expanded by the
//!   same keyed stream, which is faster than the generator; no one can tell its words from random
//!   ones who does not know the seed (blake3 in keyed mode is a pseudo-random function; O'Connor,
//!   Aumasson, Neves, Wilcox-O'Hearn, "BLAKE3", 2020, section 6). Each coefficient takes one
//!   64-bit word u.
//!   - Ternary: −1, 0 or 1 by comparing u with ⌊2⁶⁴/3⌋ and twice that. Each value's probability is 1/3
//!     up to a factor of 1 ± 2⁻⁶³.
//!   - Error: the discrete Gaussian with σ = 8/√(2π) ≈ 3.19, the width for which the security tables
//!     hold: 63 bits of u are compared with *every* entry of the table of tails
//!     T_k = 2⁶³·P(|X| > k); the last bit is the sign. The entries are right to 52 bits and the
//!     table ends where P(|X| > k) < 2⁻⁶³, so that an error's statistical distance to the
//!     Gaussian is below 2⁻⁵⁰: telling them apart takes some 2¹⁰⁰ errors.
//!   - Flooding: uniform in −2^k … 2^k − 1 for any k, as words of k + 1 bits in all.
//!
//! No branch or address depends on a secret value; what held one is wiped. The variants of a loop
//! give the same bits. The generator is an argument everywhere.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use std::sync::OnceLock;

use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::basis::RnsBasis;
use super::bits;
use super::modulus::{Constant, Modulus};
use super::pointwise;
use super::poly::{Coefficient, Poly};

/// What a uniform polynomial is expanded from.
pub type Seed = [u8; 32];

/// Standard deviation of the error, 8/√(2π).
pub const ERROR_SIGMA: f64 = 3.191_538_243_211_461_6;

/// Coefficients that are made at a time: their words stay in the nearest cache.
const CHUNK: usize = 512;
/// Strings of a uniform polynomial that are expanded at a time.
const STRINGS: usize = 2048;

/// A fresh seed.
pub fn seed<R: CryptoRng + ?Sized>(rng: &mut R) -> Seed {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    seed
}

/// The uniform polynomial number `stream` of `seed`, in any representation: uniform values are as
/// good as uniform coefficients.
pub fn uniform<V>(basis: &RnsBasis, seed: &Seed, stream: u32) -> Poly<V> {
    let mut poly = Poly::arbitrary(basis.degree(), basis.limbs());
    for ((index, q), limb) in (0_u32..).zip(basis.moduli()).zip(poly.iter_mut()) {
        let mut hasher = blake3::Hasher::new_keyed(seed);
        hasher.update(&stream.to_le_bytes());
        hasher.update(&index.to_le_bytes());
        fill_uniform(q, &mut hasher.finalize_xof(), limb);
    }
    poly
}

/// Fills a limb with the values below q of the stream.
fn fill_uniform(q: Modulus, stream: &mut blake3::OutputReader, limb: &mut [u64]) {
    let mut bytes = [0; STRINGS * Modulus::MAX_BITS as usize / 8];
    let mut done = 0;
    while done < limb.len() {
        let rest = limb.get_mut(done..).unwrap_or_default();
        // One group more than is wanted makes up for a few that are refused.
        let strings = STRINGS.min(rest.len().next_multiple_of(8) + 8);
        let (strings, _) = bytes.split_at_mut(bits::packed_size(q, strings));
        stream.fill(strings);
        done += bits::accept(q, strings, rest);
    }
}

/// Independent uniform coefficients of {−1, 0, 1}.
pub fn ternary<R: CryptoRng + ?Sized>(basis: &RnsBasis, rng: &mut R) -> Poly<Coefficient> {
    small(basis, rng, Distribution::Ternary)
}

/// Independent errors as coefficients.
pub fn error<R: CryptoRng + ?Sized>(basis: &RnsBasis, rng: &mut R) -> Poly<Coefficient> {
    small(basis, rng, Distribution::Error)
}

/// Coefficients from −q/2 to q/2 for every prime q, one from each word of a secret stream.
fn small<R: CryptoRng + ?Sized>(
    basis: &RnsBasis,
    rng: &mut R,
    distribution: Distribution,
) -> Poly<Coefficient> {
    let backend = Backend::fastest();
    let mut stream = Stream::new(rng);
    let mut poly = Poly::arbitrary(basis.degree(), basis.limbs());
    for start in (0..basis.degree()).step_by(CHUNK) {
        let words = stream.words(CHUNK.min(basis.degree() - start));
        backend.draw(distribution, words);
        for (q, limb) in basis.moduli().zip(poly.iter_mut()) {
            pointwise::reduce_signed(q, words, part(limb, start, words.len()));
        }
    }
    poly
}

/// A polynomial whose coefficients are uniform in −2^k … 2^k − 1.
pub fn flooding<R: CryptoRng + ?Sized>(basis: &RnsBasis, k: u32, rng: &mut R) -> Poly<Coefficient> {
    let mut stream = Stream::new(rng);
    let mut poly = Poly::arbitrary(basis.degree(), basis.limbs());
    for (q, limb) in basis.moduli().zip(poly.iter_mut()) {
        limb.fill(q.neg(q.pow(2, u64::from(k))));
    }
    // k + 1 random bits: word j stands for the bits from DIGIT·j on.
    for shift in (0..=k).step_by(DIGIT as usize) {
        let kept = DIGIT.min(k + 1 - shift);
        let weight = |q: Modulus| q.constant(q.pow(2, u64::from(shift)));
        let weights: Vec<Constant> = basis.moduli().map(weight).collect();
        for start in (0..basis.degree()).step_by(CHUNK) {
            let words = stream.words(CHUNK.min(basis.degree() - start));
            for word in &mut *words {
                *word >>= u64::BITS - kept;
            }
            for ((q, limb), &weight) in basis.moduli().zip(poly.iter_mut()).zip(&weights) {
                pointwise::scale_accumulate(q, part(limb, start, words.len()), words, weight);
            }
        }
    }
    poly
}

/// The residues of a limb from `start` on that one chunk of words fills.
fn part(limb: &mut [u64], start: usize, count: usize) -> &mut [u64] {
    limb.get_mut(start..start + count).unwrap_or_default()
}

/// Random bits of a flooding coefficient that come from one word; words below 2^51 are what every
/// multiplier takes.
const DIGIT: u32 = 48;

/// What a word of a secret stream becomes.
#[derive(Clone, Copy)]
enum Distribution {
    Ternary,
    Error,
}

/// Secret random words from one seed; seed and words are wiped on drop.
struct Stream {
    reader: blake3::OutputReader,
    buffer: [u64; CHUNK],
}

impl Stream {
    fn new<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = seed(rng);
        let mut hasher = blake3::Hasher::new_keyed(&seed);
        let reader = hasher.finalize_xof();
        hasher.zeroize();
        seed.zeroize();
        let buffer = [0; CHUNK];
        Self { reader, buffer }
    }

    /// The next `count` words, at most [`CHUNK`].
    fn words(&mut self, count: usize) -> &mut [u64] {
        let words = self.buffer.get_mut(..count).unwrap_or_default();
        self.reader.fill(bytemuck::cast_slice_mut(words));
        if cfg!(target_endian = "big") {
            for word in &mut *words {
                *word = u64::from_le(*word);
            }
        }
        words
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reader.zeroize();
        self.buffer.zeroize();
    }
}

impl ZeroizeOnDrop for Stream {}

/// A variant of the loops that this processor can run.
#[derive(Clone, Copy)]
enum Backend {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx512(fearless_simd::Avx512),
}

impl Backend {
    fn fastest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(token) = fearless_simd::Level::new().as_avx512() {
            return Self::Avx512(token);
        }
        Self::Portable
    }

    /// Turns random words into signed values.
    fn draw(self, distribution: Distribution, words: &mut [u64]) {
        static TAILS: OnceLock<Vec<u64>> = OnceLock::new();
        let tails = TAILS.get_or_init(tails);
        match (self, distribution) {
            (Self::Portable, Distribution::Ternary) => portable::ternary(words),
            (Self::Portable, Distribution::Error) => portable::errors(words, tails),
            #[cfg(target_arch = "x86_64")]
            (Self::Avx512(token), Distribution::Ternary) => avx512::ternary(token, words),
            #[cfg(target_arch = "x86_64")]
            (Self::Avx512(token), Distribution::Error) => avx512::errors(token, words, tails),
        }
    }
}

/// Where the values of a ternary word begin: 0 at the first of these, 1 at the second.
const THIRDS: [u64; 2] = [u64::MAX / 3, u64::MAX / 3 * 2];

/// T_k = 2⁶³·P(|X| > k) for k = 0, 1, … while it is at least 1.
fn tails() -> Vec<u64> {
    let weight = |x: i32| libm::exp(-f64::from(x * x) / (2.0 * ERROR_SIGMA * ERROR_SIGMA));
    // Sums from the far end, where the terms are small, keep every tail exact to 53 bits.
    let mut sums: Vec<f64> = (1..64).rev().map(|x| 2.0 * weight(x)).collect();
    let mut sum = 0.0;
    for term in &mut sums {
        sum += *term;
        *term = sum;
    }
    let scale = 2.0_f64.powi(63) / (1.0 + sum);
    let tails = sums.into_iter().rev().map(|tail| (tail * scale) as u64);
    tails.take_while(|&tail| tail > 0).collect()
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;
