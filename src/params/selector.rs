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
use super::layer_at::{Basis, LayerAt, Least, SentBits};
use super::layer_crypto::LayerCrypto;
use super::packed::{Keys, Packed};
use super::plaintext::PlaintextRule;
use super::prices::Prices;
use super::reply::ReplyGoal;
use super::request::{LayerCost, Request};
use super::widths::{KeySwitching, MAX_LIMBS, Widths};
use crate::gc::ShareCircuit;
use crate::network::Origin;
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
    pub(super) circuits: RefCell<HashMap<(ShareCircuit, u64), Option<LayerCost>>>,
}

pub(super) type Packings = Result<Vec<Packed>, PackingError>;

/// What is asked for one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ask {
    pub(super) shape: LinearShape,
    /// Whether the server has a share of the operand to add.
    pub(super) operand: Origin,
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
        // Packing takes longest: only rings in which something could work and has a price are packed.
        let sites = self.sites(ask, |n, p, max_bits| self.possible((n, p, max_bits), ask));
        let mut bounded: Vec<Bounded> = Vec::with_capacity(64);
        for (site, at) in sites.iter().enumerate() {
            self.bound((site, at), ask.operand, &mut bounded);
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
            let work = (candidate.basis, SentBits::from(&widths));
            let Some(cost) = self.cost(at, work, (ask.operand, Keys::Of(&ask.shape))) else {
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

    /// Whether the least that any packing does decrypts in this ring, is secure and has a price.
    fn possible(&self, (n, p, max_bits): (usize, u64, u32), ask: &Ask) -> bool {
        let packed = Packed::least(n);
        let layer = self.layer_at((n, p, max_bits), &packed, ask);
        self.bases().any(|basis| {
            layer.least(basis).is_some_and(|least| {
                let bits = layer.least_bits(basis, least);
                let work = packed.work(basis, bits, (ask.operand, Keys::Unknown));
                self.prices.layer_cost(&work).is_some()
            })
        })
    }

    /// Every ring that is to be kept, with every packing that the layer may have.
    fn sites(&self, ask: &Ask, keep: impl Fn(usize, u64, u32) -> bool) -> Vec<Site> {
        let mut sites = Vec::with_capacity(16);
        for &(n, max_bits) in &self.degrees {
            let Some(p) = self.modulus(ask.modulus, n) else {
                continue;
            };
            if !keep(n, p, max_bits) {
                continue;
            }
            let packings = self.packings(&ask.shape, n);
            let all = packings.as_ref().as_ref().map_or(&[][..], Vec::as_slice);
            for (index, packed) in all.iter().enumerate() {
                sites.push(Site {
                    layer: self.layer_at((n, p, max_bits), packed, ask),
                    packings: Rc::clone(&packings),
                    index,
                });
            }
        }
        sites
    }

    pub(super) fn layer_at(
        &self,
        (n, p, max_bits): (usize, u64, u32),
        packed: &Packed,
        ask: &Ask,
    ) -> LayerAt {
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
    fn bound(&self, (site, at): (usize, &Site), operand: Origin, bounded: &mut Vec<Bounded>) {
        for basis in self.bases() {
            let Some(least) = at.layer.least(basis) else {
                continue;
            };
            let bits = at.layer.least_bits(basis, least);
            if let Some(cost) = self.cost(at, (basis, bits), (operand, Keys::Unknown)) {
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

    /// What a layer costs with moduli of so many bits; `None` without a price.
    fn cost(
        &self,
        at: &Site,
        (basis, bits): (Basis, SentBits),
        read: (Origin, Keys<'_>),
    ) -> Option<LayerCost> {
        let work = at.packed()?.work(basis, bits, read);
        let time = self.prices.layer_cost(&work)?;
        Some(LayerCost {
            time,
            bytes: work.bytes(),
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

    pub(super) fn packings(&self, shape: &LinearShape, n: usize) -> Rc<Packings> {
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
        let sites = self.sites(ask, |_, _, _| true);
        let mut candidates: Vec<Candidate> = self.unpacked(ask);
        for at in &sites {
            candidates.extend(self.bases().map(|basis| self.candidate(at, basis, ask)));
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

    fn candidate(&self, at: &Site, basis: Basis, ask: &Ask) -> Candidate {
        let widths = at
            .layer
            .least(basis)
            .and_then(|least| at.layer.cheapest(basis, least, u64::MAX));
        let cost = widths.and_then(|widths| {
            let read = (ask.operand, Keys::Of(&ask.shape));
            self.cost(at, (basis, SentBits::from(&widths)), read)
        });
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
