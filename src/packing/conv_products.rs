//! The products of a convolution: which rotated input meets which plaintext, for every output ciphertext.
//!
//! Built from a [`ConvLayout`]: for each output ciphertext the alignments of its channels, for each of them the
//! input ciphertexts that they take part of and the filter taps that the channels brought together need.
//! Without groups all outputs but the last are alike and kept once. A product with a plaintext that shapes
//! alone make zero is not listed.

use std::collections::BTreeSet;

use super::alignment::Alignment;
use super::conv_layout::ConvLayout;

/// A product, and the plaintext that it is with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Product {
    /// Output ciphertext of a lane.
    pub(super) output: usize,
    /// How its channels are brought to those of the output, after the product.
    pub(super) alignment: Alignment,
    /// Input ciphertext of a lane.
    pub(super) input: usize,
    /// Index of the tap that the input is rotated for.
    pub(super) tap: usize,
}

/// All products, by output; those of an output in the order of their alignments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Products {
    /// Of each kind of output.
    kinds: Vec<Vec<Product>>,
    outputs: usize,
}

impl Products {
    pub(super) fn new(layout: &ConvLayout) -> Self {
        let outputs = layout.channels.output_ciphertexts();
        let grouped = layout.channels.groups > 1;
        let distinct =
            (0..outputs).filter(|&output| grouped || output == 0 || output + 1 == outputs);
        let kinds = distinct.map(|output| of_output(layout, output)).collect();
        Self { kinds, outputs }
    }

    /// Sorts the products of each output.
    pub(super) fn sort_by_key<K: Ord>(&mut self, key: impl Fn(&Product) -> K + Copy) {
        self.kinds.iter_mut().for_each(|kind| kind.sort_by_key(key));
    }

    /// Output ciphertexts of a lane.
    pub(super) const fn outputs(&self) -> usize {
        self.outputs
    }

    const fn kind(&self, output: usize) -> usize {
        if self.kinds.len() == self.outputs {
            output
        } else {
            // The first stands for all but the last.
            (output + 1) / self.outputs
        }
    }

    /// The products of an output.
    pub(super) fn of(&self, output: usize) -> impl Iterator<Item = Product> + '_ {
        let kind = &self.kinds[self.kind(output)];
        kind.iter()
            .map(move |&product| Product { output, ..product })
    }

    /// Each kind of output: its products and how many outputs there are of it.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (&[Product], u64)> {
        let alike = self.outputs - self.kinds.len() + 1;
        let times = (0..).map(move |kind| if kind == 0 { alike as u64 } else { 1 });
        self.kinds.iter().map(Vec::as_slice).zip(times)
    }

    pub(super) fn len(&self) -> usize {
        self.kinds()
            .map(|(products, times)| products.len() * times as usize)
            .sum()
    }

    /// Product `index`, counted through the outputs.
    pub(super) fn get(&self, index: usize) -> Option<Product> {
        let first = self.kinds.first()?.len().max(1);
        let alike = self.outputs - self.kinds.len() + 1;
        if index < first * alike {
            let product = self.kinds[0].get(index % first)?;
            let output = index / first;
            return Some(Product { output, ..*product });
        }
        let mut rest = index - first * alike;
        for (kind, products) in self.kinds.iter().enumerate().skip(1) {
            if let Some(product) = products.get(rest) {
                let output = alike + kind - 1;
                return Some(Product { output, ..*product });
            }
            rest -= products.len();
        }
        None
    }

    /// For each input ciphertext of a lane, the indices of the taps that it is rotated for.
    pub(super) fn taps_by_input(&self, layout: &ConvLayout) -> Vec<BTreeSet<usize>> {
        let mut taps = vec![BTreeSet::new(); layout.channels.input_ciphertexts()];
        for product in self.kinds.iter().flatten() {
            taps[product.input].insert(product.tap);
        }
        taps
    }
}

fn of_output(layout: &ConvLayout, output: usize) -> Vec<Product> {
    let channels = &layout.channels;
    let mut products = Vec::new();
    for alignment in channels.alignments(output) {
        for input in 0..channels.input_ciphertexts() {
            let met = channels.met(output, input, alignment);
            let taps = layout.taps_of(met);
            products.extend(taps.into_iter().map(|tap| Product {
                output,
                alignment,
                input,
                tap,
            }));
        }
    }
    products
}
