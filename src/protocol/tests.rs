//! The protocol run in one process: the result is that of the integer evaluator, the bytes those of the script.

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::*;
use crate::gc::GarblingHash;
use crate::network::{NetworkParams, Weights, evaluate, zoo};
use crate::params::{Request, TransformPrices, select_network};

/// Runs the script with both parties in turn and gives back the opened result.
fn run(script: &Script, weights: &Weights, input: &[i64], seed: u64) -> Vec<i64> {
    let rng = |party| ChaCha20Rng::seed_from_u64(seed + party);
    let mut client = Client::new(script, input, rng(0)).unwrap();
    let mut server = Server::new(script, weights, rng(1 << 32)).unwrap();
    let store = Box::new(std::io::Cursor::new(Vec::new()));
    let (mut to_client, mut to_server) = (Inbox::on(store), Inbox::default());
    for action in &script.actions {
        let (payload, inbox) = match action.party {
            Party::Client => (client.perform(action, &mut to_client), &mut to_server),
            Party::Server => (server.perform(action, &mut to_server), &mut to_client),
        };
        let payload = payload.unwrap();
        let foretold = action.sends.map_or(0, |message| message.payload.0);
        assert_eq!(payload.len() as u64, foretold, "{:?}", action.act);
        if let Some(message) = action.sends {
            inbox.put(action, message, payload).unwrap();
        }
    }
    assert_eq!(to_client.stored(), script.stored());
    client.result().unwrap().to_vec()
}

fn check(network: &NetworkParams, seed: u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let weights = Weights::random(network, &mut rng).unwrap();
    let resolved = network.resolve(Some(&weights)).unwrap();
    let input = resolved.random_input(&mut rng);
    let expected = evaluate(&resolved, &weights, &input).unwrap();
    assert!(
        expected.iter().any(|&y| y != 0),
        "a result of zeros shows nothing"
    );
    let selection = select_network(&resolved, &Request::default(), &TransformPrices).unwrap();
    let settings = [
        (Delivery::Split, GarblingHash::Tmmo),
        (Delivery::Streamed, GarblingHash::Rekeyed),
    ];
    for (delivery, hash) in settings {
        let circuits = CircuitSettings { delivery, hash };
        let script = gazelle_with(&resolved, &selection.layers, circuits).unwrap();
        assert_eq!(run(&script, &weights, &input, seed), expected);
        let offline = |action: &&Action| action.phase == Phase::Offline;
        let garbled = |action: &Action| matches!(action.act, Act::Garble(_));
        let beforehand = script.actions.iter().filter(offline).any(garbled);
        assert_eq!(beforehand, delivery == Delivery::Split);
    }
}

#[test]
fn the_toy_network_gives_the_plain_result() {
    check(&zoo::load("toy").unwrap(), 7);
}

#[test]
fn a_skip_connection_and_a_max_pool_give_the_plain_result() {
    let text = r#"
        name = "skip"
        input = [2, 6, 6]
        [[layers]]
        name = "a"
        kind = "conv"
        out_channels = 3
        kernel = [3, 3]
        padding = "same"
        input_bits = 5
        weight_bits = 4
        [[layers]]
        name = "relu"
        kind = "relu"
        [[layers]]
        name = "b"
        kind = "conv"
        out_channels = 3
        kernel = [3, 1]
        padding = "same"
        input_bits = 5
        weight_bits = 4
        [[layers]]
        name = "sum"
        kind = "add"
        from = ["b", "relu"]
        [[layers]]
        name = "pool"
        kind = "max_pool"
        kernel = [2, 2]
        [[layers]]
        name = "flat"
        kind = "flatten"
        [[layers]]
        name = "c"
        kind = "fc"
        outputs = 5
        input_bits = 6
        weight_bits = 4
        [[layers]]
        name = "d"
        kind = "fc"
        outputs = 3
        input_bits = 6
        weight_bits = 4
    "#;
    let (network, _) = NetworkParams::from_toml(text).unwrap();
    check(&network, 11);
}
