//! Counts against published formulas and figures.

use std::collections::BTreeSet;

use super::tests::{check_counts, conv};
use super::*;
use crate::bfv::{HeOp, OpCounts};
use crate::network::Shape;

fn products(counts: &OpCounts) -> u64 {
    counts[HeOp::Hadamard] + counts[HeOp::MultiplyAccumulate]
}

fn same(input: [usize; 3], out_channels: usize, kernel: usize) -> ConvShape {
    ConvShape {
        input: input.into(),
        out_channels,
        kernel: [kernel; 2],
        stride: [1, 1],
        padding: [kernel / 2; 2],
        dilation: [1, 1],
        groups: 1,
    }
}

fn named(schedule: &str, conv: &ConvShape, n: usize) -> Plan {
    Plan::named(schedule, &LinearShape::Conv(*conv), n).unwrap()
}

/// One layer of Delphi's measurements at n = 8192.
struct Measured {
    size: usize,
    channels: [usize; 2],
    stride: usize,
    ciphertexts: [usize; 2],
    products: u64,
    rotations: u64,
    key_switches: u64,
}

/// The layers of ResNet32 and ResNet18 as Delphi's released code packs them: products, rotations, and key
/// switches with SEAL's keys for powers of two.
#[test]
fn client_rotation_has_delphis_counts() {
    let layer =
        |(size, c_i, c_o, stride), inputs, outputs, products, rotations, key_switches| Measured {
            size,
            channels: [c_i, c_o],
            stride,
            ciphertexts: [inputs, outputs],
            products,
            rotations,
            key_switches,
        };
    for layer in [
        layer((32, 3, 16, 1), 1, 2, 144, 14, 14),
        layer((32, 16, 16, 1), 2, 2, 288, 28, 28),
        layer((32, 16, 32, 2), 2, 4, 576, 56, 56),
        layer((16, 32, 32, 1), 1, 1, 288, 31, 47),
        layer((16, 32, 64, 2), 1, 2, 576, 62, 94),
        layer((8, 64, 64, 1), 1, 1, 576, 63, 135),
        layer((32, 3, 64, 1), 1, 8, 576, 56, 56),
        layer((32, 64, 64, 1), 8, 8, 4608, 448, 448),
        layer((32, 64, 128, 2), 8, 16, 9216, 896, 896),
        layer((16, 128, 128, 1), 4, 4, 4608, 496, 752),
        layer((16, 128, 256, 2), 4, 8, 9216, 992, 1504),
        layer((8, 256, 256, 1), 2, 2, 4608, 508, 1084),
        layer((8, 256, 512, 2), 2, 4, 9216, 1016, 2168),
        layer((4, 512, 512, 1), 1, 1, 4608, 511, 1423),
    ] {
        let [c_i, c_o] = layer.channels;
        let mut conv = same([c_i, layer.size, layer.size], c_o, 3);
        conv.stride = [layer.stride; 2];
        let plan = named("conv_client_rotation", &conv, 8192);
        assert_eq!(
            plan.input_ciphertexts(),
            9 * layer.ciphertexts[0],
            "{conv:?}"
        );
        assert_eq!(plan.output_ciphertexts(), layer.ciphertexts[1], "{conv:?}");
        assert_eq!(products(&plan.counts()), layer.products, "{conv:?}");
        assert_eq!(plan.counts()[HeOp::Rotate], layer.rotations, "{conv:?}");
        let switches = |policy| plan.key_switches_under(policy);
        assert_eq!(switches(KeyPolicy::EachRotation), layer.rotations);
        assert_eq!(
            switches(KeyPolicy::PowersOfTwo),
            layer.key_switches,
            "{conv:?}"
        );
        // SEAL's elements at n = 8192, one of ±2^11 for both signs.
        assert_eq!(plan.keys_under(KeyPolicy::PowersOfTwo).len(), 24);
    }
}

