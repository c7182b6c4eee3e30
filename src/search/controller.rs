//! The controller: an LSTM that learns by REINFORCE which decisions are rewarded.
//!
//! After every m episodes one step of Adam along
//!
//! ```text
//! ∇J(θ) = 1/m Σ_k Σ_τ γ^(t−τ) ∇ log π(a_τ | a_(τ−1) … a_1) (R_k − b)
//! ```
//!
//! (NASS, Bian et al. 2020, equation 4), t being the number of decisions and b the exponential moving
//! average of the rewards before episode k (the first reward is its own baseline). Decisions that
//! were frozen have no term in the sum. Layer, size and first weights follow ENAS (Pham et al. 2018).

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::error::SearchError;
use super::lstm::Lstm;
use super::policy::{Freedom, Policy};

/// First weights are uniform in ±this.
const INITIAL_WEIGHT: f64 = 0.1;
/// Adam's decay of the mean gradient, of the mean square, and its divisor's floor.
const ADAM: (f64, f64, f64) = (0.9, 0.999, 1e-8);
/// 64-bit words of a state before its vectors: steps, pending, whether there is a baseline, baseline.
const STATE_HEAD: usize = 4;

/// Settings of a [`Controller`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControllerSettings {
    /// Cells of the LSTM.
    pub hidden: usize,
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// γ, the discount of a decision for each one that follows it.
    pub discount: f64,
    /// Share of the old baseline that stays with each episode.
    pub baseline_decay: f64,
    /// m, episodes to a step.
    pub batch: u32,
}

impl Default for ControllerSettings {
    fn default() -> Self {
        Self {
            hidden: 64,
            learning_rate: 5e-3,
            discount: 0.99,
            baseline_decay: 0.9,
            batch: 4,
        }
    }
}

