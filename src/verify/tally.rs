//! What the actions of a session took, summed up by layer and by act; of several inferences, the median.
//!
//! Sums over the actions of one inference come first, then the median over the inferences: the middle one of
//! the sorted totals, the mean of the two middle ones of an even number. The first inference counts like
//! the others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outcome::Measured;
use crate::calibrate::{OwnPace, Taken};
use crate::predict::{BytesSplit, SecondsSplit};
use crate::protocol::{Action, Party, Phase, Script};
use crate::units::Nanos;

/// What one action took in one inference.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// Index of the action in its script.
    pub action: usize,
    /// Which inference.
    pub inference: usize,
    /// Its computation.
    pub taken: Taken,
    /// Its message's time on the link.
    pub link: Nanos,
    /// How long the client waited for its message.
    pub waited: Nanos,
    /// Bytes that moved.
    pub bytes: u64,
    /// What its party's wait before it for a processor that is not shared delayed.
    pub delay: Nanos,
    /// The slower of the processor's paces before and after it; `None` where its party told none.
    pub pace: Option<Nanos>,
    /// Its party's usual pace at the end of its inference.
    pub usual: Option<Nanos>,
}

impl Cost {
    pub(super) fn of(action: usize, inference: usize) -> Self {
        Self {
            action,
            inference,
            ..Self::default()
        }
    }
}

/// What all actions of a session took.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Action by action.
    pub costs: Vec<Cost>,
}

/// Least, middle and greatest of the inferences' seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Least.
    pub least: f64,
    /// Median.
    pub median: f64,
    /// Greatest.
    pub greatest: f64,
}

impl Spread {
    /// Of some values; zeros of none.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            at(half)
        } else {
            f64::midpoint(at(half.saturating_sub(1)), at(half))
        };
        Self {
            least: at(0),
            median,
            greatest: at(sorted.len().saturating_sub(1)),
        }
    }
}

/// The paces that a session is judged by, where they are known: of a processor of one's own, for each party, and of the
/// prediction.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Paces {
    /// The client's.
    pub client: Option<OwnPace>,
    /// The server's.
    pub server: Option<OwnPace>,
    /// The usual pace that the prediction's times are of.
    pub usual: Option<Nanos>,
}

impl Paces {
    /// The quicker ones of both parties; the prediction is one.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let quicker = |a: Option<OwnPace>, b: Option<OwnPace>| {
            a.into_iter().chain(b).reduce(OwnPace::quicker)
        };
        Self {
            client: quicker(self.client, other.client),
            server: quicker(self.server, other.server),
            usual: self.usual.or(other.usual),
        }
    }

    const fn own(self, action: &Action) -> Option<OwnPace> {
        match action.party {
            Party::Client => self.client,
            Party::Server => self.server,
        }
    }

    /// Whether an action's processor was shared with others, as far as is known.
    fn shared(self, action: &Action, cost: &Cost) -> bool {
        let known = self.own(action).zip(cost.pace);
        known.is_some_and(|(own, pace)| !own.undisturbed(pace))
    }

    /// How much longer an action took for the clock, as far as is known.
    fn slowing(self, action: &Action, cost: &Cost) -> f64 {
        let known = self.own(action).zip(cost.usual).zip(self.usual);
        known.map_or(1.0, |((own, at), usual)| own.slowing(at, usual))
    }
}

/// The medians by either clock.
fn middle_of(times: impl Iterator<Item = Taken>) -> Taken {
    let (wall, cpu): (Vec<f64>, Vec<f64>) = times.map(|t| (t.wall.0, t.cpu.0)).unzip();
    let [wall, cpu] = [wall, cpu].map(|times| Nanos(Spread::of(&times).median));
    Taken { wall, cpu }
}

impl Tally {
    /// The same at the usual pace that the prediction is of, without the times in which a party's processor was shared: in
    /// their place stands the median of the same action in the other inferences; where there are none, its time in that of
    /// the quickest pace.
    pub fn undisturbed(&self, script: &Script, paces: Paces) -> Self {
        let shared = |cost: &Cost| paces.shared(&script.actions[cost.action], cost);
        let at_usual = |cost: &Cost| {
            let rate = 1.0 / paces.slowing(&script.actions[cost.action], cost);
            let Taken { wall, cpu } = cost.taken;
            let (wall, cpu) = (wall * rate, cpu * rate);
            let taken = Taken { wall, cpu };
            Cost { taken, ..*cost }
        };
        let costs: Vec<Cost> = self.costs.iter().map(at_usual).collect();
        let mut all: BTreeMap<usize, Vec<&Cost>> = BTreeMap::new();
        for cost in &costs {
            all.entry(cost.action).or_default().push(cost);
        }
        let own = |costs: &mut Vec<&Cost>| {
            let pace = |cost: &Cost| cost.pace.unwrap_or_default().0;
            costs.sort_by(|a, b| pace(a).total_cmp(&pace(b)));
            let own = costs.partition_point(|cost| !shared(cost));
            middle_of(costs.iter().take(own.max(1)).map(|cost| cost.taken))
        };
        let own: BTreeMap<usize, Taken> = all
            .iter_mut()
            .map(|(at, costs)| (*at, own(costs)))
            .collect();
        let in_place = |cost: &Cost| match own.get(&cost.action) {
            Some(&taken) if shared(cost) => Cost { taken, ..*cost },
            _ => *cost,
        };
        Self {
            costs: costs.iter().map(in_place).collect(),
        }
    }

