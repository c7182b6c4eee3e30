//! Δ-correlated oblivious transfer: 128 base transfers stretched to any number (semi-honest).
//!
//! Ishai, Kilian, Nissim, Petrank (Crypto 2003). The receiver (evaluator) holds both seeds of every
//! base transfer, the sender (garbler) the one that Δ's bit names. Column i of m bits, c the choices:
//! receiver `t^i = G(k_i^0)`, `u^i = t^i ⊕ G(k_i^1) ⊕ c`; sender `q^i = G(k_i^Δi) ⊕ Δ_i u^i = t^i ⊕ Δ_i c`.
//! Rows then obey `q_j = t_j ⊕ c_j Δ`. G is AES in counter mode; each extension goes on where
//! the last one ended. The sender sees c under pads it does not know. The receiver gets no
//! message at all: t_j is its own randomness and tells nothing of Δ.
//!
//! Rows are left correlated: they are used as labels (see below), never as two
//! independent pads for messages, which would need a hash.
//!
//! # Online: label transfer without a hash
//! A garbled input wire has zero label W, drawn afresh and uniform. The evaluator holds `t = q ⊕ cΔ` for a
//! random c and wants bit b. It sends `d = b ⊕ c`; the garbler answers `z = W ⊕ q ⊕ dΔ`; then
//! `z ⊕ t = W ⊕ bΔ`, the active label.
//! *Evaluator's view.* z equals (active label) ⊕ t: what the evaluator is meant to learn, and its own t.
//! Given those two, z is determined and so simulated without Δ; a hash would hide nothing more. The other
//! way to see it: c is an input wire with zero label q, d a garbler's wire with fresh zero label W ⊕ q
//! whose active label is z, and b = c ⊕ d is a free XOR, so security is that of the garbling.
//! Two things are needed and held by the types: W is fresh and answers one d only
//! (`EvaluatorInputs` is used up), and q serves once (`PreparedSends` is used up).
//! *Garbler's view.* d is b under the pad c, which the columns hide.
//! If the choices are the input bits already, q itself is the wire's zero label, and nothing is sent.
//! Bytes for each choice: 16 offline (columns), 1/8 up and 16 down online; none online in the last case.

use rand::CryptoRng;
use zeroize::{DefaultIsZeroes, Zeroize, ZeroizeOnDrop, Zeroizing};

use super::base_ot::{ChosenSeeds, SeedPairs};
use super::error::{GcError, expect_len};
use super::garble::EvaluatorInputs;
use super::kernels::{Backend, Quad, Square};
use super::labels::{Blocks, Delta, EvaluatorLabels, Stretch, mask};
use super::messages::{
    BASE_TRANSFERS, ChoiceCorrections, ExtensionColumns, LabelTransfer, bits_of, extension_blocks,
    pack,
};

/// The receiver of extended transfers: the evaluator. Lives for a session.
pub struct ExtensionReceiver(Vec<[Stretch; 2]>);

/// The sender of extended transfers: the garbler. Lives for a session.
pub struct ExtensionSender {
    streams: Vec<Stretch>,
    delta: Delta,
}

/// Prepared transfers of the evaluator: choices c and rows t. Each serves once.
#[derive(Default)]
pub struct PreparedReceives {
    choices: Vec<bool>,
    rows: Vec<u128>,
}

/// Prepared transfers of the garbler: rows q. Each serves once.
#[derive(Default)]
pub struct PreparedSends {
    rows: Vec<u128>,
}

/// The evaluator between its corrections and the garbler's answer.
pub struct PendingLabels(PreparedReceives);

// What lies past the ends of the lists is wiped when they are cut.
impl Drop for PreparedReceives {
    fn drop(&mut self) {
        self.choices.as_mut_slice().zeroize();
        self.rows.as_mut_slice().zeroize();
    }
}

impl Drop for PreparedSends {
    fn drop(&mut self) {
        self.rows.as_mut_slice().zeroize();
    }
}

impl ZeroizeOnDrop for PreparedReceives {}
impl ZeroizeOnDrop for PreparedSends {}
impl ZeroizeOnDrop for PendingLabels {}

impl ExtensionReceiver {
    /// From the sender's side of the base transfers.
    pub fn new(seeds: &SeedPairs) -> Self {
        Self(seeds.0.iter().map(|pair| pair.map(Stretch::new)).collect())
    }

    /// Prepares one transfer for each choice.
    pub fn extend(&mut self, choices: &[bool]) -> (ExtensionColumns, PreparedReceives) {
        let mut bytes = pack(choices);
        let stripes = extension_blocks(choices.len()) / BASE_TRANSFERS;
        let mut padded = Zeroizing::new(vec![[0; 16]; stripes]);
        padded.as_flattened_mut()[..bytes.len()].copy_from_slice(&bytes);
        bytes.zeroize();
        let packed = padded.iter().map(|&block| u128::from_le_bytes(block));
        self.prepare(choices.to_vec(), &Blocks(packed.collect()))
    }

