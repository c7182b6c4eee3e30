//! Which channels of packed inputs must meet which channels of packed outputs, and in what order.
//!
//! A ciphertext holds c_n = 2·b channels, b in each row. An [`Alignment`] (δ, swap) brings channel
//! (row, block) of an input to (row ⊕ swap, block − δ mod b) of an output. With few channels not all
//! c_n alignments bring two existing channels together; those that do make, for each swap, one
//! [`Span`] of δ around 0. Knows channels only: no filter taps, no ciphertexts.

/// Channels of a layer and how many of them stand in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Channels {
    /// Channels in a row, b.
    pub(super) row: usize,
    /// Input channels of the layer.
    pub(super) inputs: usize,
    /// Output channels of the layer.
    pub(super) outputs: usize,
}

/// Input channel block minus output channel block (mod b), and whether they stand in different rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alignment {
    pub(super) delta: usize,
    pub(super) swap: bool,
}

/// The alignments of one swap that an output needs: blocks −`negative`, …, `positive`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) swap: bool,
    pub(super) negative: usize,
    pub(super) positive: usize,
}

impl Channels {
    /// Channels in a ciphertext, c_n.
    pub(super) fn in_ciphertext(&self) -> usize {
        2 * self.row
    }

    /// Channels that ciphertext `index` of `total` channels holds in each row.
    fn rows_of(&self, index: usize, total: usize) -> [usize; 2] {
        let here = (total - index * self.in_ciphertext()).min(self.in_ciphertext());
        [here.min(self.row), here.saturating_sub(self.row)]
    }

    /// The pairs of (input, output) channel counts that an alignment brings together, row by row.
    fn pairs(&self, output: usize, input: usize, swap: bool) -> [(usize, usize); 2] {
        let inputs = self.rows_of(input, self.inputs);
        let outputs = self.rows_of(output, self.outputs);
        let other = usize::from(swap);
        [(inputs[0], outputs[other]), (inputs[1], outputs[1 - other])]
    }

    /// Whether some input channel of `input` is aligned to some output channel of `output`.
    fn meets(&self, output: usize, input: usize, alignment: Alignment) -> bool {
        let pairs = self.pairs(output, input, alignment.swap);
        pairs.into_iter().any(|(inputs, outputs)| {
            let wrapped = alignment.delta + outputs > self.row;
            inputs > 0 && outputs > 0 && (alignment.delta < inputs || wrapped)
        })
    }

    /// The alignments that an output needs, the swapped ones first.
    ///
    /// Those of one pair of rows are the blocks −(outputs − 1), …, inputs − 1; their union over rows
    /// and inputs is again one span around 0, and the whole cycle once it is b long.
    pub(super) fn spans(&self, output: usize) -> impl Iterator<Item = Span> + '_ {
        // All inputs but the last are full, and the first holds no fewer channels than any other.
        [true, false].into_iter().filter_map(move |swap| {
            let pairs = self.pairs(output, 0, swap);
            let some = pairs.into_iter().filter(|&(i, o)| i > 0 && o > 0);
            let span = some.fold(None, |span: Option<(usize, usize)>, (i, o)| {
                let (negative, positive) = span.unwrap_or_default();
                Some((negative.max(o - 1), positive.max(i - 1)))
            });
            let (negative, positive) = span?;
            let (negative, positive) = if negative + positive + 1 >= self.row {
                (0, self.row - 1)
            } else {
                (negative, positive)
            };
            Some(Span {
                swap,
                negative,
                positive,
            })
        })
    }

    /// Rotations of partial sums that an output takes: one for each block turned, one for the swap.
    pub(super) fn turns(&self, output: usize) -> u64 {
        let turns = |span: Span| span.negative + span.positive + usize::from(span.swap);
        self.spans(output).map(turns).sum::<usize>() as u64
    }

    /// The deltas of a span in the order in which they run: each side from its far end inwards.
    pub(super) fn deltas(
        &self,
        span: Span,
    ) -> (impl Iterator<Item = usize>, impl Iterator<Item = usize>) {
        let row = self.row;
        (
            (1..=span.negative).rev().map(move |block| row - block),
            (0..=span.positive).rev(),
        )
    }

    /// Input ciphertexts that an alignment takes part of.
    pub(super) fn inputs_of(
        &self,
        output: usize,
        alignment: Alignment,
    ) -> impl Iterator<Item = usize> + '_ {
        (0..self.inputs.div_ceil(self.in_ciphertext()))
            .filter(move |&input| self.meets(output, input, alignment))
    }

    /// The products of an output as (alignment, input), in the order in which they run.
    pub(super) fn products(&self, output: usize) -> impl Iterator<Item = (Alignment, usize)> + '_ {
        self.spans(output).flat_map(move |span| {
            let (negative, positive) = self.deltas(span);
            negative.chain(positive).flat_map(move |delta| {
                let swap = span.swap;
                let alignment = Alignment { delta, swap };
                let inputs = self.inputs_of(output, alignment);
                inputs.map(move |input| (alignment, input))
            })
        })
    }
}
