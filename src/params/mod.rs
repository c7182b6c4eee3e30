//! The paper's parameter instantiation engine (PIE).
mod candidate;
mod chain;
mod decimal;
mod error;
mod failure;
mod layer_crypto;
mod noise;
mod plaintext;
mod prices;
mod primes;
mod reply;
mod select;

pub use candidate::{Candidate, CandidateVerdict};
pub use error::ParamsError;
pub use failure::{log2_tail, printable_probability, split, tail_quantile, union};
pub use layer_crypto::LayerCrypto;
pub use noise::{
    LayerNoise, NoiseForm, NoiseSources, NoiseTracker, Variance, fresh_public, fresh_secret, key_switch,
    modulus_switched, plaintext_added, product_gain, switch_rounding,
};
pub use plaintext::PlaintextBound;
pub use prices::{LayerWork, Prices, TransformPrices};
pub use primes::{
    GazelleModulus, MAX_PRIME_BITS, PrimeError, Width, ascending_ntt_primes, descending_ntt_primes,
    gazelle_modulus, is_probable_prime, ntt_primes,
};
pub use select::{RING_DEGREES, Request, Selection, select_network};

#[cfg(test)]
mod tests;
