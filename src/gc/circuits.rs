//! The circuits between linear layers: a non-linear function on additive shares, from p_in to p_out.
//!
//! The garbler holds a and its fresh mask r, the evaluator b. With x = a + b mod p_in, centred in
//! (−p_in/2, p_in/2): `y = clamp((x + 2^(shift−1)) >> shift)` (a shift of 0 adds nothing), clamped to
//! `[0, 2^l − 1]` (ReLU) or to l-bit two's complement. A max pool takes the greatest x of its window
//! first. The evaluator learns `y − r mod p_out`; the garbler's share of y is r.
//!
//! With w = bits of p_in, w' = bits of p_out and h = (p_in − 1)/2, and constants added in the clear:
//! 1. The garbler feeds `v = ((a + h) mod p_in) + 2^w − p_in`. The sum D of v and b has no carry exactly
//!    where D + 2^w means the negative number D: then p_in is missing. w ANDs.
//! 2. `x + 2^(shift−1) = D + K`, K being one of two constants, chosen by the carry bit by bit and for
//!    free. w − 1 ANDs; the lowest `shift` bits only carry.
//! 3. Maximum: two ANDs a bit. Clamp: one AND for each bit that must not be set, one for each kept.
//! 4. The garbler feeds `(−r mod p_out) + 2^w' − p_out`, and one conditional addition of p_out reduces:
//!    2w' − 1 ANDs.
//!
//! ReLU with p_in = p_out and no truncation takes 5w − 3 ANDs; Gazelle's takes 8w + 2
//! (Juvekar, Vaikuntanathan, Chandrakasan 2018).

use serde::{Deserialize, Serialize};

use super::arithmetic::{
    Bit, Sign, add_carry, add_modular, any, maximum, not, select, select_constant, xor,
};
use super::error::GcError;
use super::gates::{Counter, GateCounts, Gates, Plain};
use super::shares::join;
use crate::network::Requantize;

const MAX_WINDOW: usize = 1024;
const MAX_BITS: u32 = 61;

/// What is computed on shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ShareFunction {
    /// Re-quantization; unsigned means ReLU.
    Requantize(Requantize),
    /// The greatest of `window` values, then re-quantization.
    MaxPool {
        /// Values compared.
        window: usize,
        /// What follows.
        then: Requantize,
    },
}

/// A function on shares with its two moduli. A plain record: [`ShareCircuit::check`] says whether it
/// can be built; whatever builds or runs it checks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ShareCircuit {
    /// What is computed.
    pub function: ShareFunction,
    /// Modulus of the shares that come in; odd, below 2^62.
    pub p_in: u64,
    /// Modulus of the shares that go out; odd, below 2^62.
    pub p_out: u64,
}

/// How y leaves the clamp.
pub(super) enum Range {
    /// `0..=2^l − 1`.
    Relu,
    /// Two's complement of l bits, carried as `y + 2^(l−1)`.
    Clamped,
    /// Every x fits: carried as `y + offset`, nothing to clamp.
    Fits { offset: i128 },
}

/// The wires of one evaluation, inputs of both parties.
type Inputs<'a, G> = (&'a [Bit<<G as Gates>::Wire>], &'a [Bit<<G as Gates>::Wire>]);

pub(super) const fn width(modulus: u64) -> usize {
    (u64::BITS - modulus.leading_zeros()) as usize
}

impl ShareCircuit {
    /// Re-quantization applied to each value (after the maximum).
    pub const fn requantize(&self) -> Requantize {
        match self.function {
            ShareFunction::Requantize(then) | ShareFunction::MaxPool { then, .. } => then,
        }
    }

    /// Values that go into one output: 1, or the pooling window.
    pub const fn window(&self) -> usize {
        match self.function {
            ShareFunction::Requantize(_) => 1,
            ShareFunction::MaxPool { window, .. } => window,
        }
    }

    /// Whether the circuit can be built.
    ///
    /// # Errors
    /// Names the parameter that is out of range, or an output that p_out cannot hold centred.
    pub fn check(&self) -> Result<(), GcError> {
        for modulus in [self.p_in, self.p_out] {
            if modulus < 3 || modulus >> 62 != 0 || modulus % 2 == 0 {
                return Err(GcError::Modulus { modulus });
            }
        }
        let Requantize {
            shift, output_bits, ..
        } = self.requantize();
        if shift > MAX_BITS {
            return Err(GcError::Shift { shift });
        }
        if output_bits == 0 || output_bits > MAX_BITS {
            return Err(GcError::OutputBits { output_bits });
        }
        let window = self.window();
        if window == 0 || window > MAX_WINDOW {
            return Err(GcError::Window { window });
        }
        let magnitude = self
            .clamp(self.highest())
            .max(-self.clamp(self.lowest()))
            .unsigned_abs();
        let magnitude = u64::try_from(magnitude).unwrap_or(u64::MAX);
        if magnitude > (self.p_out - 1) / 2 {
            return Err(GcError::OutputRange {
                modulus: self.p_out,
                magnitude,
            });
        }
        Ok(())
    }

