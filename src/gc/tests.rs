//! The whole exchange: garbled equals plain, foretold bytes equal written bytes, hostile bytes are refused.

use std::sync::Arc;

use proptest::prelude::*;
use rand::rngs::ChaCha20Rng;
use rand::{CryptoRng, SeedableRng};

use super::lanes::Shape;
use super::*;
use crate::network::Requantize;
use crate::units::Bytes;

fn circuits() -> Vec<ShareCircuit> {
    let requantize = |shift, output_bits, signed| Requantize {
        shift,
        output_bits,
        signed,
    };
    let relu = ShareFunction::Requantize(requantize(0, 20, false));
    let truncated = ShareFunction::Requantize(requantize(7, 8, false));
    let signed = ShareFunction::Requantize(requantize(9, 5, true));
    let fits = ShareFunction::Requantize(requantize(2, 20, true));
    let pool = ShareFunction::MaxPool {
        window: 4,
        then: requantize(3, 6, false),
    };
    let p = 1_032_193;
    let clip = ShareFunction::Clip(Clip {
        shift: 4,
        low: -3,
        high: 900,
    });
    let gazelle = ShareFunction::Gazelle {
        window: 2,
        rectifier: Rectifier::Relu,
    };
    let argmax = ShareFunction::Argmax { values: 5 };
    [
        (relu, p, p),
        (truncated, p, 65_537),
        (signed, p, 12_289),
        (fits, p, p),
        (pool, 40_961, 257),
        (clip, p, 65_537),
        (gazelle, p, p),
        (argmax, p, 8),
    ]
    .map(|(function, p_in, p_out)| ShareCircuit {
        function,
        p_in,
        p_out,
    })
    .to_vec()
}

struct Shares {
    garbler: Vec<u64>,
    evaluator: Vec<u64>,
    masks: Vec<u64>,
}

fn shares<R: CryptoRng>(circuit: &ShareCircuit, batch: usize, rng: &mut R) -> Shares {
    let mut draw = |count: usize, p: u64| (0..count).map(|_| rng.next_u64() % p).collect();
    let inputs = batch * circuit.window();
    Shares {
        garbler: draw(inputs, circuit.p_in),
        evaluator: draw(inputs, circuit.p_in),
        masks: draw(batch, circuit.p_out),
    }
}

fn plain(circuit: &ShareCircuit, shares: &Shares) -> Vec<u64> {
    let (a, b) = (&shares.garbler, &shares.evaluator);
    let windows = a.chunks(circuit.window()).zip(b.chunks(circuit.window()));
    windows
        .zip(&shares.masks)
        .map(|((a, b), &r)| circuit.plain(a, b, r).unwrap())
        .collect()
}

/// What a session leaves on the wire, message by message, and the evaluator's result.
struct Transcript {
    messages: Vec<Vec<u8>>,
    outputs: Vec<u64>,
}

fn bytes(size: usize, write: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    assert_eq!(out.len(), size);
    out
}

fn layer(circuit: &ShareCircuit, batch: usize) -> Arc<Layer> {
    Arc::new(Layer::new(circuit, batch, GarblingHash::Tmmo).unwrap())
}

/// The messages of all pieces, joined: tables, labels.
fn garble_all<R: CryptoRng>(
    pieces: &mut GarbledPieces,
    layer: &Layer,
    shares: &Shares,
    rng: &mut R,
) -> (Vec<u8>, Vec<u8>) {
    let (mut tables, mut labels, mut buffer) = (Vec::new(), Vec::new(), Vec::new());
    let mut sizes = layer.pieces();
    while let Some(inputs) = pieces.next_into(&mut buffer, rng) {
        let before = labels.len();
        inputs
            .encode_into(layer, &shares.garbler, &shares.masks, &mut labels)
            .unwrap();
        let piece = sizes.next().unwrap();
        assert_eq!(buffer.len() as u64, layer.tables_size(&piece).0);
        assert_eq!((labels.len() - before) as u64, layer.labels_size(&piece).0);
        tables.extend_from_slice(&buffer);
    }
    assert_eq!(sizes.next(), None);
    (tables, labels)
}

