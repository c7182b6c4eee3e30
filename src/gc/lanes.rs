//! Wires of many equal circuits in lockstep: each wire is a row of labels, one for each instance.
//!
//! Lockstep lets the kernels work on many blocks at a time. A layer (a batch of equal circuits) is cut into
//! [`Piece`]s, each garbled under a key of its own and small enough for the second cache, and a
//! piece into runs of at most [`LANES`] instances. Everything that is listed for the wires of a layer
//! (labels, choices, decode bits) is in the order run, wire, instance: *lane order*. A row on the wire
//! holds as many blocks as its run has instances.
//!
//! The position of an AND's table in its piece is its tweak: none repeats under one key.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::circuits::ShareCircuit;
use super::error::GcError;
use super::hash::ANDS_PER_KEY;
pub(super) use super::kernels::LANES;
use super::kernels::{Quad, Row};
pub(super) use super::messages::BLOCK;
use crate::prefetch::prefetch_ahead;

/// ANDs in a piece, about: 1 MiB of tables.
const ANDS_PER_PIECE: usize = 1 << 15;

/// Fewer runs are not worth a thread of their own.
const RUNS_PER_THREAD: usize = 4;

/// The rows of a run, one a slot of the program. Wiped on drop.
pub(super) struct Rows(pub(super) Vec<Row>);

impl Rows {
    pub(super) fn new(slots: usize) -> Self {
        Self(vec![Row::default(); slots])
    }

    /// Fills the rows from `slot` on with labels of a message.
    pub(super) fn read(&mut self, slot: usize, labels: &[u8], lanes: usize) {
        let rows = self.0[slot..].iter_mut();
        for (row, bytes) in rows.zip(labels.chunks(BLOCK * lanes)) {
            read_row(row, bytes);
        }
    }
}

/// Fills rows with labels in lane order.
pub(super) fn load(rows: &mut [Row], labels: &[u128], lanes: usize) {
    for (row, labels) in rows.iter_mut().zip(labels.chunks(lanes)) {
        let (whole, rest) = labels.as_chunks();
        for (i, (quad, &labels)) in row.iter_mut().zip(whole).enumerate() {
            prefetch_ahead(whole, i);
            quad.0 = labels;
        }
        if !rest.is_empty() {
            row[whole.len()].0[..rest.len()].copy_from_slice(rest);
        }
    }
}

/// Appends the first `lanes` blocks of a row.
pub(super) fn append_row(out: &mut Vec<u8>, row: &Row, lanes: usize) {
    let (whole, rest) = (lanes / 4, BLOCK * (lanes % 4));
    for quad in &row[..whole] {
        out.extend_from_slice(&to_bytes(quad));
    }
    if rest > 0 {
        out.extend_from_slice(&to_bytes(&row[whole])[..rest]);
    }
}

/// Reads the first blocks of a row, as many as there are.
fn read_row(row: &mut Row, bytes: &[u8]) {
    let (whole, rest) = bytes.as_chunks();
    for (i, (quad, bytes)) in row.iter_mut().zip(whole).enumerate() {
        prefetch_ahead(whole, i);
        *quad = of_bytes(*bytes);
    }
    if !rest.is_empty() {
        let mut padded = [0; 4 * BLOCK];
        padded[..rest.len()].copy_from_slice(rest);
        row[whole.len()] = of_bytes(padded);
    }
}

fn to_bytes(quad: &Quad) -> [u8; 4 * BLOCK] {
    bytemuck::must_cast(quad.0.map(u128::to_le))
}

fn of_bytes(bytes: [u8; 4 * BLOCK]) -> Quad {
    Quad(bytemuck::must_cast::<_, [u128; 4]>(bytes).map(u128::from_le))
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

/// Instances of a layer that are garbled under one key, sent and evaluated at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// First instance.
    pub(super) first: usize,
    /// Instances.
    pub(super) circuits: usize,
}

impl Piece {
    /// The instances of the layer that lie in it.
    pub const fn instances(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.circuits
    }

    /// What each thread takes of it, in order: whole runs, `first` counted from the piece's first instance.
    pub(super) fn parts(&self) -> impl Iterator<Item = Self> + use<> {
        let (circuits, runs) = (self.circuits, self.circuits.div_ceil(LANES));
        let size = LANES
            * runs
                .div_ceil(rayon::current_num_threads())
                .max(RUNS_PER_THREAD);
        (0..circuits).step_by(size).map(move |first| Self {
            first,
            circuits: size.min(circuits - first),
        })
    }

    /// The runs of a part, counted as it is.
    pub(super) fn runs_within(&self) -> impl Iterator<Item = Run> + use<> {
        let start = self.first;
        self.runs().map(move |run| Run {
            first: start + run.first,
            ..run
        })
    }

    /// The runs, in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = Run> + use<> {
        let circuits = self.circuits;
        (0..circuits).step_by(LANES).map(move |first| Run {
            first,
            lanes: LANES.min(circuits - first),
        })
    }
}

/// Instances in lockstep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// First instance, counted from the piece's first.
    pub(super) first: usize,
    /// Instances.
    pub(super) lanes: usize,
}

impl Run {
    /// Quads that the instances take.
    pub(super) const fn quads(self) -> usize {
        self.lanes.div_ceil(4)
    }

    /// Bytes that hold one bit an instance.
    pub(super) const fn bytes(self) -> usize {
        self.lanes.div_ceil(8)
    }

    /// One bit an instance, set.
    pub(super) const fn mask(self) -> u32 {
        u32::MAX >> (LANES - self.lanes)
    }
}

/// A checked circuit with its counts and a batch: what both readers agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// Instances of every piece but the last: whole runs, or fewer than one where a circuit is large.
    fn piece_circuits(&self) -> usize {
        let ands = self.ands.max(1);
        let runs = ANDS_PER_PIECE / (LANES * ands);
        (LANES * runs.max(1)).min(ANDS_PER_KEY / ands).max(1)
    }

    pub(super) fn pieces(&self) -> impl ExactSizeIterator<Item = Piece> + use<> {
        let (batch, size) = (self.batch, self.piece_circuits());
        (0..batch.div_ceil(size)).map(move |index| Piece {
            first: index * size,
            circuits: size.min(batch - index * size),
        })
    }
}
