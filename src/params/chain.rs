//! Ciphertext moduli to choose from: L limbs of equal width and one special prime at least as wide.
//!
//! Limbs are the largest primes of their width that the transform accepts ([`is_accepted_prime`]), at
//! most 50 bits, where transforms and products are fastest; none equals p. Equal requests get equal
//! primes.

use std::cell::RefCell;
use std::collections::HashMap;

use super::primes::descending_ntt_primes;
use crate::ring::is_accepted_prime;

/// Widest limb: primes above take a slower transform.
pub(super) const MAX_LIMB_BITS: u32 = 50;

/// Narrowest limb that is tried.
pub(super) const MIN_LIMB_BITS: u32 = 20;

/// Most limbs of q.
pub(super) const MAX_LIMBS: usize = 6;

/// Primes that one width must offer: limbs, a special prime, and one that may equal p.
const POOL: usize = MAX_LIMBS + 2;

/// q and the special primes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) q: Vec<u64>,
    pub(super) special: Vec<u64>,
}

/// Primes by ring degree and width, found once.
#[derive(Debug, Default)]
pub(super) struct PrimePool {
    found: RefCell<HashMap<(usize, u32), Vec<u64>>>,
}

impl PrimePool {
    /// `limbs` limbs of `bits` bits and a special prime of `special_bits` bits, all different and
    /// different from `p`; `None` if there are not that many.
    pub(super) fn chain(
        &self,
        (n, p): (usize, u64),
        limbs: usize,
        (bits, special_bits): (u32, u32),
    ) -> Option<Chain> {
        let special = self
            .primes(n, special_bits)
            .into_iter()
            .find(|&prime| prime != p)?;
        let q: Vec<u64> = self
            .primes(n, bits)
            .into_iter()
            .filter(|&prime| prime != p && prime != special)
            .take(limbs)
            .collect();
        (q.len() == limbs).then(|| Chain {
            q,
            special: vec![special],
        })
    }

    fn primes(&self, n: usize, bits: u32) -> Vec<u64> {
        self.found
            .borrow_mut()
            .entry((n, bits))
            .or_insert_with(|| {
                descending_ntt_primes(n, bits)
                    .filter(|&prime| is_accepted_prime(prime, n).is_ok())
                    .take(POOL)
                    .collect()
            })
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_primes_of_a_chain_differ() {
        let pool = PrimePool::default();
        let first = pool.chain((4096, 3), 3, (40, 40)).unwrap();
        let p = first.special[0];
        let other = pool.chain((4096, p), 3, (40, 40)).unwrap();
        assert_eq!(other.special[0], first.q[0]);
        for chain in [first, other] {
            let mut all = [chain.q.clone(), chain.special].concat();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), 4);
            assert!(chain.q.iter().all(|&q| q.ilog2() == 39 && q % 8192 == 1));
        }
    }

    #[test]
    fn too_few_primes_make_no_chain() {
        // 1 mod 65536 leaves only a handful of 20-bit numbers.
        assert_eq!(PrimePool::default().chain((32_768, 3), 6, (20, 20)), None);
    }
}
