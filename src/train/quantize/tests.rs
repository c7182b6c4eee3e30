//! Exponents and integers against their definitions, on values worked out by hand.

use proptest::prelude::*;
use tch::{Device, nn::VarStore};

use super::*;
use crate::network::{FcParams, PoolParams, Quantizer, Shape, evaluate};
use crate::train::Normalization;

#[test]
fn exponents_are_those_of_the_next_power_of_two() {
    let given = [0.0, 1.0, 2.0, 3.0, 4.0, 0.5, 0.3, 1e-3];
    assert_eq!(given.map(ceil_log2), [0, 0, 1, 2, 2, -1, -1, -9]);
}

proptest! {
    #[test]
    fn the_percentile_is_that_of_the_sorted_values(
        parts in proptest::collection::vec(
            proptest::collection::vec(-10.0_f32..10.0, 1..1500), 1..4)
    ) {
        let total = parts.iter().map(Vec::len).sum();
        let mut greatest = Greatest::default();
        for part in &parts {
            greatest.watch(&Tensor::from_slice(part), total).unwrap();
        }
        let mut sorted: Vec<f32> = parts.concat().iter().map(|x| x.abs()).collect();
        sorted.sort_by(f32::total_cmp);
        let rank = (999 * total).div_ceil(1000);
        prop_assert_eq!(greatest.percentile(), f64::from(sorted[rank - 1]));
    }
}

fn fc(outputs: usize) -> LayerKind {
    LayerKind::Fc(FcParams {
        outputs,
        bias: true,
        quantizer: Quantizer {
            input_bits: 4,
            weight_bits: 5,
        },
        p_bits: None,
    })
}

fn chain(input: Shape, kinds: impl IntoIterator<Item = LayerKind>) -> NetworkParams {
    NetworkParams {
        name: "test".to_owned(),
        input,
        layers: NetworkParams::chain(kinds),
    }
}

fn floats(layers: &[(&str, &[f32], &[f32])]) -> FloatWeights {
    let layer = |(name, weight, bias): &(&str, &[f32], &[f32])| {
        let layer = FloatLayer {
            shape: vec![bias.len(), weight.len() / bias.len()],
            weight: weight.to_vec(),
            bias: bias.to_vec(),
        };
        ((*name).to_owned(), layer)
    };
    FloatWeights {
        layers: layers.iter().map(layer).collect(),
        normalization: Normalization {
            mean: vec![0.0],
            deviation: vec![1.0],
        },
    }
}

#[test]
fn weights_and_biases_are_rounded_at_their_scales() {
    let network = chain(Shape::new(2, 1, 1), [fc(2)]);
    let weights = floats(&[("fc1", &[3.0, -1.1, 0.124, 4.0], &[1.0, -0.02])]);
    let percentiles = Percentiles {
        input: 3.5,
        layers: vec![0.0],
    };
    let quantized = quantize(&network, &weights, &percentiles).unwrap();
    // 3.5 needs 2 bits, the sign one: 2^(2-3). 4 is 2^2, l_f - 1 = 4: 2^-2; 4 / 2^-2 = 16 is clamped.
    assert_eq!(quantized.input_exponent, -1);
    let layer = &quantized.layers["fc1"];
    assert_eq!(layer.exponent, -2);
    assert_eq!(layer.weight, [12, -4, 0, 15]);
    // Biases at 2^-3: 8, and -0.16 rounds to 0.
    assert_eq!(layer.bias, [8, 0]);
    network.resolve(Some(&quantized)).unwrap();
}

#[test]
fn an_activation_keeps_its_percentile_in_its_bits() {
    let network = chain(Shape::new(1, 1, 1), [fc(1), LayerKind::Relu, fc(1)]);
    let weights = floats(&[("fc1", &[1.0], &[0.0]), ("fc2", &[1.0], &[0.0])]);
    let exponent = |percentile| {
        let percentiles = Percentiles {
            input: 1.0,
            layers: vec![0.0, percentile, 0.0],
        };
        let quantized = quantize(&network, &weights, &percentiles).unwrap();
        network.resolve(Some(&quantized)).unwrap();
        quantized.activations["relu1"]
    };
    // Four bits without sign: 5 needs 3, so one is left below the point.
    assert_eq!(exponent(5.0), -1);
    assert_eq!(exponent(100.0), 3);
    // The accumulator's exponent is -3 - 4: no activation is finer; a dead one takes it.
    assert_eq!(exponent(1e-6), -7);
    assert_eq!(exponent(0.0), -7);
}

