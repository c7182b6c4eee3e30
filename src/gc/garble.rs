//! Garbling: half gates over a layer of equal circuits, piece by piece.
//!
//! Zahur, Rosulek, Evans (Eurocrypt 2015), in their letters: for inputs with zero labels A, B,
//! permute bits `p_a = lsb A`, `p_b = lsb B`, tweaks `j = 2i`, `j' = 2i + 1`:
//! `T_G = H(A, j) ⊕ H(A ⊕ Δ, j) ⊕ p_b Δ`, `W_G = H(A, j) ⊕ p_a T_G`,
//! `T_E = H(B, j') ⊕ H(B ⊕ Δ, j') ⊕ A`, `W_E = H(B, j') ⊕ p_b (T_E ⊕ A)`; zero label out `W_G ⊕ W_E`.
//! i counts the ANDs under one key. Nothing here branches on a secret.
//!
//! [`GarbledPieces`] makes one piece at a time in a buffer of the caller's: what a layer takes in memory is a
//! piece, and two seeds for each, or 16 bytes for each of the evaluator's choices that comes from a transfer.
//! Where the evaluator's labels come from:
//!
//! | | evaluator's zero labels | online |
//! | --- | --- | --- |
//! | [`GarbledPieces::fresh`] | drawn | corrections up, one label for each choice down ([`EvaluatorInputs`]) |
//! | [`GarbledPieces::for_choices`] | rows q of transfers whose choices are the inputs | nothing |
//! | [`GarbledPieces::corrected`] | `q ⊕ dΔ` | corrections d up, one bit for each choice, before garbling |
//!
//! What stays with the garbler is used up: [`GarblerInputs`] gives the garbler's labels of a piece once,
//! [`EvaluatorInputs`] answers one set of choices. Each garbling is so evaluated once; a second set of
//! labels would show Δ.

use std::sync::Arc;

use rand::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::error::{GcError, expect_len};
use super::extension::PreparedSends;
use super::kernels::{Bytes64, Cipher, QUADS, Row};
use super::labels::{Blocks, Delta, Stretch, mask};
use super::lanes::{BLOCK, Piece, Rows, Run, append_row, load};
use super::layer::Layer;
use super::transfer_messages::ChoiceCorrections;
use crate::batch;

/// The evaluator's input labels of a layer, both for each bit, as the seeds they are stretched from. Used up by
/// [`EvaluatorInputs::transfer`].
pub struct EvaluatorInputs {
    layer: Arc<Layer>,
    seeds: Vec<Zeroizing<[u8; 32]>>,
    pub(super) delta: Delta,
}

/// Where the evaluator's zero labels of a layer come from.
enum Zeros {
    /// Transfers.
    Given(Blocks),
    /// A seed for each piece.
    Drawn(Vec<Zeroizing<[u8; 32]>>),
}

/// The garbler's input labels of a piece, both for each bit, as the seed they are stretched from. Used up by
/// [`GarblerInputs::encode_into`].
pub struct GarblerInputs {
    piece: Piece,
    seed: Zeroizing<[u8; 32]>,
    delta: Delta,
}

// Every field wipes itself.
impl ZeroizeOnDrop for GarblerInputs {}
impl ZeroizeOnDrop for EvaluatorInputs {}

/// A layer being garbled: gives one piece after another.
pub struct GarbledPieces {
    layer: Arc<Layer>,
    zeros: Zeros,
    delta: Delta,
    next: usize,
}

/// What is drawn for a piece.
struct Draw {
    index: usize,
    piece: Piece,
    key: [u8; BLOCK],
    seed: Zeroizing<[u8; 32]>,
}

impl GarbledPieces {
    /// With fresh labels, still to be transferred ([`GarbledPieces::into_evaluator_inputs`]).
    pub fn fresh<R: CryptoRng>(layer: &Arc<Layer>, delta: &Delta, rng: &mut R) -> Self {
        let seeds = layer.pieces().map(|_| seed(rng));
        Self::new(layer, Zeros::Drawn(seeds.collect()), delta)
    }

    /// For an evaluator whose prepared choices are its input bits, in lane order: the labels are those
    /// of the transfers.
    ///
    /// # Errors
    /// Not one transfer for each input bit.
    pub fn for_choices(
        layer: &Arc<Layer>,
        sends: PreparedSends,
        delta: &Delta,
    ) -> Result<Self, GcError> {
        let zero = sends.into_blocks();
        let expected = layer.shape.batch * layer.shape.evaluator_bits;
        expect_len("prepared transfers", zero.0.len(), expected)?;
        Ok(Self::new(layer, Zeros::Given(zero), delta))
    }

    /// For an evaluator that has corrected its prepared choices: its labels are those of the transfers too,
    /// since a choice c with zero label q is the input b = c ⊕ d with zero label q ⊕ dΔ.
    ///
    /// # Errors
    /// Not one transfer and one correction for each input bit.
    pub fn corrected(
        layer: &Arc<Layer>,
        sends: PreparedSends,
        corrections: &ChoiceCorrections,
        delta: &Delta,
    ) -> Result<Self, GcError> {
        expect_len("choice corrections", corrections.bits.len(), sends.len())?;
        let mut pieces = Self::for_choices(layer, sends, delta)?;
        if let Zeros::Given(zero) = &mut pieces.zeros {
            for (label, &d) in zero.0.iter_mut().zip(&corrections.bits) {
                *label ^= mask(u128::from(d)) & delta.0;
            }
        }
        Ok(pieces)
    }

