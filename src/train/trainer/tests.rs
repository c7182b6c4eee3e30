//! Short trainings on the drawn dataset; real datasets where `NASS_DATA` names their folder.

use super::*;
use crate::network::{
    ConvParams, FcParams, LayerKind, NetworkError, PoolParams, Quantizer, evaluate,
};
use crate::train::{DatasetSource, Schedule, SyntheticSettings};

const QUANTIZER: Quantizer = Quantizer {
    input_bits: 6,
    weight_bits: 6,
};

fn conv(out_channels: usize, side: usize) -> LayerKind {
    LayerKind::Conv(ConvParams {
        out_channels,
        kernel: [side, side],
        stride: [1, 1],
        padding: [side / 2, side / 2],
        dilation: [1, 1],
        groups: 1,
        bias: true,
        quantizer: QUANTIZER,
        p_bits: None,
    })
}

fn fc(outputs: usize) -> LayerKind {
    LayerKind::Fc(FcParams {
        outputs,
        bias: true,
        quantizer: QUANTIZER,
        p_bits: None,
    })
}

const POOL: PoolParams = PoolParams {
    kernel: [2, 2],
    stride: [2, 2],
};

/// Two convolutions with pools, two fully connected layers (LeCun et al. 1998).
fn lenet(input: Shape, widths: [usize; 3]) -> NetworkParams {
    let kinds = [
        conv(widths[0], 5),
        LayerKind::Relu,
        LayerKind::AvgPool(POOL),
        conv(widths[1], 5),
        LayerKind::Relu,
        LayerKind::MaxPool(POOL),
        LayerKind::Flatten,
        fc(widths[2]),
        LayerKind::Relu,
        fc(10),
    ];
    NetworkParams {
        name: "lenet".to_owned(),
        input,
        layers: NetworkParams::chain(kinds),
    }
}

fn synthetic(train: usize) -> Trainer {
    let settings = SyntheticSettings {
        train,
        test: 200,
        ..SyntheticSettings::default()
    };
    let dataset = Dataset::load(&DatasetSource::Synthetic(settings), 1).unwrap();
    Trainer::new(dataset, 2).unwrap()
}

fn small() -> NetworkParams {
    lenet(Shape::new(1, 16, 16), [4, 8, 32])
}

#[test]
fn a_short_training_beats_chance_clearly() {
    let trainer = synthetic(1500);
    let mut losses = Vec::new();
    let settings = TrainSettings {
        batch: 32,
        ..TrainSettings::default()
    };
    let floats = trainer
        .train_observed(&small(), &settings, 3, &mut |epoch| losses.push(epoch))
        .unwrap();
    let weights = trainer.quantize(&small(), &floats).unwrap();
    let resolved = small().resolve(Some(&weights)).unwrap();
    let float = trainer
        .float_accuracy(&small(), &floats, Split::Test)
        .unwrap();
    let quantized = trainer.accuracy(&resolved, &weights, Split::Test).unwrap();
    println!("losses {losses:?}, float {float}, quantized {quantized}");
    assert_eq!(losses.len(), 3);
    assert!(losses[2].loss < losses[0].loss);
    assert!(float > 0.5 && quantized > 0.45, "{float} {quantized}");
}

/// The accuracy by `network::evaluate`, one image after the other.
fn slow_accuracy(trainer: &Trainer, network: &ResolvedNetwork, weights: &Weights) -> f64 {
    let dataset = trainer.dataset();
    let tables = dataset
        .normalization
        .integers(weights.input_exponent, network.input_range);
    let plane = network.input.height * network.input.width;
    let right = (0..dataset.test.len()).filter(|index| {
        let pixels = dataset.test.image(*index).iter().enumerate();
        let image: Vec<i64> = pixels
            .map(|(i, byte)| tables[i / plane][usize::from(*byte)])
            .collect();
        let outputs = evaluate(network, weights, &image).unwrap();
        let mut best = 0;
        for class in 1..outputs.len() {
            if outputs[class] > outputs[best] {
                best = class;
            }
        }
        best == usize::from(dataset.test.labels()[*index])
    });
    right.count() as f64 / dataset.test.len() as f64
}

fn short(epochs: u32, images: usize) -> TrainSettings {
    TrainSettings {
        epochs,
        images: Some(images),
        ..TrainSettings::default()
    }
}

#[test]
fn quantized_accuracy_is_that_of_the_plain_evaluator() {
    let trainer = synthetic(400);
    let floats = trainer.train(&small(), &short(1, 200), 5).unwrap();
    let weights = trainer.quantize(&small(), &floats).unwrap();
    let resolved = small().resolve(Some(&weights)).unwrap();
    let fast = trainer.accuracy(&resolved, &weights, Split::Test).unwrap();
    assert_eq!(fast, slow_accuracy(&trainer, &resolved, &weights));
}

