//! Which channels of packed inputs must meet which channels of packed outputs, and in what order.
//!
//! A ciphertext holds c_n channels in runs of b, one run a row or the same run in both rows (two tiles
//! of an image). An [`Alignment`] (δ, swap) brings channel (row, block) of an input to
//! (row ⊕ swap, block − δ mod b) of an output. With few channels, or channels in groups, not all
//! alignments bring two channels together that belong together; only those that do are used.
//!
//! Channel k belongs to group k mod g: along one alignment the difference of the two channels is
//! constant over a run, so that a whole run belongs together or none of it.
//!
//! Knows channels only: no filter taps, no ciphertexts.

use std::ops::Range;

/// Channels of a layer, as they are packed, and how many of them stand in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Channels {
    /// Channels in a row, b.
    pub(super) row: usize,
    /// Rows with channels of their own: 2, or 1 where both rows hold the same channels.
    pub(super) rows: usize,
    /// Input channels.
    pub(super) inputs: usize,
    /// Output channels.
    pub(super) outputs: usize,
    /// Groups, g.
    pub(super) groups: usize,
}

/// Input channel block minus output channel block (mod b), and whether they stand in different rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alignment {
    pub(super) swap: bool,
    /// In (−b, b): sums are turned by one block up to 0 or down to 0.
    pub(super) delta: isize,
}

impl Channels {
    /// Channels in a ciphertext, c_n.
    pub(super) const fn in_ciphertext(&self) -> usize {
        self.rows * self.row
    }

    pub(super) const fn input_ciphertexts(&self) -> usize {
        self.inputs.div_ceil(self.in_ciphertext())
    }

    pub(super) const fn output_ciphertexts(&self) -> usize {
        self.outputs.div_ceil(self.in_ciphertext())
    }

    /// Channels that ciphertext `index` of `total` channels holds in a row.
    fn in_row(&self, index: usize, total: usize, row: usize) -> usize {
        let before = index * self.in_ciphertext() + row * self.row;
        total.saturating_sub(before).min(self.row)
    }

    /// The input channels of `input` that an alignment brings to output channels of their group.
    pub(super) fn met(
        &self,
        output: usize,
        input: usize,
        alignment: Alignment,
    ) -> impl Iterator<Item = Range<usize>> + '_ {
        let b = self.row;
        let delta = alignment.delta.rem_euclid(b.cast_signed()).cast_unsigned();
        (0..self.rows)
            .flat_map(move |in_row| {
                let out_row = in_row ^ usize::from(alignment.swap);
                let inputs = self.in_row(input, self.inputs, in_row);
                let outputs = self.in_row(output, self.outputs, out_row);
                let first_in = input * self.in_ciphertext() + in_row * b;
                let first_out = output * self.in_ciphertext() + out_row * b;
                // Blocks of the input that come to an output: from δ on, and those that wrap around.
                let after = delta..(delta + outputs).min(b);
                let wrapped = 0..(delta + outputs).saturating_sub(b);
                [(after, b - delta), (wrapped, 2 * b - delta)]
                    .into_iter()
                    .map(move |(blocks, back)| {
                        let blocks = blocks.start..blocks.end.min(inputs);
                        let out_block = (blocks.start + back) % b;
                        let [own, other] = [first_in + blocks.start, first_out + out_block];
                        let together = own % self.groups == other % self.groups;
                        let end = if together { blocks.end } else { blocks.start };
                        first_in + blocks.start..first_in + end.max(blocks.start)
                    })
            })
            .filter(|range| !range.is_empty())
    }

    /// The alignments that an output needs, in the order in which they run: the swapped ones first,
    /// each side of 0 from its far end inwards.
    pub(super) fn alignments(&self, output: usize) -> Vec<Alignment> {
        let swaps = [true, false]
            .into_iter()
            .filter(|swap| !swap || self.rows == 2);
        swaps
            .flat_map(|swap| {
                let needed = |&delta: &isize| {
                    let inputs = 0..self.input_ciphertexts();
                    let alignment = Alignment { swap, delta };
                    inputs
                        .into_iter()
                        .any(|input| self.met(output, input, alignment).next().is_some())
                };
                let b = self.row.cast_signed();
                let deltas: Vec<isize> = (0..b).filter(needed).collect();
                let cut = cut(&deltas, b);
                let below = deltas.iter().filter(move |&&delta| delta > cut);
                let above = deltas.iter().filter(move |&&delta| delta <= cut);
                let below = below.map(|delta| delta - b);
                let all: Vec<_> = below.chain(above.rev().copied()).collect();
                all.into_iter().map(move |delta| Alignment { swap, delta })
            })
            .collect()
    }
}

/// The delta before the widest gap of the cycle of `deltas` and 0; the last one of equals. Deltas after it
/// are nearer to 0 from below.
fn cut(deltas: &[isize], b: isize) -> isize {
    let from = std::iter::once(0).chain(deltas.iter().copied().filter(|&delta| delta > 0));
    let to = deltas.iter().copied().filter(|&delta| delta > 0);
    from.zip(to.chain(std::iter::once(b)))
        .max_by_key(|(from, to)| to - from)
        .map_or(0, |(from, _)| from)
}
