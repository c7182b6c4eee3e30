//! A convolution whose inputs the client rotates before it encrypts them, as in DELPHI.
//!
//! In the layout of `conv_layout.rs`, the client sends x_{i,t} = Enc(rot_t(x_i)) for every filter tap t: F times
//! the upload, and no rotation of an input. For output ciphertext o, input i and A = (δ, swap),
//!
//! y_o = Σ_i Σ_swap rot_swap( Σ_δ rot_δ( Σ_t x_{i,t} ⊙ W_{o,A,i,t} ) ).
//!
//! Each partial sum of each input is rotated by its own δ, I·O·(c_n − 1) rotations with a key for each; what needs no
//! rotation is one sum over all inputs. Those of a few outputs are made at once.
//!
//! Source: Mishra et al., "DELPHI" (USENIX Security 2020), and its released code (`conv2d.cpp`).

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::alignment::Alignment;
use super::conv_layout::Stride;
use super::conv_products::{Partial, Product, Products};
use super::convolution::{ConvOrder, Convolution};
use super::output_sum::OutputSum;
use super::sums::{Order, SUMS_AT_ONCE, add_inner_products, are_alike, merge};
use crate::bfv::{HeOp, HeOps, Lane, OpCounts, Rotation};

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

/// Whose partial sums are made together: of all inputs those that need no rotation, then those of each input
/// that share their swap.
type Group = (bool, Option<usize>);

const fn group(alignment: Alignment, input: usize) -> Group {
    let others = alignment.swap || alignment.delta != 0;
    (alignment.swap, if others { Some(input) } else { None })
}

fn of_product(product: &Product) -> Group {
    group(product.alignment, product.input)
}

/// Sums that an output of a kind is made of.
fn partials(products: &Products, kind: &[Partial]) -> u64 {
    let is_rotated = |p: &&Partial| group(p.alignment, p.run).1.is_some();
    let rotated = kind.iter().filter(is_rotated);
    let rotated: u64 = rotated.map(|p| products.inputs_of(p)).sum();
    rotated + u64::from(!kind.iter().all(|p| is_rotated(&p)))
}

