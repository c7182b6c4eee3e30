//! Two threads over a loopback socket: right results, foretold bytes, clear ends.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::*;
use crate::calibrate::{OwnPace, Taken, Watch, time};
use crate::network::{Weights, evaluate, zoo};
use crate::params::{Request, TransformPrices, select_network};
use crate::protocol::{Act, Inbox, Link, Message, MessageKind, Party, Phase, Script, gazelle};
use crate::units::{Bytes, Nanos};

const PATIENCE: Duration = Duration::from_secs(60);

fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

pub(super) fn pair() -> (Channel, Channel) {
    let (near, far) = streams();
    let channel = |stream| Channel::new(stream, PATIENCE).unwrap();
    (channel(near), channel(far))
}

fn settings(inferences: usize) -> SessionSettings {
    SessionSettings {
        inferences,
        inbox: Inbox::default(),
        nearness: None,
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(super) struct Case {
    pub(super) script: Script,
    weights: Weights,
    input: Vec<i64>,
    expected: Vec<i64>,
}

pub(super) fn toy() -> Case {
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

/// Both parties over a pair of channels; the client's run.
fn run(case: &Case, (mut near, mut far): (Channel, Channel), inferences: usize) -> Run {
    std::thread::scope(|scope| {
        let (script, weights) = (&case.script, &case.weights);
        let server = scope.spawn(move || {
            let mut watch = Watch::start(1.0, Duration::from_millis(10));
            serve(
                &mut far,
                script,
                weights,
                settings(inferences),
                &mut watch,
                rng(1),
            )
        });
        let (input, settings, mut watch) = (
            &case.input,
            settings(inferences),
            Watch::start(1.0, Duration::from_millis(10)),
        );
        let run = request(&mut near, script, input, settings, &mut watch, rng(2)).unwrap();
        server.join().unwrap().unwrap();
        run
    })
}

/// How one inference ends, asked for over this channel.
fn asked(channel: &mut Channel, case: &Case) -> Option<RunError> {
    let (script, input, mut watch) = (
        &case.script,
        &case.input,
        Watch::start(1.0, Duration::from_millis(10)),
    );
    request(channel, script, input, settings(1), &mut watch, rng(2)).err()
}

#[test]
fn each_inference_gives_the_plain_result_and_sends_the_foretold_bytes() {
    let case = toy();
    let script = &case.script;
    let run = run(&case, pair(), 3);
    assert_eq!(run.results, vec![case.expected; 3]);
    let foretold = |phase| {
        let of_phase = script.actions.iter().filter(|a| a.phase == phase);
        let sent = of_phase.filter_map(|action| action.sends);
        sent.map(|m| m.wire_bytes().0).sum::<u64>()
    };
    assert_eq!(run.tally.setup(script).bytes.total, foretold(Phase::Setup));
    let (total, spread) = run.tally.total(script);
    assert_eq!(total.bytes.offline, foretold(Phase::Offline));
    assert_eq!(total.bytes.online, foretold(Phase::Online));
    assert!(spread.least <= spread.median && spread.median <= spread.greatest);
    assert!(total.client_cpu > 0.0 && total.server_cpu > 0.0);
    assert!(run.paces.client.is_some() && run.paces.server.is_some());
    assert!(run.tally.costs.iter().all(|cost| cost.pace.is_some()));
    let keys = run.tally.median(script, Phase::Setup, |a| {
        matches!(a.act, Act::GenerateKeys(_))
    });
    assert!(keys.client_cpu > 0.0, "once in three inferences");
    let layers = (0..script.steps.len()).map(|step| run.tally.step(script, step).0.bytes.total);
    assert_eq!(layers.sum::<u64>(), total.bytes.total);
}

/// What an action took, on a processor half of it, at a pace if that is positive.
fn cost(action: usize, inference: usize, wall: f64, pace: f64) -> Cost {
    let taken = Taken {
        wall: Nanos(wall),
        cpu: Nanos(wall / 2.0),
    };
    let pace = Some(Nanos(pace)).filter(|pace| pace.0 > 0.0);
    let cost = Cost::of(action, inference);
    Cost {
        taken,
        pace,
        ..cost
    }
}

/// The same, in the first inference at a pace of 1.5.
fn at_pace(cost: &Cost) -> Cost {
    let usual = Some(Nanos(1.5)).filter(|_| cost.inference == 0);
    Cost { usual, ..*cost }
}

/// Each party is judged by its own pace, an action without a pace by none.
#[test]
fn disturbed_times_give_way_to_the_median_of_the_others() {
    let script = toy().script;
    let first = |party| {
        let mut actions = script.actions.iter();
        actions.position(|a| a.party == party && a.phase == Phase::Online)
    };
    let (client, server) = (first(Party::Client).unwrap(), first(Party::Server).unwrap());
    let tally = Tally {
        costs: vec![
            cost(client, 0, 10.0, 1.0),
            cost(server, 0, 50.0, 4.0),
            cost(client, 1, 90.0, 1.5),
            cost(server, 1, 70.0, 3.8),
            cost(client, 2, 14.0, 1.0),
            cost(server, 2, 80.0, 0.0),
        ],
    };
    let of_pace = |pace| OwnPace::of([Nanos(pace)]);
    let paces = Paces {
        client: of_pace(1.0),
        server: of_pace(2.0),
        usual: None,
    };
    let walls =
        |tally: Tally| -> Vec<f64> { tally.costs.iter().map(|cost| cost.taken.wall.0).collect() };
    let own = tally.undisturbed(&script, paces);
    assert_eq!(own.costs[2].taken.cpu, Nanos(6.0));
    assert_eq!(walls(own), [10.0, 80.0, 12.0, 80.0, 14.0, 80.0]);
    let share = tally.undisturbed_share(&script, paces, None);
    assert!((share - (10.0 + 14.0 + 80.0) / 314.0).abs() < 1e-12);
    let always = Tally {
        costs: tally.costs[..4].to_vec(),
    };
    let own = always.undisturbed(&script, paces);
    assert_eq!(
        walls(own),
        [10.0, 70.0, 10.0, 70.0],
        "the quickest pace there is"
    );
    // A clock that was a quarter slower in the first inference, and of which nothing is known in the others.
    let slower = Tally {
        costs: tally.costs.iter().map(at_pace).collect(),
    };
    let known = Paces {
        client: of_pace(1.3),
        server: of_pace(1.3),
        usual: Some(Nanos(1.2)),
    };
    let own = slower.undisturbed(&script, known);
    assert_eq!(walls(own)[..3], [8.0, 80.0, 90.0]);
    let slowing = slower.slowing(&script, known, None);
    assert!((slowing - 314.0 / (314.0 - 12.0)).abs() < 1e-12);
    let unknown = tally.undisturbed(&script, Paces::default());
    assert_eq!(walls(unknown), walls(tally));
    let merged = paces.merged(Paces {
        client: of_pace(3.0),
        server: of_pace(1.5),
        usual: None,
    });
    assert_eq!((merged.client, merged.server), (of_pace(1.0), of_pace(1.5)));
}

#[test]
fn sessions_of_one_script_are_joined() {
    let case = toy();
    let mut joined = run(&case, pair(), 2);
    joined.append(run(&case, pair(), 1));
    assert_eq!(joined.results, vec![case.expected.clone(); 3]);
    let (total, _) = joined.tally.total(&case.script);
    let alone = run(&case, pair(), 1).tally.total(&case.script).0;
    assert_eq!(total.bytes, alone.bytes);
    let last = joined.tally.costs.last().unwrap();
    assert_eq!(last.inference, 2);
    let (acts, setup) = (joined.tally.costs.len(), joined.tally.setup(&case.script));
    let warm = joined.warmed_up(&case.script, 1);
    assert_eq!(warm.results, vec![case.expected.clone(); 2]);
    assert!(warm.tally.costs.len() < acts);
    assert_eq!(warm.tally.total(&case.script).0.bytes, total.bytes);
    assert_eq!(warm.tally.setup(&case.script).bytes, setup.bytes);
}

#[test]
fn a_shaped_channel_takes_the_time_of_its_link() {
    let link = Link {
        mbit_per_s: 8.0,
        rtt_ms: 40.0,
        hand_over: None,
        by_size: None,
        after_others: None,
    };
    let (near, mut far) = pair();
    let mut near = near.shaped(link).unwrap();
    let message = Message {
        kind: MessageKind::Reply,
        payload: Bytes(50_000),
    };
    let ((), taken) = time(|| {
        for _ in 0..2 {
            near.send(message.kind, &[7; 50_000]).unwrap();
        }
        for _ in 0..2 {
            assert_eq!(far.receive(message).unwrap(), [7; 50_000]);
        }
    });
    let expected = 2.0 * link.time_in_stream(message.wire_bytes()).seconds() + 0.02;
    let taken = taken.seconds();
    assert!(
        taken >= expected && taken < expected + 0.1,
        "{taken} for {expected}"
    );
}

#[test]
fn another_script_or_a_vanished_peer_ends_the_run() {
    let case = toy();
    let (mut near, mut far) = pair();
    let mut other = case.script.clone();
    other.moduli[0] += 2;
    let ends = std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let weights = &case.weights;
            serve(
                &mut far,
                &other,
                weights,
                settings(1),
                &mut Watch::start(1.0, Duration::from_millis(10)),
                rng(1),
            )
        });
        let client = asked(&mut near, &case);
        (client, server.join().unwrap().err())
    });
    assert!(matches!(
        ends,
        (Some(RunError::OtherScript), Some(RunError::OtherScript))
    ));

    let (mut near, far) = pair();
    drop(far);
    let end = asked(&mut near, &case);
    assert!(matches!(
        end,
        Some(RunError::Channel(ChannelError::Gone(_)))
    ));
}

