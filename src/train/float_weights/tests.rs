//! Float weights and their files: whole, damaged, and held against a network.

use super::*;
use crate::network::{FcParams, Quantizer, Shape};
use proptest::prelude::*;

fn example() -> FloatWeights {
    let layer = |shape: &[usize], bias: &[f32]| FloatLayer {
        shape: shape.to_vec(),
        weight: (0..shape.iter().product())
            .map(|i: usize| i as f32 - 1.5)
            .collect(),
        bias: bias.to_vec(),
    };
    FloatWeights {
        layers: BTreeMap::from([
            ("a.b".to_owned(), layer(&[2, 3], &[0.5, -0.25])),
            ("c".to_owned(), layer(&[1, 2], &[])),
        ]),
        normalization: Normalization {
            mean: vec![0.25],
            deviation: vec![0.5],
        },
    }
}

fn network() -> NetworkParams {
    let fc = |outputs, bias| {
        LayerKind::Fc(FcParams {
            outputs,
            bias,
            quantizer: Quantizer {
                input_bits: 8,
                weight_bits: 8,
            },
            p_bits: None,
        })
    };
    let mut layers = NetworkParams::chain([fc(2, true), fc(1, false)]);
    layers[0].name = "a.b".to_owned();
    layers[1].name = "c".to_owned();
    NetworkParams {
        name: "test".to_owned(),
        input: Shape::new(3, 1, 1),
        layers,
    }
}

#[test]
fn a_file_gives_back_what_was_written() {
    let bytes = example().to_safetensors().unwrap();
    assert_eq!(bytes, example().to_safetensors().unwrap());
    assert_eq!(FloatWeights::from_safetensors(&bytes).unwrap(), example());
}

#[test]
fn weights_are_held_against_their_network() {
    example().check(&network()).unwrap();
    let refused = |change: fn(&mut FloatWeights)| {
        let mut weights = example();
        change(&mut weights);
        weights.check(&network()).unwrap_err().to_string()
    };
    let message = refused(|w| drop(w.layers.remove("c")));
    assert_eq!(
        message,
        "tensor `c.weight`: missing; expected one for this network"
    );
    let message = refused(|w| w.layers.get_mut("c").unwrap().bias.push(0.0));
    assert_eq!(message, "tensor `c.bias`: 1 values; expected 0");
    let message = refused(|w| w.layers.get_mut("c").unwrap().shape = vec![2, 1]);
    assert_eq!(
        message,
        "tensor `c.weight`: of shape [2, 1]; expected [1, 2]"
    );
    let message = refused(|w| {
        let layer = w.layers["c"].clone();
        w.layers.insert("d".to_owned(), layer);
    });
    assert_eq!(
        message,
        "tensor `d.weight`: unknown; expected none of this name"
    );
}

#[test]
fn tensors_that_do_not_fit_are_refused() {
    let refused = |change: fn(&mut FloatWeights)| {
        let mut weights = example();
        change(&mut weights);
        let bytes = weights.to_safetensors()?;
        FloatWeights::from_safetensors(&bytes).map(|_| ())
    };
    let message = |change| refused(change).unwrap_err().to_string();
    assert!(message(|w| w.normalization.deviation[0] = 0.0).contains("input.deviation"));
    assert!(message(|w| w.normalization.mean.clear()).contains("input.mean"));
    assert!(message(|w| w.layers.get_mut("c").unwrap().weight[1] = f32::NAN).contains("NaN"));
    assert!(message(|w| w.layers.get_mut("c").unwrap().bias = vec![0.0; 2]).contains("c.bias"));
    let short = refused(|w| w.layers.get_mut("c").unwrap().weight.truncate(1));
    assert!(matches!(short, Err(TrainError::WeightsFile { .. })));
}

#[test]
fn other_files_are_refused() {
    let other = safetensors::serialize(Vec::<(&str, TensorView<'_>)>::new(), None).unwrap();
    let message = FloatWeights::from_safetensors(&other)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("expected \"nass float weights 1\""),
        "{message}"
    );
}

#[test]
fn debugging_shows_no_weights() {
    let shown = format!("{:?}", example());
    assert!(shown.contains("FloatLayer([2, 3], 2 biases)") && !shown.contains("-1.5"));
}

proptest! {
    #[test]
    fn damaged_files_never_panic(at in 0_usize..300, byte: u8, cut in 0_usize..400) {
        let mut bytes = example().to_safetensors().unwrap();
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(cut.max(1));
        let _ = FloatWeights::from_safetensors(&bytes);
    }
}
