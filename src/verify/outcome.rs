//! What a verification says: the prediction, the measurement beside it, and whether the answer is right.
//!
//! These are the types behind `nass verify --format json`: each layer's prediction with `measured`
//! and `error` fields beside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::summary::Summary;
use super::tally::Spread;
use crate::predict::{
    BytesSplit, CircuitsReport, LayerPrediction, LinkReport, PredictionTotal, SecondsSplit,
    StoredBytes,
};
use crate::protocol::{Party, Phase};

/// Seconds and bytes that were measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Seconds by phase and party.
    pub seconds: SecondsSplit,
    /// Seconds of the client's computing thread on a processor.
    #[serde(default)]
    pub client_cpu: f64,
    /// Seconds of the server's computing thread on a processor.
    #[serde(default)]
    pub server_cpu: f64,
    /// Bytes by phase and direction, as the channel counted them.
    pub bytes: BytesSplit,
}

/// Predicted against measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PredictionError {
    /// (predicted − measured) / measured of the seconds judged by; 0 where nothing was measured.
    pub seconds: f64,
    /// predicted − measured of the total bytes.
    pub bytes: i64,
}

/// The seconds that a prediction is judged by: of a network and its layers the whole by the wall clock; of a
/// layer run alone the computation of both parties, on a processor, without the link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Predicted.
    pub predicted: f64,
    /// Measured: the median of the inferences.
    pub measured: f64,
}

/// The measurement once more at the pace that the profile was measured at, with the times in which a party's processor was
/// shared replaced: of each action by the median of the inferences in which it was not; where there are none, by that
/// of the quickest pace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Undisturbed {
    /// Measured seconds, of those that the prediction is judged by.
    pub measured: f64,
    /// (predicted − measured) / measured.
    pub error: f64,
    /// Share of the measured time in which the processor was not shared.
    pub share: f64,
    /// Times the profile's pace that the clock's was: what was computed took so much longer for it.
    #[serde(default = "as_long")]
    pub slowing: f64,
}

const fn as_long() -> f64 {
    1.0
}

/// One layer, predicted and measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifiedLayer {
    /// What was predicted.
    #[serde(flatten)]
    pub predicted: LayerPrediction,
    /// What was measured.
    pub measured: Measured,
    /// By what the prediction is judged.
    #[serde(default)]
    pub judged: Judged,
    /// How far the inferences lie apart in that.
    #[serde(default)]
    pub spread: Spread,
    /// The difference.
    pub error: PredictionError,
    /// The same of an undisturbed processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undisturbed: Option<Undisturbed>,
}

/// The whole network, predicted and measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifiedTotal {
    /// What was predicted.
    #[serde(flatten)]
    pub predicted: PredictionTotal,
    /// What was measured.
    pub measured: Measured,
    /// How far the inferences lie apart.
    #[serde(default)]
    pub spread: Spread,
    /// The difference.
    pub error: PredictionError,
    /// The same of an undisturbed processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undisturbed: Option<Undisturbed>,
}

/// One kind of act of a layer: what all of them took in an inference of an undisturbed processor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifiedAct {
    /// The layer; empty for acts that serve all.
    pub layer: String,
    /// `setup`, `offline` or `online`.
    pub phase: Phase,
    /// Who.
    pub party: Party,
    /// What.
    pub act: String,
    /// How often.
    pub count: u64,
    /// Predicted seconds of computation.
    pub computation: f64,
    /// Measured ones, by the wall clock, of an undisturbed processor.
    pub measured: f64,
    /// Measured ones, on a processor, likewise.
    pub cpu: f64,
    /// Predicted seconds of their messages on the link.
    pub link: f64,
    /// Measured ones.
    pub measured_link: f64,
    /// Bytes of their messages.
    pub bytes: u64,
}

/// Most memory that each process has had, in bytes; 0 where unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeakMemory {
    /// The client's.
    pub client: u64,
    /// The server's.
    pub server: u64,
}

/// Set-up, predicted and measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VerifiedSetup {
    /// Predicted seconds.
    pub seconds: f64,
    /// Predicted bytes.
    pub bytes: u64,
    /// Measured seconds.
    pub measured_seconds: f64,
    /// Measured bytes.
    pub measured_bytes: u64,
}

/// How circuits were garbled, and what waited of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedCircuits {
    /// What was predicted.
    #[serde(flatten)]
    pub predicted: CircuitsReport,
    /// Bytes that did wait, in memory or in a store.
    pub measured_stored: StoredBytes,
}

/// A network run for real between two parties, beside its prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Name of the network.
    pub network: String,
    /// Protocol, `gazelle`.
    pub protocol: String,
    /// Which profile priced the prediction.
    pub calibration: String,
    /// Which link was used.
    pub link: LinkReport,
    /// How circuits were garbled.
    pub circuits: VerifiedCircuits,
    /// Layer by layer.
    pub layers: Vec<VerifiedLayer>,
    /// Once a session, outside the totals.
    pub setup: VerifiedSetup,
    /// Totals.
    pub total: VerifiedTotal,
    /// How many inferences were run; times are their medians.
    #[serde(default)]
    pub inferences: usize,
    /// Where the time went, act by act.
    #[serde(default)]
    pub acts: Vec<VerifiedAct>,
    /// Most memory of both processes.
    #[serde(default)]
    pub peak_memory: PeakMemory,
    /// How well the layers of some length were predicted, by kind.
    #[serde(default)]
    pub summary: BTreeMap<String, Summary>,
    /// The same of an undisturbed processor.
    #[serde(default)]
    pub summary_undisturbed: BTreeMap<String, Summary>,
    /// Whether the opened result equals plaintext inference, value by value.
    pub output_equal: bool,
}

/// Layers of random shapes, each run as a network of its own and judged by its computation on a processor:
/// the bandwidth of a loopback is another one from minute to minute, and no property of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifiedLayers {
    /// Which profile priced the predictions.
    pub calibration: String,
    /// Which link was used.
    pub link: LinkReport,
    /// How circuits were garbled; what waits stands with each layer.
    pub circuits: CircuitsReport,
    /// Seed of the shapes.
    pub seed: u64,
    /// How often each layer was run; times are the medians.
    pub inferences: usize,
    /// Layer by layer.
    pub random_layers: Vec<VerifiedLayer>,
    /// Where their time went, layer by layer and act by act.
    #[serde(default)]
    pub acts: Vec<VerifiedAct>,
    /// How well they were predicted, by kind.
    pub summary: BTreeMap<String, Summary>,
    /// The same of an undisturbed processor.
    #[serde(default)]
    pub summary_undisturbed: BTreeMap<String, Summary>,
    /// Most memory of both processes.
    pub peak_memory: PeakMemory,
    /// Whether every result equals plaintext inference and every byte was foretold.
    pub all_equal: bool,
}
