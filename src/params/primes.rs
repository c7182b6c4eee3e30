//! Primes for BFV: p ≡ 1 mod 2n of a given width, and Gazelle's pairs (p, q) with q ≡ ±small mod p.
//!
//! In goes the ring degree n and a width; out come primes, largest first. Batching in Z\[x\]/(xⁿ+1) needs
//! a primitive 2n-th root of unity mod p, and the negacyclic transform one mod every limb of q; both
//! imply NASS's p ≡ q ≡ 1 mod n (section 4.1.1), which alone is not enough.
//!
//! Up to 64 bits primality is decided, not guessed (`primal`). Above, up to 256 bits for a single large q
//! as in the papers, [`is_probable_prime`] runs 64 rounds of Miller–Rabin with bases drawn from a hash of
//! the candidate: a composite passes with probability at most 4⁻⁶⁴ = 2⁻¹²⁸ (Rabin 1980).
//!
//! Gazelle (Juvekar, Vaikuntanathan, Chandrakasan 2018, section 9; its prime script): by the Chinese
//! remainder theorem q ≡ 1 mod 2n and q ≡ r mod p is one class mod 2n·p; it is scanned downwards from
//! 2^bits, with a gap 2^bits − q small enough to reduce a product by folding one word.

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

/// Widest prime that is searched for.
pub const MAX_PRIME_BITS: u32 = 256;

/// Rounds of Miller–Rabin above 64 bits.
const ROUNDS: usize = 64;

/// Which widths a search may return.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Width {
    /// Exactly the given number of bits.
    #[default]
    Exact,
    /// At most the given number of bits.
    Below,
}

/// Why a search found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrimeError {
    /// n is not a power of two from 2 to 2³⁰.
    #[error("n = {n} is not a power of two from 2 to 2^30")]
    RingDegree {
        /// The ring degree asked for.
        n: usize,
    },
    /// The width is out of range.
    #[error("primes of {bits} bits are out of range: 2 to {MAX_PRIME_BITS} bits are searched")]
    Bits {
        /// The width asked for.
        bits: u32,
    },
    /// There are fewer such primes than asked for.
    #[error("only {found} of {count} primes of {bits} bits are 1 mod {}", 2 * n)]
    TooFew {
        /// Ring degree.
        n: usize,
        /// The width asked for.
        bits: u32,
        /// How many were asked for.
        count: usize,
        /// How many there are.
        found: usize,
    },
}

/// The `count` largest primes ≡ 1 mod 2n of the given width, largest first.
///
/// # Errors
/// [`PrimeError`] if n or the width is out of range, or if there are not enough such primes.
pub fn ntt_primes(
    n: usize,
    bits: u32,
    count: usize,
    width: Width,
) -> Result<Vec<BigUint>, PrimeError> {
    let step = BigUint::from(checked_step(n, bits)?);
    let one = BigUint::from(1_u32);
    let low = match width {
        Width::Exact => &one << (bits - 1),
        Width::Below => one.clone(),
    };
    let top = (&one << bits) - &one;
    let mut candidate = &top - (&top - &one) % &step;
    let mut found = Vec::new();
    while found.len() < count && candidate > low {
        if is_probable_prime(&candidate) {
            found.push(candidate.clone());
        }
        candidate -= &step;
    }
    if found.len() < count {
        return Err(PrimeError::TooFew {
            n,
            bits,
            count,
            found: found.len(),
        });
    }
    Ok(found)
}

/// The primes ≡ 1 mod 2n of exactly `bits` bits (at most 63), largest first, found as they are asked for.
/// Nothing if n is no power of two or the width is out of range.
pub fn descending_ntt_primes(n: usize, bits: u32) -> impl Iterator<Item = u64> {
    let step = checked_step(n, bits).ok().filter(|_| bits <= 63);
    let (low, top) = match step {
        Some(step) => {
            let top = (1_u64 << bits) - 1;
            (1_u64 << (bits - 1), top - (top - 1) % step)
        }
        None => (1, 0),
    };
    std::iter::successors(Some(top), move |&at| at.checked_sub(step.unwrap_or(1)))
        .take_while(move |&at| at >= low)
        .filter(|&at| primal::is_prime(at))
}

