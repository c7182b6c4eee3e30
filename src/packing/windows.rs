//! Plaintext windows: encoded weights cut into digits, so that products raise the noise less.
//!
//! A weight polynomial m with coefficients modulo p is m = Σ_j W^j·d_j, j < V, W = 2^w, with centred digits
//! |d_j| ≤ W/2; w = ⌈⌊log2 p⌋/V⌉, and the last digit takes what is left, |d| ≤ p/(2·W^(V−1)) + 1. The client
//! encrypts W^j·x mod p for each j, and one product becomes
//!
//! x·m = Σ_j (W^j·x)·d_j:
//!
//! V products, V times the inputs, their decompositions and their hoisted rotations; what comes after the
//! products, their rotations and sums, is unchanged. A product's factor on the variance falls from n·p²/12
//! to the sum of n·E\[d_j²\], about V·n·W²/12.
//!
//! Any plan runs so over [`Windowed`], an adapter of its operations: an input is V ciphertexts, a product
//! collapses them to one. With one window a plan does what it does over its operations as they are.
//!
//! Source: Juvekar et al., "GAZELLE" (USENIX Security 2018), section 3.4 ("plaintext windows"), there with
//! digits in 0..W.
//!
//! Always true: inputs are rotated by hoisting only, and a rotation of its own comes after the products; so
//! [`Windows::counts`] is what a run does.

use std::convert::Infallible;

use super::counter::Counter;
use super::plain_slots::PlainSlots;
use super::plan::Plan;
use super::shape::PackingError;
use crate::bfv::{BfvError, Evaluator, HeOp, HeOps, Lane, OpCounts, Rotation};

/// How encoded weights are cut into digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Windows {
    /// Plaintext modulus.
    p: u64,
    /// Digits, V; at least 1.
    count: usize,
    /// Bits of a digit, w.
    bits: u32,
}

/// The coefficients of one digit's polynomials, those of the weights being as if uniform modulo p.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Digit {
    /// Mean of their squares, at most, where p has three bits or more for each digit.
    pub mean_square: f64,
    /// What none exceeds in absolute value.
    pub greatest: f64,
}

/// Multiplication by a constant w modulo p < 2^62, without a division (Shoup): with w' = ⌊w·2^64 / p⌋ and
/// q = ⌊x·w' / 2^64⌋, x·w − q·p is less than 2p.
struct Scale {
    factor: u64,
    quotient: u64,
    p: u64,
}

impl Scale {
    fn new(factor: u64, p: u64) -> Self {
        let factor = factor % p;
        let quotient = (u128::from(factor) << 64) / u128::from(p);
        Self {
            factor,
            quotient: quotient as u64,
            p,
        }
    }

    /// x·w mod p, for x below p.
    fn times(&self, x: u64) -> u64 {
        let q = (u128::from(x) * u128::from(self.quotient)) >> 64;
        let product = x.wrapping_mul(self.factor);
        let left = product.wrapping_sub((q as u64).wrapping_mul(self.p));
        left.min(left.wrapping_sub(self.p))
    }
}

impl Windows {
    /// `count` windows for plaintext modulus `p`; none counts as one, and there are no more than 60.
    pub const fn new(p: u64, count: usize) -> Self {
        let count = match count {
            0 => 1,
            1..=60 => count,
            _ => 60,
        };
        let bits = (p | 1).ilog2().div_ceil(count as u32);
        let bits = if bits == 0 { 1 } else { bits };
        Self { p, count, bits }
    }

    /// One window: weights encoded whole.
    pub const fn whole(p: u64) -> Self {
        Self::new(p, 1)
    }

    /// Plaintext modulus p.
    pub const fn plaintext_modulus(&self) -> u64 {
        self.p
    }

    /// Number of windows, V.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Bits of a digit, w.
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// What is known of each digit, the least first. A centred digit is one of W values from −W/2 on, so its
    /// square is (W² + 2)/12 on average; the last one is rounded, which adds at most 1/6.
    pub fn digits(&self) -> impl Iterator<Item = Digit> + use<> {
        let (count, base) = (self.count, f64::from(self.bits).exp2());
        let last = self.p as f64 / base.powi(count as i32 - 1);
        (1..=count).map(move |digit| {
            let (range, more, beyond) = match digit {
                1 if count == 1 => (last, 0.0, 0.0),
                digit if digit == count => (last, 2.0, 1.0),
                _ => (base, 2.0, 0.0),
            };
            Digit {
                mean_square: (range * range + more) / 12.0,
                greatest: range / 2.0 + beyond,
            }
        })
    }

    /// The slots that the client encrypts for those of an input: W^j·x mod p for every j.
    pub fn scaled(&self, slots: Vec<u64>) -> Vec<Vec<u64>> {
        let mut all = vec![slots];
        if self.count == 1 {
            return all;
        }
        let base = Scale::new(1 << self.bits, self.p);
        for _ in 1..self.count {
            let last = all.last().map_or(&[][..], Vec::as_slice);
            let next = last.iter().map(|&x| base.times(x)).collect();
            all.push(next);
        }
        all
    }

    /// Ciphertexts from client to server.
    pub fn inputs(&self, plan: &Plan) -> usize {
        self.count * plan.input_ciphertexts()
    }

    /// At most so many ciphertexts are held at once during a plan's run besides its inputs.
    pub fn working(&self, plan: &Plan) -> usize {
        self.count * plan.working_ciphertexts()
    }

