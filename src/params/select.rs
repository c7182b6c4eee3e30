//! The selection loop: for every linear layer of a network the cheapest (n, p, q) that is safe and decrypts.
//!
//! In go a [`ResolvedNetwork`], a [`Request`] and [`Prices`]; out comes a [`LayerCrypto`] for each linear
//! step. NASS (section 4.1, figure 4) starts from a p and a guess of q, asks the table for n, samples
//! ciphertexts, enlarges q, and starts again, until both tests pass. Here noise is known in closed form, so
//! the loop is an enumeration: each n in {2¹¹, …, 2¹⁵} with each number of limbs, the narrowest moduli
//! that decrypt, the security table, the price; the cheapest wins, the first of equals.
//!
//! All layers of a domain share one p, and p ≡ 1 mod 2n must hold for all their n. So each domain is
//! solved for every greatest ring degree N it may use (p ≡ 1 mod 2N serves all n ≤ N), and the cheapest
//! sum wins. δ per inference is split evenly over the linear layers.
//!
//! Always true of a result: the table grants the level asked for with special primes counted; failure
//! probabilities add up to at most δ. Set-up (keys, encoding of weights) has no part in the price.

use serde::{Deserialize, Serialize};

use super::candidate::{Candidate, CandidateVerdict, Fit, LayerAt, distance};
use super::chain::{MAX_LIMBS, PrimePool};
use super::error::ParamsError;
use super::failure::{printable_probability, split};
use super::layer_crypto::LayerCrypto;
use super::noise_form::LayerNoise;
use super::plaintext::{PlaintextBound, PlaintextRule};
use super::prices::Prices;
use super::reply::{ReplyGoal, log2_product};
use crate::network::{ResolvedNetwork, Step, StepKind};
use crate::packing::{PackingError, Plan};
use crate::security::{Requirement, SecretKind, SecurityError, level_reached, max_log_q};
use crate::units::Nanos;

/// Ring degrees that are tried.
pub const RING_DEGREES: [usize; 5] = [2048, 4096, 8192, 16_384, 32_768];

/// What is asked of the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Security.
    pub requirement: Requirement,
    /// log2 of the failure probability allowed per inference.
    pub failure_log2: f64,
    /// Statistical bits by which replies hide the weights; 0 (as in the papers): no flooding.
    pub flooding_bits: u32,
    /// How large p must be.
    pub p_bound: PlaintextBound,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            requirement: Requirement::default(),
            failure_log2: -40.0,
            flooding_bits: 40,
            p_bound: PlaintextBound::Exact,
        }
    }
}

/// Parameters of a network, one entry a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Parameters of the linear steps.
    pub layers: Vec<Option<LayerCrypto>>,
    /// What was tried for each linear step, with the chosen p; empty for others.
    pub candidates: Vec<Vec<Candidate>>,
}

/// Chooses parameters for every linear step of `network`.
///
/// # Errors
/// [`ParamsError`]: the request is impossible as such, or a layer has no parameters; then it says which,
/// which limit is in the way, and by how many bits.
pub fn select_network(
    network: &ResolvedNetwork,
    request: &Request,
    prices: &dyn Prices,
) -> Result<Selection, ParamsError> {
    let degrees = usable_degrees(request)?;
    let linear = network.steps.iter().filter(|step| is_linear(step)).count() as u64;
    let failure_log2 = split(request.failure_log2, linear);
    let search = Search {
        network,
        request,
        prices,
        failure_log2,
        pool: PrimePool::default(),
    };
    let mut selection = Selection {
        layers: vec![None; network.steps.len()],
        candidates: vec![Vec::new(); network.steps.len()],
    };
    for domain in 0..network.domains.len() {
        let steps: Vec<usize> = (0..network.steps.len())
            .filter(|&index| {
                network.steps[index].domain == domain && is_linear(&network.steps[index])
            })
            .collect();
        if steps.is_empty() {
            continue;
        }
        for (index, (crypto, candidates)) in
            steps.iter().zip(search.domain(domain, &steps, &degrees)?)
        {
            selection.layers[*index] = Some(crypto);
            selection.candidates[*index] = candidates;
        }
    }
    Ok(selection)
}