/// Gazelle's table 3 (section 4.2), one window: output and input rotation of full ciphertexts.
#[test]
fn rotation_schedules_have_gazelles_counts() {
    for (n, size, c_i, c_o, kernel) in [
        (2048, 16, 8, 8, 3),
        (2048, 8, 64, 32, 3),
        (4096, 16, 32, 16, 5),
        (4096, 8, 64, 128, 1),
    ] {
        let conv = same([c_i, size, size], c_o, kernel);
        let c_n = n / (size * size);
        let [i, o] = [c_i, c_o].map(|channels| (channels / c_n) as u64);
        let (c_n, f) = (c_n as u64, (kernel * kernel) as u64);
        let plan = named("conv_output_rotation", &conv, n);
        let counts = plan.counts();
        assert_eq!(counts[HeOp::Decompose], if f > 1 { i } else { 0 });
        assert_eq!(counts[HeOp::HoistedRotate], i * (f - 1));
        assert_eq!(counts[HeOp::Rotate], o * (c_n - 1));
        assert_eq!(products(&counts), i * o * c_n * f);
        let plan = named("conv_input_rotation", &conv, n);
        let counts = plan.counts();
        assert_eq!(counts[HeOp::Decompose], i);
        assert_eq!(counts[HeOp::HoistedRotate], i * (c_n * f - 1));
        assert_eq!(counts[HeOp::Rotate], 0);
        assert_eq!(products(&counts), i * o * c_n * f);
        assert_eq!(plan.rotations().len() as u64, c_n * f - 1);
    }
    // One channel: F products of F − 1 rotations.
    let counts = named("conv_output_rotation", &same([1, 28, 28], 1, 5), 2048).counts();
    assert_eq!(counts[HeOp::HoistedRotate], 24);
    assert_eq!(products(&counts), 25);
    assert_eq!(counts[HeOp::Rotate], 0);
}

#[test]
fn depthwise_layers_align_nothing_and_groups_only_their_own_channels() {
    let mut conv = same([64, 16, 16], 64, 3);
    conv.groups = 64;
    let counts = named("conv_output_rotation", &conv, 4096).counts();
    assert_eq!(counts[HeOp::Decompose], 4);
    assert_eq!(counts[HeOp::HoistedRotate], 4 * 8);
    assert_eq!(products(&counts), 4 * 9);
    assert_eq!(counts[HeOp::Rotate], 0);
    // 16 channels in one ciphertext, 8 in a row: groups of 4 meet in 4 places of the cycle.
    let mut conv = same([16, 16, 16], 16, 3);
    conv.groups = 4;
    let counts = named("conv_output_rotation", &conv, 4096).counts();
    assert_eq!(products(&counts), 4 * 9);
    assert_eq!(counts[HeOp::Rotate], 3);
    conv.groups = 1;
    let counts = named("conv_output_rotation", &conv, 4096).counts();
    assert_eq!(products(&counts), 16 * 9);
}

/// A decimated 3×3 filter of stride 2 has ⌈3/2⌉² taps at most, and channels a quarter as large.
#[test]
fn decimation_divides_the_work_of_a_stride() {
    let mut conv = same([64, 32, 32], 64, 3);
    conv.stride = [2, 2];
    let discarded = named("conv_output_rotation", &conv, 8192).counts();
    let decimated = named("conv_output_rotation_decimated", &conv, 8192).counts();
    assert_eq!(products(&discarded), 8 * 8 * 8 * 9);
    // Phases (0,0), (0,1), (1,0), (1,1) read 1, 2, 2 and 4 taps; two ciphertexts hold one phase.
    assert_eq!(products(&decimated), 2 * 2 * 32 * 9);
    assert_eq!(decimated[HeOp::Rotate], 2 * 31);
    // A 1×1 filter reads one phase: the others are not sent.
    let mut project = same([64, 32, 32], 128, 1);
    project.stride = [2, 2];
    let plan = named("conv_output_rotation_decimated", &project, 8192);
    assert_eq!(plan.input_ciphertexts(), 2);
    assert_eq!(
        named("conv_output_rotation", &project, 8192).input_ciphertexts(),
        8
    );
}

