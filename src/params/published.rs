//! What Gazelle published: its q for a layer, by how much that is insecure, what it costs, how noisy it is.
//!
//! q is one prime of 60 bits, so that a ciphertext has one limb, which takes no special prime: keys are switched
//! by digits. It is priced as the profile's widest fast limb, of at most 50 bits, and costs at least that. Replies
//! are masked here as in all modes, but not flooded.
//!
//! Gazelle encodes m as Δ·m, Δ = ⌊q/p⌋. A product that exceeds p by k·p leaves k·(q mod p) in the error
//! ([`wrapped`]), which is why its q ≡ ±small mod p; that is added here to the error of
//! the scaled form.

use serde::{Deserialize, Serialize};

use super::candidate::{Candidate, CandidateVerdict};
use super::error::ParamsError;
use super::layer_at::{Basis, LayerAt, SentBits};
use super::noise::{key_switch_of, wrapped};
use super::packed::{Keys, Packed};
use super::papers::{GAZELLE_N, GAZELLE_P, GAZELLE_Q_BITS};
use super::prices::Prices;
use super::primes::gazelle_modulus;
use super::reply::Reply;
use super::request::LayerCost;
use super::select::groups;
use super::selector::{Ask, Modulus, Ring, Selector};
use super::widths::{KeySwitching, Widths};
use crate::network::ResolvedNetwork;
use crate::security::{Requirement, max_log_q};

/// Gazelle's q as the search names widths.
const WIDTHS: Widths = Widths {
    kept: 1,
    kept_bits: GAZELLE_Q_BITS,
    dropped: 0,
    dropped_bits: GAZELLE_Q_BITS,
};

/// What Gazelle published for layers whose values need a p above `floor`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GazellePublished {
    /// Ring degree.
    pub n: usize,
    /// Plaintext modulus.
    pub p: u64,
    /// Ciphertext modulus.
    pub q: u64,
    /// q mod p, centred: what each wrapped product leaves in the error of the Δ·m form.
    pub remainder: i64,
    /// Bits of q beyond what the table asked allows, special primes not counted; more than 0: insecure.
    pub short_bits: f64,
}

/// Gazelle's own n, p and q for values up to ±`bound`, held against `requirement`; `None` where its widest p
/// is too small.
pub fn gazelle_published(bound: u64, requirement: &Requirement) -> Option<GazellePublished> {
    let p = GAZELLE_P.into_iter().find(|p| p / 2 >= bound)?;
    let modulus = gazelle_modulus(GAZELLE_N, p, GAZELLE_Q_BITS)?;
    let allowed = max_log_q(requirement, GAZELLE_N).map_or(0.0, f64::from);
    Some(GazellePublished {
        n: GAZELLE_N,
        p,
        q: modulus.q,
        remainder: modulus.remainder,
        short_bits: (modulus.q as f64).log2() - allowed,
    })
}

/// What Gazelle's own n, p and q do for one layer. Not to be run: they are insecure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GazelleLayer {
    /// n, p and q.
    pub published: GazellePublished,
    /// Packings and digits of key switching: the cheapest that decrypts first, then the others that do by cost,
    /// then those that do not, the nearest first; if none does, the nearest is first.
    pub candidates: Vec<Candidate>,
    /// log2 of the probability that any of the layer's coefficients decrypts wrongly, of the first.
    pub failure_log2: f64,
    /// log2 of the room for noise over what the failure probability asked for needs, of the first; less than 0:
    /// it does not decrypt.
    pub margin_bits: f64,
}

/// A packing and a number of digits, as it was tried.
struct Tried {
    candidate: Candidate,
    failure_log2: f64,
    margin_bits: f64,
}

