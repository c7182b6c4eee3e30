//! A fully connected layer y = W·x by Gazelle's hybrid of diagonals and folding.
//!
//! With w = np2(n_i) slots an input copy and n/w copies in one ciphertext, a group of at most n outputs
//! is spread R to a copy, R = max(1, np2(n_o)·w / n): output o of the group belongs to the slots of
//! copy ⌊o / R⌋ whose place in the copy is o mod R, modulo R. Then
//!
//! acc = Σ_{d<R} rot_d(x) ⊙ W_d,   y = fold of acc by R, 2R, …, w/2,
//!
//! where slot t of W_d holds W\[output of t, input that rot_d brings to t\]. The R − 1 rotations of x
//! share one decomposition; the lg(w/R) of the fold are full. An input larger than n is cut into
//! blocks of n, summed before the one fold; more than n outputs are several groups that share the
//! rotated inputs. A shift of n/2 or more is a row rotation with a swap, so a copy may fill both rows.
//!
//! Source: Juvekar, Vaikuntanathan, Chandrakasan, "GAZELLE" (USENIX Security 2018), section 4.1.
//!
//! Output o of a group stands in slot ⌊o/R⌋·w + o mod R. A diagonal that meets no weight (possible in
//! a last block that is not full) is not multiplied.

use std::borrow::Borrow;
use std::collections::BTreeSet;

use super::output_sum::OutputSum;
use super::plan::Schedule;
use super::shape::{LinearShape, PackingError};
use super::slots::{Slots, residue};
use super::sums::accumulate;
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};

/// The hybrid schedule of a fully connected layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FcHybrid {
    slots: Slots,
    inputs: usize,
    outputs: usize,
    /// Slots of a copy of the input, w.
    period: usize,
}

/// A product: block of the input, its rotation, group of outputs.
#[derive(Debug, Clone, Copy)]
struct Term {
    block: usize,
    diagonal: usize,
    group: usize,
}

impl FcHybrid {
    fn blocks(&self) -> usize {
        self.inputs.div_ceil(self.slots.n())
    }

    fn groups(&self) -> usize {
        self.outputs.div_ceil(self.slots.n())
    }

    /// Inputs of a block.
    fn block_len(&self, block: usize) -> usize {
        (self.inputs - block * self.slots.n()).min(self.slots.n())
    }

    /// Outputs of a group.
    fn group_len(&self, group: usize) -> usize {
        (self.outputs - group * self.slots.n()).min(self.slots.n())
    }

    /// Diagonals of a group, R; a power of two, at most the period.
    fn diagonals(&self, group: usize) -> usize {
        let copies = self.slots.n() / self.period;
        (self.group_len(group).next_power_of_two() / copies).max(1)
    }

    /// Diagonals of the largest group, which is the first.
    fn most_diagonals(&self) -> usize {
        self.diagonals(0)
    }

