//! A network with everything settled that the parties must agree on: shapes, ranges, shifts, domains.
//!
//! A *domain* is a set of values that are shared modulo one p. Linear layers, squares, average pools, flatten
//! and add keep their operands' domain; activations (and `requantize`, which is inserted where two
//! linear layers follow each other) take shares from one domain into another.

use serde::{Deserialize, Serialize};

use super::layer::{LayerKind, Shape, Source};

/// Least and greatest value that can occur.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueRange {
    /// Least value.
    pub low: i64,
    /// Greatest value.
    pub high: i64,
}

impl ValueRange {
    /// Greatest absolute value.
    pub const fn magnitude(self) -> u64 {
        let (low, high) = (self.low.unsigned_abs(), self.high.unsigned_abs());
        if low > high { low } else { high }
    }

    /// All signed integers of so many bits (1 to 63).
    pub const fn signed(bits: u32) -> Self {
        let half = 1_i64 << (bits - 1);
        Self {
            low: -half,
            high: half - 1,
        }
    }
}

/// From shares of one domain to shares of another: `clamp((x + 2^(shift-1)) >> shift, output)`, an
/// arithmetic shift that rounds halves up; for ReLU the lower clamp is 0. A shift of 0 adds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Requantize {
    /// Bits dropped.
    pub shift: u32,
    /// Bits kept, `l_o`: outputs lie in `[0, 2^l_o - 1]`, or in `[-2^(l_o-1), 2^(l_o-1) - 1]` if signed.
    pub output_bits: u32,
    /// Whether negative values survive (no ReLU).
    pub signed: bool,
}

impl Requantize {
    /// Range of the result.
    pub const fn range(self) -> ValueRange {
        if self.signed {
            ValueRange::signed(self.output_bits)
        } else {
            ValueRange {
                low: 0,
                high: (1 << self.output_bits) - 1,
            }
        }
    }

    /// What becomes of one value of at most 62 bits.
    pub fn apply(self, x: i64) -> i64 {
        let half = (1_i64 << self.shift) >> 1;
        let ValueRange { low, high } = self.range();
        ((x + half) >> self.shift).clamp(low, high)
    }
}

/// What a step does with shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum StepKind {
    /// A convolution or fully connected layer (the `LayerKind` has its parameters).
    Linear(LayerKind),
    /// ReLU with re-quantization, by garbled circuit.
    Relu(Requantize),
    /// ReLU with re-quantization, then the lesser of that and a greatest output, by garbled circuit.
    Clip(Requantize, i64),
    /// x², by ciphertexts.
    Square,
    /// Re-quantization alone, by garbled circuit.
    Requantize(Requantize),
    /// Maximum over windows, then ReLU or re-quantization, by garbled circuit.
    MaxPool(super::layer::PoolParams, Requantize),
    /// Sum over windows, local on shares.
    SumPool(super::layer::PoolParams),
    /// Nothing moves.
    Flatten,
    /// Sum of two values after left shifts that align their scales, local on shares.
    Add([u32; 2]),
    /// Place of the first of the greatest values, by garbled circuit. Its shares are joined by XOR, whatever its domain.
    Argmax,
}

impl StepKind {
    /// The name used in tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Linear(layer) => layer.name(),
            Self::Relu(_) => "relu",
            Self::Clip(..) => "clip",
            Self::Square => "square",
            Self::Requantize(_) => "requantize",
            Self::MaxPool(..) => "max_pool",
            Self::SumPool(_) => "avg_pool",
            Self::Flatten => "flatten",
            Self::Add(_) => "add",
            Self::Argmax => "argmax",
        }
    }
}

/// One step of the inference; usually one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The layer's name (an inserted `requantize` is called `<layer>.requantize`).
    pub name: String,
    /// Index in `NetworkParams::layers`; for an inserted step, of the layer it stands before.
    pub layer: usize,
    /// Operands, as indices into the steps.
    pub inputs: Vec<Source>,
    /// What is done.
    pub kind: StepKind,
    /// Shape of the (first) operand.
    pub shape_in: Shape,
    /// Shape of the result.
    pub shape_out: Shape,
    /// Range of the operand values.
    pub range_in: ValueRange,
    /// Range of the result.
    pub range_out: ValueRange,
    /// Domain of the result, an index into `ResolvedNetwork::domains`.
    pub domain: usize,
}

/// Values shared modulo one p.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// p must exceed twice this: the greatest absolute value, half a unit of rounding included.
    pub bound: u64,
    /// Width of p where the network prescribes it.
    pub p_bits: Option<u32>,
}

/// A network ready to be given parameters, predicted and run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ResolvedNetwork {
    /// Name of the network.
    pub name: String,
    /// Shape of the input.
    pub input: Shape,
    /// Range of the (signed, quantized) input.
    pub input_range: ValueRange,
    /// Domain of the input.
    pub input_domain: usize,
    /// The steps, in an order in which they can run; the last one is the output.
    pub steps: Vec<Step>,
    /// The domains.
    pub domains: Vec<Domain>,
}

/// Where the operand of a step comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// From the input through pools, sums and flattening alone: whoever has the input knows it.
    Input,
    /// From a linear step or an activation.
    Computed,
}

impl ResolvedNetwork {
    /// Domain of a step's (first) operand.
    pub fn operand_domain(&self, step: &Step) -> usize {
        let of_step = |index: &usize| self.steps.get(*index).map(|step| step.domain);
        match step.inputs.first() {
            Some(Source::Layer(index)) => of_step(index).unwrap_or(self.input_domain),
            Some(Source::Input) | None => self.input_domain,
        }
    }

    /// Where the operand of each step comes from; of several, from an activation if one of them does.
    pub fn origins(&self) -> Vec<Origin> {
        let mut results: Vec<Origin> = Vec::new();
        let mut operands = Vec::new();
        for step in &self.steps {
            let computed = |source: &Source| match source {
                Source::Input => false,
                Source::Layer(index) => results.get(*index) == Some(&Origin::Computed),
            };
            let operand = if step.inputs.iter().any(computed) {
                Origin::Computed
            } else {
                Origin::Input
            };
            operands.push(operand);
            results.push(match step.kind {
                StepKind::SumPool(_) | StepKind::Flatten | StepKind::Add(_) => operand,
                _ => Origin::Computed,
            });
        }
        operands
    }

    /// Names of the steps whose results have an exponent of their own in `Weights`.
    pub fn activation_names(&self) -> impl Iterator<Item = &str> {
        let activations = self.steps.iter().filter(|s| s.kind.requantize().is_some());
        activations.map(|step| step.name.as_str())
    }
}

impl StepKind {
    /// Whether homomorphic encryption computes it.
    pub const fn is_encrypted(&self) -> bool {
        matches!(self, Self::Linear(_) | Self::Square)
    }

    /// How an activation re-quantizes; nothing for steps that are local or linear.
    pub const fn requantize(&self) -> Option<Requantize> {
        match self {
            Self::Relu(requantize)
            | Self::Clip(requantize, _)
            | Self::Requantize(requantize)
            | Self::MaxPool(_, requantize) => Some(*requantize),
            Self::Linear(_)
            | Self::Square
            | Self::SumPool(_)
            | Self::Flatten
            | Self::Add(_)
            | Self::Argmax => None,
        }
    }
}
