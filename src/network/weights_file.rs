//! Weights as a safetensors file, read and written.
//!
//! Tensors: `<layer>.weight` (I32, `[out, in, kernel h, kernel w]` or `[outputs, inputs]`),
//! `<layer>.bias` (I64, `[out]`, absent in a layer without bias), `<name>.exponent` (I32, `[1]`) for
//! each linear layer's weights, each activation's result and `input`. The metadata hold one entry,
//! `nass_weights = "1 <network>"`: the format's version and the network's name (one entry, because
//! their order in the file would not be repeatable). Whatever a file holds is checked against the
//! network; the same weights always give the same bytes.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::error::NetworkError;
use super::layer::{LayerParams, NetworkParams, Shape, Source};
use super::weights::{LayerWeights, Weights, weight_shape};

/// The metadata entry that marks the format.
const FORMAT: &str = "nass_weights";
/// Version of the format.
const VERSION: u32 = 1;

/// One tensor ready to be written.
struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Weights {
    /// The bytes of a file with these weights.
    ///
    /// # Errors
    /// Those of [`Weights::check`].
    pub fn to_safetensors(&self, network: &NetworkParams) -> Result<Vec<u8>, NetworkError> {
        self.check(network)?;
        let shapes = network.shapes()?;
        let mut tensors = vec![exponent_tensor("input", self.input_exponent)];
        for (layer, input) in linear_layers(network, &shapes) {
            let Some(weights) = self.layers.get(&layer.name) else {
                continue;
            };
            tensors.push(Tensor {
                name: format!("{}.weight", layer.name),
                dtype: Dtype::I32,
                shape: weight_shape(&layer.kind, input),
                bytes: weights
                    .weight
                    .iter()
                    .flat_map(|w| w.to_le_bytes())
                    .collect(),
            });
            if layer.kind.has_bias() {
                tensors.push(Tensor {
                    name: format!("{}.bias", layer.name),
                    dtype: Dtype::I64,
                    shape: vec![weights.bias.len()],
                    bytes: weights.bias.iter().flat_map(|b| b.to_le_bytes()).collect(),
                });
            }
            tensors.push(exponent_tensor(&layer.name, weights.exponent));
        }
        let activations = self.activations.iter();
        tensors.extend(activations.map(|(name, exponent)| exponent_tensor(name, *exponent)));
        let views = tensors
            .iter()
            .map(|tensor| {
                let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes)?;
                Ok((tensor.name.as_str(), view))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(refused)?;
        let metadata = HashMap::from([(FORMAT.to_owned(), format_of(network))]);
        safetensors::serialize(views, Some(metadata)).map_err(refused)
    }

    /// Reads weights of a network from the bytes of a file.
    ///
    /// # Errors
    /// Bytes that are no such file; a tensor that is missing, unknown, or of the wrong type, shape
    /// or values; those of [`NetworkParams::resolve`] with these weights.
    pub fn from_safetensors(bytes: &[u8], network: &NetworkParams) -> Result<Self, NetworkError> {
        let shapes = network.shapes()?;
        check_metadata(bytes, network)?;
        let file = SafeTensors::deserialize(bytes).map_err(refused)?;
        let mut tensors: BTreeMap<String, TensorView<'_>> = file.tensors().into_iter().collect();
        let input_exponent = take_exponent(&mut tensors, "input")?;
        let mut layers = BTreeMap::new();
        for (layer, input) in linear_layers(network, &shapes) {
            let name = layer.name.as_str();
            let shape = weight_shape(&layer.kind, input);
            let biases = vec![shape[0]];
            let weight = take_i32(&mut tensors, &format!("{name}.weight"), shape)?;
            let bias = if layer.kind.has_bias() {
                take_i64(&mut tensors, &format!("{name}.bias"), biases)?
            } else {
                Vec::new()
            };
            let exponent = take_exponent(&mut tensors, name)?;
            let weights = LayerWeights {
                weight,
                bias,
                exponent,
            };
            layers.insert(name.to_owned(), weights);
        }
        let mut activations = BTreeMap::new();
        let rest: Vec<String> = tensors.keys().cloned().collect();
        for tensor in rest {
            let Some(name) = tensor.strip_suffix(".exponent") else {
                return Err(NetworkError::UnknownTensor { tensor });
            };
            activations.insert(name.to_owned(), take_exponent(&mut tensors, name)?);
        }
        let weights = Self {
            input_exponent,
            layers,
            activations,
        };
        network.resolve(Some(&weights))?;
        Ok(weights)
    }
}

fn format_of(network: &NetworkParams) -> String {
    format!("{VERSION} {}", network.name)
}

fn check_metadata(bytes: &[u8], network: &NetworkParams) -> Result<(), NetworkError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(refused)?;
    let entries = header.metadata().as_ref();
    let given = entries.and_then(|entries| entries.get(FORMAT)).cloned();
    let expected = format_of(network);
    if given.as_ref() == Some(&expected) {
        return Ok(());
    }
    Err(NetworkError::Metadata {
        field: FORMAT,
        given,
        expected,
    })
}

