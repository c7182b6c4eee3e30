//! Plaintext windows: encoded weights cut into digits, so that products raise the noise less.
//!
//! A weight polynomial m with coefficients modulo p is m = Σ_j W^j·d_j, j < V, W = 2^w, with centred digits
//! |d_j| ≤ W/2. The client encrypts W^j·x mod p for each j, and one product becomes
//!
//! x·m = Σ_j (W^j·x)·d_j:
//!
//! V products, V times the inputs, their decompositions and their hoisted rotations; what comes after the
//! products, their rotations and sums, is unchanged. A product's factor on the variance falls from n·p²/12
//! to V·n·W²/12.
//!
//! Any plan runs so over [`Windowed`], an adapter of its operations: an input is V ciphertexts, a product
//! collapses them to one. With one window a plan runs over its operations as they are.
//!
//! Source: Juvekar et al., "GAZELLE" (USENIX Security 2018), section 3.4 ("plaintext windows"), there with
//! digits in 0..W.
//!
//! Always true: inputs are rotated by hoisting only, and a rotation of its own comes after the products; so
//! the counts of [`Plan::counts_with`] are those of the run.

use std::convert::Infallible;

use super::counter::Counter;
use super::output_sum::OutputSum;
use super::plain_slots::PlainSlots;
use super::plan::Plan;
use super::shape::PackingError;
use crate::bfv::{BfvError, Evaluator, HeOp, HeOps, OpCounts, Rotation};

/// How encoded weights are cut into digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Windows {
    /// Digits, V; at least 1.
    count: usize,
    /// Bits of a digit, w.
    bits: u32,
}

impl Windows {
    /// `count` windows of equal bits for plaintext modulus `p`; none counts as one.
    pub const fn new(p: u64, count: usize) -> Self {
        let count = if count == 0 { 1 } else { count };
        // One bit more than p, so that the last digit takes the carry of the others.
        let bits = (u64::BITS - p.leading_zeros() + 1).div_ceil(count as u32);
        Self {
            count,
            bits: if bits > 62 { 62 } else { bits },
        }
    }

    /// Number of windows, V.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Bits of a digit, w.
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// The slots that the client encrypts for those of an input: W^j·x mod p for every j.
    pub fn scaled(&self, slots: &[u64], p: u64) -> Vec<Vec<u64>> {
        let times = |slots: &[u64]| -> Vec<u64> {
            let scaled = slots
                .iter()
                .map(|&x| (u128::from(x) << self.bits) % u128::from(p));
            scaled
                .map(|x| u64::try_from(x).unwrap_or_default())
                .collect()
        };
        let all = std::iter::successors(Some(slots.to_vec()), |last| Some(times(last)));
        all.take(self.count).collect()
    }
}

impl OutputSum {
    /// The same sum with each product in windows.
    pub const fn windowed(self, windows: Windows) -> Self {
        let count = windows.count as u64;
        Self {
            products: self.products * count,
            rotated: self.rotated * count,
            ..self
        }
    }
}

impl Plan {
    /// What a run over windows does, in closed form.
    pub fn counts_with(&self, windows: Windows) -> OpCounts {
        let (mut counts, count) = (self.counts(), windows.count as u64);
        let products = counts[HeOp::Hadamard] + counts[HeOp::MultiplyAccumulate];
        counts[HeOp::MultiplyAccumulate] = count * products - counts[HeOp::Hadamard];
        counts[HeOp::Decompose] *= count;
        counts[HeOp::HoistedRotate] *= count;
        counts
    }
}

/// Operations whose plaintexts can be cut into digits.
pub trait DigitEncoder: HeOps {
    /// The encoded digits of the polynomial that holds `slots`, the least first.
    ///
    /// # Errors
    /// As [`HeOps::encode`].
    fn encode_digits(
        &self,
        slots: &[u64],
        windows: Windows,
    ) -> Result<Vec<Self::Plaintext>, Self::Error>;
}

impl DigitEncoder for Evaluator {
    fn encode_digits(
        &self,
        slots: &[u64],
        windows: Windows,
    ) -> Result<Vec<Self::Plaintext>, BfvError> {
        self.encode_digits(slots, windows.bits, windows.count)
    }
}

