//! Trained weights before quantization, and their file: safetensors, 32-bit floats.
//!
//! Tensors are `<layer>.weight` (`[out, in, kernel h, kernel w]` or `[outputs, inputs]`) and
//! `<layer>.bias`; `input.mean` and `input.deviation` hold how pixels were normalized. A file is
//! hostile until read: names, types, shapes and finiteness are checked. Weights are the server's
//! secret: printing them for debugging shows names and sizes only.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use rand::Rng;
use rand_distr::{Distribution as _, StandardNormal};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::dataset::Normalization;
use super::error::TrainError;
use crate::network::{LayerKind, NetworkParams, Source};

/// Value of the metadata field `format`.
const FORMAT: &str = "nass float weights 1";

/// Weights and bias of a linear layer.
#[derive(Clone, PartialEq)]
pub struct FloatLayer {
    /// Sizes of the weight tensor.
    pub shape: Vec<usize>,
    /// The weights, the last index fastest.
    pub weight: Vec<f32>,
    /// One an output channel; empty for a layer without bias.
    pub bias: Vec<f32>,
}

/// Weights of a network.
#[derive(Clone, PartialEq)]
pub struct FloatWeights {
    /// Linear layers by name.
    pub layers: BTreeMap<String, FloatLayer>,
    /// How the input was normalized.
    pub normalization: Normalization,
}

impl fmt::Debug for FloatLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FloatLayer({:?}, {} biases)",
            self.shape,
            self.bias.len()
        )
    }
}

impl fmt::Debug for FloatWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FloatWeights").field(&self.layers).finish()
    }
}

impl FloatWeights {
    /// The bytes of a file; equal weights give equal bytes.
    ///
    /// # Errors
    /// [`TrainError::WeightsFile`] if a tensor's values do not fill its shape.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, TrainError> {
        let normalization = &self.normalization;
        let mut tensors = vec![
            tensor("input.mean".to_owned(), &normalization.mean, None),
            tensor("input.deviation".to_owned(), &normalization.deviation, None),
        ];
        for (name, layer) in &self.layers {
            let shape = Some(layer.shape.clone());
            tensors.push(tensor(format!("{name}.weight"), &layer.weight, shape));
            if !layer.bias.is_empty() {
                tensors.push(tensor(format!("{name}.bias"), &layer.bias, None));
            }
        }
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
                Ok((name.as_str(), view.map_err(refuse)?))
            })
            .collect::<Result<Vec<_>, TrainError>>()?;
        let format = HashMap::from([("format".to_owned(), FORMAT.to_owned())]);
        safetensors::serialize(views, Some(format)).map_err(refuse)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`TrainError::WeightsFile`] for other bytes, [`TrainError::Tensor`] for a tensor that is
    /// missing, unknown, of another type or size, or not finite.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, TrainError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(refuse)?;
        let format = metadata.metadata().as_ref().and_then(|m| m.get("format"));
        if format.is_none_or(|format| format != FORMAT) {
            let message = format!("format is {format:?}; expected {FORMAT:?}");
            return Err(TrainError::WeightsFile { message });
        }
        let file = SafeTensors::deserialize(bytes).map_err(refuse)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            tensors.insert(
                name.to_owned(),
                (view.shape().to_vec(), floats(name, &view)?),
            );
        }
        let mut vector = |name: &str| match tensors.remove(name) {
            Some((_, values)) if !values.is_empty() => Ok(values),
            _ => Err(misfit(name, "missing or empty", "one value a channel")),
        };
        let normalization = Normalization {
            mean: vector("input.mean")?,
            deviation: vector("input.deviation")?,
        };
        let positive = normalization.deviation.iter().all(|d| *d > 0.0);
        if normalization.deviation.len() != normalization.mean.len() || !positive {
            let expected = "values above 0, as many as in `input.mean`";
            return Err(misfit("input.deviation", "other values", expected));
        }
        Ok(Self {
            layers: layers(tensors)?,
            normalization,
        })
    }

    /// Holds weights against their network: every linear layer is there with its sizes, and no other.
    ///
    /// # Errors
    /// Those of [`NetworkParams::shapes`]; [`TrainError::Tensor`] with the first that doesn't fit.
    pub fn check(&self, network: &NetworkParams) -> Result<(), TrainError> {
        let linear = linear_shapes(network)?;
        for LinearShape {
            name,
            weight,
            biases,
            ..
        } in &linear
        {
            let tensor = format!("{name}.weight");
            let Some(layer) = self.layers.get(*name) else {
                return Err(misfit(&tensor, "missing", "one for this network"));
            };
            if layer.shape != *weight || layer.weight.len() != weight.iter().product::<usize>() {
                let given = format!("of shape {:?}", layer.shape);
                return Err(misfit(&tensor, &given, &format!("{weight:?}")));
            }
            if layer.bias.len() != *biases {
                let given = format!("{} values", layer.bias.len());
                return Err(misfit(&format!("{name}.bias"), &given, &biases.to_string()));
            }
        }
        let known = |name: &String| linear.iter().any(|shape| shape.name == name);
        match self.layers.keys().find(|name| !known(name)) {
            Some(name) => {
                let tensor = format!("{name}.weight");
                Err(misfit(&tensor, "unknown", "none of this name"))
            }
            None => Ok(()),
        }
    }

    /// Weights to start a training from: normal with variance 2/fan-in (He et al. 2015), 1/fan-in for
    /// the last linear layer; biases 0.
    ///
    /// # Errors
    /// Those of [`NetworkParams::shapes`].
    pub fn initial(
        network: &NetworkParams,
        normalization: Normalization,
        rng: &mut impl Rng,
    ) -> Result<Self, TrainError> {
        let linear = linear_shapes(network)?;
        let mut layers = BTreeMap::new();
        for (index, shape) in linear.iter().enumerate() {
            let fan_in: usize = shape.weight[1..].iter().product();
            let gain = if index + 1 == linear.len() { 1.0 } else { 2.0 };
            let deviation = (gain / fan_in as f32).sqrt();
            let count = shape.weight.iter().product();
            let mut normal = || -> f32 { StandardNormal.sample(rng) };
            let weights = (0..count).map(|_| deviation * normal());
            let layer = FloatLayer {
                weight: weights.collect(),
                bias: vec![0.0; shape.biases],
                shape: shape.weight.clone(),
            };
            layers.insert(shape.name.to_owned(), layer);
        }
        Ok(Self {
            layers,
            normalization,
        })
    }
}

