//! How a network is trained: plain data that a study stores beside its results.

use serde::{Deserialize, Serialize};

use super::error::TrainError;

/// How gradients become steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// Share of the last step that is kept.
        momentum: f64,
    },
    /// Adam (Kingma and Ba 2015) with β₁ = 0.9, β₂ = 0.999.
    Adam,
}

/// How the learning rate moves over the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It stays.
    Constant,
    /// It falls to 0 along half a cosine.
    Cosine,
}

/// How a network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainSettings {
    /// Passes over the training images.
    pub epochs: u32,
    /// Images a step.
    pub batch: usize,
    /// How gradients become steps.
    pub optimizer: Optimizer,
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// How it moves.
    pub schedule: Schedule,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Training images used, the first ones; all if absent.
    pub images: Option<usize>,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            epochs: 3,
            batch: 64,
            optimizer: Optimizer::Adam,
            learning_rate: 2e-3,
            schedule: Schedule::Cosine,
            weight_decay: 0.0,
            images: None,
        }
    }
}

/// What is known after a pass over the training images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: u32,
    /// Mean cross entropy of its batches, as they were met.
    pub loss: f64,
}

impl TrainSettings {
    /// Holds every setting against its range.
    ///
    /// # Errors
    /// [`TrainError::Setting`] with the first that doesn't fit.
    pub fn check(&self) -> Result<(), TrainError> {
        let at_least_one = "at least 1";
        let refuse = |field, given: String, expected| {
            Err(TrainError::Setting {
                field,
                given,
                expected,
            })
        };
        let rate = self.learning_rate;
        if self.epochs == 0 {
            return refuse("epochs", self.epochs.to_string(), at_least_one);
        }
        if self.batch == 0 {
            return refuse("batch", self.batch.to_string(), at_least_one);
        }
        if self.images == Some(0) {
            return refuse("images", "0".to_owned(), at_least_one);
        }
        if !(rate > 0.0 && rate.is_finite()) {
            return refuse("learning_rate", rate.to_string(), "a number above 0");
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            let given = self.weight_decay.to_string();
            return refuse("weight_decay", given, "a number from 0");
        }
        if let Optimizer::Sgd { momentum } = self.optimizer
            && !(0.0..1.0).contains(&momentum)
        {
            return refuse("momentum", momentum.to_string(), "0 to below 1");
        }
        Ok(())
    }

    /// Learning rate of step `step` of `steps`.
    pub fn rate(&self, step: u64, steps: u64) -> f64 {
        match self.schedule {
            Schedule::Constant => self.learning_rate,
            Schedule::Cosine => {
                let turn = std::f64::consts::PI * step as f64 / steps.max(1) as f64;
                self.learning_rate * 0.5 * (1.0 + libm::cos(turn))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        let refused = |change: fn(&mut TrainSettings)| {
            let mut settings = TrainSettings::default();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert!(TrainSettings::default().check().is_ok());
        assert_eq!(
            refused(|s| s.epochs = 0),
            "epochs is 0; expected at least 1"
        );
        assert_eq!(refused(|s| s.batch = 0), "batch is 0; expected at least 1");
        assert!(refused(|s| s.images = Some(0)).starts_with("images is 0"));
        assert!(refused(|s| s.learning_rate = f64::NAN).starts_with("learning_rate is NaN"));
        assert!(refused(|s| s.weight_decay = -1.0).starts_with("weight_decay is -1"));
        assert!(
            refused(|s| s.optimizer = Optimizer::Sgd { momentum: 1.0 })
                .starts_with("momentum is 1;")
        );
    }

    #[test]
    fn the_cosine_falls_from_the_full_rate_to_none() {
        let settings = TrainSettings::default();
        assert_eq!(settings.rate(0, 10), settings.learning_rate);
        assert!((settings.rate(5, 10) - settings.learning_rate / 2.0).abs() < 1e-12);
        assert!(settings.rate(10, 10) < 1e-12);
        let constant = TrainSettings {
            schedule: Schedule::Constant,
            ..settings
        };
        assert_eq!(constant.rate(9, 10), constant.learning_rate);
    }
}
