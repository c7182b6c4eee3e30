//! How q is split into limbs and keys are switched: the widths that a search chooses between.
//!
//! q has *kept* limbs of one width, which a reply keeps, and *dropped* ones of another. A width w stands
//! for any primes between 2^(w − [`TOLERANCE`]) and 2^w: estimates take for each prime the end that is
//! worse, so what holds for the widths holds for the primes, and all of it is monotone in the widths.
//! [`least_width`] is the width from which every ring has enough primes so close to a power of two.

use serde::{Deserialize, Serialize};

/// Widest limb: primes above take a slower transform.
pub(super) const MAX_LIMB_BITS: u32 = 50;

/// Most limbs of q.
pub(super) const MAX_LIMBS: usize = 6;

/// Most plaintext windows that are tried.
pub const MAX_WINDOWS: usize = 4;

/// Most special primes.
#[cfg(test)]
pub(super) const MAX_SPECIAL: usize = 3;

/// Bits by which a prime may lie below 2^width: it exceeds (1 − 2⁻⁵)·2^width.
pub(super) const TOLERANCE: f64 = 0.045_804;

/// Narrowest width that is tried at ring degree `n`: 2⁸ candidates ≡ 1 mod 2n within the tolerance.
pub(super) const fn least_width(n: usize) -> u32 {
    n.ilog2() + 14
}

/// How keys are switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySwitching {
    /// By this many special primes.
    Special(usize),
    /// By this many digits of each limb.
    Digits(u32),
}

impl KeySwitching {
    /// All that are tried.
    pub(super) const ALL: [Self; 7] = [
        Self::Special(1),
        Self::Digits(2),
        Self::Special(2),
        Self::Special(3),
        Self::Digits(3),
        Self::Digits(4),
        Self::Digits(5),
    ];

    /// Special primes.
    pub const fn special(self) -> usize {
        match self {
            Self::Special(count) => count,
            Self::Digits(_) => 0,
        }
    }

    /// Digits of each limb, 0 with special primes.
    pub const fn digits(self) -> u32 {
        match self {
            Self::Special(_) => 0,
            Self::Digits(count) => count,
        }
    }
}

/// Widths of the limbs of q, those that a reply keeps first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Widths {
    /// Limbs that a reply keeps.
    pub kept: usize,
    /// Their width in bits.
    pub kept_bits: u32,
    /// Limbs that it drops.
    pub dropped: usize,
    /// Their width in bits.
    pub dropped_bits: u32,
}

impl Widths {
    /// Limbs of q.
    pub(super) const fn limbs(&self) -> usize {
        self.kept + self.dropped
    }

    /// Bits of what a reply keeps.
    pub(super) const fn kept_total(&self) -> u32 {
        self.kept as u32 * self.kept_bits
    }

    /// Bits of what it drops.
    pub(super) const fn dropped_total(&self) -> u32 {
        self.dropped as u32 * self.dropped_bits
    }

    /// Bits of q.
    pub(super) const fn total(&self) -> u32 {
        self.kept_total() + self.dropped_total()
    }

    const fn of(&self, limb: usize) -> u32 {
        if limb < self.kept {
            self.kept_bits
        } else {
            self.dropped_bits
        }
    }

    /// Width of a digit where every limb has `digits` of them; `None` if no width makes that many of all.
    pub(super) fn digit_bits(&self, digits: u32) -> Option<u32> {
        let widest = (0..self.limbs()).map(|limb| self.of(limb)).max()?;
        let bits = widest.div_ceil(digits.max(1));
        let all = (0..self.limbs()).all(|limb| self.of(limb).div_ceil(bits) == digits);
        (all && bits >= 2).then_some(bits)
    }

    /// Σⱼ(rⱼ/P)² over the digits of key switching, at most; special primes of `special_bits` bits.
    pub(super) fn squares(&self, switching: KeySwitching, special_bits: u32) -> Option<f64> {
        let square = |bits: f64| (2.0 * bits).exp2();
        match switching {
            KeySwitching::Special(special) => {
                let product = special as f64 * (f64::from(special_bits) - TOLERANCE);
                let groups = (0..self.limbs()).step_by(special.max(1));
                let group = |first: usize| {
                    let limbs = first..(first + special).min(self.limbs());
                    square(f64::from(limbs.map(|limb| self.of(limb)).sum::<u32>()) - product)
                };
                Some(groups.map(group).sum())
            }
            KeySwitching::Digits(digits) => {
                let bits = self.digit_bits(digits)?;
                let limb = |limb| {
                    let last = self.of(limb) - bits * (digits - 1);
                    f64::from(digits - 1) * square(bits.into()) + square(last.into())
                };
                Some((0..self.limbs()).map(limb).sum())
            }
        }
    }
}