/// The ring degrees for which the table has the level asked for.
fn usable_degrees(request: &Request) -> Result<Vec<usize>, ParamsError> {
    let Request {
        requirement,
        failure_log2,
        flooding_bits,
        ..
    } = *request;
    if requirement.secret != SecretKind::Ternary {
        return Err(ParamsError::Secret {
            asked: requirement.secret,
        });
    }
    if !(failure_log2 < 0.0 && failure_log2.is_finite()) || flooding_bits > 128 {
        return Err(ParamsError::Goal {
            failure_log2,
            flooding_bits,
        });
    }
    let degrees: Vec<usize> = RING_DEGREES
        .into_iter()
        .filter(|&n| max_log_q(&requirement, n).is_some())
        .collect();
    match degrees.first() {
        Some(_) => Ok(degrees),
        None => Err(SecurityError::NotInTable {
            requirement,
            n: RING_DEGREES[0],
        }
        .into()),
    }
}

const fn is_linear(step: &Step) -> bool {
    matches!(step.kind, StepKind::Linear(_))
}

struct Search<'a> {
    network: &'a ResolvedNetwork,
    request: &'a Request,
    prices: &'a dyn Prices,
    /// log2 of the failure probability allowed for one layer.
    failure_log2: f64,
    pool: PrimePool,
}

/// A layer's parameters, and what was tried.
type Solved = (LayerCrypto, Vec<Candidate>);

/// What one p costs: all layers with their parameters, or the first that has none.
type Attempt = Result<(Nanos, Vec<Solved>), ParamsError>;