/// Evaluates joined messages.
fn evaluate_all(
    layer: &Arc<Layer>,
    mut tables: &[u8],
    mut labels: &[u8],
    own: EvaluatorLabels,
) -> Result<Vec<u64>, GcError> {
    let (mut pieces, mut outputs) = (EvaluatedPieces::new(layer, own)?, Vec::new());
    for piece in layer.pieces() {
        let (own, later) = tables.split_at(layer.tables_size(&piece).0 as usize);
        tables = later;
        let (own_labels, later) = labels.split_at(layer.labels_size(&piece).0 as usize);
        labels = later;
        let messages = PieceMessages {
            tables: own,
            labels: own_labels,
        };
        pieces.next(messages, &mut outputs)?;
    }
    Ok(outputs)
}

/// Every message goes through its bytes.
fn session(circuit: &ShareCircuit, batch: usize, shares: &Shares, seed: u64) -> Transcript {
    let mut garbler = ChaCha20Rng::seed_from_u64(seed);
    let mut evaluator = ChaCha20Rng::seed_from_u64(!seed);
    let delta = Delta::random(&mut garbler);

    let (base, offer) = BaseOtSender::offer(&mut evaluator);
    let offer = bytes(offer.wire_size(), |out| offer.write(out));
    let read = BaseOtOffer::read(&offer).unwrap();
    let (chosen, reply) = BaseOtReceiver::reply(&read, &delta, &mut garbler).unwrap();
    let reply = bytes(reply.wire_size(), |out| reply.write(out));
    let pairs = base.finish(&BaseOtReply::read(&reply).unwrap()).unwrap();

    let count = batch * circuit.evaluator_input_bits();
    let extension = Extension::default();
    let (mut receiver, sums) = ExtensionReceiver::new(extension, &pairs);
    let sums = bytes(sums.wire_size(), |out| sums.write(out));
    let (columns, receives) = receiver.extend_random(count);
    let columns = bytes(columns.wire_size(), |out| columns.write(out));
    let read = ExtensionColumns::read(extension.random_blocks(count), &columns).unwrap();
    let sums_read = TreeSums::read(extension, &sums).unwrap();
    let sends = ExtensionSender::new(extension, &chosen, &delta, &sums_read)
        .unwrap()
        .extend(count, &read)
        .unwrap();

    let layer = layer(circuit, batch);
    assert_eq!(layer.and_count(), batch * circuit.and_count().unwrap());
    let mut pieces = GarbledPieces::fresh(&layer, &delta, &mut garbler);
    let (tables, labels) = garble_all(&mut pieces, &layer, shares, &mut garbler);
    let inputs = pieces.into_evaluator_inputs().unwrap();

    let bits = layer.choices(&shares.evaluator).unwrap();
    let (corrections, pending) = receives.correct(&bits).unwrap();
    let corrections = bytes(corrections.wire_size(), |out| corrections.write(out));
    let read = ChoiceCorrections::read(count, &corrections).unwrap();
    let transfer = inputs.transfer(sends, &read).unwrap();
    let transfer = bytes(transfer.wire_size(), |out| transfer.write(out));
    let evaluator_labels = pending.receive(&transfer).unwrap();

    let outputs = evaluate_all(&layer, &tables, &labels, evaluator_labels).unwrap();
    let messages = vec![
        offer,
        reply,
        columns,
        tables,
        labels,
        corrections,
        transfer,
        sums,
    ];
    Transcript { messages, outputs }
}

#[test]
fn garbled_equals_plain_and_bytes_are_as_foretold() {
    let mut rng = ChaCha20Rng::seed_from_u64(10);
    for circuit in circuits() {
        for batch in [0, 1, 3, 129] {
            let shares = shares(&circuit, batch, &mut rng);
            let transcript = session(&circuit, batch, &shares, 11);
            assert_eq!(
                transcript.outputs,
                plain(&circuit, &shares),
                "{circuit:?} {batch}"
            );
            let sizes = GcSizes::new(&circuit, batch).unwrap();
            let foretold = [
                sizes.base_ot_offer,
                sizes.base_ot_reply,
                sizes.extension,
                sizes.pieces.iter().map(|piece| piece.tables).sum(),
                sizes.pieces.iter().map(|piece| piece.garbler_labels).sum(),
                sizes.corrections,
                sizes.label_transfer,
                sizes.tree_sums,
            ];
            let sent: Vec<_> = transcript
                .messages
                .iter()
                .map(|m| Bytes(m.len() as u64))
                .collect();
            assert_eq!(sent, foretold);
        }
    }
}

