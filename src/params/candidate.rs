//! Candidates: what was tried for a layer, and what ruled it out.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::layer_at::{Basis, LayerAt};
use super::request::LayerCost;
use super::widths::{KeySwitching, MAX_LIMB_BITS, MAX_LIMBS, Widths};

/// Which limit of the request leaves a candidate no modulus, and by how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedLimit {
    /// q may be at most so wide, which is too narrow for the noise.
    QAtMost {
        /// Bits that are allowed.
        limit: u32,
        /// Bits that are missing.
        short: u32,
    },
    /// q must be at least so wide, which is wider than all limbs together.
    QAtLeast {
        /// Bits that are asked for.
        limit: u32,
        /// Bits beyond the widest q.
        beyond: u32,
    },
    /// The number of limbs, the widths or the key switching that are prescribed are others.
    Prescribed,
}

impl fmt::Display for MissedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QAtMost { limit, short } => {
                write!(f, "q of at most {limit} bits is {short} bits short")
            }
            Self::QAtLeast { limit, beyond } => {
                write!(
                    f,
                    "q of at least {limit} bits is {beyond} bits wider than all limbs"
                )
            }
            Self::Prescribed => f.write_str("the limbs or key switching prescribed are others"),
        }
    }
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CandidateVerdict {
    /// It is used.
    Chosen,
    /// It works, but costs more than the chosen one.
    Dearer,
    /// It works, but some operation has no price in its ring.
    NoPrice,
    /// Its modulus is too large for the security asked for, by this many bits.
    SecurityShort(f64),
    /// Its widest modulus leaves too little room for the noise, by this many bits.
    NoiseShort(f64),
    /// The request's own limits leave no such modulus.
    BeyondLimits(MissedLimit),
    /// There is no plaintext modulus for this ring degree.
    NoPlaintextModulus,
    /// The layer cannot be packed at this ring degree.
    NoPlan,
}

/// A candidate that was tried for a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Ring degree n.
    pub n: usize,
    /// Packing schedule; empty if there is none.
    pub schedule: String,
    /// Plaintext windows; 1 is none.
    pub windows: usize,
    /// Limbs of q; 0 if the layer cannot be packed.
    pub limbs: usize,
    /// How keys are switched.
    pub switching: KeySwitching,
    /// Widths of the limbs of q, if any work.
    pub widths: Option<Widths>,
    /// Bits of q times the special primes, of what was found; 0 if nothing was.
    pub total_bits: u32,
    /// What it costs, if it works and has a price.
    pub cost: Option<LayerCost>,
    /// What became of it.
    pub verdict: CandidateVerdict,
}

impl LayerAt {
    /// Why no split with this basis works.
    pub(super) fn ruled_out(&self, basis: Basis) -> CandidateVerdict {
        let prescribed = CandidateVerdict::BeyondLimits(MissedLimit::Prescribed);
        if basis.switching.special() > basis.limbs {
            return prescribed;
        }
        if let Some(widths) = self.limits.widths {
            return self.prescribed_ruled_out(basis, widths);
        }
        let widest = Widths {
            kept: basis.limbs,
            kept_bits: MAX_LIMB_BITS,
            dropped: 0,
            dropped_bits: MAX_LIMB_BITS,
        };
        let best = self.margin(basis, &widest, MAX_LIMB_BITS);
        if best < 0.0 {
            return CandidateVerdict::NoiseShort(-best);
        }
        let (at_least, at_most) = self.limits.q_bits;
        if let Some(beyond) = at_least.checked_sub(widest.total() + 1) {
            // With more limbs q may be as wide as that.
            let last = basis.limbs == self.limits.limbs.unwrap_or(MAX_LIMBS);
            let missed = MissedLimit::QAtLeast {
                limit: at_least,
                beyond: beyond + 1,
            };
            return if last {
                CandidateVerdict::BeyondLimits(missed)
            } else {
                prescribed
            };
        }
        match (self.least_total(basis), self.least_q(basis, &self.needs())) {
            (Some(total), _) if total > self.max_bits => {
                CandidateVerdict::SecurityShort(f64::from(total - self.max_bits))
            }
            (_, q) if q > at_most => CandidateVerdict::BeyondLimits(MissedLimit::QAtMost {
                limit: at_most,
                short: q - at_most,
            }),
            _ => prescribed,
        }
    }

    fn prescribed_ruled_out(
        &self,
        basis: Basis,
        (widths, special): (Widths, u32),
    ) -> CandidateVerdict {
        let total = widths.total() + special * basis.switching.special() as u32;
        let margin = self.margin(basis, &widths, special);
        if widths.limbs() != basis.limbs {
            CandidateVerdict::BeyondLimits(MissedLimit::Prescribed)
        } else if margin < 0.0 {
            CandidateVerdict::NoiseShort(-margin)
        } else {
            CandidateVerdict::SecurityShort(f64::from(total) - f64::from(self.max_bits))
        }
    }

    fn margin(&self, basis: Basis, widths: &Widths, special: u32) -> f64 {
        let fit = self.fit(widths, (basis.switching, special));
        fit.map_or(f64::NEG_INFINITY, |fit| fit.margin_bits)
    }

    /// Bits of the least modulus that decrypts, security aside: limbs of equal width, the reply not switched.
    fn least_total(&self, basis: Basis) -> Option<u32> {
        let bits = super::widths::least_width(self.n)..=MAX_LIMB_BITS;
        let totals = bits.clone().filter_map(|kept_bits| {
            let widths = Widths {
                kept: basis.limbs,
                kept_bits,
                dropped: 0,
                dropped_bits: kept_bits,
            };
            let fits = |&special: &u32| self.margin(basis, &widths, special) >= 0.0;
            let special = bits.clone().find(fits)?;
            let q = widths.total().max(self.limits.q_bits.0);
            Some(q + special * basis.switching.special() as u32)
        });
        totals.min()
    }
}

/// Order of refusals: what would work but for the request's limits, security short by little, by much, noise
/// short by little, by much, nothing.
pub(super) const fn distance(verdict: CandidateVerdict) -> (u8, f64) {
    match verdict {
        CandidateVerdict::Chosen | CandidateVerdict::Dearer => (0, 0.0),
        CandidateVerdict::NoPrice => (1, 0.0),
        CandidateVerdict::BeyondLimits(MissedLimit::QAtMost { short, .. }) => (2, short as f64),
        CandidateVerdict::BeyondLimits(MissedLimit::QAtLeast { beyond, .. }) => (2, beyond as f64),
        CandidateVerdict::SecurityShort(bits) => (3, bits),
        CandidateVerdict::NoiseShort(bits) => (4, bits),
        CandidateVerdict::BeyondLimits(MissedLimit::Prescribed) => (5, 0.0),
        CandidateVerdict::NoPlaintextModulus => (6, 0.0),
        CandidateVerdict::NoPlan => (7, 0.0),
    }
}
