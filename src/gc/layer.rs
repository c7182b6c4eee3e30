//! A layer of equal circuits, as both parties know it before anything is garbled.
//!
//! In come a circuit, how many of it, and the hash; out come the pieces in which the layer is garbled,
//! sent and evaluated, with their exact sizes. Nothing here is secret.
//!
//! A piece on the wire: the AES key of its hash (16 bytes); the tables, run by run, for each AND a row of
//! T_G and a row of T_E; the decode bits, run by run, for each output bit the run's instances, lowest
//! first, filled up to whole bytes with zeros. The garbler's labels of a piece are rows, run by run.

use zeroize::Zeroizing;

use super::circuits::{ShareCircuit, width};
use super::error::GcError;
use super::hash::GarblingHash;
use super::kernels::{Backend, Work};
use super::lanes::{BLOCK, Piece, Rows, Run, Shape};
use super::program::Program;
use crate::units::Bytes;

/// Which of this machine's kernels garble and evaluate. All give the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernels {
    /// The fastest ones it has.
    Fastest,
    /// Those that run everywhere: to compare.
    Portable,
}

/// A layer, ready to be garbled or evaluated.
#[derive(Debug)]
pub struct Layer {
    pub(super) shape: Shape,
    pub(super) hash: GarblingHash,
    pub(super) program: Program,
    pub(super) backend: Backend,
}

impl Layer {
    /// `batch` instances of a circuit. Both parties must choose the same hash.
    ///
    /// # Errors
    /// As [`ShareCircuit::check`].
    pub fn new(circuit: &ShareCircuit, batch: usize, hash: GarblingHash) -> Result<Self, GcError> {
        let shape = Shape::new(circuit, batch)?;
        let program = Program::new(circuit);
        Ok(Self {
            shape,
            hash,
            program,
            backend: Backend::fastest(),
        })
    }

    /// The same layer on other kernels.
    #[must_use]
    pub fn on(self, kernels: Kernels) -> Self {
        let backend = match kernels {
            Kernels::Fastest => Backend::fastest(),
            Kernels::Portable => Backend::Portable,
        };
        Self { backend, ..self }
    }

    /// The pieces, in order.
    pub fn pieces(&self) -> impl ExactSizeIterator<Item = Piece> + use<> {
        self.shape.pieces()
    }

    /// Instances of the circuit.
    pub const fn circuits(&self) -> usize {
        self.shape.batch
    }

    /// AND gates of the layer.
    pub const fn and_count(&self) -> usize {
        self.shape.ands * self.shape.batch
    }

    /// Bits that the evaluator feeds in: one transfer each.
    pub const fn choice_count(&self) -> usize {
        self.shape.evaluator_bits * self.shape.batch
    }

    /// The evaluator's choices for its shares, in lane order.
    ///
    /// # Errors
    /// A wrong number of shares, or one that is not below its modulus.
    pub fn choices(&self, shares: &[u64]) -> Result<Zeroizing<Vec<bool>>, GcError> {
        let (circuit, wires) = (&self.shape.circuit, self.shape.evaluator_bits);
        circuit.check_shares("evaluator's shares", shares, self.shape.batch)?;
        let (window, width) = (circuit.window(), width(circuit.p_in));
        let mut choices = Zeroizing::new(Vec::with_capacity(self.choice_count()));
        for piece in self.pieces() {
            for run in piece.runs() {
                let first = piece.first + run.first;
                let shares = &shares[first * window..(first + run.lanes) * window];
                for (index, bit) in (0..wires).map(|wire| (wire / width, wire % width)) {
                    let lanes = shares[index..].iter().step_by(window);
                    choices.extend(lanes.map(|share| share >> bit & 1 == 1));
                }
            }
        }
        Ok(choices)
    }

    /// Bytes of a piece's key, tables and decode bits.
    pub fn tables_size(&self, piece: &Piece) -> Bytes {
        Bytes(self.shape.tables_size(piece) as u64)
    }

    /// Bytes of the garbler's labels of a piece.
    pub fn labels_size(&self, piece: &Piece) -> Bytes {
        Bytes(self.shape.labels_size(piece) as u64)
    }
}

impl Layer {
    /// A run of the program over rows.
    pub(super) fn work<'a>(&'a self, rows: &'a mut Rows, run: Run) -> Work<'a> {
        Work {
            hash: self.hash,
            steps: &self.program.steps,
            rows: &mut rows.0,
            quads: run.quads(),
            first: run.first * self.shape.ands,
            lanes: run.lanes,
        }
    }
}

impl Shape {
    pub(super) const fn rows_size(&self, piece: &Piece) -> usize {
        2 * BLOCK * self.ands * piece.circuits
    }

    pub(super) fn tables_size(&self, piece: &Piece) -> usize {
        BLOCK + self.rows_size(piece) + self.decode_size(piece)
    }

    pub(super) fn decode_size(&self, piece: &Piece) -> usize {
        piece.runs().map(|run| self.output_bits * run.bytes()).sum()
    }

    pub(super) const fn labels_size(&self, piece: &Piece) -> usize {
        BLOCK * self.garbler_bits * piece.circuits
    }
}
