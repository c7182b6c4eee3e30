//! The paper's parameter instantiation engine (PIE): n, p and q for every linear layer, chosen and justified.
//!
//! A [`ResolvedNetwork`](crate::network::ResolvedNetwork), a [`Request`] (security, failure
//! probability, flooding, how p is bounded, what is to be cheap, limits) and [`Prices`] go in;
//! [`select_network`] gives a [`LayerCrypto`] for each linear step. A [`Selector`] does the same for many
//! networks and keeps what it found; [`Selector::explain`] lists the [`Candidate`]s.
//!
//! NASS (Bian et al. 2020, section 4.1, figure 4) loops between guessing q and sampling ciphertexts. Here
//! the noise is a formula ([`LayerNoise`] reads it off the layer's packing plan), so the loop is a search
//! pruned by price, and its answer comes with a security [`Verdict`](crate::security::Verdict), a failure
//! probability and the margin left.
//!
//! Always true: p ≡ qᵢ ≡ P ≡ 1 mod 2n; the level asked for is met with the special prime counted;
//! failure probabilities of all layers add up to at most what was asked.
//!
//! Knows nothing of protocols, nor of how anything is timed: prices come in through a trait.
//!
//! ```
//! use nass::network::zoo;
//! use nass::params::{Request, TransformPrices, select_network};
//!
//! let network = zoo::load("toy")?.resolve(None)?;
//! let selection = select_network(&network, &Request::default(), &TransformPrices)?;
//! let first = selection.layers[0].as_ref().unwrap();
//! assert!(first.security_bits >= 128 && first.failure_log2 < -40.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod candidate;
mod chain;
mod circuits;
mod decimal;
mod domain_modulus;
mod error;
mod explain;
mod failure;
mod layer_at;
mod layer_crypto;
mod noise;
mod noise_form;
mod packed;
mod papers;
mod plaintext;
mod prices;
mod primality;
mod primes;
mod published;
mod reply;
mod request;
mod select;
mod selector;
mod site;
mod widths;

pub use candidate::{Candidate, CandidateVerdict, MissedLimit};
pub use circuits::circuit_function;
pub use error::ParamsError;
pub use failure::{any_of, log2_tail, printable_probability, split, tail_quantile, union};
pub use layer_crypto::LayerCrypto;
pub use noise::{
    fresh_public, fresh_secret, key_switch, modulus_switched, plaintext_added, product_gain,
    switch_rounding, worst, wrap_remainder, wrapped,
};
pub use noise_form::{Gain, LayerNoise, NoiseForm, NoiseSources, NoiseTracker, Variance};
pub use papers::{DELPHI_P, GAZELLE_P, Paper};
pub use plaintext::PlaintextBound;
pub use prices::{LayerWork, LinearAlone, Prices, TransformPrices, working_set};
pub use primality::is_probable_prime;
pub use primes::{
    Congruence, GazelleModulus, MAX_PRIME_BITS, PrimeError, Width, ascending_ntt_primes,
    congruent_primes, descending_ntt_primes, gazelle_modulus, ntt_primes,
};
pub use published::{GazelleLayer, GazellePublished, gazelle_published};
pub use request::{LayerCost, Limits, Objective, RING_DEGREES, Request};
pub use select::{Selection, select_network};
pub use selector::Selector;
pub use widths::{KeySwitching, MAX_WINDOWS, Widths};

#[cfg(test)]
mod measured_tests;
#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod papers_tests;
#[cfg(test)]
mod tail_tests;
#[cfg(test)]
mod tests;
