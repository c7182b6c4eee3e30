//! ResNets of basic blocks, described by their widths and depths: counts in closed form, and layers.
//!
//! Stem width m, multipliers (α, β, γ), blocks φ = (φ1, φ2, φ3, φ4), input H × H of three channels.
//! Stage i has c_i = m, mα, mαβ, mαβγ channels of size h_i = H/2^(i−1). A block is conv 3×3, ReLU,
//! conv 3×3, addition of the block's input, ReLU. The first block of stages 2 to 4 has stride 2, and a
//! 1×1 convolution of stride 2 on its skip connection. Before the stages come a 3×3 convolution to
//! m channels and a ReLU, after them the mean over each channel and a fully connected layer.
//!
//! ReLUs: H²·m in the stem, 2·φ_i·h_i²·c_i in stage i. FLOPs are multiply-adds: h_i² times the weights
//! of a stage's convolutions, `(9·c_(i−1) + 9·(2φ_i − 1)·c_i + [i > 1]·c_(i−1))·c_i`. Batch norm counts
//! as folded into the convolutions: one bias an output channel.
//!
//! Source: He et al., Deep residual learning (2016); the letters are DeepReShape's (Jha and Reagen,
//! TMLR 2024). Other blocks and stems (bottleneck, ImageNet's 7×7) are not described.

use serde::{Deserialize, Serialize};

use super::error::{ReluError, within};
use crate::network::{
    ConvParams, Counts, FcParams, LayerKind, LayerParams, NetworkParams, PoolParams, Quantizer,
    Shape, Source,
};

/// Channels of an image.
const COLOURS: usize = 3;
/// Least and most blocks of a stage.
pub(super) const BLOCKS: [usize; 2] = [1, 64];
/// Least and most rows and columns of the input.
const INPUT: [usize; 2] = [8, 1024];
/// Least and most channels of a stage, and outputs of the last layer.
const WIDTH: [usize; 2] = [1, 1 << 16];

/// A ResNet of four stages in DeepReShape's terms. Unchecked: whatever reads it refuses what is
/// out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ResNetShape {
    /// m: channels of the stem and of the first stage.
    pub stem: usize,
    /// α, β, γ: how many times wider each later stage is than the one before.
    pub multipliers: [usize; 3],
    /// φ: basic blocks of each stage.
    pub blocks: [usize; 4],
    /// H: rows and columns of the input, a multiple of 8.
    pub input: usize,
}

/// ReLUs, multiply-adds and parameters of a ResNet by stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResNetCounts {
    /// The first convolution and its ReLU.
    pub stem: Counts,
    /// The four stages.
    pub stages: [Counts; 4],
    /// The fully connected layer.
    pub head: Counts,
    /// The sum of all.
    pub total: Counts,
}

impl ResNetShape {
    /// Channels of each stage: m, mα, mαβ, mαβγ.
    ///
    /// # Errors
    /// [`ReluError`] for a width, depth or input size outside what is described.
    pub fn widths(&self) -> Result<[usize; 4], ReluError> {
        within("stem", self.stem, WIDTH)?;
        within("input", self.input, INPUT)?;
        if !self.input.is_multiple_of(8) {
            return Err(ReluError::InputSize { given: self.input });
        }
        let mut widths = [self.stem; 4];
        for (stage, multiplier) in self.multipliers.into_iter().enumerate() {
            within("multiplier", multiplier, WIDTH)?;
            widths[stage + 1] = widths[stage].saturating_mul(multiplier);
        }
        for blocks in self.blocks {
            within("blocks", blocks, BLOCKS)?;
        }
        match widths[3] > WIDTH[1] {
            false => Ok(widths),
            true => Err(ReluError::TooWide {
                stem: self.stem,
                multipliers: self.multipliers,
                high: WIDTH[1],
            }),
        }
    }

    /// Counts by the closed forms of the module.
    ///
    /// # Errors
    /// Those of [`ResNetShape::widths`]; [`ReluError::OutOfRange`] for the number of classes.
    pub fn counts(&self, classes: usize) -> Result<ResNetCounts, ReluError> {
        let widths = self.widths()?;
        within("classes", classes, WIDTH)?;
        let counted = |values: usize, weights: usize, biases: usize, relus: usize| Counts {
            relus: (relus * values) as u64,
            flops: (weights * values) as u64,
            parameters: (weights + biases) as u64,
        };
        let (m, area) = (self.stem, self.input * self.input);
        let stem = counted(area, 9 * COLOURS * m, m, m);
        let stages = [0, 1, 2, 3].map(|stage| {
            let (before, width) = (widths[stage.max(1) - 1], widths[stage]);
            let convs = 2 * self.blocks[stage];
            let project = usize::from(stage > 0);
            let weights = (9 * before + 9 * (convs - 1) * width + project * before) * width;
            let biases = (convs + project) * width;
            counted(area >> (2 * stage), weights, biases, convs * width)
        });
        let head = counted(1, widths[3] * classes, classes, 0);
        let mut total = stem;
        for part in stages.iter().chain([&head]) {
            total.relus += part.relus;
            total.flops += part.flops;
            total.parameters += part.parameters;
        }
        Ok(ResNetCounts {
            stem,
            stages,
            head,
            total,
        })
    }

