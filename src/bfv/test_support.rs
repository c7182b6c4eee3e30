//! Small insecure parameters and random slots for the tests of this room.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::{BfvLiteral, BfvParams};

/// Accepted primes, 1 modulo 16384, just below 2^50.
pub(super) const LIMBS: [u64; 3] = [
    1_125_899_906_826_241,
    1_125_899_906_629_633,
    1_125_899_905_744_897,
];
/// The next one, for key switching.
pub(super) const SPECIAL: u64 = 1_125_899_905_351_681;
/// Accepted primes just below 2^54, 2^55 and 2^60.
pub(super) const WIDE: [u64; 3] = [
    18_014_398_508_400_641,
    36_028_797_018_652_673,
    1_152_921_504_606_830_593,
];
/// A plaintext prime of 20 bits with slots up to n = 8192.
pub(super) const P: u64 = 1_032_193;

/// Parameters with `limbs` of the primes above.
pub(super) fn insecure_literal(n: usize, limbs: usize) -> BfvLiteral {
    BfvLiteral {
        n,
        p: P,
        q: LIMBS[..limbs].to_vec(),
        special: vec![SPECIAL],
        digit_bits: None,
        flooding_log2: None,
        reply_limbs: limbs,
    }
}

/// The same, checked.
pub(super) fn insecure_params(n: usize, limbs: usize) -> BfvParams {
    BfvParams::insecure(&insecure_literal(n, limbs)).unwrap()
}

/// A generator.
pub(super) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Uniform slots.
pub(super) fn random_slots(params: &BfvParams, rng: &mut ChaCha8Rng) -> Vec<u64> {
    let p = params.plaintext_modulus();
    (0..params.degree())
        .map(|_| rng.random_range(0..p))
        .collect()
}
