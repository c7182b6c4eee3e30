//! From a network (and weights, if there are any) to the steps two parties agree on.
//!
//! Ranges: the input is signed l_i bits of the linear layer that reads it; after a ReLU values lie
//! in [0, 2^l_o − 1]; a linear layer gives |y| ≤ max over outputs of Σ|w|·x_max + |bias|, and
//! without weights (terms + 1)·w_max·x_max, w_max = 2^(l_f−1) − 1, the bias counted as one more term;
//! a pool of k values widens its range k times. A domain's bound is the greatest of its values,
//! each with 2^(shift−1) for the re-quantization that reads it.
//!
//! Shifts: with weights, the exponents give them (value = integer · 2^e): a linear layer's result
//! has exponent e_in + e_w, an average pool of k = 2^j values has e_in − j, an addition aligns its
//! operands to the lesser exponent by left shifts, and a re-quantization shifts by e_out − e_in. Where
//! k is no power of two the following weights hold 1/k (they must: [`NetworkError::PoolDivisor`]).
//! Without weights there are no exponents: a shift is the bits its operand needs beyond l_o, and
//! additions shift nothing.
//!
//! A linear layer that reads sums of another (no activation between them) gets a `requantize` step; so
//! does a square that reads sums of more bits than its l_i, and whatever of the two reads squares of more bits than
//! its l_i. Bits are those of the worst case without weights, so that weights never change the steps.
//! Source of the rules: NASS (Bian et al. 2020), section 3.3; Gazelle (Juvekar et al. 2018) for the
//! garbled re-quantization.

use std::collections::HashMap;

use super::activation_bits::{ActivationBits, slot};
use super::domains::DomainSets;
use super::error::NetworkError;
use super::layer::{LayerKind, NetworkParams, Shape, Source};
use super::ranges::{align, bits_needed, check_magnitude, linear_magnitude, pool_exponent, scaled};
use super::resolved::{Requantize, ResolvedNetwork, Step, StepKind, ValueRange};
use super::value::{Form, Value};
use super::weights::Weights;

impl NetworkParams {
    /// Settles shapes, ranges, shifts and domains; with weights, their own sums and exponents.
    ///
    /// # Errors
    /// Those of [`NetworkParams::shapes`] and [`Weights::check`]; a pool's divisor with no place to
    /// go; values beyond 62 bits; a shift out of range; two widths prescribed for one p.
    pub fn resolve(&self, weights: Option<&Weights>) -> Result<ResolvedNetwork, NetworkError> {
        let shapes = self.shapes()?;
        self.check_pool_divisors()?;
        if let Some(weights) = weights {
            weights.check(self)?;
        }
        let mut resolver = Resolver::new(self, weights);
        for (index, shape) in shapes.iter().enumerate() {
            resolver.layer(index, *shape)?;
        }
        resolver.finish()
    }

    /// A pool of k values, k no power of two, must be read by linear layers alone, or by an argmax, whose place no
    /// divisor moves.
    fn check_pool_divisors(&self) -> Result<(), NetworkError> {
        let mut linear_only = vec![true; self.layers.len() + 1];
        for (index, layer) in self.layers.iter().enumerate().rev() {
            let passes_on = match &layer.kind {
                LayerKind::Conv(_) | LayerKind::Fc(_) | LayerKind::Argmax => true,
                LayerKind::AvgPool(_) | LayerKind::Flatten => linear_only[index + 1],
                LayerKind::Relu
                | LayerKind::Clip { .. }
                | LayerKind::Square { .. }
                | LayerKind::MaxPool(_)
                | LayerKind::Add => false,
            };
            for source in &layer.inputs {
                linear_only[slot(source)] &= passes_on;
            }
            if let LayerKind::AvgPool(pool) = &layer.kind
                && !pool.window().is_power_of_two()
                && !linear_only[index + 1]
            {
                return Err(NetworkError::PoolDivisor {
                    layer: layer.name.clone(),
                    window: pool.window(),
                });
            }
        }
        Ok(())
    }
}

/// The steps so far and what is known of their values.
struct Resolver<'a> {
    network: &'a NetworkParams,
    weights: Option<&'a Weights>,
    bits: ActivationBits,
    steps: Vec<Step>,
    /// By [`slot`] of a step: 0 is the input.
    values: Vec<Value>,
    domains: DomainSets,
    /// By slot of a layer: the step that gives its value.
    origin: Vec<Source>,
    /// By slot of a layer: its value re-quantized for the linear layers and squares that read it.
    requantized: HashMap<usize, Source>,
}

