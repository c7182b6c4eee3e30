//! What can be wrong with a redesign that is asked for: one enum for the room.
//!
//! Every variant names the field, what was given and what was expected, in one line.

/// Why a shape or an order of stages is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReluError {
    /// A number lies outside its range.
    #[error("{field} is {given}; expected {low} to {high}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What it is.
        given: usize,
        /// Least value allowed.
        low: usize,
        /// Greatest value allowed.
        high: usize,
    },
    /// The input can't be halved three times.
    #[error("input is {given} rows and columns; expected a multiple of 8")]
    InputSize {
        /// Its height and width.
        given: usize,
    },
    /// A stage has too many channels.
    #[error("stem {stem} with multipliers {multipliers:?}; expected at most {high} channels")]
    TooWide {
        /// Channels of the stem.
        stem: usize,
        /// Multipliers of the later stages.
        multipliers: [usize; 3],
        /// Most channels allowed.
        high: usize,
    },
    /// An order that isn't one of the four stages.
    #[error("order is {given:?}; expected each of the stages 1, 2, 3, 4 once")]
    Order {
        /// What was given.
        given: [usize; 4],
    },
}

/// Refuses a number outside `low..=high`.
pub(super) fn within(
    field: &'static str,
    given: usize,
    [low, high]: [usize; 2],
) -> Result<(), ReluError> {
    if (low..=high).contains(&given) {
        return Ok(());
    }
    Err(ReluError::OutOfRange {
        field,
        given,
        low,
        high,
    })
}
