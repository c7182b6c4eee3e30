//! What proposes the next network: a policy samples decisions and learns from rewards.
//!
//! A policy's state is bytes that restore it exactly, so that a resumed study goes on as an unbroken
//! one would. [`RandomPolicy`] is the yardstick that any other has to beat.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::error::SearchError;

/// Whether a decision may move in this episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freedom {
    /// Drawn by the policy.
    Free,
    /// Frozen to this option; stays out of what is learned.
    Frozen(usize),
}

/// Proposes decisions and learns from their reward.
pub trait Policy {
    /// Draws one option for each decision; frozen ones are taken as they are.
    fn sample(&self, freedom: &[Freedom], rng: &mut ChaCha8Rng) -> Vec<usize>;

    /// Learns that these decisions, drawn under this freedom, had this reward.
    fn learn(&mut self, decisions: &[usize], freedom: &[Freedom], reward: f64);

    /// Everything that later samples depend on.
    fn state(&self) -> Vec<u8>;

    /// Takes over a state that [`Policy::state`] of the same policy gave.
    ///
    /// # Errors
    /// [`SearchError::PolicyState`] for bytes that are none.
    fn restore(&mut self, state: &[u8]) -> Result<(), SearchError>;
}

/// Draws uniformly and learns nothing.
#[derive(Debug, Clone)]
pub struct RandomPolicy {
    options: Vec<usize>,
}

impl RandomPolicy {
    /// For decisions with these numbers of options.
    pub fn new(options: &[usize]) -> Self {
        Self {
            options: options.to_vec(),
        }
    }
}

impl Policy for RandomPolicy {
    fn sample(&self, freedom: &[Freedom], rng: &mut ChaCha8Rng) -> Vec<usize> {
        let one = |(&options, freedom): (&usize, &Freedom)| match *freedom {
            Freedom::Free => rng.random_range(0..options),
            Freedom::Frozen(option) => option,
        };
        self.options.iter().zip(freedom).map(one).collect()
    }

    fn learn(&mut self, _decisions: &[usize], _freedom: &[Freedom], _reward: f64) {}

    fn state(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SearchError> {
        if state.is_empty() {
            return Ok(());
        }
        Err(SearchError::PolicyState {
            expected: 0,
            found: state.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn random_draws_every_free_option_and_no_frozen_one() {
        let mut policy = RandomPolicy::new(&[3, 2, 4]);
        let freedom = [Freedom::Free, Freedom::Frozen(1), Freedom::Free];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut seen = [[false; 4]; 3];
        for _ in 0..200 {
            let drawn = policy.sample(&freedom, &mut rng);
            for (seen, option) in seen.iter_mut().zip(&drawn) {
                seen[*option] = true;
            }
            policy.learn(&drawn, &freedom, 1.0);
        }
        assert_eq!(seen[0], [true, true, true, false]);
        assert_eq!(seen[1], [false, true, false, false]);
        assert_eq!(seen[2], [true; 4]);
    }

    #[test]
    fn random_has_no_state() {
        let mut policy = RandomPolicy::new(&[2]);
        policy.restore(&policy.state()).unwrap();
        let error = policy.restore(&[1]).unwrap_err();
        assert!(matches!(error, SearchError::PolicyState { .. }));
    }
}