impl<P: Prices> Selector<P> {
    /// What Gazelle published does for a step under this request's failure probability, flooding left out;
    /// nothing for a step that is not linear, or whose values need more than 21 bits of p.
    ///
    /// # Errors
    /// The step cannot be packed at n = 2048.
    pub fn gazelle(
        &self,
        network: &ResolvedNetwork,
        step: usize,
    ) -> Result<Option<GazelleLayer>, ParamsError> {
        let bound = network
            .steps
            .get(step)
            .and_then(|step| network.domains.get(step.domain))
            .map_or(u64::MAX, |domain| domain.bound);
        let published = gazelle_published(bound, &self.request().requirement);
        let group =
            groups(network, self.request().failure_log2).find(|group| group.steps.contains(&step));
        let (Some(published), Some(group)) = (published, group) else {
            return Ok(None);
        };
        let ask = group.ask(step, Modulus::Shared(published.p, GAZELLE_N))?;
        let packings = self.packings(&ask.shape, GAZELLE_N);
        let packings = packings.as_ref().as_ref();
        let packings = packings.map_err(|reason| ParamsError::Packing {
            layer: network.steps[step].name.clone(),
            reason: reason.clone(),
        })?;
        let mut tried: Vec<Tried> = packings
            .iter()
            .flat_map(|packed| {
                let ring = Ring {
                    n: GAZELLE_N,
                    p: published.p,
                    max_bits: u32::MAX,
                };
                let layer = self.layer_at(ring, (packed, 1), &ask);
                let all = KeySwitching::ALL.into_iter();
                all.filter(|switching| switching.special() == 0)
                    .filter_map(move |switching| {
                        self.tried(&published, (&layer, packed), switching, &ask)
                    })
            })
            .collect();
        tried.sort_by(|a, b| {
            let key = |tried: &Tried| match tried.candidate.cost {
                Some(cost) if tried.margin_bits >= 0.0 => {
                    (0, self.request().objective.score(cost)[0])
                }
                _ => (1, -tried.margin_bits),
            };
            let order = key(a).partial_cmp(&key(b));
            order.unwrap_or(std::cmp::Ordering::Equal)
        });
        let Some(first) = tried.first_mut() else {
            return Ok(None);
        };
        if first.margin_bits >= 0.0 && first.candidate.cost.is_some() {
            first.candidate.verdict = CandidateVerdict::Chosen;
        }
        let (failure_log2, margin_bits) = (first.failure_log2, first.margin_bits);
        Ok(Some(GazelleLayer {
            published,
            candidates: tried.into_iter().map(|tried| tried.candidate).collect(),
            failure_log2,
            margin_bits,
        }))
    }

    fn tried(
        &self,
        published: &GazellePublished,
        (layer, packed): (&LayerAt, &Packed),
        switching: KeySwitching,
        ask: &Ask,
    ) -> Option<Tried> {
        let squares = WIDTHS.squares(switching, 0)?;
        let wraps = wrapped(GAZELLE_N, published.p, published.remainder);
        let reply = Reply {
            n: GAZELLE_N,
            p_log2: layer.p_log2,
            kept_log2: (published.q as f64).log2(),
            dropped_log2: 0.0,
            variance: layer.variance(key_switch_of(GAZELLE_N, squares, 0))
                + wraps * packed.greatest_sum(),
        };
        let basis = Basis {
            limbs: 1,
            switching,
        };
        let read = (ask.operand, Keys::Of(&ask.shape));
        let sent = (basis, SentBits::from(&WIDTHS));
        let work = packed.work(layer.windows, sent, read);
        let cost = self.prices().layer_cost(&work).map(|time| LayerCost {
            time,
            bytes: work.bytes(),
        });
        let margin_bits = layer.goal.margin_bits(&reply, None);
        Some(Tried {
            candidate: Candidate {
                n: GAZELLE_N,
                schedule: packed.schedule.to_owned(),
                limbs: 1,
                switching,
                windows: 1,
                widths: Some(WIDTHS),
                total_bits: GAZELLE_Q_BITS,
                cost,
                verdict: match (margin_bits >= 0.0, cost) {
                    (false, _) => CandidateVerdict::NoiseShort(-margin_bits),
                    (true, None) => CandidateVerdict::NoPrice,
                    (true, Some(_)) => CandidateVerdict::Dearer,
                },
            },
            failure_log2: layer.goal.failure_log2(&reply, None),
            margin_bits,
        })
    }
}
