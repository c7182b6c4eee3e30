//! What a verification says: the prediction, the measurement beside it, and whether the answer is right.
//!
//! These are the types behind `nass verify --format json`: each layer's prediction with `measured`
//! and `error` fields beside it.

use serde::{Deserialize, Serialize};

use crate::predict::{
    BytesSplit, CircuitsReport, LayerPrediction, LinkReport, PredictionTotal, SecondsSplit,
    StoredBytes,
};

/// Seconds and bytes that were measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Seconds by phase and party.
    pub seconds: SecondsSplit,
    /// Bytes by phase and direction, as the channel counted them.
    pub bytes: BytesSplit,
}

/// Predicted against measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PredictionError {
    /// (predicted − measured) / measured of the total seconds; 0 where nothing was measured.
    pub seconds: f64,
    /// predicted − measured of the total bytes.
    pub bytes: i64,
}

/// One layer, predicted and measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifiedLayer {
    /// What was predicted.
    #[serde(flatten)]
    pub predicted: LayerPrediction,
    /// What was measured.
    pub measured: Measured,
    /// The difference.
    pub error: PredictionError,
}

/// The whole network, predicted and measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifiedTotal {
    /// What was predicted.
    #[serde(flatten)]
    pub predicted: PredictionTotal,
    /// What was measured.
    pub measured: Measured,
    /// The difference.
    pub error: PredictionError,
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
    /// Whether the opened result equals plaintext inference, value by value.
    pub output_equal: bool,
}
