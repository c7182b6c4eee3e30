//! Candidates: what was tried for a layer, and what ruled it out.

use serde::{Deserialize, Serialize};

use super::layer_at::{Basis, LayerAt};
use super::request::LayerCost;
use super::widths::{KeySwitching, MAX_LIMB_BITS, Widths};

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
    BeyondLimits,
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
        let (switching, limbs) = (basis.switching, basis.limbs);
        if switching.special() > limbs {
            return CandidateVerdict::BeyondLimits;
        }
        let widest = Widths {
            kept: limbs,
            kept_bits: MAX_LIMB_BITS,
            dropped: 0,
            dropped_bits: MAX_LIMB_BITS,
        };
        let margin = |widths: &Widths, special| {
            let fit = self.fit(widths, (switching, special));
            fit.map_or(f64::NEG_INFINITY, |fit| fit.margin_bits)
        };
        if let Some((widths, special)) = self.limits.widths {
            let total = widths.total() + special * switching.special() as u32;
            let margin = margin(&widths, special);
            return if widths.limbs() != limbs {
                CandidateVerdict::BeyondLimits
            } else if margin < 0.0 {
                CandidateVerdict::NoiseShort(-margin)
            } else {
                CandidateVerdict::SecurityShort(f64::from(total) - f64::from(self.max_bits))
            };
        }
        let best = margin(&widest, MAX_LIMB_BITS);
        if best < 0.0 {
            return CandidateVerdict::NoiseShort(-best);
        }
        if widest.total() < self.limits.q_bits.0 {
            return CandidateVerdict::BeyondLimits;
        }
        // The least modulus that decrypts: limbs of equal width, the reply not switched.
        let equal = |kept_bits| Widths {
            kept_bits,
            ..widest
        };
        let least = super::widths::least_width(self.n);
        let special = switching.special() as u32;
        let total = (least..=MAX_LIMB_BITS)
            .filter_map(|bits| {
                let widths = equal(bits);
                let fits = |&special: &u32| margin(&widths, special) >= 0.0;
                let least_special = (least..=MAX_LIMB_BITS).find(fits)?;
                Some(widths.total() + special * least_special)
            })
            .filter(|&total| total > self.max_bits)
            .min();
        match total {
            Some(total) => CandidateVerdict::SecurityShort(f64::from(total - self.max_bits)),
            None => CandidateVerdict::BeyondLimits,
        }
    }
}

/// Order of refusals: security short by little, by much, noise short by little, by much, nothing.
pub(super) const fn distance(verdict: CandidateVerdict) -> (u8, f64) {
    match verdict {
        CandidateVerdict::Chosen | CandidateVerdict::Dearer => (0, 0.0),
        CandidateVerdict::NoPrice => (1, 0.0),
        CandidateVerdict::SecurityShort(bits) => (2, bits),
        CandidateVerdict::NoiseShort(bits) => (3, bits),
        CandidateVerdict::BeyondLimits => (4, 0.0),
        CandidateVerdict::NoPlaintextModulus => (5, 0.0),
        CandidateVerdict::NoPlan => (6, 0.0),
    }
}
