//! The protocol run in one process: the result is that of the integer evaluator, the bytes those of the script.

use std::collections::HashSet;

use rand::rngs::ChaCha20Rng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::bfv::HeOp;
use crate::gc::{Extension, GarblingHash};
use crate::network::{NetworkParams, Weights, evaluate, zoo};
use crate::packing::{Counter, Windowed, WindowedCiphertext};
use crate::params::{Request, TransformPrices, select_network};
use crate::units::Bytes;

/// Runs the script with both parties in turn and gives back the opened result.
pub(super) fn run(script: &Script, weights: &Weights, input: &[i64], seed: u64) -> Vec<i64> {
    let mut untouched = |_: Message, _: &mut Vec<u8>| ();
    run_touched(script, weights, (input, seed), &mut untouched).unwrap()
}

/// The same over a link that does something to each message.
fn run_touched(
    script: &Script,
    weights: &Weights,
    (input, seed): (&[i64], u64),
    touch: &mut dyn FnMut(Message, &mut Vec<u8>),
) -> Result<Vec<i64>, PartyError> {
    let rng = |party| ChaCha20Rng::seed_from_u64(seed + party);
    let mut client = Client::new(script, input, rng(0)).unwrap();
    let mut server = Server::new(script, weights, rng(1 << 32)).unwrap();
    let store = || Box::new(std::io::Cursor::new(Vec::new()));
    let (mut to_client, mut to_server) = (Inbox::on(store()), Inbox::on(store()));
    for action in &script.actions {
        let (payload, inbox) = match action.party {
            Party::Client => (client.perform(action, &mut to_client), &mut to_server),
            Party::Server => (server.perform(action, &mut to_server), &mut to_client),
        };
        let mut payload = payload?;
        let foretold = action.sends.map_or(0, |message| message.payload.0);
        assert_eq!(payload.len() as u64, foretold, "{:?}", action.act);
        if let Some(message) = action.sends {
            touch(message, &mut payload);
            inbox.put(action, message, payload.clone())?;
        }
        match action.party {
            Party::Client => client.reclaim(action, payload),
            Party::Server => server.reclaim(action, payload),
        }
    }
    assert_eq!(to_client.stored(), script.stored(Party::Client));
    assert_eq!(to_server.stored(), script.stored(Party::Server));
    Ok(client.result().unwrap().to_vec())
}

/// Runs a network with all settings and gives back the plain result, which they gave too.
pub(super) fn check(network: &NetworkParams, seed: u64) -> Vec<i64> {
    check_asked(network, seed, &Request::default())
}

/// The same with parameters asked for in this way.
fn check_asked(network: &NetworkParams, seed: u64, request: &Request) -> Vec<i64> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let weights = Weights::random(network, &mut rng).unwrap();
    let resolved = network.resolve(Some(&weights)).unwrap();
    let input = resolved.random_input(&mut rng);
    let expected = evaluate(&resolved, &weights, &input).unwrap();
    let selection = select_network(&resolved, request, &TransformPrices).unwrap();
    for circuits in settings() {
        let script = gazelle_with(&resolved, &selection.layers, circuits.into()).unwrap();
        check_windows(&script, request.limits.windows);
        assert_eq!(
            run(&script, &weights, &input, seed),
            expected,
            "{circuits:?}"
        );
        check_phases(&script);
    }
    expected
}

/// A result of zeros shows nothing.
pub(super) fn shows_something(result: &[i64]) {
    assert!(result.iter().any(|&y| y != 0));
}

/// Both garblers with both deliveries; hashes and extensions in turn.
pub(super) fn settings() -> [CircuitSettings; 4] {
    use Delivery::{Split, Streamed};
    let [tmmo, rekeyed, fixed] = GarblingHash::ALL;
    let [iknp, two, four, eight] = Extension::ALL;
    let all = [
        (Party::Server, Split, tmmo, four),
        (Party::Server, Streamed, rekeyed, iknp),
        (Party::Client, Split, fixed, eight),
        (Party::Client, Streamed, tmmo, two),
    ];
    all.map(|(garbler, delivery, hash, extension)| CircuitSettings {
        garbler,
        delivery,
        hash,
        extension,
    })
}

/// Tables move when the delivery says, to the evaluator; nothing else of the circuits waits.
fn check_phases(script: &Script) {
    let CircuitSettings {
        garbler, delivery, ..
    } = script.circuits;
    let garbled = |action: &&Action| matches!(action.act, Act::Garble(_));
    for action in script.actions.iter().filter(garbled) {
        assert_eq!(action.party, garbler);
        assert_eq!(action.phase == Phase::Offline, delivery == Delivery::Split);
    }
    assert_eq!(script.stored(garbler), Bytes(0));
    let stored = script.stored(garbler.other());
    assert_eq!(stored > Bytes(0), delivery == Delivery::Split);
}