#[test]
fn the_same_seed_trains_the_same_weights() {
    let trainer = synthetic(200);
    for optimizer in [Optimizer::Adam, Optimizer::Sgd { momentum: 0.9 }] {
        let settings = TrainSettings {
            optimizer,
            schedule: Schedule::Constant,
            learning_rate: 1e-3,
            ..short(2, 100)
        };
        let train = |seed| trainer.train(&small(), &settings, seed).unwrap();
        assert_eq!(train(1), train(1));
        assert_ne!(train(1), train(2));
    }
}

#[test]
fn fine_quantizers_lose_nothing_and_coarse_ones_do() {
    let trainer = synthetic(600);
    let floats = trainer.train(&small(), &short(2, 540), 5).unwrap();
    let float = trainer
        .float_accuracy(&small(), &floats, Split::Test)
        .unwrap();
    let accuracy = |bits| {
        let mut network = small();
        for layer in &mut network.layers {
            if let LayerKind::Conv(ConvParams { quantizer, .. })
            | LayerKind::Fc(FcParams { quantizer, .. }) = &mut layer.kind
            {
                *quantizer = Quantizer {
                    input_bits: bits,
                    weight_bits: bits,
                };
            }
        }
        let weights = trainer.quantize(&network, &floats).unwrap();
        let resolved = network.resolve(Some(&weights)).unwrap();
        trainer.accuracy(&resolved, &weights, Split::Test).unwrap()
    };
    let fine = accuracy(12);
    assert!((fine - float).abs() <= 0.02, "{fine} {float}");
    assert!(accuracy(2) < fine);
}

#[test]
fn networks_that_do_not_fit_are_refused() {
    let trainer = synthetic(100);
    let train = |network: &NetworkParams, settings: &TrainSettings| {
        trainer.train(network, settings, 0).unwrap_err()
    };
    let wide = lenet(Shape::new(1, 20, 16), [4, 8, 32]);
    let message = train(&wide, &short(1, 10)).to_string();
    assert_eq!(
        message,
        "the network's input is 1x20x16; expected the dataset's 1x16x16"
    );
    let mut many = small();
    many.layers[9].kind = fc(11);
    let message = train(&many, &short(1, 10)).to_string();
    assert_eq!(
        message,
        "the network has 11 outputs; expected one a class, 10"
    );
    let mut empty = small();
    empty.layers.clear();
    assert!(matches!(
        train(&empty, &short(1, 10)),
        TrainError::Network(NetworkError::NoLayers { .. })
    ));
    assert!(matches!(
        train(&small(), &short(0, 10)),
        TrainError::Setting {
            field: "epochs",
            ..
        }
    ));
    let fast = TrainSettings {
        learning_rate: 1e30,
        ..short(3, 100)
    };
    assert!(matches!(
        train(&small(), &fast),
        TrainError::Diverged { .. }
    ));
    assert!(matches!(
        Trainer::new(trainer.dataset().clone(), 0),
        Err(TrainError::Setting {
            field: "threads",
            ..
        })
    ));
}

#[test]
fn what_libtorch_refuses_is_an_error() {
    let refused = Tensor::from_slice(&[1.0_f32, 2.0]).f_reshape([3]);
    let error = TrainError::from(refused.unwrap_err());
    assert!(error.to_string().starts_with("libtorch: "));
}

/// A dataset of the folder `NASS_DATA`, if that is set.
fn real(name: &str) -> Option<Trainer> {
    let Some(folder) = std::env::var_os("NASS_DATA") else {
        println!("skipped: NASS_DATA does not name a folder of datasets");
        return None;
    };
    let folder = std::path::Path::new(&folder).join(name);
    let dataset = Dataset::load(&DatasetSource::Folder(folder), 1).unwrap();
    Some(Trainer::new(dataset, 2).unwrap())
}

fn real_accuracy(trainer: &Trainer, settings: &TrainSettings) -> f64 {
    let network = lenet(trainer.dataset().shape(), [6, 16, 84]);
    let floats = trainer.train(&network, settings, 1).unwrap();
    let weights = trainer.quantize(&network, &floats).unwrap();
    let resolved = network.resolve(Some(&weights)).unwrap();
    let float = trainer
        .float_accuracy(&network, &floats, Split::Test)
        .unwrap();
    let accuracy = trainer.accuracy(&resolved, &weights, Split::Test).unwrap();
    println!("float {float}, quantized {accuracy}");
    accuracy
}

#[test]
fn fashion_mnist_is_learnt_from_ten_thousand_images() {
    if let Some(trainer) = real("fashion-mnist") {
        assert!(real_accuracy(&trainer, &short(1, 10_000)) > 0.75);
    }
}

#[test]
fn mnist_is_learnt_in_three_epochs() {
    if let Some(trainer) = real("mnist") {
        assert!(real_accuracy(&trainer, &short(3, 20_000)) > 0.95);
    }
}
