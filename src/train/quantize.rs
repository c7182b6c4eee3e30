//! From float weights to integers: one exponent a tensor, value = integer · 2^exponent.
//!
//! - weights: e = ⌈log2 max|w|⌉ − (l_f − 1), rounded to nearest, clamped to ±(2^(l_f−1) − 1);
//! - input and activations: e = ⌈log2 a⌉ − bits (one bit fewer where there is a sign), a the 99.9th
//!   percentile of the absolute values over up to 1,024 training images of the float network (the
//!   ⌈0.999·N⌉-th least of N);
//! - bias: at the accumulator's scale, e_in + e_w.
//!
//! An activation's exponent is never below its operand's (a re-quantization drops bits, it invents
//! none), and equals it where the operand fits whole. An average pool of k values is a sum in
//! integers: k = 2^j moves the exponent by −j; any other k divides the weights that read it, before
//! they are quantized. Source: NASS (Bian et al. 2020), section 3.3.

use std::collections::BTreeMap;

use tch::Tensor;

use super::error::TrainError;
use super::float_weights::{FloatLayer, FloatWeights};
use super::model::{Model, not_trained, values};
use crate::network::{
    LayerKind, LayerWeights, NetworkParams, Requantize, ResolvedNetwork, Source, Step, StepKind,
    Weights,
};

/// Training images that percentiles are taken over.
pub(super) const CALIBRATION_IMAGES: usize = 1024;
/// Share of the values that lie above the percentile, as 1 / this.
const ABOVE: usize = 1000;

/// The greatest absolute values of a tensor seen batch by batch.
#[derive(Default)]
struct Greatest {
    count: usize,
    /// Candidates, in no order.
    kept: Vec<f32>,
}

impl Greatest {
    /// Takes in a batch; `total` values will have been seen in the end.
    fn watch(&mut self, tensor: &Tensor, total: usize) -> Result<(), TrainError> {
        let flat = tensor.f_detach()?.f_abs()?.f_reshape([-1])?;
        let keep = (total / ABOVE + 1).min(flat.numel()) as i64;
        let (greatest, _) = flat.f_topk(keep, 0, true, false)?;
        self.kept.extend(values::<f32>(&greatest)?);
        self.count += flat.numel();
        Ok(())
    }

    /// The 99.9th percentile of all values seen: the ⌈0.999·N⌉-th least.
    fn percentile(&mut self) -> f64 {
        self.kept.sort_unstable_by(|a, b| b.total_cmp(a));
        self.kept
            .get(self.count / ABOVE)
            .map_or(0.0, |value| f64::from(*value))
    }
}

/// 99.9th percentiles of the input and of every layer's result.
pub(super) struct Percentiles {
    input: f64,
    layers: Vec<f64>,
}

impl Percentiles {
    /// Runs the float network over batches of images, `images` of them in all.
    pub(super) fn measure(
        model: &Model<'_>,
        network: &NetworkParams,
        images: usize,
        batches: impl Iterator<Item = Result<Tensor, TrainError>>,
    ) -> Result<Self, TrainError> {
        let shapes = network.shapes()?;
        let mut input = Greatest::default();
        let mut layers: Vec<Greatest> = shapes.iter().map(|_| Greatest::default()).collect();
        for batch in batches {
            let batch = batch?;
            input.watch(&batch, images * network.input.len())?;
            let _outputs = model.forward(batch, |index, value| {
                layers[index].watch(value, images * shapes[index].len())
            })?;
        }
        Ok(Self {
            input: input.percentile(),
            layers: layers.iter_mut().map(Greatest::percentile).collect(),
        })
    }
}

/// What is known of an integer value while the exponents are settled.
#[derive(Clone, Copy)]
struct Scale {
    exponent: i32,
    /// What the integers must still be divided by: windows of pools that are no power of two.
    divisor: f64,
}

