//! Which weight each slot of a convolution's plaintexts holds.
//!
//! A product takes one input to one output by one rotation; its plaintext holds, block by block, the weight of
//! the filter between the two channels that meet there, at the places where the rotation brings an input to an
//! output. Which tap of a filter that is does not depend on the channels: it is found once for all blocks.

use std::collections::BTreeMap;

use super::{ConvLayout, unpacked};
use crate::packing::conv_products::Product;
use crate::packing::conv_tiles::lengths;
use crate::packing::slots::residue;

impl ConvLayout {
    /// Slots of a product's plaintext, before its channels are aligned; weights are
    /// `[out, in / groups, kernel h, kernel w]`.
    pub(in crate::packing) fn weight_slots(
        &self,
        weights: &[i64],
        p: u64,
        product: &Product,
    ) -> Vec<u64> {
        let mut slots = vec![0; self.slots.n()];
        let mut of_phase: BTreeMap<usize, Vec<Option<usize>>> = BTreeMap::new();
        for (block, slots) in slots.chunks_exact_mut(self.block).enumerate() {
            let Some((filter, phase)) = self.filter_at(product, block) else {
                continue;
            };
            let places = of_phase
                .entry(phase)
                .or_insert_with(|| self.filter_taps(product.tap, phase));
            // Nearly all places of a block hold the same weight.
            let mut last: Option<(usize, u64)> = None;
            for (slot, tap) in slots.iter_mut().zip(places) {
                let Some(tap) = *tap else { continue };
                *slot = match last {
                    Some((known, value)) if known == tap => value,
                    _ => residue(weights[filter + tap], p),
                };
                last = Some((tap, *slot));
            }
        }
        slots
    }

    /// Where the weights of the filter begin that a block of a product's plaintext holds, blocks counted through
    /// both rows, and the phase of its input. The product's ciphertexts are those of one lane.
    fn filter_at(&self, product: &Product, block: usize) -> Option<(usize, usize)> {
        let channels = &self.channels;
        let (in_row, block) = (block / channels.row % channels.rows, block % channels.row);
        let out_row = in_row ^ usize::from(product.alignment.swap);
        let b = channels.row.cast_signed();
        let out_block = (block.cast_signed() - product.alignment.delta).rem_euclid(b);
        let of = |ciphertext: usize, row: usize, block: usize| {
            ciphertext * channels.in_ciphertext() + row * channels.row + block
        };
        let packed_in = of(product.input, in_row, block);
        let packed_out = of(product.output, out_row, out_block.cast_unsigned());
        let groups = self.conv.groups;
        if packed_in >= channels.inputs
            || packed_out >= channels.outputs
            || packed_in % groups != packed_out % groups
        {
            return None;
        }
        let of_input = self.conv.input.channels;
        let (phase, _) = self.used[packed_in / of_input];
        let output = unpacked(packed_out, self.output.channels, groups);
        let filter = output * self.conv.channels_read() + packed_in % of_input / groups;
        let [kernel_h, kernel_w] = self.conv.kernel;
        Some((filter * kernel_h * kernel_w, phase))
    }

    /// For each place of a block, the tap of the filter that takes the input brought there by a rotation to the
    /// output at that place, if there is one.
    fn filter_taps(&self, tap: usize, phase: usize) -> Vec<Option<usize>> {
        let (row, shift) = (self.slots.row(), self.taps[tap]);
        let phase = [phase / self.phases[1], phase % self.phases[1]];
        let at = |place: usize| [place / self.width, place % self.width];
        let of_place = |place: usize| {
            // Within its own block, where a row may go round.
            let sources = [Some(place + shift), (place + shift).checked_sub(row)];
            let mut sources = sources.into_iter().flatten();
            let source = sources.find(|&source| source < self.block)?;
            let [dy, dx] = self.tap_between(at(place), at(source), phase)?;
            Some(dy * self.conv.kernel[1] + dx)
        };
        (0..self.block).map(of_place).collect()
    }

    /// The filter tap that takes the input at `from`, of a phase, to the output at `to`, both places on
    /// the grid.
    fn tap_between(
        &self,
        to: [usize; 2],
        from: [usize; 2],
        phase: [usize; 2],
    ) -> Option<[usize; 2]> {
        let conv = &self.tile;
        let mut tap = [0; 2];
        for axis in 0..2 {
            let (in_len, out_len) = lengths(conv, self.tile_output, axis);
            let (step, dilation) = (self.step[axis], conv.dilation[axis]);
            let input = from[axis] * self.phases[axis] + phase[axis];
            let output = to[axis] / step;
            let at = (input + conv.padding[axis]).checked_sub(output * conv.stride[axis])?;
            let inside = input < in_len && output < out_len;
            let whole = to[axis].is_multiple_of(step) && at.is_multiple_of(dilation);
            if !inside || !whole || at / dilation >= conv.kernel[axis] {
                return None;
            }
            tap[axis] = at / dilation;
        }
        Some(tap)
    }
}
