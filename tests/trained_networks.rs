//! The three networks that stand for the others, trained, quantized, and run with their trained weights by two
//! processes: the result is the plain network's, bit for bit.
//!
//! Trained briefly on figures that the program draws: what is checked does not depend on how well.

#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test without its files has failed")]

use std::process::Command;

use nass::network::zoo;
use nass::train::{Dataset, DatasetSource, SyntheticSettings, TrainSettings, Trainer};
use serde_json::Value;

const NETWORKS: [&str; 3] = ["lenet-mnist", "nass-cifar-acc", "gazelle-cifar10"];
const IMAGES: usize = 640;

/// The file of a network's integer weights after one pass over the images.
fn trained(name: &str) -> Vec<u8> {
    let network = zoo::load(name).unwrap();
    let dataset = DatasetSource::Synthetic(SyntheticSettings {
        seed: 1,
        shape: network.input,
        train: IMAGES,
        test: 10,
    });
    let trainer = Trainer::new(Dataset::load(&dataset, 1).unwrap(), 2).unwrap();
    let settings = TrainSettings {
        epochs: 1,
        ..TrainSettings::default()
    };
    let floats = trainer.train(&network, &settings, 1).unwrap();
    let weights = trainer.quantize(&network, &floats).unwrap();
    weights.to_safetensors(&network).unwrap()
}

#[test]
fn trained_networks_give_the_plain_result() {
    let folder = tempfile::tempdir().unwrap();
    for name in NETWORKS {
        let file = folder.path().join(name);
        std::fs::write(&file, trained(name)).unwrap();
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("nass"));
        command
            .args(["verify", name, "--format", "json"])
            .args(["--calibration", "calibration/reference.csv", "--weights"])
            .arg(&file);
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{name}: {told}");
        let verification: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(verification["output_equal"], true, "{name}");
        let difference = verification.pointer("/total/error/bytes");
        assert_eq!(difference.and_then(Value::as_i64), Some(0), "{name}");
    }
}