/// The integer weights of a network.
pub(super) fn quantize(
    network: &NetworkParams,
    floats: &FloatWeights,
    percentiles: &Percentiles,
) -> Result<Weights, TrainError> {
    floats.check(network)?;
    let structure = network.resolve(None)?;
    let input_bits = 1 + structure.input_range.high.count_ones();
    let input_exponent = ceil_log2(percentiles.input) - (input_bits as i32 - 1);
    let mut weights = Weights {
        input_exponent,
        layers: BTreeMap::new(),
        activations: BTreeMap::new(),
    };
    let mut scales: Vec<Scale> = Vec::with_capacity(structure.steps.len());
    for step in &structure.steps {
        let scale = |source: &Source| match source {
            Source::Input => Scale {
                exponent: input_exponent,
                divisor: 1.0,
            },
            Source::Layer(index) => scales[*index],
        };
        let x = scale(&step.inputs[0]);
        let result = match &step.kind {
            StepKind::Linear(kind) => {
                let layer = quantize_layer(kind, &floats.layers[&step.name], x);
                let exponent = x.exponent + layer.exponent;
                weights.layers.insert(step.name.clone(), layer);
                Scale {
                    exponent,
                    divisor: 1.0,
                }
            }
            StepKind::Relu(to) | StepKind::Requantize(to) | StepKind::MaxPool(_, to) => {
                let percentile = percentiles.layers[watched_layer(&structure, step)];
                let exponent = activation_exponent(step, *to, x.exponent, percentile);
                weights.activations.insert(step.name.clone(), exponent);
                Scale { exponent, ..x }
            }
            StepKind::Clip(..) | StepKind::Square | StepKind::Argmax => {
                return Err(not_trained(step.kind.name()));
            }
            StepKind::SumPool(pool) if pool.window().is_power_of_two() => Scale {
                exponent: x.exponent - pool.window().ilog2() as i32,
                ..x
            },
            StepKind::SumPool(pool) => Scale {
                divisor: x.divisor * pool.window() as f64,
                ..x
            },
            StepKind::Flatten => x,
            StepKind::Add(_) => Scale {
                exponent: x.exponent.min(scale(&step.inputs[1]).exponent),
                ..x
            },
        };
        scales.push(result);
    }
    Ok(weights)
}

/// The layer whose float result an activation gives; an inserted step gives its operand's.
fn watched_layer(structure: &ResolvedNetwork, step: &Step) -> usize {
    match (&step.kind, &step.inputs[0]) {
        (StepKind::Requantize(_), Source::Layer(index)) => structure.steps[*index].layer,
        _ => step.layer,
    }
}

/// Exponent of an activation's result, whose operand has exponent `operand`.
fn activation_exponent(step: &Step, to: Requantize, operand: i32, percentile: f64) -> i32 {
    let (given, kept) = (step.range_in, step.range_out);
    let fits = given.high <= kept.high && (!to.signed || given.low >= kept.low);
    if fits || percentile == 0.0 {
        return operand;
    }
    let bits = to.output_bits as i32 - i32::from(to.signed);
    operand.max(ceil_log2(percentile) - bits)
}

/// Integers of a linear layer, whose operand has the scale `x`.
fn quantize_layer(kind: &LayerKind, floats: &FloatLayer, x: Scale) -> LayerWeights {
    let bits = kind.quantizer().map_or(1, |q| q.weight_bits) as i32;
    let real = |w: &f32| f64::from(*w) / x.divisor;
    let greatest = floats.weight.iter().map(|w| real(w).abs());
    let exponent = ceil_log2(greatest.fold(0.0, f64::max)) - (bits - 1);
    let limit = libm::exp2(f64::from(bits - 1)) - 1.0;
    let integer = |value: f64, exponent: i32| {
        // Rounds halves up, as everywhere.
        (libm::scalbn(value, -exponent) + 0.5).floor()
    };
    let weights = floats.weight.iter();
    let biases = floats.bias.iter();
    LayerWeights {
        weight: weights
            .map(|w| integer(real(w), exponent).clamp(-limit, limit) as i32)
            .collect(),
        bias: biases
            .map(|b| integer(f64::from(*b), x.exponent + exponent) as i64)
            .collect(),
        exponent,
    }
}

/// ⌈log2 x⌉ for x > 0; 0 for 0.
fn ceil_log2(x: f64) -> i32 {
    if x == 0.0 {
        return 0;
    }
    let (mantissa, exponent) = libm::frexp(x);
    if mantissa == 0.5 {
        exponent - 1
    } else {
        exponent
    }
}

#[cfg(test)]
mod tests;
