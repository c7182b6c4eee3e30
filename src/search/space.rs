//! Search spaces: which networks a search may propose, as a list of decisions.
//!
//! A text in TOML (or the name of a built-in space) goes in; [`Space::decisions`] says what is to be
//! decided, and [`Space::decode`] turns one choice per decision into [`NetworkParams`].
//!
//! ```toml
//! name = "tiny"
//! input = [1, 8, 8]            # channels, height, width
//!
//! [[conv]]                     # convolution with "same" padding and bias, then ReLU, then the pool
//! repeat = 2                   # this many such layers, 1 by default
//! filters = [4, 8]
//! kernel_height = [3, 5]
//! kernel_width = [3, 5]
//! weight_bits = [4, 6, 8]
//! input_bits = [4, 6, 8]
//! pool = "average"             # or "max", or "none" (the default)
//! pool_size = 2                # window and stride, 2 by default
//!
//! [head]                       # the last, fully connected layer
//! outputs = 10
//! weight_bits = [8]
//! input_bits = [8]
//! ```
//!
//! The decisions come layer by layer, as the controller of NASS emits them (Bian et al. 2020,
//! section 3.3): filters, f_h, f_w, l_f, l_i; then the head's l_f and l_i. The last two of each
//! layer are quantizers, the others architecture: only quantizers move while SW = 0.
//! Every choice that passes [`Space::from_toml`] decodes; errors name line and field.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::space_text::{self, SpaceText};
use crate::network::{
    ConvParams, FcParams, LayerKind, LayerParams, NetworkParams, PoolParams, Quantizer, Shape,
    Source,
};

/// The built-in spaces: name and text.
const BUILT_IN: [(&str, &str); 5] = [
    (
        "nass-cifar10",
        include_str!("../../data/spaces/nass-cifar10.toml"),
    ),
    (
        "nass-fashion",
        include_str!("../../data/spaces/nass-fashion.toml"),
    ),
    (
        "nass-mnist",
        include_str!("../../data/spaces/nass-mnist.toml"),
    ),
    ("small", include_str!("../../data/spaces/small.toml")),
    (
        "small-fashion",
        include_str!("../../data/spaces/small-fashion.toml"),
    ),
];

/// Why a space can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// The file can't be read.
    #[error("{}: {error}; the built-in spaces are {}", .path.display(), .built_in.join(", "))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
        /// Names that would have worked.
        built_in: Vec<&'static str>,
    },
    /// The text isn't a space.
    #[error("line {line}, {field}: {message}")]
    Text {
        /// Line, from 1.
        line: usize,
        /// The field's path.
        field: String,
        /// What was expected and what was found.
        message: String,
    },
    /// The file isn't a space.
    #[error("{}: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<SpaceError>,
    },
    /// Choices that aren't one index for each decision.
    #[error("expected one choice for each of {decisions} decisions, found {found:?}")]
    Choices {
        /// Number of decisions of the space.
        decisions: usize,
        /// The choices given.
        found: Vec<usize>,
    },
}

/// What kind of thing a decision settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Filters and kernels: changing it means training anew.
    Architecture,
    /// Bits: trained weights can be kept.
    Quantizer,
}

/// One decision: what it settles and its options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// `layer.field`, e.g. `conv1.filters`.
    pub name: String,
    /// Architecture or quantizer.
    pub kind: DecisionKind,
    /// The values to choose from.
    pub options: Vec<u32>,
}

/// Whether a pool follows, and which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolChoice {
    /// No pool.
    #[default]
    None,
    /// Average.
    Average,
    /// Maximum.
    Max,
}

/// One convolution of a space: the options of its decisions, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvChoices {
    /// Numbers of output channels.
    pub filters: Vec<u32>,
    /// f_h, odd.
    pub kernel_height: Vec<u32>,
    /// f_w, odd.
    pub kernel_width: Vec<u32>,
    /// l_f.
    pub weight_bits: Vec<u32>,
    /// l_i.
    pub input_bits: Vec<u32>,
    /// What follows the ReLU.
    pub pool: PoolChoice,
    /// Window and stride of the pool.
    pub pool_size: u32,
}

/// The last layer of a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadChoices {
    /// Number of classes.
    pub outputs: u32,
    /// l_f.
    pub weight_bits: Vec<u32>,
    /// l_i.
    pub input_bits: Vec<u32>,
}

/// A checked search space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Space {
    name: String,
    input: Shape,
    conv: Vec<ConvChoices>,
    head: HeadChoices,
}

impl Space {
    /// The built-in space of that name, or the space in that file.
    ///
    /// # Errors
    /// [`SpaceError::Read`] where there is neither, [`SpaceError::File`] for a file that is no space.
    pub fn open(name_or_path: &str) -> Result<Self, SpaceError> {
        if let Some(space) = Self::built_in(name_or_path) {
            return space;
        }
        let path = Path::new(name_or_path);
        let text = fs::read_to_string(path).map_err(|error| SpaceError::Read {
            path: path.into(),
            error,
            built_in: Self::built_in_names().collect(),
        })?;
        Self::from_toml(&text).map_err(|error| SpaceError::File {
            path: path.into(),
            error: Box::new(error),
        })
    }