    /// What is done over windows where `whole` is done over whole weights: V times what is done for each input
    /// ciphertext, encoded weight and product.
    pub fn counts(&self, whole: OpCounts) -> OpCounts {
        let (mut counts, count) = (whole, self.count as u64);
        for op in [
            HeOp::EncryptSecret,
            HeOp::Expand,
            HeOp::AddPlain,
            HeOp::Decompose,
            HeOp::HoistedRotate,
            HeOp::Encode,
        ] {
            counts[op] *= count;
        }
        // The first product of a sum is the first of its windows.
        let products = whole[HeOp::Hadamard] + whole[HeOp::MultiplyAccumulate];
        counts[HeOp::MultiplyAccumulate] = count * products - whole[HeOp::Hadamard];
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
        match windows.count {
            1 => Ok(vec![self.encode(slots)?]),
            count => self.encode_digits(slots, windows.bits, count),
        }
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
            let mask = if j + 1 == windows.count {
                u64::MAX
            } else {
                mask
            };
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
    weights: Weights,
}

/// What becomes of encoded weights while a plan runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weights {
    /// They are kept, so that several sums may be made at once.
    Kept,
    /// Each is encoded when its turn comes, and dropped.
    Dropped,
}

impl<'a, H> Windowed<'a, H> {
    /// The operations of `ops`, products in `windows`.
    pub const fn new(ops: &'a H, windows: Windows) -> Self {
        let weights = Weights::Kept;
        Self {
            ops,
            windows,
            weights,
        }
    }

    /// The same for weights that are encoded one by one as the plan asks for them: no more than one is held.
    #[must_use]
    pub const fn one_by_one(self) -> Self {
        let weights = Weights::Dropped;
        Self { weights, ..self }
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

    fn are_better_at_once(&self, products: usize) -> bool {
        let products = products * self.windows.count;
        self.weights == Weights::Kept && self.ops.are_better_at_once(products)
    }

    fn add_inner_products(
        &self,
        lanes: &mut [Lane<'_, Self::Ciphertext>],
        weights: &[&Self::Plaintext],
    ) {
        let parts = lanes.iter_mut().map(|lane| {
            let sums = lane.sums.iter_mut().map(|sum| sum.take()?.0.pop());
            Lane {
                operands: lane.operands.iter().flat_map(|ct| &ct.0).collect(),
                sums: sums.collect(),
            }
        });
        let mut parts: Vec<_> = parts.collect();
        let weights: Vec<&H::Plaintext> = weights.iter().copied().flatten().collect();
        self.ops.add_inner_products(&mut parts, &weights);
        for (lane, part) in lanes.iter_mut().zip(parts) {
            let sums = part.sums.into_iter();
            lane.sums = sums
                .map(|sum| Some(WindowedCiphertext(vec![sum?])))
                .collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Centred digits by long division.
    fn split(x: i64, windows: &Windows) -> Vec<i64> {
        let base = 1_i64 << windows.bits();
        let mut rest = x;
        let lower = (1..windows.count()).map(|_| {
            let digit = (rest + base / 2).rem_euclid(base) - base / 2;
            rest = (rest - digit) / base;
            digit
        });
        let lower: Vec<i64> = lower.collect();
        [lower, vec![rest]].concat()
    }

    #[test]
    fn digits_add_up_and_are_as_large_as_told() {
        for p in [12_289_i64, 40_961, 65_537, 786_433] {
            for count in 1..=4 {
                let windows = Windows::new(p as u64, count);
                let (mut squares, mut greatest) = (vec![0.0; count], vec![0.0_f64; count]);
                for x in -(p / 2)..=p / 2 {
                    let digits = split(x, &windows);
                    let value = digits.iter().rev();
                    let value = value.fold(0, |sum, digit| (sum << windows.bits()) + digit);
                    assert_eq!(value, x);
                    for (j, &digit) in digits.iter().enumerate() {
                        squares[j] += (digit * digit) as f64 / p as f64;
                        greatest[j] = greatest[j].max(digit.abs() as f64);
                    }
                }
                for (j, told) in windows.digits().enumerate() {
                    let ratio = squares[j] / told.mean_square;
                    assert!(ratio < 1.02, "p {p}, digit {j} of {count}: {ratio}");
                    assert!(ratio > 0.75, "p {p}, digit {j} of {count}: {ratio}");
                    assert!(greatest[j] <= told.greatest, "p {p}, digit {j} of {count}");
                }
            }
        }
    }

    #[test]
    fn there_are_never_none_nor_too_many() {
        assert_eq!(Windows::new(65_537, 0), Windows::whole(65_537));
        assert_eq!(Windows::new(65_537, usize::MAX).count(), 60);
        assert_eq!(Windows::new(0, 3).bits(), 1);
        let scaled = Windows::new(97, 2).scaled(vec![3, 96]);
        assert_eq!(scaled, [[3, 96], [24, 89]]);
    }

    /// Against a division of 128 bits.
    #[test]
    fn slots_are_scaled_modulo_p_whatever_its_width() {
        for p in [
            3,
            97,
            65_537,
            (1 << 41) - 21,
            (1 << 60) - 93,
            (1 << 62) - 57,
        ] {
            for count in 1..=4 {
                let windows = Windows::new(p, count);
                let slots: Vec<u64> = [0, 1, 2, p / 3, p / 2, p - 2, p - 1]
                    .into_iter()
                    .map(|x| x % p)
                    .collect();
                let scaled = windows.scaled(slots.clone());
                assert_eq!(scaled.len(), count);
                let mut power = 1;
                for scaled in scaled {
                    let times = |&x: &u64| (u128::from(x) * power % u128::from(p)) as u64;
                    let expected: Vec<u64> = slots.iter().map(times).collect();
                    assert_eq!(scaled, expected, "p {p}, {count} windows");
                    power = (power << windows.bits()) % u128::from(p);
                }
            }
        }
    }
}