/// The linear layers with the shapes of their inputs.
fn linear_layers<'a>(
    network: &'a NetworkParams,
    shapes: &'a [Shape],
) -> impl Iterator<Item = (&'a LayerParams, Shape)> {
    let linear = network.layers.iter().filter(|l| l.kind.is_linear());
    linear.map(|layer| match layer.inputs[0] {
        Source::Input => (layer, network.input),
        Source::Layer(index) => (layer, shapes[index]),
    })
}

fn exponent_tensor(name: &str, exponent: i32) -> Tensor {
    Tensor {
        name: format!("{name}.exponent"),
        dtype: Dtype::I32,
        shape: vec![1],
        bytes: exponent.to_le_bytes().to_vec(),
    }
}

/// Removes a tensor of a given type and shape and gives its bytes.
fn take<'a>(
    tensors: &mut BTreeMap<String, TensorView<'a>>,
    name: &str,
    (dtype, type_name): (Dtype, &'static str),
    expected: Vec<usize>,
) -> Result<&'a [u8], NetworkError> {
    let tensor = name.to_owned();
    let Some(view) = tensors.remove(name) else {
        return Err(NetworkError::MissingTensor { tensor });
    };
    if view.dtype() != dtype {
        return Err(NetworkError::TensorType {
            tensor,
            given: format!("{:?}", view.dtype()),
            expected: type_name,
        });
    }
    if view.shape() != expected {
        return Err(NetworkError::TensorShape {
            tensor,
            given: view.shape().to_vec(),
            expected,
        });
    }
    Ok(view.data())
}

fn take_i32(
    tensors: &mut BTreeMap<String, TensorView<'_>>,
    name: &str,
    shape: Vec<usize>,
) -> Result<Vec<i32>, NetworkError> {
    let bytes = take(tensors, name, (Dtype::I32, "I32"), shape)?;
    let (values, _) = bytes.as_chunks::<4>();
    Ok(values
        .iter()
        .map(|value| i32::from_le_bytes(*value))
        .collect())
}

fn take_i64(
    tensors: &mut BTreeMap<String, TensorView<'_>>,
    name: &str,
    shape: Vec<usize>,
) -> Result<Vec<i64>, NetworkError> {
    let bytes = take(tensors, name, (Dtype::I64, "I64"), shape)?;
    let (values, _) = bytes.as_chunks::<8>();
    Ok(values
        .iter()
        .map(|value| i64::from_le_bytes(*value))
        .collect())
}

fn take_exponent(
    tensors: &mut BTreeMap<String, TensorView<'_>>,
    name: &str,
) -> Result<i32, NetworkError> {
    let values = take_i32(tensors, &format!("{name}.exponent"), vec![1])?;
    Ok(values.first().copied().unwrap_or_default())
}

fn refused(error: safetensors::SafeTensorError) -> NetworkError {
    NetworkError::SafeTensors {
        message: error.to_string().replace('\n', " "),
    }
}

#[cfg(test)]
mod tests;