    /// Names of the built-in spaces.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The built-in space of that name, if there is one.
    fn built_in(name: &str) -> Option<Result<Self, SpaceError>> {
        let found = BUILT_IN.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| Self::from_toml(text))
    }

    /// Reads and checks a space.
    ///
    /// # Errors
    /// [`SpaceError::Text`] with line and field.
    pub fn from_toml(text: &str) -> Result<Self, SpaceError> {
        let SpaceText {
            name,
            input,
            conv,
            head,
        } = space_text::read(text)?;
        Ok(Self {
            name,
            input,
            conv,
            head,
        })
    }

    /// The space as TOML that [`Space::from_toml`] reads back to an equal space; equal spaces give
    /// equal texts.
    pub fn to_toml(&self) -> String {
        let input: [usize; 3] = self.input.into();
        let mut text = format!("name = \"{}\"\ninput = {input:?}\n", self.name);
        for conv in &self.conv {
            let pool = match conv.pool {
                PoolChoice::None => "none",
                PoolChoice::Average => "average",
                PoolChoice::Max => "max",
            };
            text += &format!("\n[[conv]]\nfilters = {:?}\n", conv.filters);
            text += &format!("kernel_height = {:?}\n", conv.kernel_height);
            text += &format!("kernel_width = {:?}\n", conv.kernel_width);
            text += &format!("weight_bits = {:?}\n", conv.weight_bits);
            text += &format!("input_bits = {:?}\n", conv.input_bits);
            text += &format!("pool = \"{pool}\"\npool_size = {}\n", conv.pool_size);
        }
        text += &format!("\n[head]\noutputs = {}\n", self.head.outputs);
        text += &format!("weight_bits = {:?}\n", self.head.weight_bits);
        text += &format!("input_bits = {:?}\n", self.head.input_bits);
        text
    }

    /// Its name, which is also that of the networks it decodes to.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shape of the input of its networks.
    pub const fn input(&self) -> Shape {
        self.input
    }

    /// Number of outputs of its networks.
    pub const fn outputs(&self) -> u32 {
        self.head.outputs
    }

    /// What is to be decided, in order.
    pub fn decisions(&self) -> Vec<Decision> {
        use DecisionKind::{Architecture, Quantizer};
        let decision = |layer: &str, field: &str, kind, options: &[u32]| Decision {
            name: format!("{layer}.{field}"),
            kind,
            options: options.to_vec(),
        };
        let mut all = Vec::new();
        for (index, conv) in self.conv.iter().enumerate() {
            let layer = format!("conv{}", index + 1);
            all.extend([
                decision(&layer, "filters", Architecture, &conv.filters),
                decision(&layer, "kernel_height", Architecture, &conv.kernel_height),
                decision(&layer, "kernel_width", Architecture, &conv.kernel_width),
                decision(&layer, "weight_bits", Quantizer, &conv.weight_bits),
                decision(&layer, "input_bits", Quantizer, &conv.input_bits),
            ]);
        }
        let HeadChoices {
            weight_bits,
            input_bits,
            ..
        } = &self.head;
        all.push(decision("fc", "weight_bits", Quantizer, weight_bits));
        all.push(decision("fc", "input_bits", Quantizer, input_bits));
        all
    }

    /// The network of one choice (an index into the options) per decision.
    ///
    /// # Errors
    /// [`SpaceError::Choices`] unless there is one index in range for each decision.
    pub fn decode(&self, choices: &[usize]) -> Result<NetworkParams, SpaceError> {
        let decisions = self.decisions();
        let values: Option<Vec<u32>> = decisions
            .iter()
            .zip(choices)
            .map(|(decision, &choice)| decision.options.get(choice).copied())
            .collect();
        match values {
            Some(values) if choices.len() == decisions.len() => Ok(self.network(&values)),
            _ => Err(SpaceError::Choices {
                decisions: decisions.len(),
                found: choices.to_vec(),
            }),
        }
    }

    /// The network of one value per decision.
    fn network(&self, values: &[u32]) -> NetworkParams {
        let mut layers = Chain(Vec::new());
        let (of_conv, of_head) = values.as_chunks::<5>();
        for (index, (conv, &decided)) in self.conv.iter().zip(of_conv).enumerate() {
            let number = index + 1;
            layers.push(format!("conv{number}"), conv_layer(decided));
            layers.push(format!("relu{number}"), LayerKind::Relu);
            let window = PoolParams {
                kernel: [conv.pool_size as usize; 2],
                stride: [conv.pool_size as usize; 2],
            };
            match conv.pool {
                PoolChoice::None => {}
                PoolChoice::Average => {
                    layers.push(format!("pool{number}"), LayerKind::AvgPool(window));
                }
                PoolChoice::Max => {
                    layers.push(format!("pool{number}"), LayerKind::MaxPool(window));
                }
            }
        }
        layers.push("flatten".into(), LayerKind::Flatten);
        if let [weight_bits, input_bits] = *of_head {
            let head = FcParams {
                outputs: self.head.outputs as usize,
                bias: true,
                quantizer: Quantizer {
                    input_bits,
                    weight_bits,
                },
                p_bits: None,
            };
            layers.push("fc".into(), LayerKind::Fc(head));
        }
        NetworkParams {
            name: self.name.clone(),
            input: self.input,
            layers: layers.0,
        }
    }
}

/// A convolution that keeps height and width.
fn conv_layer([filters, height, width, weight_bits, input_bits]: [u32; 5]) -> LayerKind {
    let kernel = [height as usize, width as usize];
    LayerKind::Conv(ConvParams {
        out_channels: filters as usize,
        kernel,
        stride: [1, 1],
        padding: kernel.map(|k| (k - 1) / 2),
        dilation: [1, 1],
        groups: 1,
        bias: true,
        quantizer: Quantizer {
            input_bits,
            weight_bits,
        },
        p_bits: None,
    })
}

/// Layers, each of which reads the one before.
struct Chain(Vec<LayerParams>);

impl Chain {
    fn push(&mut self, name: String, kind: LayerKind) {
        let source = match self.0.len() {
            0 => Source::Input,
            before => Source::Layer(before - 1),
        };
        self.0.push(LayerParams {
            name,
            inputs: vec![source],
            kind,
        });
    }
}

#[cfg(test)]
mod tests;