/// The primes ≡ 1 mod 2n above `floor` and of at most `max_bits` (at most 63) bits, smallest first.
/// Nothing if n is no power of two.
pub fn ascending_ntt_primes(n: usize, floor: u64, max_bits: u32) -> impl Iterator<Item = u64> {
    let step = checked_step(n, max_bits)
        .ok()
        .filter(|_| max_bits <= 63)
        .unwrap_or(0);
    let first = floor
        .checked_div(step)
        .and_then(|quotient| quotient.checked_mul(step))
        .and_then(|multiple| multiple.checked_add(1))
        .and_then(|at| {
            if at > floor {
                Some(at)
            } else {
                at.checked_add(step)
            }
        });
    std::iter::successors(first, move |&at| at.checked_add(step))
        .take_while(move |&at| at >> max_bits == 0)
        .filter(|&at| primal::is_prime(at))
}

/// Gazelle's ciphertext modulus for a plaintext modulus: q ≡ 1 mod 2n, q ≡ `remainder` mod p.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GazelleModulus {
    /// The ciphertext modulus.
    pub q: u64,
    /// q mod p, centred: what a wrapped plaintext product leaves in the noise, per wrap.
    pub remainder: i64,
}

/// The prime q just below 2^`bits` with q ≡ 1 mod 2n and the least |q mod p|, at most 7; the gap 2^bits − q
/// is below 2^(bits/2 − 2). `None` if there is none, or if the arguments don't fit (p must be odd).
pub fn gazelle_modulus(n: usize, p: u64, bits: u32) -> Option<GazelleModulus> {
    let step = u128::from(checked_step(n, bits).ok().filter(|_| bits <= 63)?);
    let modulus = u128::from(p);
    let inverse = inverse_mod(step.checked_rem(modulus)?, modulus)?;
    let (class, top) = (step * modulus, 1_u128 << bits);
    (1..=7_i64)
        .flat_map(|size| [size, -size])
        .find_map(|remainder| {
            let residue = u128::try_from(i128::from(p) + i128::from(remainder) - 1).ok()? % modulus;
            let least = 1 + step * (residue * inverse % modulus);
            let highest = top.checked_sub(least)? / class * class + least;
            std::iter::successors(Some(highest), |&q| q.checked_sub(class))
                .take_while(|&q| top - q < 1 << (bits / 2).saturating_sub(2))
                .filter_map(|q| u64::try_from(q).ok())
                .find(|&q| primal::is_prime(q))
                .map(|q| GazelleModulus { q, remainder })
        })
}

/// Whether `candidate` is prime: certain up to 64 bits, above with error at most 2⁻¹²⁸.
pub fn is_probable_prime(candidate: &BigUint) -> bool {
    if let Ok(small) = u64::try_from(candidate) {
        return primal::is_prime(small);
    }
    let zero = BigUint::ZERO;
    if SMALL_PRIMES.iter().any(|&p| candidate % p == zero) {
        return false;
    }
    let one = BigUint::from(1_u32);
    let minus_one = candidate - &one;
    let twos = minus_one.trailing_zeros().unwrap_or(0);
    let odd = &minus_one >> twos;
    let mut bases = blake3::Hasher::new()
        .update(b"nass miller-rabin bases")
        .update(&candidate.to_bytes_le())
        .finalize_xof();
    let mut bytes = vec![0_u8; candidate.to_bytes_le().len() + 16];
    (0..ROUNDS).all(|_| {
        bases.fill(&mut bytes);
        let base = BigUint::from_bytes_le(&bytes) % (&minus_one - &one) + &one;
        let mut power = base.modpow(&odd, candidate);
        if power == one || power == minus_one {
            return true;
        }
        (1..twos).any(|_| {
            power = &power * &power % candidate;
            power == minus_one
        })
    })
}

const SMALL_PRIMES: [u32; 24] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
];

/// 2n, if n and the width can be searched.
fn checked_step(n: usize, bits: u32) -> Result<u64, PrimeError> {
    if !(n.is_power_of_two() && (2..=1 << 30).contains(&n)) {
        return Err(PrimeError::RingDegree { n });
    }
    if !(2..=MAX_PRIME_BITS).contains(&bits) {
        return Err(PrimeError::Bits { bits });
    }
    Ok(2 * n as u64)
}