#[test]
fn a_seed_repeats_the_transcript_and_another_changes_every_message() {
    let circuit = circuits()[1];
    let shares = shares(&circuit, 3, &mut ChaCha20Rng::seed_from_u64(12));
    let [first, again, other] = [1, 1, 2].map(|seed| session(&circuit, 3, &shares, seed).messages);
    assert_eq!(first, again);
    for (first, other) in first.iter().zip(&other) {
        assert_ne!(first, other);
    }
}

#[test]
fn choices_are_the_input_bits_wire_by_wire_within_each_run() {
    let mut rng = ChaCha20Rng::seed_from_u64(13);
    for circuit in circuits() {
        for batch in [1, 70, 2000] {
            let layer = Layer::new(&circuit, batch, GarblingHash::default()).unwrap();
            let shares = shares(&circuit, batch, &mut rng).evaluator;
            let (bits, wires) = (
                circuit.evaluator_bits(&shares, batch).unwrap(),
                circuit.evaluator_input_bits(),
            );
            let mut ordered = Vec::new();
            for piece in layer.pieces() {
                for run in piece.runs() {
                    let instances = (0..run.lanes).map(|lane| piece.first + run.first + lane);
                    for wire in 0..wires {
                        ordered.extend(instances.clone().map(|i| bits[i * wires + wire]));
                    }
                }
            }
            assert_eq!(*layer.choices(&shares).unwrap(), ordered);
        }
    }
}

/// Both parties' sides of transfers with given choices.
fn transfers<R: CryptoRng>(
    choices: &[bool],
    delta: &Delta,
    rng: &mut R,
) -> (PreparedReceives, PreparedSends) {
    let (base, offer) = BaseOtSender::offer(rng);
    let (chosen, reply) = BaseOtReceiver::reply(&offer, delta, rng).unwrap();
    let (pairs, extension) = (base.finish(&reply).unwrap(), Extension::default());
    let (mut receiver, sums) = ExtensionReceiver::new(extension, &pairs);
    let (columns, receives) = receiver.extend(choices);
    let mut sender = ExtensionSender::new(extension, &chosen, delta, &sums).unwrap();
    (receives, sender.extend(choices.len(), &columns).unwrap())
}

#[test]
fn choices_that_are_the_inputs_need_no_transfer() {
    let mut rng = ChaCha20Rng::seed_from_u64(13);
    let delta = Delta::random(&mut rng);
    for circuit in circuits() {
        let (shares, layer) = (shares(&circuit, 5, &mut rng), layer(&circuit, 5));
        let bits = layer.choices(&shares.evaluator).unwrap();
        let (receives, sends) = transfers(&bits, &delta, &mut rng);
        let mut pieces = GarbledPieces::for_choices(&layer, sends, &delta).unwrap();
        let (tables, labels) = garble_all(&mut pieces, &layer, &shares, &mut rng);
        let outputs = evaluate_all(&layer, &tables, &labels, receives.into_labels()).unwrap();
        assert_eq!(outputs, plain(&circuit, &shares));
        let again = pieces.into_evaluator_inputs();
        assert_eq!(again.err(), Some(GcError::LabelsGiven));
    }
}