    /// The name of this shape as DeepReShape writes it, the stem added: `hrn-5x5x3x-m16`.
    pub fn name(&self) -> String {
        let [alpha, beta, gamma] = self.multipliers;
        format!("hrn-{alpha}x{beta}x{gamma}x-m{}", self.stem)
    }

    /// The layers, every linear one with `quantizer`.
    ///
    /// # Errors
    /// Those of [`ResNetShape::counts`]. A network too large for its room is refused there, when its
    /// shapes are asked for.
    pub fn network(
        &self,
        classes: usize,
        quantizer: Quantizer,
    ) -> Result<NetworkParams, ReluError> {
        let widths = self.widths()?;
        within("classes", classes, WIDTH)?;
        let mut builder = Builder {
            layers: Vec::new(),
            quantizer,
        };
        let sums = builder.conv("stem.conv".into(), Source::Input, (self.stem, 3, 1));
        let mut last = builder.push("stem.relu".into(), vec![sums], LayerKind::Relu);
        for (stage, width) in widths.into_iter().enumerate() {
            for block in 0..self.blocks[stage] {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let name = format!("stage{}.block{}", stage + 1, block + 1);
                last = builder.block(&name, &last, (width, stride));
            }
        }
        let side = self.input / 8;
        let pool = LayerKind::AvgPool(PoolParams {
            kernel: [side, side],
            stride: [side, side],
        });
        let fc = LayerKind::Fc(FcParams {
            outputs: classes,
            bias: true,
            quantizer,
            p_bits: None,
        });
        let tail = [("pool", pool), ("flatten", LayerKind::Flatten), ("fc", fc)];
        for (name, kind) in tail {
            last = builder.push(name.into(), vec![last], kind);
        }
        Ok(NetworkParams {
            name: self.name(),
            input: Shape::new(COLOURS, self.input, self.input),
            layers: builder.layers,
        })
    }
}

/// The layers so far.
struct Builder {
    layers: Vec<LayerParams>,
    quantizer: Quantizer,
}

impl Builder {
    fn push(&mut self, name: String, inputs: Vec<Source>, kind: LayerKind) -> Source {
        self.layers.push(LayerParams { name, inputs, kind });
        Source::Layer(self.layers.len() - 1)
    }

    /// A convolution that keeps the size but for its stride.
    fn conv(
        &mut self,
        name: String,
        from: Source,
        (out_channels, kernel, stride): (usize, usize, usize),
    ) -> Source {
        let conv = ConvParams {
            out_channels,
            kernel: [kernel, kernel],
            stride: [stride, stride],
            padding: [kernel / 2, kernel / 2],
            dilation: [1, 1],
            groups: 1,
            bias: true,
            quantizer: self.quantizer,
            p_bits: None,
        };
        self.push(name, vec![from], LayerKind::Conv(conv))
    }

