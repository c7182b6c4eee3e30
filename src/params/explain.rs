//! What was tried for a layer: every candidate with its cost or what ruled it out, and what came nearest where
//! nothing works.

use super::candidate::{Candidate, CandidateVerdict, distance};
use super::layer_at::{Basis, SentBits};
use super::packed::Keys;
use super::prices::Prices;
use super::selector::{Ask, Refusal, Selector};
use super::site::Site;
use super::widths::KeySwitching;

impl<P: Prices> Selector<P> {
    /// What came nearest for a layer that has no parameters; asked for again, a look-up.
    pub(super) fn refusal(&self, ask: &Ask) -> Refusal {
        let mut refusals = self.refusals.borrow_mut();
        let refusal = refusals
            .entry(*ask)
            .or_insert_with(|| self.find_refusal(ask));
        refusal.clone()
    }

    fn find_refusal(&self, ask: &Ask) -> Refusal {
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
        let mut candidates: Vec<Candidate> = self.unpacked(ask);
        for windows in self.windows(&ask.shape) {
            for at in &self.everywhere(windows, ask) {
                let bases = self.bases.iter();
                candidates.extend(bases.map(|&basis| self.candidate(at, basis, ask)));
            }
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
            .least(basis, &at.layer.needs())
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
            windows: at.layer.windows.count(),
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
                windows: 1,
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
