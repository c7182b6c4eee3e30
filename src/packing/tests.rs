//! Plans against the definition of their layer, and their counts against what runs.

use proptest::prelude::*;

use super::*;
use crate::bfv::{HeOp, HeOps};
use crate::network::{
    ConvParams, FcParams, LayerKind, Quantizer, Shape, Source, Step, StepKind, ValueRange,
};

const P: u64 = (1 << 61) - 1;

pub(super) fn conv(
    input: [usize; 3],
    out_channels: usize,
    kernel: usize,
    stride: usize,
) -> LinearShape {
    LinearShape::Conv(ConvShape {
        input: input.into(),
        out_channels,
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [kernel / 2; 2],
        dilation: [1, 1],
        groups: 1,
    })
}

/// y = W·x, the convolution sum, or y + w ⊙ x, from their definitions.
pub(super) fn naive(layer: &LinearShape, weights: &[i64], values: &[u64], p: u64) -> Vec<u64> {
    let reduce = |sum: i128| u64::try_from(sum.rem_euclid(i128::from(p))).unwrap();
    let product = |w: i64, x: u64| i128::from(w) * i128::from(x) % i128::from(p);
    let conv = match layer {
        LinearShape::Fc { inputs, .. } => {
            return weights
                .chunks(*inputs)
                .map(|row| reduce(row.iter().zip(values).map(|(&w, &x)| product(w, x)).sum()))
                .collect();
        }
        LinearShape::Square { values: count } => {
            let (x, y) = values.split_at(*count);
            let sums = weights.iter().zip(x).zip(y);
            return sums
                .map(|((&w, &x), &y)| reduce(product(w, x) + i128::from(y)))
                .collect();
        }
        LinearShape::Conv(conv) => conv,
    };
    let Shape {
        channels,
        height,
        width,
    } = conv.input;
    let [kernel_h, kernel_w] = conv.kernel;
    let out = conv.output().unwrap();
    let mut outputs = Vec::new();
    for o in 0..out.channels {
        for (y, x) in (0..out.height).flat_map(|y| (0..out.width).map(move |x| (y, x))) {
            let mut sum = 0;
            let read = channels / conv.groups;
            let first = o / (out.channels / conv.groups) * read;
            for (c, dy) in (0..read).flat_map(|c| (0..kernel_h).map(move |dy| (c, dy))) {
                for dx in 0..kernel_w {
                    let [down, across] = [dy * conv.dilation[0], dx * conv.dilation[1]];
                    let row = (y * conv.stride[0] + down).wrapping_sub(conv.padding[0]);
                    let column = (x * conv.stride[1] + across).wrapping_sub(conv.padding[1]);
                    if row < height && column < width {
                        let weight = ((o * read + c) * kernel_h + dy) * kernel_w + dx;
                        let value = ((first + c) * height + row) * width + column;
                        sum += product(weights[weight], values[value]);
                    }
                }
            }
            outputs.push(reduce(sum));
        }
    }
    outputs
}

/// Numbers that look random, from a seed.
fn noise(seed: u64) -> impl Iterator<Item = u64> {
    let step =
        move |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005) ^ (state >> 29));
    std::iter::successors(Some(seed | 1), step)
        .map(|x| x >> 3)
        .skip(3)
}

pub(super) fn values_of(layer: &LinearShape, seed: u64, p: u64) -> (Vec<i64>, Vec<u64>) {
    let weights = noise(seed)
        .take(layer.weights())
        .map(|x| x as i64 % 257 - 128);
    let values = noise(seed ^ 0xabcd).take(layer.inputs()).map(|x| x % p);
    (weights.collect(), values.collect())
}

