//! The search for one layer's parameters, pruned by price, with everything found kept for the next layer.
//!
//! A [`Selector`] holds a [`Request`] and [`Prices`]. For a layer it lists, over all ring degrees,
//! packings, numbers of limbs and kinds of key switching, what the candidate costs at least: its operations
//! at their price and the fewest bytes that noise allows. From the cheapest bound upwards each candidate's
//! cheapest split of q is found (`layer_at`), until no bound lies below the best found. Nothing cheaper
//! exists: the tests hold the search against trying everything.
//!
//! What it keeps: the facts of a layer's packings (by shape), primes, quantiles, and answers (by shape, p's
//! rule, share of δ). The same layer asked for again is a look-up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::candidate::{Candidate, CandidateVerdict, distance};
use super::chain::PrimePool;
use super::layer_at::{Basis, LayerAt, Least};
use super::layer_crypto::LayerCrypto;
use super::packed::Packed;
use super::plaintext::PlaintextRule;
use super::prices::Prices;
use super::reply::ReplyGoal;
use super::request::{LayerCost, Request};
use super::widths::{KeySwitching, MAX_LIMBS, Widths};
use crate::packing::{LinearShape, PackingError};

/// Chooses parameters under one request and one list of prices.
#[derive(Debug)]
pub struct Selector<P> {
    pub(super) request: Request,
    pub(super) prices: P,
    /// Ring degrees that may be used, and what security allows for q·P there.
    pub(super) degrees: Vec<(usize, u32)>,
    pub(super) pool: PrimePool,
    pub(super) packings: RefCell<HashMap<(LinearShape, usize), Rc<Packings>>>,
    pub(super) primes: RefCell<HashMap<(PlaintextRule, usize), Option<u64>>>,
    pub(super) goals: RefCell<HashMap<(u64, u64), ReplyGoal>>,
    pub(super) answers: RefCell<HashMap<Ask, Rc<Answer>>>,
}

pub(super) type Packings = Result<Vec<Packed>, PackingError>;

/// What is asked for one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ask {
    pub(super) shape: LinearShape,
    pub(super) modulus: Modulus,
    /// Bits of log2 of the failure probability allowed for the layer.
    pub(super) failure_log2: u64,
}

/// Where p comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Modulus {
    /// Each ring degree has its own, the layer being alone in its domain.
    Own(PlaintextRule),
    /// It is given, for ring degrees up to the second.
    Shared(u64, usize),
}

/// Parameters with their cost.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chosen {
    pub(super) crypto: LayerCrypto,
    pub(super) cost: LayerCost,
}

/// Parameters, or what came nearest.
pub(super) type Answer = Result<Chosen, Box<Refusal>>;

/// Why there are no parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) nearest: Option<Box<Candidate>>,
    pub(super) packing: Option<PackingError>,
}

/// A ring degree with its p, and what security allows for q·P.
#[derive(Clone, Copy)]
struct Ring {
    n: usize,
    p: u64,
    max_bits: u32,
}

/// A ring with a packing: everything but the moduli.
struct Site {
    layer: LayerAt,
    packings: Rc<Packings>,
    index: usize,
}

/// A candidate before its split is searched.
struct Bounded {
    score: [f64; 2],
    site: usize,
    basis: Basis,
    least: Least,
}

impl Site {
    fn packed(&self) -> Option<&Packed> {
        self.packings.as_ref().as_ref().ok()?.get(self.index)
    }
}

impl<P: Prices> Selector<P> {
    /// Parameters for one layer; asked for again, a look-up.
    pub(super) fn answer(&self, ask: &Ask) -> Rc<Answer> {
        if let Some(answer) = self.answers.borrow().get(ask) {
            return Rc::clone(answer);
        }
        let answer = Rc::new(self.solve(ask));
        self.answers.borrow_mut().insert(*ask, Rc::clone(&answer));
        answer
    }

