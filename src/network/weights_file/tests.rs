//! Round trips, and every way a file of weights can be wrong.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::*;
use crate::network::zoo;

fn toy() -> (NetworkParams, Weights) {
    let network = zoo::load("toy").unwrap();
    let weights = Weights::random(&network, &mut ChaCha20Rng::seed_from_u64(5)).unwrap();
    (network, weights)
}

/// A file with tensors given by name, type, shape and bytes.
fn file(tensors: &[(&str, Dtype, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).unwrap();
        (*name, view)
    });
    let metadata = HashMap::from([(FORMAT.to_owned(), "1 toy".to_owned())]);
    safetensors::serialize(views, Some(metadata)).unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    let error = Weights::from_safetensors(bytes, &toy().0).unwrap_err();
    error.to_string()
}

#[test]
fn weights_survive_their_file_and_always_give_the_same_bytes() {
    let (network, weights) = toy();
    let bytes = weights.to_safetensors(&network).unwrap();
    assert_eq!(
        Weights::from_safetensors(&bytes, &network),
        Ok(weights.clone())
    );
    assert_eq!(weights.to_safetensors(&network), Ok(bytes));
}

#[test]
fn weights_that_do_not_fit_are_not_written() {
    let (network, weights) = toy();
    let refusal = |change: &dyn Fn(&mut Weights)| {
        let mut weights = weights.clone();
        change(&mut weights);
        weights.to_safetensors(&network).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(&|w| w.layers.get_mut("fc1").unwrap().weight[3] = 8),
        "tensor `fc1.weight`, element 3: 8; expected -7 to 7"
    );
    assert_eq!(
        refusal(&|w| w.layers.get_mut("fc1").unwrap().bias.clear()),
        "tensor `fc1.bias` has shape [0]; expected [5]"
    );
    assert_eq!(
        refusal(&|w| w.layers.get_mut("conv2").unwrap().weight.clear()),
        "tensor `conv2.weight` has shape [0]; expected [4, 4, 3, 3]"
    );
    assert_eq!(
        refusal(&|w| w.input_exponent = 1001),
        "tensor `input.exponent`, element 0: 1001; expected -1000 to 1000"
    );
    let missing = refusal(&|w| drop(w.layers.remove("conv1")));
    assert!(missing.starts_with("tensor `conv1.weight` is missing"));
    let layer = weights.layers["fc1"].clone();
    let unknown = refusal(&|w| drop(w.layers.insert("fc9".into(), layer.clone())));
    assert!(unknown.starts_with("tensor `fc9.weight` is unknown"));
}

#[test]
fn files_of_something_else_are_refused() {
    assert!(refusal(b"PK").starts_with("not a safetensors file: "));
    let (network, weights) = toy();
    let bytes = weights.to_safetensors(&network).unwrap();
    assert!(refusal(&bytes[..bytes.len() - 1]).starts_with("not a safetensors file: "));
    let mut other = network.clone();
    other.name = "other".into();
    assert_eq!(
        Weights::from_safetensors(&bytes, &other)
            .unwrap_err()
            .to_string(),
        "metadata field `nass_weights` is `1 toy`; expected `1 other`"
    );
}

#[test]
fn tensors_are_checked_one_by_one() {
    let exponent = |name| (name, Dtype::I32, vec![1], vec![0; 4]);
    assert_eq!(
        refusal(&file(&[])),
        "tensor `input.exponent` is missing; expected one for this network"
    );
    let input = exponent("input.exponent");
    let weight = |dtype, shape: Vec<usize>, bytes| ("conv1.weight", dtype, shape, vec![0; bytes]);
    let shape = vec![4, 2, 3, 3];
    assert_eq!(
        refusal(&file(&[
            input.clone(),
            weight(Dtype::F32, shape.clone(), 288)
        ])),
        "tensor `conv1.weight` holds F32; expected I32"
    );
    assert_eq!(
        refusal(&file(&[input, weight(Dtype::I32, vec![72], 288)])),
        "tensor `conv1.weight` has shape [72]; expected [4, 2, 3, 3]"
    );
}

#[test]
fn tensors_of_another_network_are_refused() {
    let (network, weights) = toy();
    let mut smaller = network.clone();
    smaller.layers.truncate(4);
    let bytes = weights.to_safetensors(&network).unwrap();
    assert_eq!(
        Weights::from_safetensors(&bytes, &smaller)
            .unwrap_err()
            .to_string(),
        "tensor `fc1.bias` is unknown; expected only tensors of this network"
    );
}

proptest! {
    #[test]
    fn damaged_files_never_panic(at in 0_usize..1000, byte in any::<u8>()) {
        let (network, weights) = toy();
        let mut bytes = weights.to_safetensors(&network).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Weights::from_safetensors(&bytes, &network);
    }
}
