//! How the inputs and outputs of a fully connected layer fill slots, and which diagonals of the matrix meet.
//!
//! With w = np2(n_i) slots an input copy and n/w copies in one ciphertext, a group of at most n outputs
//! is spread R to a copy: output o of the group belongs to the slots of copy ⌊o / R⌋ whose place in the
//! copy is o mod R, modulo R, and stands in slot ⌊o/R⌋·w + o mod R in the end. Slot t of the plaintext of
//! diagonal d holds W\[output of t, input that rot_d brings to t\]. An input larger than n is cut into
//! blocks of n; more than n outputs are several groups. A shift of n/2 or more is a row rotation with a
//! swap, so a copy may fill both rows.
//!
//! Source: Juvekar, Vaikuntanathan, Chandrakasan, "GAZELLE" (USENIX Security 2018), section 4.1.
//!
//! A diagonal that meets no weight is no [`Term`].

use std::collections::BTreeMap;

use super::shape::{LinearShape, PackingError};
use super::slots::{Slots, residue};
use crate::bfv::Rotation;

/// How many diagonals a group of outputs has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Diagonals {
    /// As few as the copies allow, R = max(1, np2(n_o)·w / n): sums are folded afterwards.
    Fewest,
    /// All, R = w: nothing is folded.
    All,
}

/// Sizes of a fully connected layer in a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FcLayout {
    pub(super) slots: Slots,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Slots of a copy of the input, w.
    pub(super) period: usize,
    diagonals: Diagonals,
}

/// A product: block of the input, its rotation, group of outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) block: usize,
    pub(super) diagonal: usize,
    pub(super) group: usize,
}

impl FcLayout {
    pub(super) fn new(
        layer: &LinearShape,
        n: usize,
        diagonals: Diagonals,
        schedule: &'static str,
    ) -> Result<Self, PackingError> {
        let slots = Slots::new(n)?;
        match *layer {
            LinearShape::Conv(_) | LinearShape::Square { .. } => {
                Err(PackingError::WrongLayer { schedule })
            }
            LinearShape::Fc { inputs: 0, .. } | LinearShape::Fc { outputs: 0, .. } => {
                Err(PackingError::Empty)
            }
            LinearShape::Fc { inputs, outputs } => Ok(Self {
                slots,
                inputs,
                outputs,
                period: inputs.min(n).next_power_of_two(),
                diagonals,
            }),
        }
    }

    pub(super) const fn made_for(&self) -> (usize, LinearShape) {
        let layer = LinearShape::fully_connected(self.inputs, self.outputs);
        (self.slots.n(), layer)
    }

    /// Blocks of inputs: ciphertexts that come in.
    pub(super) fn blocks(&self) -> usize {
        self.inputs.div_ceil(self.slots.n())
    }

    /// Groups of outputs: ciphertexts that go out.
    pub(super) fn groups(&self) -> usize {
        self.outputs.div_ceil(self.slots.n())
    }

    /// Inputs of a block.
    pub(super) fn block_len(&self, block: usize) -> usize {
        (self.inputs - block * self.slots.n()).min(self.slots.n())
    }

    /// Outputs of a group.
    fn group_len(&self, group: usize) -> usize {
        (self.outputs - group * self.slots.n()).min(self.slots.n())
    }

    /// Diagonals of a group, R; a power of two, at most the period.
    pub(super) fn diagonals(&self, group: usize) -> usize {
        let copies = self.slots.n() / self.period;
        match self.diagonals {
            Diagonals::Fewest => (self.group_len(group).next_power_of_two() / copies).max(1),
            Diagonals::All => self.period,
        }
    }

    /// Diagonals of the largest group, which is the first.
    pub(super) fn most_diagonals(&self) -> usize {
        self.diagonals(0)
    }

