//! A convolution whose inputs the client rotates before it encrypts them, as in DELPHI.
//!
//! In the layout of `conv_layout.rs`, the client sends x_{i,t} = Enc(rot_t(x_i)) for every filter tap t: F times
//! the upload, and no rotation of an input. For output ciphertext o, input i and A = (δ, swap),
//!
//! y_o = Σ_i Σ_swap rot_swap( Σ_δ rot_δ( Σ_t x_{i,t} ⊙ W_{o,A,i,t} ) ).
//!
//! Each partial sum of each input is rotated by its own δ, I·O·(c_n − 1) rotations with a key for each.
//!
//! Source: Mishra et al., "DELPHI" (USENIX Security 2020), and its released code (`conv2d.cpp`).

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::conv_layout::{ConvLayout, Stride};
use super::conv_products::{Product, Products};
use super::output_sum::OutputSum;
use super::plan::Schedule;
use super::shape::{LinearShape, PackingError};
use super::sums::{accumulate, merge};
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};

/// DELPHI's schedule of a convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvClientRotation {
    layout: ConvLayout,
    products: Products,
    /// For each input ciphertext of a lane, the indices of the taps it is sent for.
    taps: Vec<Vec<usize>>,
}

impl ConvClientRotation {
    /// Ciphertexts of a lane before that of an input and its first tap.
    fn before(&self, input: usize) -> usize {
        self.taps[..input].iter().map(Vec::len).sum()
    }

    fn of_lane(&self) -> usize {
        self.before(self.taps.len())
    }

    /// Index of the ciphertext that a product is with.
    fn operand(&self, lane: usize, product: &Product) -> usize {
        let within = self.taps[product.input].partition_point(|&tap| tap < product.tap);
        lane * self.of_lane() + self.before(product.input) + within
    }

    /// Rotations of the partial sums of an output, by their chunks: each with its row rotation, and by
    /// input with the swap.
    fn turns(&self, products: &[Product]) -> Vec<Rotation> {
        let mut turns = Vec::new();
        for products in products.chunk_by(same_input) {
            let partials = products.chunk_by(|a, b| a.alignment == b.alignment);
            let rows = partials.map(|partial| self.turn(&partial[0]));
            turns.extend(rows.filter(|rotation| !rotation.is_identity()));
            turns.extend(products[0].alignment.swap.then(|| self.swap()));
        }
        turns
    }

    fn turn(&self, product: &Product) -> Rotation {
        Rotation {
            swap: false,
            ..self.layout.aligning(product.alignment)
        }
    }

    const fn swap(&self) -> Rotation {
        self.layout.slots.rotation(self.layout.slots.row())
    }

    /// One output ciphertext of one lane.
    fn output<H: HeOps, P: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        products: &[Product],
        (lane, inputs): (usize, &[H::Ciphertext]),
        plaintexts: &[P],
    ) -> Result<Option<H::Ciphertext>, H::Error> {
        let mut plaintexts = plaintexts.iter();
        let mut total = None;
        for products in products.chunk_by(same_input) {
            let mut of_swap = None;
            for products in products.chunk_by(|a, b| a.alignment == b.alignment) {
                let mut sum = None;
                for (product, plaintext) in products.iter().zip(&mut plaintexts) {
                    let ct = &inputs[self.operand(lane, product)];
                    accumulate(ops, &mut sum, ct, plaintext.borrow());
                }
                let turn = self.turn(&products[0]);
                if let (Some(partial), false) = (&sum, turn.is_identity()) {
                    sum = Some(ops.rotate(partial, turn)?);
                }
                merge(ops, &mut of_swap, sum);
            }
            if let (Some(sum), true) = (&of_swap, products[0].alignment.swap) {
                of_swap = Some(ops.rotate(sum, self.swap())?);
            }
            merge(ops, &mut total, of_swap);
        }
        Ok(total)
    }
}

/// Whether two partial sums share their swap.
fn same_input(a: &Product, b: &Product) -> bool {
    (a.alignment.swap, a.input) == (b.alignment.swap, b.input)
}

