//! What is known of a value while a network is resolved: its range, its scale, and what it is made of.
//!
//! A layer that homomorphic encryption computes reads l_i bits. Which values must be re-quantized for it is
//! decided by the worst case over all weights, so that weights never change the steps.

use super::error::NetworkError;
use super::layer::{LayerKind, Shape};
use super::ranges::check_magnitude;
use super::resolved::ValueRange;

/// What is known of a value while the steps are built.
#[derive(Clone, Copy)]
pub(super) struct Value {
    pub(super) shape: Shape,
    pub(super) range: ValueRange,
    pub(super) form: Form,
    pub(super) exponent: i32,
}

/// What a value is made of, and how large it can be whatever the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The network's input, or re-quantized.
    Quantized,
    /// Sums of a linear layer, not re-quantized yet.
    Sums(u64),
    /// Squares, not re-quantized yet.
    Squares(u64),
}

impl Form {
    /// The form of sums of `count` such values.
    pub(super) const fn times(self, count: u64) -> Self {
        match self {
            Self::Quantized => self,
            Self::Sums(most) => Self::Sums(most.saturating_mul(count)),
            Self::Squares(most) => Self::Squares(most.saturating_mul(count)),
        }
    }

    /// The form of sums of two values. Shifts are those of the weights, so nothing is known whatever they are.
    pub(super) const fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Quantized, Self::Quantized) => Self::Quantized,
            _ => Self::Sums(u64::MAX),
        }
    }

    /// Whether `reader`, if encryption computes it, can't read such values as `bits` bits: a linear layer reads
    /// no sums.
    pub(super) const fn is_too_wide(self, reader: &LayerKind, bits: u32) -> bool {
        match (self, reader) {
            (Self::Quantized, _) => false,
            (Self::Squares(most), _) => most >> bits > 0,
            (Self::Sums(most), LayerKind::Square { .. }) => most >> (bits - 1) > 0,
            (Self::Sums(_), _) => true,
        }
    }
}

impl Value {
    /// Greatest |x| whatever the weights.
    pub(super) const fn most(&self) -> u64 {
        match self.form {
            Form::Quantized => self.range.magnitude(),
            Form::Sums(most) | Form::Squares(most) => most,
        }
    }

    /// x², in step `step`.
    ///
    /// # Errors
    /// [`NetworkError::RangeTooWide`].
    pub(super) fn squared(self, step: &str) -> Result<Self, NetworkError> {
        let magnitude = u128::from(self.range.magnitude()).pow(2);
        check_magnitude(step, magnitude)?;
        let high = magnitude as i64;
        Ok(Self {
            range: ValueRange { low: 0, high },
            form: Form::Squares(self.most().saturating_mul(self.most())),
            exponent: self.exponent.saturating_mul(2),
            ..self
        })
    }
}
