//! What a plan is made for: the shapes of one linear layer or square, taken from a step; and what may be wrong.
//!
//! A [`LinearShape`] holds sizes only: no weights, no quantizers. Output sizes follow from
//! out = ⌊(in + 2·padding − extent) / stride⌋ + 1, extent = (kernel − 1)·dilation + 1.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::network::{LayerKind, Shape, Step, StepKind};
use crate::ring::MAX_DEGREE;

/// Why there is no plan, or why plain slots were refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PackingError {
    /// The step is no convolution, fully connected layer or square.
    #[error("step `{step}` is not a linear layer or a square")]
    NotLinear {
        /// Name of the step.
        step: String,
    },
    /// No ring has this degree.
    #[error("ring degree {n} is not a power of two from 2 to {MAX_DEGREE}")]
    RingDegree {
        /// The degree asked for.
        n: usize,
    },
    /// A size of the layer is 0 or beyond all reason.
    #[error("the layer's {field} is {value}; expected {least} to {greatest}")]
    Size {
        /// What was given.
        field: &'static str,
        /// Its value, or the greatest number there is.
        value: usize,
        /// The least that is accepted.
        least: usize,
        /// The greatest that is accepted.
        greatest: usize,
    },
    /// A channel, padded to a power of two, does not fit in a row of n/2 slots.
    #[error("a channel of {height}x{width} does not fit in a row of {row} slots")]
    ImageTooLarge {
        /// Height of the grid that inputs and outputs share.
        height: usize,
        /// Width of that grid.
        width: usize,
        /// Slots of a row, n/2.
        row: usize,
    },
    /// Kernel, stride, padding and input do not make an output.
    #[error("kernel, stride and padding do not fit an input of {height}x{width}")]
    Geometry {
        /// Height of the input.
        height: usize,
        /// Width of the input.
        width: usize,
    },
    /// Groups do not divide the channels.
    #[error("{groups} groups do not divide {} input and {} output channels", channels[0], channels[1])]
    Groups {
        /// Number of groups.
        groups: usize,
        /// Input and output channels.
        channels: [usize; 2],
    },
    /// The step states another output than its parameters make.
    #[error("the layer makes {made:?}, its step says {stated:?}")]
    OutputShape {
        /// Output by the layer's parameters.
        made: Shape,
        /// Output by the step.
        stated: Shape,
    },
    /// No output depends on any input.
    #[error("the layer has no product of a weight and an input")]
    Empty,
    /// A schedule was asked for a layer that it does not compute.
    #[error("schedule {schedule} does not compute this kind of layer")]
    WrongLayer {
        /// Name of the schedule.
        schedule: &'static str,
    },
    /// A schedule would do no less than a simpler one.
    #[error("schedule {schedule} does nothing for this layer that a simpler one does not do")]
    NothingToGain {
        /// Name of the schedule.
        schedule: &'static str,
    },
    /// A description names a schedule that is not in the list.
    #[error("no schedule is called `{name}`")]
    UnknownSchedule {
        /// The name.
        name: String,
    },
    /// A slot vector has the wrong length.
    #[error("{given} slots given, the ring has {expected}")]
    SlotCount {
        /// Slots of the ring.
        expected: usize,
        /// Slots given.
        given: usize,
    },
}

/// Greatest size of a layer along any axis, in channels, or of a filter.
const MAX_SIZE: usize = 1 << 20;

/// Most values of an input or output, and most weights.
const MAX_COUNT: usize = 1 << 31;