impl Schedule for ConvClientRotation {
    const NAME: &'static str = "conv_client_rotation";

    fn new(layer: &LinearShape, n: usize) -> Result<Self, PackingError> {
        let layout = ConvLayout::new(layer, n, Stride::Discard, Self::NAME)?;
        if layout.taps.len() == 1 {
            return Err(PackingError::NothingToGain {
                schedule: Self::NAME,
            });
        }
        let mut products = Products::new(&layout);
        products.sort_by_key(|product| {
            let alignment = product.alignment;
            (alignment.swap, product.input, alignment.delta, product.tap)
        });
        let taps = products.taps_by_input(&layout).into_iter();
        Ok(Self {
            taps: taps.map(|taps| taps.into_iter().collect()).collect(),
            layout,
            products,
        })
    }

    fn made_for(&self) -> (usize, LinearShape) {
        self.layout.made_for()
    }

    fn counts(&self) -> OpCounts {
        let mut counts = OpCounts::default();
        for (products, times) in self.products.kinds() {
            let same = |a: &Product, b: &Product| (a.alignment, a.input) == (b.alignment, b.input);
            let partials = products.chunk_by(same).count() as u64;
            counts[HeOp::Hadamard] += times * partials;
            counts[HeOp::MultiplyAccumulate] += times * (products.len() as u64 - partials);
            counts[HeOp::Add] += times * (partials - 1);
            counts[HeOp::Rotate] += times * self.turns(products).len() as u64;
        }
        counts * self.layout.lanes() as u64
    }

    fn rotation_counts(&self) -> BTreeMap<Rotation, u64> {
        let mut counts = BTreeMap::new();
        for (products, times) in self.products.kinds() {
            for rotation in self.turns(products) {
                *counts.entry(rotation).or_default() += times * self.layout.lanes() as u64;
            }
        }
        counts
    }

    fn input_ciphertexts(&self) -> usize {
        self.layout.lanes() * self.of_lane()
    }

    fn output_ciphertexts(&self) -> usize {
        self.layout.output_ciphertexts()
    }

    fn weight_count(&self) -> usize {
        self.products.len()
    }

    fn output_sums(&self) -> Vec<OutputSum> {
        let sums = self.products.kinds().map(|(products, _)| OutputSum {
            products: products.len() as u64,
            turns: self.turns(products).len() as u64,
            ..OutputSum::default()
        });
        sums.collect()
    }

    fn working_ciphertexts(&self) -> usize {
        // The outputs, a sum of each kind, a rotation.
        self.output_ciphertexts() + 3
    }

    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        let slots = self.layout.slots;
        let packed = self.layout.pack_input(values);
        let each = packed.iter().enumerate();
        each.flat_map(|(index, packed)| {
            let taps = self.taps[index % self.taps.len()].iter();
            taps.map(move |&tap| {
                let rotation = Rotation::rows(self.layout.taps[tap]);
                let sources = (0..slots.n()).map(|slot| slots.source(slot, rotation));
                sources.map(|source| packed[source]).collect()
            })
        })
        .collect()
    }

    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
        let product = self.products.get(index);
        assert!(product.is_some(), "no plaintext {index}");
        product.map_or_else(Vec::new, |product| {
            self.layout.weight_slots(weights, p, &product)
        })
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let mut weights = (0..self.weight_count()).map(weight);
        let mut outputs = vec![Vec::new(); self.layout.lanes()];
        for output in 0..self.products.outputs() {
            let products: Vec<Product> = self.products.of(output).collect();
            let plaintexts = weights.by_ref().take(products.len());
            let plaintexts = plaintexts.collect::<Result<Vec<W>, _>>()?;
            for (lane, outputs) in outputs.iter_mut().enumerate() {
                outputs.extend(self.output(ops, &products, (lane, inputs), &plaintexts)?);
            }
        }
        Ok(outputs.into_iter().flatten().collect())
    }

    fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        self.layout.unpack_output(slots)
    }
}
