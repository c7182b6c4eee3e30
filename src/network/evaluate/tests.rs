//! The evaluator against the definition of each step, and what it refuses.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::*;
use crate::network::layer::{FcParams, NetworkParams, Quantizer};
use crate::network::resolved::{Requantize, ValueRange};
use crate::network::zoo;

/// y[o, r, c] = bias[o] + Σ w[o, i, a, b] · x[g(o) + i, r·s + a·d − pad, c·s' + b·d' − pad'], outside x
/// is 0; g(o) is the first channel of the output's group.
fn convolution_by_definition(
    conv: &ConvParams,
    weights: &LayerWeights,
    (shape_in, shape_out): (Shape, Shape),
    x: &[i64],
) -> Vec<i64> {
    let at = |channel: usize, row: isize, column: isize| {
        let (height, width) = (shape_in.height as isize, shape_in.width as isize);
        if row < 0 || column < 0 || row >= height || column >= width {
            return 0;
        }
        x[(channel * shape_in.height + row as usize) * shape_in.width + column as usize]
    };
    let mut y = Vec::new();
    for output in 0..shape_out.channels {
        for row in 0..shape_out.height {
            for column in 0..shape_out.width {
                let mut sum = weights.bias.get(output).copied().unwrap_or(0);
                let read = shape_in.channels / conv.groups;
                let first = output / (shape_out.channels / conv.groups) * read;
                for channel in 0..read {
                    for a in 0..conv.kernel[0] {
                        for b in 0..conv.kernel[1] {
                            let index = ((output * read + channel) * conv.kernel[0] + a)
                                * conv.kernel[1]
                                + b;
                            let top = (row * conv.stride[0] + a * conv.dilation[0]) as isize;
                            let left = (column * conv.stride[1] + b * conv.dilation[1]) as isize;
                            let x = at(
                                first + channel,
                                top - conv.padding[0] as isize,
                                left - conv.padding[1] as isize,
                            );
                            sum += i64::from(weights.weight[index]) * x;
                        }
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

fn any_conv() -> impl Strategy<Value = (ConvParams, Shape)> {
    (
        1_usize..4,
        [1_usize..5, 1..5],
        [1_usize..4, 1..4],
        [0_usize..3, 0..3],
        [1_usize..3, 4..9, 4..9],
        ([1_usize..3, 1..3], 1_usize..4),
        any::<bool>(),
    )
        .prop_map(
            |(out, kernel, stride, padding, input, (dilation, groups), bias)| {
                let [read, height, width] = input;
                let input = [read * groups, height, width];
                let out_channels = out * groups;
                let quantizer = Quantizer {
                    input_bits: 5,
                    weight_bits: 4,
                };
                let conv = ConvParams {
                    out_channels,
                    kernel,
                    stride,
                    padding,
                    dilation,
                    groups,
                    bias,
                    quantizer,
                    p_bits: None,
                };
                (conv, Shape::from(input))
            },
        )
}

fn network(input: Shape, kinds: Vec<LayerKind>) -> NetworkParams {
    NetworkParams {
        name: "net".into(),
        input,
        layers: NetworkParams::chain(kinds),
    }
}

proptest! {
    #[test]
    fn convolutions_meet_their_definition((conv, shape) in any_conv(), seed in any::<u64>()) {
        let net = network(shape, vec![LayerKind::Conv(conv.clone())]);
        prop_assume!(net.shapes().is_ok());
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let weights = Weights::random(&net, &mut rng).unwrap();
        let resolved = net.resolve(Some(&weights)).unwrap();
        let x = resolved.random_input(&mut rng);
        let shapes = (shape, resolved.steps[0].shape_out);
        let expected = convolution_by_definition(&conv, &weights.layers["conv1"], shapes, &x);
        prop_assert_eq!(evaluate(&resolved, &weights, &x).unwrap(), expected);
    }

    #[test]
    fn requantization_rounds_halves_up_and_clamps(
        x in -1_000_000_i64..1_000_000, shift in 0_u32..16, bits in 2_u32..12, signed in any::<bool>(),
    ) {
        let rounded = (x as f64 / f64::from(1 << shift) + 0.5).floor();
        let (low, high) = if signed {
            (-f64::from(1 << (bits - 1)), f64::from((1 << (bits - 1)) - 1))
        } else {
            (0.0, f64::from((1 << bits) - 1))
        };
        // A shift of 0 adds nothing: floor(x + 0.5) = x.
        let requantize = Requantize { shift, output_bits: bits, signed };
        prop_assert_eq!(requantize.apply(x), rounded.clamp(low, high) as i64);
    }

    #[test]
    fn every_value_lies_in_its_range_and_domain(seed in any::<u64>()) {
        let toy = zoo::load("toy").unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let weights = Weights::random(&toy, &mut rng).unwrap();
        let resolved = toy.resolve(Some(&weights)).unwrap();
        let x = resolved.random_input(&mut rng);
        let values = evaluate_steps(&resolved, &weights, &x).unwrap();
        for (step, values) in resolved.steps.iter().zip(values) {
            prop_assert_eq!(values.len(), step.shape_out.len());
            for value in values {
                prop_assert!(step.range_out.low <= value && value <= step.range_out.high);
                prop_assert!(value.unsigned_abs() <= resolved.domains[step.domain].bound);
            }
        }
    }
}

#[test]
fn pools_additions_and_matrices_by_hand() {
    let pool = PoolParams {
        kernel: [2, 2],
        stride: [1, 2],
    };
    let shapes = (Shape::new(1, 3, 4), Shape::new(1, 2, 2));
    let x = [1, 2, 3, 4, 5, -6, 7, 8, 9, 10, 11, 12];
    let sum = over_windows(pool, shapes, &x, |window| window.sum());
    assert_eq!(sum, [2, 22, 18, 38]);
    let max = over_windows(pool, shapes, &x, |window| window.max().unwrap());
    assert_eq!(max, [5, 8, 10, 12]);
    let weights = LayerWeights {
        weight: vec![1, -2, 3, 0, 4, 5],
        bias: vec![100, -100],
        exponent: 0,
    };
    assert_eq!(
        multiply(&weights, &[7, 8, 9]),
        [7 - 16 + 27 + 100, 32 + 45 - 100]
    );
    let range = ValueRange::signed(8);
    let step = Step {
        name: "add".into(),
        layer: 0,
        inputs: vec![Source::Input, Source::Input],
        kind: StepKind::Add([0, 3]),
        shape_in: Shape::new(2, 1, 1),
        shape_out: Shape::new(2, 1, 1),
        range_in: range,
        range_out: range,
        domain: 0,
    };
    assert_eq!(run_step(&step, None, &[&[5, -5], &[1, -1]]), [13, -13]);
    let requantize = Requantize {
        shift: 2,
        output_bits: 4,
        signed: false,
    };
    let clip = Step {
        kind: StepKind::Clip(requantize, 6),
        ..step.clone()
    };
    // 1.5 rounds up, 6.25 down; 6.5 and more, and what is negative, is cut off.
    let clipped = run_step(&clip, None, &[&[6, 25, 26, 100, -9]]);
    assert_eq!(clipped, [2, 6, 6, 6, 0]);
    let argmax = Step {
        kind: StepKind::Argmax,
        ..step
    };
    for (x, place) in [([-7, 5, 5], 1), ([-1, -2, -1], 0), ([0, 0, 1], 2)] {
        assert_eq!(run_step(&argmax, None, &[&x]), [place]);
    }
}

#[test]
fn refuses_inputs_and_weights_that_do_not_fit() {
    let toy = zoo::load("toy").unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut weights = Weights::random(&toy, &mut rng).unwrap();
    let resolved = toy.resolve(Some(&weights)).unwrap();
    let mut x = resolved.random_input(&mut rng);
    let refusal = |weights: &Weights, x: &[i64]| {
        let error = evaluate(&resolved, weights, x).unwrap_err();
        error.to_string()
    };
    assert_eq!(refusal(&weights, &x[1..]), "127 input values; expected 128");
    x[3] = 8;
    assert_eq!(
        refusal(&weights, &x),
        "input value 3 is 8; expected -8 to 7"
    );
    x[3] = 7;
    let bound = resolved.steps[0].range_out.magnitude();
    weights.layers.get_mut("conv1").unwrap().bias[0] += 1_000_000;
    let refused = refusal(&weights, &x);
    assert!(refused.starts_with("layer `conv1`: sums of up to 1000"));
    assert!(refused.ends_with(&format!("expected at most {bound}, as resolved")));
    weights.layers.get_mut("conv1").unwrap().weight.pop();
    assert_eq!(
        refusal(&weights, &x),
        "tensor `conv1.weight` has shape [71]; expected [4, 2, 3, 3]"
    );
    weights.layers.remove("conv1");
    assert!(refusal(&weights, &x).starts_with("tensor `conv1.weight` is missing"));
}

#[test]
fn runs_the_cifar_network() {
    let network = zoo::load("gazelle-cifar10").unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let weights = Weights::random(&network, &mut rng).unwrap();
    let resolved = network.resolve(Some(&weights)).unwrap();
    let x = resolved.random_input(&mut rng);
    let y = evaluate(&resolved, &weights, &x).unwrap();
    assert_eq!(y.len(), 10);
    assert!(y.iter().any(|logit| *logit != y[0]));
}

/// Sums of 4 to −8, of which a square of 3 bits sees 2 and −4, and what reads the squares 4 and 16.
#[test]
fn squares_by_hand() {
    let quantizer = |input_bits| Quantizer {
        input_bits,
        weight_bits: 3,
    };
    let fc = |input_bits| {
        LayerKind::Fc(FcParams {
            outputs: 2,
            bias: true,
            quantizer: quantizer(input_bits),
            p_bits: None,
        })
    };
    let kinds = vec![fc(3), LayerKind::Square { input_bits: 3 }, fc(5)];
    let network = network(Shape::new(2, 1, 1), kinds);
    let layer = |weight: [i32; 4], bias: [i64; 2]| LayerWeights {
        weight: weight.to_vec(),
        bias: bias.to_vec(),
        exponent: 0,
    };
    let weights = Weights {
        input_exponent: 0,
        layers: [
            ("fc1".to_owned(), layer([2, 1, -3, 1], [-1, 0])),
            ("fc2".to_owned(), layer([1, -2, 3, 3], [0, 7])),
        ]
        .into(),
        activations: [("square1.requantize".to_owned(), 1)].into(),
    };
    let resolved = network.resolve(Some(&weights)).unwrap();
    let values = evaluate_steps(&resolved, &weights, &[3, -2]).unwrap();
    assert_eq!(values[0], [3, -11]);
    // Halves up: 3/2 to 2, and −11/2 to −5, which 3 bits cut to −4.
    assert_eq!(values[1], [2, -4]);
    assert_eq!(values[2], [4, 16]);
    assert_eq!(values[3], [4 - 32, 12 + 48 + 7]);
}
