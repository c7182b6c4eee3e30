//! What is inferred: a network as a list of named layers, plain data that serialises.
//!
//! The symbols are those of NASS (Bian et al. 2020, section 3.3): a linear layer has quantizers
//! `l_i` (its input) and `l_f` (its weights); an activation re-quantizes to the `l_i` of the linear
//! layer that follows it. Pools, flatten and add carry no quantizer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Channels, height and width of a value; a vector is `[len, 1, 1]`. Serialises as `[c, h, w]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "[usize; 3]", into = "[usize; 3]")]
pub struct Shape {
    /// Number of channels.
    pub channels: usize,
    /// Rows of a channel.
    pub height: usize,
    /// Columns of a channel.
    pub width: usize,
}

impl Shape {
    /// A shape from channels, height and width.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Self {
            channels,
            height,
            width,
        }
    }

    /// Number of values.
    pub const fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether there is no value at all.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}x{}x{}", self.channels, self.height, self.width))
    }
}

impl From<[usize; 3]> for Shape {
    fn from([channels, height, width]: [usize; 3]) -> Self {
        Self {
            channels,
            height,
            width,
        }
    }
}

impl From<Shape> for [usize; 3] {
    fn from(shape: Shape) -> Self {
        [shape.channels, shape.height, shape.width]
    }
}

/// Quantizers of a linear layer, in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quantizer {
    /// `l_i`: bits of the layer's input.
    pub input_bits: u32,
    /// `l_f`: bits of its weights, sign included.
    pub weight_bits: u32,
}

/// A convolution; weights are `[out_channels, in_channels / groups, kernel h, kernel w]`.
///
/// Channels are cut into `groups` equal runs, and outputs read the inputs of their own run only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConvParams {
    /// Number of output channels.
    pub out_channels: usize,
    /// Filter height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zero rows added above and below, zero columns added left and right.
    pub padding: [usize; 2],
    /// Vertical and horizontal distance of the inputs that neighbouring filter places read.
    pub dilation: [usize; 2],
    /// Number of groups, which divides both numbers of channels.
    pub groups: usize,
    /// Whether there is one bias an output channel.
    pub bias: bool,
    /// Bits of input and weights.
    pub quantizer: Quantizer,
    /// Width of the plaintext modulus where it is prescribed rather than derived.
    pub p_bits: Option<u32>,
}

/// A fully connected layer; weights are `[outputs, inputs]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FcParams {
    /// Number of outputs.
    pub outputs: usize,
    /// Whether there is one bias an output.
    pub bias: bool,
    /// Bits of input and weights.
    pub quantizer: Quantizer,
    /// Width of the plaintext modulus where it is prescribed rather than derived.
    pub p_bits: Option<u32>,
}

/// Window of a pool, without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PoolParams {
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
}

/// What a layer does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LayerKind {
    /// Convolution.
    Conv(ConvParams),
    /// Fully connected.
    Fc(FcParams),
    /// max(x, 0), re-quantized for what follows.
    Relu,
    /// min(max(x, 0), max), re-quantized for what follows; a ReLU6 where `max` stands for 6.
    Clip {
        /// Greatest output, in units of the output.
        max: u32,
    },
    /// x², of operands of `input_bits` bits; what follows re-quantizes where it must.
    Square {
        /// `l_i`: bits of its operand, to which sums of a linear layer are re-quantized if they have more.
        input_bits: u32,
    },
    /// Mean over windows: a sum on shares, its divisor carried into the next scale.
    AvgPool(PoolParams),
    /// Maximum over windows.
    MaxPool(PoolParams),
    /// Any shape to a vector, channel by channel, row by row.
    Flatten,
    /// Sum of two values of one shape (a skip connection).
    Add,
    /// Place of the first of the greatest values, counted from 0 in channel, row, column order; only as the
    /// last layer. Nothing else of the values is opened.
    Argmax,
}