impl DigitEncoder for PlainSlots {
    /// Digits of the slots: here any vectors do that add up to the same.
    fn encode_digits(
        &self,
        slots: &[u64],
        windows: Windows,
    ) -> Result<Vec<Vec<u64>>, PackingError> {
        self.encode(slots)?;
        let mask = (1_u64 << windows.bits) - 1;
        let digit = |j: usize| {
            let shift = j as u32 * windows.bits;
            let digits = slots
                .iter()
                .map(|x| x.checked_shr(shift).unwrap_or(0) & mask);
            digits.collect()
        };
        Ok((0..windows.count).map(digit).collect())
    }
}

impl DigitEncoder for Counter {
    fn encode_digits(&self, slots: &[u64], windows: Windows) -> Result<Vec<()>, Infallible> {
        (0..windows.count).map(|_| self.encode(slots)).collect()
    }
}

/// A plan's operations with every plaintext in windows.
#[derive(Debug, Clone, Copy)]
pub struct Windowed<'a, H> {
    ops: &'a H,
    windows: Windows,
}

impl<'a, H> Windowed<'a, H> {
    /// The operations of `ops`, products in `windows`.
    pub const fn new(ops: &'a H, windows: Windows) -> Self {
        Self { ops, windows }
    }
}

/// An input as encryptions of W^j·x, or the one ciphertext of a product.
#[derive(Debug, Clone)]
pub struct WindowedCiphertext<C>(pub Vec<C>);

impl<H: DigitEncoder> HeOps for Windowed<'_, H> {
    type Ciphertext = WindowedCiphertext<H::Ciphertext>;
    type Plaintext = Vec<H::Plaintext>;
    type Decomposed = Vec<H::Decomposed>;
    type Error = H::Error;

    fn slots(&self) -> usize {
        self.ops.slots()
    }

    fn encode(&self, slots: &[u64]) -> Result<Self::Plaintext, Self::Error> {
        self.ops.encode_digits(slots, self.windows)
    }

    fn add(&self, acc: &mut Self::Ciphertext, other: &Self::Ciphertext) {
        for (acc, other) in acc.0.iter_mut().zip(&other.0) {
            self.ops.add(acc, other);
        }
    }

    fn hadamard(&self, ct: &Self::Ciphertext, pt: &Self::Plaintext) -> Self::Ciphertext {
        let mut parts = ct.0.iter().zip(pt);
        let first = parts.next().map(|(ct, pt)| self.ops.hadamard(ct, pt));
        let sum = first.map(|mut sum| {
            parts.for_each(|(ct, pt)| self.ops.multiply_accumulate(&mut sum, ct, pt));
            sum
        });
        WindowedCiphertext(sum.into_iter().collect())
    }

    fn multiply_accumulate(
        &self,
        acc: &mut Self::Ciphertext,
        ct: &Self::Ciphertext,
        pt: &Self::Plaintext,
    ) {
        if let [sum] = acc.0.as_mut_slice() {
            for (ct, pt) in ct.0.iter().zip(pt) {
                self.ops.multiply_accumulate(sum, ct, pt);
            }
        }
    }

    fn rotate(
        &self,
        ct: &Self::Ciphertext,
        rotation: Rotation,
    ) -> Result<Self::Ciphertext, Self::Error> {
        let parts = ct.0.iter().map(|ct| self.ops.rotate(ct, rotation));
        Ok(WindowedCiphertext(parts.collect::<Result<_, _>>()?))
    }

    fn decompose(&self, ct: &Self::Ciphertext) -> Self::Decomposed {
        ct.0.iter().map(|ct| self.ops.decompose(ct)).collect()
    }

    fn rotate_decomposed(
        &self,
        decomposed: &Self::Decomposed,
        rotation: Rotation,
    ) -> Result<Self::Ciphertext, Self::Error> {
        let parts = decomposed.iter();
        let parts = parts.map(|decomposed| self.ops.rotate_decomposed(decomposed, rotation));
        Ok(WindowedCiphertext(parts.collect::<Result<_, _>>()?))
    }
}
