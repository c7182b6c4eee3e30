//! Integer weights of a network with the exponents that give them their scale.
//!
//! A value is integer · 2^exponent; there is one exponent for the input, for each linear layer's
//! weights and for each activation's output. Weights lie in ±(2^(l_f−1) − 1). A bias is held at the
//! scale of its layer's accumulator, 2^(e_in + e_w). Weights are the server's secret: printing
//! them for debugging shows names and sizes only.

use std::collections::BTreeMap;
use std::fmt;

use super::error::NetworkError;
use super::layer::{LayerKind, LayerParams, NetworkParams, Shape, Source};
use super::resolved::ValueRange;

/// Exponents lie within ± this.
const MAX_EXPONENT: i64 = 1000;

/// Weights and bias of a linear layer.
#[derive(Clone, PartialEq, Eq)]
pub struct LayerWeights {
    /// `[out, in / groups, kernel h, kernel w]` or `[outputs, inputs]`, the last index fastest.
    pub weight: Vec<i32>,
    /// One an output channel, at the accumulator's scale; empty for a layer without bias.
    pub bias: Vec<i64>,
    /// Exponent of the weights.
    pub exponent: i32,
}

/// Weights of a network.
#[derive(Clone, PartialEq, Eq)]
pub struct Weights {
    /// Exponent of the input.
    pub input_exponent: i32,
    /// Linear layers by name.
    pub layers: BTreeMap<String, LayerWeights>,
    /// Exponents of the results of activations by the step's name: ReLUs, max pools and inserted
    /// re-quantizations (`ResolvedNetwork::activation_names`).
    pub activations: BTreeMap<String, i32>,
}

impl fmt::Debug for LayerWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (weights, biases) = (self.weight.len(), self.bias.len());
        write!(f, "LayerWeights({weights} weights, {biases} biases)")
    }
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Weights").field(&self.layers).finish()
    }
}

impl LayerWeights {
    /// max over outputs of Σ|w|·x_max + |bias|, with `terms` weights an output.
    pub fn magnitude(&self, terms: usize, x_max: u64) -> u128 {
        let sum = |row: &[i32]| {
            row.iter()
                .map(|w| u128::from(w.unsigned_abs()))
                .sum::<u128>()
        };
        let rows = self.weight.chunks_exact(terms.max(1)).enumerate();
        rows.map(|(output, row)| {
            let bias = self.bias.get(output).map_or(0, |b| b.unsigned_abs());
            sum(row) * u128::from(x_max) + u128::from(bias)
        })
        .max()
        .unwrap_or(0)
    }
}

impl Weights {
    /// Holds weights against their network: every linear layer is there with its shapes, every
    /// weight fits its bits, nothing else is there. The names of activations are checked by
    /// [`NetworkParams::resolve`].
    ///
    /// # Errors
    /// Those of [`NetworkParams::shapes`]; the tensor that is missing, unknown, of the wrong shape
    /// or out of range.
    pub fn check(&self, network: &NetworkParams) -> Result<(), NetworkError> {
        let shapes = network.shapes()?;
        let operand = |layer: &LayerParams| match layer.inputs[0] {
            Source::Input => network.input,
            Source::Layer(index) => shapes[index],
        };
        for layer in network.layers.iter().filter(|l| l.kind.is_linear()) {
            let Some(weights) = self.layers.get(&layer.name) else {
                let tensor = format!("{}.weight", layer.name);
                return Err(NetworkError::MissingTensor { tensor });
            };
            weights.check(layer, operand(layer))?;
        }
        let linear = |name: &str| {
            let mut layers = network.layers.iter().filter(|l| l.kind.is_linear());
            layers.any(|layer| layer.name == name)
        };
        if let Some(name) = self.layers.keys().find(|name| !linear(name)) {
            let tensor = format!("{name}.weight");
            return Err(NetworkError::UnknownTensor { tensor });
        }
        check_exponent("input", self.input_exponent)?;
        let mut activations = self.activations.iter();
        activations.try_for_each(|(name, exponent)| check_exponent(name, *exponent))
    }

    /// Exponent of an activation's result.
    ///
    /// # Errors
    /// [`NetworkError::MissingTensor`] if there is none.
    pub fn activation_exponent(&self, step: &str) -> Result<i32, NetworkError> {
        let exponent = self.activations.get(step).copied();
        exponent.ok_or_else(|| NetworkError::MissingTensor {
            tensor: format!("{step}.exponent"),
        })
    }
}

impl LayerWeights {
    /// Whether there are as many weights and biases as a layer over `input` has.
    pub(super) fn check_sizes(
        &self,
        layer: &str,
        kind: &LayerKind,
        input: Shape,
    ) -> Result<(), NetworkError> {
        let expected = weight_shape(kind, input);
        let biases = match expected.first() {
            Some(outputs) if kind.has_bias() => *outputs,
            _ => 0,
        };
        check_len(layer, "weight", self.weight.len(), expected)?;
        check_len(layer, "bias", self.bias.len(), vec![biases])
    }

    fn check(&self, layer: &LayerParams, input: Shape) -> Result<(), NetworkError> {
        self.check_sizes(&layer.name, &layer.kind, input)?;
        let w_max = max_weight(&layer.kind);
        let outside = |w: &i32| i64::from(w.unsigned_abs()) > w_max;
        if let Some(index) = self.weight.iter().position(outside) {
            return Err(NetworkError::TensorValue {
                tensor: format!("{}.weight", layer.name),
                index,
                given: self.weight[index].into(),
                range: ValueRange {
                    low: -w_max,
                    high: w_max,
                },
            });
        }
        check_exponent(&layer.name, self.exponent)
    }
}

/// Shape of a linear layer's weight tensor; empty for other layers.
pub(super) fn weight_shape(kind: &LayerKind, input: Shape) -> Vec<usize> {
    match kind {
        LayerKind::Conv(conv) => {
            let [height, width] = conv.kernel;
            vec![
                conv.out_channels,
                input.channels / conv.groups,
                height,
                width,
            ]
        }
        LayerKind::Fc(fc) => vec![fc.outputs, input.len()],
        _ => Vec::new(),
    }
}

/// w_max = 2^(l_f−1) − 1.
pub(super) fn max_weight(kind: &LayerKind) -> i64 {
    let bits = kind.quantizer().map_or(1, |q| q.weight_bits);
    (1 << (bits - 1)) - 1
}

fn check_len(
    layer: &str,
    field: &str,
    given: usize,
    expected: Vec<usize>,
) -> Result<(), NetworkError> {
    if given != expected.iter().product::<usize>() {
        return Err(NetworkError::TensorShape {
            tensor: format!("{layer}.{field}"),
            given: vec![given],
            expected,
        });
    }
    Ok(())
}

fn check_exponent(name: &str, exponent: i32) -> Result<(), NetworkError> {
    let range = ValueRange {
        low: -MAX_EXPONENT,
        high: MAX_EXPONENT,
    };
    let given = i64::from(exponent);
    if given < range.low || given > range.high {
        return Err(NetworkError::TensorValue {
            tensor: format!("{name}.exponent"),
            index: 0,
            given,
            range,
        });
    }
    Ok(())
}
