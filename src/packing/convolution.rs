//! A convolution in one of several orders: what they share, and the trait of what they do not.
//!
//! All schedules of a convolution have the layout of `conv_layout.rs` and the products of `conv_products.rs`;
//! they differ in what is rotated when. Products are shared between the schedules of a layer at an n
//! ([`Layouts`]) and listed one by one only when a plan runs or its weights are encoded.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use super::conv_layout::Stride;
use super::conv_products::{Partial, Product, Products};
use super::layouts::Layouts;
use super::listed::Listed;
use super::output_sum::OutputSum;
use super::plan::Schedule;
use super::shape::{LinearShape, PackingError};
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};

/// In what order a convolution is computed. Counts are those of one lane.
pub(super) trait ConvOrder: Sized {
    const NAME: &'static str;
    const STRIDE: Stride;

    /// Whether it does anything that a simpler schedule does not do.
    fn gains(_products: &Products) -> bool {
        true
    }

    /// Puts products in the order in which they run, from that of [`Products::listed`].
    fn sort(_products: &Products, _listed: &mut [Product]) {}

    fn counts(products: &Products) -> OpCounts;

    /// How often each rotation is carried out; the identity is none.
    fn rotation_counts(products: &Products) -> BTreeMap<Rotation, u64>;

    /// As [`Schedule::turns_of_keys`], of all lanes.
    fn turns_of_keys(products: &Products) -> u64 {
        Self::counts(products)[HeOp::Rotate] * products.layout.lanes() as u64
    }

    /// As [`Schedule::turns_after_products`].
    fn turns_after_products(_products: &Products) -> u64 {
        1
    }

    /// What an output of a kind is a sum of.
    fn output_sum(products: &Products, kind: &[Partial]) -> OutputSum;

    /// Ciphertexts from client to server, of all lanes.
    fn input_ciphertexts(products: &Products) -> usize {
        products.layout.input_ciphertexts()
    }

    /// As [`Schedule::working_ciphertexts`].
    fn working_ciphertexts(products: &Products) -> usize;

    fn pack_input(products: &Products, values: &[u64]) -> Vec<Vec<u64>> {
        products.layout.pack_input(values)
    }

    /// Slots of the plaintext of a product, from `slots` of it before its channels are aligned.
    fn aligned(_products: &Products, _product: &Product, slots: Vec<u64>) -> Vec<u64> {
        slots
    }

    /// Computes the layer from its products in the order in which they run.
    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        products: &Products,
        listed: &[Product],
        input: (&H, &[H::Ciphertext]),
        weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error>;
}

/// A convolution in the order `O`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convolution<O> {
    products: Arc<Products>,
    /// The products in the order in which they run, once they are asked for.
    listed: Listed<Product>,
    order: PhantomData<O>,
}

/// The products in the order in which they run.
fn listed<O: ConvOrder>(convolution: &Convolution<O>) -> &[Product] {
    let products = &convolution.products;
    convolution.listed.get(|| {
        let mut listed = products.listed();
        O::sort(products, &mut listed);
        listed
    })
}

impl<O: ConvOrder> Schedule for Convolution<O> {
    const NAME: &'static str = O::NAME;

    fn over(layouts: &Layouts) -> Result<Self, PackingError> {
        let products = layouts.products(O::STRIDE, Self::NAME)?;
        if !O::gains(&products) {
            return Err(PackingError::NothingToGain {
                schedule: Self::NAME,
            });
        }
        Ok(Self {
            products,
            listed: Listed::default(),
            order: PhantomData,
        })
    }

    fn made_for(&self) -> (usize, LinearShape) {
        self.products.layout.made_for()
    }

    fn counts(&self) -> OpCounts {
        O::counts(&self.products) * self.products.layout.lanes() as u64
    }

    fn rotation_counts(&self) -> BTreeMap<Rotation, u64> {
        let mut counts = O::rotation_counts(&self.products);
        let lanes = self.products.layout.lanes() as u64;
        counts.values_mut().for_each(|count| *count *= lanes);
        counts
    }

    fn turns_of_keys(&self) -> u64 {
        O::turns_of_keys(&self.products)
    }

    fn turns_after_products(&self) -> u64 {
        O::turns_after_products(&self.products)
    }

    fn input_ciphertexts(&self) -> usize {
        O::input_ciphertexts(&self.products)
    }

    fn output_ciphertexts(&self) -> usize {
        self.products.layout.output_ciphertexts()
    }

    fn weight_count(&self) -> usize {
        self.products.len() as usize
    }

    fn output_sums(&self) -> Vec<OutputSum> {
        let kinds = self.products.kinds();
        let sums = kinds.map(|(kind, _)| O::output_sum(&self.products, kind));
        sums.collect()
    }

    fn working_ciphertexts(&self) -> usize {
        O::working_ciphertexts(&self.products)
    }

    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
        O::pack_input(&self.products, values)
    }

    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
        let product = &listed(self)[index];
        let slots = self.products.layout.weight_slots(weights, p, product);
        O::aligned(&self.products, product, slots)
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        O::run(&self.products, listed(self), (ops, inputs), weight)
    }

    fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
        self.products.layout.unpack_output(slots)
    }
}
