//! The p of a domain: shared by all its layers, or each ring's own where a layer is alone.

use super::error::ParamsError;
use super::plaintext::PlaintextRule;
use super::prices::Prices;
use super::select::Group;
use super::selector::{Chosen, Modulus, Selector};

impl<P: Prices> Selector<P> {
    /// The p under which the steps of a domain are cheapest.
    pub(super) fn group_modulus(&self, group: &Group<'_>) -> Result<Modulus, ParamsError> {
        let rule = PlaintextRule::of_domain(group.network, group.domain, self.request.p_bound);
        let none = || ParamsError::NoPlaintextModulus {
            layer: group.network.steps[group.steps[0]].name.clone(),
            bits: rule.map_or(0, PlaintextRule::least_bits),
        };
        let rule = rule.ok_or_else(none)?;
        let with_primes = self
            .degrees
            .iter()
            .filter_map(|&(n, _)| Some((self.prime(rule, n)?, n)));
        if let ([index], PlaintextRule::Above(_)) = (&group.steps[..], rule) {
            with_primes.clone().next().ok_or_else(none)?;
            return self.own_modulus(group, *index, rule);
        }
        // From the largest N down, so that a p which serves more degrees is tried with all of them.
        let mut shared: Vec<(u64, usize)> = with_primes.rev().collect();
        shared.dedup_by_key(|(p, _)| *p);
        let mut best: Option<(f64, Modulus)> = None;
        for &(p, n) in &shared {
            let modulus = Modulus::Shared(p, n);
            let Some(linear) = self.linear_score(group, modulus)? else {
                continue;
            };
            let total = linear + self.circuits_score(group.network, group.domain, p);
            if best.is_none_or(|(best, _)| total <= best) {
                best = Some((total, modulus));
            }
        }
        if let Some((_, modulus)) = best {
            return Ok(modulus);
        }
        // The error under the largest N, where most is possible, is the one to report.
        let &(p, n) = shared.first().ok_or_else(none)?;
        let largest = Modulus::Shared(p, n);
        for &index in &group.steps {
            self.step(group, index, largest)?;
        }
        Ok(largest)
    }

    /// Objective of a domain's linear steps; `None` if one has no parameters.
    fn linear_score(
        &self,
        group: &Group<'_>,
        modulus: Modulus,
    ) -> Result<Option<f64>, ParamsError> {
        let mut sum = 0.0;
        for &index in &group.steps {
            match self.answer(&group.ask(index, modulus)?) {
                Some(chosen) => sum += self.request.objective.score(chosen.cost)[0],
                None => return Ok(None),
            }
        }
        Ok(Some(sum))
    }

    /// The rings whose own p is cheapest for a layer that is alone in its domain.
    ///
    /// Fewer rings never make the linear layer cheaper, so that a smaller ring is of interest only where its p is
    /// narrower and the circuits save more than what is between the linear layer's cost and the best in all.
    fn own_modulus(
        &self,
        group: &Group<'_>,
        index: usize,
        rule: PlaintextRule,
    ) -> Result<Modulus, ParamsError> {
        let circuits = |p: u64| self.circuits_score(group.network, group.domain, p);
        let told = |chosen: &Chosen| {
            let linear = self.request.objective.score(chosen.cost)[0];
            (linear, chosen.crypto.n, chosen.crypto.p)
        };
        let all = self.step(group, index, Modulus::Own(rule, usize::MAX))?;
        let (mut least, mut ring, p) = told(&all);
        let mut best = (least, p, usize::MAX);
        for &(n, _) in self.degrees.iter().rev() {
            let narrower = |p: &u64| n < ring && p.ilog2() < best.1.ilog2();
            let Some(p) = self.prime(rule, n).filter(narrower) else {
                continue;
            };
            if least + circuits(p) >= best.0 + circuits(best.1) {
                continue;
            }
            let Some(chosen) = self.answer(&group.ask(index, Modulus::Own(rule, n))?) else {
                break;
            };
            let (linear, at, p) = told(&chosen);
            (least, ring) = (linear, at);
            if linear + circuits(p) < best.0 + circuits(best.1) {
                best = (linear, p, n);
            }
        }
        Ok(Modulus::Own(rule, best.2))
    }
}
