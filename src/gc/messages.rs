//! What goes over the wire for a layer (for transfers: `transfer_messages`): sizes foretold, and bytes.
//!
//! Blocks are 16 bytes, little-endian; bits are packed eight to a byte, lowest first, and the unused
//! bits of the last byte are zero. No message carries lengths: both parties know the circuit and
//! the batch. `read` takes the counts that are expected and refuses anything else; it never panics.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::circuits::ShareCircuit;
use super::error::{GcError, expect_len};
use super::extension::Extension;
use super::lanes::{Piece, Shape};
use super::transfer_messages::{BaseOtOffer, BaseOtReply, TreeSums};
use crate::units::Bytes;

/// Bytes of a block.
pub(super) const BLOCK: usize = 16;

/// Defines a message that is a list of blocks.
macro_rules! block_message {
    ($(#[$doc:meta])* $name:ident, $field:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
        pub struct $name {
            pub(super) $field: Vec<u128>,
        }

        impl $name {
            /// Bytes on the wire.
            pub fn wire_size(&self) -> usize {
                $crate::gc::messages::BLOCK * self.$field.len()
            }

            /// Appends the message.
            pub fn write(&self, out: &mut Vec<u8>) {
                $crate::gc::messages::write_blocks(&self.$field, out);
            }

            /// Reads `count` blocks.
            ///
            /// # Errors
            /// A wrong length.
            pub fn read(count: usize, bytes: &[u8]) -> Result<Self, $crate::gc::GcError> {
                let expected = count.saturating_mul($crate::gc::messages::BLOCK);
                $crate::gc::error::expect_len($what, bytes.len(), expected)?;
                let $field = $crate::gc::messages::blocks(bytes);
                Ok(Self { $field })
            }
        }
    };
}

pub(super) use block_message;

block_message! {
    /// Masked labels of the evaluator's inputs: garbler to evaluator, online. Instances times
    /// `evaluator_input_bits` blocks.
    LabelTransfer, masked, "bytes of transferred labels"
}
/// Bytes of a piece, before anything runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceSizes {
    /// Circuits.
    pub circuits: u64,
    /// Key, tables and decode bits.
    pub tables: Bytes,
    /// The garbler's labels.
    pub garbler_labels: Bytes,
}

/// Bytes of every message of a layer, before anything runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcSizes {
    /// [`BaseOtOffer`], once a session, evaluator to garbler.
    pub base_ot_offer: Bytes,
    /// [`BaseOtReply`], once a session, garbler to evaluator.
    pub base_ot_reply: Bytes,
    /// [`TreeSums`], once a session, evaluator to garbler.
    pub tree_sums: Bytes,
    /// [`ExtensionColumns`](super::ExtensionColumns) with random choices if one extension serves this batch
    /// alone, evaluator to garbler.
    pub extension: Bytes,
    /// The same with given choices.
    pub extension_given: Bytes,
    /// What the garbler sends to the evaluator, piece by piece.
    pub pieces: Vec<PieceSizes>,
    /// [`ChoiceCorrections`](super::ChoiceCorrections), evaluator to garbler; nothing is sent if the prepared
    /// choices are the inputs.
    pub corrections: Bytes,
    /// [`LabelTransfer`], garbler to evaluator; nothing is sent if the prepared choices are the inputs.
    pub label_transfer: Bytes,
}

impl GcSizes {
    /// Sizes for `batch` instances with the default extension.
    ///
    /// # Errors
    /// As [`ShareCircuit::check`].
    pub fn new(circuit: &ShareCircuit, batch: usize) -> Result<Self, GcError> {
        Self::with_extension(circuit, batch, Extension::default())
    }

    /// Sizes for `batch` instances.
    ///
    /// # Errors
    /// As [`ShareCircuit::check`].
    pub fn with_extension(
        circuit: &ShareCircuit,
        batch: usize,
        extension: Extension,
    ) -> Result<Self, GcError> {
        let shape = Shape::new(circuit, batch)?;
        let size = |bytes: usize| Bytes(bytes as u64);
        let choices = batch.saturating_mul(shape.evaluator_bits);
        let pieces = |piece: Piece| PieceSizes {
            circuits: piece.circuits as u64,
            tables: size(shape.tables_size(&piece)),
            garbler_labels: size(shape.labels_size(&piece)),
        };
        Ok(Self {
            base_ot_offer: size(BaseOtOffer::WIRE_SIZE),
            base_ot_reply: size(BaseOtReply::WIRE_SIZE),
            tree_sums: size(TreeSums::wire_size_of(extension)),
            extension: size(BLOCK.saturating_mul(extension.random_blocks(choices))),
            extension_given: size(BLOCK.saturating_mul(extension.given_blocks(choices))),
            pieces: shape.pieces().map(pieces).collect(),
            corrections: Bytes::of_bits(choices as u64),
            label_transfer: size(choices.saturating_mul(BLOCK)),
        })
    }
}

pub(super) fn write_blocks(blocks: &[u128], out: &mut Vec<u8>) {
    if cfg!(target_endian = "little") {
        out.extend_from_slice(bytemuck::must_cast_slice(blocks));
    } else {
        out.extend(blocks.iter().flat_map(|block| block.to_le_bytes()));
    }
}

pub(super) fn blocks(bytes: &[u8]) -> Vec<u128> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|&block| u128::from_le_bytes(block))
        .collect()
}

/// Bits packed eight to a byte, lowest first.
pub(super) fn pack(bits: &[bool]) -> Vec<u8> {
    let (whole, rest) = bits.as_chunks();
    let mut bytes: Vec<u8> = whole.iter().map(|&bits| byte_of(bits)).collect();
    if !rest.is_empty() {
        let mut last = [false; 8];
        last[..rest.len()].copy_from_slice(rest);
        bytes.push(byte_of(last));
    }
    bytes
}

/// The product's top byte gathers bit `8i` at place `56 + i`; no two partial products meet.
fn byte_of(bits: [bool; 8]) -> u8 {
    let spread = u64::from_le_bytes(bits.map(u8::from));
    (spread.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// The bits of a byte, lowest first: byte i of the product keeps bit i, and any value becomes 1.
pub(super) fn bits_of(byte: u8) -> [bool; 8] {
    let spread = (u64::from(byte) * 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
    let bits = ((spread + 0x7f7f_7f7f_7f7f_7f7f) >> 7) & 0x0101_0101_0101_0101;
    bits.to_le_bytes().map(|bit| bit == 1)
}

/// The `count` bits packed in `bytes`.
pub(super) fn unpack(what: &'static str, bytes: &[u8], count: usize) -> Result<Vec<bool>, GcError> {
    expect_len(what, bytes.len(), count.div_ceil(8))?;
    let mut bits = Vec::with_capacity(8 * bytes.len());
    for &byte in bytes {
        bits.extend_from_slice(&bits_of(byte));
    }
    if bits[count..].contains(&true) {
        return Err(GcError::Padding { what });
    }
    bits.truncate(count);
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_pack_lowest_first_and_unpack() {
        for byte in 0..=255 {
            let bits: [bool; 8] = std::array::from_fn(|i| byte >> i & 1 == 1);
            assert_eq!((byte_of(bits), bits_of(byte)), (byte, bits));
        }
        let bits = [
            true, false, true, true, false, false, false, false, false, true,
        ];
        assert_eq!(pack(&bits), [0b1101, 0b10]);
        assert_eq!(unpack("bits", &[0b1101, 0b10], 10).unwrap(), bits);
        assert!(unpack("bits", &[0b1101, 0b110], 10).is_err());
    }
}