impl<'a> Resolver<'a> {
    fn new(network: &'a NetworkParams, weights: Option<&'a Weights>) -> Self {
        let bits = ActivationBits::new(network);
        let input = Value {
            shape: network.input,
            range: ValueRange::signed(bits.of(0)),
            form: Form::Quantized,
            exponent: weights.map_or(0, |w| w.input_exponent),
        };
        Self {
            network,
            weights,
            bits,
            steps: Vec::new(),
            values: vec![input],
            domains: DomainSets::new(input.range.magnitude()),
            origin: vec![Source::Input],
            requantized: HashMap::new(),
        }
    }

    fn layer(&mut self, index: usize, shape: Shape) -> Result<(), NetworkError> {
        let layer = &self.network.layers[index];
        let mut inputs: Vec<Source> = Vec::with_capacity(layer.inputs.len());
        for source in &layer.inputs {
            let from = self.origin[slot(source)].clone();
            let form = self.values[slot(&from)].form;
            let too_wide = form.is_too_wide(&layer.kind, self.bits.of(slot(source)));
            inputs.push(if too_wide && layer.kind.input_bits().is_some() {
                self.requantize(index, slot(source), &from)?
            } else {
                from
            });
        }
        let (kind, value) = self.apply(index, &inputs, shape)?;
        let source = self.push(layer.name.clone(), index, inputs, (kind, value))?;
        self.origin.push(source);
        Ok(())
    }

    /// What a layer does to its operands.
    fn apply(
        &self,
        index: usize,
        inputs: &[Source],
        shape: Shape,
    ) -> Result<(StepKind, Value), NetworkError> {
        let layer = &self.network.layers[index];
        let x = self.values[slot(&inputs[0])];
        let value = Value { shape, ..x };
        Ok(match &layer.kind {
            LayerKind::Conv(_) | LayerKind::Fc(_) => {
                let value = self.linear(index, x, shape)?;
                (StepKind::Linear(layer.kind.clone()), value)
            }
            LayerKind::Relu => {
                let bits = self.bits.of(index + 1);
                let (requantize, value) = self.activation(&layer.name, x, (bits, false))?;
                (StepKind::Relu(requantize), value)
            }
            LayerKind::Clip { max } => self.clip(index, x, *max)?,
            LayerKind::Square { .. } => (StepKind::Square, x.squared(&layer.name)?),
            LayerKind::Argmax => {
                let high = x.shape.len() as i64 - 1;
                let value = Value {
                    shape,
                    range: ValueRange { low: 0, high },
                    form: Form::Quantized,
                    exponent: 0,
                };
                (StepKind::Argmax, value)
            }
            LayerKind::MaxPool(pool) => {
                let signed = x.range.low < 0;
                let bits = if signed {
                    self.bits.of_signed(index + 1)
                } else {
                    self.bits.of(index + 1)
                };
                let (requantize, value) = self.activation(&layer.name, x, (bits, signed))?;
                (
                    StepKind::MaxPool(*pool, requantize),
                    Value { shape, ..value },
                )
            }
            LayerKind::AvgPool(pool) => {
                let value = Value {
                    range: scaled(&layer.name, x.range, pool.window().into())?,
                    form: x.form.times(pool.window()),
                    exponent: x
                        .exponent
                        .saturating_sub(self.weights.map_or(0, |_| pool_exponent(pool))),
                    ..value
                };
                (StepKind::SumPool(*pool), value)
            }
            LayerKind::Flatten => (StepKind::Flatten, value),
            LayerKind::Add => {
                let (shifts, value) = self.add(&layer.name, x, self.values[slot(&inputs[1])])?;
                (StepKind::Add(shifts), value)
            }
        })
    }

    fn linear(&self, index: usize, x: Value, shape: Shape) -> Result<Value, NetworkError> {
        let layer = &self.network.layers[index];
        let terms = layer.kind.terms(x.shape);
        let x_max = x.range.magnitude();
        let weights = self.weights.and_then(|w| w.layers.get(&layer.name));
        let magnitude = match weights {
            Some(weights) => weights.magnitude(terms, x_max),
            None => linear_magnitude(&layer.kind, terms, x_max),
        };
        check_magnitude(&layer.name, magnitude)?;
        let high = magnitude as i64;
        let most = linear_magnitude(&layer.kind, terms, x.most());
        Ok(Value {
            shape,
            range: ValueRange { low: -high, high },
            form: Form::Sums(u64::try_from(most).unwrap_or(u64::MAX)),
            exponent: x.exponent.saturating_add(weights.map_or(0, |w| w.exponent)),
        })
    }

    fn clip(&self, index: usize, x: Value, max: u32) -> Result<(StepKind, Value), NetworkError> {
        let (layer, bits) = (&self.network.layers[index].name, self.bits.of(index + 1));
        let (requantize, value) = self.activation(layer, x, (bits, false))?;
        let (high, greatest) = (i64::from(max), value.range.high);
        if high > greatest {
            return Err(NetworkError::ClipMax {
                layer: layer.clone(),
                max,
                greatest,
                bits,
            });
        }
        let range = ValueRange { low: 0, high };
        Ok((StepKind::Clip(requantize, high), Value { range, ..value }))
    }

