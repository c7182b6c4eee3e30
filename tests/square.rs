//! Squares as activations, by the command: what they are predicted to cost, and two processes that run them.

#![expect(clippy::unwrap_used, reason = "a test without its files has failed")]

#[path = "support/program.rs"]
mod program;

use program::{nass, refusal, stdout};
use serde_json::Value;

fn json(arguments: &[&str]) -> Value {
    let common = [
        "--calibration",
        "calibration/reference.csv",
        "--format",
        "json",
    ];
    let output = nass(&[arguments, &common].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {told}");
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn layer<'a>(result: &'a Value, name: &str) -> &'a Value {
    let layers = result["layers"].as_array().unwrap();
    layers.iter().find(|layer| layer["name"] == name).unwrap()
}

#[test]
fn a_square_is_predicted_as_two_ciphertexts_up_and_one_down() {
    let prediction = json(&["predict", "secureml-square"]);
    assert_eq!(prediction["total"]["relus"], 0);
    assert_eq!(
        prediction["total"]["flops"],
        784 * 128 + 128 * 128 + 128 * 10
    );
    for name in ["square1", "square2"] {
        let square = layer(&prediction, name);
        assert_eq!(square["kind"], "square");
        assert_eq!(square["schedule"], "square");
        assert!(square["he"]["security_bits"].as_u64() >= Some(128));
        let expected = [
            ("add", 1),
            ("decrypt", 1),
            ("encode", 1),
            ("encrypt_secret", 2),
            ("expand", 2),
            ("hadamard", 1),
            ("mod_switch", 1),
            ("rerandomize", 1),
        ];
        for (op, count) in expected {
            assert_eq!(square["ops"][op], count, "{name} {op}");
        }
        for op in ["and_gates", "ot", "rotate", "add_plain"] {
            assert!(square["ops"][op].as_u64().unwrap_or(0) == 0, "{name} {op}");
        }
    }
}

#[test]
fn two_processes_square_to_the_plain_result_in_the_foretold_bytes() {
    for settings in [
        ["--garbler", "server", "--delivery", "split"],
        ["--garbler", "client", "--delivery", "streamed"],
    ] {
        let arguments = [&["verify", "secureml-square", "--seed", "3"], &settings[..]].concat();
        let verification = json(&arguments);
        assert_eq!(verification["output_equal"], true, "{settings:?}");
        for layer in verification["layers"].as_array().unwrap() {
            assert_eq!(layer["error"]["bytes"], 0, "{settings:?}: {layer}");
        }
        let setup = &verification["setup"];
        assert_eq!(setup["bytes"], setup["measured_bytes"], "{settings:?}");
    }
}

/// Few bits all the way: sums and squares are read as they are, and no circuit is garbled.
const WHOLE: &str = r#"
name = "whole"
input = [1, 12, 12]
[[layers]]
name = "conv"
kind = "conv"
out_channels = 4
kernel = [3, 3]
stride = [2, 2]
input_bits = 3
weight_bits = 3
[[layers]]
name = "square"
kind = "square"
input_bits = 8
[[layers]]
name = "fc"
kind = "fc"
outputs = 10
input_bits = 14
weight_bits = 3
"#;

#[test]
fn a_network_whose_bits_suffice_is_run_without_any_circuit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.toml");
    std::fs::write(&path, WHOLE).unwrap();
    let verification = json(&["verify", path.to_str().unwrap(), "--seed", "2"]);
    assert_eq!(verification["output_equal"], true);
    let layers = verification["layers"].as_array().unwrap();
    let kinds: Vec<_> = layers.iter().map(|layer| &layer["kind"]).collect();
    assert_eq!(kinds, ["conv", "square", "fc"]);
    assert!(layers.iter().all(|layer| layer["error"]["bytes"] == 0));
    assert!(layers.iter().all(|layer| layer["ops"]["and_gates"] == 0));
}

#[test]
fn a_square_that_cannot_be_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.toml");
    let told = |from: &str, to: &str| {
        std::fs::write(&path, WHOLE.replace(from, to)).unwrap();
        refusal(&["predict", path.to_str().unwrap()], 2)
    };
    let bits = told("input_bits = 8", "input_bits = 40");
    assert!(
        bits.contains("layer `square`: input_bits is 40; expected 2 to 24"),
        "{bits}"
    );
    let field = told("input_bits = 8", "outputs = 8");
    assert!(
        field.contains("layers[1].outputs: no field of this kind of layer"),
        "{field}"
    );
}
