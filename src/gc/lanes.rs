//! Wires of many equal circuits in lockstep: each wire is a row of labels, one for each instance.
//!
//! The rows of one run lie one after another in one buffer, which is wiped after use. Rows in
//! lockstep let AES work on many blocks at a time. Also here: how a batch is cut into runs under
//! one AES key. The position of an AND's table is its tweak, so no tweak repeats under one key.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::circuits::ShareCircuit;
use super::error::GcError;
use super::hash::ANDS_PER_KEY;

/// Instances in lockstep.
const LANES: usize = 64;

/// A wire: where its row begins.
#[derive(Clone, Copy)]
pub(super) struct Row(usize);

/// The labels of a run, row by row.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Rows {
    blocks: Vec<u128>,
    lanes: usize,
}

impl Rows {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            blocks: Vec::with_capacity(rows * LANES),
            lanes: 0,
        }
    }

    /// Forgets all rows; the next ones are `lanes` long.
    pub(super) fn restart(&mut self, lanes: usize) {
        self.blocks.clear();
        self.lanes = lanes;
    }

    pub(super) fn lanes(&self) -> usize {
        self.lanes
    }

    pub(super) fn row(&self, row: Row) -> &[u128] {
        &self.blocks[row.0..row.0 + self.lanes]
    }

    pub(super) fn push(&mut self, blocks: impl IntoIterator<Item = u128>) -> Row {
        let start = self.blocks.len();
        self.blocks.extend(blocks);
        self.blocks.resize(start + self.lanes, 0);
        Row(start)
    }

    /// A new row, `f` of each lane of two others.
    pub(super) fn zip(&mut self, x: Row, y: Row, f: impl Fn(u128, u128) -> u128) -> Row {
        let (start, lanes) = (self.blocks.len(), self.lanes);
        self.blocks.resize(start + lanes, 0);
        let (old, new) = self.blocks.split_at_mut(start);
        let pairs = old[x.0..x.0 + lanes].iter().zip(&old[y.0..y.0 + lanes]);
        for (new, (&x, &y)) in new.iter_mut().zip(pairs) {
            *new = f(x, y);
        }
        Row(start)
    }

    /// One row for each of the `width` inputs of the run, out of blocks in the order instance, bit.
    pub(super) fn push_inputs(&mut self, blocks: &[u128], width: usize, run: &Run) -> Vec<Row> {
        (0..width)
            .map(|bit| {
                let lanes = run.first..run.first + run.lanes;
                self.push(lanes.map(|instance| blocks[instance * width + bit]))
            })
            .collect()
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
    pub(super) rows: usize,
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
            rows: counts.wires() + garbler_bits + evaluator_bits,
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