    /// Re-quantization of `x` to so many bits, signed or not.
    fn activation(
        &self,
        step: &str,
        x: Value,
        (output_bits, signed): (u32, bool),
    ) -> Result<(Requantize, Value), NetworkError> {
        let (shift, exponent) = match self.weights {
            Some(weights) => {
                let exponent = weights.activation_exponent(step)?;
                let shift = u32::try_from(i64::from(exponent) - i64::from(x.exponent));
                let shift = shift.ok().filter(|shift| *shift <= 62).ok_or_else(|| {
                    NetworkError::ExponentShift {
                        step: step.to_owned(),
                        operand: x.exponent,
                        output: exponent,
                    }
                })?;
                (shift, exponent)
            }
            None => (bits_needed(x.range, signed).saturating_sub(output_bits), 0),
        };
        let requantize = Requantize {
            shift,
            output_bits,
            signed,
        };
        let value = Value {
            shape: x.shape,
            range: requantize.range(),
            form: Form::Quantized,
            exponent,
        };
        Ok((requantize, value))
    }

    fn add(&self, step: &str, x: Value, y: Value) -> Result<([u32; 2], Value), NetworkError> {
        let (exponent, shifts) = align([x.exponent, y.exponent]);
        let factor = |shift: u32| 1_u128 << shift.min(64);
        let left = scaled(step, x.range, factor(shifts[0]))?;
        let right = scaled(step, y.range, factor(shifts[1]))?;
        let range = ValueRange {
            low: left.low + right.low,
            high: left.high + right.high,
        };
        check_magnitude(step, range.magnitude().into())?;
        let value = Value {
            shape: x.shape,
            range,
            form: x.form.with(y.form),
            exponent,
        };
        Ok((shifts, value))
    }

    /// The step that re-quantizes a layer's value for the linear layers and squares that can't read it as it is.
    fn requantize(
        &mut self,
        reader: usize,
        value: usize,
        from: &Source,
    ) -> Result<Source, NetworkError> {
        if let Some(source) = self.requantized.get(&value) {
            return Ok(source.clone());
        }
        let name = format!("{}.requantize", self.network.layers[reader].name);
        let x = self.values[slot(from)];
        let bits = self.bits.of(value);
        let signed = !matches!(x.form, Form::Squares(_));
        let (requantize, result) = self.activation(&name, x, (bits, signed))?;
        let kind = StepKind::Requantize(requantize);
        let source = self.push(name, reader, vec![from.clone()], (kind, result))?;
        self.requantized.insert(value, source.clone());
        Ok(source)
    }

    /// Appends a step and settles its domain.
    fn push(
        &mut self,
        name: String,
        layer: usize,
        inputs: Vec<Source>,
        (kind, value): (StepKind, Value),
    ) -> Result<Source, NetworkError> {
        let first = self.values[slot(&inputs[0])];
        let operands = inputs.iter().map(slot);
        let magnitude = value.range.magnitude();
        if let Some(requantize) = kind.requantize() {
            let half = (1_u64 << requantize.shift) >> 1;
            self.domains
                .widen(slot(&inputs[0]), first.range.magnitude() + half);
            self.domains.separate(magnitude);
        } else if kind == StepKind::Argmax {
            self.domains.separate(magnitude);
        } else {
            let p_bits = self.network.layers[layer].kind.p_bits();
            self.domains.join(&name, operands, magnitude, p_bits)?;
        }
        self.values.push(value);
        self.steps.push(Step {
            name,
            layer,
            inputs,
            kind,
            shape_in: first.shape,
            shape_out: value.shape,
            range_in: first.range,
            range_out: value.range,
            domain: 0,
        });
        Ok(Source::Layer(self.steps.len() - 1))
    }

    fn finish(mut self) -> Result<ResolvedNetwork, NetworkError> {
        if let Some(weights) = self.weights {
            let known = |name: &String| {
                let mut activations = self.steps.iter().filter(|s| s.kind.requantize().is_some());
                activations.any(|step| step.name == *name)
            };
            if let Some(name) = weights.activations.keys().find(|name| !known(name)) {
                let tensor = format!("{name}.exponent");
                return Err(NetworkError::UnknownTensor { tensor });
            }
        }
        let (numbers, domains) = self.domains.number();
        for (step, number) in self.steps.iter_mut().zip(&numbers[1..]) {
            step.domain = *number;
        }
        Ok(ResolvedNetwork {
            name: self.network.name.clone(),
            input: self.network.input,
            input_range: self.values[0].range,
            input_domain: numbers[0],
            steps: self.steps,
            domains,
        })
    }
}

#[cfg(test)]
mod tests;
