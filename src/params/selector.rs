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
use super::layer_at::{Basis, LayerAt, Least};
use super::layer_crypto::LayerCrypto;
use super::packed::Packed;
use super::plaintext::PlaintextRule;
use super::prices::Prices;
use super::reply::ReplyGoal;
use super::request::{LayerCost, Request};
use super::widths::{KeySwitching, MAX_LIMBS, MAX_WINDOWS, Widths};
use crate::packing::{LinearShape, PackingError, Windows};

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

/// A ring with a packing and windows: everything but the moduli.
pub(super) struct Site {
    pub(super) layer: LayerAt,
    packings: Rc<Packings>,
    index: usize,
    /// The bases, a bit each by their place in the list, at which more windows cannot win.
    closed: u64,
}

/// A candidate before its split is searched.
struct Bounded {
    score: [f64; 2],
    site: usize,
    basis: Basis,
    /// Place of the basis in the list.
    place: usize,
    least: Least,
    /// Whether more windows cost no less.
    closes: bool,
}

/// The cheapest that was found.
struct Best {
    score: [f64; 2],
    site: usize,
    basis: Basis,
    widths: Widths,
    cost: LayerCost,
}

impl Site {
    pub(super) fn packed(&self) -> Option<&Packed> {
        self.packings.as_ref().as_ref().ok()?.get(self.index)
    }

    /// The same in more windows, unless all its bases are closed.
    fn windowed(&self, windows: usize, bases: u32) -> Option<Self> {
        if self.closed.count_ones() >= bases {
            return None;
        }
        let windows = Windows::new(self.layer.windows.plaintext_modulus(), windows);
        Some(Self {
            layer: self.layer.windowed(self.packed()?, windows),
            packings: Rc::clone(&self.packings),
            ..*self
        })
    }

    /// More windows with this basis cost more than what was found.
    fn close(&mut self, candidate: &Bounded) {
        self.closed |= u64::from(candidate.closes) << candidate.place;
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
        let (mut sites, mut best): (Vec<Site>, _) = (Vec::with_capacity(16), None);
        let (mut first, bases) = (0, self.bases().count() as u32);
        for windows in self.windows() {
            // Packing takes longest: only rings in which something could win are packed.
            let cut = best
                .as_ref()
                .map_or([f64::INFINITY; 2], |best: &Best| best.score);
            let known: Vec<usize> = sites.iter().map(|at| at.layer.n).collect();
            let last = sites.get(first..).unwrap_or_default();
            let more = last.iter().filter_map(|at| at.windowed(windows, bases));
            let mut next: Vec<Site> = more.collect();
            next.extend(self.sites(ask, windows, |n, p, max_bits| {
                !known.contains(&n) && self.possible((n, p, max_bits), (windows, cut), ask)
            }));
            first = sites.len();
            sites.extend(next);
            self.search(&mut sites, first, &mut best);
        }
        let chosen = best.and_then(|best| {
            let at = sites.get(best.site)?;
            let switching = best.basis.switching;
            let crypto = self.crypto(&at.layer, at.packed()?, switching, &best.widths)?;
            let cost = best.cost;
            Some(Chosen { crypto, cost })
        });
        chosen.ok_or_else(|| Box::new(self.refusal(ask)))
    }

    /// The cheapest of the sites from `first` on, where it is cheaper than what was found before; notes where no
    /// more windows can be.
    fn search(&self, sites: &mut [Site], first: usize, best: &mut Option<Best>) {
        let mut bounded: Vec<Bounded> = Vec::with_capacity(64);
        for (site, at) in sites.iter_mut().enumerate().skip(first) {
            self.bound(site, at, &mut bounded);
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
            let Some(cost) = self.cost(at, basis, at.layer.weight_of(&widths)) else {
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

    /// Whether the least that any packing does decrypts in this ring, is secure and has a price below the cut.
    fn possible(
        &self,
        (n, p, max_bits): (usize, u64, u32),
        (windows, cut): (usize, [f64; 2]),
        ask: &Ask,
    ) -> bool {
        let packed = Packed::least(n);
        let layer = self.layer_at((n, p, max_bits), (&packed, windows), ask);
        let floor = layer.floor();
        let mut bases = self.bases().filter(|&basis| layer.room(basis) >= floor);
        bases.any(|basis| {
            layer.least(basis).is_some_and(|least| {
                let weight = layer.least_weight(basis, least);
                let work = packed.work(layer.windows, basis, weight);
                let score = |time| {
                    let bytes = work.bytes;
                    self.request.objective.score(LayerCost { time, bytes })
                };
                let time = self.prices.layer_cost(&work);
                time.is_some_and(|time| score(time) < cut)
            })
        })
    }

    /// Every ring that is to be kept, with every packing that the layer may have.
    pub(super) fn sites(
        &self,
        ask: &Ask,
        windows: usize,
        keep: impl Fn(usize, u64, u32) -> bool,
    ) -> Vec<Site> {
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
                    layer: self.layer_at((n, p, max_bits), (packed, windows), ask),
                    packings: Rc::clone(&packings),
                    index,
                    closed: 0,
                });
            }
        }
        sites
    }

    fn layer_at(
        &self,
        (n, p, max_bits): (usize, u64, u32),
        (packed, windows): (&Packed, usize),
        ask: &Ask,
    ) -> LayerAt {
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
    fn bound(&self, site: usize, at: &mut Site, bounded: &mut Vec<Bounded>) {
        let floor = at.layer.floor();
        for (place, basis) in self.bases().enumerate() {
            if at.layer.room(basis) < floor {
                at.closed |= 1 << place;
            }
            if at.closed >> place & 1 == 1 {
                continue;
            }
            let Some(least) = at.layer.least(basis) else {
                continue;
            };
            let weight = at.layer.least_weight(basis, least);
            match self.cost(at, basis, weight) {
                Some(cost) => bounded.push(Bounded {
                    score: self.request.objective.score(cost),
                    site,
                    basis,
                    place,
                    least,
                    closes: at.layer.least_weight_beyond(basis, least, floor) >= weight,
                }),
                None => at.closed |= 1 << place,
            }
        }
    }

    /// Every number of plaintext windows that is tried.
    pub(super) fn windows(&self) -> impl Iterator<Item = usize> + use<P> {
        let only = self.request.limits.windows;
        (1..=MAX_WINDOWS).filter(move |windows| only.is_none_or(|only| only == *windows))
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
    pub(super) fn cost(&self, at: &Site, basis: Basis, weight: u64) -> Option<LayerCost> {
        let work = at.packed()?.work(at.layer.windows, basis, weight);
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

    pub(super) fn packings(&self, shape: &LinearShape, n: usize) -> Rc<Packings> {
        let mut packings = self.packings.borrow_mut();
        let packings = packings
            .entry((*shape, n))
            .or_insert_with(|| Rc::new(Packed::all(shape, n)));
        Rc::clone(packings)
    }
}
