//! A fully connected layer y = W·x row by row: a product and a fold for every output.
//!
//! With w = np2(n_i), y_o = fold of Σ_blocks x ⊙ W_o by 1, 2, …, w/2, in slot 0 of a ciphertext of its own:
//! lg w rotations and a reply for each output. The baseline that packings are compared with (GAZELLE,
//! section 4.1, table 2).

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::fc_layout::Diagonals;
use super::layouts::Layouts;
use super::output_sum::OutputSum;
use super::plan::Schedule;
use super::shape::{LinearShape, PackingError};
use super::slots::{Slots, residue};
use super::sums::fold;
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};

/// The naive schedule of a fully connected layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FcNaive {
    slots: Slots,
    inputs: usize,
    outputs: usize,
}

impl FcNaive {
    fn blocks(&self) -> usize {
        self.inputs.div_ceil(self.slots.n())
    }

    fn shifts(&self) -> impl Iterator<Item = usize> + use<> {
        let period = self.inputs.min(self.slots.n()).next_power_of_two();
        std::iter::successors(Some(1), |shift| Some(shift * 2))
            .take_while(move |&shift| shift < period)
    }
}

impl Schedule for FcNaive {
    const NAME: &'static str = "fc_naive";

    fn over(layouts: &Layouts) -> Result<Self, PackingError> {
        let layout = layouts.fully_connected(Diagonals::Fewest, Self::NAME)?;
        if layout.outputs == 1 {
            return Err(PackingError::NothingToGain {
                schedule: Self::NAME,
            });
        }
        Ok(Self {
            slots: layout.slots,
            inputs: layout.inputs,
            outputs: layout.outputs,
        })
    }

    fn made_for(&self) -> (usize, LinearShape) {
        let layer = LinearShape::fully_connected(self.inputs, self.outputs);
        (self.slots.n(), layer)
    }

    fn counts(&self) -> OpCounts {
        let (outputs, folds) = (self.outputs as u64, self.shifts().count() as u64);
        let mut counts = OpCounts::default();
        counts[HeOp::Hadamard] = outputs;
        counts[HeOp::MultiplyAccumulate] = outputs * (self.blocks() as u64 - 1);
        counts[HeOp::Rotate] = outputs * folds;
        counts[HeOp::Add] = outputs * folds;
        counts
    }

    fn rotation_counts(&self) -> BTreeMap<Rotation, u64> {
        let shifts = self.shifts();
        shifts
            .map(|shift| (self.slots.rotation(shift), self.outputs as u64))
            .collect()
    }

    fn input_ciphertexts(&self) -> usize {
        self.blocks()
    }

    fn output_ciphertexts(&self) -> usize {
        self.outputs
    }

    fn weight_count(&self) -> usize {
        self.outputs * self.blocks()
    }

    fn output_sums(&self) -> Vec<OutputSum> {
        vec![OutputSum {
            products: self.blocks() as u64,
            folds: self.shifts().count() as u32,
            ..OutputSum::default()
        }]
    }

    /// The first of each row.
    fn turns_after_products(&self) -> u64 {
        self.outputs as u64
    }

    fn working_ciphertexts(&self) -> usize {
        // The outputs, and a rotation of the last.
        self.outputs + 1
    }

    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        let n = self.slots.n();
        let blocks = values[..self.inputs].chunks(n);
        blocks
            .map(|block| {
                let mut slots = block.to_vec();
                slots.resize(n, 0);
                slots
            })
            .collect()
    }

    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
        assert!(index < self.weight_count(), "no plaintext {index}");
        let n = self.slots.n();
        let (output, block) = (index / self.blocks(), index % self.blocks());
        let row = &weights[output * self.inputs..][..self.inputs];
        let here = row.iter().skip(block * n).take(n);
        let mut slots: Vec<u64> = here.map(|&weight| residue(weight, p)).collect();
        slots.resize(n, 0);
        slots
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        mut weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let mut outputs = Vec::with_capacity(self.outputs);
        for output in 0..self.outputs {
            let mut sum = None;
            for (block, input) in inputs[..self.blocks()].iter().enumerate() {
                let plaintext = weight(output * self.blocks() + block)?;
                ops.accumulate(&mut sum, input, plaintext.borrow());
            }
            if let Some(sum) = sum {
                outputs.push(fold(ops, sum, self.slots, self.shifts())?);
            }
        }
        Ok(outputs)
    }

    fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        slots[..self.outputs].iter().map(|slots| slots[0]).collect()
    }
}
