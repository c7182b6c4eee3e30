//! How large values get, and how their exponents move: the arithmetic behind resolving a network.
//!
//! Worst case of a linear layer: (terms + 1)·w_max·x_max, w_max = 2^(l_f−1) − 1, the bias as one more
//! term. Nothing may pass 62 bits.

use super::error::NetworkError;
use super::layer::{LayerKind, PoolParams};
use super::resolved::ValueRange;

/// Greatest absolute value that may occur: additions of two of them stay within i64.
const MAX_MAGNITUDE: u128 = (1 << 62) - 1;

/// Greatest |y| of a linear layer over inputs of up to `x_max`; the worst case without weights.
pub(super) fn linear_magnitude(kind: &LayerKind, terms: usize, x_max: u64) -> u128 {
    let weight_bits = kind.quantizer().map_or(0, |q| q.weight_bits);
    let w_max = (1_u128 << weight_bits.saturating_sub(1)) - 1;
    let bias = u128::from(kind.has_bias());
    (terms as u128 + bias) * w_max * u128::from(x_max)
}

/// The lesser exponent, and the left shift that takes each operand to it.
pub(super) fn align(exponents: [i32; 2]) -> (i32, [u32; 2]) {
    let least = exponents[0].min(exponents[1]);
    (least, exponents.map(|e| e.abs_diff(least)))
}

/// How much an average pool's sum moves the exponent: log2 of its window where that is whole.
pub(super) fn pool_exponent(pool: &PoolParams) -> i32 {
    let window = pool.window();
    if window.is_power_of_two() {
        window.ilog2() as i32
    } else {
        0
    }
}

/// Bits a re-quantization of this range would keep whole: without sign, or with it.
pub(super) const fn bits_needed(range: ValueRange, signed: bool) -> u32 {
    let high = if range.high > 0 { range.high } else { 0 };
    let high_bits = 64 - high.leading_zeros();
    if !signed {
        return high_bits;
    }
    let low_bits = 64 - (!range.low & i64::MAX).leading_zeros();
    1 + if range.low < 0 && low_bits > high_bits {
        low_bits
    } else {
        high_bits
    }
}

/// A range times a count; refused beyond 62 bits.
pub(super) fn scaled(
    step: &str,
    range: ValueRange,
    factor: u128,
) -> Result<ValueRange, NetworkError> {
    let magnitude = u128::from(range.magnitude().max(1)).saturating_mul(factor);
    check_magnitude(step, magnitude)?;
    let factor = factor as i64;
    Ok(ValueRange {
        low: range.low * factor,
        high: range.high * factor,
    })
}

/// Refuses values beyond 62 bits.
pub(super) fn check_magnitude(step: &str, magnitude: u128) -> Result<(), NetworkError> {
    if magnitude > MAX_MAGNITUDE {
        return Err(NetworkError::RangeTooWide {
            step: step.to_owned(),
            bits: 128 - magnitude.leading_zeros(),
        });
    }
    Ok(())
}
