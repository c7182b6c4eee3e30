//! Random weights for tests and for running a network that has not been trained.
//!
//! Weights are uniform in ±(2^(l_f−1) − 1), biases small: uniform within an eighth of the greatest
//! product of a weight and an input of l_i bits, so that the worst case without weights holds for
//! them too. Exponents are chosen as for trained weights: a random input runs through the network,
//! and each activation drops the bits that its greatest value has beyond l_o.

use std::collections::BTreeMap;

use rand::{CryptoRng, RngExt};

use super::error::NetworkError;
use super::evaluate::run_step;
use super::layer::{LayerKind, NetworkParams, Shape, Source};
use super::ranges::{align, bits_needed, check_magnitude, pool_exponent};
use super::resolved::{Requantize, ResolvedNetwork, Step, StepKind, ValueRange};
use super::weights::{LayerWeights, Weights, max_weight, weight_shape};

/// Values on their way through the network, with their exponent.
struct Sample {
    values: Vec<i64>,
    exponent: i32,
}

impl Sample {
    /// Greatest absolute value.
    fn magnitude(&self) -> u64 {
        self.values
            .iter()
            .map(|x| x.unsigned_abs())
            .max()
            .unwrap_or(0)
    }
}

impl ResolvedNetwork {
    /// An input drawn uniformly from its range.
    pub fn random_input<R: CryptoRng>(&self, rng: &mut R) -> Vec<i64> {
        let ValueRange { low, high } = self.input_range;
        (0..self.input.len())
            .map(|_| rng.random_range(low..=high))
            .collect()
    }
}

impl Weights {
    /// Draws weights for a network.
    ///
    /// # Errors
    /// Those of [`NetworkParams::resolve`] without weights.
    pub fn random<R: CryptoRng>(
        network: &NetworkParams,
        rng: &mut R,
    ) -> Result<Self, NetworkError> {
        let resolved = network.resolve(None)?;
        let mut weights = Self {
            input_exponent: 1 - bits_needed(resolved.input_range, true) as i32,
            layers: BTreeMap::new(),
            activations: BTreeMap::new(),
        };
        let input = Sample {
            values: resolved.random_input(rng),
            exponent: weights.input_exponent,
        };
        let mut samples: Vec<Sample> = Vec::with_capacity(resolved.steps.len());
        for step in &resolved.steps {
            let operands: Vec<&Sample> = step
                .inputs
                .iter()
                .map(|source| match source {
                    Source::Input => &input,
                    Source::Layer(index) => &samples[*index],
                })
                .collect();
            let sample = weights.extend(step, &operands, rng)?;
            samples.push(sample);
        }
        Ok(weights)
    }

