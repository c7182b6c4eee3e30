//! Sets a run beside its prediction.

use super::outcome::{
    Measured, PredictionError, Verification, VerifiedCircuits, VerifiedLayer, VerifiedSetup,
    VerifiedTotal,
};
use super::session::Run;
use crate::predict::Prediction;

/// The verification of `prediction` by `run`; `expected` is the plain result.
pub fn compare(prediction: Prediction, run: &Run, expected: &[i64]) -> Verification {
    let mut total = Measured::default();
    let mut layers = Vec::new();
    for (predicted, measured) in prediction.layers.into_iter().zip(&run.steps) {
        total.seconds.add(&measured.seconds);
        total.bytes.add(&measured.bytes);
        let error = error(predicted.seconds.total, predicted.bytes.total, measured);
        layers.push(VerifiedLayer {
            predicted,
            measured: *measured,
            error,
        });
    }
    let predicted = prediction.total;
    let error = error(predicted.seconds.total, predicted.bytes.total, &total);
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
            measured_seconds: run.setup.seconds.total,
            measured_bytes: run.setup.bytes.total,
        },
        total: VerifiedTotal {
            predicted,
            measured: total,
            error,
        },
        output_equal: run.result == expected,
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
