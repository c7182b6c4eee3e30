//! The fast evaluator gives the integers of `network::evaluate` on random networks and images.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng, rngs::ChaCha8Rng};

use super::*;
use crate::network::{FcParams, LayerWeights, NetworkParams, Quantizer, Shape};

fn quantizer(rng: &mut impl Rng) -> Quantizer {
    Quantizer {
        input_bits: rng.random_range(2..10),
        weight_bits: rng.random_range(2..10),
    }
}

fn conv(rng: &mut impl Rng, out_channels: usize, same: bool) -> LayerKind {
    let half = [rng.random_range(0..2), rng.random_range(0..3)];
    let (stride, padding) = if same {
        ([1, 1], half)
    } else {
        let stride = [rng.random_range(1..3), rng.random_range(1..3)];
        (stride, [rng.random_range(0..2), rng.random_range(0..3)])
    };
    LayerKind::Conv(ConvParams {
        out_channels,
        kernel: half.map(|h| 2 * h + 1),
        stride,
        padding,
        dilation: [1, 1],
        groups: 1,
        bias: rng.random(),
        quantizer: quantizer(rng),
        p_bits: None,
    })
}

fn fc(rng: &mut impl Rng, outputs: usize) -> LayerKind {
    LayerKind::Fc(FcParams {
        outputs,
        bias: rng.random(),
        quantizer: quantizer(rng),
        p_bits: None,
    })
}

const fn pool(side: usize, stride: usize) -> PoolParams {
    PoolParams {
        kernel: [side, side],
        stride: [stride, stride],
    }
}

/// Convolutions, pools, a skip connection, two linear layers in a row.
fn random_network(rng: &mut impl Rng) -> NetworkParams {
    let channels = rng.random_range(1..4);
    let kinds = [
        conv(rng, channels, false),
        LayerKind::Relu,
        conv(rng, channels, true),
        LayerKind::Add,
        LayerKind::MaxPool(pool(2, 1)),
        LayerKind::Relu,
        LayerKind::AvgPool(pool(if rng.random() { 2 } else { 3 }, 1)),
        conv(rng, 3, true),
        LayerKind::AvgPool(pool(2, 2)),
        LayerKind::Flatten,
        fc(rng, 5),
        LayerKind::Relu,
        fc(rng, 4),
    ];
    let mut layers = NetworkParams::chain(kinds);
    layers[3].inputs = vec![Source::Layer(2), Source::Layer(1)];
    NetworkParams {
        name: "random".to_owned(),
        input: Shape::new(rng.random_range(1..4), rng.random_range(12..16), 13),
        layers,
    }
}

/// Random weights within their bits; exponents leave every re-quantization a small shift.
fn random_weights(network: &NetworkParams, rng: &mut impl Rng) -> Weights {
    let mut weights = Weights {
        input_exponent: rng.random_range(-8..0),
        layers: BTreeMap::new(),
        activations: BTreeMap::new(),
    };
    for shape in super::super::float_weights::linear_shapes(network).unwrap() {
        let mut layers = network.layers.iter();
        let layer = layers.find(|layer| layer.name == shape.name).unwrap();
        let limit = (1 << (layer.kind.quantizer().unwrap().weight_bits - 1)) - 1;
        let count = shape.weight.iter().product();
        let layer = LayerWeights {
            weight: (0..count)
                .map(|_| rng.random_range(-limit..=limit))
                .collect(),
            bias: (0..shape.biases)
                .map(|_| rng.random_range(-300..300))
                .collect(),
            exponent: rng.random_range(-6..0),
        };
        weights.layers.insert(shape.name.to_owned(), layer);
    }
    // An activation's exponent must not lie below its operand's: settle them in order.
    let structure = network.resolve(None).unwrap();
    let mut exponents: Vec<i32> = Vec::new();
    for step in &structure.steps {
        let exponent = |source: &Source| match source {
            Source::Input => weights.input_exponent,
            Source::Layer(index) => exponents[*index],
        };
        let x = exponent(&step.inputs[0]);
        let result = match &step.kind {
            StepKind::Linear(_) => x + weights.layers[&step.name].exponent,
            StepKind::SumPool(pool) if pool.window().is_power_of_two() => x - 2,
            StepKind::SumPool(_) | StepKind::Flatten => x,
            StepKind::Add(_) => x.min(exponent(&step.inputs[1])),
            StepKind::Square => 2 * x,
            StepKind::Argmax => 0,
            StepKind::Relu(_)
            | StepKind::Clip(..)
            | StepKind::Requantize(_)
            | StepKind::MaxPool(..) => {
                let exponent = x + rng.random_range(0..7);
                weights.activations.insert(step.name.clone(), exponent);
                exponent
            }
        };
        exponents.push(result);
    }
    weights
}

