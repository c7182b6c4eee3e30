//! Selection for a network: for every linear layer and square the cheapest (n, p, q), packing and key switching.
//!
//! In go a [`ResolvedNetwork`], a [`Request`] and [`Prices`]; out comes a [`LayerCrypto`] for each linear
//! step. NASS (section 4.1, figure 4) starts from a p and a guess of q, asks the table for n, samples
//! ciphertexts, enlarges q, and starts again, until both tests pass. Here noise is known in closed form, so
//! the loop is a search (`selector`).
//!
//! All layers of a domain share one p, and p ≡ 1 mod 2n must hold for all their n. A layer that is alone
//! in its domain takes for each n the p of that n. Otherwise the domain is solved for every greatest ring
//! degree N it may use (p ≡ 1 mod 2N serves all n ≤ N), and the cheapest sum wins, the circuits on its shares
//! included (`circuits`). Where a layer is alone, narrower p of smaller rings are weighed against its circuits (`domain_modulus`
//! has both). δ per inference is split evenly over the linear layers.
//!
//! Always true of a result: the table grants the level asked for with special primes counted; failure
//! probabilities add up to at most δ. Set-up (keys, encoding of weights) has no part in the price.

use std::cell::RefCell;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::candidate::Candidate;
use super::chain::PrimePool;
use super::error::ParamsError;
use super::failure::{printable_probability, split};
use super::layer_at::LayerAt;
use super::layer_crypto::LayerCrypto;
use super::noise::{key_switch, worst};
use super::noise_form::NoiseSources;
use super::packed::Packed;
use super::prices::Prices;
use super::reply::{Reply, log2_product};
use super::request::{LayerCost, RING_DEGREES, Request};
use super::selector::{Ask, Chosen, Modulus, Selector, bases};
use super::widths::{KeySwitching, Widths};
use crate::bfv::digit_ranges;
use crate::network::{Origin, ResolvedNetwork};
use crate::packing::LinearShape;
use crate::security::{SecretKind, SecurityError, check, level_reached, max_log_q};

/// Parameters of a network, one entry a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Parameters of the linear steps.
    pub layers: Vec<Option<LayerCrypto>>,
    /// What they cost.
    pub costs: Vec<Option<LayerCost>>,
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
    Selector::new(*request, prices)?.network(network)
}

/// The ring degrees for which the table has the level asked for, and what it allows there.
fn usable_degrees(request: &Request) -> Result<Vec<(usize, u32)>, ParamsError> {
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
    let (least, greatest) = request.limits.degrees;
    let degrees: Vec<_> = RING_DEGREES
        .into_iter()
        .filter(|n| (least..=greatest).contains(n))
        .filter_map(|n| Some((n, max_log_q(&requirement, n)?)))
        .collect();
    if degrees.is_empty() {
        let n = least.max(RING_DEGREES[0]);
        return Err(SecurityError::NotInTable { requirement, n }.into());
    }
    Ok(degrees)
}

/// The linear steps and squares of one domain.
pub(super) struct Group<'a> {
    pub(super) network: &'a ResolvedNetwork,
    pub(super) domain: usize,
    pub(super) steps: Vec<usize>,
    /// Where the operand of each step of the network comes from.
    operands: Rc<[Origin]>,
    /// Bits of log2 of the failure probability allowed for one layer.
    failure_log2: u64,
}

impl<P: Prices> Selector<P> {
    /// A selector for this request.
    ///
    /// # Errors
    /// The request is impossible as such.
    pub fn new(request: Request, prices: P) -> Result<Self, ParamsError> {
        request.objective.check()?;
        let degrees = usable_degrees(&request)?;
        Ok(Self {
            request,
            prices,
            degrees,
            bases: bases(&request.limits),
            pool: PrimePool::default(),
            packings: RefCell::default(),
            primes: RefCell::default(),
            goals: RefCell::default(),
            answers: RefCell::default(),
            refusals: RefCell::default(),
            circuits: RefCell::default(),
        })
    }

    /// The request.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The prices.
    pub const fn prices(&self) -> &P {
        &self.prices
    }

    /// Parameters for every linear step of `network`.
    ///
    /// # Errors
    /// A layer has no parameters: which, which limit is in the way, and by how many bits.
    pub fn network(&self, network: &ResolvedNetwork) -> Result<Selection, ParamsError> {
        let mut selection = Selection {
            layers: vec![None; network.steps.len()],
            costs: vec![None; network.steps.len()],
        };
        for group in groups(network, self.request.failure_log2) {
            self.group(&group, &mut selection)?;
        }
        Ok(selection)
    }

    fn group(&self, group: &Group<'_>, selection: &mut Selection) -> Result<(), ParamsError> {
        let modulus = self.group_modulus(group)?;
        for &index in &group.steps {
            let chosen = self.step(group, index, modulus)?;
            let bound = group.network.domains[group.domain].bound;
            selection.layers[index] = Some(LayerCrypto {
                p_holds_all_values: chosen.crypto.p / 2 >= bound,
                ..chosen.crypto.clone()
            });
            selection.costs[index] = Some(chosen.cost);
        }
        Ok(())
    }