    /// A basic block; stride 2 brings the projection.
    fn block(&mut self, name: &str, from: &Source, (width, stride): (usize, usize)) -> Source {
        let conv1 = self.conv(format!("{name}.conv1"), from.clone(), (width, 3, stride));
        let relu1 = self.push(format!("{name}.relu1"), vec![conv1], LayerKind::Relu);
        let conv2 = self.conv(format!("{name}.conv2"), relu1, (width, 3, 1));
        let skip = match stride {
            1 => from.clone(),
            _ => self.conv(format!("{name}.project"), from.clone(), (width, 1, stride)),
        };
        let add = self.push(format!("{name}.add"), vec![conv2, skip], LayerKind::Add);
        self.push(format!("{name}.relu2"), vec![add], LayerKind::Relu)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUANTIZER: Quantizer = Quantizer {
        input_bits: 8,
        weight_bits: 8,
    };

    const fn resnet18(stem: usize, multipliers: [usize; 3]) -> ResNetShape {
        ResNetShape {
            stem,
            multipliers,
            blocks: [2; 4],
            input: 32,
        }
    }

    fn stage_relus(counts: &ResNetCounts) -> [u64; 4] {
        counts.stages.map(|stage| stage.relus)
    }

    /// Counts on CIFAR-100 derived by hand from DeepReShape's slides: total ReLUs, and
    /// multiply-adds in hundred thousands.
    #[test]
    fn counts_are_those_of_the_slides() {
        let published = [
            (64, [2, 2, 2], 557_056, 5555),
            (32, [2, 2, 2], 278_528, 1393),
            (16, [4, 4, 4], 278_528, 6596),
            (16, [3, 7, 2], 260_096, 4645),
            (16, [5, 5, 3], 343_040, 10_530),
            (32, [2, 5, 3], 372_736, 7100),
            (16, [5, 7, 2], 378_880, 12_700),
            (16, [6, 6, 2], 401_408, 13_660),
            (16, [7, 5, 2], 411_648, 13_260),
            (32, [2, 6, 2], 376_832, 6450),
        ];
        for (stem, multipliers, relus, flops) in published {
            let total = resnet18(stem, multipliers).counts(100).unwrap().total;
            assert_eq!(total.relus, relus, "{multipliers:?}");
            let given = flops as f64 * 1e5;
            let error = (total.flops as f64 - given).abs() / given;
            assert!(error < 0.002, "{multipliers:?}: {}", total.flops);
        }
        let counts = resnet18(16, [3, 7, 2]).counts(100).unwrap();
        assert_eq!(counts.stem.relus, 16_384);
        assert_eq!(stage_relus(&counts), [65_536, 49_152, 86_016, 43_008]);
    }

    #[test]
    fn tiny_imagenet_has_four_times_the_relus() {
        let cifar = resnet18(64, [2, 2, 2]);
        let tiny = ResNetShape { input: 64, ..cifar };
        let relus = |shape: ResNetShape| shape.counts(200).unwrap().total.relus;
        assert_eq!(relus(tiny), 4 * relus(cifar));
    }

    /// What the layers count, by the part their names say they belong to.
    fn by_part(network: &NetworkParams, part: &str) -> Counts {
        let mut sum = Counts::default();
        let counts = network.counts().unwrap().layers;
        let described = network.layers.iter().zip(counts);
        for (_, counts) in described.filter(|(layer, _)| layer.name.starts_with(part)) {
            sum.relus += counts.relus;
            sum.flops += counts.flops;
            sum.parameters += counts.parameters;
        }
        sum
    }

    #[test]
    fn the_network_resolves_and_survives_its_file() {
        for shape in [
            resnet18(16, [5, 5, 3]),
            ResNetShape {
                blocks: [3, 4, 6, 3],
                input: 24,
                ..resnet18(2, [4, 6, 3])
            },
        ] {
            let network = shape.network(10, QUANTIZER).unwrap();
            assert!(network.resolve(None).is_ok());
            let text = network.to_toml().unwrap();
            assert_eq!(NetworkParams::from_toml(&text), Ok((network, vec![])));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_layers_count_what_the_closed_forms_say(
            stem in 1_usize..20,
            multipliers in prop::array::uniform3(1_usize..6),
            blocks in prop::array::uniform4(1_usize..5),
            (eighth, classes) in (1_usize..9, 1_usize..50),
        ) {
            let shape = ResNetShape { stem, multipliers, blocks, input: 8 * eighth };
            let counts = shape.counts(classes).unwrap();
            let network = shape.network(classes, QUANTIZER).unwrap();
            prop_assert_eq!(network.counts().unwrap().total, counts.total);
            prop_assert_eq!(by_part(&network, "stem"), counts.stem);
            for (stage, counts) in counts.stages.into_iter().enumerate() {
                prop_assert_eq!(by_part(&network, &format!("stage{}", stage + 1)), counts);
            }
            prop_assert_eq!(by_part(&network, "fc"), counts.head);
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        let good = resnet18(16, [5, 5, 3]);
        let told = |shape: ResNetShape| shape.counts(10).unwrap_err().to_string();
        let stem = told(ResNetShape { stem: 0, ..good });
        assert_eq!(stem, "stem is 0; expected 1 to 65536");
        let input = told(ResNetShape { input: 4, ..good });
        assert_eq!(input, "input is 4; expected 8 to 1024");
        let odd = told(ResNetShape { input: 28, ..good });
        assert!(odd.ends_with("expected a multiple of 8"), "{odd}");
        let blocks = told(ResNetShape {
            blocks: [2, 0, 2, 2],
            ..good
        });
        assert_eq!(blocks, "blocks is 0; expected 1 to 64");
        let multipliers = [1 << 16, 1 << 16, 1 << 16];
        let wide = ResNetShape {
            multipliers,
            ..good
        };
        assert!(matches!(wide.widths(), Err(ReluError::TooWide { .. })));
        assert!(good.counts(0).is_err() && good.network(0, QUANTIZER).is_err());
    }

    #[test]
    fn the_largest_counts_fit() {
        let shape = ResNetShape {
            stem: WIDTH[1],
            multipliers: [1; 3],
            blocks: [BLOCKS[1]; 4],
            input: INPUT[1],
        };
        let counts = shape.counts(WIDTH[1]).unwrap();
        assert!(counts.total.flops > counts.stages[0].flops);
    }
}
