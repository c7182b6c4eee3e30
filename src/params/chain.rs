//! Moduli from widths: the largest primes of each width that the transform accepts, all different.
//!
//! Primes are ≡ 1 mod 2n, exceed (1 − 2⁻⁵)·2^width, and none equals p. Equal requests get equal primes;
//! each is looked for once.

use std::cell::RefCell;
use std::collections::HashMap;

use super::primes::descending_members;
use super::widths::{KeySwitching, Widths};
use crate::ring::is_accepted_prime;

/// q, the special primes or the width of a digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) q: Vec<u64>,
    pub(super) special: Vec<u64>,
    pub(super) digit_bits: Option<u32>,
}

/// Primes by ring degree and width, found once, as many as were asked for.
#[derive(Debug, Default)]
pub(super) struct PrimePool {
    found: RefCell<HashMap<(usize, u32), Vec<u64>>>,
}

impl PrimePool {
    /// Primes of these widths, all different and different from `p`; `None` if there are not that many.
    pub(super) fn chain(
        &self,
        (n, p): (usize, u64),
        widths: &Widths,
        (switching, special_bits): (KeySwitching, u32),
    ) -> Option<Chain> {
        let mut used = vec![p];
        let mut take = |bits, count| -> Option<Vec<u64>> {
            let taken = self.primes((n, bits), count, &used)?;
            used.extend(&taken);
            Some(taken)
        };
        let special = take(special_bits, switching.special())?;
        let mut q = take(widths.kept_bits, widths.kept)?;
        q.extend(take(widths.dropped_bits, widths.dropped)?);
        let digit_bits = match switching {
            KeySwitching::Special(_) => None,
            KeySwitching::Digits(digits) => Some(widths.digit_bits(digits)?),
        };
        Some(Chain {
            q,
            special,
            digit_bits,
        })
    }

    /// The `count` largest primes of `bits` bits that are not `used`.
    fn primes(&self, (n, bits): (usize, u32), count: usize, used: &[u64]) -> Option<Vec<u64>> {
        if count == 0 {
            return Some(Vec::new());
        }
        let mut found = self.found.borrow_mut();
        let found = found.entry((n, bits)).or_default();
        let floor = (1_u64.checked_shl(bits)?).checked_sub(1 << bits.checked_sub(5)?)?;
        let below = found.last().copied().unwrap_or(u64::MAX);
        let mut more = descending_members(n, bits)
            .skip_while(|&at| at >= below)
            .take_while(|&at| at > floor)
            .filter(|&at| is_accepted_prime(at, n).is_ok());
        let (mut taken, mut next) = (Vec::with_capacity(count), 0);
        while taken.len() < count {
            if next == found.len() {
                found.push(more.next()?);
            }
            let prime = found[next];
            next += 1;
            if !used.contains(&prime) {
                taken.push(prime);
            }
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::RING_DEGREES;
    use super::super::widths::{MAX_LIMB_BITS, MAX_LIMBS, MAX_SPECIAL, least_width};
    use super::*;

    const ONE_SPECIAL: KeySwitching = KeySwitching::Special(1);

    fn equal(limbs: usize, bits: u32) -> Widths {
        Widths {
            kept: limbs,
            kept_bits: bits,
            dropped: 0,
            dropped_bits: bits,
        }
    }

    #[test]
    fn all_primes_of_a_chain_differ() {
        let pool = PrimePool::default();
        let chain = |p| pool.chain((4096, p), &equal(3, 40), (ONE_SPECIAL, 40));
        let first = chain(3).unwrap();
        let p = first.special[0];
        let other = chain(p).unwrap();
        // A pool that has found nothing yet skips p as well.
        let fresh = PrimePool::default().chain((4096, p), &equal(3, 40), (ONE_SPECIAL, 40));
        assert_eq!(fresh, Some(other.clone()));
        assert_eq!(other.special[0], first.q[0]);
        for chain in [first, other] {
            let mut all = [chain.q.clone(), chain.special].concat();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), 4);
            assert!(chain.q.iter().all(|&q| q.ilog2() == 39 && q % 8192 == 1));
        }
    }

    /// What [`least_width`] promises: whatever a search chooses, there are primes for it.
    #[test]
    fn every_width_that_is_tried_has_primes_enough() {
        let pool = PrimePool::default();
        for n in RING_DEGREES {
            for bits in least_width(n)..=MAX_LIMB_BITS {
                let count = MAX_LIMBS + MAX_SPECIAL + 1;
                let primes = pool.primes((n, bits), count, &[]);
                assert!(primes.is_some(), "{n} {bits}");
                let least = primes.unwrap()[count - 1] as f64;
                let below = f64::from(bits) - least.log2();
                assert!((0.0..super::super::widths::TOLERANCE).contains(&below));
            }
        }
    }

    #[test]
    fn too_few_primes_make_no_chain() {
        // 1 mod 65536 leaves only a handful of 20-bit numbers.
        let chain = PrimePool::default().chain((32_768, 3), &equal(6, 20), (ONE_SPECIAL, 20));
        assert_eq!(chain, None);
    }

    #[test]
    fn digits_take_no_special_prime() {
        let pool = PrimePool::default();
        let chain = |digits| {
            let switching = KeySwitching::Digits(digits);
            pool.chain((2048, 3), &equal(1, 45), (switching, 30))
        };
        let two = chain(2).unwrap();
        assert_eq!((two.special, two.digit_bits), (vec![], Some(23)));
        // 45 bits in digits of 2 bits are 23, not 40.
        assert_eq!(chain(40), None);
    }
}
