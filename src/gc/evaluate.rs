//! Evaluation: one active label a wire, one row of tables an AND, piece by piece.
//!
//! Zahur, Rosulek, Evans (Eurocrypt 2015): with active labels A, B and their lowest bits s_a, s_b,
//! `W_G = H(A, j) ⊕ s_a T_G`, `W_E = H(B, j') ⊕ s_b (T_E ⊕ A)`, label out `W_G ⊕ W_E`.
//! An output bit is the lowest bit of its label, corrected by the garbler's decode bit. Pieces are read where
//! they lie and may be dropped afterwards. Tables that were tampered with give wrong outputs
//! (semi-honest security); wrong lengths are refused.

use std::sync::Arc;

use zeroize::Zeroize;

use super::error::{GcError, expect_len};
use super::kernels::{Bytes64, Cipher};
use super::labels::{Blocks, EvaluatorLabels};
use super::lanes::{BLOCK, LANES, Piece, Rows, Run, load};
use super::layer::Layer;
use crate::batch;

/// A layer being evaluated: takes one piece after another, and each label once.
pub struct EvaluatedPieces {
    layer: Arc<Layer>,
    labels: Blocks,
    next: usize,
}

/// What the garbler sends of a piece.
#[derive(Debug, Clone, Copy)]
pub struct PieceMessages<'a> {
    /// Key, tables and decode bits.
    pub tables: &'a [u8],
    /// The garbler's labels.
    pub labels: &'a [u8],
}

impl EvaluatedPieces {
    /// With the evaluator's labels of the whole layer, in lane order.
    ///
    /// # Errors
    /// Not one label for each input bit.
    pub fn new(layer: &Arc<Layer>, mut labels: EvaluatorLabels) -> Result<Self, GcError> {
        let labels = Blocks(std::mem::take(&mut labels.0));
        let expected = layer.shape.batch * layer.shape.evaluator_bits;
        expect_len("evaluator's labels", labels.0.len(), expected)?;
        Ok(Self {
            layer: Arc::clone(layer),
            labels,
            next: 0,
        })
    }

    /// Evaluates the next piece: appends its output shares, one an instance. A list with room for the layer's
    /// circuits ([`Layer::circuits`]) stays where it is, and so leaves no shares behind in memory given back.
    ///
    /// # Errors
    /// As [`EvaluatedPieces::next_group`].
    pub fn next(
        &mut self,
        messages: PieceMessages<'_>,
        outputs: &mut Vec<u64>,
    ) -> Result<(), GcError> {
        self.next_group(&[messages], outputs)
    }