fn random_images(network: &ResolvedNetwork, count: usize, rng: &mut impl Rng) -> Vec<i64> {
    let range = network.input_range;
    (0..count * network.input.len())
        .map(|_| rng.random_range(range.low..=range.high))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn both_evaluators_agree_on_random_networks(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let network = random_network(&mut rng);
        let weights = random_weights(&network, &mut rng);
        let resolved = network.resolve(Some(&weights)).unwrap();
        prop_assert!(is_exact(&resolved));
        let images = random_images(&resolved, 3, &mut rng);
        let model = QuantizedModel::new(&resolved, &weights, Device::Cpu).unwrap();
        let expected: Vec<i64> = images
            .chunks_exact(resolved.input.len())
            .flat_map(|image| evaluate(&resolved, &weights, image).unwrap())
            .collect();
        prop_assert_eq!(model.outputs(&images).unwrap(), expected);
    }
}

/// One layer of `inputs` weights with the greatest values of `bits` bits.
fn extreme(inputs: usize, bits: u32) -> (ResolvedNetwork, Weights) {
    let quantizer = Quantizer {
        input_bits: bits,
        weight_bits: bits,
    };
    let layer = LayerKind::Fc(FcParams {
        outputs: 1,
        bias: true,
        quantizer,
        p_bits: None,
    });
    let network = NetworkParams {
        name: "extreme".to_owned(),
        input: Shape::new(inputs, 1, 1),
        layers: NetworkParams::chain([layer]),
    };
    let layer = LayerWeights {
        weight: vec![(1 << (bits - 1)) - 1; inputs],
        bias: vec![1],
        exponent: 0,
    };
    let weights = Weights {
        input_exponent: 0,
        layers: BTreeMap::from([("fc1".to_owned(), layer)]),
        activations: BTreeMap::new(),
    };
    (network.resolve(Some(&weights)).unwrap(), weights)
}

#[test]
fn the_greatest_values_are_exact_in_both_ways() {
    // 2^11 terms of 2^40 stay below 2^53; of 2^44 they don't, and the i64 evaluator takes over.
    for (bits, exact) in [(21, true), (23, false)] {
        let (network, weights) = extreme(1 << 11, bits);
        assert_eq!(is_exact(&network), exact);
        let image = vec![network.input_range.high; 1 << 11];
        let model = QuantizedModel::new(&network, &weights, Device::Cpu).unwrap();
        let term = i64::from((1 << (bits - 1)) - 1).pow(2);
        assert_eq!(model.outputs(&image).unwrap(), [(term << 11) + 1]);
    }
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let (network, mut weights) = extreme(4, 8);
    weights.layers.get_mut("fc1").unwrap().bias = vec![1 << 20];
    let refused = QuantizedModel::new(&network, &weights, Device::Cpu);
    assert!(matches!(refused, Err(TrainError::Network(_))));
}

#[test]
fn the_first_of_equals_counts() {
    let outputs = [3, 5, 5, 5, 5, 3, 1, 2, 3];
    assert_eq!(count_right(&outputs, &[1, 0, 2], 3), 3);
    assert_eq!(count_right(&outputs, &[2, 1, 1], 3), 0);
    assert_eq!(count_right(&outputs, &[9, 9, 9], 3), 0);
}