/// What the script counts of each linear layer is what its plan does over its windows, and what goes in.
fn check_windows(script: &Script, asked: Option<usize>) {
    for (index, step) in script.steps.iter().enumerate() {
        let StepPlan::Linear {
            crypto,
            plan,
            weights,
            ..
        } = step
        else {
            continue;
        };
        let encoder = match weights {
            WeightEncoding::OfShare => Act::EncodeShare,
            WeightEncoding::Ahead | WeightEncoding::Streamed => Act::EncodeWeights,
        };
        assert!(asked.is_none_or(|asked| asked == crypto.windows));
        let (counter, windows) = (Counter::new(crypto.n), crypto.windows());
        let ops = Windowed::new(&counter, windows);
        let input = WindowedCiphertext(vec![(); crypto.windows]);
        let inputs = vec![input; plan.input_ciphertexts()];
        let weight = |_| Ok(vec![(); crypto.windows]);
        let Ok(_) = plan.run_with(&ops, &inputs, weight);
        let counted = |act, op| -> u64 {
            let of_act = |a: &&Action| a.step == Some(index) && a.act == act;
            let tasks = script.actions.iter().filter(of_act).flat_map(|a| &a.tasks);
            tasks.fold(0, |sum, task| match task {
                Task::He { op: of, count, .. } if *of == op => sum + count,
                _ => sum,
            })
        };
        for (op, count) in counter.counts().iter() {
            assert_eq!(counted(Act::ApplyLinear, op), count, "{op:?}");
        }
        let inputs = (crypto.windows * plan.input_ciphertexts()) as u64;
        assert_eq!(counted(Act::EncryptInput, HeOp::EncryptSecret), inputs);
        assert_eq!(counted(Act::ApplyLinear, HeOp::Expand), inputs);
        let weights = (crypto.windows * plan.weight_count()) as u64;
        assert_eq!(counted(encoder, HeOp::Encode), weights);
    }
}

/// Messages of a kind that a step's online phase takes.
fn online(script: &Script, step: &str, kind: MessageKind) -> usize {
    let step = script.network.steps.iter().position(|s| s.name == step);
    let of_step = |a: &&Action| a.step == step && a.phase == Phase::Online;
    let actions = script.actions.iter().filter(of_step);
    actions
        .filter(|a| a.sends.is_some_and(|m| m.kind == kind))
        .count()
}

#[test]
fn memory_that_cannot_be_had_is_an_error() {
    let network = zoo::load("toy").unwrap();
    let weights = Weights::random(&network, &mut ChaCha20Rng::seed_from_u64(3)).unwrap();
    let resolved = network.resolve(Some(&weights)).unwrap();
    let selection = select_network(&resolved, &Request::default(), &TransformPrices).unwrap();
    let mut script =
        gazelle_with(&resolved, &selection.layers, ProtocolSettings::default()).unwrap();
    let garbled = |action: &&mut Action| action.waits() > Bytes(0);
    let action = script.actions.iter_mut().find(garbled).unwrap();
    let size = Bytes(u64::MAX);
    action.sends = action.sends.map(|message| Message {
        payload: size,
        ..message
    });
    let input = resolved.random_input(&mut ChaCha20Rng::seed_from_u64(4));
    let mut client = Client::new(&script, &input, ChaCha20Rng::seed_from_u64(5)).unwrap();
    let reserve = script.actions.iter().find(|a| a.act == Act::Reserve);
    let refused = client.perform(reserve.unwrap(), &mut Inbox::default());
    assert!(matches!(refused, Err(PartyError::Memory { size: asked }) if asked == size));
}

/// With the client as garbler, the server's share after a linear layer is known offline: nothing is
/// transferred for it online. After another circuit it is not.
#[test]
fn a_share_that_is_known_offline_needs_no_online_transfer() {
    let (network, _) = NetworkParams::from_toml(SKIP).unwrap();
    let resolved = network.resolve(None).unwrap();
    let selection = select_network(&resolved, &Request::default(), &TransformPrices).unwrap();
    for circuits in settings() {
        let script = gazelle_with(&resolved, &selection.layers, circuits.into()).unwrap();
        let kinds = [
            MessageKind::Choices,
            MessageKind::Labels,
            MessageKind::GarblerLabels,
        ];
        let [after_linear, after_sum] =
            ["relu", "pool"].map(|step| kinds.map(|kind| online(&script, step, kind)));
        let expected = match (circuits.garbler, circuits.delivery) {
            (Party::Server, Delivery::Split) => [[1, 1, 0]; 2],
            (Party::Server, Delivery::Streamed) => [[1, 0, 0]; 2],
            (Party::Client, Delivery::Split) => [[0, 0, 1], [1, 1, 1]],
            (Party::Client, Delivery::Streamed) => [[0, 0, 0], [1, 0, 0]],
        };
        assert_eq!([after_linear, after_sum], expected, "{circuits:?}");
    }
}

#[test]
fn the_toy_network_gives_the_plain_result() {
    shows_something(&check(&zoo::load("toy").unwrap(), 7));
}

/// The first layer's operand is the client's alone, the others' are shared.
#[test]
fn layers_in_plaintext_windows_give_the_plain_result() {
    let (skip, _) = NetworkParams::from_toml(SKIP).unwrap();
    for (network, windows) in [(zoo::load("toy").unwrap(), 2), (skip, 3)] {
        let mut request = Request::default();
        request.limits.windows = Some(windows);
        shows_something(&check_asked(&network, 7, &request));
    }
}