/// Streamed: choices corrected first, every hash, one thread or several.
#[test]
fn corrected_choices_need_no_transfer() {
    let mut rng = ChaCha20Rng::seed_from_u64(23);
    let (circuit, batch) = (circuits()[1], 1001);
    let (shares, delta) = (shares(&circuit, batch, &mut rng), Delta::random(&mut rng));
    for (hash, at_once) in GarblingHash::ALL.into_iter().zip([1, 2, 3]) {
        let layer = Arc::new(Layer::new(&circuit, batch, hash).unwrap());
        assert!(layer.pieces().len() > 2);
        let choices: Vec<bool> = (0..batch * 20).map(|i| i % 3 == 0).collect();
        let (receives, sends) = transfers(&choices, &delta, &mut rng);
        let bits = layer.choices(&shares.evaluator).unwrap();
        let (corrections, pending) = receives.correct(&bits).unwrap();
        let mut pieces = GarbledPieces::corrected(&layer, sends, &corrections, &delta).unwrap();
        let mut evaluated = EvaluatedPieces::new(&layer, pending.into_labels()).unwrap();
        let (mut buffers, mut outputs) = (vec![Vec::new(); at_once], Vec::new());
        loop {
            let inputs = pieces.next_group_into(&mut buffers, &mut rng);
            let encode = |inputs: GarblerInputs| {
                let mut labels = Vec::new();
                inputs
                    .encode_into(&layer, &shares.garbler, &shares.masks, &mut labels)
                    .unwrap();
                labels
            };
            let labels: Vec<_> = inputs.into_iter().map(encode).collect();
            if labels.is_empty() {
                break;
            }
            let pairs = buffers.iter().zip(&labels);
            let messages: Vec<_> = pairs
                .map(|(tables, labels)| PieceMessages { tables, labels })
                .collect();
            evaluated.next_group(&messages, &mut outputs).unwrap();
        }
        assert_eq!(outputs, plain(&circuit, &shares));
    }
}

#[test]
fn pieces_are_the_same_side_by_side_and_on_any_kernels() {
    let mut rng = ChaCha20Rng::seed_from_u64(24);
    let delta = Delta::random(&mut rng);
    let layer = |kernels| {
        let layer = Layer::new(&circuits()[0], 1001, GarblingHash::Tmmo);
        Arc::new(layer.unwrap().on(kernels))
    };
    let garbled = |at_once: usize, kernels| {
        let layer = layer(kernels);
        let mut rng = ChaCha20Rng::seed_from_u64(25);
        let mut pieces = GarbledPieces::fresh(&layer, &delta, &mut rng);
        let (mut all, mut buffers) = (Vec::new(), vec![Vec::new(); at_once]);
        loop {
            let count = pieces.next_group_into(&mut buffers, &mut rng).len();
            all.extend_from_slice(&buffers[..count]);
            if count < at_once {
                return all;
            }
        }
    };
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let on = |threads, at_once| {
        let pool = pool(threads).unwrap();
        pool.install(|| garbled(at_once, Kernels::Fastest))
    };
    let first = on(1, 1);
    assert!(first == on(1, 3));
    assert!(first == on(2, 1));
    assert!(first == on(3, 2));
    assert!(first == garbled(2, Kernels::Portable));
}

#[test]
fn no_key_sees_too_many_gates_and_no_tweak_repeats() {
    let largest = ShareCircuit {
        function: ShareFunction::MaxPool {
            window: 1024,
            then: Requantize {
                shift: 0,
                output_bits: 60,
                signed: false,
            },
        },
        p_in: (1 << 61) - 1,
        p_out: (1 << 61) - 1,
    };
    for (circuit, batch) in [(circuits()[4], 12_345), (largest, 7)] {
        let shape = Shape::new(&circuit, batch).unwrap();
        assert!(shape.pieces().len() > 1);
        let mut next = 0;
        for piece in shape.pieces() {
            assert_eq!(piece.first, next);
            let mut in_piece = 0;
            for run in piece.runs() {
                assert_eq!(run.first, in_piece);
                in_piece += run.lanes;
            }
            assert_eq!(in_piece, piece.circuits);
            assert!(piece.circuits * shape.ands <= ANDS_PER_KEY);
            next += piece.circuits;
        }
        assert_eq!(next, batch);
    }
}

#[test]
fn a_batch_under_several_keys_is_right() {
    let requantize = Requantize {
        shift: 0,
        output_bits: 3,
        signed: false,
    };
    let function = ShareFunction::MaxPool {
        window: 1024,
        then: requantize,
    };
    let circuit = ShareCircuit {
        function,
        p_in: 31,
        p_out: 31,
    };
    let batch = 60;
    let mut rng = ChaCha20Rng::seed_from_u64(14);
    let shares = shares(&circuit, batch, &mut rng);
    assert!(Shape::new(&circuit, batch).unwrap().pieces().len() > 1);
    let transcript = session(&circuit, batch, &shares, 15);
    assert_eq!(transcript.outputs, plain(&circuit, &shares));
}