/// The inverse of `value` mod `modulus` (below 2⁶⁴), by Euclid's algorithm.
fn inverse_mod(value: u128, modulus: u128) -> Option<u128> {
    let modulus = i128::try_from(modulus).ok()?;
    let (mut r, mut next_r) = (modulus, i128::try_from(value).ok()?);
    let (mut t, mut next_t) = (0_i128, 1_i128);
    while next_r != 0 {
        let quotient = r / next_r;
        (r, next_r) = (next_r, r - quotient * next_r);
        (t, next_t) = (next_t, t - quotient * next_t);
    }
    if r == 1 {
        u128::try_from(t.rem_euclid(modulus)).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn gazelles_published_pairs_are_found() {
        for (p, q, remainder) in [
            (307_201, 1_152_921_504_346_550_273, 1),
            (557_057, 1_152_921_504_499_937_281, 2),
            (1_712_129, 1_152_921_504_414_760_961, 4),
        ] {
            assert_eq!(
                gazelle_modulus(2048, p, 60),
                Some(GazelleModulus { q, remainder })
            );
        }
        assert_eq!(gazelle_modulus(2048, 4096, 60), None);
        assert_eq!(gazelle_modulus(2048, 0, 60), None);
    }

    #[test]
    fn seals_default_primes_are_the_first_found() {
        let first = descending_ntt_primes(4096, 36).take(2).collect::<Vec<_>>();
        // SEAL's default chain for n = 4096 takes them in this order.
        assert_eq!(first, [0x000f_fffe_e001, 0x000f_fffc_4001]);
    }

    #[test]
    fn a_large_single_modulus_is_found() {
        let found = ntt_primes(4096, 180, 2, Width::Exact).unwrap();
        for prime in &found {
            assert_eq!(prime.bits(), 180);
            assert_eq!(prime % 8192_u32, BigUint::from(1_u32));
        }
        assert!(found[0] > found[1]);
    }

    #[test]
    fn known_large_numbers_are_told_apart() {
        let mersenne = |e: u32| (BigUint::from(1_u32) << e) - 1_u32;
        for (exponent, prime) in [
            (89, true),
            (107, true),
            (127, true),
            (101, false),
            (131, false),
        ] {
            assert_eq!(is_probable_prime(&mersenne(exponent)), prime);
        }
        // A product of two primes of 61 and 89 bits, and the square of one, have no small factor.
        assert!(!is_probable_prime(&(mersenne(61) * mersenne(89))));
        assert!(!is_probable_prime(&(mersenne(89) * mersenne(89))));
    }

    #[test]
    fn refusals_say_why() {
        let error = |n, bits, count| ntt_primes(n, bits, count, Width::Exact).unwrap_err();
        assert_eq!(error(3000, 30, 1), PrimeError::RingDegree { n: 3000 });
        assert_eq!(error(4096, 257, 1), PrimeError::Bits { bits: 257 });
        assert_eq!(
            error(4096, 16, 9).to_string(),
            "only 1 of 9 primes of 16 bits are 1 mod 8192"
        );
        assert_eq!(descending_ntt_primes(3000, 30).next(), None);
        assert_eq!(descending_ntt_primes(4096, 64).next(), None);
        assert_eq!(ascending_ntt_primes(3000, 0, 30).next(), None);
        assert_eq!(ascending_ntt_primes(4096, u64::MAX, 63).next(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Against a look at every number: the same primes, in the same order.
        #[test]
        fn searches_agree_with_enumeration(log_n in 1_u32..8, bits in 5_u32..15) {
            let n = 1_usize << log_n;
            let is_wanted = |&p: &u64| primal::is_prime(p) && p % (2 * n as u64) == 1;
            let all = (1_u64 << (bits - 1)..1 << bits).filter(is_wanted).collect::<Vec<_>>();
            let falling = all.iter().rev().copied().collect::<Vec<_>>();
            prop_assert_eq!(descending_ntt_primes(n, bits).collect::<Vec<_>>(), falling.clone());
            let rising = ascending_ntt_primes(n, (1 << (bits - 1)) - 1, bits);
            prop_assert_eq!(rising.collect::<Vec<_>>(), all.clone());
            let big = ntt_primes(n, bits, all.len(), Width::Exact).unwrap();
            prop_assert_eq!(big, falling.into_iter().map(BigUint::from).collect::<Vec<_>>());
            let every = (2_u64..1 << bits).filter(is_wanted).count();
            prop_assert!(ntt_primes(n, bits, every, Width::Below).is_ok());
            prop_assert!(ntt_primes(n, bits, every + 1, Width::Below).is_err());
        }
    }
}
