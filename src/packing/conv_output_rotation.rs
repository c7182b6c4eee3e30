//! A convolution by Gazelle's two-stage output rotation: filter taps by hoisted rotations of the
//! inputs, channel alignment by full rotations of the partial sums.
//!
//! Inputs and outputs share one grid of s = np2(height·width) slots a channel, so c_n = n/s channels
//! stand in a ciphertext, b = c_n/2 in each row: channel a in row a / b, block a mod b. For output
//! ciphertext o, with A = (δ, swap) running over the c_n alignments of input to output channels,
//!
//! P_A = Σ_i Σ_t rot_t(x_i) ⊙ W_{o,A,i,t},   y_o = Σ_A rot_A(P_A).
//!
//! The rotations t = (dy − pad_h)·width + (dx − pad_w) of x_i share one decomposition. The plaintexts
//! hold zeros where a tap would leave the image, and outside the strided positions: strides are
//! computed at stride 1 and keep their places. The outer sum is Horner's: partial sums are turned by
//! one block (s slots) and accumulated into, so aligning c_n channels takes c_n − 1 rotations but at
//! most three Galois keys (s, −s, swap).
//!
//! Source: Juvekar et al., "GAZELLE" (USENIX Security 2018), section 4.2 and its released code
//! (there with one key per alignment). The grid grows beyond the input where padding makes outputs
//! larger. Output (c, y, x) stands in block c of its ciphertext, place y·stride_h·width +
//! x·stride_w. Alignments that no pair of existing channels needs are not computed.

use std::borrow::Borrow;
use std::collections::BTreeSet;

use super::alignment::{Alignment, Channels};
use super::output_sum::OutputSum;
use super::plan::Schedule;
use super::shape::{ConvShape, LinearShape, PackingError};
use super::slots::{Slots, residue};
use super::sums::{accumulate, merge};
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};
use crate::network::Shape;

/// The output-rotation schedule of a convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvOutputRotation {
    slots: Slots,
    conv: ConvShape,
    output: Shape,
    /// Width of the grid.
    width: usize,
    channels: Channels,
    /// Slots of a channel, s.
    block: usize,
    /// Row rotations that bring filter taps, each once.
    taps: Vec<usize>,
}

/// A plaintext: output and input ciphertext, alignment, rotation for the tap.
#[derive(Debug, Clone, Copy)]
struct Term {
    output: usize,
    alignment: Alignment,
    input: usize,
    tap: usize,
}

impl ConvOutputRotation {
    fn term(&self, index: usize) -> Option<Term> {
        let full = self.channels.products(0).count() * self.taps.len();
        let output = (index / full).min(self.output_ciphertexts() - 1);
        let index = index - output * full;
        let (alignment, input) = self
            .channels
            .products(output)
            .nth(index / self.taps.len())?;
        Some(Term {
            output,
            alignment,
            input,
            tap: self.taps[index % self.taps.len()],
        })
    }

    /// The weight that a slot of a plaintext holds, as its index in `[out, in, kernel h, kernel w]`.
    fn weight_at(&self, term: Term, slot: usize) -> Option<usize> {
        let (row, b) = (self.slots.row(), self.channels.row);
        let (block, place) = (slot % row / self.block, slot % self.block);
        let source = (slot + term.tap) % row;
        if source / self.block != block {
            return None;
        }
        let in_row = slot / row;
        let out_row = in_row ^ usize::from(term.alignment.swap);
        let out_block = (block + b - term.alignment.delta) % b;
        let input = term.input * self.channels.in_ciphertext() + in_row * b + block;
        let output = term.output * self.channels.in_ciphertext() + out_row * b + out_block;
        let of = |place: usize| [place / self.width, place % self.width];
        let tap = self.tap_between(of(place), of(source % self.block))?;
        if input >= self.conv.input.channels || output >= self.output.channels {
            return None;
        }
        let pair = output * self.conv.input.channels + input;
        let [kernel_h, kernel_w] = self.conv.kernel;
        Some((pair * kernel_h + tap[0]) * kernel_w + tap[1])
    }

    /// The filter tap that takes the input at `from` to the output at `to`, both places on the grid.
    fn tap_between(&self, to: [usize; 2], from: [usize; 2]) -> Option<[usize; 2]> {
        let [y, x] = [
            (self.output.height, self.conv.input.height),
            (self.output.width, self.conv.input.width),
        ];
        let mut tap = [0; 2];
        for (axis, (out_len, in_len)) in [y, x].into_iter().enumerate() {
            let stride = self.conv.stride[axis];
            let at = (from[axis] + self.conv.padding[axis]).checked_sub(to[axis])?;
            let strided = to[axis].is_multiple_of(stride) && to[axis] / stride < out_len;
            if !strided || from[axis] >= in_len || at >= self.conv.kernel[axis] {
                return None;
            }
            tap[axis] = at;
        }
        Some(tap)
    }