impl Search<'_> {
    /// Parameters for the linear `steps` of one domain, under the p that makes them cheapest.
    fn domain(
        &self,
        domain: usize,
        steps: &[usize],
        degrees: &[usize],
    ) -> Result<Vec<Solved>, ParamsError> {
        let rule = PlaintextRule::of_domain(self.network, domain, self.request.p_bound);
        let mut last_p = None;
        let mut best: Option<Attempt> = None;
        // From the largest N down, so that a p which serves more degrees is tried with all of them.
        for (last, &largest) in degrees.iter().enumerate().rev() {
            let Some(p) = rule.and_then(|rule| rule.prime(largest)) else {
                continue;
            };
            if last_p.replace(p) == Some(p) {
                continue;
            }
            let attempt = self.under(p, steps, &degrees[..=last]);
            best = match (best, attempt) {
                (Some(Ok(best)), Ok(attempt)) if best.0 < attempt.0 => Some(Ok(best)),
                (Some(Ok(best)), Err(_)) => Some(Ok(best)),
                // The error under the largest N, where most is possible, is the one to report.
                (Some(Err(first)), Err(_)) => Some(Err(first)),
                (_, attempt) => Some(attempt),
            };
        }
        let none = || {
            Err(ParamsError::NoPlaintextModulus {
                layer: self.network.steps[steps[0]].name.clone(),
                bits: rule.map_or(0, PlaintextRule::least_bits),
            })
        };
        best.unwrap_or_else(none).map(|(_, solved)| solved)
    }

    fn under(&self, p: u64, steps: &[usize], degrees: &[usize]) -> Attempt {
        let mut total = Nanos::default();
        let mut solved = Vec::with_capacity(steps.len());
        for &index in steps {
            let step = &self.network.steps[index];
            let (cost, layer) = self.layer(p, step, degrees)?;
            total += cost;
            solved.push(layer);
        }
        Ok((total, solved))
    }

    /// The cheapest parameters of one layer under `p`.
    fn layer(
        &self,
        p: u64,
        step: &Step,
        degrees: &[usize],
    ) -> Result<(Nanos, Solved), ParamsError> {
        let mut tried: Vec<(Candidate, Option<(Fit, Nanos)>)> = Vec::new();
        let mut no_plan: Option<PackingError> = None;
        for &n in degrees {
            match Plan::for_step(step, n) {
                Ok(plan) => self.ring(p, n, &plan, &mut tried),
                Err(reason) => {
                    let verdict = CandidateVerdict::NoPlan;
                    tried.push((
                        Candidate {
                            n,
                            limbs: 0,
                            total_bits: 0.0,
                            verdict,
                        },
                        None,
                    ));
                    no_plan = Some(reason);
                }
            }
        }
        let cheapest = tried
            .iter()
            .enumerate()
            .filter_map(|(at, (_, fit))| fit.as_ref().map(|(fit, cost)| (at, fit.clone(), *cost)))
            .reduce(|best, next| if next.2 < best.2 { next } else { best });
        let Some((chosen, fit, cost)) = cheapest else {
            let candidates = tried.into_iter().map(|(candidate, _)| candidate);
            return Err(refusal(&step.name, candidates, no_plan));
        };
        let candidates = tried
            .into_iter()
            .enumerate()
            .map(|(at, (candidate, other))| match other {
                Some((_, other)) if at != chosen => Candidate {
                    verdict: CandidateVerdict::Dearer(other - cost),
                    ..candidate
                },
                _ => candidate,
            })
            .collect();
        let bound = self.network.domains[step.domain].bound;
        let n = fit.security.n;
        Ok((cost, (self.crypto((n, p), bound, &fit), candidates)))
    }

    /// Tries every number of limbs at ring degree `n`.
    fn ring(
        &self,
        p: u64,
        n: usize,
        plan: &Plan,
        tried: &mut Vec<(Candidate, Option<(Fit, Nanos)>)>,
    ) {
        let coefficients = (plan.output_ciphertexts() * n) as u64;
        let layer = LayerAt {
            n,
            p,
            noise: &LayerNoise::of_plan(plan, p),
            goal: &ReplyGoal::new(coefficients, self.failure_log2, self.request.flooding_bits),
            requirement: &self.request.requirement,
        };
        for limbs in 1..=MAX_LIMBS {
            let fits = layer.fits(&self.pool, limbs).map(|fits| {
                let priced = fits.into_iter().map(|fit| {
                    let cost = self.prices.layer_cost(&fit.work(plan));
                    (fit, cost)
                });
                priced.reduce(|best, next| if next.1 < best.1 { next } else { best })
            });
            let verdict = CandidateVerdict::Chosen;
            tried.push(match fits {
                Ok(best) => {
                    let total_bits = best.as_ref().map_or(0.0, |(fit, _)| fit.total_bits);
                    (
                        Candidate {
                            n,
                            limbs,
                            total_bits,
                            verdict,
                        },
                        best,
                    )
                }
                Err(candidate) => (candidate, None),
            });
        }
    }

    fn crypto(&self, (n, p): (usize, u64), bound: u64, fit: &Fit) -> LayerCrypto {
        let (security, reply) = (fit.security, fit.reply);
        LayerCrypto {
            n,
            p,
            p_bits: p.ilog2() + 1,
            p_holds_all_values: p / 2 >= bound,
            q: fit.chain.q.clone(),
            special: fit.chain.special.clone(),
            q_bits: log2_product(&fit.chain.q),
            total_bits: fit.total_bits,
            security_bits: level_reached(
                security.table,
                security.attack,
                security.secret,
                n,
                fit.total_bits,
            )
            .unwrap_or(security.level),
            security_table: security.table,
            security,
            failure_probability: printable_probability(reply.failure_log2),
            failure_log2: reply.failure_log2,
            flooding_bits: self.request.flooding_bits,
            flooding_log2: reply.flooding_log2,
            reply_limbs: reply.limbs,
            noise_margin_bits: reply.margin_bits,
        }
    }
}

/// The error for a layer without parameters: the limit that the nearest candidate ran into.
fn refusal(
    layer: &str,
    candidates: impl Iterator<Item = Candidate>,
    no_plan: Option<PackingError>,
) -> ParamsError {
    let layer = layer.to_owned();
    let nearest = candidates
        .reduce(|best, next| {
            if distance(next.verdict) < distance(best.verdict) {
                next
            } else {
                best
            }
        })
        .map(|candidate| (candidate.n, candidate.verdict));
    match (nearest, no_plan) {
        (Some((n, CandidateVerdict::SecurityShort(short_bits))), _) => {
            ParamsError::InsufficientSecurity {
                layer,
                n,
                short_bits,
            }
        }
        (Some((n, CandidateVerdict::NoiseShort(short_bits))), _) => ParamsError::TooMuchNoise {
            layer,
            n,
            short_bits,
        },
        (_, Some(reason)) => ParamsError::Packing { layer, reason },
        (nearest, None) => ParamsError::TooMuchNoise {
            layer,
            n: nearest.map_or(0, |(n, _)| n),
            short_bits: f64::INFINITY,
        },
    }
}