    /// Evaluates the next pieces side by side on the current thread pool.
    ///
    /// # Errors
    /// More pieces than are left, a message that does not have its piece's length, or unused bits that are
    /// set; nothing is appended then.
    pub fn next_group(
        &mut self,
        messages: &[PieceMessages<'_>],
        outputs: &mut Vec<u64>,
    ) -> Result<(), GcError> {
        let pieces = self.layer.pieces().skip(self.next);
        let pieces: Vec<Piece> = pieces.take(messages.len()).collect();
        if pieces.len() < messages.len() {
            return Err(GcError::Pieces { left: pieces.len() });
        }
        let start = outputs.len();
        let count: usize = pieces.iter().map(|piece| piece.circuits).sum();
        outputs.resize(start + count, 0);
        let mut rest = &mut outputs[start..];
        let mut work = Vec::with_capacity(pieces.len());
        for (piece, messages) in pieces.iter().zip(messages) {
            let (own, later) = rest.split_at_mut(piece.circuits);
            work.push((piece, messages, own));
            rest = later;
        }
        let evaluated = batch::try_map(work, |(piece, messages, outputs)| {
            self.evaluate(piece, messages, outputs)
        });
        if let Err(error) = evaluated {
            outputs[start..].zeroize();
            outputs.truncate(start);
            return Err(error);
        }
        self.next += messages.len();
        Ok(())
    }

    /// Fills in the piece's output shares, its runs on all threads.
    fn evaluate(
        &self,
        piece: &Piece,
        messages: &PieceMessages<'_>,
        outputs: &mut [u64],
    ) -> Result<(), GcError> {
        let shape = &self.layer.shape;
        let PieceMessages { tables, labels } = messages;
        expect_len(
            "bytes of a piece's tables",
            tables.len(),
            shape.tables_size(piece),
        )?;
        expect_len(
            "bytes of garbler's labels",
            labels.len(),
            shape.labels_size(piece),
        )?;
        let (key, rest) = tables.split_first_chunk().unwrap_or((&[0; BLOCK], &[]));
        let (mut tables, mut decode) = rest.split_at(shape.rows_size(piece));
        let cipher = Cipher::new(self.layer.backend, key);
        let (mut labels, mut outputs) = (*labels, outputs);
        let mut work = Vec::new();
        for part in piece.parts() {
            let of_part;
            (of_part, tables) = tables.split_at(shape.rows_size(&part));
            let bits;
            (bits, decode) = decode.split_at(shape.decode_size(&part));
            let garblers;
            (garblers, labels) = labels.split_at(shape.labels_size(&part));
            let (own, later) = outputs.split_at_mut(part.circuits);
            outputs = later;
            work.push((part, [of_part, bits, garblers], own));
        }
        batch::try_map(work, |(part, messages, outputs)| {
            self.evaluate_part(piece.first, &cipher, part, messages, outputs)
        })?;
        Ok(())
    }

    /// Evaluates the instances `part` of the piece that starts at instance `start`, counted from there.
    fn evaluate_part(
        &self,
        start: usize,
        cipher: &Cipher,
        part: Piece,
        [mut tables, mut decode, mut labels]: [&[u8]; 3],
        outputs: &mut [u64],
    ) -> Result<(), GcError> {
        let (shape, program) = (&self.layer.shape, &self.layer.program);
        let mut rows = Rows::new(program.slots);
        for (run, outputs) in part.runs_within().zip(outputs.chunks_mut(LANES)) {
            let here;
            (here, labels) = labels.split_at(BLOCK * shape.garbler_bits * run.lanes);
            rows.read(0, here, run.lanes);
            let width = shape.evaluator_bits;
            let first = start + run.first;
            let own = &self.labels.0[first * width..(first + run.lanes) * width];
            load(&mut rows.0[shape.garbler_bits..], own, run.lanes);
            let here;
            (here, tables) = tables.split_at(2 * BLOCK * shape.ands * run.lanes);
            let work = self.layer.work(&mut rows, run);
            if run.lanes % 4 == 0 {
                cipher.evaluate(work, here.as_chunks().0);
            } else {
                cipher.evaluate(work, &padded(here, run));
            }
            let here;
            (here, decode) = decode.split_at(shape.output_bits * run.bytes());
            self.read_outputs(&rows, here, run, outputs)?;
        }
        Ok(())
    }

    /// Fills in the numbers whose bits are the outputs of a run; they are zero.
    fn read_outputs(
        &self,
        rows: &Rows,
        decode: &[u8],
        run: Run,
        outputs: &mut [u64],
    ) -> Result<(), GcError> {
        let decode = decode.chunks(run.bytes());
        for (bit, (output, bytes)) in self.layer.program.outputs.iter().zip(decode).enumerate() {
            let mut word = [0; 4];
            word[..bytes.len()].copy_from_slice(bytes);
            let word = u32::from_le_bytes(word);
            if word & !run.mask() != 0 {
                return Err(GcError::Padding {
                    what: "decode bits",
                });
            }
            let word = word
                ^ self
                    .layer
                    .backend
                    .lowest_bits(&rows.0[output.slot as usize]);
            for (lane, value) in outputs.iter_mut().enumerate() {
                *value |= u64::from(word >> lane & 1) << bit;
            }
        }
        Ok(())
    }
}

/// The rows of a run whose instances fill no whole quads, filled up.
fn padded(rows: &[u8], run: Run) -> Vec<Bytes64> {
    let mut padded = vec![[0; 4 * BLOCK]; rows.len() / (BLOCK * run.lanes) * run.quads()];
    let pairs = padded
        .chunks_mut(run.quads())
        .zip(rows.chunks(BLOCK * run.lanes));
    for (padded, row) in pairs {
        padded.as_flattened_mut()[..row.len()].copy_from_slice(row);
    }
    padded
}