    /// AND gates of one evaluation.
    ///
    /// # Errors
    /// As [`ShareCircuit::check`].
    pub fn and_count(&self) -> Result<usize, GcError> {
        Ok(self.gate_counts()?.and)
    }

    /// Gates of one evaluation.
    ///
    /// # Errors
    /// As [`ShareCircuit::check`].
    pub fn gate_counts(&self) -> Result<GateCounts, GcError> {
        self.check()?;
        let mut counter = Counter::default();
        let garbler = vec![(); self.garbler_input_bits()];
        let evaluator = vec![(); self.evaluator_input_bits()];
        self.build(&mut counter, &garbler, &evaluator);
        Ok(counter.counts)
    }

    /// Bits the garbler feeds into one evaluation: its shares, then its mask.
    pub const fn garbler_input_bits(&self) -> usize {
        self.window() * width(self.p_in) + width(self.p_out)
    }

    /// Bits the evaluator feeds into one evaluation; one oblivious transfer each.
    pub const fn evaluator_input_bits(&self) -> usize {
        self.window() * width(self.p_in)
    }

    /// Bits the evaluator learns from one evaluation.
    pub const fn output_bits(&self) -> usize {
        width(self.p_out)
    }

    /// The meaning, in integers: the evaluator's output share. This is the oracle; it builds no circuit.
    ///
    /// # Errors
    /// As [`ShareCircuit::check`]; also wrong numbers of shares, and shares not below their modulus.
    pub fn plain(&self, garbler: &[u64], evaluator: &[u64], r: u64) -> Result<u64, GcError> {
        self.check()?;
        self.check_shares("garbler's shares", garbler, 1)?;
        self.check_shares("evaluator's shares", evaluator, 1)?;
        self.check_masks(&[r], 1)?;
        let (p, p_out) = (i128::from(self.p_in), i128::from(self.p_out));
        let centred = garbler.iter().zip(evaluator).map(|(&a, &b)| {
            let x = (i128::from(a) + i128::from(b)) % p;
            if x > p / 2 { x - p } else { x }
        });
        let x = centred.max().unwrap_or(0);
        let y = self.clamp((x + self.half()) >> self.requantize().shift);
        Ok((y - i128::from(r)).rem_euclid(p_out) as u64)
    }

    /// The circuit run on bits in the clear: the evaluator's output share.
    ///
    /// # Errors
    /// As [`ShareCircuit::plain`].
    pub fn run_plain(&self, garbler: &[u64], evaluator: &[u64], r: u64) -> Result<u64, GcError> {
        self.check()?;
        let garbler = self.garbler_bits(garbler, &[r], 1)?;
        let evaluator = self.evaluator_bits(evaluator, 1)?;
        Ok(join(self.build(&mut Plain, &garbler, &evaluator)))
    }

    /// The circuit: one output wire for each bit of p_out, lowest first.
    pub(super) fn build<G: Gates>(
        &self,
        g: &mut G,
        garbler: &[G::Wire],
        evaluator: &[G::Wire],
    ) -> Vec<G::Wire> {
        let wires = |wires: &[G::Wire]| wires.iter().map(|&w| Bit::Wire(w)).collect::<Vec<_>>();
        let (garbler, evaluator) = (wires(garbler), wires(evaluator));
        let (shares, mask) = garbler.split_at(garbler.len().min(self.evaluator_input_bits()));
        let (range, w) = (self.range(), width(self.p_in));
        let sign = match range {
            Range::Fits { .. } => Sign::Unsigned,
            Range::Relu | Range::Clamped => Sign::Twos,
        };
        let mut greatest: Option<Vec<Bit<G::Wire>>> = None;
        for pair in shares.chunks(w).zip(evaluator.chunks(w)) {
            let x = self.rounded(g, pair, &range);
            greatest = Some(match greatest {
                None => x,
                Some(other) => maximum(g, &other, &x, sign),
            });
        }
        let x = greatest.unwrap_or_default();
        let y = match range {
            Range::Fits { .. } => x,
            Range::Relu => self.relu(g, &x),
            Range::Clamped => self.clamp_signed(g, &x),
        };
        let output = self.masked(g, y, mask);
        output
            .into_iter()
            .map(|bit| match bit {
                Bit::Wire(wire) => wire,
                Bit::Known(bit) => g.constant(bit),
            })
            .collect()
    }

