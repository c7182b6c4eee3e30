//! Primes for BFV: p ≡ 1 mod 2n of a given width, and Gazelle's pairs (p, q) with q ≡ ±small mod p.
//!
//! In goes the ring degree n and a width; out come primes, largest first. Batching in Z\[x\]/(xⁿ+1) needs
//! a primitive 2n-th root of unity mod p, and the negacyclic transform one mod every limb of q; both
//! imply NASS's p ≡ q ≡ 1 mod n (section 4.1.1), which alone is not enough.
//!
//! [`congruent_primes`] searches any class, [`Congruence::as_in_nass`] that of the paper: a single large q of up to
//! 256 bits, q ≡ 1 mod n. A stretch of the class is first sieved by small primes, so that few of its
//! numbers meet the tests of `primality`.
//!
//! Gazelle (Juvekar, Vaikuntanathan, Chandrakasan 2018, section 9; its prime script): by the Chinese
//! remainder theorem q ≡ 1 mod 2n and q ≡ r mod p is one class mod 2n·p; it is scanned downwards from
//! 2^bits, with a gap 2^bits − q small enough to reduce a product by folding one word.

use std::str::FromStr;

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

use super::primality::{is_probable_prime, passes_strong_tests};
use crate::ring::is_prime;

/// Widest prime that is searched for.
pub const MAX_PRIME_BITS: u32 = 256;

/// Members of a class that are sieved at a time.
const STRETCH: usize = 256;

/// Small primes lie below.
const SIEVED_BELOW: usize = 2048;

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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// No class has such a remainder, or only even numbers or multiples of one number are in it.
    #[error("`{text}` is no congruence with primes: expected `R mod M`, R below M and prime to it")]
    Congruence {
        /// What was given.
        text: String,
    },
    /// There are fewer such primes than asked for.
    #[error("only {found} of {count} primes of {bits} bits are {congruence}")]
    TooFew {
        /// The class searched.
        congruence: Congruence,
        /// The width asked for.
        bits: u32,
        /// How many were asked for.
        count: usize,
        /// How many there are.
        found: usize,
    },
}

/// The class of numbers with a remainder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Congruence {
    remainder: u64,
    modulus: u64,
}

impl Congruence {
    /// The numbers ≡ `remainder` mod `modulus`.
    ///
    /// # Errors
    /// [`PrimeError::Congruence`] if the remainder is not below the modulus and prime to it.
    pub fn new(remainder: u64, modulus: u64) -> Result<Self, PrimeError> {
        let congruence = Self { remainder, modulus };
        let (mut divisor, mut rest) = (modulus, remainder);
        while rest != 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        if modulus > 1 && remainder < modulus && divisor == 1 {
            Ok(congruence)
        } else {
            let text = congruence.to_string();
            Err(PrimeError::Congruence { text })
        }
    }

    /// 1 mod 2n: what batching and the negacyclic transform need.
    ///
    /// # Errors
    /// [`PrimeError::RingDegree`].
    pub fn ntt(n: usize) -> Result<Self, PrimeError> {
        let modulus = checked_step(n, MAX_PRIME_BITS)?;
        Ok(Self {
            remainder: 1,
            modulus,
        })
    }

    /// 1 mod n, as NASS has it (section 4.1.1): not enough for slots in Z\[x\]/(xⁿ+1).
    ///
    /// # Errors
    /// [`PrimeError::RingDegree`].
    pub fn as_in_nass(n: usize) -> Result<Self, PrimeError> {
        let modulus = checked_step(n, MAX_PRIME_BITS)? / 2;
        Ok(Self {
            remainder: 1,
            modulus,
        })
    }
}

impl std::fmt::Display for Congruence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} mod {}", self.remainder, self.modulus)
    }
}

impl FromStr for Congruence {
    type Err = PrimeError;

    fn from_str(text: &str) -> Result<Self, PrimeError> {
        let numbers = text.split_once("mod").and_then(|(remainder, modulus)| {
            Some((remainder.trim().parse().ok()?, modulus.trim().parse().ok()?))
        });
        let (remainder, modulus) = numbers.ok_or_else(|| PrimeError::Congruence {
            text: text.to_owned(),
        })?;
        Self::new(remainder, modulus)
    }
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
    congruent_primes(&Congruence::ntt(n)?, bits, count, width)
}

/// The `count` largest primes of a class of the given width, largest first.
///
/// # Errors
/// [`PrimeError`] if the width is out of range, or if there are not enough such primes.
pub fn congruent_primes(
    congruence: &Congruence,
    bits: u32,
    count: usize,
    width: Width,
) -> Result<Vec<BigUint>, PrimeError> {
    if !(2..=MAX_PRIME_BITS).contains(&bits) {
        return Err(PrimeError::Bits { bits });
    }
    let one = BigUint::from(1_u32);
    let low = match width {
        Width::Exact => &one << (bits - 1),
        Width::Below => BigUint::from(2_u32),
    };
    let top = (&one << bits) - &one;
    let step = BigUint::from(congruence.modulus);
    let mut found = Vec::new();
    let mut highest = highest_member(congruence, &top);
    while found.len() < count {
        let Some(start) = highest.filter(|start| *start >= low) else {
            break;
        };
        let sieve = (bits > 64).then(|| Sieve::new(&start, congruence.modulus));
        for place in 0..STRETCH {
            let offset = &step * place;
            if sieve.as_ref().is_some_and(|sieve| sieve.struck(place)) {
                continue;
            }
            let Some(candidate) = (&low + &offset <= start).then(|| &start - offset) else {
                break;
            };
            let is_prime = match &sieve {
                Some(_) => passes_strong_tests(&candidate),
                None => is_probable_prime(&candidate),
            };
            if is_prime {
                found.push(candidate);
                if found.len() == count {
                    break;
                }
            }
        }
        let stretch = &step * STRETCH;
        highest = (start >= stretch).then(|| start - stretch);
    }
    if found.len() < count {
        return Err(PrimeError::TooFew {
            congruence: *congruence,
            bits,
            count,
            found: found.len(),
        });
    }
    Ok(found)
}

