//! The search for one layer's parameters, pruned by price, with everything found kept for the next layer.
//!
//! A [`Selector`] holds a [`Request`] and [`Prices`]. For a layer it lists, over all ring degrees,
//! packings, numbers of limbs and kinds of key switching, what the candidate costs at least: its operations
//! at their price and the fewest bytes that noise allows. From the cheapest bound upwards each candidate's
//! cheapest split of q is found (`layer_at`), until no bound lies below the best found. Whole weights are
//! searched first, then two plaintext windows, and so on: where fewer windows decrypt and are too dear, more
//! are dearer still, unless they save more bytes than they add. Nothing cheaper exists: the tests hold the
//! search against trying everything.
//!
//! What it keeps: the facts of a layer's packings (by shape), primes, quantiles, and answers (by shape, p's
//! rule, share of δ). The same layer asked for again is a look-up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::candidate::Candidate;
use super::chain::PrimePool;
use super::layer_at::{Basis, LayerAt, SentBits};
use super::layer_crypto::LayerCrypto;
use super::packed::{Keys, Packed};
use super::plaintext::PlaintextRule;
use super::prices::Prices;
use super::reply::ReplyGoal;
use super::request::{LayerCost, Limits, Request};
use super::site::{Best, Bounded, Passed, Site};
use super::widths::{KeySwitching, MAX_LIMBS, MAX_WINDOWS};
use crate::gc::ShareCircuit;
use crate::network::Origin;
use crate::packing::{LinearShape, PackingError, Windows};

/// Chooses parameters under one request and one list of prices.
#[derive(Debug)]
pub struct Selector<P> {
    pub(super) request: Request,
    pub(super) prices: P,
    /// Ring degrees that may be used, and what security allows for q·P there.
    pub(super) degrees: Vec<(usize, u32)>,
    /// Numbers of limbs and kinds of key switching that are tried.
    pub(super) bases: Vec<Basis>,
    pub(super) pool: PrimePool,
    pub(super) packings: RefCell<HashMap<(LinearShape, usize), Rc<Packings>>>,
    pub(super) primes: RefCell<HashMap<(PlaintextRule, usize), Option<u64>>>,
    pub(super) goals: RefCell<HashMap<(u64, u64), ReplyGoal>>,
    pub(super) answers: RefCell<HashMap<Ask, Option<Rc<Chosen>>>>,
    pub(super) refusals: RefCell<HashMap<Ask, Refusal>>,
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
    /// Each ring degree up to the second has its own, the layer being alone in its domain.
    Own(PlaintextRule, usize),
    /// It is given, for ring degrees up to the second.
    Shared(u64, usize),
}

/// Parameters with their cost.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chosen {
    pub(super) crypto: LayerCrypto,
    pub(super) cost: LayerCost,
}

/// Why there are no parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) nearest: Option<Box<Candidate>>,
    pub(super) packing: Option<PackingError>,
}

/// A ring degree with its p, and what security allows for q·P.
#[derive(Clone, Copy)]
pub(super) struct Ring {
    pub(super) n: usize,
    pub(super) p: u64,
    pub(super) max_bits: u32,
}

/// Every number of limbs and kind of key switching that the limits let one try.
pub(super) fn bases(limits: &Limits) -> Vec<Basis> {
    let limbs = (1..=MAX_LIMBS).filter(|limbs| limits.limbs.is_none_or(|only| only == *limbs));
    let all = limbs.flat_map(|limbs| {
        let all = KeySwitching::ALL.into_iter();
        all.map(move |switching| Basis { limbs, switching })
    });
    all.filter(|basis| limits.switching.is_none_or(|only| only == basis.switching))
        .collect()
}

impl<P: Prices> Selector<P> {
    /// Parameters for one layer, if it has any; asked for again, a look-up.
    pub(super) fn answer(&self, ask: &Ask) -> Option<Rc<Chosen>> {
        if let Some(answer) = self.answers.borrow().get(ask) {
            return answer.clone();
        }
        let answer = self.solve(ask).map(Rc::new);
        self.answers.borrow_mut().insert(*ask, answer.clone());
        answer
    }

