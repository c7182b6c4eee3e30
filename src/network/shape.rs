//! Shape inference: from a network to the shape of each layer's output, refusing what can't run.
//!
//! A kernel that spans k over an input of size d with padding a and stride s gives ⌊(d + 2a − k)/s⌋ + 1
//! values along an axis. Every network that other parts of this room work on has passed [`NetworkParams::shapes`]:
//! sources are earlier layers, names are unique, kernels fit, operands of an addition have one
//! shape, quantizers have 2 to 24 bits, everything but the output is read, and the output is a
//! linear layer, an activation (a square is one) or an argmax, which nothing else can be. Sizes are limited, so that later arithmetic can't overflow.

use std::collections::HashMap;

use super::error::NetworkError;
use super::layer::{ConvParams, LayerKind, LayerParams, NetworkParams, Shape, Source};

/// Bits a quantizer may have.
pub(super) const QUANTIZER_BITS: [u32; 2] = [2, 24];
/// Widths of p that may be prescribed.
pub(super) const P_BITS: [u32; 2] = [2, 62];
/// Greatest size of an axis, kernel, stride or padding.
const MAX_SIZE: u64 = 1 << 20;
/// How many values an argmax may compare.
const PLACES: [u64; 2] = [2, 1024];
/// Most values a layer may give, and most weights it may have.
const MAX_COUNT: u64 = 1 << 31;

impl NetworkParams {
    /// The shape of every layer's output.
    ///
    /// # Errors
    /// The first rule of the module that a layer breaks, with the layer's name.
    pub fn shapes(&self) -> Result<Vec<Shape>, NetworkError> {
        self.check_graph()?;
        check_shape("input", self.input)?;
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let operands: Vec<Shape> = layer
                .inputs
                .iter()
                .map(|source| match source {
                    Source::Input => self.input,
                    Source::Layer(index) => shapes[*index],
                })
                .collect();
            shapes.push(output_shape(layer, &operands)?);
        }
        Ok(shapes)
    }

    /// Names, operands and the output: all that does not need shapes.
    fn check_graph(&self) -> Result<(), NetworkError> {
        let mut seen = HashMap::new();
        let mut read = vec![false; self.layers.len()];
        for (index, layer) in self.layers.iter().enumerate() {
            check_name(index, &layer.name)?;
            if let Some(first) = seen.insert(layer.name.as_str(), index) {
                let name = layer.name.clone();
                return Err(NetworkError::DuplicateName {
                    name,
                    first,
                    second: index,
                });
            }
            check_operands(index, layer)?;
            for source in &layer.inputs {
                if let Source::Layer(from) = source {
                    read[*from] = true;
                }
            }
        }
        self.check_output(&read)
    }

    /// The last layer is linear, an activation or an argmax; all others are read, and none of them is an argmax.
    fn check_output(&self, read: &[bool]) -> Result<(), NetworkError> {
        let Some((last, others)) = self.layers.split_last() else {
            let network = self.name.clone();
            return Err(NetworkError::NoLayers { network });
        };
        if let Some((layer, _)) = others.iter().zip(read).find(|(_, read)| !**read) {
            let layer = layer.name.clone();
            return Err(NetworkError::Unread { layer });
        }
        if let Some(layer) = others.iter().find(|l| l.kind == LayerKind::Argmax) {
            let layer = layer.name.clone();
            return Err(NetworkError::ArgmaxRead { layer });
        }
        match last.kind {
            LayerKind::Conv(_)
            | LayerKind::Fc(_)
            | LayerKind::Relu
            | LayerKind::Clip { .. }
            | LayerKind::Square { .. }
            | LayerKind::MaxPool(_)
            | LayerKind::Argmax => Ok(()),
            LayerKind::AvgPool(_) | LayerKind::Flatten | LayerKind::Add => {
                Err(NetworkError::LastLayer {
                    layer: last.name.clone(),
                    kind: last.kind.name(),
                })
            }
        }
    }
}

