//! The circuits between linear layers: a non-linear function on additive shares, from p_in to p_out.
//!
//! The garbler holds a and its fresh mask r, the evaluator b. With x = a + b mod p_in, centred in
//! (−p_in/2, p_in/2), and `h = (p_in − 1)/2`, the meaning y is, in exact integers:
//!
//! | function | y |
//! | --- | --- |
//! | [`ShareFunction::Requantize`] | `clamp((x + 2^(s−1)) >> s)` to `0..=2^l − 1` (ReLU) or to l-bit two's complement; what [`Requantize::apply`] computes |
//! | [`ShareFunction::MaxPool`] | the same of the greatest x of a window |
//! | [`ShareFunction::Clip`] | `clamp((x + 2^(s−1)) >> s, low, high)`: ReLU6 and the like |
//! | [`ShareFunction::Gazelle`] | the greatest x of a window, or of it and 0 |
//! | [`ShareFunction::Argmax`] | the first place of the greatest x |
//!
//! A shift of 0 adds nothing; `>>` rounds down. The evaluator learns `y − r mod p_out`; the garbler's
//! share of y is r. The place of an argmax of n values is shared by XOR: r has as many bits as n − 1, p_out is
//! the power of two above it, and the evaluator learns `y ⊕ r`.
//!
//! # Gates
//! With w = bits of p_in, w' = bits of p_out, n the window, B the bits of `h + 2^(s−1)`, one more for the sign,
//! and b = B − s those that are kept, the ANDs of one evaluation are:
//!
//! | | ANDs |
//! | --- | --- |
//! | reconstruction and rounding, each x | w + B − 1 |
//! | maximum | (n − 1) · 2b |
//! | ReLU and clamp, unsigned; signed; none needed | b − 1; b − 2; 0 |
//! | masking | 2w' − 1 |
//! | Gazelle, all in | n(3w + 1) + (n − 1) · 2w + 2w for the ReLU + 3w + 1 |
//! | argmax of n = 2^m, all in | n(2w − 1) + (2n − 3)w + n − 1 − m |
//!
//! ReLU with p_in = p_out and no truncation takes 5w − 3; Gazelle's takes 8w + 2 (Juvekar,
//! Vaikuntanathan, Chandrakasan 2018). Where every x fits the output, b has no sign bit and B none.

mod argmax;
mod gazelle;
mod rounded;

use serde::{Deserialize, Serialize};

use super::arithmetic::{Bit, xor};
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
    /// Re-quantization to any range around 0.
    Clip(Clip),
    /// ReLU and max pool as Gazelle builds them, to reproduce its counts; shares stay modulo one p.
    Gazelle {
        /// Values compared; 1 for none.
        window: usize,
        /// What follows.
        rectifier: Rectifier,
    },
    /// The place of the greatest of `values` values, shared by XOR.
    Argmax {
        /// Values compared.
        values: usize,
    },
}

/// A rounding shift and the least and greatest output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Clip {
    /// Bits that are rounded away.
    pub shift: u32,
    /// Least output, at most 0.
    pub low: i64,
    /// Greatest output, at least 0.
    pub high: i64,
}

/// What becomes of negative values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rectifier {
    /// They become 0.
    Relu,
    /// They stay.
    Linear,
}

impl ShareFunction {
    /// ReLU alone, in the fewest ANDs: nothing is rounded, and every value fits.
    pub const fn relu() -> Self {
        Self::Requantize(Requantize {
            shift: 0,
            output_bits: MAX_BITS,
            signed: false,
        })
    }

    /// Truncation alone: a rounding shift without a clamp.
    pub const fn truncate(shift: u32) -> Self {
        Self::Requantize(Requantize {
            shift,
            output_bits: MAX_BITS,
            signed: true,
        })
    }
}

/// A function on shares with its two moduli. A plain record: [`ShareCircuit::check`] says whether it
/// can be built; whatever builds or runs it checks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ShareCircuit {
    /// What is computed.
    pub function: ShareFunction,
    /// Modulus of the shares that come in; odd, below 2^62.
    pub p_in: u64,
    /// Modulus of the shares that go out; odd, below 2^62; for an argmax the power of two above its places.
    pub p_out: u64,
}

/// Least power of two above the places of so many values.
pub const fn places(values: usize) -> u64 {
    1 << width(values.saturating_sub(1) as u64)
}

pub(super) const fn width(modulus: u64) -> usize {
    (u64::BITS - modulus.leading_zeros()) as usize
}

/// The input wires of one value: the garbler's bits, the evaluator's.
type Pair<'a, G> = (&'a [Bit<<G as Gates>::Wire>], &'a [Bit<<G as Gates>::Wire>]);

impl ShareCircuit {
    /// Values that go into one output: 1, or the pooling window.
    pub const fn window(&self) -> usize {
        match self.function {
            ShareFunction::Requantize(_) | ShareFunction::Clip(_) => 1,
            ShareFunction::MaxPool { window, .. } | ShareFunction::Gazelle { window, .. } => window,
            ShareFunction::Argmax { values } => values,
        }
    }

    /// Whether the circuit can be built.
    ///
    /// # Errors
    /// Names the parameter that is out of range, or an output that p_out cannot hold centred.
    pub fn check(&self) -> Result<(), GcError> {
        let argmax = matches!(self.function, ShareFunction::Argmax { .. });
        check_modulus(self.p_in)?;
        if !argmax {
            check_modulus(self.p_out)?;
        }
        let window = self.window();
        if window == 0 || window > MAX_WINDOW || (argmax && window == 1) {
            return Err(GcError::Window { window });
        }
        self.check_function()?;
        let magnitude = self.clamp(self.highest()).max(-self.clamp(self.lowest()));
        let magnitude = u64::try_from(magnitude).unwrap_or(u64::MAX);
        if !argmax && magnitude > (self.p_out - 1) / 2 {
            return Err(GcError::OutputRange {
                modulus: self.p_out,
                magnitude,
            });
        }
        Ok(())
    }