impl ControllerSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`SearchError::Controller`] with the first field that is out of range.
    pub fn check(&self) -> Result<(), SearchError> {
        let share = 0.0..=1.0;
        let hidden = self.hidden as f64;
        let batch = f64::from(self.batch);
        let rate = self.learning_rate;
        for (field, fits, expected, found) in [
            (
                "hidden",
                (1..=1024).contains(&self.hidden),
                "1 to 1024",
                hidden,
            ),
            (
                "learning_rate",
                rate > 0.0 && rate <= 1.0,
                "more than 0, at most 1",
                rate,
            ),
            (
                "discount",
                share.contains(&self.discount),
                "0 to 1",
                self.discount,
            ),
            (
                "baseline_decay",
                share.contains(&self.baseline_decay),
                "0 to 1",
                self.baseline_decay,
            ),
            (
                "batch",
                (1..=10_000).contains(&self.batch),
                "1 to 10000",
                batch,
            ),
        ] {
            if !fits {
                return Err(SearchError::Controller {
                    field,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }
}

/// The LSTM with what it has learned.
#[derive(Debug, Clone)]
pub struct Controller {
    settings: ControllerSettings,
    lstm: Lstm,
    /// θ.
    theta: Vec<f64>,
    /// Adam's means of the gradient and of its square.
    mean: Vec<f64>,
    mean_square: Vec<f64>,
    /// Sum of −∇J over the episodes since the last step.
    gradient: Vec<f64>,
    steps: u64,
    pending: u64,
    baseline: Option<f64>,
}

impl Controller {
    /// An untrained controller for decisions with these numbers of options.
    ///
    /// # Errors
    /// [`SearchError::Controller`] for settings out of range.
    pub fn new(
        settings: ControllerSettings,
        options: &[usize],
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, SearchError> {
        settings.check()?;
        let lstm = Lstm::new(settings.hidden, options);
        let len = lstm.len();
        let theta = (0..len)
            .map(|_| rng.random_range(-INITIAL_WEIGHT..INITIAL_WEIGHT))
            .collect();
        Ok(Self {
            settings,
            lstm,
            theta,
            mean: vec![0.0; len],
            mean_square: vec![0.0; len],
            gradient: vec![0.0; len],
            steps: 0,
            pending: 0,
            baseline: None,
        })
    }

    /// One step of Adam (Kingma and Ba 2015, algorithm 1) along the mean gradient of the batch.
    fn step(&mut self) {
        let (decay, square_decay, floor) = ADAM;
        self.steps += 1;
        let steps = self.steps as f64;
        let correction = 1.0 - libm::pow(decay, steps);
        let square_correction = 1.0 - libm::pow(square_decay, steps);
        let batch = f64::from(self.settings.batch);
        for k in 0..self.theta.len() {
            let g = self.gradient[k] / batch;
            self.mean[k] = decay * self.mean[k] + (1.0 - decay) * g;
            self.mean_square[k] = square_decay * self.mean_square[k] + (1.0 - square_decay) * g * g;
            let root = (self.mean_square[k] / square_correction).sqrt();
            self.theta[k] -=
                self.settings.learning_rate * self.mean[k] / correction / (root + floor);
        }
        self.gradient.fill(0.0);
        self.pending = 0;
    }
}

impl Policy for Controller {
    fn sample(&self, freedom: &[Freedom], rng: &mut ChaCha8Rng) -> Vec<usize> {
        let trace = self
            .lstm
            .run(&self.theta, |t, probabilities| match freedom[t] {
                Freedom::Frozen(option) => option,
                Freedom::Free => draw(probabilities, rng.random()),
            });
        trace.choices()
    }

    fn learn(&mut self, decisions: &[usize], freedom: &[Freedom], reward: f64) {
        let baseline = self.baseline.unwrap_or(reward);
        let advantage = reward - baseline;
        let mut weight = advantage;
        let mut weights = vec![0.0; decisions.len()];
        for (w, freedom) in weights.iter_mut().zip(freedom).rev() {
            if *freedom == Freedom::Free {
                *w = weight;
            }
            weight *= self.settings.discount;
        }
        let trace = self.lstm.run(&self.theta, |t, _| decisions[t]);
        self.lstm
            .backward(&self.theta, &trace, &weights, &mut self.gradient);
        let decay = self.settings.baseline_decay;
        self.baseline = Some(decay * baseline + (1.0 - decay) * reward);
        self.pending += 1;
        if self.pending == u64::from(self.settings.batch) {
            self.step();
        }
    }

    fn state(&self) -> Vec<u8> {
        let head = [
            self.steps,
            self.pending,
            u64::from(self.baseline.is_some()),
            self.baseline.unwrap_or(0.0).to_bits(),
        ];
        let vectors = [&self.theta, &self.mean, &self.mean_square, &self.gradient];
        let numbers = vectors.into_iter().flatten().map(|value| value.to_bits());
        head.into_iter()
            .chain(numbers)
            .flat_map(u64::to_le_bytes)
            .collect()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SearchError> {
        let len = self.theta.len();
        let (words, rest) = state.as_chunks::<8>();
        let expected = STATE_HEAD + 4 * len;
        if words.len() != expected || !rest.is_empty() {
            return Err(SearchError::PolicyState {
                expected: 8 * expected,
                found: state.len(),
            });
        }
        let word = |index: usize| u64::from_le_bytes(words[index]);
        let vector = |index: usize| -> Vec<f64> {
            let from = STATE_HEAD + index * len;
            (from..from + len)
                .map(|k| f64::from_bits(word(k)))
                .collect()
        };
        self.steps = word(0);
        self.pending = word(1);
        self.baseline = (word(2) != 0).then(|| f64::from_bits(word(3)));
        self.theta = vector(0);
        self.mean = vector(1);
        self.mean_square = vector(2);
        self.gradient = vector(3);
        Ok(())
    }
}

/// The option in whose share of 0 to 1 `point` falls.
fn draw(probabilities: &[f64], point: f64) -> usize {
    let mut left = point;
    for (option, p) in probabilities.iter().enumerate() {
        left -= p;
        if left < 0.0 {
            return option;
        }
    }
    // Rounding left a little over.
    probabilities.len() - 1
}

#[cfg(test)]
mod tests;
