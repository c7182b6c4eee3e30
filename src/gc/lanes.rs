//! Wires of many equal circuits in lockstep: each wire is a row of labels, one for each instance.
//!
//! Lockstep lets the kernels work on many blocks at a time. Also here: how a batch is cut into runs under
//! one AES key. The position of an AND's table is its tweak, so no tweak repeats under one key.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::circuits::ShareCircuit;
use super::error::GcError;
use super::hash::ANDS_PER_KEY;
use super::kernels::{LANES, QUADS, Quad, Row};

/// The rows of a run, one a slot of the program. Wiped on drop.
pub(super) struct Rows(pub(super) Vec<Row>);

impl Rows {
    pub(super) fn new(slots: usize) -> Self {
        Self(vec![Row::default(); slots])
    }

    /// Fills the rows from `slot` on, one for each of the `width` inputs, out of blocks in the
    /// order instance, bit.
    pub(super) fn load(&mut self, slot: usize, blocks: &[u128], width: usize, run: &Run) {
        let rows = &mut self.0[slot..slot + width];
        let blocks = &blocks[run.first * width..(run.first + run.lanes) * width];
        for (quad, instances) in blocks.chunks(4 * width.max(1)).enumerate() {
            let (first, others) = instances.split_at(width);
            for (bit, row) in rows.iter_mut().enumerate() {
                let label = |k: usize| others.get((k - 1) * width + bit).copied();
                row[quad].0 = [
                    first[bit],
                    label(1).unwrap_or_default(),
                    label(2).unwrap_or_default(),
                    label(3).unwrap_or_default(),
                ];
            }
        }
    }

    /// Fills a row with one block.
    pub(super) fn fill(&mut self, slot: usize, block: u128) {
        self.0[slot] = [Quad([block; 4]); QUADS];
    }

    /// `to = x ⊕ block`.
    pub(super) fn shift(&mut self, x: usize, block: u128, to: usize) {
        self.0[to] = self.0[x].map(|quad| Quad(quad.0.map(|label| label ^ block)));
    }

    /// The lowest bits of the first `lanes` labels.
    pub(super) fn lowest_bits(&self, slot: usize, lanes: usize) -> impl Iterator<Item = bool> {
        let labels = self.0[slot].iter().flat_map(|quad| quad.0);
        labels.take(lanes).map(|label| label & 1 == 1)
    }
}

impl Zeroize for Rows {
    fn zeroize(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl ZeroizeOnDrop for Rows {}

impl Drop for Rows {
    fn drop(&mut self) {
        self.zeroize();
    }
}

/// Instances in lockstep under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// Index of the key.
    pub(super) key: usize,
    /// First instance.
    pub(super) first: usize,
    /// Instances.
    pub(super) lanes: usize,
    /// Tweak of the first AND: ANDs already garbled under this key.
    pub(super) tweak: usize,
}

/// A checked circuit with its counts and a batch: what both readers agree on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) circuit: ShareCircuit,
    pub(super) batch: usize,
    pub(super) ands: usize,
    pub(super) garbler_bits: usize,
    pub(super) evaluator_bits: usize,
    pub(super) output_bits: usize,
}

impl Shape {
    pub(super) fn new(circuit: &ShareCircuit, batch: usize) -> Result<Self, GcError> {
        let counts = circuit.gate_counts()?;
        let garbler_bits = circuit.garbler_input_bits();
        let evaluator_bits = circuit.evaluator_input_bits();
        Ok(Self {
            circuit: *circuit,
            batch,
            ands: counts.and,
            garbler_bits,
            evaluator_bits,
            output_bits: circuit.output_bits(),
        })
    }

    fn instances_per_key(&self) -> usize {
        (ANDS_PER_KEY / self.ands.max(1)).max(1)
    }

    /// AES keys used for the batch.
    pub(super) fn keys(&self) -> usize {
        self.batch.div_ceil(self.instances_per_key())
    }

    /// AND gates of the batch.
    pub(super) fn tables(&self) -> usize {
        self.ands.saturating_mul(self.batch)
    }

    /// The runs, in order; their tables follow one another.
    pub(super) fn runs(&self) -> impl Iterator<Item = Run> + use<> {
        let (per_key, batch, ands) = (self.instances_per_key(), self.batch, self.ands);
        (0..self.keys()).flat_map(move |key| {
            let (start, end) = (key * per_key, batch.min((key + 1) * per_key));
            (start..end).step_by(LANES).map(move |first| {
                let lanes = LANES.min(end - first);
                Run {
                    key,
                    first,
                    lanes,
                    tweak: (first - start) * ands,
                }
            })
        })
    }
}