    fn solve(&self, ask: &Ask) -> Option<Chosen> {
        let (mut sites, mut best): (Vec<Site>, _) = (Vec::with_capacity(16), None);
        let mut unpacked: Vec<(Ring, Passed)> = self
            .rings(ask)
            .map(|ring| (ring, Passed::default()))
            .collect();
        let mut first = 0;
        for windows in self.windows(&ask.shape) {
            // Packing takes longest: only rings in which something could win are packed.
            let cut = best
                .as_ref()
                .map_or([f64::INFINITY; 2], |best: &Best| best.score);
            let last = sites.get(first..).unwrap_or_default();
            let more = last
                .iter()
                .filter_map(|at| at.windowed(windows, self.all()));
            let mut next: Vec<Site> = more.collect();
            unpacked.retain_mut(|(ring, passed)| {
                *passed = self.passed((*ring, passed.closed), (windows, cut), ask);
                let left = passed.left(self.all()) != 0;
                if left {
                    next.extend(self.sites((*ring, *passed), windows, ask));
                }
                !left && passed.closed != self.all()
            });
            first = sites.len();
            sites.extend(next);
            self.search((&mut sites, first), ask, &mut best);
        }
        let best = best?;
        let at = sites.get(best.site)?;
        let switching = best.basis.switching;
        let crypto = self.crypto(&at.layer, at.packed()?, switching, &best.widths)?;
        let cost = best.cost;
        Some(Chosen { crypto, cost })
    }