/// A plan over windows: the same values, and the counts of the closed form.
fn check_windows(plan: &Plan, n: usize, windows: Windows, (weights, values): (&[i64], &[u64])) {
    let plain = PlainSlots::new(n, P);
    let ops = Windowed::new(&plain, windows);
    let inputs = plan.pack_input(values);
    let inputs = inputs.iter().map(|slots| windows.scaled(slots.clone()));
    let inputs: Vec<_> = inputs.map(WindowedCiphertext).collect();
    let weight = |index| ops.encode(&plan.weight_slots(weights, P, index));
    let outputs = plan.run_with(&ops, &inputs, weight).unwrap();
    let slots: Vec<_> = outputs.into_iter().flat_map(|output| output.0).collect();
    assert_eq!(slots.len(), plan.output_ciphertexts());
    let expected = naive(&plan.made_for().1, weights, values, P);
    assert_eq!(plan.unpack_output(&slots), expected);
    let counter = Counter::new(n);
    let inputs = vec![WindowedCiphertext(vec![(); windows.count()]); plan.input_ciphertexts()];
    let weight = |_| Ok(vec![(); windows.count()]);
    let ops = Windowed::new(&counter, windows);
    plan.run_with(&ops, &inputs, weight).unwrap();
    assert_eq!(windows.counts(plan.counts()), counter.counts());
}

/// Everything a plan promises, on one layer.
fn check(layer: &LinearShape, n: usize, seed: u64) {
    for plan in Plan::candidates(layer, n).unwrap() {
        let ops = PlainSlots::new(n, P);
        let (weights, values) = values_of(layer, seed, P);
        let encoded: Vec<_> = (0..plan.weight_count())
            .map(|index| ops.encode(&plan.weight_slots(&weights, P, index)).unwrap())
            .collect();
        let inputs = plan.pack_input(&values);
        assert_eq!(inputs.len(), plan.input_ciphertexts());
        let outputs = plan.run(&ops, &inputs, &encoded).unwrap();
        assert_eq!(outputs.len(), plan.output_ciphertexts());
        assert_eq!(
            plan.unpack_output(&outputs),
            naive(layer, &weights, &values, P)
        );
        check_counts(&plan, n);
        let windows = Windows::new(P, 1 + seed as usize % 3);
        check_windows(&plan, n, windows, (&weights, &values));
    }
}

/// Closed forms against the counter.
pub(super) fn check_counts(plan: &Plan, n: usize) {
    let counter = Counter::new(n);
    let inputs = vec![(); plan.input_ciphertexts()];
    let mut asked = 0;
    let weight = |index| {
        assert_eq!(index, asked);
        asked += 1;
        Ok(())
    };
    let outputs = plan.run_with(&counter, &inputs, weight).unwrap();
    assert_eq!(outputs.len(), plan.output_ciphertexts());
    assert_eq!(asked, plan.weight_count());
    assert_eq!(plan.counts(), counter.counts());
    assert_eq!(plan.rotation_counts(), counter.rotation_counts());
    let rotated: u64 = plan.rotation_counts().values().sum();
    assert_eq!(rotated, plan.key_switches());
    // An estimate: sums that share no ciphertexts are not made at once, and in small rings fewer of them are.
    let (turns, counted) = (plan.key_reads().turns, counter.turns_of_keys());
    assert!(turns <= plan.counts()[HeOp::Rotate]);
    assert!(turns * SUMS_AT_ONCE as u64 >= counted);
    let (after, counted) = (
        plan.key_reads().after_products,
        counter.turns_after_products(),
    );
    assert!(after <= turns && (after > 0) == (turns > 0));
    assert!(after * SUMS_AT_ONCE as u64 >= counted);
    // Tiles of an image share the plaintexts.
    let products = plan.counts()[HeOp::Hadamard] + plan.counts()[HeOp::MultiplyAccumulate];
    assert_eq!(products % plan.weight_count() as u64, 0);
}

/// The convolutions of `gazelle-cifar10`, 64 channels to 64, 3×3, and others with few outputs, or a last one that is not full.
#[test]
fn keys_are_turned_about_as_often_as_is_counted() {
    for (schedule, channels, side) in [
        ("conv_output_rotation", [64, 64], 32),
        ("conv_output_rotation", [64, 64], 16),
        ("conv_output_rotation", [64, 64], 8),
        ("conv_client_rotation", [64, 64], 32),
        ("conv_client_rotation", [64, 10], 32),
        ("conv_client_rotation", [64, 2], 64),
        ("conv_client_rotation", [36, 24], 8),
    ] {
        let [inputs, outputs] = channels;
        let layer = conv([inputs, side, side], outputs, 3, 1);
        let plan = Plan::named(schedule, &layer, 8192).unwrap();
        let counter = Counter::new(8192);
        let ciphertexts = vec![(); plan.input_ciphertexts()];
        plan.run_with(&counter, &ciphertexts, |_| Ok(())).unwrap();
        let told = plan.key_reads();
        for (told, counted) in [
            (told.turns, counter.turns_of_keys()),
            (told.after_products, counter.turns_after_products()),
        ] {
            let close = 2 * told >= counted && 2 * told <= 3 * counted;
            assert!(close, "{schedule} {channels:?} {side}: {told}, {counted}");
        }
    }
}