#[test]
fn a_silent_peer_and_one_that_trickles_end_the_run_in_time() {
    let case = toy();
    let short = Duration::from_millis(200);
    let (near, mut far) = streams();
    let mut near = Channel::new(near, short).unwrap();
    let (end, taken) = time(|| asked(&mut near, &case));
    assert!(matches!(
        end,
        Some(RunError::Channel(ChannelError::Silent { .. }))
    ));
    assert!(taken.seconds() < 5.0);

    let (end, taken) = std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..20 {
                std::thread::sleep(Duration::from_millis(50));
                let _ = far.write_all(&[0]);
            }
        });
        time(|| near.receive_raw(1000).err())
    });
    assert!(matches!(end, Some(ChannelError::Silent { .. })));
    assert!(taken.seconds() < 0.9, "{taken}");
}

#[test]
fn a_peer_that_does_not_read_ends_the_run_in_time() {
    let (near, _far) = streams();
    let mut near = Channel::new(near, Duration::from_millis(200)).unwrap();
    let end = near.send(MessageKind::Keys, &vec![0; 64 << 20]).err();
    assert!(matches!(end, Some(ChannelError::Silent { .. })));
}

#[test]
fn rubbish_ends_the_run() {
    let case = toy();
    let (mut near, mut far) = streams();
    let rubbish: Vec<u8> = (0..100_000u32).map(|i| ((i * 31) >> 3) as u8).collect();
    far.write_all(&rubbish).unwrap();
    let mut channel = Channel::new(near.try_clone().unwrap(), PATIENCE).unwrap();
    let end = asked(&mut channel, &case);
    assert!(matches!(end, Some(RunError::OtherScript)));
    let (near_again, far) = streams();
    near = near_again;
    near.write_all(&rubbish).unwrap();
    let mut channel = Channel::new(far, PATIENCE).unwrap();
    let end = serve(
        &mut channel,
        &case.script,
        &case.weights,
        settings(1),
        &mut Watch::start(1.0, Duration::from_millis(10)),
        rng(2),
    )
    .err();
    assert!(matches!(end, Some(RunError::OtherScript)));
}