    /// Prepares `count` transfers for random choices.
    pub fn extend_random<R: CryptoRng>(
        &mut self,
        count: usize,
        rng: &mut R,
    ) -> (ExtensionColumns, PreparedReceives) {
        let packed = Stretch::random(rng).blocks(count.div_ceil(BASE_TRANSFERS));
        let mut choices = Vec::with_capacity(BASE_TRANSFERS * packed.0.len());
        for block in &packed.0 {
            choices.extend(block.to_le_bytes().map(bits_of).as_flattened());
        }
        choices.truncate(count);
        self.prepare(choices, &packed)
    }

    /// The same choices twice, the second time packed.
    fn prepare(
        &mut self,
        choices: Vec<bool>,
        packed: &Blocks,
    ) -> (ExtensionColumns, PreparedReceives) {
        let stripes = packed.0.len();
        let mut columns = vec![0; stripes * BASE_TRANSFERS];
        let mut rows = Vec::with_capacity(choices.len());
        let mut tile = Tile::new();
        let mut other = [Quad::default(); TILE];
        for start in (0..stripes).step_by(4 * TILE) {
            let here = start..stripes.min(start + 4 * TILE);
            for (i, [zero, one]) in self.0.iter_mut().enumerate() {
                let t = &mut tile.columns[i];
                zero.fill(t);
                one.fill(&mut other);
                let u = columns[i * stripes..][here.clone()].chunks_mut(4);
                let c = packed.0[here.clone()].chunks(4);
                for (((u, c), t), other) in u.zip(c).zip(t).zip(&other) {
                    for (k, (u, c)) in u.iter_mut().zip(c).enumerate() {
                        *u = t.0[k] ^ other.0[k] ^ c;
                    }
                }
            }
            tile.push_rows(&mut rows, choices.len());
        }
        other.zeroize();
        (
            ExtensionColumns { columns },
            PreparedReceives { choices, rows },
        )
    }
}

impl ExtensionSender {
    /// From the receiver's side of the base transfers, whose choices were Δ's bits.
    pub fn new(seeds: &ChosenSeeds, delta: &Delta) -> Self {
        let streams = seeds.0.iter().copied().map(Stretch::new).collect();
        Self {
            streams,
            delta: delta.copy(),
        }
    }

    /// Prepares the `count` transfers whose columns the receiver sent. Calls on both sides must pair up
    /// in order and count.
    ///
    /// # Errors
    /// Columns for another count.
    pub fn extend(
        &mut self,
        count: usize,
        columns: &ExtensionColumns,
    ) -> Result<PreparedSends, GcError> {
        let expected = extension_blocks(count);
        expect_len(
            "blocks of extension columns",
            columns.columns.len(),
            expected,
        )?;
        let stripes = expected / BASE_TRANSFERS;
        let mut rows = Vec::with_capacity(count);
        let mut tile = Tile::new();
        for start in (0..stripes).step_by(4 * TILE) {
            let here = start..stripes.min(start + 4 * TILE);
            for (i, stream) in self.streams.iter_mut().enumerate() {
                let chosen = mask(self.delta.0 >> i);
                let q = &mut tile.columns[i];
                stream.fill(q);
                let u = columns.columns[i * stripes..][here.clone()].chunks(4);
                for (q, u) in q.iter_mut().zip(u) {
                    for (q, u) in q.0.iter_mut().zip(u) {
                        *q ^= chosen & u;
                    }
                }
            }
            tile.push_rows(&mut rows, count);
        }
        Ok(PreparedSends { rows })
    }
}

impl PreparedReceives {
    /// How many are left.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none is left.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds later transfers.
    pub fn append(&mut self, mut later: Self) {
        append_wiped(&mut self.choices, &mut later.choices);
        append_wiped(&mut self.rows, &mut later.rows);
    }

    /// Takes the `count` latest transfers; the other party must take the same.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn take(&mut self, count: usize) -> Result<Self, GcError> {
        Ok(Self {
            choices: split_wiped(&mut self.choices, count)?,
            rows: split_wiped(&mut self.rows, count)?,
        })
    }

    /// The labels themselves, for a layer garbled for these choices (`GarbledPieces::for_choices`).
    pub fn into_labels(mut self) -> EvaluatorLabels {
        EvaluatorLabels(std::mem::take(&mut self.rows))
    }

    /// Turns the random choices into the input bits: `d = b ⊕ c`.
    ///
    /// # Errors
    /// Not one bit for each transfer.
    pub fn correct(self, bits: &[bool]) -> Result<(ChoiceCorrections, PendingLabels), GcError> {
        expect_len("input bits", bits.len(), self.rows.len())?;
        let bits = bits.iter().zip(&self.choices).map(|(b, c)| b ^ c).collect();
        Ok((ChoiceCorrections { bits }, PendingLabels(self)))
    }
}

