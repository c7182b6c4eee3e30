//! A layer of 65,536 ReLUs streamed between two processes: right results, foretold bytes, little memory.
//!
//! The test is the garbler; it starts itself once more as the evaluator. Tables of 340 MB pass the socket;
//! neither process may ever have held 64 MB. Once the evaluator corrects random choices, as a client does, and
//! once its share is known beforehand, as a server's is. To see how much they held:
//! `cargo test --test streamed_layer -- --nocapture`.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test without its peer has failed")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;

use nass::gc::{
    BaseOtOffer, BaseOtReceiver, BaseOtReply, BaseOtSender, ChoiceCorrections, Delta,
    EvaluatedPieces, Extension, ExtensionColumns, ExtensionReceiver, ExtensionSender,
    GarbledPieces, GarblingHash, GcSizes, Layer, PieceMessages, Rectifier, ShareCircuit,
    ShareFunction, TreeSums,
};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};

const CIRCUITS: usize = 65_536;
const P: u64 = 1_032_193;
const ADDRESS: &str = "NASS_STREAMED_LAYER";
const CHOICES: &str = "NASS_STREAMED_CHOICES";
const MOST_KIB: u64 = 64_000_000 / 1024;

/// Gazelle's ReLU: 8w + 2 ANDs, the larger of the two.
const CIRCUIT: ShareCircuit = ShareCircuit {
    function: ShareFunction::Gazelle {
        window: 1,
        rectifier: Rectifier::Relu,
    },
    p_in: P,
    p_out: P,
};

/// How the evaluator's choices get into its transfers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Choices {
    Corrected,
    Given,
}

fn layer() -> Arc<Layer> {
    Arc::new(Layer::new(&CIRCUIT, CIRCUITS, GarblingHash::Tmmo).unwrap())
}

/// The garbler's shares, the evaluator's, the masks: both processes draw the same, to compare.
fn shares() -> [Vec<u64>; 3] {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    [(); 3].map(|()| (0..CIRCUITS).map(|_| rng.random_range(0..P)).collect())
}

/// The most memory this process has held. At the start that is the program and its libraries, which
/// are left out of what the layer takes.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let field = line.and_then(|line| line.split_whitespace().nth(1));
    field.unwrap().parse().unwrap()
}

fn send(stream: &mut TcpStream, write: impl Fn(&mut Vec<u8>)) {
    let mut bytes = Vec::new();
    write(&mut bytes);
    stream.write_all(&bytes).unwrap();
}

fn receive(stream: &mut TcpStream, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_large_layer_streams_through_little_memory() {
    let before = peak_kib();
    for choices in [Choices::Corrected, Choices::Given] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut evaluator = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "evaluator", "--nocapture"])
            .env(ADDRESS, address)
            .env(CHOICES, format!("{choices:?}"))
            .stdout(Stdio::inherit())
            .spawn()
            .unwrap();
        let sent = garble(&mut listener.accept().unwrap().0, choices);
        assert!(evaluator.wait().unwrap().success());
        let held = peak_kib() - before;
        println!("garbler, {choices:?}: {sent} bytes of pieces sent, {held} KiB at most held");
        assert!(held < MOST_KIB, "{held} KiB");
    }
}

