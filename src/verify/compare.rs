//! Sets a session beside its prediction.

use super::outcome::{
    Judged, Measured, PeakMemory, PredictionError, Undisturbed, Verification, VerifiedCircuits,
    VerifiedLayer, VerifiedSetup, VerifiedTotal,
};
use super::session::Run;
use super::summary::both_summaries;
use super::tally::{Paces, Spread};
use crate::predict::Prediction;
use crate::protocol::Script;

/// The verification of `prediction` of a script by `run`; `expected` is the plain result, `paces` tell when a processor
/// was shared.
pub fn compare(
    prediction: Prediction,
    script: &Script,
    run: &Run,
    paces: Paces,
    expected: &[i64],
) -> Verification {
    let own = run.tally.undisturbed(script, paces);
    let conditions = |step| conditions(run, script, paces, step);
    let mut layers = Vec::new();
    for (step, predicted) in prediction.layers.into_iter().enumerate() {
        let (measured, spread) = run.tally.step(script, step);
        let judged = Judged {
            predicted: predicted.seconds.total,
            measured: spread.median,
        };
        layers.push(VerifiedLayer {
            error: error(judged, predicted.bytes.total, &measured),
            undisturbed: undisturbed(judged, own.step(script, step).1, conditions(Some(step))),
            predicted,
            measured,
            judged,
            spread,
        });
    }
    let (measured, spread) = run.tally.total(script);
    let predicted = prediction.total;
    let judged = Judged {
        predicted: predicted.seconds.total,
        measured: spread.median,
    };
    let error = error(judged, predicted.bytes.total, &measured);
    let undisturbed = undisturbed(judged, own.total(script).1, conditions(None));
    let [summary, summary_undisturbed] = both_summaries(&layers);
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
            undisturbed,
        },
        inferences: run.results.len(),
        acts: Vec::new(),
        summary,
        summary_undisturbed,
        peak_memory: PeakMemory { client, server },
        output_equal: !run.results.is_empty() && run.results.iter().all(|r| r == expected),
    }
}

/// The only layer of a network, beside its prediction, judged by its computation on a processor.
/// `None` where a result is not the plain one.
pub fn compare_layer(
    prediction: Prediction,
    script: &Script,
    run: &Run,
    paces: Paces,
    expected: &[i64],
) -> Option<VerifiedLayer> {
    let verification = compare(prediction, script, run, paces, expected);
    let holds = verification.holds();
    let mut layer = verification.layers.into_iter().next().filter(|_| holds)?;
    layer.spread = run.tally.on_processor(script);
    let predicted = &layer.predicted;
    layer.judged = Judged {
        predicted: predicted.seconds.client + predicted.seconds.server,
        measured: layer.spread.median,
    };
    layer.error = error(layer.judged, predicted.bytes.total, &layer.measured);
    let own = run.tally.undisturbed(script, paces).on_processor(script);
    let conditions = conditions(run, script, paces, None);
    layer.undisturbed = undisturbed(layer.judged, own, conditions);
    Some(layer)
}

fn error(judged: Judged, bytes: u64, measured: &Measured) -> PredictionError {
    PredictionError {
        seconds: relative(judged.predicted, judged.measured),
        bytes: bytes as i64 - measured.bytes.total as i64,
    }
}

/// The share of a step's time, or of all, in which processors were not shared, and how much longer it took for the clock.
fn conditions(run: &Run, script: &Script, paces: Paces, step: Option<usize>) -> [f64; 2] {
    let share = run.tally.undisturbed_share(script, paces, step);
    [share, run.tally.slowing(script, paces, step)]
}

fn undisturbed(judged: Judged, own: Spread, conditions: [f64; 2]) -> Option<Undisturbed> {
    let [share, slowing] = conditions;
    let measured = own.median;
    let error = relative(judged.predicted, measured);
    Some(Undisturbed {
        measured,
        error,
        share,
        slowing,
    })
}

fn relative(told: f64, taken: f64) -> f64 {
    if taken > 0.0 {
        (told - taken) / taken
    } else {
        0.0
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