    /// Share of the time of a step's actions, or of all, in which the processor was not shared.
    pub fn undisturbed_share(&self, script: &Script, paces: Paces, step: Option<usize>) -> f64 {
        self.weighted(script, step, |action, cost| {
            f64::from(u8::from(!paces.shared(action, cost)))
        })
    }

    /// How much longer the computation of a step's actions, or of all, took for the clock.
    pub fn slowing(&self, script: &Script, paces: Paces, step: Option<usize>) -> f64 {
        1.0 / self.weighted(script, step, |action, cost| {
            1.0 / paces.slowing(action, cost)
        })
    }

    /// The mean of a measure over a step's actions, or all, by the time that each computed; 1 of none.
    fn weighted(
        &self,
        script: &Script,
        step: Option<usize>,
        of: impl Fn(&Action, &Cost) -> f64,
    ) -> f64 {
        let (mut sum, mut all) = (0.0, 0.0);
        for cost in &self.costs {
            let action = &script.actions[cost.action];
            if in_setup(action) || step.is_some_and(|step| action.step != Some(step)) {
                continue;
            }
            all += cost.taken.wall.0;
            sum += cost.taken.wall.0 * of(action, cost);
        }
        if all > 0.0 { sum / all } else { 1.0 }
    }

    /// What the actions chosen took, in each inference.
    fn each(&self, script: &Script, chosen: impl Fn(&Action) -> bool) -> Vec<Measured> {
        let last = self.costs.iter().map(|cost| cost.inference).max();
        let mut sums = vec![Measured::default(); last.map_or(0, |last| last + 1)];
        for cost in &self.costs {
            let action = &script.actions[cost.action];
            if chosen(action) {
                sums[cost.inference].add(action, cost);
            }
        }
        sums
    }

    /// Of the set-up.
    pub fn setup(&self, script: &Script) -> Measured {
        let sums = self.each(script, in_setup);
        sums.into_iter().next().unwrap_or_default()
    }

    /// Of a step, the median, and how far the inferences lie apart.
    pub fn step(&self, script: &Script, step: usize) -> (Measured, Spread) {
        middle(self.each(script, |a| !in_setup(a) && a.step == Some(step)))
    }

    /// Of all steps together, the median, and how far the inferences lie apart.
    pub fn total(&self, script: &Script) -> (Measured, Spread) {
        middle(self.each(script, |action| !in_setup(action)))
    }

    /// Of all steps together: both parties' computation on a processor.
    pub fn on_processor(&self, script: &Script) -> Spread {
        let each = self.each(script, |action| !in_setup(action));
        let seconds = each.iter().map(|m| m.client_cpu + m.server_cpu);
        Spread::of(&seconds.collect::<Vec<_>>())
    }

    /// Of some actions of one phase, the median; those of the set-up are carried out once.
    pub fn median(
        &self,
        script: &Script,
        phase: Phase,
        chosen: impl Fn(&Action) -> bool,
    ) -> Measured {
        let mut each = self.each(script, |a| a.phase == phase && chosen(a));
        if phase == Phase::Setup {
            each.truncate(1);
        }
        middle(each).0
    }
}

/// Whether an action stands outside the totals.
fn in_setup(action: &Action) -> bool {
    action.phase == Phase::Setup || action.step.is_none()
}

/// Field by field the median.
fn middle(all: Vec<Measured>) -> (Measured, Spread) {
    let of = |field: fn(&Measured) -> f64| {
        let values: Vec<f64> = all.iter().map(field).collect();
        Spread::of(&values)
    };
    let median = |field| of(field).median;
    let seconds = SecondsSplit {
        offline: median(|m| m.seconds.offline),
        online: median(|m| m.seconds.online),
        client: median(|m| m.seconds.client),
        server: median(|m| m.seconds.server),
        link: median(|m| m.seconds.link),
        total: median(|m| m.seconds.total),
    };
    let measured = Measured {
        seconds,
        client_cpu: median(|m| m.client_cpu),
        server_cpu: median(|m| m.server_cpu),
        bytes: all.last().map_or_else(BytesSplit::default, |m| m.bytes),
    };
    (measured, of(|m| m.seconds.total))
}

impl Measured {
    fn add(&mut self, action: &Action, cost: &Cost) {
        let (party, phase) = (action.party, action.phase);
        let (computation, link) = (cost.taken.wall.seconds(), cost.link.seconds());
        let split = SecondsSplit::of(party, phase, computation, link);
        self.seconds.add(&split);
        match party {
            Party::Client => self.client_cpu += cost.taken.cpu.seconds(),
            Party::Server => self.server_cpu += cost.taken.cpu.seconds(),
        }
        self.bytes.add(&BytesSplit::of(party, phase, cost.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_least_middle_and_greatest() {
        let spread = |values: &[f64]| {
            let Spread {
                least,
                median,
                greatest,
            } = Spread::of(values);
            [least, median, greatest]
        };
        assert_eq!(spread(&[3.0, 1.0, 2.0]), [1.0, 2.0, 3.0]);
        assert_eq!(spread(&[4.0, 1.0]), [1.0, 2.5, 4.0]);
        assert_eq!(spread(&[7.0]), [7.0; 3]);
        assert_eq!(spread(&[]), [0.0; 3]);
    }
}
