//! What is asked of the parameters: security, failure, flooding, size of p, what is to be cheap, limits.

use serde::{Deserialize, Serialize};

use super::error::ParamsError;
use super::plaintext::PlaintextBound;
use super::widths::{KeySwitching, Widths};
use crate::security::Requirement;
use crate::units::{Bytes, Nanos};

/// Ring degrees that are tried.
pub const RING_DEGREES: [usize; 5] = [2048, 4096, 8192, 16_384, 32_768];

/// What is asked of the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Security.
    pub requirement: Requirement,
    /// log2 of the failure probability allowed per inference.
    pub failure_log2: f64,
    /// Statistical bits by which replies hide the weights: a layer's reply is within 2^−this of one that knows
    /// nothing of them; 0 (as in the papers): no flooding.
    pub flooding_bits: u32,
    /// How large p must be.
    pub p_bound: PlaintextBound,
    /// What is to be cheap.
    #[serde(default)]
    pub objective: Objective,
    /// What may not be chosen.
    #[serde(default)]
    pub limits: Limits,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            requirement: Requirement::default(),
            failure_log2: -40.0,
            flooding_bits: 40,
            p_bound: PlaintextBound::Exact,
            objective: Objective::Time,
            limits: Limits::default(),
        }
    }
}

/// What is to be cheap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Time, both parties and the link.
    #[default]
    Time,
    /// Bytes, both directions.
    Bytes,
    /// Time, plus this many seconds for each megabyte (10⁶ bytes).
    Weighted(f64),
}

impl Objective {
    /// # Errors
    /// [`ParamsError::Objective`]: a weight that is negative or no finite number.
    pub(super) fn check(self) -> Result<(), ParamsError> {
        match self {
            Self::Weighted(weight) if !(weight.is_finite() && weight >= 0.0) => {
                Err(ParamsError::Objective { weight })
            }
            Self::Time | Self::Bytes | Self::Weighted(_) => Ok(()),
        }
    }

    /// What is compared: first the objective, then the other of time (ns) and bytes.
    pub(super) fn score(self, cost: LayerCost) -> [f64; 2] {
        let (time, bytes) = (cost.time.0, cost.bytes.0 as f64);
        match self {
            Self::Time => [time, bytes],
            Self::Bytes => [bytes, time],
            // A second a megabyte is 1000 ns a byte.
            Self::Weighted(weight) => [time + 1e3 * weight * bytes, time],
        }
    }
}

/// What a layer costs online: both parties, the link.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LayerCost {
    /// Computation of both parties and transfer.
    pub time: Nanos,
    /// Ciphertexts, both directions.
    pub bytes: Bytes,
}

/// What may not be chosen; by default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Least and greatest ring degree.
    pub degrees: (usize, usize),
    /// Least and greatest width of q, in bits.
    pub q_bits: (u32, u32),
    /// Limbs of q, if prescribed.
    #[serde(default)]
    pub limbs: Option<usize>,
    /// Plaintext windows, if prescribed: 1 is none.
    #[serde(default)]
    pub windows: Option<usize>,
    /// Key switching, if prescribed.
    pub switching: Option<KeySwitching>,
    /// Widths of all moduli, if prescribed: those of q, that of a special prime.
    pub widths: Option<(Widths, u32)>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            degrees: (0, usize::MAX),
            q_bits: (0, u32::MAX),
            limbs: None,
            windows: None,
            switching: None,
            widths: None,
        }
    }
}