/// The garbler's side; gives back the bytes of all pieces.
fn garble(stream: &mut TcpStream, choices: Choices) -> u64 {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let (delta, extension) = (Delta::random(&mut rng), Extension::default());
    let offer = BaseOtOffer::read(&receive(stream, BaseOtOffer::WIRE_SIZE)).unwrap();
    let (seeds, reply) = BaseOtReceiver::reply(&offer, &delta, &mut rng).unwrap();
    send(stream, |out| reply.write(out));
    let sums = receive(stream, TreeSums::wire_size_of(extension));
    let sums = TreeSums::read(extension, &sums).unwrap();
    let mut sender = ExtensionSender::new(extension, &seeds, &delta, &sums).unwrap();

    let (layer, sizes) = (layer(), GcSizes::new(&CIRCUIT, CIRCUITS).unwrap());
    let count = CIRCUITS * CIRCUIT.evaluator_input_bits();
    let blocks = match choices {
        Choices::Corrected => extension.random_blocks(count),
        Choices::Given => extension.given_blocks(count),
    };
    let columns = ExtensionColumns::read(blocks, &receive(stream, 16 * blocks)).unwrap();
    let sends = sender.extend(count, &columns).unwrap();
    drop(columns);
    let mut pieces = if choices == Choices::Given {
        GarbledPieces::for_choices(&layer, sends, &delta).unwrap()
    } else {
        let corrections = receive(stream, sizes.corrections.0 as usize);
        let corrections = ChoiceCorrections::read(count, &corrections).unwrap();
        GarbledPieces::corrected(&layer, sends, &corrections, &delta).unwrap()
    };
    let [shares, _, masks] = shares();
    let (mut buffer, mut sent) = (Vec::new(), 0);
    for size in sizes.pieces {
        let inputs = pieces.next_into(&mut buffer, &mut rng).unwrap();
        inputs
            .encode_into(&layer, &shares, &masks, &mut buffer)
            .unwrap();
        assert_eq!(buffer.len() as u64, (size.tables + size.garbler_labels).0);
        stream.write_all(&buffer).unwrap();
        sent += buffer.len() as u64;
    }
    assert!(pieces.next_into(&mut buffer, &mut rng).is_none());
    sent
}

#[test]
#[ignore = "the other process of the test above"]
fn evaluator() {
    let Ok(address) = std::env::var(ADDRESS) else {
        return;
    };
    let before = peak_kib();
    let stream = &mut TcpStream::connect(address).unwrap();
    let (mut rng, extension) = (ChaCha20Rng::seed_from_u64(3), Extension::default());
    let (base, offer) = BaseOtSender::offer(&mut rng);
    send(stream, |out| offer.write(out));
    let reply = BaseOtReply::read(&receive(stream, BaseOtReply::WIRE_SIZE)).unwrap();
    let (mut receiver, sums) = ExtensionReceiver::new(extension, &base.finish(&reply).unwrap());
    send(stream, |out| sums.write(out));

    let layer = layer();
    let [garblers, own, masks] = shares();
    let choices = layer.choices(&own).unwrap();
    let labels = if std::env::var(CHOICES).unwrap() == format!("{:?}", Choices::Given) {
        let (columns, prepared) = receiver.extend(&choices);
        send(stream, |out| columns.write(out));
        prepared.into_labels()
    } else {
        let (columns, prepared) = receiver.extend_random(layer.choice_count());
        send(stream, |out| columns.write(out));
        let (corrections, pending) = prepared.correct(&choices).unwrap();
        send(stream, |out| corrections.write(out));
        pending.into_labels()
    };
    drop(choices);

    let mut pieces = EvaluatedPieces::new(&layer, labels).unwrap();
    let (mut buffer, mut outputs) = (Vec::new(), Vec::new());
    for piece in layer.pieces() {
        let tables = layer.tables_size(&piece).0 as usize;
        buffer.resize(tables + layer.labels_size(&piece).0 as usize, 0);
        stream.read_exact(&mut buffer).unwrap();
        let (tables, labels) = buffer.split_at(tables);
        let messages = PieceMessages { tables, labels };
        pieces.next(messages, &mut outputs).unwrap();
    }
    for ((output, (a, b)), r) in outputs.iter().zip(garblers.iter().zip(&own)).zip(masks) {
        assert_eq!(*output, CIRCUIT.plain(&[*a], &[*b], r).unwrap());
    }
    assert_eq!(outputs.len(), CIRCUITS);
    let held = peak_kib() - before;
    println!("evaluator: {held} KiB at most held");
    assert!(held < MOST_KIB, "{held} KiB");
}
