//! How the channels of a convolution fill slots, and which rotations bring which filter places.
//!
//! Inputs and outputs share one grid of s = np2(height·width) slots a channel, b = n/(2s) channels
//! stand in a row: channel a in block a mod b, place y·width + x of its block. Tap (dy, dx) of a filter
//! is a rotation by (q_y·width + q_x), the plaintexts hold zeros where a tap would leave the image.
//!
//! **Strides.** Either outputs stay at their strided places of the input's grid and the places between are
//! discarded ([`Stride::Discard`]), or the input is decimated: its pixels (y, x) with y mod stride = r are a
//! channel of their own, of phase r, and the stride is gone ([`Stride::Decimate`]; as in Huang et al.,
//! "Cheetah", USENIX Security 2022, section 3.2.3, and in SCI). With t = dy·dilation − pad, q = ⌊t/stride⌋ and
//! r = t mod stride.
//!
//! **Images larger than a row** are cut into tiles of equal output sizes, each with the inputs it needs;
//! neighbours repeat pixels. The two rows of a ciphertext hold two tiles of the same channels, so there is
//! no swap; all tiles share the plaintexts.
//!
//! **Groups.** Channels are packed with the group as the fastest index, so that few alignments bring
//! channels of one group together.

mod weights;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::alignment::{Alignment, Channels};
use super::conv_tiles::{grid, lengths, tiled};
use super::shape::{ConvShape, LinearShape, PackingError};
use super::slots::Slots;
use crate::bfv::Rotation;
use crate::network::Shape;

/// What becomes of a stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stride {
    /// Outputs at stride 1, most of them of no use.
    Discard,
    /// As many input channels as there are phases, at stride 1.
    Decimate,
}

/// Where the values of a convolution stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConvLayout {
    pub(super) slots: Slots,
    /// The layer.
    conv: ConvShape,
    output: Shape,
    /// What one tile computes: the layer itself if there is one tile.
    tile: ConvShape,
    tile_output: Shape,
    /// Tiles down and across.
    tiles: [usize; 2],
    /// Grid places from an output to the next.
    step: [usize; 2],
    /// Input pixels from a grid place to the next; step · phases = stride.
    phases: [usize; 2],
    /// Width of the grid.
    width: usize,
    pub(super) channels: Channels,
    /// Slots of a channel, s.
    pub(super) block: usize,
    /// Row rotations that bring filter taps, each once.
    pub(super) taps: Vec<usize>,
    /// The phases that some tap reads, and the indices of their taps. Others are not packed.
    used: Vec<(usize, Vec<usize>)>,
}

impl ConvLayout {
    /// For a layer whose sizes are within bounds.
    pub(super) fn new(
        conv: &ConvShape,
        slots: Slots,
        stride: Stride,
    ) -> Result<Self, PackingError> {
        let (conv, output) = (*conv, conv.output()?);
        let (phases, step) = match stride {
            Stride::Discard => ([1, 1], conv.stride),
            Stride::Decimate => (conv.stride, [1, 1]),
        };
        let (tile, tiles) = tiled(&conv, output, (phases, step), slots.row())?;
        let tile_output = tile.output()?;
        let [height, width] = grid(&tile, tile_output, (phases, step));
        let block = (height * width).next_power_of_two();
        let mut layout = Self {
            slots,
            conv,
            output,
            tile,
            tile_output,
            tiles,
            step,
            phases,
            width,
            channels: Channels {
                row: slots.row() / block,
                rows: if tiles == [1, 1] { 2 } else { 1 },
                inputs: conv.input.channels,
                outputs: output.channels,
                groups: conv.groups,
            },
            block,
            taps: Vec::new(),
            used: Vec::new(),
        };
        layout.find_taps();
        layout.channels.inputs *= layout.used.len();
        if layout.used.is_empty() {
            return Err(PackingError::Empty);
        }
        Ok(layout)
    }

