//! The square of shared values: what is left of it for ciphertexts is z = y + w ⊙ x.
//!
//! With x = c + s mod p, x² = c² + 2·s·c + s². The client sends c and c² (x and y here), the server
//! multiplies by 2·s (w here) and takes s² into the mask of its reply. Values stand one a slot, in order: two
//! ciphertexts in, a product and a sum, and one ciphertext out for each n of them. No rotation.
//!
//! Source: GAZELLE's and DELPHI's code, `square.cpp`.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::layouts::Layouts;
use super::output_sum::OutputSum;
use super::plan::Schedule;
use super::shape::{LinearShape, PackingError};
use super::slots::{Slots, residue};
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};

/// The schedule of a square.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Square {
    slots: Slots,
    values: usize,
}

impl Square {
    fn blocks(&self) -> usize {
        self.values.div_ceil(self.slots.n())
    }

    /// One value a slot, zeros behind the last.
    fn blocks_of<'a>(&self, values: &'a [u64]) -> impl Iterator<Item = Vec<u64>> + use<'a> {
        let n = self.slots.n();
        values.chunks(n).map(move |block| {
            let mut slots = block.to_vec();
            slots.resize(n, 0);
            slots
        })
    }
}

impl Schedule for Square {
    const NAME: &'static str = "square";

    fn over(layouts: &Layouts) -> Result<Self, PackingError> {
        let (slots, values) = layouts.square(Self::NAME)?;
        Ok(Self { slots, values })
    }

    fn made_for(&self) -> (usize, LinearShape) {
        let values = self.values;
        (self.slots.n(), LinearShape::Square { values })
    }

    fn counts(&self) -> OpCounts {
        let blocks = self.blocks() as u64;
        [(HeOp::Hadamard, blocks), (HeOp::Add, blocks)]
            .into_iter()
            .collect()
    }

    fn rotation_counts(&self) -> BTreeMap<Rotation, u64> {
        BTreeMap::new()
    }

    fn input_ciphertexts(&self) -> usize {
        2 * self.blocks()
    }

    fn output_ciphertexts(&self) -> usize {
        self.blocks()
    }

    fn weight_count(&self) -> usize {
        self.blocks()
    }

    fn output_sums(&self) -> Vec<OutputSum> {
        vec![OutputSum {
            products: 1,
            unscaled: 1,
            ..OutputSum::default()
        }]
    }

    fn working_ciphertexts(&self) -> usize {
        self.blocks()
    }

    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        let (first, second) = values[..2 * self.values].split_at(self.values);
        self.blocks_of(first)
            .chain(self.blocks_of(second))
            .collect()
    }

    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
        assert!(index < self.weight_count(), "no plaintext {index}");
        let n = self.slots.n();
        let here = weights[..self.values].iter().skip(index * n).take(n);
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
        let (first, second) = inputs[..2 * self.blocks()].split_at(self.blocks());
        let pairs = first.iter().zip(second).enumerate();
        pairs
            .map(|(index, (x, y))| {
                let mut sum = ops.hadamard(x, weight(index)?.borrow());
                ops.add(&mut sum, y);
                Ok(sum)
            })
            .collect()
    }

    fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        let all = slots[..self.blocks()].iter().flatten();
        all.take(self.values).copied().collect()
    }
}