/// With weights that are all 1, no plaintext is zero: nothing needless is multiplied.
fn check_no_zero_plaintext(layer: &LinearShape, n: usize) {
    for plan in Plan::candidates(layer, n).unwrap() {
        let ones = vec![1; layer.weights()];
        for index in 0..plan.weight_count() {
            let slots = plan.weight_slots(&ones, P, index);
            assert!(slots.contains(&1), "{layer:?} n={n} plaintext {index}");
        }
    }
}

pub(super) fn any_fc() -> impl Strategy<Value = (LinearShape, usize)> {
    (1_u32..8, 1_usize..300, 1_usize..300, any::<bool>()).prop_map(
        |(log_n, inputs, outputs, small)| {
            let cut = if small { 20 } else { 300 };
            (
                LinearShape::fully_connected(inputs % cut + 1, outputs % cut + 1),
                1 << log_n,
            )
        },
    )
}

pub(super) fn any_square() -> impl Strategy<Value = (LinearShape, usize)> {
    (1_u32..9, 1_usize..600)
        .prop_map(|(log_n, values)| (LinearShape::Square { values }, 1 << log_n))
}

pub(crate) fn any_conv() -> impl Strategy<Value = (LinearShape, usize)> {
    let pair = |range: std::ops::Range<usize>| prop::array::uniform2(range);
    (
        1_usize..13,
        1_usize..13,
        pair(1..8),
        pair(1..5),
        pair(1..4),
        pair(0..4),
        (pair(1..3), 1_usize..5, any::<bool>()),
        0_u32..4,
    )
        .prop_filter_map(
            "no output",
            |(c_i, c_o, size, kernel, stride, padding, (dilation, groups, depthwise), spare)| {
                // Half of all layers have no groups; some of the others are depthwise.
                let groups = groups.saturating_sub(2).max(1);
                let (c_i, c_o) = match (groups, depthwise) {
                    (1, _) => (c_i, c_o),
                    (_, true) => (1, 1),
                    (_, false) => (c_i.div_ceil(3), c_o.div_ceil(3)),
                };
                let (c_i, c_o) = (c_i * groups, c_o * groups);
                let conv = ConvShape {
                    input: Shape::new(c_i, size[0], size[1]),
                    out_channels: c_o,
                    kernel,
                    stride,
                    padding,
                    dilation,
                    groups,
                };
                let out = conv.output().ok()?;
                let grid = [
                    size[0].max((out.height - 1) * stride[0] + 1),
                    size[1].max((out.width - 1) * stride[1] + 1),
                ];
                // From a quarter of a row for a channel to rows too short for it.
                let n = ((2 * (grid[0] * grid[1]).next_power_of_two()) << spare) / 4;
                let n = n.max(2);
                let layer = LinearShape::Conv(conv);
                // A layer where no weight meets an input has no plan; a test of its own shows it.
                Plan::new(&layer, n).ok()?;
                Some((layer, n))
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn fully_connected_is_a_matrix_product((layer, n) in any_fc(), seed: u64) {
        check(&layer, n, seed);
        check_no_zero_plaintext(&layer, n);
    }

    #[test]
    fn a_square_is_a_product_and_a_sum((layer, n) in any_square(), seed: u64) {
        check(&layer, n, seed);
        check_no_zero_plaintext(&layer, n);
    }

    #[test]
    fn convolution_is_a_convolution((layer, n) in any_conv(), seed: u64) {
        check(&layer, n, seed);
        check_no_zero_plaintext(&layer, n);
    }
}

/// Convolutions of many channels, in rings that hold from a few to many of them.
fn wide_conv() -> impl Strategy<Value = (LinearShape, usize)> {
    let pair = |range: std::ops::Range<usize>| prop::array::uniform2(range);
    let channels = (
        1_usize..40,
        1_usize..40,
        prop::sample::select(&[1_usize, 1, 2, 3, 8][..]),
    );
    let filter = (pair(1..6), pair(1..4), pair(0..3), pair(1..3));
    (channels, pair(1..12), filter, 6_u32..12).prop_filter_map(
        "no plan",
        |((c_i, c_o, groups), size, (kernel, stride, padding, dilation), log_n)| {
            let layer = LinearShape::Conv(ConvShape {
                input: Shape::new(c_i * groups, size[0], size[1]),
                out_channels: c_o * groups,
                kernel,
                stride,
                padding,
                dilation,
                groups,
            });
            Plan::new(&layer, 1 << log_n).ok()?;
            Some((layer, 1 << log_n))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn closed_forms_are_counted_by_the_run_of_wide_fully_connected_layers(
        inputs in 1_usize..3000, outputs in 1_usize..1500, log_n in 6_u32..12,
    ) {
        for plan in Plan::candidates(&LinearShape::fully_connected(inputs, outputs), 1 << log_n).unwrap() {
            check_counts(&plan, 1 << log_n);
        }
    }

    #[test]
    fn closed_forms_are_counted_by_the_run_of_wide_convolutions((layer, n) in wide_conv()) {
        for plan in Plan::candidates(&layer, n).unwrap() {
            check_counts(&plan, n);
        }
    }
}

#[test]
fn every_small_fully_connected_layer() {
    for (inputs, outputs) in (1..=10).flat_map(|i| (1..=10).map(move |o| (i, o))) {
        for n in [2, 4, 8, 16] {
            let layer = LinearShape::fully_connected(inputs, outputs);
            check(&layer, n, 7);
            check_no_zero_plaintext(&layer, n);
        }
    }
}

/// A size that is out of range.
const fn size(field: &'static str, value: usize, greatest: usize) -> PackingError {
    PackingError::Size {
        field,
        value,
        least: 1,
        greatest,
    }
}

#[test]
fn sizes_beyond_any_network_are_refused_by_name() {
    let fc = LinearShape::fully_connected;
    let none = size("number of inputs", 0, 1 << 31);
    assert_eq!(Plan::new(&fc(0, 2), 8), Err(none));
    assert_eq!(
        Plan::new(&fc(1 << 31, 1 << 31), 8),
        Err(size("number of weights", 1 << 62, 1 << 31))
    );
    let large = LinearShape::Conv(ConvShape {
        input: Shape::new(1 << 20, 1 << 20, 1 << 20),
        out_channels: 1 << 20,
        kernel: [1 << 20; 2],
        stride: [1; 2],
        padding: [1 << 19; 2],
        dilation: [1; 2],
        groups: 1,
    });
    let inputs = size("number of inputs", 1 << 60, 1 << 31);
    assert_eq!(Plan::new(&large, 8), Err(inputs.clone()));
    let request = PlanRequest {
        schedule: "conv_output_rotation".to_owned(),
        n: 8,
        layer: large,
    };
    assert_eq!(request.check(), Err(inputs));
    let nothing = size("number of values", 0, 1 << 31);
    let square = LinearShape::Square { values: 0 };
    assert_eq!(Plan::new(&square, 8), Err(nothing));
}

#[test]
fn every_refusal_has_its_name() {
    let fc = LinearShape::fully_connected;
    assert_eq!(
        Plan::new(&fc(2, 2), 12),
        Err(PackingError::RingDegree { n: 12 })
    );
    let (height, width, row) = (33, 32, 4);
    assert_eq!(
        Plan::new(&conv([1, height, width], 1, 3, 1), 2 * row),
        Err(PackingError::ImageTooLarge { height, width, row })
    );
    let mut shape = ConvShape {
        input: Shape::new(1, 1, 1),
        out_channels: 1,
        kernel: [1, 1],
        stride: [2, 2],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
    };
    assert_eq!(
        Plan::new(&LinearShape::Conv(shape), 64),
        Err(PackingError::Empty)
    );
    shape.groups = 2;
    let channels = [1, 1];
    assert_eq!(
        Plan::new(&LinearShape::Conv(shape), 64),
        Err(PackingError::Groups {
            groups: 2,
            channels
        })
    );
    (shape.groups, shape.stride) = (1, [0, 1]);
    let still = size("vertical stride", 0, 1 << 20);
    assert_eq!(Plan::new(&LinearShape::Conv(shape), 64), Err(still));
    (shape.stride, shape.kernel) = ([1, 1], [4, 1]);
    let geometry = PackingError::Geometry {
        height: 1,
        width: 1,
    };
    assert_eq!(Plan::new(&LinearShape::Conv(shape), 64), Err(geometry));
    assert!(matches!(
        FcHybrid::new(&LinearShape::Conv(shape), 64),
        Err(PackingError::WrongLayer {
            schedule: "fc_hybrid"
        })
    ));
    let slots = PackingError::SlotCount {
        expected: 8,
        given: 3,
    };
    assert_eq!(PlainSlots::new(8, 97).encode(&[0; 3]), Err(slots));
}

fn step(kind: StepKind, shape_in: [usize; 3], shape_out: [usize; 3]) -> Step {
    let range = ValueRange { low: 0, high: 1 };
    Step {
        name: "layer".to_owned(),
        layer: 0,
        inputs: vec![Source::Input],
        kind,
        shape_in: shape_in.into(),
        shape_out: shape_out.into(),
        range_in: range,
        range_out: range,
        domain: 0,
    }
}

#[test]
fn steps_become_plans() {
    let quantizer = Quantizer {
        input_bits: 8,
        weight_bits: 8,
    };
    let fc = StepKind::Linear(LayerKind::Fc(FcParams {
        outputs: 10,
        bias: true,
        quantizer,
        p_bits: None,
    }));
    let conv_kind = StepKind::Linear(LayerKind::Conv(ConvParams {
        out_channels: 5,
        kernel: [3, 3],
        stride: [2, 2],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
        bias: false,
        quantizer,
        p_bits: None,
    }));
    let plan = Plan::for_step(&step(fc.clone(), [3, 4, 4], [10, 1, 1]), 128).unwrap();
    assert_eq!(plan.made_for(), (128, LinearShape::fully_connected(48, 10)));
    assert_eq!(plan.schedule_name(), "fc_hybrid");
    let plan = Plan::for_step(&step(conv_kind, [3, 8, 8], [5, 4, 4]), 128).unwrap();
    assert_eq!(plan.made_for(), (128, conv([3, 8, 8], 5, 3, 2)));
    assert_eq!(plan.schedule_name(), "conv_output_rotation");
    assert_eq!(plan.key_switches(), 2 * 8 + 3);

    let plan = Plan::for_step(&step(StepKind::Square, [3, 4, 4], [3, 4, 4]), 128).unwrap();
    assert_eq!(plan.made_for(), (128, LinearShape::Square { values: 48 }));
    assert_eq!(plan.schedule_name(), "square");

    let (made, stated) = (Shape::new(10, 1, 1), Shape::new(9, 1, 1));
    assert_eq!(
        Plan::for_step(&step(fc, [3, 4, 4], [9, 1, 1]), 128),
        Err(PackingError::OutputShape { made, stated })
    );
    let step = step(StepKind::Flatten, [3, 4, 4], [48, 1, 1]);
    let not_linear = PackingError::NotLinear {
        step: "layer".to_owned(),
    };
    assert_eq!(Plan::for_step(&step, 128), Err(not_linear));
}

#[test]
fn a_plan_survives_a_file_and_a_false_one_does_not() {
    let square = LinearShape::Square { values: 70 };
    for layer in [
        LinearShape::fully_connected(5, 3),
        conv([3, 4, 4], 2, 3, 1),
        square,
    ] {
        let plan = Plan::new(&layer, 64).unwrap();
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        let schedule = |name| format!("\"schedule\":\"{name}\"");
        let other = text.replace(&schedule(plan.schedule_name()), &schedule("telepathy"));
        let error = serde_json::from_str::<Plan>(&other)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("no schedule is called `telepathy`"),
            "{error}"
        );
        assert!(serde_json::from_str::<Plan>(&text.replace("64", "65")).is_err());
    }
}