    fn new(layer: &Arc<Layer>, zeros: Zeros, delta: &Delta) -> Self {
        Self {
            layer: Arc::clone(layer),
            zeros,
            delta: delta.copy(),
            next: 0,
        }
    }

    /// Garbles the next piece into `out`, whose former content is lost; gives nothing after the last.
    pub fn next_into<R: CryptoRng>(
        &mut self,
        out: &mut Vec<u8>,
        rng: &mut R,
    ) -> Option<GarblerInputs> {
        self.next_group_into(std::slice::from_mut(out), rng).pop()
    }

    /// Garbles as many pieces as there are buffers, or are left, side by side on the current thread pool. The
    /// bytes are those of one piece after another.
    pub fn next_group_into<R: CryptoRng>(
        &mut self,
        out: &mut [Vec<u8>],
        rng: &mut R,
    ) -> Vec<GarblerInputs> {
        let draws: Vec<Draw> = self
            .layer
            .pieces()
            .enumerate()
            .skip(self.next)
            .take(out.len())
            .map(|(index, piece)| Draw::new(index, piece, rng))
            .collect();
        self.next += draws.len();
        let this = &*self;
        batch::map(draws.iter().zip(out).collect(), |(draw, out)| {
            this.garble(draw, out);
        });
        let inputs = draws.into_iter().map(|draw| GarblerInputs {
            piece: draw.piece,
            seed: draw.seed,
            delta: self.delta.copy(),
        });
        inputs.collect()
    }

    /// What answers the evaluator's choices, after [`GarbledPieces::fresh`].
    ///
    /// # Errors
    /// The labels come from transfers: the evaluator has them, and must not get a second set.
    pub fn into_evaluator_inputs(self) -> Result<EvaluatorInputs, GcError> {
        let Zeros::Drawn(seeds) = self.zeros else {
            return Err(GcError::LabelsGiven);
        };
        Ok(EvaluatorInputs {
            layer: self.layer,
            seeds,
            delta: self.delta,
        })
    }

    /// Fills rows with the evaluator's zero labels, run after run from instance `start` of the piece on.
    fn zeros_of(&self, draw: &Draw, start: usize) -> impl FnMut(&mut [Row], Run) {
        let (first, width) = (draw.piece.first, self.layer.shape.evaluator_bits);
        let mut source = match &self.zeros {
            Zeros::Given(zero) => Err(&zero.0),
            Zeros::Drawn(seeds) => Ok(Labels::new(&seeds[draw.index], start * width)),
        };
        move |rows, run| match &mut source {
            Ok(labels) => labels.fill(rows, run),
            Err(zero) => {
                let first = (first + run.first) * width;
                load(rows, &zero[first..first + run.lanes * width], run.lanes);
            }
        }
    }

    /// Garbles a piece, its runs on all threads.
    fn garble(&self, draw: &Draw, out: &mut Vec<u8>) {
        let (shape, piece) = (&self.layer.shape, &draw.piece);
        out.resize(shape.tables_size(piece), 0);
        let (key, rest) = out.split_at_mut(BLOCK);
        key.copy_from_slice(&draw.key);
        let (mut tables, mut decode) = rest.split_at_mut(shape.rows_size(piece));
        let cipher = Cipher::new(self.layer.backend, &draw.key);
        let mut work = Vec::new();
        for part in piece.parts() {
            let (own, later) = tables.split_at_mut(shape.rows_size(&part));
            let (bits, rest) = decode.split_at_mut(shape.decode_size(&part));
            (tables, decode) = (later, rest);
            work.push((part, own, bits));
        }
        batch::map(work, |(part, tables, decode)| {
            self.garble_part(draw, &cipher, part, tables, decode);
        });
    }

    /// Garbles the instances `part` of a piece, counted from its first.
    fn garble_part(
        &self,
        draw: &Draw,
        cipher: &Cipher,
        part: Piece,
        mut tables: &mut [u8],
        mut decode: &mut [u8],
    ) {
        let (shape, program) = (&self.layer.shape, &self.layer.program);
        let (own, evaluators) = (shape.garbler_bits, shape.evaluator_bits);
        let mut labels = Labels::new(&draw.seed, part.first * own);
        let mut zeros = self.zeros_of(draw, part.first);
        let mut rows = Rows::new(program.slots);
        for run in part.runs_within() {
            labels.fill(&mut rows.0[..own], run);
            zeros(&mut rows.0[own..own + evaluators], run);
            let (here, later) = tables.split_at_mut(2 * BLOCK * shape.ands * run.lanes);
            tables = later;
            let (delta, work) = (self.delta.0, self.layer.work(&mut rows, run));
            if run.lanes % 4 == 0 {
                cipher.garble(work, delta, here.as_chunks_mut().0);
            } else {
                let mut padded = vec![[0; 4 * BLOCK]; 2 * shape.ands * run.quads()];
                cipher.garble(work, delta, &mut padded);
                cut(&padded, here, run);
            }
            for output in &program.outputs {
                let bits = self
                    .layer
                    .backend
                    .lowest_bits(&rows.0[output.slot as usize]);
                let bits = bits ^ 0_u32.wrapping_sub(u32::from(output.negated));
                let (bytes, later) = decode.split_at_mut(run.bytes());
                bytes.copy_from_slice(&(bits & run.mask()).to_le_bytes()[..run.bytes()]);
                decode = later;
            }
        }
    }
}