    /// Fills in the rotations of the taps, phase by phase.
    fn find_taps(&mut self) {
        let row = self.slots.row().cast_signed();
        let (axes, width) = (
            [0, 1].map(|axis| self.offsets(axis)),
            self.width.cast_signed(),
        );
        // Only phases that some tap reads: there may be as many others as a stride is large.
        let mut phases: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for &(phase_y, q_y) in &axes[0] {
            for &(phase_x, q_x) in &axes[1] {
                let offset = (q_y * width + q_x).rem_euclid(row).cast_unsigned();
                let phase = phase_y * self.phases[1] + phase_x;
                phases.entry(phase).or_default().insert(offset);
            }
        }
        let taps: BTreeSet<usize> = phases.values().flatten().copied().collect();
        self.taps = taps.into_iter().collect();
        let index = |tap: &usize| self.taps.binary_search(tap).unwrap_or_default();
        self.used = phases
            .iter()
            .map(|(&phase, taps)| (phase, taps.iter().map(index).collect()))
            .collect();
    }

    /// Phase and grid offset (rows or columns) of the taps along one axis that bring some input to some
    /// output.
    fn offsets(&self, axis: usize) -> BTreeSet<(usize, isize)> {
        let conv = &self.tile;
        let (in_len, out_len) = lengths(conv, self.tile_output, axis);
        let (stride, padding) = (conv.stride[axis], conv.padding[axis].cast_signed());
        let phases = self.phases[axis].cast_signed();
        let taps = (0..conv.kernel[axis]).map(|tap| (tap * conv.dilation[axis]).cast_signed());
        taps.map(|tap| tap - padding)
            .filter(|&shift| {
                // The first output whose input does not lie before the image.
                let first = (-shift).max(0).cast_unsigned().div_ceil(stride);
                let input = (first * stride).cast_signed() + shift;
                first < out_len && input < in_len.cast_signed()
            })
            .map(|shift| {
                let phase = shift.rem_euclid(phases).cast_unsigned();
                (phase, shift.div_euclid(phases))
            })
            .collect()
    }

    pub(super) const fn made_for(&self) -> (usize, LinearShape) {
        (self.slots.n(), LinearShape::Conv(self.conv))
    }

    /// Ciphertexts that hold all tiles of the same channels.
    pub(super) const fn lanes(&self) -> usize {
        (self.tiles[0] * self.tiles[1]).div_ceil(2)
    }

    /// The input ciphertexts of a lane in runs of such as need the same taps and meet outputs alike: all
    /// full ones, where there are no groups and no phases, else each by itself.
    pub(super) fn input_runs(&self) -> Vec<Range<usize>> {
        let (channels, total) = (&self.channels, self.channels.input_ciphertexts());
        let alike = if channels.groups == 1 && self.used.len() == 1 {
            channels.inputs / channels.in_ciphertext()
        } else {
            0
        };
        let first = (alike > 0).then_some(0..alike);
        let others = (alike..total).map(|input| input..input + 1);
        first.into_iter().chain(others).collect()
    }

    /// Places in the list of phases that are used, rising, of packed input channels.
    pub(super) fn phases_of(&self, inputs: impl Iterator<Item = Range<usize>>) -> Vec<usize> {
        let channels = self.conv.input.channels;
        let phases = inputs.flat_map(|run| run.start / channels..run.end.div_ceil(channels));
        let mut phases: Vec<usize> = phases.collect();
        phases.sort_unstable();
        phases.dedup();
        phases
    }

    /// Indices of the taps that phases need, in rising order, each once.
    pub(super) fn taps_of(&self, phases: &[usize]) -> Vec<usize> {
        let mut taps: Vec<usize> = phases
            .iter()
            .flat_map(|&phase| self.used[phase].1.iter().copied())
            .collect();
        taps.sort_unstable();
        taps.dedup();
        taps
    }

    /// Whether there is more than one phase of the input.
    pub(super) const fn has_phases(&self) -> bool {
        self.used.len() > 1
    }

    /// The rotation that brings channels to those that they are aligned with.
    pub(super) fn aligning(&self, alignment: Alignment) -> Rotation {
        let row = self.slots.row().cast_signed();
        let step = (alignment.delta * self.block.cast_signed()).rem_euclid(row);
        Rotation {
            step: step.cast_unsigned(),
            swap: alignment.swap,
        }
    }