    /// The cheapest of the sites from `first` on, where it is cheaper than what was found before; notes where no
    /// more windows can be.
    fn search(&self, (sites, first): (&mut [Site], usize), ask: &Ask, best: &mut Option<Best>) {
        let mut bounded: Vec<Bounded> = Vec::with_capacity(64);
        for (site, at) in sites.iter_mut().enumerate().skip(first) {
            self.bound((site, at), ask.operand, &mut bounded);
        }
        bounded.sort_unstable_by(|a, b| {
            a.score
                .partial_cmp(&b.score)
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        for candidate in &bounded {
            let &Bounded { site, basis, .. } = candidate;
            let Some(at) = sites.get_mut(site) else {
                continue;
            };
            if best
                .as_ref()
                .is_some_and(|best| candidate.score >= best.score)
            {
                at.close(candidate);
                continue;
            }
            let Some(widths) = at.layer.cheapest(basis, candidate.least, u64::MAX) else {
                continue;
            };
            let work = (basis, SentBits::from(&widths));
            let Some(cost) = self.cost(at, work, (ask.operand, Keys::Of(&ask.shape))) else {
                continue;
            };
            let score = self.request.objective.score(cost);
            if best.as_ref().is_none_or(|best| score < best.score) {
                *best = Some(Best {
                    score,
                    site,
                    basis,
                    widths,
                    cost,
                });
            }
        }
    }

    /// The bases with which not even the least that any packing does in this ring decrypts, is secure and costs less
    /// than the cut: no packing has them. Those that are closed stay so.
    fn passed(
        &self,
        (ring, closed): (Ring, u64),
        (windows, cut): (usize, [f64; 2]),
        ask: &Ask,
    ) -> Passed {
        let packed = Packed::least(ring.n);
        let layer = self.layer_at(ring, (&packed, windows), ask);
        let (needs, floor) = (layer.needs(), layer.floor());
        let mut passed = Passed { closed, over: 0 };
        for (place, basis) in self.among(passed.left(self.all())) {
            if layer.room(basis) < floor {
                passed.closed |= 1 << place;
                continue;
            }
            let Some(least) = layer.least(basis, &needs) else {
                passed.over |= 1 << place;
                continue;
            };
            let bits = layer.least_bits(basis, least);
            let read = (ask.operand, Keys::Unknown);
            let work = packed.work(layer.windows, (basis, bits), read);
            let bytes = work.bytes();
            let score = |time| self.request.objective.score(LayerCost { time, bytes });
            match self.prices.layer_cost(&work) {
                None => passed.closed |= 1 << place,
                Some(time) if score(time) >= cut => {
                    passed.over |= 1 << place;
                    passed.closed |= u64::from(layer.closes(basis, least, floor)) << place;
                }
                Some(_) => {}
            }
        }
        passed
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
    fn sites(&self, (ring, passed): (Ring, Passed), windows: usize, ask: &Ask) -> Vec<Site> {
        let packings = self.packings(&ask.shape, ring.n);
        let all = packings.as_ref().as_ref().map_or(&[][..], Vec::as_slice);
        let site = |(index, packed): (usize, &Packed)| Site {
            layer: self.layer_at(ring, (packed, windows), ask),
            packings: Rc::clone(&packings),
            index,
            passed,
        };
        all.iter().enumerate().map(site).collect()
    }

    /// Every ring with every packing that the layer may have there.
    pub(super) fn everywhere(&self, windows: usize, ask: &Ask) -> Vec<Site> {
        let all = |ring| self.sites((ring, Passed::default()), windows, ask);
        self.rings(ask).flat_map(all).collect()
    }

    pub(super) fn layer_at(
        &self,
        ring: Ring,
        (packed, windows): (&Packed, usize),
        ask: &Ask,
    ) -> LayerAt {
        let Ring { n, p, max_bits } = ring;
        let windows = Windows::new(p, windows);
        LayerAt {
            n,
            windows,
            p_log2: (p as f64).log2(),
            ciphertexts: packed.ciphertexts(windows),
            noise: packed.noise(windows),
            goal: self.goal(packed.outputs * n as u64, ask.failure_log2),
            max_bits,
            limits: self.request.limits,
        }
    }

    /// Lists the candidates of a site with what they cost at least.
    fn bound(&self, (site, at): (usize, &mut Site), operand: Origin, bounded: &mut Vec<Bounded>) {
        let (needs, floor) = (at.layer.needs(), at.layer.floor());
        for (place, basis) in self.among(at.passed.left(self.all())) {
            if at.layer.room(basis) < floor {
                at.passed.closed |= 1 << place;
                continue;
            }
            let Some(least) = at.layer.least(basis, &needs) else {
                continue;
            };
            let bits = at.layer.least_bits(basis, least);
            match self.cost(at, (basis, bits), (operand, Keys::Unknown)) {
                Some(cost) => bounded.push(Bounded {
                    score: self.request.objective.score(cost),
                    site,
                    basis,
                    place,
                    least,
                    closes: at.layer.closes(basis, least, floor),
                }),
                None => at.passed.closed |= 1 << place,
            }
        }
    }

    /// Every number of plaintext windows that is tried; a square has no weights to cut.
    pub(super) fn windows(&self, shape: &LinearShape) -> impl Iterator<Item = usize> + use<P> {
        let (only, most) = match shape {
            LinearShape::Square { .. } => (None, 1),
            LinearShape::Fc { .. } | LinearShape::Conv(_) => {
                (self.request.limits.windows, MAX_WINDOWS)
            }
        };
        (1..=most).filter(move |windows| only.is_none_or(|only| only == *windows))
    }

    /// The set of all bases.
    const fn all(&self) -> u64 {
        (1 << self.bases.len()) - 1
    }

    /// The bases of a set, with their places.
    fn among(&self, set: u64) -> impl Iterator<Item = (usize, Basis)> {
        let rest = |set: &u64| Some(set & (set - 1)).filter(|rest| *rest != 0);
        let sets = std::iter::successors(Some(set).filter(|set| *set != 0), rest);
        sets.filter_map(|set| {
            let place = set.trailing_zeros() as usize;
            Some((place, *self.bases.get(place)?))
        })
    }

    /// What a layer costs with moduli of so many bits; `None` without a price.
    pub(super) fn cost(
        &self,
        at: &Site,
        sent: (Basis, SentBits),
        read: (Origin, Keys<'_>),
    ) -> Option<LayerCost> {
        let work = at.packed()?.work(at.layer.windows, sent, read);
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
            Modulus::Own(rule, largest) => (n <= largest).then(|| self.prime(rule, n))?,
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
}