    /// The inputs rotated for every tap.
    fn rotate_inputs<H: HeOps>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
    ) -> Result<Vec<Taps<H::Ciphertext>>, H::Error> {
        let moves = self.taps.iter().any(|&tap| tap > 0);
        let all = inputs[..self.input_ciphertexts()].iter();
        all.map(|input| {
            let decomposed = moves.then(|| ops.decompose(input));
            let each = self.taps.iter().map(|&tap| match &decomposed {
                Some(decomposed) if tap > 0 => ops
                    .rotate_decomposed(decomposed, Rotation::rows(tap))
                    .map(Some),
                _ => Ok(None),
            });
            each.collect()
        })
        .collect()
    }
}

/// One input rotated for every tap; `None` where the rotation is the identity.
type Taps<C> = Vec<Option<C>>;

/// Offsets (in rows or columns) of the taps along one axis that bring some input to some output.
fn offsets(conv: &ConvShape, output: Shape, axis: usize) -> Vec<isize> {
    let (in_len, out_len) = match axis {
        0 => (conv.input.height, output.height),
        _ => (conv.input.width, output.width),
    };
    let (stride, padding) = (conv.stride[axis], conv.padding[axis]);
    let inside = padding..padding + in_len;
    // No tap before `first` gets from the last output up to the input.
    let first = padding.saturating_sub((out_len - 1) * stride);
    (first..conv.kernel[axis].min(inside.end))
        .filter(|tap| (0..out_len).any(|place| inside.contains(&(place * stride + tap))))
        .map(|tap| tap.cast_signed() - padding.cast_signed())
        .collect()
}

impl Schedule for ConvOutputRotation {
    const NAME: &'static str = "conv_output_rotation";

    fn new(layer: &LinearShape, n: usize) -> Result<Self, PackingError> {
        let slots = Slots::new(n)?;
        let LinearShape::Conv(conv) = *layer else {
            return Err(PackingError::WrongLayer {
                schedule: Self::NAME,
            });
        };
        let output = conv.output()?;
        if conv.dilation != [1, 1] || conv.groups != 1 {
            return Err(PackingError::WrongLayer {
                schedule: Self::NAME,
            });
        }
        if conv.input.is_empty() || output.is_empty() {
            return Err(PackingError::Empty);
        }
        let height = conv
            .input
            .height
            .max((output.height - 1) * conv.stride[0] + 1);
        let width = conv
            .input
            .width
            .max((output.width - 1) * conv.stride[1] + 1);
        let block = height
            .checked_mul(width)
            .and_then(usize::checked_next_power_of_two)
            .filter(|&block| block <= slots.row())
            .ok_or(PackingError::ImageTooLarge {
                height,
                width,
                row: slots.row(),
            })?;
        let [rows, columns] = [0, 1].map(|axis| offsets(&conv, output, axis));
        let row = slots.row().cast_signed();
        let taps: BTreeSet<usize> = rows
            .iter()
            .flat_map(|dy| columns.iter().map(move |dx| dy * width.cast_signed() + dx))
            .map(|offset| offset.rem_euclid(row).cast_unsigned())
            .collect();
        if taps.is_empty() {
            return Err(PackingError::Empty);
        }
        Ok(Self {
            slots,
            conv,
            output,
            width,
            channels: Channels {
                row: slots.row() / block,
                inputs: conv.input.channels,
                outputs: output.channels,
            },
            block,
            taps: taps.into_iter().collect(),
        })
    }

    fn made_for(&self) -> (usize, LinearShape) {
        (self.slots.n(), LinearShape::Conv(self.conv))
    }

    fn counts(&self) -> OpCounts {
        let inputs = self.input_ciphertexts() as u64;
        let hoisted = self.taps.iter().filter(|&&tap| tap > 0).count() as u64;
        let mut counts = OpCounts::default();
        counts[HeOp::Decompose] = inputs * u64::from(hoisted > 0);
        counts[HeOp::HoistedRotate] = inputs * hoisted;
        let last = self.output_ciphertexts() - 1;
        // All outputs but the last are full, hence alike.
        for (output, times) in [(0, last as u64), (last, 1)] {
            let mut chains = 0;
            for span in self.channels.spans(output) {
                chains += 1 + u64::from(span.negative > 0);
            }
            counts[HeOp::Rotate] += times * self.channels.turns(output);
            let products = (self.channels.products(output).count() * self.taps.len()) as u64;
            counts[HeOp::Hadamard] += times * chains;
            counts[HeOp::MultiplyAccumulate] += times * (products - chains);
            counts[HeOp::Add] += times * (chains - 1);
        }
        counts
    }