#[test]
fn messages_of_the_wrong_length_are_refused() {
    let circuit = circuits()[0];
    let (layer, mut rng) = (layer(&circuit, 3), ChaCha20Rng::seed_from_u64(16));
    let mut pieces = GarbledPieces::fresh(&layer, &Delta::random(&mut rng), &mut rng);
    let shares = shares(&circuit, 3, &mut rng);
    let (mut tables, labels) = garble_all(&mut pieces, &layer, &shares, &mut rng);
    let evaluate = |tables: &[u8], labels: &[u8]| {
        let own = EvaluatorLabels(vec![1; 3 * circuit.evaluator_input_bits()]);
        let mut pieces = EvaluatedPieces::new(&layer, own).unwrap();
        let mut outputs = Vec::new();
        let messages = PieceMessages { tables, labels };
        let evaluated = pieces.next(messages, &mut outputs);
        assert_eq!(evaluated.is_err(), outputs.is_empty());
        evaluated?;
        let left = pieces.next(messages, &mut outputs);
        assert_eq!(left, Err(GcError::Pieces { left: 0 }));
        Ok(outputs.len())
    };
    assert_eq!(evaluate(&tables, &labels), Ok(3));
    assert!(evaluate(&tables[1..], &labels).is_err());
    assert!(evaluate(&[], &labels).is_err());
    assert!(evaluate(&tables, &labels[1..]).is_err());
    *tables.last_mut().unwrap() |= 0x80;
    let padding = GcError::Padding {
        what: "decode bits",
    };
    assert_eq!(evaluate(&tables, &labels), Err(padding));
    assert!(LabelTransfer::read(usize::MAX, &[0; 48]).is_err());
    assert!(ExtensionColumns::read(3, &[]).is_err());
    assert!(ChoiceCorrections::read(9, &[0; 1]).is_err());
    assert!(ChoiceCorrections::read(9, &[0, 2]).is_err());
    assert!(ChoiceCorrections::read(9, &[0, 1]).is_ok());
    assert!(BaseOtOffer::read(&[0; 31]).is_err());
    assert!(BaseOtReply::read(&[0; 4095]).is_err());
    assert!(GcSizes::new(&circuit, 0).is_ok());
}