fn check_name(index: usize, name: &str) -> Result<(), NetworkError> {
    let reserved = name.is_empty() || name == "input" || name.ends_with(".requantize");
    if reserved || name.chars().any(char::is_control) {
        return Err(NetworkError::BadName {
            index,
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn check_operands(index: usize, layer: &LayerParams) -> Result<(), NetworkError> {
    let expected = if matches!(layer.kind, LayerKind::Add) {
        2
    } else {
        1
    };
    if layer.inputs.len() != expected {
        return Err(NetworkError::Operands {
            layer: layer.name.clone(),
            kind: layer.kind.name(),
            expected,
            given: layer.inputs.len(),
        });
    }
    for source in &layer.inputs {
        if let Source::Layer(source_index) = *source
            && source_index >= index
        {
            return Err(NetworkError::SourceNotEarlier {
                layer: layer.name.clone(),
                index,
                source_index,
            });
        }
    }
    Ok(())
}

/// The output shape of one layer, its own numbers checked; `operands` has the right length.
fn output_shape(layer: &LayerParams, operands: &[Shape]) -> Result<Shape, NetworkError> {
    let name = layer.name.as_str();
    let input = operands[0];
    check_quantizer(layer)?;
    let output = match &layer.kind {
        LayerKind::Conv(conv) => conv_shape(name, conv, input)?,
        LayerKind::Fc(fc) => {
            in_range(name, "outputs", fc.outputs as u64, [1, MAX_SIZE])?;
            check_count(name, "weights", fc.outputs as u64 * input.len() as u64)?;
            Shape::new(fc.outputs, 1, 1)
        }
        LayerKind::AvgPool(pool) | LayerKind::MaxPool(pool) => {
            let window = Window {
                kernel: pool.kernel,
                stride: pool.stride,
                padding: [0, 0],
            };
            let [height, width] = window.slide(name, input)?;
            Shape::new(input.channels, height, width)
        }
        LayerKind::Flatten => Shape::new(input.len(), 1, 1),
        LayerKind::Relu => input,
        LayerKind::Clip { max } => {
            in_range(
                name,
                "max",
                u64::from(*max),
                [1, (1 << QUANTIZER_BITS[1]) - 1],
            )?;
            input
        }
        LayerKind::Square { input_bits } => {
            let bits = QUANTIZER_BITS.map(u64::from);
            in_range(name, "input_bits", (*input_bits).into(), bits)?;
            input
        }
        LayerKind::Argmax => {
            in_range(name, "number of values", input.len() as u64, PLACES)?;
            Shape::new(1, 1, 1)
        }
        LayerKind::Add => {
            if operands[0] != operands[1] {
                return Err(NetworkError::AddShapes {
                    layer: name.to_owned(),
                    left: operands[0],
                    right: operands[1],
                });
            }
            input
        }
    };
    check_values(name, output)?;
    Ok(output)
}

fn conv_shape(name: &str, conv: &ConvParams, input: Shape) -> Result<Shape, NetworkError> {
    in_range(
        name,
        "out_channels",
        conv.out_channels as u64,
        [1, MAX_SIZE],
    )?;
    for axis in 0..2 {
        in_range(name, "kernel", conv.kernel[axis] as u64, [1, MAX_SIZE])?;
        in_range(name, "dilation", conv.dilation[axis] as u64, [1, MAX_SIZE])?;
    }
    let groups = conv.groups;
    in_range(name, "groups", groups as u64, [1, MAX_SIZE])?;
    if !input.channels.is_multiple_of(groups) || !conv.out_channels.is_multiple_of(groups) {
        return Err(NetworkError::Groups {
            layer: name.to_owned(),
            groups,
            channels: [input.channels, conv.out_channels],
        });
    }
    let window = Window {
        // Nothing is spanned by an empty kernel, which `slide` refuses.
        kernel: conv.extent().unwrap_or_default(),
        stride: conv.stride,
        padding: conv.padding,
    };
    let [height, width] = window.slide(name, input)?;
    let filter =
        (input.channels / groups) as u128 * conv.kernel[0] as u128 * conv.kernel[1] as u128;
    let weights = u64::try_from(filter * conv.out_channels as u128).unwrap_or(u64::MAX);
    check_count(name, "weights", weights)?;
    Ok(Shape::new(conv.out_channels, height, width))
}

/// What slides over a channel.
struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Window {
    /// Height and width of what it gives over `input`; `kernel` is what a filter spans.
    fn slide(&self, name: &str, input: Shape) -> Result<[usize; 2], NetworkError> {
        for axis in 0..2 {
            in_range(name, "kernel", self.kernel[axis] as u64, [1, MAX_SIZE])?;
            in_range(name, "stride", self.stride[axis] as u64, [1, MAX_SIZE])?;
            in_range(name, "padding", self.padding[axis] as u64, [0, MAX_SIZE])?;
        }
        let padded = [
            input.height + 2 * self.padding[0],
            input.width + 2 * self.padding[1],
        ];
        if self.kernel[0] > padded[0] || self.kernel[1] > padded[1] {
            return Err(NetworkError::KernelDoesNotFit {
                layer: name.to_owned(),
                kernel: self.kernel,
                padded,
            });
        }
        Ok([0, 1].map(|axis| (padded[axis] - self.kernel[axis]) / self.stride[axis] + 1))
    }
}

fn check_quantizer(layer: &LayerParams) -> Result<(), NetworkError> {
    let Some(quantizer) = layer.kind.quantizer() else {
        return Ok(());
    };
    let name = layer.name.as_str();
    let bits = QUANTIZER_BITS.map(u64::from);
    in_range(name, "input_bits", quantizer.input_bits.into(), bits)?;
    in_range(name, "weight_bits", quantizer.weight_bits.into(), bits)?;
    match layer.kind.p_bits() {
        Some(width) => in_range(name, "p_bits", width.into(), P_BITS.map(u64::from)),
        None => Ok(()),
    }
}

fn check_shape(name: &str, shape: Shape) -> Result<(), NetworkError> {
    in_range(name, "channels", shape.channels as u64, [1, MAX_SIZE])?;
    in_range(name, "height", shape.height as u64, [1, MAX_SIZE])?;
    in_range(name, "width", shape.width as u64, [1, MAX_SIZE])?;
    check_values(name, shape)
}

/// Limits the number of values; their product may pass 64 bits.
fn check_values(name: &str, shape: Shape) -> Result<(), NetworkError> {
    let values = shape.channels as u128 * shape.height as u128 * shape.width as u128;
    check_count(name, "values", u64::try_from(values).unwrap_or(u64::MAX))
}

fn in_range(
    layer: &str,
    field: &'static str,
    given: u64,
    [low, high]: [u64; 2],
) -> Result<(), NetworkError> {
    if given < low || given > high {
        return Err(NetworkError::OutOfRange {
            layer: layer.to_owned(),
            field,
            given,
            low,
            high,
        });
    }
    Ok(())
}

fn check_count(layer: &str, what: &'static str, count: u64) -> Result<(), NetworkError> {
    if count > MAX_COUNT {
        return Err(NetworkError::TooLarge {
            layer: layer.to_owned(),
            what,
            count,
            limit: MAX_COUNT,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