    /// Steps 1 and 2: `((x + 2^(shift−1)) >> shift) + offset`, in as few bits as hold every value.
    fn rounded<G: Gates>(
        &self,
        g: &mut G,
        (v, b): Inputs<'_, G>,
        range: &Range,
    ) -> Vec<Bit<G::Wire>> {
        let shift = self.requantize().shift as usize;
        let (offset, sign_bits) = match range {
            Range::Fits { offset } => (offset << shift, 0),
            Range::Relu | Range::Clamped => (0, 1),
        };
        let (mut d, carry) = add_carry(g, v, b);
        let negative = not(g, carry);
        let (h, p) = (i128::from(self.p_in / 2), i128::from(self.p_in));
        let greatest = h + self.half() + offset;
        let bits = (i128::BITS - greatest.leading_zeros()) as usize + sign_bits;
        let bits = bits.max(shift + 1);
        d.resize(bits, negative);
        let constant = self.half() + offset - h;
        let k = select_constant(g, negative, (constant + p, constant), bits);
        add_modular(g, &d, &k, shift)
    }

    /// Step 3 for ReLU: anything above bit l, the sign included, saturates.
    fn relu<G: Gates>(&self, g: &mut G, x: &[Bit<G::Wire>]) -> Vec<Bit<G::Wire>> {
        let Some((&sign, magnitude)) = x.split_last() else {
            return Vec::new();
        };
        let kept = magnitude.len().min(self.requantize().output_bits as usize);
        let saturated = any(g, &x[kept..]);
        let positive = not(g, sign);
        magnitude[..kept]
            .iter()
            .map(|&bit| select(g, saturated, positive, bit))
            .collect()
    }

    /// Step 3 for signed outputs: `y + 2^(l−1)`; saturated where a bit from l − 1 up differs from the sign.
    fn clamp_signed<G: Gates>(&self, g: &mut G, x: &[Bit<G::Wire>]) -> Vec<Bit<G::Wire>> {
        let Some((&sign, magnitude)) = x.split_last() else {
            return Vec::new();
        };
        let kept = magnitude
            .len()
            .min(self.requantize().output_bits as usize - 1);
        let differing: Vec<_> = magnitude[kept..]
            .iter()
            .map(|&bit| xor(g, bit, sign))
            .collect();
        let saturated = any(g, &differing);
        let positive = not(g, sign);
        let mut y: Vec<_> = magnitude[..kept]
            .iter()
            .map(|&bit| select(g, saturated, positive, bit))
            .collect();
        y.push(positive);
        y
    }

    /// Step 4: y plus the garbler's input, reduced modulo p_out.
    fn masked<G: Gates>(
        &self,
        g: &mut G,
        mut y: Vec<Bit<G::Wire>>,
        mask: &[Bit<G::Wire>],
    ) -> Vec<Bit<G::Wire>> {
        y.resize(mask.len(), Bit::Known(false));
        let (sum, carry) = add_carry(g, mask, &y);
        let missing = not(g, carry);
        let p = select_constant(g, missing, (i128::from(self.p_out), 0), mask.len());
        add_modular(g, &sum, &p, 0)
    }

    fn half(&self) -> i128 {
        (1 << self.requantize().shift) >> 1
    }

    fn highest(&self) -> i128 {
        (i128::from(self.p_in / 2) + self.half()) >> self.requantize().shift
    }

    fn lowest(&self) -> i128 {
        (self.half() - i128::from(self.p_in / 2)) >> self.requantize().shift
    }

    fn clamp(&self, y: i128) -> i128 {
        let Requantize {
            output_bits,
            signed,
            ..
        } = self.requantize();
        if signed {
            let limit = 1 << (output_bits - 1);
            y.clamp(-limit, limit - 1)
        } else {
            y.clamp(0, (1 << output_bits) - 1)
        }
    }

    pub(super) fn range(&self) -> Range {
        let (low, high) = (self.lowest(), self.highest());
        if !self.requantize().signed {
            Range::Relu
        } else if self.clamp(low) == low && self.clamp(high) == high {
            Range::Fits { offset: -low }
        } else {
            Range::Clamped
        }
    }
}

#[cfg(test)]
mod tests;