/// A channel of more slots than a row: tiles in both rows, plaintexts shared.
#[test]
fn large_images_are_cut_into_tiles() {
    let conv = same([3, 64, 64], 4, 3);
    let plan = named("conv_output_rotation", &conv, 4096);
    // 64×64 slots in rows of 2048: two tiles of 32 rows do not fit with their halo, three do.
    assert_eq!(plan.input_ciphertexts(), 2 * 3);
    assert_eq!(plan.output_ciphertexts(), 2 * 4);
    assert_eq!(plan.weight_count(), 3 * 4 * 9);
    assert_eq!(products(&plan.counts()), 2 * 3 * 4 * 9);
    assert_eq!(plan.counts()[HeOp::Rotate], 0);
}

/// Baby steps and giant steps: about 2·√R rotations in place of R − 1.
#[test]
fn baby_steps_and_giant_steps_split_the_diagonals() {
    for (layer, n, baby, giants, folds) in [
        ((1024, 1024), 4096, 20, 12, 2),
        ((2048, 2048), 2048, 64, 31, 0),
        ((512, 128), 2048, 8, 3, 4),
    ] {
        let layer = LinearShape::fully_connected(layer.0, layer.1);
        let plan = Plan::named("fc_bsgs", &layer, n).unwrap();
        let hybrid = Plan::named("fc_hybrid", &layer, n).unwrap();
        let counts = plan.counts();
        assert_eq!(counts[HeOp::HoistedRotate], baby - 1, "{layer:?}");
        assert_eq!(counts[HeOp::Rotate], giants + folds, "{layer:?}");
        assert_eq!(products(&counts), products(&hybrid.counts()));
    }
    let layer = LinearShape::fully_connected(128, 128);
    let counts = Plan::named("fc_diagonal", &layer, 2048).unwrap().counts();
    assert_eq!(counts[HeOp::HoistedRotate], 127);
    assert_eq!(products(&counts), 128);
    assert_eq!(counts[HeOp::Rotate], 0);
    let counts = Plan::named("fc_naive", &layer, 2048).unwrap().counts();
    assert_eq!((counts[HeOp::Rotate], products(&counts)), (128 * 7, 128));
}

#[test]
fn encoded_weights_have_their_bytes() {
    let plan = named("conv_output_rotation", &same([16, 16, 16], 16, 3), 4096);
    assert_eq!(plan.weight_bytes(2).0, 144 * 4096 * 2 * 8);
    assert_eq!(Shape::new(16, 16, 16).len(), 4096);
}

/// Gazelle's and DELPHI's `square.cpp`: for each n values two ciphertexts go up and one comes down, by one product
/// and one sum.
#[test]
fn a_square_has_gazelles_counts() {
    for (values, n, ciphertexts) in [
        (128, 2048, 1),
        (2048, 2048, 1),
        (2049, 2048, 2),
        (65_536, 8192, 8),
    ] {
        let plan = Plan::named("square", &LinearShape::Square { values }, n).unwrap();
        assert_eq!(plan.input_ciphertexts(), 2 * ciphertexts);
        assert_eq!(plan.output_ciphertexts(), ciphertexts);
        assert_eq!(plan.weight_count(), ciphertexts);
        let counts: Vec<_> = plan.counts().iter().collect();
        let each = ciphertexts as u64;
        assert_eq!(counts, [(HeOp::Add, each), (HeOp::Hadamard, each)]);
        assert!(plan.rotations().is_empty());
    }
}

fn count(layer: &LinearShape, n: usize, ops: &[HeOp]) -> u64 {
    let plan = Plan::new(layer, n).unwrap();
    check_counts(&plan, n);
    ops.iter().map(|&op| plan.counts()[op]).sum()
}

const PRODUCTS: [HeOp; 2] = [HeOp::Hadamard, HeOp::MultiplyAccumulate];

/// Gazelle's hybrid: R = n_o'·n_i'/n, R − 1 hoisted rotations, lg(n_i'/R) full ones.
#[test]
fn hybrid_counts_are_gazelles() {
    // (n_i, n_o, n, R, lg(n_i'/R)); the first is the 10x1024 example of NASS, rows padded to 16.
    for (inputs, outputs, n, diagonals, folds) in [
        (1024, 10, 1024, 16, 6),
        (2048, 1, 2048, 1, 11),
        (2048, 128, 2048, 128, 4),
        (100, 10, 2048, 1, 7),
        (512, 512, 4096, 64, 3),
        (1024, 1024, 1024, 1024, 0),
    ] {
        let layer = LinearShape::fully_connected(inputs, outputs);
        assert_eq!(count(&layer, n, &[HeOp::HoistedRotate]), diagonals - 1);
        assert_eq!(
            count(&layer, n, &[HeOp::Decompose]),
            u64::from(diagonals > 1)
        );
        assert_eq!(count(&layer, n, &PRODUCTS), diagonals);
        assert_eq!(count(&layer, n, &[HeOp::Rotate]), folds);
        assert_eq!(count(&layer, n, &[HeOp::Add]), folds);
    }
}