/// Refuses sizes out of range, by name.
fn sizes_in_range(
    sizes: &[(&'static str, usize)],
    (least, greatest): (usize, usize),
) -> Result<(), PackingError> {
    let wrong = |&&(_, value): &&(&str, usize)| !(least..=greatest).contains(&value);
    sizes.iter().find(wrong).map_or(Ok(()), |&(field, value)| {
        Err(PackingError::Size {
            field,
            value,
            least,
            greatest,
        })
    })
}

/// The product, or the greatest number there is.
fn product(factors: &[usize]) -> usize {
    factors
        .iter()
        .fold(1, |product, &factor| product.saturating_mul(factor))
}

/// Shapes of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConvShape {
    /// Channels, height and width of the input.
    pub input: Shape,
    /// Number of output channels.
    pub out_channels: usize,
    /// Filter height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zero rows above and below, zero columns left and right.
    pub padding: [usize; 2],
    /// Vertical and horizontal distance of the inputs that neighbouring filter places read.
    pub dilation: [usize; 2],
    /// Number of groups: runs of channels that depend on each other only.
    pub groups: usize,
}

impl ConvShape {
    /// Shape of the output.
    ///
    /// # Errors
    /// [`PackingError::Geometry`] where the kernel is empty or spans more than the padded input, or a
    /// stride or dilation is 0; [`PackingError::Groups`] where they do not divide the channels.
    pub fn output(&self) -> Result<Shape, PackingError> {
        let channels = [self.input.channels, self.out_channels];
        if self.groups == 0 || channels.iter().any(|c| !c.is_multiple_of(self.groups)) {
            return Err(PackingError::Groups {
                groups: self.groups,
                channels,
            });
        }
        let sizes = [self.input.height, self.input.width];
        let [height, width] = [0, 1].map(|axis| {
            let padded = self.padding[axis]
                .checked_mul(2)?
                .checked_add(sizes[axis])?;
            let room = padded.checked_sub(self.extent(axis)?)?;
            Some(room.checked_div(self.stride[axis])? + 1)
        });
        height
            .zip(width)
            .map(|(height, width)| Shape::new(self.out_channels, height, width))
            .ok_or(PackingError::Geometry {
                height: self.input.height,
                width: self.input.width,
            })
    }

    fn check(&self) -> Result<(), PackingError> {
        let input = self.input;
        let sizes = [
            ("input channels", input.channels),
            ("input height", input.height),
            ("input width", input.width),
            ("out_channels", self.out_channels),
            ("kernel height", self.kernel[0]),
            ("kernel width", self.kernel[1]),
            ("vertical stride", self.stride[0]),
            ("horizontal stride", self.stride[1]),
            ("vertical dilation", self.dilation[0]),
            ("horizontal dilation", self.dilation[1]),
            ("groups", self.groups),
        ];
        sizes_in_range(&sizes, (1, MAX_SIZE))?;
        let padding = [
            ("vertical padding", self.padding[0]),
            ("horizontal padding", self.padding[1]),
        ];
        sizes_in_range(&padding, (0, MAX_SIZE))?;
        let output = self.output()?;
        let filter = [self.kernel[0], self.kernel[1], self.channels_read()];
        let counts = [
            (
                "number of inputs",
                product(&[input.channels, input.height, input.width]),
            ),
            (
                "number of outputs",
                product(&[output.channels, output.height, output.width]),
            ),
            (
                "number of weights",
                product(&filter).saturating_mul(self.out_channels),
            ),
        ];
        sizes_in_range(&counts, (1, MAX_COUNT))
    }

    /// Rows or columns that a filter spans; none for an empty kernel or no dilation.
    pub(super) fn extent(&self, axis: usize) -> Option<usize> {
        let steps = self.kernel[axis].checked_sub(1)?;
        (self.dilation[axis] > 0).then_some(())?;
        steps.checked_mul(self.dilation[axis])?.checked_add(1)
    }

    /// Input channels that an output reads.
    pub const fn channels_read(&self) -> usize {
        self.input.channels / self.groups
    }
}

/// Shapes of a linear layer, or of a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinearShape {
    /// Fully connected; weights are `[outputs, inputs]`.
    Fc {
        /// Number of inputs, n_i.
        inputs: usize,
        /// Number of outputs, n_o.
        outputs: usize,
    },
    /// Convolution; weights are `[out_channels, in_channels / groups, kernel h, kernel w]`.
    Conv(ConvShape),
    /// What of a square is linear in what the client sends: y + w ⊙ x, of `values` values each. Inputs are x
    /// and behind it y, weights are w.
    Square {
        /// Number of values squared.
        values: usize,
    },
}

impl LinearShape {
    /// A fully connected layer.
    pub const fn fully_connected(inputs: usize, outputs: usize) -> Self {
        Self::Fc { inputs, outputs }
    }

    /// The shapes of a step.
    ///
    /// # Errors
    /// [`PackingError::NotLinear`]; [`PackingError::Geometry`] or [`PackingError::OutputShape`] where
    /// the step's own shapes disagree.
    pub fn of_step(step: &Step) -> Result<Self, PackingError> {
        let layer = match &step.kind {
            StepKind::Linear(LayerKind::Fc(fc)) => {
                Self::fully_connected(step.shape_in.len(), fc.outputs)
            }
            StepKind::Linear(LayerKind::Conv(conv)) => Self::Conv(ConvShape {
                input: step.shape_in,
                out_channels: conv.out_channels,
                kernel: conv.kernel,
                stride: conv.stride,
                padding: conv.padding,
                dilation: conv.dilation,
                groups: conv.groups,
            }),
            StepKind::Square => Self::Square {
                values: step.shape_in.len(),
            },
            _ => {
                return Err(PackingError::NotLinear {
                    step: step.name.clone(),
                });
            }
        };
        let made = match layer {
            Self::Square { .. } => step.shape_in,
            Self::Fc { .. } | Self::Conv(_) => layer.output()?,
        };
        if made == step.shape_out {
            Ok(layer)
        } else {
            Err(PackingError::OutputShape {
                made,
                stated: step.shape_out,
            })
        }
    }

    /// Whether all sizes are within what any network has: a shape from anywhere may be planned after this.
    ///
    /// # Errors
    /// [`PackingError::Size`] with the field's name, or that the sizes don't fit together.
    pub fn check(&self) -> Result<(), PackingError> {
        match self {
            &Self::Fc { inputs, outputs } => {
                let sizes = [("number of inputs", inputs), ("number of outputs", outputs)];
                sizes_in_range(&sizes, (1, MAX_COUNT))?;
                let weights = [("number of weights", product(&[inputs, outputs]))];
                sizes_in_range(&weights, (1, MAX_COUNT))
            }
            Self::Conv(conv) => conv.check(),
            &Self::Square { values } => {
                sizes_in_range(&[("number of values", values)], (1, MAX_COUNT))
            }
        }
    }

    /// Shape of the output; a fully connected layer makes `[outputs, 1, 1]`, a square is taken to be of a vector.
    ///
    /// # Errors
    /// [`PackingError::Geometry`] for a convolution that has none.
    pub fn output(&self) -> Result<Shape, PackingError> {
        match self {
            Self::Fc { outputs, .. } => Ok(Shape::new(*outputs, 1, 1)),
            Self::Conv(conv) => conv.output(),
            Self::Square { values } => Ok(Shape::new(*values, 1, 1)),
        }
    }

    /// Number of input values.
    pub const fn inputs(&self) -> usize {
        match self {
            Self::Fc { inputs, .. } => *inputs,
            Self::Conv(conv) => conv.input.len(),
            Self::Square { values } => 2 * *values,
        }
    }

    /// Number of weights, biases not counted.
    pub const fn weights(&self) -> usize {
        match self {
            Self::Fc { inputs, outputs } => *inputs * *outputs,
            Self::Conv(conv) => {
                conv.out_channels * conv.channels_read() * conv.kernel[0] * conv.kernel[1]
            }
            Self::Square { values } => *values,
        }
    }
}
