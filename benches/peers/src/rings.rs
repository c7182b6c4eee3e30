//! The rings of the tables: widths in, primes out that every library here accepts.
//!
//! Primes are the largest of their width with p ≡ 1 mod 2n that pass nass's rule of acceptance
//! (its transform engine is exact for them); the plaintext modulus is the largest batching prime of
//! 20 bits, or of 14 where key switching is left two digits, whose error leaves no room for more. All
//! libraries get the same numbers.

use anyhow::{Context, Result};
use nass::params::descending_ntt_primes;
use nass::ring::{is_accepted_prime, is_plaintext_prime};

/// Bits of the plaintext modulus.
const PLAINTEXT_BITS: u32 = 20;
/// The same where there is no special prime.
const PLAINTEXT_BITS_DIGITS: u32 = 14;
/// Digits of key switching where there is no special prime.
pub const DIGITS: usize = 2;

/// Widths of a ring's primes; `special` is the prime of key switching, in keys only. Without one, key
/// switching takes [`DIGITS`] digits.
struct Shape {
    n: usize,
    q: &'static [u32],
    special: Option<u32>,
    note: &'static str,
}

const SHAPES: [Shape; 8] = [
    shape(4096, &[36, 36], Some(37), "the 128-bit default of SEAL"),
    shape(2048, &[54], None, "128 bits"),
    shape(2048, &[50], None, "128 bits"),
    shape(4096, &[54], Some(55), "128 bits"),
    shape(4096, &[50, 50], Some(50), "cost only: not secure"),
    shape(8192, &[48, 48], Some(50), "128 bits"),
    shape(8192, &[60, 60], Some(60), "128 bits"),
    shape(
        8192,
        &[43, 43, 44, 44],
        Some(44),
        "the 128-bit default of SEAL",
    ),
];

const fn shape(n: usize, q: &'static [u32], special: Option<u32>, note: &'static str) -> Shape {
    Shape {
        n,
        q,
        special,
        note,
    }
}

/// A ring to measure in.
#[derive(Debug, Clone)]
pub struct Ring {
    /// Degree and number of slots.
    pub n: usize,
    /// Plaintext modulus.
    pub p: u64,
    /// Primes of the ciphertext modulus.
    pub q: Vec<u64>,
    /// The special prime.
    pub special: Option<u64>,
    /// What to know about its security.
    pub note: &'static str,
}

impl Ring {
    /// All rings, the main one first.
    pub fn all() -> Result<Vec<Self>> {
        SHAPES.iter().map(Self::new).collect()
    }

    fn new(shape: &Shape) -> Result<Self> {
        let mut chain = Vec::new();
        for &bits in shape.q.iter().chain(&shape.special) {
            let prime = descending_ntt_primes(shape.n, bits)
                .find(|&q| is_accepted_prime(q, shape.n).is_ok() && !chain.contains(&q));
            chain.push(prime.with_context(|| format!("no prime of {bits} bits"))?);
        }
        let special = chain.get(shape.q.len()).copied();
        chain.truncate(shape.q.len());
        let p_bits = match special {
            Some(_) => PLAINTEXT_BITS,
            None => PLAINTEXT_BITS_DIGITS,
        };
        let p = descending_ntt_primes(shape.n, p_bits)
            .find(|&p| is_plaintext_prime(p, shape.n).is_ok())
            .context("no plaintext prime")?;
        Ok(Self {
            n: shape.n,
            p,
            q: chain,
            special,
            note: shape.note,
        })
    }

    /// A short name, such as `n4096_36_36s37`.
    pub fn name(&self) -> String {
        let limbs: Vec<String> = self.q.iter().map(|&q| bits(q).to_string()).collect();
        let special = self.special.map(|s| format!("s{}", bits(s)));
        format!(
            "n{}_{}{}",
            self.n,
            limbs.join("_"),
            special.unwrap_or_default()
        )
    }

    /// The name in words.
    pub fn title(&self) -> String {
        let limbs: Vec<String> = self.q.iter().map(|&q| bits(q).to_string()).collect();
        let special = match self.special {
            Some(s) => format!("special {}", bits(s)),
            None => format!("{DIGITS} digits"),
        };
        let Self { n, note, .. } = self;
        format!("n = {n}, q = {} bits, {special} ({note})", limbs.join("+"))
    }

    /// All primes, the special one last.
    pub fn chain(&self) -> Vec<u64> {
        self.q.iter().copied().chain(self.special).collect()
    }

    /// Two vectors of slots that differ everywhere, values in `0..p`.
    pub fn slots(&self) -> [Vec<u64>; 2] {
        let p = self.p;
        let values = |a: u64, b: u64| (0..self.n as u64).map(move |i| (a * i * i + b) % p);
        [
            values(7919, 1).collect(),
            values(104_729, 3).map(|x| x.max(1)).collect(),
        ]
    }

    /// `slots`, each row one step to the left.
    pub fn turned(&self, slots: &[u64]) -> Vec<u64> {
        let (first, second) = slots.split_at(self.n / 2);
        let mut turned = first.to_vec();
        turned.rotate_left(1);
        let mut second = second.to_vec();
        second.rotate_left(1);
        turned.extend(second);
        turned
    }

    /// Slot-wise x + y.
    pub fn sum(&self, x: &[u64], y: &[u64]) -> Vec<u64> {
        x.iter().zip(y).map(|(x, y)| (x + y) % self.p).collect()
    }

    /// Slot-wise x·y.
    pub fn product(&self, x: &[u64], y: &[u64]) -> Vec<u64> {
        x.iter().zip(y).map(|(x, y)| x * y % self.p).collect()
    }
}

/// Bit length.
pub fn bits(prime: u64) -> u32 {
    u64::BITS - prime.leading_zeros()
}
