//! Random polynomials: uniform from a seed, ternary secrets, Gaussian errors, flooding noise.
//!
//! - Uniform: rejection of words from the blake3 output stream keyed by a 32-byte seed, one stream a
//!   limb, so that a seed of 32 bytes stands for a polynomial on the wire.
//! - Ternary: ⌊3u/2³²⌋ − 1 of 32-bit words u (bias below 2⁻³⁰).
//! - Error: the discrete Gaussian with σ = 8/√(2π) ≈ 3.19, the width for which the security tables
//!   hold, by comparing a 63-bit word with *every* entry of the table of tails
//!   T_k = 2⁶³·P(|X| > k); one more bit is the sign. No branch or address depends on the result.
//! - Flooding: uniform in −2^k … 2^k − 1 for any k, word by word.
//!
//! The generator is an argument everywhere.

use std::sync::OnceLock;

use rand::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use super::basis::RnsBasis;
use super::modulus::Modulus;
use super::poly::{Coefficient, Poly};

/// What a uniform polynomial is expanded from.
pub type Seed = [u8; 32];

/// Standard deviation of the error, 8/√(2π).
pub const ERROR_SIGMA: f64 = 3.191_538_243_211_461_6;

/// Words taken from a generator at a time.
const BLOCK: usize = 64;

/// A fresh seed.
pub fn seed<R: CryptoRng + ?Sized>(rng: &mut R) -> Seed {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    seed
}

/// The uniform polynomial number `stream` of `seed`, in any representation: uniform values are as
/// good as uniform coefficients.
pub fn uniform<V>(basis: &RnsBasis, seed: &Seed, stream: u32) -> Poly<V> {
    let n = basis.degree();
    let mut residues = Vec::with_capacity(n * basis.limbs());
    for (limb, q) in (0_u32..).zip(basis.moduli()) {
        let mut hasher = blake3::Hasher::new_keyed(seed);
        hasher.update(&stream.to_le_bytes());
        hasher.update(&limb.to_le_bytes());
        let mut xof = hasher.finalize_xof();
        let mut bytes = [0; 8 * BLOCK];
        let mask = u64::MAX >> (u64::BITS - q.bits());
        let end = residues.len() + n;
        while residues.len() < end {
            xof.fill(&mut bytes);
            let wanted = end - residues.len();
            let words = bytes
                .as_chunks()
                .0
                .iter()
                .map(|&word| u64::from_le_bytes(word) & mask);
            residues.extend(words.filter(|&x| x < q.value()).take(wanted));
        }
    }
    Poly::from_residues(n, residues)
}

/// `n` independent uniform values of {−1, 0, 1}.
pub fn ternary<R: CryptoRng + ?Sized>(n: usize, rng: &mut R) -> Zeroizing<Vec<i64>> {
    let mut out = Zeroizing::new(Vec::with_capacity(n));
    let mut bytes = [0; 4 * BLOCK];
    while out.len() < n {
        rng.fill_bytes(&mut bytes);
        let wanted = n - out.len();
        let words = bytes
            .as_chunks()
            .0
            .iter()
            .map(|&word| u32::from_le_bytes(word));
        out.extend(
            words
                .take(wanted)
                .map(|u| ((u64::from(u) * 3) >> 32) as i64 - 1),
        );
    }
    bytes.zeroize();
    out
}

/// `n` independent errors.
pub fn error<R: CryptoRng + ?Sized>(n: usize, rng: &mut R) -> Zeroizing<Vec<i64>> {
    static TAILS: OnceLock<Vec<u64>> = OnceLock::new();
    let tails = TAILS.get_or_init(tails);
    let mut out = Zeroizing::new(Vec::with_capacity(n));
    let mut bytes = [0; 8 * BLOCK];
    while out.len() < n {
        rng.fill_bytes(&mut bytes);
        let wanted = n - out.len();
        let words = bytes
            .as_chunks()
            .0
            .iter()
            .map(|&word| u64::from_le_bytes(word));
        out.extend(words.take(wanted).map(|word| signed_error(word, tails)));
    }
    bytes.zeroize();
    out
}

/// The error that a word stands for: its low bit is the sign, the rest is compared with all tails.
#[inline]
fn signed_error(word: u64, tails: &[u64]) -> i64 {
    let u = word >> 1;
    // Both sides are below 2^63: the difference is negative exactly if u < tail.
    let magnitude: u64 = tails.iter().map(|&tail| u.wrapping_sub(tail) >> 63).sum();
    let sign = -((word & 1) as i64);
    (magnitude as i64 ^ sign) - sign
}

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

