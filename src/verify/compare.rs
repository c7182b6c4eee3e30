//! Sets a session beside its prediction.

use super::outcome::{
    Measured, PeakMemory, PredictionError, Verification, VerifiedAct, VerifiedCircuits,
    VerifiedLayer, VerifiedSetup, VerifiedTotal,
};
use super::session::Run;
use super::summary::summaries;
use crate::predict::{Prediction, PriceError, PriceList};
use crate::protocol::{Action, Link, Party, Phase, Script};
use crate::units::Nanos;

/// The verification of `prediction` of a script by `run`; `expected` is the plain result.
pub fn compare(
    prediction: Prediction,
    script: &Script,
    run: &Run,
    expected: &[i64],
) -> Verification {
    let mut layers = Vec::new();
    for (step, predicted) in prediction.layers.into_iter().enumerate() {
        let (measured, spread) = run.tally.step(script, step);
        let error = error(predicted.seconds.total, predicted.bytes.total, &measured);
        layers.push(VerifiedLayer {
            predicted,
            measured,
            spread,
            error,
        });
    }
    let (measured, spread) = run.tally.total(script);
    let predicted = prediction.total;
    let error = error(predicted.seconds.total, predicted.bytes.total, &measured);
    let summary = summaries(&layers);
    let setup = run.tally.setup(script);
    let [client, server] = run.peak_memory;
    Verification {
        network: prediction.network,
        protocol: prediction.protocol,
        calibration: prediction.calibration,
        link: prediction.link,
        circuits: VerifiedCircuits {
            predicted: prediction.circuits,
            measured_stored: run.stored,
        },
        layers,
        setup: VerifiedSetup {
            seconds: prediction.setup.seconds,
            bytes: prediction.setup.bytes,
            measured_seconds: setup.seconds.total,
            measured_bytes: setup.bytes.total,
        },
        total: VerifiedTotal {
            predicted,
            measured,
            spread,
            error,
        },
        inferences: run.results.len(),
        acts: Vec::new(),
        summary,
        peak_memory: PeakMemory { client, server },
        output_equal: !run.results.is_empty() && run.results.iter().all(|r| r == expected),
    }
}

/// The only layer of a network, beside its prediction; computation by its thread's time on a processor.
/// `None` where a result is not the plain one.
pub fn compare_layer(
    prediction: Prediction,
    script: &Script,
    run: &Run,
    expected: &[i64],
) -> Option<VerifiedLayer> {
    let verification = compare(prediction, script, run, expected);
    let holds = verification.holds();
    let mut layer = verification.layers.into_iter().next().filter(|_| holds)?;
    layer.spread = run.tally.on_processor(script);
    let measured = &mut layer.measured;
    measured.seconds.total = layer.spread.median;
    let predicted = &layer.predicted;
    layer.error = error(predicted.seconds.total, predicted.bytes.total, measured);
    Some(layer)
}

/// Where the time went: each kind of act of each layer, predicted and measured.
///
/// # Errors
/// The profile lacks a price.
pub fn acts(
    script: &Script,
    run: &Run,
    prices: &PriceList,
    link: &Link,
) -> Result<Vec<VerifiedAct>, PriceError> {
    let mut acts: Vec<VerifiedAct> = Vec::new();
    let mut keys = Vec::new();
    for action in &script.actions {
        let computation = action.tasks.iter().map(|task| prices.task(task));
        let computation = computation.sum::<Result<Nanos, _>>()?;
        let transfer = action.transfer_time(link);
        let of = key(action);
        let known = keys.iter().rposition(|known| *known == of);
        let at = known.unwrap_or_else(|| {
            acts.push(begun(script, run, action));
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

/// What tells one kind of act from another: layer, phase, party, and the act's name without its numbers.
type Key = (Option<usize>, Phase, Party, String);

fn key(action: &Action) -> Key {
    let name = format!("{:?}", action.act);
    let name = name.split('(').next().unwrap_or_default();
    (action.step, action.phase, action.party, name.to_owned())
}

/// A kind of act with what was measured, and nothing predicted yet.
fn begun(script: &Script, run: &Run, action: &Action) -> VerifiedAct {
    let of = key(action);
    let measured = run.tally.median(script, |other| key(other) == of);
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

fn error(seconds: f64, bytes: u64, measured: &Measured) -> PredictionError {
    let taken = measured.seconds.total;
    PredictionError {
        seconds: if taken > 0.0 {
            (seconds - taken) / taken
        } else {
            0.0
        },
        bytes: bytes as i64 - measured.bytes.total as i64,
    }
}

impl Verification {
    /// Whether the answer is right and every predicted byte was sent, and no other, and as many waited.
    pub fn holds(&self) -> bool {
        let stored = self.circuits.measured_stored == self.circuits.predicted.stored;
        let setup = self.setup.bytes == self.setup.measured_bytes;
        self.output_equal
            && setup
            && stored
            && self.layers.iter().all(|layer| layer.error.bytes == 0)
    }
}