    /// Draws what a step needs and runs it.
    fn extend<R: CryptoRng>(
        &mut self,
        step: &Step,
        operands: &[&Sample],
        rng: &mut R,
    ) -> Result<Sample, NetworkError> {
        let x = operands[0];
        let (kind, exponent) = match &step.kind {
            StepKind::Linear(kind) => {
                let layer = LayerWeights::random(kind, step.shape_in, rng);
                let greatest = layer.magnitude(kind.terms(step.shape_in), x.magnitude());
                check_magnitude(&step.name, greatest)?;
                let exponent = x.exponent.saturating_add(layer.exponent);
                self.layers.insert(step.name.clone(), layer);
                (step.kind.clone(), exponent)
            }
            StepKind::Relu(requantize) => {
                let chosen = fit(*requantize, &x.values);
                (StepKind::Relu(chosen), x.exponent + chosen.shift as i32)
            }
            StepKind::Clip(requantize, max) => {
                let chosen = fit(*requantize, &x.values);
                let exponent = x.exponent + chosen.shift as i32;
                (StepKind::Clip(chosen, *max), exponent)
            }
            StepKind::Square => (StepKind::Square, x.exponent.saturating_mul(2)),
            StepKind::Argmax => (StepKind::Argmax, 0),
            StepKind::Requantize(requantize) => {
                let chosen = fit(*requantize, &x.values);
                let exponent = x.exponent + chosen.shift as i32;
                (StepKind::Requantize(chosen), exponent)
            }
            StepKind::MaxPool(pool, requantize) => {
                let chosen = fit(*requantize, &x.values);
                let exponent = x.exponent + chosen.shift as i32;
                (StepKind::MaxPool(*pool, chosen), exponent)
            }
            StepKind::SumPool(pool) => {
                let greatest = u128::from(x.magnitude()) * u128::from(pool.window());
                check_magnitude(&step.name, greatest)?;
                let exponent = x.exponent.saturating_sub(pool_exponent(pool));
                (step.kind.clone(), exponent)
            }
            StepKind::Flatten => (StepKind::Flatten, x.exponent),
            StepKind::Add(_) => {
                let y = operands[1];
                let (exponent, shifts) = align([x.exponent, y.exponent]);
                let [left, right] = shifts.map(|shift| 1_u128 << shift.min(63));
                let [x_max, y_max] = [x, y].map(|s| u128::from(s.magnitude().max(1)));
                let greatest = left * x_max + right * y_max;
                check_magnitude(&step.name, greatest)?;
                (StepKind::Add(shifts), exponent)
            }
        };
        if kind.requantize().is_some() {
            self.activations.insert(step.name.clone(), exponent);
        }
        let step = Step {
            kind,
            ..step.clone()
        };
        let inputs: Vec<&[i64]> = operands.iter().map(|x| x.values.as_slice()).collect();
        let values = run_step(&step, self.layers.get(&step.name), &inputs);
        Ok(Sample { values, exponent })
    }
}

impl LayerWeights {
    fn random<R: CryptoRng>(kind: &LayerKind, input: Shape, rng: &mut R) -> Self {
        let shape = weight_shape(kind, input);
        let w_max = max_weight(kind);
        let quantizer_bits = kind
            .quantizer()
            .map_or([1, 1], |q| [q.input_bits, q.weight_bits]);
        let most = (w_max << (quantizer_bits[0] - 1)) / 8;
        let range = w_max as i32;
        let weights = shape.iter().product();
        let biases = if kind.has_bias() { shape[0] } else { 0 };
        Self {
            weight: (0..weights)
                .map(|_| rng.random_range(-range..=range))
                .collect(),
            bias: (0..biases)
                .map(|_| rng.random_range(-most..=most))
                .collect(),
            exponent: 1 - quantizer_bits[1] as i32,
        }
    }
}

/// The least shift at which no value is clamped from above (nor from below, if signs are kept).
fn fit(requantize: Requantize, values: &[i64]) -> Requantize {
    let range = ValueRange {
        low: values.iter().copied().min().unwrap_or(0),
        high: values.iter().copied().max().unwrap_or(0),
    };
    let needed = bits_needed(range, requantize.signed);
    Requantize {
        shift: needed.saturating_sub(requantize.output_bits),
        ..requantize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{evaluate_steps, zoo};
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    #[test]
    fn a_seed_repeats_the_weights() {
        let toy = zoo::load("toy").unwrap();
        let draw = |seed| Weights::random(&toy, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn activations_use_their_bits_and_outputs_differ() {
        for name in ["toy", "lenet-mnist"] {
            let network = zoo::load(name).unwrap();
            let mut rng = ChaCha20Rng::seed_from_u64(7);
            let weights = Weights::random(&network, &mut rng).unwrap();
            let resolved = network.resolve(Some(&weights)).unwrap();
            let input = resolved.random_input(&mut rng);
            let values = evaluate_steps(&resolved, &weights, &input).unwrap();
            for (step, values) in resolved.steps.iter().zip(&values) {
                if let Some(requantize) = step.kind.requantize() {
                    let greatest = values.iter().max().unwrap();
                    let half = 1 << (requantize.output_bits - 1);
                    assert!(*greatest >= half / 2, "{name}/{}: {greatest}", step.name);
                }
            }
            let output = values.last().unwrap();
            assert!(output.iter().any(|y| *y != output[0]));
        }
    }
}
