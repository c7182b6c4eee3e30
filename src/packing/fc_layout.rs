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
use std::ops::Range;

use super::ranges::Ranges;
use super::shape::LinearShape;
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
    /// For a layer that has inputs and outputs.
    pub(super) fn new(
        slots: Slots,
        (inputs, outputs): (usize, usize),
        diagonals: Diagonals,
    ) -> Self {
        Self {
            slots,
            inputs,
            outputs,
            period: inputs.min(slots.n()).next_power_of_two(),
            diagonals,
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

    /// Whether the fewest diagonals leave any group something to fold.
    pub(super) fn would_fold(&self) -> bool {
        let fewest = Self {
            diagonals: Diagonals::Fewest,
            ..self.clone()
        };
        fewest.folds() > 0
    }

    /// Diagonals of the largest group, which is the first.
    pub(super) fn most_diagonals(&self) -> usize {
        self.diagonals(0)
    }

    /// The diagonals of a block and a group whose plaintexts hold any weight, by shapes alone.
    ///
    /// Modulo R, slot place t reads input t + d: some t below the number of outputs must read an
    /// input that exists, which is so where a copy is longer than R. R = n fills both rows; there the
    /// rule holds for each pair of rows.
    pub(super) fn met(&self, block: usize, group: usize) -> Ranges {
        let (row, period) = (self.slots.row(), self.diagonals(group));
        let (inputs, outputs) = (self.block_len(block), self.group_len(group));
        if self.period < self.slots.n() && period < self.period {
            return std::iter::once(0..period).collect();
        }
        if period <= row {
            return overlapping(period, inputs, outputs).into_iter().collect();
        }
        let pairs = [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter();
        pairs
            .flat_map(|(in_row, out_row)| {
                let of = |len: usize, which: usize| len.saturating_sub(which * row).min(row);
                let swapped = (in_row ^ out_row) * row;
                let met = overlapping(row, of(inputs, in_row), of(outputs, out_row));
                met.map(|steps| swapped + steps.start..swapped + steps.end)
            })
            .collect()
    }

    /// The diagonals that a block is multiplied with, for any group.
    pub(super) fn of_block(&self, block: usize) -> Ranges {
        let groups = self.group_kinds();
        groups.map(|(group, _)| self.met(block, group)).collect()
    }

    /// A block of each kind, and how many there are of it: all but the last are full, hence alike.
    pub(super) fn block_kinds(&self) -> impl Iterator<Item = (usize, u64)> + use<> {
        kinds(self.blocks())
    }

    /// A group of each kind, and how many there are of it.
    pub(super) fn group_kinds(&self) -> impl Iterator<Item = (usize, u64)> + use<> {
        kinds(self.groups())
    }

    /// Products of a group.
    pub(super) fn products(&self, group: usize) -> u64 {
        let blocks = self.block_kinds();
        let products = blocks.map(|(block, times)| times * self.met(block, group).len() as u64);
        products.sum()
    }

    /// Products of the layer.
    pub(super) fn all_products(&self) -> u64 {
        let groups = self.group_kinds();
        groups
            .map(|(group, times)| times * self.products(group))
            .sum()
    }

    /// All terms, by block, diagonal, group.
    pub(super) fn terms(&self) -> Vec<Term> {
        let mut terms = Vec::with_capacity(self.all_products() as usize);
        for block in 0..self.blocks() {
            let groups: Vec<Ranges> = (0..self.groups()).map(|g| self.met(block, g)).collect();
            for diagonal in self.of_block(block).iter() {
                let meets = groups.iter().enumerate();
                let meets = meets.filter(|(_, met)| met.contains(diagonal));
                terms.extend(meets.map(|(group, _)| Term {
                    block,
                    diagonal,
                    group,
                }));
            }
        }
        terms
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
        for (group, times) in self.group_kinds() {
            for shift in self.fold_shifts(group) {
                *counts.entry(self.slots.rotation(shift)).or_default() += times;
            }
        }
        counts
    }

    /// Rotations, each with its sum, of all folds.
    pub(super) fn folds(&self) -> u64 {
        let folds =
            |(group, times)| times * u64::from((self.period / self.diagonals(group)).ilog2());
        self.group_kinds().map(folds).sum()
    }

    /// Every block, its copies side by side.
    pub(super) fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        let n = self.slots.n();
        (0..self.blocks())
            .map(|block| {
                let values = &values[block * n..][..self.block_len(block)];
                let mut slots = Vec::with_capacity(n);
                slots.extend_from_slice(values);
                slots.resize(self.period, 0);
                while slots.len() < n {
                    slots.extend_from_within(..self.period.min(n - slots.len()));
                }
                slots
            })
            .collect()
    }

    /// Slots of the plaintext of a term.
    pub(super) fn weight_slots(&self, weights: &[i64], p: u64, term: Term) -> Vec<u64> {
        let n = self.slots.n();
        let (outputs, inputs) = (self.group_len(term.group), self.block_len(term.block));
        let rotation = self.slots.rotation(term.diagonal);
        // Copies and diagonals are powers of two: places in them are low bits.
        let (copies, diagonals) = (self.period.ilog2(), self.diagonals(term.group));
        let first = term.group * n * self.inputs + term.block * n;
        let weight = |slot: usize| {
            let output = (slot >> copies) * diagonals + (slot & (diagonals - 1));
            let input = self.slots.source(slot, rotation) & (self.period - 1);
            if output >= outputs || input >= inputs {
                return 0;
            }
            residue(weights[first + output * self.inputs + input], p)
        };
        (0..n).map(weight).collect()
    }

    pub(super) fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        let mut values = Vec::with_capacity(self.outputs);
        for (group, slots) in slots.iter().enumerate() {
            let (diagonals, end) = (self.diagonals(group), values.len() + self.group_len(group));
            let copies = slots
                .chunks(self.period)
                .map(|copy| &copy[..diagonals.min(copy.len())]);
            values.extend(copies.flatten().take(end - values.len()));
        }
        values
    }
}

/// The shifts below `period` for which some place t < `outputs` and some input i < `inputs`, both at most the
/// period, have i ≡ t + shift mod `period`.
fn overlapping(period: usize, inputs: usize, outputs: usize) -> [Range<usize>; 2] {
    if inputs == 0 || outputs == 0 {
        return [0..0, 0..0];
    }
    [
        0..inputs.min(period),
        (period + 1).saturating_sub(outputs)..period,
    ]
}

/// The first and the last of so many, where all but the last are alike, and how many each stands for.
fn kinds(total: usize) -> impl Iterator<Item = (usize, u64)> {
    let last = total - 1;
    [(0, last as u64), (last, 1)]
        .into_iter()
        .filter(|&(_, times)| times > 0)
}
