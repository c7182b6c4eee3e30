//! How many bits an activation keeps: l_o is the l_i of the linear layer that reads it.
//!
//! A value's bits are the largest `input_bits` among the linear layers and squares that read it, through
//! average pools, flatten and add. If there is none, those found through further activations count;
//! then those of the linear layers before it; then [`DEFAULT_BITS`].

use super::layer::{LayerKind, NetworkParams, Source};

/// Bits where no linear layer says anything.
const DEFAULT_BITS: u32 = 8;

/// Bits of every value of a network, by [`slot`].
pub(super) struct ActivationBits {
    /// From linear layers reached through no activation.
    direct: Vec<Option<u32>>,
    /// From linear layers reached through any layers.
    through: Vec<Option<u32>>,
    /// From the linear layers before.
    before: Vec<Option<u32>>,
}

/// Index of a value: 0 for the network's input, 1 + i for layer i.
pub(super) fn slot(source: &Source) -> usize {
    match source {
        Source::Input => 0,
        Source::Layer(index) => index + 1,
    }
}

impl ActivationBits {
    /// Walks a network whose graph has been checked.
    pub(super) fn new(network: &NetworkParams) -> Self {
        let values = network.layers.len() + 1;
        let mut bits = Self {
            direct: vec![None; values],
            through: vec![None; values],
            before: vec![None; values],
        };
        for (index, layer) in network.layers.iter().enumerate().rev() {
            let (direct, through) = match &layer.kind {
                LayerKind::Conv(_) | LayerKind::Fc(_) | LayerKind::Square { .. } => {
                    let own = layer.kind.input_bits();
                    (own, own)
                }
                LayerKind::AvgPool(_) | LayerKind::Flatten | LayerKind::Add => {
                    (bits.direct[index + 1], bits.through[index + 1])
                }
                LayerKind::Relu
                | LayerKind::Clip { .. }
                | LayerKind::MaxPool(_)
                | LayerKind::Argmax => (None, bits.direct[index + 1].or(bits.through[index + 1])),
            };
            for source in &layer.inputs {
                let value = slot(source);
                bits.direct[value] = bits.direct[value].max(direct);
                bits.through[value] = bits.through[value].max(through);
            }
        }
        for (index, layer) in network.layers.iter().enumerate() {
            let own = layer.kind.input_bits();
            let operands = layer.inputs.iter().map(|s| bits.before[slot(s)]).max();
            bits.before[index + 1] = own.or(operands.flatten());
        }
        bits
    }

    /// Bits of a value whose sign takes none of its own: after a ReLU, or read by linear layers.
    pub(super) fn of(&self, value: usize) -> u32 {
        self.direct[value]
            .or(self.through[value])
            .or(self.before[value])
            .unwrap_or(DEFAULT_BITS)
    }

    /// Bits of a value with its sign, kept by a max pool: one more where only a later activation drops the sign.
    pub(super) fn of_signed(&self, value: usize) -> u32 {
        self.direct[value]
            .or(self.through[value].map(|bits| bits + 1))
            .or(self.before[value])
            .unwrap_or(DEFAULT_BITS)
    }
}
