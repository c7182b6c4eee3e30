//! A network on float tensors: the forward pass that training differentiates.
//!
//! A [`NetworkParams`] and [`FloatWeights`] go in; a batch `[images, c, h, w]` becomes outputs
//! `[images, classes]`. Layers mean what `network::evaluate` gives them, without quantization: an
//! average pool is a true mean here.

use tch::{Device, Tensor, nn::VarStore};

use super::error::TrainError;
use super::float_weights::{FloatLayer, FloatWeights};
use crate::network::{LayerKind, NetworkParams, Source};

/// Weights of a linear layer on a device.
struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

/// A network with its weights on a device.
pub(super) struct Model<'a> {
    network: &'a NetworkParams,
    /// By layer; nothing for layers without weights.
    linear: Vec<Option<Linear>>,
}

impl<'a> Model<'a> {
    /// A model whose weights belong to `variables`, so that an optimizer moves them.
    pub(super) fn new(
        network: &'a NetworkParams,
        weights: &FloatWeights,
        variables: &VarStore,
    ) -> Result<Self, TrainError> {
        weights.check(network)?;
        let root = variables.root();
        let variable = |name: String, values: &[f32], shape: &[usize]| {
            let shape: Vec<i64> = shape.iter().map(|size| *size as i64).collect();
            let values = Tensor::f_from_slice(values)?.f_reshape(shape)?;
            root.f_var_copy(&name, &values)
        };
        let mut linear = Vec::with_capacity(network.layers.len());
        for (index, layer) in network.layers.iter().enumerate() {
            let Some(layer) = weights.layers.get(&layer.name) else {
                linear.push(None);
                continue;
            };
            let weight = variable(format!("weight{index}"), &layer.weight, &layer.shape)?;
            let bias = match layer.bias.len() {
                0 => None,
                len => Some(variable(format!("bias{index}"), &layer.bias, &[len])?),
            };
            linear.push(Some(Linear { weight, bias }));
        }
        Ok(Self { network, linear })
    }

    /// The outputs for a batch, `[images, classes]`; `watch` sees the result of every layer.
    pub(super) fn forward(
        &self,
        images: Tensor,
        mut watch: impl FnMut(usize, &Tensor) -> Result<(), TrainError>,
    ) -> Result<Tensor, TrainError> {
        let layers = &self.network.layers;
        let inputs: Vec<&[Source]> = layers.iter().map(|l| l.inputs.as_slice()).collect();
        let outputs = run_graph(images, &inputs, |index, operands| {
            let value = self.apply(index, operands)?;
            watch(index, &value)?;
            Ok(value)
        })?;
        Ok(outputs.f_flatten(1, -1)?)
    }

    fn apply(&self, index: usize, operands: &[&Tensor]) -> Result<Tensor, TrainError> {
        let x = operands[0];
        let pair = |values: [usize; 2]| values.map(|value| value as i64);
        Ok(
            match (&self.network.layers[index].kind, &self.linear[index]) {
                (LayerKind::Conv(conv), Some(Linear { weight, bias })) => {
                    let (stride, padding) = (pair(conv.stride), pair(conv.padding));
                    let (dilation, groups) = (pair(conv.dilation), conv.groups as i64);
                    x.f_conv2d(weight, bias.as_ref(), stride, padding, dilation, groups)?
                }
                (_, Some(Linear { weight, bias })) => {
                    x.f_flatten(1, -1)?.f_linear(weight, bias.as_ref())?
                }
                (LayerKind::AvgPool(pool), None) => {
                    let (kernel, stride) = (pair(pool.kernel), pair(pool.stride));
                    x.f_avg_pool2d(kernel, stride, [0, 0], false, true, None)?
                }
                (LayerKind::MaxPool(pool), None) => {
                    let (kernel, stride) = (pair(pool.kernel), pair(pool.stride));
                    x.f_max_pool2d(kernel, stride, [0, 0], [1, 1], false)?
                }
                (LayerKind::Relu, None) => x.f_relu()?,
                (LayerKind::Add, None) => x.f_add(operands[1])?,
                (
                    kind @ (LayerKind::Clip { .. } | LayerKind::Square { .. } | LayerKind::Argmax),
                    None,
                ) => return Err(not_trained(kind.name())),
                (LayerKind::Flatten | LayerKind::Conv(_) | LayerKind::Fc(_), None) => {
                    x.f_flatten(1, -1)?.f_unsqueeze(-1)?.f_unsqueeze(-1)?
                }
            },
        )
    }

    /// The weights as they are now, in the layers and sizes of `like`.
    pub(super) fn weights(&self, like: &FloatWeights) -> Result<FloatWeights, TrainError> {
        let mut weights = like.clone();
        for (layer, linear) in self.network.layers.iter().zip(&self.linear) {
            let Some(Linear { weight, bias }) = linear else {
                continue;
            };
            let shape = like.layers[&layer.name].shape.clone();
            let layer_weights = FloatLayer {
                shape,
                weight: values(weight)?,
                bias: bias.as_ref().map_or_else(|| Ok(Vec::new()), values)?,
            };
            weights.layers.insert(layer.name.clone(), layer_weights);
        }
        Ok(weights)
    }
}

/// The refusal of a kind of layer that has no meaning for floating-point values, or no gradient.
pub(super) fn not_trained(kind: &str) -> TrainError {
    TrainError::Setting {
        field: "a layer",
        given: kind.to_owned(),
        expected: "one of the kinds that are trained: conv, fc, relu, pools, flatten, add",
    }
}

/// All values of a tensor, the last index fastest.
pub(super) fn values<T: tch::kind::Element + Copy>(tensor: &Tensor) -> Result<Vec<T>, TrainError> {
    let flat = tensor
        .f_detach()?
        .f_to_device(Device::Cpu)?
        .f_reshape([-1])?;
    Ok(Vec::try_from(flat)?)
}

/// Runs the nodes of a graph in order: `apply` gets a node's index and operands, earlier results or
/// the input. A result is dropped after its last reader; the last node's result comes back.
pub(super) fn run_graph(
    input: Tensor,
    inputs: &[&[Source]],
    mut apply: impl FnMut(usize, &[&Tensor]) -> Result<Tensor, TrainError>,
) -> Result<Tensor, TrainError> {
    let slot = |source: &Source| match source {
        Source::Input => 0,
        Source::Layer(index) => index + 1,
    };
    let mut last_reader = vec![usize::MAX; inputs.len() + 1];
    for (index, sources) in inputs.iter().enumerate() {
        sources
            .iter()
            .for_each(|source| last_reader[slot(source)] = index);
    }
    let mut results = vec![input];
    for (index, sources) in inputs.iter().enumerate() {
        let operands: Vec<&Tensor> = sources.iter().map(|s| &results[slot(s)]).collect();
        let result = apply(index, &operands)?;
        for source in *sources {
            if last_reader[slot(source)] == index {
                results[slot(source)] = Tensor::new();
            }
        }
        results.push(result);
    }
    Ok(results.swap_remove(inputs.len()))
}
