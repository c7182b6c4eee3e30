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

use super::alignment::Alignment;
use super::conv_layout::Stride;
use super::conv_products::{Partial, Product, Products};
use super::convolution::{ConvOrder, Convolution};
use super::output_sum::OutputSum;
use super::sums::{Lane, Order, SUMS_AT_ONCE, add_inner_products, are_alike, merge};
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};

/// DELPHI's schedule of a convolution.
pub type ConvClientRotation = Convolution<ClientRotation>;

/// The client rotates, the server only aligns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRotation;

/// Ciphertexts of a lane.
fn of_lane(products: &Products) -> u64 {
    let runs = products.runs();
    runs.map(|(taps, inputs)| inputs * taps.indices.len() as u64)
        .sum()
}

/// For each input of a lane the index of its first ciphertext.
fn first_ciphertexts(products: &Products) -> Vec<usize> {
    let inputs = 0..products.layout.channels.input_ciphertexts();
    let mut next = 0;
    let first = inputs.map(|input| {
        let first = next;
        next += products.taps_of_input(input).len();
        first
    });
    first.collect()
}

/// The row rotation of a partial sum.
fn turn(products: &Products, alignment: Alignment) -> Option<Rotation> {
    let rotation = Rotation {
        swap: false,
        ..products.layout.aligning(alignment)
    };
    (!rotation.is_identity()).then_some(rotation)
}

/// Rotations of the partial sums of an output, and how often each is carried out: a partial sum of each
/// input by its row rotation, then all of the input by the swap.
fn turns(products: &Products, kind: &[Partial]) -> impl Iterator<Item = (Rotation, u64)> {
    let rows = kind.iter().filter_map(|partial| {
        let turn = turn(products, partial.alignment)?;
        Some((turn, products.inputs_of(partial)))
    });
    let mut swapped: Vec<&Partial> = kind.iter().filter(|p| p.alignment.swap).collect();
    swapped.sort_by_key(|partial| partial.run);
    swapped.dedup_by_key(|partial| partial.run);
    let swaps = swapped.into_iter();
    rows.chain(swaps.map(|partial| (products.swap(), products.inputs_of(partial))))
}

/// Partial sums of an input at most.
fn most_partials(products: &Products) -> usize {
    products
        .kinds()
        .map(|(kind, _)| kind.len())
        .max()
        .unwrap_or(0)
}

/// Whether two partial sums are of the same input, and share their swap.
fn same_input(a: &Product, b: &Product) -> bool {
    (a.alignment.swap, a.input) == (b.alignment.swap, b.input)
}

/// One output ciphertext of every lane; `operand` is what a product of a lane is with.
fn output<'a, H: HeOps, W: Borrow<H::Plaintext>>(
    of: &Products,
    ops: &H,
    products: &[Product],
    operand: impl Fn(usize, &Product) -> &'a H::Ciphertext,
    mut weight: impl FnMut() -> Result<W, H::Error>,
) -> Result<Vec<Option<H::Ciphertext>>, H::Error>
where
    H::Ciphertext: 'a,
{
    let lanes = of.layout.lanes();
    let mut totals = vec![None; lanes];
    for products in products.chunk_by(same_input) {
        let mut of_swap = vec![None; lanes];
        let partials = products.chunk_by(|a, b| a.alignment == b.alignment);
        let partials: Vec<&[Product]> = partials.collect();
        for alike in partials.chunk_by(|a, b| are_alike(a, b, |product| product.tap)) {
            for partials in alike.chunks(SUMS_AT_ONCE) {
                let lane = |lane| {
                    let operands = partials[0].iter().map(|product| operand(lane, product));
                    Lane::of(operands.collect(), partials.len())
                };
                let mut sums: Vec<_> = (0..lanes).map(lane).collect();
                add_inner_products(ops, &mut sums, Order::SumBySum, &mut weight)?;
                for (of_swap, lane) in of_swap.iter_mut().zip(sums) {
                    for (products, mut sum) in partials.iter().zip(lane.sums) {
                        rotate(ops, &mut sum, turn(of, products[0].alignment))?;
                        merge(ops, of_swap, sum);
                    }
                }
            }
        }
        let swap = products[0].alignment.swap.then(|| of.swap());
        for (total, mut of_swap) in totals.iter_mut().zip(of_swap) {
            rotate(ops, &mut of_swap, swap)?;
            merge(ops, total, of_swap);
        }
    }
    Ok(totals)
}