    fn check_function(&self) -> Result<(), GcError> {
        let shift = self.shift();
        if shift > MAX_BITS {
            return Err(GcError::Shift { shift });
        }
        match self.function {
            ShareFunction::Requantize(Requantize { output_bits, .. })
            | ShareFunction::MaxPool {
                then: Requantize { output_bits, .. },
                ..
            } if output_bits == 0 || output_bits > MAX_BITS => {
                Err(GcError::OutputBits { output_bits })
            }
            ShareFunction::Clip(Clip { low, high, .. }) if low > 0 || high < 0 => {
                Err(GcError::Clip { low, high })
            }
            ShareFunction::Gazelle { .. } if self.p_in != self.p_out => {
                let (p_in, p_out) = (self.p_in, self.p_out);
                Err(GcError::OneModulus { p_in, p_out })
            }
            ShareFunction::Argmax { values } if self.p_out != places(values) => {
                let (given, expected) = (self.p_out, places(values));
                Err(GcError::Places { given, expected })
            }
            ShareFunction::Requantize(_)
            | ShareFunction::MaxPool { .. }
            | ShareFunction::Clip(_)
            | ShareFunction::Gazelle { .. }
            | ShareFunction::Argmax { .. } => Ok(()),
        }
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
        self.window() * width(self.p_in) + self.output_bits()
    }

    /// Bits the evaluator feeds into one evaluation; one oblivious transfer each.
    pub const fn evaluator_input_bits(&self) -> usize {
        self.window() * width(self.p_in)
    }

    /// Bits the evaluator learns from one evaluation.
    pub const fn output_bits(&self) -> usize {
        match self.function {
            ShareFunction::Argmax { values } => width(values.saturating_sub(1) as u64),
            _ => width(self.p_out),
        }
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
        if matches!(self.function, ShareFunction::Argmax { .. }) {
            let first =
                |best: (u64, i128), new: (u64, i128)| if new.1 > best.1 { new } else { best };
            let place = (0..).zip(centred).reduce(first);
            return Ok(place.map_or(0, |(place, _)| place) ^ r);
        }
        let x = centred.max().unwrap_or(0);
        let y = self.clamp((x + self.half()) >> self.shift());
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

    /// The circuit: the output's wires, lowest first.
    pub(super) fn build<G: Gates>(
        &self,
        g: &mut G,
        garbler: &[G::Wire],
        evaluator: &[G::Wire],
    ) -> Vec<G::Wire> {
        let wires = |wires: &[G::Wire]| wires.iter().map(|&w| Bit::Wire(w)).collect::<Vec<_>>();
        let (garbler, evaluator) = (wires(garbler), wires(evaluator));
        let (shares, mask) = garbler.split_at(garbler.len().min(self.evaluator_input_bits()));
        let w = width(self.p_in);
        let pairs: Vec<Pair<'_, G>> = shares.chunks(w).zip(evaluator.chunks(w)).collect();
        let output = match self.function {
            ShareFunction::Requantize(_)
            | ShareFunction::MaxPool { .. }
            | ShareFunction::Clip(_) => self.requantized(g, &pairs, mask),
            ShareFunction::Gazelle { rectifier, .. } => self.gazelle(g, &pairs, mask, rectifier),
            ShareFunction::Argmax { .. } => {
                let place = self.argmax(g, &pairs);
                let masked = place.iter().zip(mask);
                masked.map(|(&bit, &r)| xor(g, bit, r)).collect()
            }
        };
        output
            .into_iter()
            .map(|bit| match bit {
                Bit::Wire(wire) => wire,
                Bit::Known(bit) => g.constant(bit),
            })
            .collect()
    }

    const fn shift(&self) -> u32 {
        match self.function {
            ShareFunction::Requantize(then) | ShareFunction::MaxPool { then, .. } => then.shift,
            ShareFunction::Clip(clip) => clip.shift,
            ShareFunction::Gazelle { .. } | ShareFunction::Argmax { .. } => 0,
        }
    }

    const fn half(&self) -> i128 {
        (1 << self.shift()) >> 1
    }

    fn highest(&self) -> i128 {
        (i128::from(self.p_in / 2) + self.half()) >> self.shift()
    }

    fn lowest(&self) -> i128 {
        (self.half() - i128::from(self.p_in / 2)) >> self.shift()
    }

    /// The rounded value's last step, the place of an argmax left aside.
    fn clamp(&self, y: i128) -> i128 {
        match self.function {
            ShareFunction::Requantize(then) | ShareFunction::MaxPool { then, .. } => {
                let Requantize {
                    output_bits,
                    signed,
                    ..
                } = then;
                if signed {
                    let limit = 1 << (output_bits - 1);
                    y.clamp(-limit, limit - 1)
                } else {
                    y.clamp(0, (1 << output_bits) - 1)
                }
            }
            ShareFunction::Clip(Clip { low, high, .. }) => y.clamp(low.into(), high.into()),
            ShareFunction::Gazelle {
                rectifier: Rectifier::Relu,
                ..
            } => y.max(0),
            ShareFunction::Gazelle { .. } | ShareFunction::Argmax { .. } => y,
        }
    }
}

fn check_modulus(modulus: u64) -> Result<(), GcError> {
    if modulus < 3 || modulus >> 62 != 0 || modulus.is_multiple_of(2) {
        return Err(GcError::Modulus { modulus });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
