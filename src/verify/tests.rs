//! Two threads over a loopback socket: right results, foretold bytes, clear ends.

use std::net::{TcpListener, TcpStream};

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::*;
use crate::network::{Weights, evaluate, zoo};
use crate::params::{Request, TransformPrices, select_network};
use crate::protocol::{Inbox, Message, MessageKind, Phase, Script, gazelle};
use crate::units::Bytes;

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

struct Case {
    script: Script,
    weights: Weights,
    input: Vec<i64>,
    expected: Vec<i64>,
}

fn toy() -> Case {
    let network = zoo::load("toy").unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let weights = Weights::random(&network, &mut rng).unwrap();
    let resolved = network.resolve(Some(&weights)).unwrap();
    let input = resolved.random_input(&mut rng);
    let expected = evaluate(&resolved, &weights, &input).unwrap();
    let selection = select_network(&resolved, &Request::default(), &TransformPrices).unwrap();
    let script = gazelle(&resolved, &selection.layers).unwrap();
    Case {
        script,
        weights,
        input,
        expected,
    }
}

#[test]
fn a_run_gives_the_plain_result_and_sends_the_foretold_bytes() {
    let case = toy();
    let (near, far) = pair();
    let run = std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            serve(
                far,
                &case.script,
                &case.weights,
                Inbox::default(),
                ChaCha20Rng::seed_from_u64(1),
            )
        });
        let run = request(
            near,
            &case.script,
            &case.input,
            Inbox::default(),
            ChaCha20Rng::seed_from_u64(2),
        )
        .unwrap();
        server.join().unwrap().unwrap();
        run
    });
    assert_eq!(run.result, case.expected);
    let foretold = |phase| {
        let of_phase = case
            .script
            .actions
            .iter()
            .filter(move |action| action.phase == phase);
        of_phase
            .filter_map(|action| action.sends)
            .map(|m| m.wire_bytes().0)
            .sum::<u64>()
    };
    let measured = |of: fn(&Measured) -> u64| run.steps.iter().map(of).sum::<u64>();
    assert_eq!(run.setup.bytes.total, foretold(Phase::Setup));
    assert_eq!(
        measured(|step| step.bytes.offline),
        foretold(Phase::Offline)
    );
    assert_eq!(measured(|step| step.bytes.online), foretold(Phase::Online));
}

#[test]
fn another_script_or_a_vanished_peer_ends_the_run() {
    let case = toy();
    let (near, far) = pair();
    let mut other = case.script.clone();
    other.moduli[0] += 2;
    let ends = std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            serve(
                far,
                &other,
                &case.weights,
                Inbox::default(),
                ChaCha20Rng::seed_from_u64(1),
            )
        });
        let client = request(
            near,
            &case.script,
            &case.input,
            Inbox::default(),
            ChaCha20Rng::seed_from_u64(2),
        );
        (client.err(), server.join().unwrap().err())
    });
    assert!(matches!(
        ends,
        (Some(RunError::OtherScript), Some(RunError::OtherScript))
    ));

    let (near, far) = pair();
    drop(far);
    let end = request(
        near,
        &case.script,
        &case.input,
        Inbox::default(),
        ChaCha20Rng::seed_from_u64(2),
    )
    .err();
    assert!(matches!(
        end,
        Some(RunError::Channel(ChannelError::Gone(_)))
    ));
}

#[test]
fn a_frame_that_is_not_the_next_one_is_refused() {
    let message = Message {
        kind: MessageKind::Reply,
        payload: Bytes(4),
    };
    let received = |kind, payload: &[u8]| {
        let (near, far) = pair();
        Channel::new(near).unwrap().send(kind, payload).unwrap();
        Channel::new(far).unwrap().receive(message)
    };
    assert_eq!(
        received(MessageKind::Reply, &[1, 2, 3, 4]).unwrap(),
        [1, 2, 3, 4]
    );
    assert!(matches!(
        received(MessageKind::Keys, &[0; 4]),
        Err(ChannelError::Kind { .. })
    ));
    let length = received(MessageKind::Reply, &[0; 5]);
    assert!(matches!(
        length,
        Err(ChannelError::Length {
            expected: 4,
            announced: 5,
            ..
        })
    ));
}
