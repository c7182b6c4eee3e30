//! The plaintext modulus of a domain: one p for all its linear layers, at every n they may use.
//!
//! p is the least prime ≡ 1 mod 2n with p > 2·bound, bound being the greatest absolute value of the domain,
//! rounding included; where the network prescribes a width, the largest prime of that width. The
//! paper's bound (NASS section 4.1.2), log2 p ≥ l_i + l_f + ⌈log2(f_h·f_w)⌉, forgets the sum over channels,
//! signs, bias and rounding: it is a mode. A p ≡ 1 mod 2N serves every n ≤ N.

use serde::{Deserialize, Serialize};

use super::primes::{ascending_ntt_primes, descending_ntt_primes};
use crate::network::{LayerKind, ResolvedNetwork, StepKind};
use crate::ring::is_plaintext_prime;

/// Widest plaintext modulus.
pub(super) const MAX_P_BITS: u32 = 60;

/// How large p must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaintextBound {
    /// Above twice the greatest absolute value that can occur.
    #[default]
    Exact,
    /// By the paper's formula, which some results exceed.
    Paper,
    /// Exactly this prime, as DELPHI's.
    Prime(u64),
}

/// What p of one domain must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum PlaintextRule {
    /// Above this.
    Above(u64),
    /// Of exactly this many bits.
    Bits(u32),
    /// Exactly this.
    Prime(u64),
}

impl PlaintextRule {
    /// The rule for `domain` of the network.
    pub(super) fn of_domain(
        network: &ResolvedNetwork,
        domain: usize,
        bound: PlaintextBound,
    ) -> Option<Self> {
        let values = network.domains.get(domain)?;
        if let Some(bits) = values.p_bits {
            return Some(Self::Bits(bits));
        }
        match bound {
            PlaintextBound::Prime(p) => Some(Self::Prime(p)),
            PlaintextBound::Exact => Some(Self::Above(values.bound.saturating_mul(2))),
            PlaintextBound::Paper => network
                .steps
                .iter()
                .filter(|step| step.domain == domain)
                .filter_map(|step| match &step.kind {
                    StepKind::Linear(kind) => paper_bits(kind),
                    // Of squares the paper says nothing: p exceeds twice the greatest.
                    StepKind::Square => {
                        Some(u64::BITS + 1 - step.range_out.magnitude().leading_zeros())
                    }
                    _ => None,
                })
                .max()
                .map(|bits| {
                    Self::Above(1_u64.checked_shl(bits).map_or(u64::MAX, |power| power - 1))
                }),
        }
    }

    /// The p that serves all ring degrees up to `n`, if there is one of at most 60 bits.
    pub(super) fn prime(self, n: usize) -> Option<u64> {
        let fits = |&p: &u64| is_plaintext_prime(p, n).is_ok();
        match self {
            Self::Above(floor) => ascending_ntt_primes(n, floor, MAX_P_BITS).find(fits),
            Self::Bits(bits) if bits > MAX_P_BITS => None,
            Self::Bits(bits) => descending_ntt_primes(n, bits).find(fits),
            Self::Prime(p) => Some(p).filter(|p| p >> MAX_P_BITS == 0).filter(fits),
        }
    }

    /// Width that p must at least have.
    pub(super) const fn least_bits(self) -> u32 {
        match self {
            Self::Above(floor) => u64::BITS - floor.leading_zeros(),
            Self::Bits(bits) => bits,
            Self::Prime(p) => u64::BITS - p.leading_zeros(),
        }
    }
}

/// l_i + l_f + ⌈log2(f_h·f_w)⌉.
fn paper_bits(kind: &LayerKind) -> Option<u32> {
    let quantizer = kind.quantizer()?;
    let window = match kind {
        LayerKind::Conv(conv) => conv.kernel[0] * conv.kernel[1],
        _ => 1,
    };
    Some(quantizer.input_bits + quantizer.weight_bits + window.next_power_of_two().ilog2())
}