impl PreparedSends {
    /// How many are left.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none is left.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds later transfers.
    pub fn append(&mut self, mut later: Self) {
        append_wiped(&mut self.rows, &mut later.rows);
    }

    /// Takes the `count` latest transfers; the other party must take the same.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn take(&mut self, count: usize) -> Result<Self, GcError> {
        Ok(Self {
            rows: split_wiped(&mut self.rows, count)?,
        })
    }

    pub(super) fn into_blocks(mut self) -> Blocks {
        Blocks(std::mem::take(&mut self.rows))
    }
}

impl EvaluatorInputs {
    /// Answers the evaluator's corrections: `z = W ⊕ q ⊕ dΔ` for each input bit of the batch.
    ///
    /// # Errors
    /// Not one prepared transfer and one correction for each input bit.
    pub fn transfer(
        self,
        sends: PreparedSends,
        corrections: &ChoiceCorrections,
    ) -> Result<LabelTransfer, GcError> {
        expect_len("prepared transfers", sends.rows.len(), self.zero.0.len())?;
        expect_len(
            "choice corrections",
            corrections.bits.len(),
            self.zero.0.len(),
        )?;
        let rows = self.zero.0.iter().zip(&sends.rows).zip(&corrections.bits);
        let masked = rows.map(|((w, q), &d)| w ^ q ^ (mask(u128::from(d)) & self.delta.0));
        Ok(LabelTransfer {
            masked: masked.collect(),
        })
    }
}

impl PendingLabels {
    /// The labels themselves, for a layer garbled for the corrected choices (`GarbledPieces::corrected`).
    pub fn into_labels(self) -> EvaluatorLabels {
        self.0.into_labels()
    }

    /// The active labels `z ⊕ t`.
    ///
    /// # Errors
    /// Not one block for each transfer.
    pub fn receive(self, transfer: &LabelTransfer) -> Result<EvaluatorLabels, GcError> {
        expect_len(
            "transferred labels",
            transfer.masked.len(),
            self.0.rows.len(),
        )?;
        let pairs = transfer.masked.iter().zip(&self.0.rows);
        Ok(EvaluatorLabels(pairs.map(|(z, t)| z ^ t).collect()))
    }
}

/// Moves `later` behind the elements of `pool`; leaves no copy of either in memory that is given back.
fn append_wiped<T: Copy + DefaultIsZeroes>(pool: &mut Vec<T>, later: &mut Vec<T>) {
    let mut joined = Vec::with_capacity(pool.len() + later.len());
    for part in [pool.as_mut_slice(), later.as_mut_slice()] {
        joined.extend_from_slice(part);
        part.zeroize();
    }
    *pool = joined;
}

/// The last `count` elements; their place in the pool is wiped.
fn split_wiped<T: Copy + DefaultIsZeroes>(
    pool: &mut Vec<T>,
    count: usize,
) -> Result<Vec<T>, GcError> {
    let left = pool.len();
    let start = left
        .checked_sub(count)
        .ok_or(GcError::Exhausted { asked: count, left })?;
    let taken = pool[start..].to_vec();
    pool[start..].zeroize();
    pool.truncate(start);
    Ok(taken)
}

/// Quads of each column that are made and transposed at a time.
const TILE: usize = 8;

/// A piece of the 128 columns that stays in the second cache. Wiped on drop.
struct Tile {
    columns: Vec<[Quad; TILE]>,
    square: Square,
    backend: Backend,
}

impl Tile {
    fn new() -> Self {
        Self {
            columns: vec![[Quad::default(); TILE]; BASE_TRANSFERS],
            square: [Quad::default(); BASE_TRANSFERS],
            backend: Backend::fastest(),
        }
    }

    /// Appends the piece's rows, up to `count` rows in all.
    fn push_rows(&mut self, rows: &mut Vec<u128>, count: usize) {
        for quad in 0..TILE {
            for (to, column) in self.square.iter_mut().zip(&self.columns) {
                *to = column[quad];
            }
            self.backend.transpose(&mut self.square);
            for stripe in 0..4 {
                let fresh = self.square.iter().map(|row| row.0[stripe]);
                rows.extend(fresh.take(count - rows.len()));
            }
        }
    }
}

impl Drop for Tile {
    fn drop(&mut self) {
        self.columns.iter_mut().for_each(Zeroize::zeroize);
        self.square.zeroize();
    }
}

#[cfg(test)]
mod tests;
