//! What the papers count in a network: ReLUs, FLOPs and parameters, by layer and in total.
//!
//! FLOPs are multiply-adds of convolutions and fully connected layers, one for each weight and
//! output position, padding included, biases left out (as in DeepReDuce and DeepReShape). A
//! max pool, a square, an argmax or an inserted re-quantization is no ReLU; a clip is one, whatever its maximum.

use serde::{Deserialize, Serialize};

use super::error::NetworkError;
use super::layer::{LayerKind, LayerParams, NetworkParams, Shape, Source};

/// Counts of one layer, or of a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Values that go through a ReLU.
    pub relus: u64,
    /// Multiply-adds.
    pub flops: u64,
    /// Weights and biases.
    pub parameters: u64,
}

/// Counts of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkCounts {
    /// One a layer, in the network's order.
    pub layers: Vec<Counts>,
    /// Their sum.
    pub total: Counts,
}

impl NetworkParams {
    /// Counts ReLUs, multiply-adds and parameters.
    ///
    /// # Errors
    /// Those of [`NetworkParams::shapes`].
    pub fn counts(&self) -> Result<NetworkCounts, NetworkError> {
        let shapes = self.shapes()?;
        let operand = |source: &Source| match source {
            Source::Input => self.input,
            Source::Layer(index) => shapes[*index],
        };
        let layers: Vec<Counts> = self
            .layers
            .iter()
            .zip(&shapes)
            .map(|(layer, output)| layer_counts(layer, operand(&layer.inputs[0]), *output))
            .collect();
        let total = layers.iter().fold(Counts::default(), |sum, layer| Counts {
            relus: sum.relus + layer.relus,
            flops: sum.flops + layer.flops,
            parameters: sum.parameters + layer.parameters,
        });
        Ok(NetworkCounts { layers, total })
    }
}

impl LayerKind {
    /// Products summed into one output of a linear layer reading `input`; 0 for other layers.
    pub fn terms(&self, input: Shape) -> usize {
        match self {
            Self::Conv(conv) => input.channels / conv.groups * conv.kernel[0] * conv.kernel[1],
            Self::Fc(_) => input.len(),
            _ => 0,
        }
    }
}

fn layer_counts(layer: &LayerParams, input: Shape, output: Shape) -> Counts {
    let relus = match layer.kind {
        LayerKind::Relu | LayerKind::Clip { .. } => output.len() as u64,
        _ => 0,
    };
    let terms = layer.kind.terms(input) as u64;
    let outputs = match &layer.kind {
        LayerKind::Conv(conv) => conv.out_channels as u64,
        LayerKind::Fc(fc) => fc.outputs as u64,
        _ => 0,
    };
    let biases = if layer.kind.has_bias() { outputs } else { 0 };
    Counts {
        relus,
        flops: terms * output.len() as u64,
        parameters: terms * outputs + biases,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::layer::{ConvParams, FcParams, PoolParams, Quantizer};

    #[test]
    fn counts_a_small_network_by_hand() {
        let quantizer = Quantizer {
            input_bits: 8,
            weight_bits: 8,
        };
        let conv = ConvParams {
            out_channels: 4,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups: 1,
            bias: false,
            quantizer,
            p_bits: None,
        };
        let fc = FcParams {
            outputs: 10,
            bias: true,
            quantizer,
            p_bits: None,
        };
        let pool = PoolParams {
            kernel: [2, 2],
            stride: [2, 2],
        };
        let kinds = [
            LayerKind::Conv(conv),
            LayerKind::Relu,
            LayerKind::MaxPool(pool),
            LayerKind::Fc(fc),
        ];
        let network = NetworkParams {
            name: "small".into(),
            input: Shape::new(2, 6, 6),
            layers: NetworkParams::chain(kinds),
        };
        let counts = network.counts().unwrap();
        assert_eq!(
            counts.total,
            Counts {
                relus: 4 * 36,
                flops: 4 * 36 * 18 + 10 * 36,
                parameters: 4 * 18 + 10 * 36 + 10,
            }
        );
        assert_eq!(counts.layers[1].relus, 144);
        assert_eq!(counts.layers[2], Counts::default());
    }
}
