//! One episode of a search, as it is stored, shown and exported: plain data with public fields.

use serde::{Deserialize, Serialize};

use super::models::Cost;
use super::switch::Switch;

/// What an episode drew and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// Its number, from 0.
    pub episode: u64,
    /// Its seed, a hash of the study's seed and the number.
    pub seed: u64,
    /// Whether the architecture was drawn anew.
    pub switch: Switch,
    /// What was drawn: for each decision of the space, the index of the chosen option.
    pub decisions: Vec<usize>,
    /// Hash of the architecture (everything but quantizers and name), in hexadecimal.
    pub architecture: String,
    /// The network, as TOML.
    pub network: String,
    /// Whether this episode trained the architecture.
    pub trained: Trained,
    /// What it scored, or why it can't be run.
    pub outcome: Outcome,
    /// R; 0 for a network that can't be run.
    pub reward: f64,
}

/// Where an episode's weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trained {
    /// Trained in this episode.
    Here,
    /// Trained in an earlier episode of the study.
    Before,
    /// Not needed: the network can't be run.
    No,
}

/// What a network scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It can be run.
    Scored {
        /// Quantized accuracy, 0 to 1.
        accuracy: f64,
        /// Predicted cost of one inference.
        cost: Cost,
    },
    /// It can't be run, for this reason.
    Infeasible(String),
}

impl Episode {
    /// Accuracy and cost of a network that can be run.
    pub const fn scores(&self) -> Option<(f64, Cost)> {
        match self.outcome {
            Outcome::Scored { accuracy, cost } => Some((accuracy, cost)),
            Outcome::Infeasible(_) => None,
        }
    }
}
