//! What goes over the wire for oblivious transfers: base transfers, extension, pads, corrections.
//!
//! Conventions as in `messages`: no lengths on the wire, everything read is checked against the count
//! that is expected, sizes are known beforehand.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::error::{GcError, expect_len};
use super::extension::Extension;
use super::messages::{block_message, pack, unpack};

/// Base transfers, bits of Δ and columns of the extension.
pub const BASE_TRANSFERS: usize = 128;
/// Transfers whose pads are hashed under one AES key.
pub const TRANSFERS_PER_KEY: usize = 1 << 20;

/// The base-transfer sender's point S: evaluator to garbler, once a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BaseOtOffer {
    pub(super) point: [u8; 32],
}

/// The base-transfer receiver's points R: garbler to evaluator, once a session.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseOtReply {
    pub(super) points: Vec<[u8; 32]>,
}

impl BaseOtOffer {
    /// Bytes on the wire.
    pub const WIRE_SIZE: usize = 32;

    /// Bytes on the wire.
    pub const fn wire_size(&self) -> usize {
        Self::WIRE_SIZE
    }

    /// Appends the message.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.point);
    }

    /// Reads the message; the point is checked where it is used.
    ///
    /// # Errors
    /// A wrong length.
    pub fn read(bytes: &[u8]) -> Result<Self, GcError> {
        expect_len(
            "bytes of a base transfer offer",
            bytes.len(),
            Self::WIRE_SIZE,
        )?;
        let mut point = [0; 32];
        point.copy_from_slice(bytes);
        Ok(Self { point })
    }
}

impl BaseOtReply {
    /// Bytes on the wire.
    pub const WIRE_SIZE: usize = 32 * BASE_TRANSFERS;

    /// Bytes on the wire.
    pub fn wire_size(&self) -> usize {
        32 * self.points.len()
    }

    /// Appends the message.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.points
            .iter()
            .for_each(|point| out.extend_from_slice(point));
    }

    /// Reads the message; the points are checked where they are used.
    ///
    /// # Errors
    /// A wrong length.
    pub fn read(bytes: &[u8]) -> Result<Self, GcError> {
        expect_len(
            "bytes of a base transfer reply",
            bytes.len(),
            Self::WIRE_SIZE,
        )?;
        Ok(Self {
            points: bytes.as_chunks().0.to_vec(),
        })
    }
}

/// What the extension's sender needs to grow its punctured trees: receiver (evaluator) to sender
/// (garbler), once a session. [`Extension::tree_sums`] pairs of 32 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct TreeSums {
    pub(super) sums: Vec<[[u8; 32]; 2]>,
}

impl TreeSums {
    /// Bytes on the wire, known beforehand.
    pub const fn wire_size_of(extension: Extension) -> usize {
        64 * extension.tree_sums()
    }

    /// Bytes on the wire.
    pub fn wire_size(&self) -> usize {
        64 * self.sums.len()
    }

    /// Appends the message.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.sums.as_flattened().as_flattened());
    }

    /// Reads the message.
    ///
    /// # Errors
    /// A wrong length.
    pub fn read(extension: Extension, bytes: &[u8]) -> Result<Self, GcError> {
        expect_len(
            "bytes of tree sums",
            bytes.len(),
            Self::wire_size_of(extension),
        )?;
        let halves = bytes.as_chunks().0;
        let sums = halves.as_chunks().0.to_vec();
        Ok(Self { sums })
    }
}

block_message! {
    /// The receiver's columns of an extension: receiver (evaluator) to sender (garbler), offline;
    /// [`Extension::random_blocks`] or [`Extension::given_blocks`].
    ExtensionColumns, columns, "bytes of extension columns"
}

block_message! {
    /// The AES keys under which the pads of random transfers are hashed: sender to receiver, offline.
    /// [`pad_keys`] blocks.
    PadKeys, keys, "bytes of pad keys"
}
block_message! {
    /// Both messages of every chosen transfer, masked: sender to receiver, online. Two blocks a transfer.
    ChosenMessages, masked, "bytes of chosen messages"
}

/// Blocks in the [`PadKeys`] of `transfers`.
pub const fn pad_keys(transfers: usize) -> usize {
    transfers.div_ceil(TRANSFERS_PER_KEY)
}

/// Which choices the evaluator wants flipped: evaluator to garbler, online, one bit a choice.
#[derive(Clone, PartialEq, Eq)]
pub struct ChoiceCorrections {
    pub(super) bits: Vec<bool>,
}

impl ChoiceCorrections {
    /// Bytes on the wire.
    pub fn wire_size(&self) -> usize {
        self.bits.len().div_ceil(8)
    }

    /// Appends the message.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&pack(&self.bits));
    }

    /// Reads the corrections of `count` choices.
    ///
    /// # Errors
    /// A wrong length, or unused bits that are set.
    pub fn read(count: usize, bytes: &[u8]) -> Result<Self, GcError> {
        Ok(Self {
            bits: unpack("choice corrections", bytes, count)?,
        })
    }
}

#[cfg(test)]
mod tests;