    /// Parameters for the linear steps of one step's domain alone, which share a p, as
    /// [`Selector::network`] gives them; nothing for a step that is not linear.
    ///
    /// # Errors
    /// As [`Selector::network`].
    pub fn domain_of(
        &self,
        network: &ResolvedNetwork,
        step: usize,
    ) -> Result<Selection, ParamsError> {
        let mut selection = Selection {
            layers: vec![None; network.steps.len()],
            costs: vec![None; network.steps.len()],
        };
        let of_step = |group: &Group<'_>| group.steps.contains(&step);
        if let Some(group) = groups(network, self.request.failure_log2).find(of_step) {
            self.group(&group, &mut selection)?;
        }
        Ok(selection)
    }

    /// What was tried for every linear step, the chosen one first, then the others by cost, then what does
    /// not work, the nearest first; empty for other steps.
    ///
    /// # Errors
    /// As [`Selector::network`].
    pub fn explain(&self, network: &ResolvedNetwork) -> Result<Vec<Vec<Candidate>>, ParamsError> {
        let mut candidates = vec![Vec::new(); network.steps.len()];
        for group in groups(network, self.request.failure_log2) {
            let modulus = self.group_modulus(&group)?;
            for &index in &group.steps {
                candidates[index] = self.candidates(&group.ask(index, modulus)?);
            }
        }
        Ok(candidates)
    }

    pub(super) fn step(
        &self,
        group: &Group<'_>,
        index: usize,
        modulus: Modulus,
    ) -> Result<Rc<Chosen>, ParamsError> {
        let ask = group.ask(index, modulus)?;
        let name = &group.network.steps[index].name;
        self.answer(&ask)
            .ok_or_else(|| self.refusal(&ask).named(name))
    }

    /// The parameters of a split that works, with primes of its widths.
    pub(super) fn crypto(
        &self,
        layer: &LayerAt,
        packed: &Packed,
        switching: KeySwitching,
        widths: &Widths,
    ) -> Option<LayerCrypto> {
        let (n, p) = (layer.n, layer.windows.plaintext_modulus());
        let (special_bits, fit) = layer.narrowest_special(widths, switching)?;
        let chain = self.pool.chain((n, p), widths, (switching, special_bits))?;
        let ranges = digit_ranges(&chain.q, &chain.special, chain.digit_bits);
        let (kept, dropped) = chain.q.split_at_checked(widths.kept)?;
        let reply = Reply {
            n,
            p_log2: layer.p_log2,
            kept_log2: log2_product(kept),
            dropped_log2: log2_product(dropped),
            variance: layer.variance(key_switch(n, &ranges, &chain.special)),
        };
        let worst = layer.noise.worst(&NoiseSources {
            input: worst::fresh_secret() + worst::plaintext_added(),
            key_switch: worst::key_switch(n, &ranges, &chain.special),
        });
        let q_bits = log2_product(&chain.q);
        let moduli: Vec<u64> = chain.q.iter().chain(&chain.special).copied().collect();
        let total_bits = log2_product(&moduli);
        let asked = self.request.requirement;
        let security = check(&asked, n, total_bits).ok()?;
        let reached = level_reached(asked.table, asked.attack, asked.secret, n, total_bits);
        let failure_log2 = layer.goal.failure_log2(&reply, fit.flooding_log2);
        Some(LayerCrypto {
            n,
            p,
            p_bits: p.ilog2() + 1,
            p_holds_all_values: true,
            special: chain.special,
            digit_bits: chain.digit_bits,
            schedule: packed.schedule.to_owned(),
            windows: layer.windows.count(),
            q_bits,
            total_bits,
            security_bits: reached.unwrap_or(asked.level),
            security_table: asked.table,
            security,
            failure_probability: printable_probability(failure_log2),
            failure_log2,
            flooding_bits: self.request.flooding_bits,
            flooding_log2: fit.flooding_log2,
            reply_limbs: widths.kept,
            noise_margin_bits: layer.goal.margin_bits(&reply, fit.flooding_log2),
            worst_case_margin_bits: reply.worst_margin_bits(worst, fit.flooding_log2),
            q: chain.q,
        })
    }
}

/// The domains that have linear steps.
pub(super) fn groups(
    network: &ResolvedNetwork,
    failure_log2: f64,
) -> impl Iterator<Item = Group<'_>> {
    let linear = network
        .steps
        .iter()
        .filter(|step| step.kind.is_encrypted())
        .count() as u64;
    let failure_log2 = split(failure_log2, linear).to_bits();
    let operands: Rc<[Origin]> = network.origins().into();
    (0..network.domains.len()).filter_map(move |domain| {
        let of_domain = |index: &usize| {
            let step = &network.steps[*index];
            step.domain == domain && step.kind.is_encrypted()
        };
        let steps: Vec<usize> = (0..network.steps.len()).filter(of_domain).collect();
        (!steps.is_empty()).then_some(Group {
            network,
            domain,
            steps,
            operands: Rc::clone(&operands),
            failure_log2,
        })
    })
}

impl Group<'_> {
    pub(super) fn ask(&self, index: usize, modulus: Modulus) -> Result<Ask, ParamsError> {
        let step = &self.network.steps[index];
        let shape = LinearShape::of_step(step).map_err(|reason| ParamsError::Packing {
            layer: step.name.clone(),
            reason,
        })?;
        Ok(Ask {
            shape,
            operand: self
                .operands
                .get(index)
                .copied()
                .unwrap_or(Origin::Computed),
            modulus,
            failure_log2: self.failure_log2,
        })
    }
}
