//! Networks with squares, run in one process with both garblers: the plain result, and where their shares are
//! encoded.

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::tests::{check, run, settings, shows_something};
use super::*;
use crate::network::{NetworkParams, Weights, evaluate};
use crate::params::{Request, TransformPrices, select_network};

fn read(text: &str) -> NetworkParams {
    NetworkParams::from_toml(text).unwrap().0
}

/// A square of sums cut to its bits, read through a pool as it is; a square of whole sums, cut after it.
#[test]
fn squares_between_linear_layers_give_the_plain_result() {
    let network = read(CUT);
    let names: Vec<String> = {
        let resolved = network.resolve(None).unwrap();
        resolved.steps.into_iter().map(|step| step.name).collect()
    };
    let expected = [
        "a",
        "s.requantize",
        "s",
        "pool",
        "b",
        "t",
        "c.requantize",
        "c",
    ];
    assert_eq!(names, expected);
    shows_something(&check(&network, 21));
}

/// The input squared, of which the server holds nothing; one p for all; the last layer a square: no circuit.
#[test]
fn squares_alone_need_no_circuit() {
    let network = read(WHOLE);
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let weights = Weights::random(&network, &mut rng).unwrap();
    let resolved = network.resolve(Some(&weights)).unwrap();
    assert_eq!(resolved.domains.len(), 1);
    let input = resolved.random_input(&mut rng);
    let expected = evaluate(&resolved, &weights, &input).unwrap();
    shows_something(&expected);
    let selection = select_network(&resolved, &Request::default(), &TransformPrices).unwrap();
    for circuits in settings() {
        let script = gazelle_with(&resolved, &selection.layers, circuits.into()).unwrap();
        assert!(script.actions.iter().all(|a| a.act != Act::StartBaseOt));
        assert_eq!(run(&script, &weights, &input, 5), expected);
    }
}

/// A share is encoded as soon as the server knows it: offline after a linear layer and after circuits that the
/// server garbles, online after those of the client.
#[test]
fn the_share_is_encoded_in_the_phase_in_which_it_is_known() {
    let resolved = read(CUT).resolve(None).unwrap();
    let selection = select_network(&resolved, &Request::default(), &TransformPrices).unwrap();
    for circuits in settings() {
        let script = gazelle_with(&resolved, &selection.layers, circuits.into()).unwrap();
        let phase = |name: &str| {
            let step = script.network.steps.iter().position(|s| s.name == name);
            let mut encoded = script
                .actions
                .iter()
                .filter(|a| a.act == Act::EncodeShare && a.step == step);
            let phase = encoded.next().unwrap().phase;
            assert!(encoded.next().is_none());
            phase
        };
        let after_circuit = match circuits.garbler {
            Party::Server => Phase::Offline,
            Party::Client => Phase::Online,
        };
        assert_eq!([phase("s"), phase("t")], [after_circuit, Phase::Offline]);
    }
}

const CUT: &str = r#"
    name = "cut"
    input = [2, 4, 4]
    [[layers]]
    name = "a"
    kind = "conv"
    out_channels = 3
    kernel = [3, 3]
    padding = "same"
    input_bits = 5
    weight_bits = 4
    [[layers]]
    name = "s"
    kind = "square"
    input_bits = 4
    [[layers]]
    name = "pool"
    kind = "avg_pool"
    kernel = [2, 2]
    [[layers]]
    name = "b"
    kind = "fc"
    outputs = 6
    input_bits = 9
    weight_bits = 4
    [[layers]]
    name = "t"
    kind = "square"
    input_bits = 18
    [[layers]]
    name = "c"
    kind = "fc"
    outputs = 3
    input_bits = 6
    weight_bits = 4
"#;

const WHOLE: &str = r#"
    name = "whole"
    input = [1, 2, 3]
    [[layers]]
    name = "first"
    kind = "square"
    input_bits = 3
    [[layers]]
    name = "a"
    kind = "fc"
    outputs = 5
    input_bits = 5
    weight_bits = 3
    [[layers]]
    name = "last"
    kind = "square"
    input_bits = 12
"#;
