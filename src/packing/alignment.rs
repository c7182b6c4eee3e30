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

    /// The alignments that an output needs, in the order in which they run: the swapped ones first, each side
    /// of 0 from its far end inwards; and with each, in rising order, the `runs` of input ciphertexts of which
    /// it brings channels to output channels of their group. Inputs of a run are alike: without groups
    /// those may be all that are full.
    pub(super) fn meetings(&self, output: usize, runs: &[Range<usize>]) -> Vec<(Alignment, usize)> {
        let swaps = [true, false]
            .into_iter()
            .filter(|swap| !swap || self.rows == 2);
        let (mut met, mut meetings) = (Vec::new(), Vec::new());
        let b = self.row.cast_signed();
        for swap in swaps {
            met.clear();
            for in_row in 0..self.rows {
                self.meet(output, (in_row, in_row ^ usize::from(swap)), runs, &mut met);
            }
            // Each row is sorted, or a few sorted stretches.
            met.sort();
            met.dedup();
            let cut = cut(met.chunk_by(same_delta).map(|of_delta| of_delta[0].0), b);
            let (above, below) = met.split_at(met.partition_point(|&(delta, _)| delta <= cut));
            let aligned = |delta, run| (Alignment { swap, delta }, run);
            meetings.extend(below.iter().map(|&(delta, run)| aligned(delta - b, run)));
            for of_delta in above.chunk_by(same_delta).rev() {
                meetings.extend(of_delta.iter().map(|&(delta, run)| aligned(delta, run)));
            }
        }
        meetings
    }

    /// Adds the deltas (from 0 on) and runs of inputs with which a row of an input meets a row of an output.
    ///
    /// Blocks i of the input and o of the output belong together where i − o is their first channels'
    /// difference modulo g; i − o takes all values between minus the outputs and the inputs of the rows.
    fn meet(
        &self,
        output: usize,
        (in_row, out_row): (usize, usize),
        runs: &[Range<usize>],
        met: &mut Vec<(isize, usize)>,
    ) {
        let [b, groups, capacity] =
            [self.row, self.groups, self.in_ciphertext()].map(usize::cast_signed);
        let outputs = self.in_row(output, self.outputs, out_row).cast_signed();
        let first_out = output.cast_signed() * capacity + out_row.cast_signed() * b;
        if outputs == 0 {
            return;
        }
        let mut run = 0;
        while let Some(inputs) = runs.get(run) {
            let first_in = inputs.start.cast_signed() * capacity + in_row.cast_signed() * b;
            let inputs = self.in_row(inputs.start, self.inputs, in_row).cast_signed();
            let apart = (first_out - first_in).rem_euclid(groups);
            if inputs > 0 {
                let forth = (apart..inputs).step_by(self.groups);
                let least = 1 - outputs + (apart + outputs - 1).rem_euclid(groups);
                let back = (least..0).step_by(self.groups).map(|delta| delta + b);
                // Where g divides b, one delta may be both.
                let new = back.filter(|&delta| delta >= inputs || b % groups > 0);
                met.extend(forth.chain(new).map(|delta| (delta, run)));
            }
            // `apart` falls by a ciphertext's channels from one input to the next; none below b, nothing meets.
            run += (apart - b).max(0).cast_unsigned() / self.in_ciphertext() + 1;
        }
    }
}

fn same_delta(a: &(isize, usize), b: &(isize, usize)) -> bool {
    a.0 == b.0
}

/// The delta before the widest gap of the cycle of `deltas` (rising) and 0; the last one of equals. Deltas
/// after it are nearer to 0 from below.
fn cut(deltas: impl Iterator<Item = isize>, b: isize) -> isize {
    let (mut from, mut widest, mut cut) = (0, 0, 0);
    for to in deltas.filter(|&delta| delta > 0).chain([b]) {
        if to - from >= widest {
            (widest, cut) = (to - from, from);
        }
        from = to;
    }
    cut
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every alignment tried with every input.
    fn tried(channels: &Channels, output: usize) -> Vec<(Alignment, usize)> {
        let mut all = Vec::new();
        let b = channels.row.cast_signed();
        for swap in [false, true].into_iter().take(channels.rows) {
            for delta in 0..b {
                let alignment = Alignment { swap, delta };
                let inputs = 0..channels.input_ciphertexts();
                let meets =
                    |&input: &usize| channels.met(output, input, alignment).next().is_some();
                all.extend(inputs.filter(meets).map(|input| (alignment, input)));
            }
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn meetings_are_all_that_a_trial_of_each_alignment_finds(
            log_row in 0_u32..6, rows in 1_usize..3, groups in 1_usize..20,
            inputs in 1_usize..12, outputs in 1_usize..12, many in 1_usize..12,
        ) {
            let groups = if groups > 12 { 1 } else { groups * many };
            let channels = Channels {
                row: 1 << log_row,
                rows,
                inputs: inputs * groups,
                outputs: outputs * groups,
                groups,
            };
            let each: Vec<_> = (0..channels.input_ciphertexts()).map(|input| input..input + 1).collect();
            for output in 0..channels.output_ciphertexts() {
                let meetings = channels.meetings(output, &each);
                // Each side of 0 comes inwards, and no two deltas of a swap are one modulo b.
                let sides = meetings.chunk_by(|(a, _), (b, _)| a.swap == b.swap && (a.delta < 0) == (b.delta < 0));
                prop_assert!(sides.clone().count() <= 4);
                for side in sides {
                    prop_assert!(side.is_sorted_by_key(|(alignment, input)| (-alignment.delta.abs(), *input)));
                }
                let modulo = |(alignment, input): (Alignment, usize)| {
                    let delta = alignment.delta.rem_euclid(channels.row.cast_signed());
                    (Alignment { delta, ..alignment }, input)
                };
                let mut found: Vec<_> = meetings.into_iter().map(modulo).collect();
                found.sort_unstable();
                prop_assert_eq!(found, tried(&channels, output));
            }
        }
    }
}
