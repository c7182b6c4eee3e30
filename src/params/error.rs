//! Why no parameters can be given: which layer, which limit, by how much.

use thiserror::Error;

use super::candidate::{CandidateVerdict, MissedLimit};
use super::selector::Refusal;
use crate::packing::PackingError;
use crate::security::{SecretKind, SecurityError};

/// Why a selection failed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ParamsError {
    /// Security is asked for a kind of secret that the scheme does not have.
    #[error("secret keys are drawn ternary here: `{}` secrets are not run", asked.name())]
    Secret {
        /// The kind asked for.
        asked: SecretKind,
    },
    /// No ring degree of the table has the level asked for.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The failure probability is not below 1, or more flooding than 128 bits is asked for.
    #[error(
        "a failure probability of 2^{failure_log2} with {flooding_bits} bits of flooding cannot be \
         asked for: the exponent must be a negative number, flooding at most 128 bits"
    )]
    Goal {
        /// log2 of the failure probability asked for.
        failure_log2: f64,
        /// Flooding asked for.
        flooding_bits: u32,
    },
    /// Megabytes are weighted by something that is no weight.
    #[error("{weight} seconds a megabyte cannot be asked for: expected a finite number, 0 or more")]
    Objective {
        /// Seconds a megabyte, as asked for.
        weight: f64,
    },
    /// No plaintext modulus is large enough, or none of the prescribed width exists.
    #[error("layer `{layer}`: no prime p = 1 mod 2n of {bits} bits (at most 60 are possible)")]
    NoPlaintextModulus {
        /// Name of the layer.
        layer: String,
        /// Width that p needs.
        bits: u32,
    },
    /// The layer cannot be packed at any ring degree.
    #[error("layer `{layer}`: {reason}")]
    Packing {
        /// Name of the layer.
        layer: String,
        /// Why, at the largest ring degree.
        reason: PackingError,
    },
    /// Every modulus that is large enough for the noise is too large for the security asked for.
    #[error("layer `{layer}`: security is {short_bits:.2} bits of modulus short at n = {n}")]
    InsufficientSecurity {
        /// Name of the layer.
        layer: String,
        /// Ring degree of the candidate that came nearest.
        n: usize,
        /// By how many bits its modulus is too large.
        short_bits: f64,
    },
    /// No modulus of the search is large enough for the noise.
    #[error("layer `{layer}`: the modulus is {short_bits:.2} bits short of the noise at n = {n}")]
    TooMuchNoise {
        /// Name of the layer.
        layer: String,
        /// Ring degree of the candidate that came nearest.
        n: usize,
        /// By how many bits the room is too small.
        short_bits: f64,
    },
    /// Everything that works has an operation without a price.
    #[error(
        "layer `{layer}`: the calibration has no price for n = {n} with {limbs} limbs, nor for anything \
         else that works"
    )]
    NoPrice {
        /// Name of the layer.
        layer: String,
        /// Ring degree of the first candidate that works.
        n: usize,
        /// Limbs of it.
        limbs: usize,
    },
    /// The limits of the request leave no modulus.
    #[error("layer `{layer}`: the limits that were set leave no modulus: {limit} at n = {n}")]
    BeyondLimits {
        /// Name of the layer.
        layer: String,
        /// Ring degree of the candidate that came nearest.
        n: usize,
        /// Which limit, and by how much.
        limit: MissedLimit,
    },
}

impl Refusal {
    /// The error for a layer without parameters: the limit that the nearest candidate ran into.
    pub(super) fn named(self, layer: &str) -> ParamsError {
        let layer = layer.to_owned();
        let nearest = self.nearest.map(|near| (near.n, near.limbs, near.verdict));
        match (nearest, self.packing) {
            (Some((n, _, CandidateVerdict::SecurityShort(short_bits))), _) => {
                ParamsError::InsufficientSecurity {
                    layer,
                    n,
                    short_bits,
                }
            }
            (Some((n, _, CandidateVerdict::NoiseShort(short_bits))), _) => {
                ParamsError::TooMuchNoise {
                    layer,
                    n,
                    short_bits,
                }
            }
            (Some((n, limbs, CandidateVerdict::NoPrice)), _) => {
                ParamsError::NoPrice { layer, n, limbs }
            }
            (
                Some((
                    n,
                    _,
                    CandidateVerdict::BeyondLimits(
                        limit @ (MissedLimit::QAtMost { .. } | MissedLimit::QAtLeast { .. }),
                    ),
                )),
                _,
            ) => ParamsError::BeyondLimits { layer, n, limit },
            (_, Some(reason)) => ParamsError::Packing { layer, reason },
            (nearest, None) => {
                let (n, limit) = (nearest.map_or(0, |(n, _, _)| n), MissedLimit::Prescribed);
                ParamsError::BeyondLimits { layer, n, limit }
            }
        }
    }
}
