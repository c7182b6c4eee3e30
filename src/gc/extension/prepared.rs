//! Prepared transfers: pools of Δ-correlated rows, and what becomes of them online.
//!
//! Rows obey `q = t ⊕ cΔ` (header of `extension`). Each serves once: taking, correcting and transferring
//! use them up.
//!
//! # Label transfer without a hash
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
//! If the choices are the input bits already, q itself is the wire's zero label, and nothing is sent; if they
//! are corrected before the layer is garbled, q ⊕ dΔ is.
//! Bytes online for each choice: 1/8 up and 16 down; none in the first of these cases, 1/8 up in the other.

use zeroize::{DefaultIsZeroes, Zeroize, ZeroizeOnDrop};

use super::super::error::{GcError, expect_len};
use super::super::garble::EvaluatorInputs;
use super::super::labels::{Blocks, EvaluatorLabels, mask};
use super::super::messages::{BLOCK, LabelTransfer};
use super::super::transfer_messages::ChoiceCorrections;

/// Prepared transfers of the evaluator: choices c and rows t. Each serves once.
#[derive(Default)]
pub struct PreparedReceives {
    pub(super) choices: Vec<bool>,
    pub(super) rows: Vec<u128>,
}

/// Prepared transfers of the garbler: rows q. Each serves once.
#[derive(Default)]
pub struct PreparedSends {
    pub(super) rows: Vec<u128>,
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

    pub(in crate::gc) fn into_blocks(mut self) -> Blocks {
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
        let mut zero = self.zeros();
        expect_len("prepared transfers", sends.rows.len(), zero.0.len())?;
        expect_len("choice corrections", corrections.bits.len(), zero.0.len())?;
        let rows = zero.0.iter_mut().zip(&sends.rows).zip(&corrections.bits);
        rows.for_each(|((w, q), &d)| *w ^= q ^ (mask(u128::from(d)) & self.delta.0));
        Ok(LabelTransfer {
            masked: std::mem::take(&mut zero.0),
        })
    }
}

impl PendingLabels {
    /// The labels themselves, for a layer garbled for the corrected choices (`GarbledPieces::corrected`).
    pub fn into_labels(self) -> EvaluatorLabels {
        self.0.into_labels()
    }

    /// The active labels `z ⊕ t`, from a [`LabelTransfer`] as it was written.
    ///
    /// # Errors
    /// Not one block for each transfer.
    pub fn receive(mut self, transfer: &[u8]) -> Result<EvaluatorLabels, GcError> {
        let rows = &mut self.0.rows;
        let expected = rows.len().saturating_mul(BLOCK);
        expect_len("bytes of transferred labels", transfer.len(), expected)?;
        for (t, z) in rows.iter_mut().zip(transfer.as_chunks().0) {
            *t ^= u128::from_le_bytes(*z);
        }
        Ok(self.into_labels())
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
