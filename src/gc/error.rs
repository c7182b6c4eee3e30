//! What can go wrong in garbled circuits and oblivious transfer: bad parameters, shares or messages.

use thiserror::Error;

/// A refusal of this room.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GcError {
    /// A share modulus must be odd, at least 3 and below 2^62.
    #[error("share modulus {modulus} is not odd, or outside 3..2^62")]
    Modulus {
        /// The modulus.
        modulus: u64,
    },
    /// Outputs need 1 to 61 bits.
    #[error("{output_bits} output bits; expected 1 to 61")]
    OutputBits {
        /// Bits asked for.
        output_bits: u32,
    },
    /// A shift may drop 0 to 61 bits.
    #[error("shift by {shift} bits; expected 0 to 61")]
    Shift {
        /// Bits to drop.
        shift: u32,
    },
    /// A pooling window has 1 to 1024 values, an argmax 2 to 1024.
    #[error("pooling window of {window} values; expected 1 to 1024, or 2 for an argmax")]
    Window {
        /// Values in the window.
        window: usize,
    },
    /// The output modulus must exceed twice the greatest absolute output.
    #[error("outputs up to {magnitude} do not fit shares modulo {modulus}")]
    OutputRange {
        /// The output modulus.
        modulus: u64,
        /// Greatest absolute output.
        magnitude: u64,
    },
    /// A clip must let 0 through.
    #[error("a clip to {low}..={high} leaves out 0")]
    Clip {
        /// Least output.
        low: i64,
        /// Greatest output.
        high: i64,
    },
    /// Gazelle's circuits keep their modulus.
    #[error("shares modulo {p_in} in and {p_out} out; this circuit keeps one modulus")]
    OneModulus {
        /// Modulus of the input.
        p_in: u64,
        /// Modulus of the output.
        p_out: u64,
    },
    /// The place of an argmax is shared by XOR, in as many bits as it needs.
    #[error("a place shared modulo {given}; expected {expected}")]
    Places {
        /// Modulus of the output.
        given: u64,
        /// The power of two above the places.
        expected: u64,
    },
    /// A share is not below its modulus.
    #[error("share {index} is not below the modulus {modulus}")]
    Share {
        /// Position of the share.
        index: usize,
        /// The modulus.
        modulus: u64,
    },
    /// A message or slice has the wrong length.
    #[error("{what}: {actual} given, {expected} expected")]
    Length {
        /// What was counted.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there were.
        actual: usize,
    },
    /// Unused bits of the last byte are set.
    #[error("{what}: unused bits are set")]
    Padding {
        /// The message.
        what: &'static str,
    },
    /// Bytes that encode no group element.
    #[error("point {index} is no group element")]
    Point {
        /// Position of the point.
        index: usize,
    },
    /// The evaluator has its labels already.
    #[error("the evaluator's labels came from its transfers already")]
    LabelsGiven,
    /// More pieces of a layer than it has.
    #[error("more pieces than the {left} that are left of the layer")]
    Pieces {
        /// How many are left.
        left: usize,
    },
    /// More prepared transfers asked for than are left.
    #[error("{asked} prepared transfers asked for, {left} left")]
    Exhausted {
        /// How many were asked for.
        asked: usize,
        /// How many are left.
        left: usize,
    },
}

/// Checks a count.
pub(super) fn expect_len(
    what: &'static str,
    actual: usize,
    expected: usize,
) -> Result<(), GcError> {
    if actual == expected {
        Ok(())
    } else {
        Err(GcError::Length {
            what,
            expected,
            actual,
        })
    }
}
