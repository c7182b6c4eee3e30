//! Times and sizes as types, and how they are printed.
//!
//! [`Nanos`] is a duration that was computed or measured; [`Bytes`] a size on a wire or in memory.
//! They add, scale and sum; they do not mix.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Sub};

use serde::{Deserialize, Serialize};

/// A duration in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub f64);

/// A size in bytes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Nanos {
    /// A duration given in seconds.
    pub const fn from_seconds(seconds: f64) -> Self {
        Self(seconds * 1e9)
    }

    /// This duration in seconds.
    pub const fn seconds(self) -> f64 {
        self.0 / 1e9
    }
}

impl Bytes {
    /// The bytes that hold `bits` bits.
    pub const fn of_bits(bits: u64) -> Self {
        Self(bits.div_ceil(8))
    }
}

impl Add for Nanos {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Nanos {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Nanos {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul<f64> for Nanos {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        Self(self.0 * factor)
    }
}

impl Sum for Nanos {
    fn sum<I: Iterator<Item = Self>>(times: I) -> Self {
        Self(times.map(|t| t.0).sum())
    }
}

impl Add for Bytes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Mul<u64> for Bytes {
    type Output = Self;
    fn mul(self, factor: u64) -> Self {
        Self(self.0 * factor)
    }
}

impl Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        Self(sizes.map(|b| b.0).sum())
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0.abs() {
            v if v < 1e3 => (self.0, "ns"),
            v if v < 1e6 => (self.0 / 1e3, "µs"),
            v if v < 1e9 => (self.0 / 1e6, "ms"),
            _ => (self.0 / 1e9, "s"),
        };
        f.pad(&format!("{value:.2} {unit}"))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            b if b < 1_000 => format!("{b} B"),
            b if b < 1_000_000 => format!("{:.2} kB", b as f64 / 1e3),
            b if b < 1_000_000_000 => format!("{:.2} MB", b as f64 / 1e6),
            b => format!("{:.2} GB", b as f64 / 1e9),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_with_the_unit_that_fits() {
        assert_eq!(Nanos(950.0).to_string(), "950.00 ns");
        assert_eq!(Nanos(1_500_000.0).to_string(), "1.50 ms");
        assert_eq!(Nanos::from_seconds(2.0).to_string(), "2.00 s");
        assert_eq!(Bytes(999).to_string(), "999 B");
        assert_eq!(Bytes(36_900).to_string(), "36.90 kB");
        assert_eq!(Bytes(1_815_000_000).to_string(), "1.81 GB");
    }

    #[test]
    fn bits_round_up_to_bytes() {
        assert_eq!(Bytes::of_bits(0), Bytes(0));
        assert_eq!(Bytes::of_bits(9), Bytes(2));
    }
}
