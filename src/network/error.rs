//! What can be wrong with a network, its weights or an input: one enum for the room.
//!
//! Every variant names the layer, field or tensor, what was given and what was expected, in one
//! line. Nothing here refers to a file's path: whoever opened the file adds it.

use super::layer::Shape;
use super::resolved::ValueRange;

/// Why a network, its weights or an input is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// There is no layer.
    #[error("network `{network}` has no layers; expected at least one")]
    NoLayers {
        /// The network's name.
        network: String,
    },
    /// A layer's name can't be used.
    #[error(
        "layer {index} is named {name:?}; expected a name without control characters that is not \
         empty, not `input` and does not end in `.requantize`"
    )]
    BadName {
        /// Index of the layer.
        index: usize,
        /// Its name.
        name: String,
    },
    /// Two layers have one name.
    #[error("layers {first} and {second} are both named `{name}`; expected unique names")]
    DuplicateName {
        /// The name.
        name: String,
        /// Index of the first of them.
        first: usize,
        /// Index of the second.
        second: usize,
    },
    /// A layer has too few or too many operands.
    #[error("layer `{layer}`: {given} operands; {kind} expects {expected}")]
    Operands {
        /// The layer.
        layer: String,
        /// Its kind.
        kind: &'static str,
        /// Operands it needs.
        expected: usize,
        /// Operands it has.
        given: usize,
    },
    /// A layer reads one that does not come before it.
    #[error("layer `{layer}` reads layer {source_index}; expected an earlier one (below {index})")]
    SourceNotEarlier {
        /// The reading layer.
        layer: String,
        /// Its own index.
        index: usize,
        /// Index of the layer it reads.
        source_index: usize,
    },
    /// A number lies outside its range.
    #[error("layer `{layer}`: {field} is {given}; expected {low} to {high}")]
    OutOfRange {
        /// The layer, or `input`.
        layer: String,
        /// The field.
        field: &'static str,
        /// What it is.
        given: u64,
        /// Least value allowed.
        low: u64,
        /// Greatest value allowed.
        high: u64,
    },
    /// A kernel is larger than what it slides over.
    #[error(
        "layer `{layer}`: kernel {}x{} does not fit; expected at most the padded input, {}x{}",
        kernel[0], kernel[1], padded[0], padded[1]
    )]
    KernelDoesNotFit {
        /// The layer.
        layer: String,
        /// Height and width that the kernel or window spans.
        kernel: [usize; 2],
        /// Height and width of its input with padding.
        padded: [usize; 2],
    },
    /// Groups do not divide the channels.
    #[error(
        "layer `{layer}` has {groups} groups over {} input and {} output channels; \
         expected a divisor of both",
        channels[0], channels[1]
    )]
    Groups {
        /// The layer.
        layer: String,
        /// Number of groups.
        groups: usize,
        /// Input and output channels.
        channels: [usize; 2],
    },
    /// The output of an argmax is read.
    #[error("layer `{layer}` is an argmax and not the last layer; expected nothing after it")]
    ArgmaxRead {
        /// The layer.
        layer: String,
    },
    /// A clip lets through more than its output holds.
    #[error(
        "layer `{layer}`: max is {max}; expected at most {greatest}, the greatest of its {bits} bits"
    )]
    ClipMax {
        /// The layer.
        layer: String,
        /// Its greatest output.
        max: u32,
        /// The greatest that its bits hold.
        greatest: i64,
        /// Its bits.
        bits: u32,
    },
    /// Two values of different shapes are added.
    #[error("layer `{layer}` adds {left} and {right}; expected equal shapes")]
    AddShapes {
        /// The layer.
        layer: String,
        /// Shape of the first operand.
        left: Shape,
        /// Shape of the second operand.
        right: Shape,
    },
    /// A value or a weight tensor is too large to handle.
    #[error("layer `{layer}`: {count} {what}; expected at most {limit}")]
    TooLarge {
        /// The layer, or `input`.
        layer: String,
        /// What is counted.
        what: &'static str,
        /// How many there are.
        count: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// Nothing reads a layer's output.
    #[error("layer `{layer}` is read by no other; expected only the last layer to be the output")]
    Unread {
        /// The layer.
        layer: String,
    },
    /// The network ends in a layer that can't be its output.
    #[error(
        "the last layer `{layer}` is {kind}; expected conv, fc, relu, clip, square, max_pool or argmax"
    )]
    LastLayer {
        /// The layer.
        layer: String,
        /// Its kind.
        kind: &'static str,
    },
    /// The divisor of an average pool can go nowhere.
    #[error(
        "layer `{layer}` averages {window} values; expected a power of two, or a pool that is read \
         (through flatten and average pools) by conv or fc alone, whose weights take the divisor"
    )]
    PoolDivisor {
        /// The pool.
        layer: String,
        /// Values in its window.
        window: u64,
    },
    /// Values could leave 63-bit integers.
    #[error("step `{step}`: values of up to {bits} bits; expected at most 62")]
    RangeTooWide {
        /// The step.
        step: String,
        /// Bits the greatest absolute value needs.
        bits: u32,
    },
    /// Layers that share one p prescribe different widths for it.
    #[error(
        "layer `{layer}`: p_bits is {given}; expected {expected} as in the layers that share its p"
    )]
    PBitsConflict {
        /// The layer.
        layer: String,
        /// Its width of p.
        given: u32,
        /// The width an earlier layer of the domain prescribes.
        expected: u32,
    },
    /// An exponent asks for a shift that re-quantization can't do.
    #[error(
        "step `{step}`: exponent {output} after an operand of exponent {operand}; \
         expected {operand} to {}", operand + 62
    )]
    ExponentShift {
        /// The step.
        step: String,
        /// Exponent of its operand.
        operand: i32,
        /// Exponent of its result.
        output: i32,
    },
    /// A file of weights is no safetensors file.
    #[error("not a safetensors file: {message}")]
    SafeTensors {
        /// What the reader says.
        message: String,
    },
    /// A file of weights says something else about itself than expected.
    #[error(
        "metadata field `{field}` is {}; expected `{expected}`",
        given.as_ref().map_or_else(|| "missing".to_owned(), |given| format!("`{given}`"))
    )]
    Metadata {
        /// The field.
        field: &'static str,
        /// What it says, if it is there.
        given: Option<String>,
        /// What it must say.
        expected: String,
    },
    /// A tensor or exponent is missing.
    #[error("tensor `{tensor}` is missing; expected one for this network")]
    MissingTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor belongs to nothing in the network.
    #[error("tensor `{tensor}` is unknown; expected only tensors of this network")]
    UnknownTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor has the wrong type.
    #[error("tensor `{tensor}` holds {given}; expected {expected}")]
    TensorType {
        /// Its name.
        tensor: String,
        /// Its type.
        given: String,
        /// The type it must have.
        expected: &'static str,
    },
    /// A tensor has the wrong shape.
    #[error("tensor `{tensor}` has shape {given:?}; expected {expected:?}")]
    TensorShape {
        /// Its name.
        tensor: String,
        /// Its shape.
        given: Vec<usize>,
        /// The shape it must have.
        expected: Vec<usize>,
    },
    /// A weight or exponent does not fit its bits.
    #[error("tensor `{tensor}`, element {index}: {given}; expected {} to {}", range.low, range.high)]
    TensorValue {
        /// The tensor's name.
        tensor: String,
        /// Index of the element.
        index: usize,
        /// Its value.
        given: i64,
        /// What is allowed.
        range: ValueRange,
    },
    /// Weights make a layer's sums larger than the network was resolved for.
    #[error("layer `{layer}`: sums of up to {given}; expected at most {bound}, as resolved")]
    SumsExceedRange {
        /// The layer.
        layer: String,
        /// The greatest absolute value these weights allow.
        given: u128,
        /// What the network was resolved for.
        bound: u64,
    },
    /// An input has the wrong number of values.
    #[error("{given} input values; expected {expected}")]
    InputLength {
        /// Values given.
        given: usize,
        /// Values the network reads.
        expected: usize,
    },
    /// An input value does not fit its bits.
    #[error("input value {index} is {given}; expected {} to {}", range.low, range.high)]
    InputValue {
        /// Index of the value.
        index: usize,
        /// The value.
        given: i64,
        /// What is allowed.
        range: ValueRange,
    },
    /// A description can't be read.
    #[error("line {line}, column {column}, {path}: {message}")]
    Toml {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// Path of the field, such as `layers[1].kernel`.
        path: String,
        /// What was found and expected.
        message: String,
    },
    /// There is no network of this name.
    #[error("no network is named `{name}`; expected one of {known}")]
    UnknownNetwork {
        /// The name asked for.
        name: String,
        /// The names there are, with commas.
        known: String,
    },
}