#[test]
fn state_that_does_not_fit_the_batch_is_refused() {
    let (circuit, mut rng) = (circuits()[0], ChaCha20Rng::seed_from_u64(17));
    let delta = Delta::random(&mut rng);
    let layer = layer(&circuit, 2);
    let mut pieces = GarbledPieces::fresh(&layer, &delta, &mut rng);
    let mut out = Vec::new();
    let inputs = pieces.next_into(&mut out, &mut rng).unwrap();
    assert!(inputs.encode_into(&layer, &[1], &[1, 2], &mut out).is_err());
    assert!(pieces.next_into(&mut out, &mut rng).is_none());
    let none = PreparedSends::default();
    let corrections = ChoiceCorrections::read(0, &[]).unwrap();
    let inputs = pieces.into_evaluator_inputs().unwrap();
    assert!(inputs.transfer(none, &corrections).is_err());
    let none = PreparedSends::default;
    assert!(GarbledPieces::for_choices(&layer, none(), &delta).is_err());
    assert!(GarbledPieces::corrected(&layer, none(), &corrections, &delta).is_err());
    let (_, pending) = PreparedReceives::default().correct(&[]).unwrap();
    assert!(pending.receive(&[0; 16]).is_err());
    let none = PreparedReceives::default().into_labels();
    assert!(EvaluatedPieces::new(&layer, none).is_err());
    assert!(PreparedReceives::default().correct(&[true]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// A flipped bit is refused or gives a result; it never panics.
    #[test]
    fn a_flipped_bit_never_panics(message in 0_usize..8, place: prop::sample::Index, bit in 0_u32..8) {
        let circuit = circuits()[4];
        let shares = shares(&circuit, 2, &mut ChaCha20Rng::seed_from_u64(18));
        let mut sent = session(&circuit, 2, &shares, 19).messages;
        let length = sent[message].len();
        sent[message][place.index(length)] ^= 1 << bit;
        if let Ok(outputs) = replay(&circuit, 2, &shares, 19, &sent) {
            prop_assert_eq!(outputs.len(), 2);
        }
    }
}

/// Any bytes in place of a piece's: refused for their length or their padding, else evaluated.
#[test]
fn damaged_pieces_are_refused_or_evaluated() {
    let (circuit, mut rng) = (circuits()[4], ChaCha20Rng::seed_from_u64(26));
    let layer = layer(&circuit, 3);
    let piece = layer.pieces().next().unwrap();
    let sizes = [layer.tables_size(&piece), layer.labels_size(&piece)];
    let (mut evaluated, mut refused) = (0, 0);
    for round in 0..300 {
        let sent = sizes.map(|size| {
            let change = [0, 0, 0, 1, 16][(rng.next_u32() % 5) as usize];
            let mut bytes = vec![0; (size.0 as usize + change).saturating_sub(round % 3)];
            rng.fill_bytes(&mut bytes);
            bytes
        });
        let own = EvaluatorLabels(vec![round as u128; 3 * circuit.evaluator_input_bits()]);
        let mut pieces = EvaluatedPieces::new(&layer, own).unwrap();
        let [tables, labels] = sent.each_ref().map(Vec::as_slice);
        let mut outputs = Vec::new();
        match pieces.next(PieceMessages { tables, labels }, &mut outputs) {
            Ok(()) => evaluated += usize::from(outputs.len() == 3),
            Err(_) => refused += usize::from(outputs.is_empty()),
        }
    }
    assert_eq!(evaluated + refused, 300);
    assert!(refused > 100, "{refused}");
}

/// A session whose parties read the given bytes whatever the other one sent.
fn replay(
    circuit: &ShareCircuit,
    batch: usize,
    shares: &Shares,
    seed: u64,
    sent: &[Vec<u8>],
) -> Result<Vec<u64>, GcError> {
    let mut garbler = ChaCha20Rng::seed_from_u64(seed);
    let mut evaluator = ChaCha20Rng::seed_from_u64(!seed);
    let delta = Delta::random(&mut garbler);
    let count = batch * circuit.evaluator_input_bits();
    let (base, _) = BaseOtSender::offer(&mut evaluator);
    let (chosen, _) = BaseOtReceiver::reply(&BaseOtOffer::read(&sent[0])?, &delta, &mut garbler)?;
    let pairs = base.finish(&BaseOtReply::read(&sent[1])?)?;
    let extension = Extension::default();
    let (_, receives) = ExtensionReceiver::new(extension, &pairs)
        .0
        .extend_random(count);
    let columns = ExtensionColumns::read(extension.random_blocks(count), &sent[2])?;
    let sums = TreeSums::read(extension, &sent[7])?;
    let sends = ExtensionSender::new(extension, &chosen, &delta, &sums)?.extend(count, &columns)?;
    let layer = layer(circuit, batch);
    let pieces = GarbledPieces::fresh(&layer, &delta, &mut garbler);
    let bits = layer.choices(&shares.evaluator)?;
    let (_, pending) = receives.correct(&bits)?;
    let corrections = ChoiceCorrections::read(count, &sent[5])?;
    let inputs = pieces.into_evaluator_inputs().unwrap();
    inputs.transfer(sends, &corrections)?;
    let labels = pending.receive(&sent[6])?;
    evaluate_all(&layer, &sent[3], &sent[4], labels)
}

#[test]
fn flips_in_the_tables_show_in_the_results() {
    let circuit = circuits()[1];
    let shares = shares(&circuit, 4, &mut ChaCha20Rng::seed_from_u64(20));
    let transcript = session(&circuit, 4, &shares, 21);
    let outputs = transcript.outputs;
    assert_eq!(
        replay(&circuit, 4, &shares, 21, &transcript.messages).unwrap(),
        outputs
    );
    let rows = 32 * 4 * circuit.and_count().unwrap();
    let mut changed = 0;
    for place in (16..16 + rows).step_by(311) {
        let mut sent = transcript.messages.clone();
        sent[3][place] ^= 1;
        let got = replay(&circuit, 4, &shares, 21, &sent).unwrap();
        assert_eq!(got.len(), outputs.len());
        changed += usize::from(got != outputs);
    }
    assert!(changed > rows / 311 / 4, "{changed}");
}
