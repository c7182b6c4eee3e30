//! Quantized inference on batches, exact: the integers of `network::evaluate`, faster.
//!
//! A [`ResolvedNetwork`] with [`Weights`] becomes matrix products of 64-bit floats, y = W·im2col(x) +
//! bias. All values and partial sums are integers below 2⁵³ in absolute value, as the bounds of the
//! resolved network promise, so that every operation is exact in any order; re-quantization is
//! ⌊(x + 2^(shift−1))·2^(−shift)⌋ and a clamp. No 32-bit floats, no Winograd or Fourier transforms.
//! A network with greater values is run by `network::evaluate`, image by image.

use tch::{Device, Tensor};

use super::dataset::{Images, Normalization};
use super::error::TrainError;
use super::model::{not_trained, run_graph, values};
use crate::network::{
    ConvParams, LayerKind, PoolParams, Requantize, ResolvedNetwork, Source, Step, StepKind,
    Weights, evaluate,
};

/// Integers up to this are exact as 64-bit floats.
const EXACT: u64 = 1 << 53;
/// Most values of one step's operand as a matrix, over a batch.
const MAX_BATCH_VALUES: usize = 1 << 20;
/// Most images at once.
const MAX_BATCH: usize = 256;

/// Matrix and bias of a linear step.
struct Linear {
    /// `[outputs, terms]`.
    weight: Tensor,
    /// `[outputs, 1]`.
    bias: Option<Tensor>,
}

/// A quantized network on a device.
pub(super) struct QuantizedModel<'a> {
    network: &'a ResolvedNetwork,
    weights: &'a Weights,
    device: Device,
    /// By step; nothing for steps without weights.
    linear: Vec<Option<Linear>>,
}

impl<'a> QuantizedModel<'a> {
    /// Takes the weights to the device once `network::evaluate` has accepted them for the network.
    pub(super) fn new(
        network: &'a ResolvedNetwork,
        weights: &'a Weights,
        device: Device,
    ) -> Result<Self, TrainError> {
        evaluate(network, weights, &vec![0; network.input.len()])?;
        let steps = network.steps.iter();
        let linear = steps.map(|step| linear(step, weights, device));
        Ok(Self {
            network,
            weights,
            device,
            linear: linear.collect::<Result<_, _>>()?,
        })
    }

    /// The outputs for images given as integers, one after the other.
    pub(super) fn outputs(&self, images: &[i64]) -> Result<Vec<i64>, TrainError> {
        let len = self.network.input.len();
        let mut outputs = Vec::new();
        if !is_exact(self.network) {
            for image in images.chunks_exact(len) {
                outputs.extend(evaluate(self.network, self.weights, image)?);
            }
            return Ok(outputs);
        }
        for batch in images.chunks(len * batch_size(self.network)) {
            outputs.extend(self.batch(batch)?);
        }
        Ok(outputs)
    }

    fn batch(&self, images: &[i64]) -> Result<Vec<i64>, TrainError> {
        let shape = self.network.input;
        let sizes = [shape.channels, shape.height, shape.width].map(|size| size as i64);
        let integers: Vec<f64> = images.iter().map(|x| *x as f64).collect();
        let input = Tensor::f_from_slice(&integers)?
            .f_reshape([-1, sizes[0], sizes[1], sizes[2]])?
            .f_to_device(self.device)?;
        let steps = &self.network.steps;
        let inputs: Vec<&[Source]> = steps.iter().map(|step| step.inputs.as_slice()).collect();
        let outputs = run_graph(input, &inputs, |index, operands| {
            self.apply(&steps[index], self.linear[index].as_ref(), operands)
        })?;
        let outputs: Vec<f64> = values(&outputs)?;
        Ok(outputs.iter().map(|y| *y as i64).collect())
    }

    fn apply(
        &self,
        step: &Step,
        linear: Option<&Linear>,
        operands: &[&Tensor],
    ) -> Result<Tensor, TrainError> {
        let x = operands[0];
        Ok(match &step.kind {
            StepKind::Linear(kind) => match linear {
                Some(linear) => multiply(step, kind, linear, x)?,
                None => x.shallow_clone(),
            },
            StepKind::Relu(to) | StepKind::Requantize(to) => requantize(x, *to)?,
            StepKind::Clip(to, max) => requantize(x, *to)?.f_clamp_max(*max)?,
            StepKind::Square | StepKind::Argmax => return Err(not_trained(step.kind.name())),
            StepKind::MaxPool(pool, to) => {
                let (kernel, stride) = windows(pool);
                let max = x.f_max_pool2d(kernel, stride, [0, 0], [1, 1], false)?;
                requantize(&max, *to)?
            }
            StepKind::SumPool(pool) => {
                let (kernel, stride) = windows(pool);
                x.f_avg_pool2d(kernel, stride, [0, 0], false, true, 1)?
            }
            StepKind::Flatten => x.f_reshape([-1, step.shape_out.len() as i64, 1, 1])?,
            StepKind::Add(shifts) => {
                let shifted = |x: &Tensor, shift: u32| x.f_mul_scalar(power_of_two(shift as i32));
                shifted(x, shifts[0])?.f_add(&shifted(operands[1], shifts[1])?)?
            }
        })
    }
}

/// Whether all values of a network are exact as 64-bit floats, halves added for rounding included.
fn is_exact(network: &ResolvedNetwork) -> bool {
    network.steps.iter().all(|step| {
        let half = step
            .kind
            .requantize()
            .map_or(0, |r| (1_u64 << r.shift) >> 1);
        let operand = step.range_in.magnitude().saturating_add(half);
        operand < EXACT && step.range_out.magnitude() < EXACT
    })
}