    /// Whether the plaintext of a term holds any weight, by shapes alone.
    ///
    /// Modulo R, slot place t reads input t + d: some t below the number of outputs must read an
    /// input that exists. R = n fills both rows; there the rule holds for each pair of rows.
    fn meets(&self, term: Term) -> bool {
        let (row, period) = (self.slots.row(), self.diagonals(term.group));
        let (inputs, outputs) = (self.block_len(term.block), self.group_len(term.group));
        if term.diagonal >= period {
            return false;
        }
        if self.period < self.slots.n() {
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

    /// The terms of a block, in the order in which they run.
    fn terms(&self, block: usize) -> impl Iterator<Item = Term> + '_ {
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

    fn term(&self, index: usize) -> Option<Term> {
        let full = self.terms(0).count();
        let block = (index / full).min(self.blocks() - 1);
        self.terms(block).nth(index - block * full)
    }

    /// Diagonals other than the first that a block is rotated for.
    fn hoisted(&self, block: usize) -> BTreeSet<usize> {
        let diagonals = self.terms(block).map(|term| term.diagonal);
        diagonals.filter(|&diagonal| diagonal > 0).collect()
    }

    fn fold_shifts(&self, group: usize) -> impl Iterator<Item = usize> + use<> {
        let period = self.period;
        std::iter::successors(Some(self.diagonals(group)), |shift| Some(shift * 2))
            .take_while(move |&shift| shift < period)
    }
}

/// Whether some place t < `outputs` and some input i < `inputs` have i ≡ t + `shift` mod `period`.
fn overlaps(shift: usize, period: usize, inputs: usize, outputs: usize) -> bool {
    inputs > 0 && outputs > 0 && (shift < inputs || shift + outputs > period)
}

impl Schedule for FcHybrid {
    const NAME: &'static str = "fc_hybrid";

    fn new(layer: &LinearShape, n: usize) -> Result<Self, PackingError> {
        let slots = Slots::new(n)?;
        match *layer {
            LinearShape::Conv(_) => Err(PackingError::WrongLayer {
                schedule: Self::NAME,
            }),
            LinearShape::Fc { inputs: 0, .. } | LinearShape::Fc { outputs: 0, .. } => {
                Err(PackingError::Empty)
            }
            LinearShape::Fc { inputs, outputs } => Ok(Self {
                slots,
                inputs,
                outputs,
                period: inputs.min(n).next_power_of_two(),
            }),
        }
    }

    fn made_for(&self) -> (usize, LinearShape) {
        let layer = LinearShape::fully_connected(self.inputs, self.outputs);
        (self.slots.n(), layer)
    }

    fn counts(&self) -> OpCounts {
        let mut counts = OpCounts::default();
        let last = self.blocks() - 1;
        // All blocks but the last are full, hence alike.
        for (block, times) in [(0, last as u64), (last, 1)] {
            let hoisted = self.hoisted(block).len() as u64;
            counts[HeOp::Decompose] += times * u64::from(hoisted > 0);
            counts[HeOp::HoistedRotate] += times * hoisted;
            counts[HeOp::MultiplyAccumulate] += times * self.terms(block).count() as u64;
        }
        let groups = self.groups() as u64;
        counts[HeOp::Hadamard] = groups;
        counts[HeOp::MultiplyAccumulate] -= groups;
        for group in 0..self.groups() {
            let folds = u64::from((self.period / self.diagonals(group)).ilog2());
            counts[HeOp::Rotate] += folds;
            counts[HeOp::Add] += folds;
        }
        counts
    }

    fn rotations(&self) -> BTreeSet<Rotation> {
        let hoisted = [0, self.blocks() - 1].map(|block| self.hoisted(block));
        let folds = (0..self.groups()).flat_map(|group| self.fold_shifts(group));
        let shifts = hoisted.into_iter().flatten().chain(folds);
        shifts.map(|shift| self.slots.rotation(shift)).collect()
    }

    fn input_ciphertexts(&self) -> usize {
        self.blocks()
    }

    fn output_ciphertexts(&self) -> usize {
        self.groups()
    }

    fn weight_count(&self) -> usize {
        let last = self.blocks() - 1;
        last * self.terms(0).count() + self.terms(last).count()
    }

    fn output_sums(&self) -> Option<Vec<OutputSum>> {
        let last = self.blocks() - 1;
        let sum = |group| {
            let mut sum = OutputSum {
                folds: (self.period / self.diagonals(group)).ilog2(),
                ..OutputSum::default()
            };
            for (block, times) in [(0, last as u64), (last, 1)] {
                for term in self.terms(block).filter(|term| term.group == group) {
                    sum.products += times;
                    sum.rotated += times * u64::from(term.diagonal > 0);
                }
            }
            sum
        };
        let groups = BTreeSet::from([0, self.groups() - 1]);
        Some(groups.into_iter().map(sum).collect())
    }

    fn working_ciphertexts(&self) -> usize {
        // A sum for each group, a rotated input and the one that replaces it.
        self.groups() + 2
    }

    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
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

    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
        let n = self.slots.n();
        let mut plaintext = vec![0; n];
        let Some(term) = self.term(index) else {
            assert!(index < self.weight_count(), "no plaintext {index}");
            return plaintext;
        };
        let diagonals = self.diagonals(term.group);
        let rotation = self.slots.rotation(term.diagonal);
        for (slot, value) in plaintext.iter_mut().enumerate() {
            let (copy, place) = (slot / self.period, slot % self.period);
            let output = copy * diagonals + place % diagonals;
            let input = self.slots.source(slot, rotation) % self.period;
            if output < self.group_len(term.group) && input < self.block_len(term.block) {
                let row = (term.group * n + output) * self.inputs;
                *value = residue(weights[row + term.block * n + input], p);
            }
        }
        plaintext
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        mut weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let mut sums: Vec<Option<H::Ciphertext>> = vec![None; self.groups()];
        let mut index = 0;
        for (block, input) in inputs[..self.blocks()].iter().enumerate() {
            let hoisted = self.hoisted(block);
            let decomposed = (!hoisted.is_empty()).then(|| ops.decompose(input));
            let mut rotated: Option<(usize, H::Ciphertext)> = None;
            for term in self.terms(block) {
                if let Some(decomposed) = &decomposed
                    && term.diagonal > 0
                    && rotated.as_ref().is_none_or(|(of, _)| *of != term.diagonal)
                {
                    let rotation = self.slots.rotation(term.diagonal);
                    let ct = ops.rotate_decomposed(decomposed, rotation)?;
                    rotated = Some((term.diagonal, ct));
                }
                let ct = rotated.as_ref().map_or(input, |(_, ct)| ct);
                accumulate(ops, &mut sums[term.group], ct, weight(index)?.borrow());
                index += 1;
            }
        }
        let mut outputs = Vec::with_capacity(self.groups());
        for (group, mut sum) in sums.into_iter().flatten().enumerate() {
            for shift in self.fold_shifts(group) {
                let rotated = ops.rotate(&sum, self.slots.rotation(shift))?;
                ops.add(&mut sum, &rotated);
            }
            outputs.push(sum);
        }
        Ok(outputs)
    }

    fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
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
