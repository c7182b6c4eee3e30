//! The two things a search asks of the outside world: what a network costs, and how accurate it is.
//!
//! [`CostModel`] stands for the cryptographic estimator and [`AccuracyModel`] for the machine
//! learning estimator of NASS (Bian et al. 2020, section 3.3). Both must answer the same question
//! with the same answer every time: a resumed study relies on it. Trained weights are bytes that
//! only the accuracy model reads.

use std::error::Error;

use serde::{Deserialize, Serialize};

use crate::network::NetworkParams;

/// An error of a model, of any type.
pub type ModelError = Box<dyn Error + Send + Sync>;

/// What one inference costs: T and B of the reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Seconds from the client's input to its answer, or whichever total the caller scores.
    pub seconds: f64,
    /// Bytes over the link, both directions.
    pub bytes: u64,
}

/// Why there is no cost.
#[derive(Debug, thiserror::Error)]
pub enum CostError {
    /// This network can't be run (no secure parameters decrypt it, say); the search goes on.
    #[error("the network can't be run: {0}")]
    Infeasible(String),
    /// The model failed; the search ends.
    #[error("{0}")]
    Failed(ModelError),
}

/// Predicts what a network costs.
pub trait CostModel {
    /// The cost of one inference.
    ///
    /// # Errors
    /// [`CostError::Infeasible`] for a network that can't be run, [`CostError::Failed`] otherwise.
    fn cost(&self, network: &NetworkParams) -> Result<Cost, CostError>;
}

/// Trains networks and evaluates them with quantizers.
pub trait AccuracyModel {
    /// Trains the architecture in floating point, from scratch; the quantizers don't matter. The
    /// weights come back as bytes that [`AccuracyModel::quantized_accuracy`] understands.
    ///
    /// # Errors
    /// Whatever stopped the training; the search ends.
    fn train(&mut self, network: &NetworkParams, seed: u64) -> Result<Vec<u8>, ModelError>;

    /// Accuracy, 0 to 1, of the network with its own quantizers applied to `weights`, which were
    /// trained for the same architecture, maybe under other quantizers.
    ///
    /// # Errors
    /// Whatever stopped the evaluation; the search ends.
    fn quantized_accuracy(
        &mut self,
        network: &NetworkParams,
        weights: &[u8],
    ) -> Result<f64, ModelError>;
}
