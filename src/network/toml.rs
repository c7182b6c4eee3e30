//! Networks as TOML text: the reader.
//!
//! ```toml
//! name = "tiny"
//! input = [1, 8, 8]            # channels, height, width
//!
//! [[layers]]
//! name = "conv1"
//! kind = "conv"
//! out_channels = 4
//! kernel = [3, 3]
//! stride = [1, 1]              # the default
//! padding = "same"             # or [h, w], by default [0, 0]
//! dilation = [1, 1]            # the default
//! groups = 1                   # the default; the number of channels makes it depthwise
//! bias = true                  # the default
//! input_bits = 8
//! weight_bits = 8
//! p_bits = 23                  # only to prescribe the width of p
//!
//! [[layers]]
//! name = "relu1"
//! kind = "relu"
//! from = "conv1"               # or "input", or a list; by default the previous layer
//! ```
//!
//! `fc` has `outputs` and the same quantizers, `avg_pool` and `max_pool` have `kernel` and `stride`
//! (by default the kernel), `clip` has `max`, its greatest output in units of the output, `square` has
//! `input_bits`, `relu`, `flatten`, `add` and `argmax` nothing more. `"same"` is (k − 1)/2 zeros on
//! each side, times the dilation, and needs an odd kernel. Fields and kinds that are not known are refused; errors name
//! the line and the field. A linear layer or square without quantizer gets 8 bits, and the reader
//! returns a [`NetworkWarning`].

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, IgnoredAny};

use super::error::NetworkError;
use super::layer::{
    ConvParams, FcParams, LayerKind, LayerParams, NetworkParams, PoolParams, Quantizer, Shape,
    Source,
};
use super::toml_fields::{Names, Padding};

/// Bits of a quantizer that the text doesn't give.
const DEFAULT_BITS: u32 = 8;

/// What a reader of a network should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkWarning {
    /// These linear layers and squares have no (complete) quantizer; 8 bits were filled in.
    DefaultQuantizer {
        /// Their names.
        layers: Vec<String>,
    },
}

impl fmt::Display for NetworkWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::DefaultQuantizer { layers } = self;
        let names = layers.join(", ");
        write!(
            f,
            "no input_bits or weight_bits for {names}: {DEFAULT_BITS} is used"
        )
    }
}

/// A network as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkText {
    name: String,
    input: [usize; 3],
    layers: Vec<LayerText>,
}

/// A layer as it is written, all kinds in one, so that errors keep their line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerText {
    name: String,
    kind: KindText,
    from: Option<Names>,
    out_channels: Option<usize>,
    outputs: Option<usize>,
    kernel: Option<[usize; 2]>,
    stride: Option<[usize; 2]>,
    padding: Option<Padding>,
    dilation: Option<[usize; 2]>,
    groups: Option<usize>,
    bias: Option<bool>,
    input_bits: Option<u32>,
    weight_bits: Option<u32>,
    p_bits: Option<u32>,
    max: Option<u32>,
}

/// The kinds of layers.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum KindText {
    Conv,
    Fc,
    Relu,
    Clip,
    Square,
    AvgPool,
    MaxPool,
    Flatten,
    Add,
    Argmax,
}

