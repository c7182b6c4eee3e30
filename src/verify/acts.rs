//! Where the time of a session went, act by act, predicted and measured.

use super::outcome::VerifiedAct;
use super::tally::Tally;
use crate::predict::{Computed, PriceError, PriceList};
use crate::protocol::{Action, Link, Party, Phase, Script, TransferTimes};

/// Where the time went: each kind of act of each layer, predicted and measured.
///
/// # Errors
/// The profile lacks a price.
pub fn acts(
    script: &Script,
    tally: &Tally,
    prices: &PriceList,
    link: &Link,
) -> Result<Vec<VerifiedAct>, PriceError> {
    let mut acts: Vec<VerifiedAct> = Vec::new();
    let mut keys = Vec::new();
    let mut transfers = TransferTimes::new(link);
    let computed = Computed::of(script, prices);
    for action in &script.actions {
        let computation = computed.time(action)?;
        let transfer = transfers.of(action, computation);
        let of = key(action);
        let known = keys.iter().rposition(|known| *known == of);
        let at = known.unwrap_or_else(|| {
            acts.push(begun(script, tally, action));
            keys.push(of);
            keys.len() - 1
        });
        if let Some(act) = acts.get_mut(at) {
            act.count += 1;
            act.computation += computation.seconds();
            act.link += transfer.seconds();
        }
    }
    Ok(acts)
}

impl VerifiedAct {
    /// Adds another act of the same kind to this one.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.computation += other.computation;
        self.measured += other.measured;
        self.cpu += other.cpu;
        self.link += other.link;
        self.measured_link += other.measured_link;
        self.bytes += other.bytes;
    }
}

/// What tells one kind of act from another: layer, phase, party, and the act's name without its numbers.
type Key = (Option<usize>, Phase, Party, String);

fn key(action: &Action) -> Key {
    let name = format!("{:?}", action.act);
    let name = name.split('(').next().unwrap_or_default();
    (action.step, action.phase, action.party, name.to_owned())
}

/// A kind of act with what was measured, and nothing predicted yet.
fn begun(script: &Script, tally: &Tally, action: &Action) -> VerifiedAct {
    let of = key(action);
    let measured = tally.median(script, action.phase, |other| key(other) == of);
    let step = action.step.and_then(|step| script.network.steps.get(step));
    VerifiedAct {
        layer: step.map_or_else(String::new, |step| step.name.clone()),
        phase: action.phase,
        party: action.party,
        act: of.3,
        count: 0,
        computation: 0.0,
        measured: measured.seconds.client + measured.seconds.server,
        cpu: measured.client_cpu + measured.server_cpu,
        link: 0.0,
        measured_link: measured.seconds.link,
        bytes: measured.bytes.total,
    }
}