    fn rotations(&self) -> BTreeSet<Rotation> {
        let row = self.slots.row();
        let taps = self.taps.iter().filter(|&&tap| tap > 0);
        let mut rotations: BTreeSet<_> = taps.map(|&tap| Rotation::rows(tap)).collect();
        let outputs = [0, self.output_ciphertexts() - 1];
        for span in outputs
            .into_iter()
            .flat_map(|output| self.channels.spans(output))
        {
            if span.positive > 0 {
                rotations.insert(Rotation::rows(self.block));
            }
            if span.negative > 0 {
                rotations.insert(Rotation::rows(row - self.block));
            }
            if span.swap {
                rotations.insert(self.slots.rotation(row));
            }
        }
        rotations
    }

    fn input_ciphertexts(&self) -> usize {
        self.conv
            .input
            .channels
            .div_ceil(self.channels.in_ciphertext())
    }

    fn output_ciphertexts(&self) -> usize {
        self.output.channels.div_ceil(self.channels.in_ciphertext())
    }

    fn weight_count(&self) -> usize {
        let last = self.output_ciphertexts() - 1;
        let products =
            last * self.channels.products(0).count() + self.channels.products(last).count();
        products * self.taps.len()
    }

    fn output_sums(&self) -> Option<Vec<OutputSum>> {
        let moved = self.taps.iter().filter(|&&tap| tap > 0).count();
        let sum = |output| {
            let aligned = self.channels.products(output).count();
            OutputSum {
                products: (aligned * self.taps.len()) as u64,
                rotated: (aligned * moved) as u64,
                turns: self.channels.turns(output),
                folds: 0,
            }
        };
        let outputs = BTreeSet::from([0, self.output_ciphertexts() - 1]);
        Some(outputs.into_iter().map(sum).collect())
    }

    fn working_ciphertexts(&self) -> usize {
        // Rotated inputs, the outputs, and a sum of each kind with its rotation.
        self.input_ciphertexts() * self.taps.len() + self.output_ciphertexts() + 3
    }

    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        let Shape {
            channels,
            height,
            width,
        } = self.conv.input;
        let mut packed = vec![vec![0; self.slots.n()]; self.input_ciphertexts()];
        for channel in 0..channels {
            let ciphertext = &mut packed[channel / self.channels.in_ciphertext()];
            let start = channel % self.channels.in_ciphertext() * self.block;
            for y in 0..height {
                let from = &values[(channel * height + y) * width..][..width];
                ciphertext[start + y * self.width..][..width].copy_from_slice(from);
            }
        }
        packed
    }

    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
        let term = self.term(index);
        assert!(term.is_some(), "no plaintext {index}");
        (0..self.slots.n())
            .map(|slot| {
                let at = term.and_then(|term| self.weight_at(term, slot));
                at.map_or(0, |at| residue(weights[at], p))
            })
            .collect()
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        mut weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let rotated = self.rotate_inputs(ops, inputs)?;
        let row = self.slots.row();
        let mut index = 0;
        // sum += P_A, for one output and one alignment.
        let mut partial = |sum: &mut Option<_>, output, alignment| -> Result<(), H::Error> {
            for input in self.channels.inputs_of(output, alignment) {
                for ct in &rotated[input] {
                    let ct = ct.as_ref().unwrap_or(&inputs[input]);
                    accumulate(ops, sum, ct, weight(index)?.borrow());
                    index += 1;
                }
            }
            Ok(())
        };
        let turn = |sum: &mut Option<_>, rotation| -> Result<(), H::Error> {
            if let Some(sum) = sum {
                *sum = ops.rotate(sum, rotation)?;
            }
            Ok(())
        };
        let mut outputs = Vec::with_capacity(self.output_ciphertexts());
        for output in 0..self.output_ciphertexts() {
            let mut total = None;
            for span in self.channels.spans(output) {
                let swap = span.swap;
                let (negative, positive) = self.channels.deltas(span);
                let (mut below, mut sum) = (None, None);
                for delta in negative {
                    partial(&mut below, output, Alignment { delta, swap })?;
                    turn(&mut below, Rotation::rows(row - self.block))?;
                }
                for delta in positive {
                    turn(&mut sum, Rotation::rows(self.block))?;
                    partial(&mut sum, output, Alignment { delta, swap })?;
                }
                merge(ops, &mut sum, below);
                if swap {
                    turn(&mut sum, self.slots.rotation(row))?;
                }
                merge(ops, &mut total, sum);
            }
            outputs.extend(total);
        }
        Ok(outputs)
    }

    fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        let Shape {
            channels,
            height,
            width,
        } = self.output;
        let [stride_h, stride_w] = self.conv.stride;
        (0..channels * height * width)
            .map(|index| {
                let (channel, y, x) = (
                    index / width / height,
                    index / width % height,
                    index % width,
                );
                let place = y * stride_h * self.width + x * stride_w;
                let start = channel % self.channels.in_ciphertext() * self.block;
                slots[channel / self.channels.in_ciphertext()][start + place]
            })
            .collect()
    }
}
