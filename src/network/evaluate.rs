//! Exact integer inference in the clear: the oracle that everything else is held against.
//!
//! y = Σ w·x + bias in i64, zeros as padding; `clamp((x + 2^(shift−1)) >> shift)` where an
//! activation re-quantizes, and the lesser of that and its maximum for a clip; x² for a square; the first of the greatest for an
//! argmax; sums over windows for average pools; left shifts before additions.
//! Every sum is known to stay below 2^62 before it is formed: the bounds that
//! `NetworkParams::resolve` computed are checked against the weights and the input first.
//! The rows of a channel are added filter weight by filter weight, so that the inner loop runs
//! along contiguous values; the tests hold this against the definition.

use super::error::NetworkError;
use super::layer::{ConvParams, LayerKind, PoolParams, Shape, Source};
use super::resolved::{ResolvedNetwork, Step, StepKind};
use super::weights::{LayerWeights, Weights};

/// The network's output for one input, both channel by channel, row by row.
///
/// # Errors
/// Those of [`evaluate_steps`].
pub fn evaluate(
    network: &ResolvedNetwork,
    weights: &Weights,
    input: &[i64],
) -> Result<Vec<i64>, NetworkError> {
    let mut values = evaluate_steps(network, weights, input)?;
    Ok(values.pop().unwrap_or_default())
}

/// The results of all steps for one input, in the order of the steps.
///
/// # Errors
/// An input of the wrong length or out of range; weights that are missing, have the wrong size, or
/// allow sums beyond those the network was resolved for.
pub fn evaluate_steps(
    network: &ResolvedNetwork,
    weights: &Weights,
    input: &[i64],
) -> Result<Vec<Vec<i64>>, NetworkError> {
    check_input(network, input)?;
    let mut values: Vec<Vec<i64>> = Vec::with_capacity(network.steps.len());
    for step in &network.steps {
        let layer = match &step.kind {
            StepKind::Linear(kind) => Some(checked_weights(step, kind, weights)?),
            _ => None,
        };
        let operands: Vec<&[i64]> = step
            .inputs
            .iter()
            .map(|source| match source {
                Source::Input => input,
                Source::Layer(index) => values[*index].as_slice(),
            })
            .collect();
        let value = run_step(step, layer, &operands);
        values.push(value);
    }
    Ok(values)
}

fn check_input(network: &ResolvedNetwork, input: &[i64]) -> Result<(), NetworkError> {
    if input.len() != network.input.len() {
        return Err(NetworkError::InputLength {
            given: input.len(),
            expected: network.input.len(),
        });
    }
    let range = network.input_range;
    let outside = |x: &i64| *x < range.low || *x > range.high;
    if let Some(index) = input.iter().position(outside) {
        return Err(NetworkError::InputValue {
            index,
            given: input[index],
            range,
        });
    }
    Ok(())
}

/// A linear step's weights, if their sums stay in the step's range.
fn checked_weights<'a>(
    step: &Step,
    kind: &LayerKind,
    weights: &'a Weights,
) -> Result<&'a LayerWeights, NetworkError> {
    let Some(layer) = weights.layers.get(&step.name) else {
        let tensor = format!("{}.weight", step.name);
        return Err(NetworkError::MissingTensor { tensor });
    };
    layer.check_sizes(&step.name, kind, step.shape_in)?;
    let given = layer.magnitude(kind.terms(step.shape_in), step.range_in.magnitude());
    let bound = step.range_out.magnitude();
    if given > bound.into() {
        return Err(NetworkError::SumsExceedRange {
            layer: step.name.clone(),
            given,
            bound,
        });
    }
    Ok(layer)
}

/// The result of one step; a linear step has weights that fit it.
pub(super) fn run_step(
    step: &Step,
    weights: Option<&LayerWeights>,
    operands: &[&[i64]],
) -> Vec<i64> {
    let x = operands[0];
    match (&step.kind, weights) {
        (StepKind::Linear(LayerKind::Conv(conv)), Some(weights)) => {
            convolve(conv, weights, (step.shape_in, step.shape_out), x)
        }
        (StepKind::Linear(_), Some(weights)) => multiply(weights, x),
        (StepKind::Linear(_), None) | (StepKind::Flatten, _) => x.to_vec(),
        (StepKind::Relu(requantize) | StepKind::Requantize(requantize), _) => {
            x.iter().map(|x| requantize.apply(*x)).collect()
        }
        (StepKind::Clip(requantize, max), _) => {
            x.iter().map(|x| requantize.apply(*x).min(*max)).collect()
        }
        (StepKind::Square, _) => x.iter().map(|x| x * x).collect(),
        (StepKind::Argmax, _) => {
            let first =
                |best: (i64, i64), next: (i64, i64)| if next.1 > best.1 { next } else { best };
            let place = (0..).zip(x.iter().copied()).reduce(first);
            place.map(|(place, _)| place).into_iter().collect()
        }
        (StepKind::MaxPool(pool, requantize), _) => {
            let fold = |window: &mut dyn Iterator<Item = i64>| {
                window.max().map_or(0, |max| requantize.apply(max))
            };
            over_windows(*pool, (step.shape_in, step.shape_out), x, fold)
        }
        (StepKind::SumPool(pool), _) => {
            let fold = |window: &mut dyn Iterator<Item = i64>| window.sum();
            over_windows(*pool, (step.shape_in, step.shape_out), x, fold)
        }
        (StepKind::Add(shifts), _) => {
            let pairs = x.iter().zip(operands[1]);
            pairs
                .map(|(x, y)| (x << shifts[0]) + (y << shifts[1]))
                .collect()
        }
    }
}