/// What is wrong with a layer: the field and a message.
type Fault = (&'static str, String);

impl NetworkParams {
    /// Reads a network and checks it as [`NetworkParams::shapes`] does.
    ///
    /// # Errors
    /// [`NetworkError::Toml`] with line, column and field for what can't be read, or the rule that
    /// a layer breaks.
    pub fn from_toml(text: &str) -> Result<(Self, Vec<NetworkWarning>), NetworkError> {
        let read: NetworkText = parse(text)?;
        let mut network = Self {
            name: read.name,
            input: Shape::from(read.input),
            layers: Vec::with_capacity(read.layers.len()),
        };
        let mut defaulted = Vec::new();
        let mut indices = HashMap::new();
        for (index, layer) in read.layers.iter().enumerate() {
            if layer.lacks_quantizer() {
                defaulted.push(layer.name.clone());
            }
            let built = layer.build(index, &indices);
            let built = built.map_err(|fault| located(text, index, fault))?;
            indices.entry(layer.name.clone()).or_insert(index);
            network.layers.push(built);
        }
        network.shapes()?;
        let warnings = if defaulted.is_empty() {
            Vec::new()
        } else {
            vec![NetworkWarning::DefaultQuantizer { layers: defaulted }]
        };
        Ok((network, warnings))
    }
}

impl LayerText {
    fn build(&self, index: usize, indices: &HashMap<String, usize>) -> Result<LayerParams, Fault> {
        let inputs = match &self.from {
            None => vec![previous(index)],
            Some(Names(names)) => names
                .iter()
                .map(|name| match indices.get(name) {
                    Some(index) => Ok(Source::Layer(*index)),
                    None if name == "input" => Ok(Source::Input),
                    None => Err((
                        "from",
                        format!("`{name}`, expected `input` or the name of an earlier layer"),
                    )),
                })
                .collect::<Result<_, _>>()?,
        };
        self.check_fields()?;
        Ok(LayerParams {
            name: self.name.clone(),
            inputs,
            kind: self.kind()?,
        })
    }

    fn kind(&self) -> Result<LayerKind, Fault> {
        let quantizer = Quantizer {
            input_bits: self.input_bits.unwrap_or(DEFAULT_BITS),
            weight_bits: self.weight_bits.unwrap_or(DEFAULT_BITS),
        };
        let bias = self.bias.unwrap_or(true);
        let p_bits = self.p_bits;
        Ok(match self.kind {
            KindText::Conv => {
                let kernel = required(self.kernel, "kernel", "[height, width]")?;
                let dilation = self.dilation.unwrap_or([1, 1]);
                LayerKind::Conv(ConvParams {
                    out_channels: required(self.out_channels, "out_channels", "a number")?,
                    kernel,
                    stride: self.stride.unwrap_or([1, 1]),
                    padding: zeros(self.padding.as_ref(), kernel, dilation)?,
                    dilation,
                    groups: self.groups.unwrap_or(1),
                    bias,
                    quantizer,
                    p_bits,
                })
            }
            KindText::Fc => LayerKind::Fc(FcParams {
                outputs: required(self.outputs, "outputs", "a number")?,
                bias,
                quantizer,
                p_bits,
            }),
            KindText::AvgPool => LayerKind::AvgPool(self.pool()?),
            KindText::MaxPool => LayerKind::MaxPool(self.pool()?),
            KindText::Relu => LayerKind::Relu,
            KindText::Clip => LayerKind::Clip {
                max: required(self.max, "max", "a number")?,
            },
            KindText::Square => LayerKind::Square {
                input_bits: quantizer.input_bits,
            },
            KindText::Argmax => LayerKind::Argmax,
            KindText::Flatten => LayerKind::Flatten,
            KindText::Add => LayerKind::Add,
        })
    }

    fn pool(&self) -> Result<PoolParams, Fault> {
        let kernel = required(self.kernel, "kernel", "[height, width]")?;
        let stride = self.stride.unwrap_or(kernel);
        Ok(PoolParams { kernel, stride })
    }

    fn lacks_quantizer(&self) -> bool {
        match self.kind {
            KindText::Conv | KindText::Fc => {
                self.input_bits.is_none() || self.weight_bits.is_none()
            }
            KindText::Square => self.input_bits.is_none(),
            _ => false,
        }
    }

    /// Refuses fields that the layer's kind doesn't have.
    fn check_fields(&self) -> Result<(), Fault> {
        let given = [
            ("out_channels", self.out_channels.is_some()),
            ("outputs", self.outputs.is_some()),
            ("kernel", self.kernel.is_some()),
            ("stride", self.stride.is_some()),
            ("padding", self.padding.is_some()),
            ("dilation", self.dilation.is_some()),
            ("groups", self.groups.is_some()),
            ("bias", self.bias.is_some()),
            ("input_bits", self.input_bits.is_some()),
            ("weight_bits", self.weight_bits.is_some()),
            ("p_bits", self.p_bits.is_some()),
            ("max", self.max.is_some()),
        ];
        let known: &[&str] = match self.kind {
            KindText::Conv => &[
                "out_channels",
                "kernel",
                "stride",
                "padding",
                "dilation",
                "groups",
                "bias",
                "input_bits",
                "weight_bits",
                "p_bits",
            ],
            KindText::Fc => &["outputs", "bias", "input_bits", "weight_bits", "p_bits"],
            KindText::AvgPool | KindText::MaxPool => &["kernel", "stride"],
            KindText::Clip => &["max"],
            KindText::Square => &["input_bits"],
            KindText::Relu | KindText::Flatten | KindText::Add | KindText::Argmax => &[],
        };
        let mut surplus = given.iter().filter(|(_, is_given)| *is_given);
        match surplus.find(|(field, _)| !known.contains(field)) {
            None => Ok(()),
            Some((field, _)) => {
                let expected = [&["name", "kind", "from"], known].concat().join(", ");
                let message = format!("no field of this kind of layer, expected only {expected}");
                Err((field, message))
            }
        }
    }
}

/// Where a layer reads by default.
pub(super) const fn previous(index: usize) -> Source {
    match index {
        0 => Source::Input,
        _ => Source::Layer(index - 1),
    }
}

fn required<T>(value: Option<T>, field: &'static str, expected: &str) -> Result<T, Fault> {
    value.ok_or_else(|| (field, format!("missing, expected {expected}")))
}

fn zeros(
    padding: Option<&Padding>,
    kernel: [usize; 2],
    dilation: [usize; 2],
) -> Result<[usize; 2], Fault> {
    match padding {
        None => Ok([0, 0]),
        Some(Padding::Zeros(zeros)) => Ok(*zeros),
        Some(Padding::Same) => same_padding(kernel, dilation).ok_or_else(|| {
            let message = format!("\"same\" with kernel {kernel:?}, expected an odd kernel");
            ("padding", message)
        }),
    }
}

/// Zeros that keep an image's size at stride 1; an even kernel has none.
pub(super) fn same_padding(kernel: [usize; 2], dilation: [usize; 2]) -> Option<[usize; 2]> {
    let odd = kernel.iter().all(|k| k % 2 == 1);
    odd.then(|| [0, 1].map(|axis| (kernel[axis] / 2).saturating_mul(dilation[axis])))
}

/// Reads the text, telling line and field of what is wrong.
fn parse<T: de::DeserializeOwned>(text: &str) -> Result<T, NetworkError> {
    let deserializer =
        ::toml::Deserializer::parse(text).map_err(|error| faulty(text, String::new(), &error))?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        faulty(text, path, error.inner())
    })
}

fn faulty(text: &str, path: String, error: &::toml::de::Error) -> NetworkError {
    let (line, column) = place(text, error.span().map_or(0, |span| span.start));
    let path = if path.is_empty() || path == "." {
        "top level".to_owned()
    } else {
        path
    };
    NetworkError::Toml {
        line,
        column,
        path,
        message: error.message().replace('\n', " "),
    }
}

/// A fault in a field of layer `index`, placed at the layer's first line.
fn located(text: &str, index: usize, (field, message): Fault) -> NetworkError {
    #[derive(Deserialize)]
    struct Spans {
        layers: Vec<::toml::Spanned<IgnoredAny>>,
    }
    let spans: Option<Spans> = ::toml::from_str(text).ok();
    let span = spans.and_then(|spans| spans.layers.get(index).map(::toml::Spanned::span));
    let (line, column) = place(text, span.map_or(0, |span| span.start));
    NetworkError::Toml {
        line,
        column,
        path: format!("layers[{index}].{field}"),
        message,
    }
}

/// Line and column, both from 1, of a byte of the text.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[line_start..].chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

#[cfg(test)]
mod tests;