fn rotate<H: HeOps>(
    ops: &H,
    sum: &mut Option<H::Ciphertext>,
    rotation: Option<Rotation>,
) -> Result<(), H::Error> {
    if let (Some(sum), Some(rotation)) = (sum, rotation) {
        *sum = ops.rotate(sum, rotation)?;
    }
    Ok(())
}

impl ConvOrder for ClientRotation {
    const NAME: &'static str = "conv_client_rotation";
    const STRIDE: Stride = Stride::Discard;

    fn gains(products: &Products) -> bool {
        products.layout.taps.len() > 1
    }

    fn sort(_products: &Products, listed: &mut [Product]) {
        listed.sort_by_key(|product| {
            let alignment = product.alignment;
            let of_input = (alignment.swap, product.input, alignment.delta);
            (product.output, of_input, product.tap)
        });
    }

    fn counts(products: &Products) -> OpCounts {
        let mut counts = OpCounts::default();
        for (kind, times) in products.kinds() {
            let partials: u64 = kind.iter().map(|p| products.inputs_of(p)).sum();
            counts[HeOp::Hadamard] += times * partials;
            counts[HeOp::MultiplyAccumulate] += times * (products.count(kind) - partials);
            counts[HeOp::Add] += times * (partials - 1);
            counts[HeOp::Rotate] += times * turns(products, kind).map(|(_, n)| n).sum::<u64>();
        }
        counts
    }

    fn rotation_counts(products: &Products) -> BTreeMap<Rotation, u64> {
        let mut counts = BTreeMap::new();
        for (kind, times) in products.kinds() {
            for (rotation, often) in turns(products, kind) {
                *counts.entry(rotation).or_default() += times * often;
            }
        }
        counts
    }

    fn output_sum(products: &Products, kind: &[Partial]) -> OutputSum {
        OutputSum {
            products: products.count(kind),
            turns: turns(products, kind).map(|(_, often)| often).sum(),
            ..OutputSum::default()
        }
    }

    fn input_ciphertexts(products: &Products) -> usize {
        products.layout.lanes() * of_lane(products) as usize
    }

    fn working_ciphertexts(products: &Products) -> usize {
        // The outputs; for each lane a sum of each kind and partial sums; a rotation.
        let partials = most_partials(products).min(SUMS_AT_ONCE);
        products.layout.output_ciphertexts() + (1 + partials) * products.layout.lanes() + 1
    }

    fn pack_input(products: &Products, values: &[u64]) -> Vec<Vec<u64>> {
        let (layout, packed) = (&products.layout, products.layout.pack_input(values));
        let of_lane = layout.channels.input_ciphertexts();
        let each = packed.iter().enumerate();
        each.flat_map(|(index, packed)| {
            let taps = products.taps_of_input(index % of_lane).iter();
            let rotations = taps.map(|&tap| Rotation::rows(layout.taps[tap]));
            rotations.map(|rotation| layout.slots.rotated(packed, rotation))
        })
        .collect()
    }

    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        products: &Products,
        listed: &[Product],
        (ops, inputs): (&H, &[H::Ciphertext]),
        mut weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        let first = first_ciphertexts(products);
        let of_lane = of_lane(products) as usize;
        let operand = |lane: usize, product: &Product| {
            let taps = products.taps_of_input(product.input);
            let within = taps.partition_point(|&tap| tap < product.tap);
            &inputs[lane * of_lane + first[product.input] + within]
        };
        let mut index = 0;
        let mut outputs = vec![Vec::new(); products.layout.lanes()];
        for of_output in listed.chunk_by(|a, b| a.output == b.output) {
            let next = || {
                index += 1;
                weight(index - 1)
            };
            let totals = output(products, ops, of_output, operand, next)?;
            for (lane, total) in outputs.iter_mut().zip(totals) {
                lane.extend(total);
            }
        }
        Ok(outputs.into_iter().flatten().collect())
    }
}