#[test]
fn linear_layers_in_a_row_get_a_signed_exponent() {
    let network = chain(Shape::new(1, 1, 1), [fc(1), fc(1)]);
    let weights = floats(&[("fc1", &[1.0], &[0.0]), ("fc2", &[1.0], &[0.0])]);
    let percentiles = Percentiles {
        input: 1.0,
        layers: vec![5.0, 0.0],
    };
    let quantized = quantize(&network, &weights, &percentiles).unwrap();
    assert_eq!(quantized.activations["fc2.requantize"], 0);
    network.resolve(Some(&quantized)).unwrap();
}

/// An average pool before a layer: the integers stay near the float network's result.
fn pooled(side: usize) -> (Weights, f64) {
    let pool = LayerKind::AvgPool(PoolParams {
        kernel: [side, side],
        stride: [side, side],
    });
    let network = chain(Shape::new(1, side, side), [pool, fc(1)]);
    let weights = floats(&[("fc1", &[1.0], &[0.0])]);
    let percentiles = Percentiles {
        input: 1.0,
        layers: vec![1.0, 1.0],
    };
    let quantized = quantize(&network, &weights, &percentiles).unwrap();
    let resolved = network.resolve(Some(&quantized)).unwrap();
    let image: Vec<i64> = (0..side * side).map(|i| (i % 8) as i64).collect();
    let real = |x: i64, exponent: i32| x as f64 * libm::exp2(f64::from(exponent));
    let mean = real(image.iter().sum(), quantized.input_exponent) / (side * side) as f64;
    let exponent =
        quantized.layers["fc1"].exponent + quantized.input_exponent - if side == 2 { 2 } else { 0 };
    let output = evaluate(&resolved, &quantized, &image).unwrap()[0];
    (quantized, real(output, exponent) / mean)
}

#[test]
fn pools_move_the_exponent_or_divide_the_weights() {
    let (weights, ratio) = pooled(2);
    assert_eq!(
        (
            weights.layers["fc1"].exponent,
            weights.layers["fc1"].weight[0]
        ),
        (-4, 15)
    );
    assert!((ratio - 15.0 / 16.0).abs() < 1e-12, "{ratio}");
    // 1/9 lies below 2^-3: exponent -3 - 4, and 2^7 / 9 rounds to 14.
    let (weights, ratio) = pooled(3);
    assert_eq!(
        (
            weights.layers["fc1"].exponent,
            weights.layers["fc1"].weight[0]
        ),
        (-7, 14)
    );
    assert!((ratio - 14.0 * 9.0 / 128.0).abs() < 1e-12, "{ratio}");
}

#[test]
fn percentiles_are_measured_on_every_layer() {
    let network = chain(Shape::new(1, 1, 1), [fc(1), LayerKind::Relu, fc(1)]);
    let weights = floats(&[("fc1", &[2.0], &[1.0]), ("fc2", &[1.0], &[0.0])]);
    let variables = VarStore::new(Device::Cpu);
    let model = Model::new(&network, &weights, &variables).unwrap();
    let batch = Tensor::from_slice(&[-3.0_f32, 2.0]).reshape([2, 1, 1, 1]);
    let found = Percentiles::measure(&model, &network, 2, std::iter::once(Ok(batch))).unwrap();
    assert_eq!(found.input, 3.0);
    assert_eq!(found.layers, [5.0, 5.0, 5.0]);
}

#[test]
fn weights_of_another_network_are_refused() {
    let network = chain(Shape::new(2, 1, 1), [fc(2)]);
    let percentiles = Percentiles {
        input: 1.0,
        layers: vec![1.0],
    };
    let message = quantize(&network, &floats(&[]), &percentiles).unwrap_err();
    assert_eq!(
        message.to_string(),
        "tensor `fc1.weight`: missing; expected one for this network"
    );
}