/// A polynomial whose coefficients are uniform in −2^k … 2^k − 1.
pub fn flooding<R: CryptoRng + ?Sized>(basis: &RnsBasis, k: u32, rng: &mut R) -> Poly<Coefficient> {
    let moduli: Vec<Modulus> = basis.moduli().collect();
    let (words, top) = ((k / 64) as usize, k % 64);
    let offsets: Vec<u64> = moduli.iter().map(|q| q.pow(2, u64::from(k))).collect();
    let mut poly = Poly::zero(basis.degree(), moduli.len());
    let mut bytes = Zeroizing::new(vec![0; 8 * (words + 1)]);
    for i in 0..basis.degree() {
        rng.fill_bytes(&mut bytes);
        for ((limb, q), &offset) in poly.iter_mut().zip(&moduli).zip(&offsets) {
            let mut words = bytes
                .as_chunks()
                .0
                .iter()
                .rev()
                .map(|&word| u64::from_le_bytes(word));
            // k + 1 random bits: the top word keeps k mod 64 + 1 of them.
            let high = words.next().unwrap_or_default() & (u64::MAX >> (63 - top));
            let x = words.fold(q.reduce(high), |x, word| q.shift_in_word(x, word));
            if let Some(at) = limb.get_mut(i) {
                *at = q.sub(x, offset);
            }
        }
    }
    poly
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::super::Ntt;
    use super::*;

    const Q: u64 = 1_125_899_906_826_241;

    fn basis() -> RnsBasis {
        RnsBasis::new(4096, &[Q, 1_073_643_521]).unwrap()
    }

    #[test]
    fn uniform_depends_on_seed_stream_and_limb_and_fills_the_range() {
        let basis = basis();
        let a: Poly<Ntt> = uniform(&basis, &[1; 32], 0);
        assert_eq!(a, uniform(&basis, &[1; 32], 0));
        assert_ne!(a, uniform(&basis, &[2; 32], 0));
        assert_ne!(a, uniform(&basis, &[1; 32], 1));
        for (q, limb) in basis.moduli().zip(a.iter()) {
            assert!(limb.iter().all(|&x| x < q.value()));
            let mean = limb.iter().map(|&x| x as f64).sum::<f64>() / 4096.0 / q.value() as f64;
            // The mean of 4096 uniform values has a deviation of 0.0045.
            assert!((mean - 0.5).abs() < 0.03, "{mean}");
        }
    }

    #[test]
    fn ternary_values_are_balanced() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let x = ternary(30_000, &mut rng);
        for value in -1..=1 {
            let count = x.iter().filter(|&&x| x == value).count();
            assert!((9_500..10_500).contains(&count), "{value}: {count}");
        }
    }

    #[test]
    fn errors_have_the_gaussian_distribution() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let n = 400_000;
        let x = error(n, &mut rng);
        let mean = x.iter().sum::<i64>() as f64 / n as f64;
        let var = x.iter().map(|&x| (x * x) as f64).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((var.sqrt() - ERROR_SIGMA).abs() < 0.02, "{}", var.sqrt());
        let norm: f64 = (-40..=40).map(gauss).sum();
        for value in -8..=8 {
            let expected = n as f64 * gauss(value) / norm;
            let count = x.iter().filter(|&&x| x == i64::from(value)).count() as f64;
            assert!(
                (count - expected).abs() < 5.0 * expected.sqrt() + 5.0,
                "{value}"
            );
        }
    }

    fn gauss(x: i32) -> f64 {
        (-f64::from(x * x) / (2.0 * ERROR_SIGMA * ERROR_SIGMA)).exp()
    }

    #[test]
    fn table_of_tails_is_compared_to_the_end() {
        let tails = tails();
        assert!(
            tails.len() >= 28 && tails.is_sorted_by(|a, b| a > b),
            "{tails:?}"
        );
        assert_eq!(signed_error(0, &tails), tails.len() as i64);
        assert_eq!(signed_error(1, &tails), -(tails.len() as i64));
        assert_eq!(signed_error(u64::MAX, &tails), 0);
        assert_eq!(signed_error((tails[3] - 1) << 1, &tails), 4);
        assert_eq!(signed_error(tails[3] << 1 | 1, &tails), -3);
    }

    #[test]
    fn flooding_is_uniform_in_its_range() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let wide = RnsBasis::new(1024, &[Q, 1_125_899_906_629_633]).unwrap();
        for k in [3, 10, 62, 63, 64, 70, 90] {
            let poly = flooding(&wide, k, &mut rng);
            let (mut low, mut high, mut squares) = (0.0_f64, 0.0_f64, 0.0);
            for i in 0..1024 {
                let mut x = [poly.limb(0)[i], poly.limb(1)[i]];
                let negated: Vec<u64> = wide.moduli().zip(x).map(|(q, x)| q.neg(x)).collect();
                let mut y = [negated[0], negated[1]];
                wide.mixed_radix(&mut x);
                wide.mixed_radix(&mut y);
                let (x, y) = (wide.digits_to_f64(&x), wide.digits_to_f64(&y));
                let x = if x < y { x } else { -y } / 2.0_f64.powi(k as i32);
                (low, high) = (low.min(x), high.max(x));
                squares += x * x;
            }
            assert!((-1.0..-0.98).contains(&low), "{k}: {low}");
            assert!(high <= 1.0 && high > 0.85, "{k}: {high}");
            assert!(
                (squares / 1024.0 - 1.0 / 3.0).abs() < 0.05,
                "{k}: {squares}"
            );
        }
    }

    #[test]
    fn seeds_differ() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        assert_ne!(seed(&mut rng), seed(&mut rng));
    }
}