    /// Ciphertext of its lane and first slot of a packed channel, in the row of a tile.
    const fn start(&self, packed: usize, tile_row: usize) -> (usize, usize) {
        let (capacity, b) = (self.channels.in_ciphertext(), self.channels.row);
        let within = packed % capacity;
        let row = within / b + tile_row;
        (
            packed / capacity,
            row * self.slots.row() + within % b * self.block,
        )
    }

    pub(super) const fn input_ciphertexts(&self) -> usize {
        self.lanes() * self.channels.input_ciphertexts()
    }

    pub(super) const fn output_ciphertexts(&self) -> usize {
        self.lanes() * self.channels.output_ciphertexts()
    }

    /// Slots of the inputs, lane by lane.
    pub(super) fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        let Shape {
            channels,
            height,
            width,
        } = self.conv.input;
        let mut packed = vec![vec![0; self.slots.n()]; self.input_ciphertexts()];
        for (tile, channel) in (0..self.tiles[0] * self.tiles[1])
            .flat_map(|tile| (0..channels).map(move |channel| (tile, channel)))
        {
            let [top, left] = self.origin(tile);
            let plane = &values[channel * height * width..][..height * width];
            let lane = tile / 2 * self.channels.input_ciphertexts();
            for (phase, (used, _)) in self.used.iter().enumerate() {
                let own = phase * channels + packed_index(channel, channels, self.conv.groups);
                let (ciphertext, start) = self.start(own, tile % 2);
                let slots = &mut packed[lane + ciphertext][start..];
                let first = [used / self.phases[1], used % self.phases[1]];
                for (y, row_slots) in (first[0]..self.tile.input.height)
                    .step_by(self.phases[0])
                    .zip(slots.chunks_mut(self.width))
                {
                    // Beyond the image, here as wrapped or large numbers, there are zeros.
                    let row = top.wrapping_add(y);
                    if row >= height {
                        continue;
                    }
                    let values = &plane[row * width..][..width];
                    let columns = (first[1]..self.tile.input.width).step_by(self.phases[1]);
                    for (x, slot) in columns.zip(row_slots) {
                        if let Some(value) = values.get(left.wrapping_add(x)) {
                            *slot = *value;
                        }
                    }
                }
            }
        }
        packed
    }

    /// Row and column of the image where a tile's inputs begin; numbers before 0 wrap around.
    fn origin(&self, tile: usize) -> [usize; 2] {
        let at = [tile / self.tiles[1], tile % self.tiles[1]];
        let outputs = [self.tile_output.height, self.tile_output.width];
        [0, 1].map(|axis| {
            if self.tiles[axis] == 1 {
                return 0;
            }
            let first = at[axis] * outputs[axis] * self.conv.stride[axis];
            first.wrapping_sub(self.conv.padding[axis])
        })
    }

    /// Values of the outputs, from their slots, lane by lane.
    pub(super) fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        let Shape {
            channels,
            height,
            width,
        } = self.output;
        let of_tile = [self.tile_output.height, self.tile_output.width];
        let mut values = Vec::with_capacity(channels * height * width);
        for (channel, y) in (0..channels).flat_map(|channel| (0..height).map(move |y| (channel, y)))
        {
            let own = packed_index(channel, channels, self.conv.groups);
            let (tile_y, row) = (y / of_tile[0], y % of_tile[0] * self.step[0]);
            for (tile_x, left) in (0..width).step_by(of_tile[1]).enumerate() {
                let tile = tile_y * self.tiles[1] + tile_x;
                let (ciphertext, start) = self.start(own, tile % 2);
                let lane = tile / 2 * self.channels.output_ciphertexts();
                let of_row = &slots[lane + ciphertext][start + row * self.width..];
                let count = of_tile[1].min(width - left);
                values.extend(of_row.iter().step_by(self.step[1]).take(count));
            }
        }
        values
    }
}

/// Where a channel is packed: the group is the fastest index.
const fn packed_index(channel: usize, channels: usize, groups: usize) -> usize {
    let in_group = channels / groups;
    channel % in_group * groups + channel / in_group
}

/// The channel that is packed at an index.
const fn unpacked(index: usize, channels: usize, groups: usize) -> usize {
    index % groups * (channels / groups) + index / groups
}