/// Copies of each padded row as many blocks as the run has instances.
fn cut(padded: &[Bytes64], own: &mut [u8], run: Run) {
    let rows = padded
        .chunks(run.quads())
        .zip(own.chunks_mut(BLOCK * run.lanes));
    for (padded, own) in rows {
        own.copy_from_slice(&padded.as_flattened()[..own.len()]);
    }
}

impl Draw {
    fn new<R: CryptoRng>(index: usize, piece: Piece, rng: &mut R) -> Self {
        let mut key = [0; BLOCK];
        rng.fill_bytes(&mut key);
        Self {
            index,
            piece,
            key,
            seed: seed(rng),
        }
    }
}

fn seed<R: CryptoRng>(rng: &mut R) -> Zeroizing<[u8; 32]> {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *seed);
    seed
}

/// One party's zero labels of a piece, run by run.
struct Labels(Stretch);

impl Labels {
    /// From label number `start` of the stream on.
    fn new(seed: &[u8; 32], start: usize) -> Self {
        Self(Stretch::new(*seed).skip(start as u64))
    }

    /// Fills rows with the labels of the next run.
    fn fill(&mut self, rows: &mut [Row], run: Run) {
        let quads = run.quads();
        if quads == QUADS {
            self.0.fill(rows.as_flattened_mut());
        } else {
            rows.iter_mut()
                .for_each(|row| self.0.fill(&mut row[..quads]));
        }
    }
}

impl EvaluatorInputs {
    /// The zero labels, in lane order.
    pub(super) fn zeros(&self) -> Blocks {
        let width = self.layer.shape.evaluator_bits;
        let mut zeros = Blocks(Vec::with_capacity(self.layer.shape.batch * width));
        let mut rows = Rows::new(width);
        for (piece, seed) in self.layer.pieces().zip(&self.seeds) {
            let mut labels = Labels::new(seed, 0);
            for run in piece.runs() {
                labels.fill(&mut rows.0, run);
                for row in &rows.0 {
                    zeros
                        .0
                        .extend(row.iter().flat_map(|quad| quad.0).take(run.lanes));
                }
            }
        }
        zeros
    }
}

impl GarblerInputs {
    /// [`GarblerInputs::encode_into`] for several pieces, side by side on the current thread pool.
    ///
    /// # Errors
    /// As there.
    pub fn encode_group_into(
        group: Vec<Self>,
        layer: &Layer,
        shares: &[u64],
        masks: &[u64],
        out: &mut [Vec<u8>],
    ) -> Result<(), GcError> {
        expect_len("buffers", out.len(), group.len())?;
        let work = group.into_iter().zip(out).collect();
        batch::try_map(work, |(inputs, out): (Self, &mut Vec<u8>)| {
            inputs.encode_into(layer, shares, masks, out)
        })?;
        Ok(())
    }

    /// Appends the labels of the piece's part of the layer's shares (order instance, window) and of the
    /// garbler's masks r, one an instance.
    ///
    /// # Errors
    /// Wrong numbers of shares or masks, or one that is not below its modulus.
    pub fn encode_into(
        self,
        layer: &Layer,
        shares: &[u64],
        masks: &[u64],
        out: &mut Vec<u8>,
    ) -> Result<(), GcError> {
        let (shape, piece) = (&layer.shape, &self.piece);
        let window = shape.circuit.window();
        expect_len("garbler's shares", shares.len(), shape.batch * window)?;
        expect_len("masks", masks.len(), shape.batch)?;
        let instances = piece.instances();
        let shares = &shares[window * instances.start..window * instances.end];
        let masks = &masks[instances];
        let bits = shape.circuit.garbler_bits(shares, masks, piece.circuits)?;
        let bits = Zeroizing::new(bits);
        out.reserve(shape.labels_size(piece));
        let (backend, wires) = (layer.backend, shape.garbler_bits);
        let (mut labels, mut rows) = (Labels::new(&self.seed, 0), Rows::new(wires));
        for run in piece.runs() {
            labels.fill(&mut rows.0, run);
            let bits = &bits[run.first * wires..];
            for (wire, row) in rows.0.iter_mut().enumerate() {
                let lanes = bits[wire..]
                    .iter()
                    .step_by(wires)
                    .take(run.lanes)
                    .enumerate();
                let word = lanes.fold(0, |word, (lane, &bit)| word | u32::from(bit) << lane);
                backend.choose(row, word, self.delta.0);
                append_row(out, row, run.lanes);
            }
        }
        Ok(())
    }
}