/// A matrix times a vector, plus the bias.
fn multiply(weights: &LayerWeights, x: &[i64]) -> Vec<i64> {
    let rows = weights.weight.chunks_exact(x.len().max(1)).enumerate();
    rows.map(|(output, row)| {
        let sum: i64 = row.iter().zip(x).map(|(w, x)| i64::from(*w) * x).sum();
        sum + weights.bias.get(output).copied().unwrap_or(0)
    })
    .collect()
}

fn convolve(
    conv: &ConvParams,
    weights: &LayerWeights,
    (shape_in, shape_out): (Shape, Shape),
    x: &[i64],
) -> Vec<i64> {
    let (plane_in, plane_out) = (
        shape_in.height * shape_in.width,
        shape_out.height * shape_out.width,
    );
    let filter = conv.kernel[0] * conv.kernel[1];
    // Channels that an output reads, and outputs that read the same ones.
    let read = shape_in.channels / conv.groups;
    let together = shape_out.channels / conv.groups;
    let mut y = vec![0; shape_out.len()];
    for (output, sums) in y.chunks_exact_mut(plane_out).enumerate() {
        sums.fill(weights.bias.get(output).copied().unwrap_or(0));
        let own = x[output / together * read * plane_in..].chunks_exact(plane_in);
        for (channel, plane) in own.take(read).enumerate() {
            let first = (output * read + channel) * filter;
            for (tap, weight) in weights.weight[first..first + filter].iter().enumerate() {
                let place = [tap / conv.kernel[1], tap % conv.kernel[1]];
                let tap = Tap::new(conv, place, (shape_in, shape_out));
                tap.accumulate(i64::from(*weight), plane, sums);
            }
        }
    }
    y
}

/// One place of a filter: which outputs it touches, and where their inputs lie.
struct Tap {
    stride: [usize; 2],
    /// First and one past last output row and column whose input lies inside.
    rows: [usize; 2],
    columns: [usize; 2],
    /// Input row and column of output (0, 0), padding included as negative.
    origin: [isize; 2],
    width_in: usize,
    width_out: usize,
}

impl Tap {
    fn new(conv: &ConvParams, place: [usize; 2], (shape_in, shape_out): (Shape, Shape)) -> Self {
        let origin = [0, 1]
            .map(|axis| (place[axis] * conv.dilation[axis]) as isize - conv.padding[axis] as isize);
        // The outputs o with 0 <= o * stride + origin < size.
        let touched = |axis: usize, size: usize, outputs: usize| {
            let past = |limit: isize| (limit.max(0) as usize).div_ceil(conv.stride[axis]);
            let end = past(size as isize - origin[axis]).min(outputs);
            [past(-origin[axis]).min(end), end]
        };
        Self {
            stride: conv.stride,
            rows: touched(0, shape_in.height, shape_out.height),
            columns: touched(1, shape_in.width, shape_out.width),
            origin,
            width_in: shape_in.width,
            width_out: shape_out.width,
        }
    }

    /// Adds `weight` times the inputs of a channel to the outputs they belong to.
    fn accumulate(&self, weight: i64, plane: &[i64], sums: &mut [i64]) {
        let [first, end] = self.columns;
        if weight == 0 || first == end {
            return;
        }
        let left = (self.origin[1] + (first * self.stride[1]) as isize) as usize;
        for row in self.rows[0]..self.rows[1] {
            let row_in = (self.origin[0] + (row * self.stride[0]) as isize) as usize;
            let sums = &mut sums[row * self.width_out + first..row * self.width_out + end];
            let inputs = &plane[row_in * self.width_in + left..(row_in + 1) * self.width_in];
            if self.stride[1] == 1 {
                for (sum, x) in sums.iter_mut().zip(inputs) {
                    *sum += weight * x;
                }
            } else {
                for (sum, x) in sums.iter_mut().zip(inputs.iter().step_by(self.stride[1])) {
                    *sum += weight * x;
                }
            }
        }
    }
}

/// Folds every window of every channel to one value.
fn over_windows(
    pool: PoolParams,
    (shape_in, shape_out): (Shape, Shape),
    x: &[i64],
    fold: impl Fn(&mut dyn Iterator<Item = i64>) -> i64,
) -> Vec<i64> {
    let mut y = Vec::with_capacity(shape_out.len());
    for plane in x.chunks_exact(shape_in.height * shape_in.width) {
        for row in 0..shape_out.height {
            for column in 0..shape_out.width {
                let (top, left) = (row * pool.stride[0], column * pool.stride[1]);
                let mut window = (0..pool.kernel[0] * pool.kernel[1]).map(|i| {
                    let (row, column) = (top + i / pool.kernel[1], left + i % pool.kernel[1]);
                    plane[row * shape_in.width + column]
                });
                y.push(fold(&mut window));
            }
        }
    }
    y
}

#[cfg(test)]
mod tests;