/// The groups of a kind whose partial sums are rotated, one for each run of inputs: the run, and the partial sums of
/// each of its inputs.
fn rotated_groups<'a>(kind: &'a [Partial]) -> Vec<(&'a Partial, usize)> {
    let mut rotated: Vec<(Group, &'a Partial)> = kind
        .iter()
        .map(|partial| (group(partial.alignment, partial.run), partial))
        .filter(|(group, _)| group.1.is_some())
        .collect();
    rotated.sort_by_key(|&(group, _)| group);
    let groups = rotated.chunk_by(|a, b| a.0 == b.0);
    groups.map(|group| (group[0].1, group.len())).collect()
}

/// Partial sums of a group and an output, at most.
fn most_partials(products: &Products) -> usize {
    let kinds = products.kinds();
    let groups = kinds.flat_map(|(kind, _)| rotated_groups(kind));
    groups.map(|(_, partials)| partials).max().unwrap_or(1)
}

/// What is done once for all outputs whose partial sums are made at once, given how often it is for an output of a kind.
fn of_batches(products: &Products, of_kind: impl Fn(&[Partial]) -> u64) -> u64 {
    let outputs = products.outputs() as u64;
    let batches = outputs.div_ceil(outputs_at_once(products) as u64);
    let of_outputs: u64 = products
        .kinds()
        .map(|(kind, times)| times * of_kind(kind))
        .sum();
    (of_outputs * batches).div_ceil(outputs.max(1))
}

/// Outputs of a lane whose partial sums are made at once.
fn outputs_at_once(products: &Products) -> usize {
    (SUMS_AT_ONCE / most_partials(products)).max(1)
}

/// Whether two products are of the same partial sum.
fn same_partial(a: &Product, b: &Product) -> bool {
    (a.alignment, a.output) == (b.alignment, b.output)
}

/// Outputs of a lane, and the lanes.
struct Outputs {
    first: usize,
    count: usize,
    lanes: usize,
}

impl Outputs {
    /// Nothing yet for each output of each lane, lane by lane.
    fn none<C: Clone>(&self) -> Vec<Option<C>> {
        vec![None; self.lanes * self.count]
    }

    const fn place(&self, lane: usize, product: &Product) -> usize {
        lane * self.count + product.output - self.first
    }
}

/// The output ciphertexts, lane by lane; `operand` is what a product of a lane is with.
fn compute<'a, H: HeOps, W: Borrow<H::Plaintext>>(
    (of, outputs): (&Products, &Outputs),
    ops: &H,
    products: &[Product],
    operand: impl Fn(usize, &Product) -> &'a H::Ciphertext,
    mut weight: impl FnMut() -> Result<W, H::Error>,
) -> Result<Vec<Option<H::Ciphertext>>, H::Error>
where
    H::Ciphertext: 'a,
{
    let mut totals = outputs.none();
    for products in products.chunk_by(|a, b| of_product(a) == of_product(b)) {
        let mut of_swap = outputs.none();
        let partials: Vec<&[Product]> = products.chunk_by(same_partial).collect();
        for alike in
            partials.chunk_by(|a, b| are_alike(a, b, |product| (product.input, product.tap)))
        {
            for partials in alike.chunks(SUMS_AT_ONCE) {
                let lane = |lane| {
                    let operands = partials[0].iter().map(|product| operand(lane, product));
                    Lane::of(operands.collect(), partials.len())
                };
                let mut lanes: Vec<_> = (0..outputs.lanes).map(lane).collect();
                add_inner_products(ops, &mut lanes, Order::SumBySum, &mut weight)?;
                for (k, products) in partials.iter().enumerate() {
                    for (lane, done) in lanes.iter_mut().enumerate() {
                        let mut sum = done.sums[k].take();
                        rotate(ops, &mut sum, turn(of, products[0].alignment))?;
                        merge(ops, &mut of_swap[outputs.place(lane, &products[0])], sum);
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

    fn sort(products: &Products, listed: &mut [Product]) {
        let at_once = outputs_at_once(products);
        listed.sort_by_key(|product| {
            // Equal rotations stand together.
            let turn = turn(products, product.alignment);
            let output = product.output;
            let partial = (of_product(product), turn, product.alignment.delta, output);
            (output / at_once, partial, product.input, product.tap)
        });
    }

    fn counts(products: &Products) -> OpCounts {
        let mut counts = OpCounts::default();
        for (kind, times) in products.kinds() {
            let partials = partials(products, kind);
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

    /// The partial sums of outputs made at once, of all lanes, are turned one after the other.
    fn turns_of_keys(products: &Products) -> u64 {
        let of_kind = |kind: &[Partial]| turns(products, kind).map(|(_, often)| often).sum();
        of_batches(products, of_kind)
    }

    /// The first of each input.
    fn turns_after_products(products: &Products) -> u64 {
        let at_once = outputs_at_once(products);
        let of_kind = |kind: &[Partial]| {
            let groups = rotated_groups(kind).into_iter();
            groups
                .map(|(partial, partials)| {
                    let chunks = (at_once * partials).div_ceil(SUMS_AT_ONCE);
                    products.inputs_of(partial) * chunks as u64
                })
                .sum()
        };
        of_batches(products, of_kind)
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
        // The outputs; of those at once, in each lane, the sums of an input and its partial sums; a rotation.
        let at_once = outputs_at_once(products).min(products.outputs());
        let partials = (at_once * most_partials(products)).min(SUMS_AT_ONCE);
        products.layout.output_ciphertexts() + (at_once + partials) * products.layout.lanes() + 1
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
        let (at_once, lanes) = (outputs_at_once(products), products.layout.lanes());
        let mut index = 0;
        let mut by_lane = vec![Vec::new(); lanes];
        for listed in listed.chunk_by(|a, b| a.output / at_once == b.output / at_once) {
            let first = listed[0].output / at_once * at_once;
            let outputs = Outputs {
                first,
                count: at_once.min(products.outputs() - first),
                lanes,
            };
            let next = || {
                index += 1;
                weight(index - 1)
            };
            let totals = compute((products, &outputs), ops, listed, operand, next)?;
            let mut totals = totals.into_iter();
            for of_lane in &mut by_lane {
                of_lane.extend(totals.by_ref().take(outputs.count).flatten());
            }
        }
        Ok(by_lane.into_iter().flatten().collect())
    }
}