/// Strangers that show another token, none, half of one, or close at once: more of them than any fixed number.
#[test]
fn the_one_who_shows_the_token_is_let_in_past_all_others() {
    let (token, other) = (Token::random(&mut rng(1)), Token::random(&mut rng(2)));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let connect = || Channel::new(TcpStream::connect(addr).unwrap(), PATIENCE).unwrap();
    let mut kept = Vec::new();
    for _ in 0..10 {
        let (mut wrong, silent, mut half) = (connect(), connect(), connect());
        other.present(&mut wrong).unwrap();
        half.send_raw(&[0; 8]).unwrap();
        drop(connect());
        kept.extend([wrong, silent, half]);
    }
    let mut client = connect();
    token.present(&mut client).unwrap();
    client.send_raw(b"more").unwrap();
    let mut sent_away = Vec::new();
    let (stream, taken) = time(|| {
        admit(&listener, &token, PATIENCE, |_, why| {
            sent_away.push(why);
        })
    });
    assert!(
        taken.seconds() < 5.0,
        "{taken}: strangers are not waited for"
    );
    let mut server = Channel::new(stream.unwrap(), PATIENCE).unwrap();
    assert_eq!(server.receive_raw(4).unwrap(), b"more");
    let wrong = sent_away.iter().filter(|&&why| why == Stranger::OtherToken);
    assert_eq!((wrong.count(), sent_away.len()), (10, 20));
}

#[test]
fn a_server_that_nobody_comes_to_waits_as_long_as_its_patience() {
    let token = Token::random(&mut rng(1));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let patience = Duration::from_millis(300);
    let (end, taken) = time(|| admit(&listener, &token, patience, |_, _| ()));
    let end = end.unwrap_err().to_string();
    assert!(end.contains("1 others were sent away"), "{end}");
    assert!((0.3..5.0).contains(&taken.seconds()), "{taken}");
    drop(silent);
}

#[test]
fn a_frame_that_is_not_the_next_one_is_refused() {
    let message = Message {
        kind: MessageKind::Reply,
        payload: Bytes(4),
    };
    let received = |kind, payload: &[u8]| {
        let (mut near, mut far) = pair();
        near.send(kind, payload).unwrap();
        far.receive(message)
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