    /// Whether the plaintext of a term holds any weight, by shapes alone.
    ///
    /// Modulo R, slot place t reads input t + d: some t below the number of outputs must read an
    /// input that exists, which is so where a copy is longer than R. R = n fills both rows; there the
    /// rule holds for each pair of rows.
    pub(super) fn meets(&self, term: Term) -> bool {
        let (row, period) = (self.slots.row(), self.diagonals(term.group));
        let (inputs, outputs) = (self.block_len(term.block), self.group_len(term.group));
        if term.diagonal >= period {
            return false;
        }
        if self.period < self.slots.n() && period < self.period {
            return true;
        }
        if period <= row {
            return overlaps(term.diagonal, period, inputs, outputs);
        }
        let Rotation { step, swap } = self.slots.rotation(term.diagonal);
        [0, 1].into_iter().any(|out_row: usize| {
            let in_row = out_row ^ usize::from(swap);
            let of = |len: usize, which: usize| len.saturating_sub(which * row).min(row);
            overlaps(step, row, of(inputs, in_row), of(outputs, out_row))
        })
    }

    /// The terms of a block, diagonal by diagonal.
    pub(super) fn terms(&self, block: usize) -> impl Iterator<Item = Term> + '_ {
        (0..self.most_diagonals()).flat_map(move |diagonal| {
            (0..self.groups())
                .map(move |group| Term {
                    block,
                    diagonal,
                    group,
                })
                .filter(|&term| self.meets(term))
        })
    }

    /// Shifts by which the sum of a group is folded.
    pub(super) fn fold_shifts(&self, group: usize) -> impl Iterator<Item = usize> + use<> {
        let period = self.period;
        std::iter::successors(Some(self.diagonals(group)), |shift| Some(shift * 2))
            .take_while(move |&shift| shift < period)
    }

    /// Rotations of all folds, and how often each happens.
    pub(super) fn fold_rotations(&self) -> BTreeMap<Rotation, u64> {
        let mut counts = BTreeMap::new();
        for shift in (0..self.groups()).flat_map(|group| self.fold_shifts(group)) {
            *counts.entry(self.slots.rotation(shift)).or_default() += 1;
        }
        counts
    }

    /// Rotations, each with its sum, of all folds.
    pub(super) fn folds(&self) -> u64 {
        let folds = |group| u64::from((self.period / self.diagonals(group)).ilog2());
        (0..self.groups()).map(folds).sum()
    }

    /// Every block, its copies side by side.
    pub(super) fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        let n = self.slots.n();
        (0..self.blocks())
            .map(|block| {
                let values = &values[block * n..][..self.block_len(block)];
                (0..n)
                    .map(|slot| values.get(slot % self.period).copied().unwrap_or(0))
                    .collect()
            })
            .collect()
    }

    /// Slots of the plaintext of a term.
    pub(super) fn weight_slots(&self, weights: &[i64], p: u64, term: Term) -> Vec<u64> {
        let n = self.slots.n();
        let diagonals = self.diagonals(term.group);
        let rotation = self.slots.rotation(term.diagonal);
        (0..n)
            .map(|slot| {
                let (copy, place) = (slot / self.period, slot % self.period);
                let output = copy * diagonals + place % diagonals;
                let input = self.slots.source(slot, rotation) % self.period;
                if output >= self.group_len(term.group) || input >= self.block_len(term.block) {
                    return 0;
                }
                let row = (term.group * n + output) * self.inputs;
                residue(weights[row + term.block * n + input], p)
            })
            .collect()
    }

    pub(super) fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        let n = self.slots.n();
        (0..self.outputs)
            .map(|output| {
                let (group, place) = (output / n, output % n);
                let diagonals = self.diagonals(group);
                slots[group][place / diagonals * self.period + place % diagonals]
            })
            .collect()
    }
}

/// Whether some place t < `outputs` and some input i < `inputs` have i ≡ t + `shift` mod `period`.
fn overlaps(shift: usize, period: usize, inputs: usize, outputs: usize) -> bool {
    inputs > 0 && outputs > 0 && (shift < inputs || shift + outputs > period)
}