/// Blocks share one fold, groups share the rotated inputs.
#[test]
fn large_fully_connected_layers_share() {
    let layer = LinearShape::fully_connected(4096, 16);
    assert_eq!(count(&layer, 1024, &PRODUCTS), 4 * 16);
    assert_eq!(count(&layer, 1024, &[HeOp::Decompose]), 4);
    assert_eq!(count(&layer, 1024, &[HeOp::HoistedRotate]), 4 * 15);
    assert_eq!(count(&layer, 1024, &[HeOp::Rotate]), 6);
    let layer = LinearShape::fully_connected(64, 300);
    assert_eq!(count(&layer, 128, &[HeOp::HoistedRotate]), 63);
    assert_eq!(count(&layer, 128, &PRODUCTS), 64 + 64 + 32);
}

/// Delphi's layout at n = 8192 (ResNet layers): products and alignment rotations. Delphi aligns the
/// partial sums of each input ciphertext, this schedule their sum over inputs.
#[test]
fn convolution_counts_are_delphis() {
    for (size, c_i, c_o, stride, products, rotations) in [
        (32, 3, 16, 1, 144, 14),
        (32, 16, 16, 1, 288, 28),
        (32, 16, 32, 2, 576, 56),
        (16, 32, 32, 1, 288, 31),
        (16, 32, 64, 2, 576, 62),
        (8, 64, 64, 1, 576, 63),
        (32, 3, 64, 1, 576, 56),
        (32, 64, 64, 1, 4608, 448),
        (16, 128, 128, 1, 4608, 496),
        (8, 256, 256, 1, 4608, 508),
        (4, 512, 512, 1, 4608, 511),
    ] {
        let layer = conv([c_i, size, size], c_o, 3, stride);
        let per_ciphertext = 8192 / (size * size);
        let inputs = c_i.div_ceil(per_ciphertext) as u64;
        assert_eq!(count(&layer, 8192, &PRODUCTS), products);
        assert_eq!(count(&layer, 8192, &[HeOp::Rotate]), rotations / inputs);
        assert_eq!(count(&layer, 8192, &[HeOp::HoistedRotate]), inputs * 8);
        assert_eq!(count(&layer, 8192, &[HeOp::Decompose]), inputs);
        // Taps, one block on, the swap where both rows are used: not one key for each alignment.
        let swap = usize::from(c_o > per_ciphertext / 2);
        let keys = Plan::new(&layer, 8192).unwrap().rotations().len();
        assert_eq!(keys, 8 + 1 + swap);
    }
}

#[test]
fn one_by_one_convolutions_only_align() {
    let layer = conv([16, 8, 8], 32, 1, 1);
    assert_eq!(count(&layer, 1024, &PRODUCTS), 32);
    assert_eq!(count(&layer, 1024, &[HeOp::Rotate]), 2 * 15);
    assert_eq!(
        count(&layer, 1024, &[HeOp::Decompose, HeOp::HoistedRotate]),
        0
    );
}

#[test]
fn few_channels_align_only_where_they_meet() {
    // 2 channels to 2 channels of 32 places in a row: blocks -1, 0 and 1.
    let layer = conv([2, 4, 4], 2, 1, 1);
    assert_eq!(count(&layer, 1024, &PRODUCTS), 3);
    assert_eq!(count(&layer, 1024, &[HeOp::Rotate]), 2);
    let rotations: BTreeSet<_> = [16, 512 - 16].map(crate::bfv::Rotation::rows).into();
    assert_eq!(Plan::new(&layer, 1024).unwrap().rotations(), rotations);
}