/// What a linear layer needs.
pub(super) struct LinearShape<'a> {
    pub(super) name: &'a str,
    /// Sizes of the weight tensor.
    pub(super) weight: Vec<usize>,
    pub(super) biases: usize,
}

/// What the linear layers need, in the network's order.
pub(super) fn linear_shapes(network: &NetworkParams) -> Result<Vec<LinearShape<'_>>, TrainError> {
    let shapes = network.shapes()?;
    let mut found = Vec::new();
    for layer in &network.layers {
        let input = match layer.inputs[0] {
            Source::Input => network.input,
            Source::Layer(index) => shapes[index],
        };
        let weight = match &layer.kind {
            LayerKind::Conv(conv) => {
                let [height, width] = conv.kernel;
                let read = input.channels / conv.groups;
                vec![conv.out_channels, read, height, width]
            }
            LayerKind::Fc(fc) => vec![fc.outputs, input.len()],
            _ => continue,
        };
        found.push(LinearShape {
            name: &layer.name,
            biases: if layer.kind.has_bias() { weight[0] } else { 0 },
            weight,
        });
    }
    Ok(found)
}

fn tensor(
    name: String,
    values: &[f32],
    shape: Option<Vec<usize>>,
) -> (String, Vec<usize>, Vec<u8>) {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    let shape = shape.unwrap_or_else(|| vec![values.len()]);
    (name, shape, bytes.collect())
}

/// The finite 32-bit floats of a tensor.
fn floats(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, TrainError> {
    if view.dtype() != Dtype::F32 {
        return Err(misfit(
            name,
            &format!("{:?}", view.dtype()),
            "32-bit floats",
        ));
    }
    let (words, _) = view.data().as_chunks::<4>();
    let values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        let given = format!("element {index} is {}", values[index]);
        return Err(misfit(name, &given, "finite numbers"));
    }
    Ok(values)
}

/// Weights and biases by layer; a bias must belong to a weight.
fn layers(
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
) -> Result<BTreeMap<String, FloatLayer>, TrainError> {
    let (mut layers, mut biases) = (BTreeMap::new(), Vec::new());
    for (name, (shape, weight)) in tensors {
        if let Some(layer) = name.strip_suffix(".weight") {
            let bias = Vec::new();
            let layer = (
                layer.to_owned(),
                FloatLayer {
                    shape,
                    weight,
                    bias,
                },
            );
            layers.extend([layer]);
        } else {
            biases.push((name, weight));
        }
    }
    for (name, bias) in biases {
        let layer = name
            .strip_suffix(".bias")
            .and_then(|name| layers.get_mut(name));
        let Some(layer) = layer.filter(|layer| layer.shape.first() == Some(&bias.len())) else {
            let expected = "a bias with one value an output of its weight";
            return Err(misfit(&name, &format!("{} values", bias.len()), expected));
        };
        layer.bias = bias;
    }
    Ok(layers)
}

fn refuse(error: safetensors::SafeTensorError) -> TrainError {
    TrainError::WeightsFile {
        message: error.to_string(),
    }
}

fn misfit(tensor: &str, given: &str, expected: &str) -> TrainError {
    TrainError::Tensor {
        tensor: tensor.to_owned(),
        given: given.to_owned(),
        expected: expected.to_owned(),
    }
}

#[cfg(test)]
mod tests;