    fn solve(&self, ask: &Ask) -> Answer {
        let mut sites: Vec<Site> = Vec::with_capacity(16);
        let mut bounded: Vec<Bounded> = Vec::with_capacity(64);
        for ring in self.rings(ask) {
            // Packing takes longest: only rings in which something could work and has a price are packed.
            let bases = self.possible(ring, ask);
            if bases.is_empty() {
                continue;
            }
            for at in self.sites(ring, ask) {
                self.bound(sites.len(), &at, &bases, &mut bounded);
                sites.push(at);
            }
        }
        bounded.sort_unstable_by(|a, b| {
            a.score
                .partial_cmp(&b.score)
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let mut best: Option<([f64; 2], usize, Basis, Widths, LayerCost)> = None;
        for candidate in &bounded {
            if best.as_ref().is_some_and(|best| candidate.score >= best.0) {
                break;
            }
            let Some(at) = sites.get(candidate.site) else {
                continue;
            };
            let Some(widths) = at
                .layer
                .cheapest(candidate.basis, candidate.least, u64::MAX)
            else {
                continue;
            };
            let Some(cost) = self.cost(at, candidate.basis, at.layer.weight_of(&widths)) else {
                continue;
            };
            let score = self.request.objective.score(cost);
            if best.as_ref().is_none_or(|best| score < best.0) {
                best = Some((score, candidate.site, candidate.basis, widths, cost));
            }
        }
        let chosen = best.and_then(|(_, site, basis, widths, cost)| {
            let at = sites.get(site)?;
            let crypto = self.crypto(&at.layer, at.packed()?, basis.switching, &widths)?;
            Some(Chosen { crypto, cost })
        });
        chosen.ok_or_else(|| Box::new(self.refusal(ask)))
    }

    /// The bases with which the least that any packing does decrypts in this ring, is secure and has a price:
    /// no packing has others.
    fn possible(&self, ring: Ring, ask: &Ask) -> Vec<Basis> {
        let packed = Packed::least(ring.n);
        let layer = self.layer_at(ring, &packed, ask);
        let needs = layer.needs();
        let works = |&basis: &Basis| {
            layer.least(basis, &needs).is_some_and(|least| {
                let work = packed.work(basis, layer.least_weight(basis, least));
                self.prices.layer_cost(&work).is_some()
            })
        };
        self.bases().filter(works).collect()
    }

    /// The rings that have a p.
    fn rings(&self, ask: &Ask) -> impl Iterator<Item = Ring> {
        let modulus = ask.modulus;
        self.degrees.iter().filter_map(move |&(n, max_bits)| {
            let p = self.modulus(modulus, n)?;
            Some(Ring { n, p, max_bits })
        })
    }

    /// A ring with every packing that the layer may have there.
    fn sites(&self, ring: Ring, ask: &Ask) -> Vec<Site> {
        let packings = self.packings(&ask.shape, ring.n);
        let all = packings.as_ref().as_ref().map_or(&[][..], Vec::as_slice);
        let site = |(index, packed): (usize, &Packed)| Site {
            layer: self.layer_at(ring, packed, ask),
            packings: Rc::clone(&packings),
            index,
        };
        all.iter().enumerate().map(site).collect()
    }

    fn layer_at(&self, ring: Ring, packed: &Packed, ask: &Ask) -> LayerAt {
        let Ring { n, p, max_bits } = ring;
        LayerAt {
            n,
            p,
            p_log2: (p as f64).log2(),
            ciphertexts: (packed.inputs, packed.outputs),
            noise: packed.noise(p),
            goal: self.goal(packed.outputs * n as u64, ask.failure_log2),
            max_bits,
            limits: self.request.limits,
        }
    }

    /// Lists the candidates of a site with what they cost at least.
    fn bound(&self, site: usize, at: &Site, bases: &[Basis], bounded: &mut Vec<Bounded>) {
        let needs = at.layer.needs();
        for &basis in bases {
            let Some(least) = at.layer.least(basis, &needs) else {
                continue;
            };
            let weight = at.layer.least_weight(basis, least);
            if let Some(cost) = self.cost(at, basis, weight) {
                bounded.push(Bounded {
                    score: self.request.objective.score(cost),
                    site,
                    basis,
                    least,
                });
            }
        }
    }

    /// Every number of limbs and kind of key switching that is tried.
    pub(super) fn bases(&self) -> impl Iterator<Item = Basis> + use<P> {
        let (only, limits) = (self.request.limits.switching, self.request.limits);
        let limbs =
            (1..=MAX_LIMBS).filter(move |limbs| limits.limbs.is_none_or(|only| only == *limbs));
        limbs.flat_map(move |limbs| {
            let all = KeySwitching::ALL.into_iter();
            all.filter(move |&switching| only.is_none_or(|only| only == switching))
                .map(move |switching| Basis { limbs, switching })
        })
    }

    /// What a layer costs with a split of weight W (`layer_at`); `None` without a price.
    fn cost(&self, at: &Site, basis: Basis, weight: u64) -> Option<LayerCost> {
        let work = at.packed()?.work(basis, weight);
        let time = self.prices.layer_cost(&work)?;
        Some(LayerCost {
            time,
            bytes: work.bytes,
        })
    }

    /// p at ring degree `n`.
    pub(super) fn modulus(&self, modulus: Modulus, n: usize) -> Option<u64> {
        match modulus {
            Modulus::Shared(p, largest) => (n <= largest).then_some(p),
            Modulus::Own(rule) => self.prime(rule, n),
        }
    }

    /// The p of a rule that serves all ring degrees up to `n`.
    pub(super) fn prime(&self, rule: PlaintextRule, n: usize) -> Option<u64> {
        let mut primes = self.primes.borrow_mut();
        *primes.entry((rule, n)).or_insert_with(|| rule.prime(n))
    }

    fn goal(&self, coefficients: u64, failure_log2: u64) -> ReplyGoal {
        let mut goals = self.goals.borrow_mut();
        *goals
            .entry((coefficients, failure_log2))
            .or_insert_with(|| {
                let failure_log2 = f64::from_bits(failure_log2);
                ReplyGoal::new(coefficients, failure_log2, self.request.flooding_bits)
            })
    }

    fn packings(&self, shape: &LinearShape, n: usize) -> Rc<Packings> {
        let mut packings = self.packings.borrow_mut();
        let packings = packings
            .entry((*shape, n))
            .or_insert_with(|| Rc::new(Packed::all(shape, n)));
        Rc::clone(packings)
    }

    fn refusal(&self, ask: &Ask) -> Refusal {
        let nearest = self.candidates(ask).into_iter().reduce(|best, next| {
            if distance(next.verdict) < distance(best.verdict) {
                next
            } else {
                best
            }
        });
        let packing = self
            .degrees
            .iter()
            .filter_map(|&(n, _)| {
                self.packings(&ask.shape, n)
                    .as_ref()
                    .as_ref()
                    .err()
                    .cloned()
            })
            .next_back();
        Refusal {
            nearest: nearest.map(Box::new),
            packing,
        }
    }

    /// Every candidate, the cheapest first; those that don't work after them, the nearest first.
    pub(super) fn candidates(&self, ask: &Ask) -> Vec<Candidate> {
        let sites = self.rings(ask).flat_map(|ring| self.sites(ring, ask));
        let mut candidates: Vec<Candidate> = self.unpacked(ask);
        for at in &sites.collect::<Vec<_>>() {
            candidates.extend(self.bases().map(|basis| self.candidate(at, basis)));
        }
        let key = |candidate: &Candidate| match candidate.cost {
            Some(cost) => (0, self.request.objective.score(cost)),
            None => {
                let (class, bits) = distance(candidate.verdict);
                (1 + class, [bits, 0.0])
            }
        };
        candidates.sort_by(|a, b| {
            let order = key(a).partial_cmp(&key(b));
            order.unwrap_or(std::cmp::Ordering::Equal)
        });
        if let Some(first) = candidates.first_mut().filter(|first| first.cost.is_some()) {
            first.verdict = CandidateVerdict::Chosen;
        }
        candidates
    }

    fn candidate(&self, at: &Site, basis: Basis) -> Candidate {
        let widths = at
            .layer
            .least(basis, &at.layer.needs())
            .and_then(|least| at.layer.cheapest(basis, least, u64::MAX));
        let cost = widths.and_then(|widths| self.cost(at, basis, at.layer.weight_of(&widths)));
        let special = widths.and_then(|widths| {
            let narrowest = at.layer.narrowest_special(&widths, basis.switching)?;
            Some(narrowest.0 * basis.switching.special() as u32)
        });
        Candidate {
            n: at.layer.n,
            schedule: at
                .packed()
                .map_or_else(String::new, |packed| packed.schedule.into()),
            limbs: basis.limbs,
            switching: basis.switching,
            widths,
            total_bits: widths.map_or(0, |widths| widths.total() + special.unwrap_or(0)),
            cost,
            verdict: match (widths, cost) {
                (None, _) => at.layer.ruled_out(basis),
                (Some(_), None) => CandidateVerdict::NoPrice,
                (Some(_), Some(_)) => CandidateVerdict::Dearer,
            },
        }
    }

    /// The ring degrees that have no p, or at which the layer cannot be packed.
    fn unpacked(&self, ask: &Ask) -> Vec<Candidate> {
        let degrees = self.degrees.iter().filter_map(|&(n, _)| {
            let verdict = match self.modulus(ask.modulus, n) {
                None => CandidateVerdict::NoPlaintextModulus,
                Some(_) if self.packings(&ask.shape, n).is_err() => CandidateVerdict::NoPlan,
                Some(_) => return None,
            };
            Some(Candidate {
                n,
                schedule: String::new(),
                limbs: 0,
                switching: KeySwitching::Special(1),
                widths: None,
                total_bits: 0,
                cost: None,
                verdict,
            })
        });
        degrees.collect()
    }
}