impl LayerKind {
    /// The name used in files and tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Conv(_) => "conv",
            Self::Fc(_) => "fc",
            Self::Relu => "relu",
            Self::Clip { .. } => "clip",
            Self::Square { .. } => "square",
            Self::AvgPool(_) => "avg_pool",
            Self::MaxPool(_) => "max_pool",
            Self::Flatten => "flatten",
            Self::Add => "add",
            Self::Argmax => "argmax",
        }
    }

    /// Quantizer of a linear layer.
    pub const fn quantizer(&self) -> Option<Quantizer> {
        match self {
            Self::Conv(conv) => Some(conv.quantizer),
            Self::Fc(fc) => Some(fc.quantizer),
            Self::Relu
            | Self::Clip { .. }
            | Self::Square { .. }
            | Self::AvgPool(_)
            | Self::MaxPool(_)
            | Self::Flatten
            | Self::Add
            | Self::Argmax => None,
        }
    }

    /// Width of the plaintext modulus where a linear layer prescribes it.
    pub const fn p_bits(&self) -> Option<u32> {
        match self {
            Self::Conv(conv) => conv.p_bits,
            Self::Fc(fc) => fc.p_bits,
            Self::Relu
            | Self::Clip { .. }
            | Self::Square { .. }
            | Self::AvgPool(_)
            | Self::MaxPool(_)
            | Self::Flatten
            | Self::Add
            | Self::Argmax => None,
        }
    }

    /// Whether a linear layer has biases.
    pub const fn has_bias(&self) -> bool {
        match self {
            Self::Conv(conv) => conv.bias,
            Self::Fc(fc) => fc.bias,
            Self::Relu
            | Self::Clip { .. }
            | Self::Square { .. }
            | Self::AvgPool(_)
            | Self::MaxPool(_)
            | Self::Flatten
            | Self::Add
            | Self::Argmax => false,
        }
    }

    /// `l_i` of a layer that homomorphic encryption computes: bits of its operand.
    pub const fn input_bits(&self) -> Option<u32> {
        match (self, self.quantizer()) {
            (Self::Square { input_bits }, _) => Some(*input_bits),
            (_, Some(quantizer)) => Some(quantizer.input_bits),
            (_, None) => None,
        }
    }

    /// Whether it is a product with weights, by homomorphic encryption.
    pub const fn is_linear(&self) -> bool {
        self.quantizer().is_some()
    }
}

/// Where a layer's operand comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// The network's input.
    Input,
    /// The output of the layer with this index.
    Layer(usize),
}

/// One layer: its name, where its operands come from, what it does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LayerParams {
    /// Name, unique in the network.
    pub name: String,
    /// Operands: two for `Add`, one for all others; only earlier layers.
    pub inputs: Vec<Source>,
    /// What it does.
    pub kind: LayerKind,
}

/// A network: a directed acyclic graph of layers in an order in which they can run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NetworkParams {
    /// Name.
    pub name: String,
    /// Shape of the input.
    pub input: Shape,
    /// The layers; the last one is the output.
    pub layers: Vec<LayerParams>,
}

impl ConvParams {
    /// Rows and columns that a filter spans, (k − 1)·dilation + 1; none for an empty kernel, or beyond a `usize`.
    pub fn extent(&self) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let steps = self.kernel[axis].checked_sub(1)?;
            steps.checked_mul(self.dilation[axis])?.checked_add(1)
        };
        Some([along(0)?, along(1)?])
    }
}

impl PoolParams {
    /// Number of values in a window.
    pub const fn window(&self) -> u64 {
        self.kernel[0] as u64 * self.kernel[1] as u64
    }
}

impl NetworkParams {
    /// Layers that follow each other in one line, the first reading the input, named by kind and
    /// number: `conv1`, `relu1`, `conv2`, ….
    pub fn chain(kinds: impl IntoIterator<Item = LayerKind>) -> Vec<LayerParams> {
        let mut layers: Vec<LayerParams> = Vec::new();
        for kind in kinds {
            let same = layers.iter().filter(|l| l.kind.name() == kind.name());
            let name = format!("{}{}", kind.name(), same.count() + 1);
            let source = match layers.len() {
                0 => Source::Input,
                count => Source::Layer(count - 1),
            };
            layers.push(LayerParams {
                name,
                inputs: vec![source],
                kind,
            });
        }
        layers
    }
}
