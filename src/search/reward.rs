//! The reward: one number from accuracy A, seconds T and bytes B.
//!
//! `R = A + A·ξ` with `ξ = β·t + (1 − β)·b` clipped to [−0.9, 1], where `t = (T_ref − T)/T_ref` and
//! `b = (B_ref − B)/B_ref` score the cost against a reference network under the same calibration.
//!
//! NASS (Bian et al. 2020) has R in equation 3 and `ξ = β·T + (1 − β)·B` in equation 8, which taken
//! literally pays for slow networks; hence the scores. What always holds: a better accuracy and a
//! lower cost never lower the reward, and the reference network's reward is its accuracy.

use serde::{Deserialize, Serialize};

use super::error::SearchError;
use super::models::Cost;

/// Least ξ, so that a better accuracy still pays.
const SCORE_MIN: f64 = -0.9;
/// Greatest ξ: what a network without cost has.
const SCORE_MAX: f64 = 1.0;

/// What the reward is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reward {
    /// Weight of time against bytes, 0 to 1.
    pub beta: f64,
    /// `T_ref` and `B_ref`: the baseline network's cost.
    pub reference: Cost,
}

impl Reward {
    /// Checks β and the reference.
    ///
    /// # Errors
    /// [`SearchError::Beta`] outside 0 to 1, [`SearchError::Reference`] unless time and bytes are
    /// positive and finite.
    pub fn check(&self) -> Result<(), SearchError> {
        if !(0.0..=1.0).contains(&self.beta) {
            return Err(SearchError::Beta { beta: self.beta });
        }
        let Cost { seconds, bytes } = self.reference;
        if !(seconds.is_finite() && seconds > 0.0) || bytes == 0 {
            return Err(SearchError::Reference { seconds, bytes });
        }
        Ok(())
    }

    /// ξ: 0 for the reference's cost, 1 for none at all, never below −0.9.
    pub fn score(&self, cost: Cost) -> f64 {
        let t = (self.reference.seconds - cost.seconds) / self.reference.seconds;
        let b_ref = self.reference.bytes as f64;
        let b = (b_ref - cost.bytes as f64) / b_ref;
        (self.beta * t + (1.0 - self.beta) * b).clamp(SCORE_MIN, SCORE_MAX)
    }

    /// R for an accuracy (0 to 1) and a cost.
    pub fn of(&self, accuracy: f64, cost: Cost) -> f64 {
        // A·(1 + ξ) rather than A + A·ξ: rounding then keeps the order, too.
        accuracy * (1.0 + self.score(cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reward(beta: f64) -> Reward {
        Reward {
            beta,
            reference: Cost {
                seconds: 8.0,
                bytes: 1_000,
            },
        }
    }

    fn cost(seconds: f64, bytes: u64) -> Cost {
        Cost { seconds, bytes }
    }

    #[test]
    fn follows_the_formula() {
        let half = reward(0.5);
        assert_eq!(half.of(0.8, half.reference), 0.8);
        assert_eq!(half.of(0.8, cost(4.0, 1_000)), 1.0);
        assert_eq!(half.of(0.8, cost(4.0, 2_000)), 0.8 * 0.75);
        assert_eq!(half.of(0.5, cost(0.0, 0)), 1.0);
        assert_eq!(half.score(cost(1e9, u64::MAX)), -0.9);
        assert_eq!(reward(1.0).score(cost(4.0, u64::MAX)), 0.5);
        assert_eq!(reward(0.0).score(cost(1e9, 500)), 0.5);
    }

    #[test]
    fn refuses_what_cannot_be_a_setting() {
        for beta in [-0.1, 1.1, f64::NAN] {
            let error = reward(beta).check().unwrap_err();
            assert!(matches!(error, SearchError::Beta { .. }));
        }
        for reference in [cost(0.0, 1), cost(f64::INFINITY, 1), cost(1.0, 0)] {
            let bad = Reward {
                beta: 0.5,
                reference,
            };
            let error = bad.check().unwrap_err();
            assert!(matches!(error, SearchError::Reference { .. }));
        }
        reward(1.0).check().unwrap();
    }

    proptest! {
        #[test]
        fn better_accuracy_and_lower_cost_never_lower_it(
            beta in 0.0..=1.0f64,
            accuracy in 0.0..=1.0f64,
            other in 0.0..=1.0f64,
            seconds in 0.0..100.0f64,
            faster in 0.0..=1.0f64,
            bytes in 0u64..100_000,
            smaller in 0.0..=1.0f64,
        ) {
            let reward = reward(beta);
            let here = cost(seconds, bytes);
            let (low, high) = if accuracy < other { (accuracy, other) } else { (other, accuracy) };
            prop_assert!(reward.of(low, here) <= reward.of(high, here));
            let cheaper = cost(seconds * faster, (bytes as f64 * smaller) as u64);
            prop_assert!(reward.of(accuracy, here) <= reward.of(accuracy, cheaper));
        }
    }
}