/// Images at once, so that no step's matrix gets too large.
fn batch_size(network: &ResolvedNetwork) -> usize {
    let matrix = |step: &Step| match &step.kind {
        StepKind::Linear(LayerKind::Conv(conv)) => {
            let places = step.shape_out.height * step.shape_out.width;
            step.shape_in.channels * conv.kernel[0] * conv.kernel[1] * places
        }
        _ => step.shape_in.len(),
    };
    let largest = network.steps.iter().map(matrix).max().unwrap_or(1).max(1);
    (MAX_BATCH_VALUES / largest).clamp(1, MAX_BATCH)
}

/// A linear step's matrix and bias.
fn linear(step: &Step, weights: &Weights, device: Device) -> Result<Option<Linear>, TrainError> {
    let (StepKind::Linear(kind), Some(layer)) = (&step.kind, weights.layers.get(&step.name)) else {
        return Ok(None);
    };
    let terms = kind.terms(step.shape_in) as i64;
    let matrix = |values: Vec<f64>, columns: i64| {
        Tensor::f_from_slice(&values)?
            .f_reshape([-1, columns])?
            .f_to_device(device)
    };
    let bias: Vec<f64> = layer.bias.iter().map(|b| *b as f64).collect();
    Ok(Some(Linear {
        weight: matrix(layer.weight.iter().map(|w| f64::from(*w)).collect(), terms)?,
        bias: if bias.is_empty() {
            None
        } else {
            Some(matrix(bias, 1)?)
        },
    }))
}

/// W·im2col(x) + bias, for each group of a convolution; a fully connected layer's matrix of inputs
/// has one column.
fn multiply(
    step: &Step,
    kind: &LayerKind,
    linear: &Linear,
    x: &Tensor,
) -> Result<Tensor, TrainError> {
    let terms = kind.terms(step.shape_in) as i64;
    let outputs = step.shape_out.channels as i64;
    let product = match kind {
        LayerKind::Conv(conv) => {
            let groups = conv.groups as i64;
            let places = (step.shape_out.height * step.shape_out.width) as i64;
            let columns = im2col(conv, x)?.f_reshape([-1, groups, terms, places])?;
            let weight = linear.weight.f_reshape([groups, -1, terms])?;
            weight
                .f_matmul(&columns)?
                .f_reshape([-1, outputs, places])?
        }
        _ => linear.weight.f_matmul(&x.f_reshape([-1, terms, 1])?)?,
    };
    let sums = match &linear.bias {
        Some(bias) => product.f_add(bias)?,
        None => product,
    };
    let out = step.shape_out;
    let sizes = [out.channels, out.height, out.width].map(|size| size as i64);
    Ok(sums.f_reshape([-1, sizes[0], sizes[1], sizes[2]])?)
}

/// `[images, in channels · kernel, places]`: the inputs of each output, zeros as padding.
fn im2col(conv: &ConvParams, x: &Tensor) -> Result<Tensor, TrainError> {
    let pair = |values: [usize; 2]| values.map(|value| value as i64);
    let (padding, stride) = (pair(conv.padding), pair(conv.stride));
    Ok(x.f_im2col(pair(conv.kernel), pair(conv.dilation), padding, stride)?)
}

fn requantize(x: &Tensor, to: Requantize) -> Result<Tensor, TrainError> {
    let half = ((1_u64 << to.shift) >> 1) as f64;
    let shifted = x
        .f_add_scalar(half)?
        .f_mul_scalar(power_of_two(-(to.shift as i32)))?
        .f_floor()?;
    let (low, high) = if to.signed {
        let half_range = power_of_two(to.output_bits as i32 - 1);
        (-half_range, half_range - 1.0)
    } else {
        (0.0, power_of_two(to.output_bits as i32) - 1.0)
    };
    Ok(shifted.f_clamp(low, high)?)
}

fn power_of_two(exponent: i32) -> f64 {
    libm::exp2(f64::from(exponent))
}

fn windows(pool: &PoolParams) -> ([i64; 2], [i64; 2]) {
    let pair = |values: [usize; 2]| values.map(|value| value as i64);
    (pair(pool.kernel), pair(pool.stride))
}

/// Share of images whose greatest output is that of their label; of equals the first counts.
pub(super) fn accuracy(
    model: &QuantizedModel<'_>,
    images: &Images,
    normalization: &Normalization,
) -> Result<f64, TrainError> {
    let network = model.network;
    let tables = normalization.integers(model.weights.input_exponent, network.input_range);
    let plane = network.input.height * network.input.width;
    let classes = network.steps.last().map_or(1, |step| step.shape_out.len());
    let chunk = batch_size(network);
    let mut right = 0;
    for first in (0..images.len()).step_by(chunk) {
        let range = first..images.len().min(first + chunk);
        let mut integers = Vec::with_capacity(range.len() * network.input.len());
        for index in range.clone() {
            let pixels = images.image(index).iter().enumerate();
            integers.extend(pixels.map(|(i, byte)| tables[i / plane][usize::from(*byte)]));
        }
        let outputs = model.outputs(&integers)?;
        let labels = &images.labels()[range];
        right += count_right(&outputs, labels, classes);
    }
    Ok(right as f64 / images.len().max(1) as f64)
}

/// How many rows of outputs have their greatest value, the first of equals, at their label.
pub(super) fn count_right<T: PartialOrd>(outputs: &[T], labels: &[u8], classes: usize) -> usize {
    let rows = outputs.chunks_exact(classes.max(1)).zip(labels);
    rows.filter(|(row, label)| {
        let label = usize::from(**label);
        let (before, after) = row.split_at(label.min(classes));
        after.first().is_some_and(|value| {
            before.iter().all(|other| other < value) && after.iter().all(|other| other <= value)
        })
    })
    .count()
}

#[cfg(test)]
mod tests;