/// The greatest member of the class up to `top`.
fn highest_member(congruence: &Congruence, top: &BigUint) -> Option<BigUint> {
    let remainder = BigUint::from(congruence.remainder);
    (*top >= remainder).then(|| top - (top - &remainder) % congruence.modulus)
}

/// Which of `start`, `start − step`, `start − 2·step`, … have a small divisor; all are far above it.
struct Sieve(Vec<bool>);

impl Sieve {
    fn new(start: &BigUint, step: u64) -> Self {
        let mut struck = vec![false; STRETCH];
        let small = primal::Primes::all().take_while(|&prime| prime < SIEVED_BELOW);
        for prime in small {
            let residue = u64::try_from(start % prime).unwrap_or(0);
            let prime = prime as u64;
            // start = i·step mod prime; where the prime divides the step, no member is divisible.
            let inverse = inverse_mod(u128::from(step % prime), u128::from(prime));
            if let Some(inverse) = inverse {
                let first = (u128::from(residue) * inverse % u128::from(prime)) as usize;
                let multiples = struck.iter_mut().skip(first).step_by(prime as usize);
                multiples.for_each(|struck| *struck = true);
            }
        }
        Self(struck)
    }

    fn struck(&self, place: usize) -> bool {
        self.0.get(place).copied().unwrap_or(true)
    }
}

/// The primes ≡ 1 mod 2n of exactly `bits` bits (at most 63), largest first, found as they are asked for.
/// Nothing if n is no power of two or the width is out of range.
pub fn descending_ntt_primes(n: usize, bits: u32) -> impl Iterator<Item = u64> {
    descending_members(n, bits).filter(|&at| is_prime(at))
}

/// The numbers among which [`descending_ntt_primes`] finds its primes.
pub(super) fn descending_members(n: usize, bits: u32) -> impl Iterator<Item = u64> {
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
        .filter(|&at| is_prime(at))
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
                .find(|&q| is_prime(q))
                .map(|q| GazelleModulus { q, remainder })
        })
}

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
    use crate::ring::NttPlan;
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

    /// NASS's p ≡ q ≡ 1 mod n: of 60 to 256 bits; half of them are not 1 mod 2n, and no transform is made with
    /// one of those.
    #[test]
    fn primes_that_are_only_1_mod_n_have_no_transform() {
        let n = 4096;
        let class = Congruence::as_in_nass(n).unwrap();
        for bits in [60, 90, 128, 180, 256] {
            let found = congruent_primes(&class, bits, 8, Width::Exact).unwrap();
            assert!(
                found
                    .iter()
                    .all(|prime| prime.bits() == u64::from(bits) && prime % n == one())
            );
            assert!(found.is_sorted_by(|x, y| x > y));
        }
        let small = congruent_primes(&class, 30, 8, Width::Exact).unwrap();
        let small = small.iter().map(|prime| u64::try_from(prime).unwrap());
        let (full, half): (Vec<u64>, Vec<u64>) = small.partition(|prime| prime % 8192 == 1);
        assert!(!full.is_empty() && !half.is_empty());
        for prime in half {
            assert!(NttPlan::limb(n, prime).is_err());
            assert!(NttPlan::plaintext(n, prime).is_err());
        }
        assert!(
            full.iter()
                .all(|&prime| NttPlan::plaintext(n, prime).is_ok())
        );
    }

    fn one() -> BigUint {
        BigUint::from(1_u32)
    }

    #[test]
    fn congruences_are_read_and_refused() {
        let text = |text: &str| text.parse::<Congruence>();
        assert_eq!(text("1 mod 8192"), Congruence::ntt(4096));
        assert_eq!(text(" 5 mod 12 ").unwrap().to_string(), "5 mod 12");
        for bad in [
            "", "1", "1 mod", "x mod 3", "2 mod 4", "5 mod 3", "0 mod 1", "-1 mod 4",
        ] {
            assert!(
                matches!(text(bad), Err(PrimeError::Congruence { .. })),
                "{bad}"
            );
        }
        let fewer = congruent_primes(&text("2 mod 3").unwrap(), 5, 9, Width::Below);
        // 29, 23, 17, 11, 5, 2.
        assert_eq!(
            fewer.unwrap_err().to_string(),
            "only 6 of 9 primes of 5 bits are 2 mod 3"
        );
    }

    /// Above 64 bits, where candidates are sieved: the same primes as by testing each.
    #[test]
    fn the_sieve_leaves_out_no_prime() {
        for text in ["1 mod 8192", "1 mod 2", "7 mod 30"] {
            let class: Congruence = text.parse().unwrap();
            let found = congruent_primes(&class, 70, 12, Width::Exact).unwrap();
            let top = (one() << 70) - 1_u32;
            let mut candidate = highest_member(&class, &top).unwrap();
            for prime in found {
                while !is_probable_prime(&candidate) {
                    candidate -= class.modulus;
                }
                assert_eq!(candidate, prime);
                candidate -= class.modulus;
            }
        }
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