#[test]
fn a_skip_connection_and_a_max_pool_give_the_plain_result() {
    let (network, _) = NetworkParams::from_toml(SKIP).unwrap();
    shows_something(&check(&network, 11));
}

/// Encodings of weights that a phase asks for.
fn encodings(script: &Script, phase: Phase) -> u64 {
    let actions = script.actions.iter().filter(|a| a.phase == phase);
    let tasks = actions.flat_map(|action| &action.tasks);
    let counts = tasks.map(|task| match task {
        Task::He {
            op: HeOp::Encode,
            count,
            ..
        } => *count,
        _ => 0,
    });
    counts.sum()
}

/// Bytes of encoded weights that are kept, of each linear step.
fn kept(script: &Script) -> Vec<Bytes> {
    let steps = script.steps.iter();
    steps.filter_map(StepPlan::kept_weights).collect()
}

/// What may be kept is kept, the largest that fits first; the rest is encoded online, with the same result.
#[test]
fn weights_beyond_the_memory_for_them_are_encoded_online() {
    let network = zoo::load("toy").unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let weights = Weights::random(&network, &mut rng).unwrap();
    let resolved = network.resolve(Some(&weights)).unwrap();
    let input = resolved.random_input(&mut rng);
    let expected = evaluate(&resolved, &weights, &input).unwrap();
    let selection = select_network(&resolved, &Request::default(), &TransformPrices).unwrap();
    let bounded = |weight_memory| {
        let settings = ProtocolSettings {
            weight_memory,
            ..ProtocolSettings::default()
        };
        gazelle_with(&resolved, &selection.layers, settings).unwrap()
    };
    let free = bounded(None);
    let all = kept(&free);
    let total: Bytes = all.iter().copied().sum();
    let largest = *all.iter().max().unwrap();
    assert!(all.len() > 1 && largest < total, "{all:?}");
    for (limit, least) in [
        (total, total),
        (Bytes(total.0 - 1), largest),
        (largest, largest),
        (Bytes(0), Bytes(0)),
    ] {
        let script = bounded(Some(limit));
        let now = kept(&script);
        let sum: Bytes = now.iter().copied().sum();
        assert!(least <= sum && sum <= limit, "{now:?} within {limit:?}");
        let whole = |(now, all): (&Bytes, &Bytes)| now == all || now.0 == 0;
        assert!(now.iter().zip(&all).all(whole));
        let [setup, online] = [Phase::Setup, Phase::Online].map(|phase| encodings(&script, phase));
        assert_eq!(setup + online, encodings(&free, Phase::Setup));
        assert_eq!(online > 0, limit < total);
        assert_eq!(run(&script, &weights, &input, 9), expected);
    }
}

#[test]
fn a_clip_and_the_place_of_the_greatest_give_the_plain_result() {
    let (network, _) = NetworkParams::from_toml(PLACES).unwrap();
    let places = [12, 13, 14].map(|seed| check(&network, seed));
    shows_something(&places.concat());
}

/// Messages cut short are refused, and random bytes lead to an error or a wrong result, never to a panic.
#[test]
fn hostile_messages_are_refused_or_give_a_wrong_result() {
    let (network, _) = NetworkParams::from_toml(PLACES).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let weights = Weights::random(&network, &mut rng).unwrap();
    let resolved = network.resolve(Some(&weights)).unwrap();
    let input = resolved.random_input(&mut rng);
    let selection = select_network(&resolved, &Request::default(), &TransformPrices).unwrap();
    let [server, _, client, _] = settings();
    for circuits in [server, client] {
        let script = gazelle_with(&resolved, &selection.layers, circuits.into()).unwrap();
        let sent = script.actions.iter().filter_map(|action| action.sends);
        let sent = sent.filter(|message| message.payload > Bytes(0));
        let kinds: HashSet<MessageKind> = sent.map(|message| message.kind).collect();
        for kind in kinds {
            let mut cut = |message: Message, payload: &mut Vec<u8>| {
                if message.kind == kind {
                    payload.pop();
                }
            };
            let end = run_touched(&script, &weights, (&input, 1), &mut cut);
            assert!(end.is_err(), "{kind:?} cut short, {circuits:?}");
            let mut noise = |message: Message, payload: &mut Vec<u8>| {
                if message.kind == kind {
                    rng.fill_bytes(payload);
                }
            };
            let _ = run_touched(&script, &weights, (&input, 1), &mut noise);
        }
    }
}

/// A clip, and the place of the greatest of five values: all that is opened.
const PLACES: &str = r#"
    name = "places"
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
    name = "clip"
    kind = "clip"
    max = 11
    [[layers]]
    name = "b"
    kind = "fc"
    outputs = 5
    input_bits = 5
    weight_bits = 4
    [[layers]]
    name = "place"
    kind = "argmax"
"#;

/// Two circuits with only local steps between them: `relu`, through `sum`, and `pool`.
const SKIP: &str = r#"
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
