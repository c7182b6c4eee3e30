//! The whole exchange: garbled equals plain, foretold bytes equal written bytes, hostile bytes are refused.

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
        (argmax, p, 1),
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

    let garbling = garble(circuit, batch, &delta, &mut garbler).unwrap();
    assert_eq!(
        garbling.tables.and_count(),
        batch * circuit.and_count().unwrap()
    );
    let tables = bytes(garbling.tables.wire_size(), |out| {
        garbling.tables.write(out)
    });

    let bits = circuit.evaluator_bits(&shares.evaluator, batch).unwrap();
    let (corrections, pending) = receives.correct(&bits).unwrap();
    let corrections = bytes(corrections.wire_size(), |out| corrections.write(out));
    let read = ChoiceCorrections::read(count, &corrections).unwrap();
    let transfer = garbling.evaluator_inputs.transfer(sends, &read).unwrap();
    let transfer = bytes(transfer.wire_size(), |out| transfer.write(out));
    let read = LabelTransfer::read(count, &transfer).unwrap();
    let evaluator_labels = pending.receive(&read).unwrap();

    let labels = garbling
        .garbler_inputs
        .encode(&shares.garbler, &shares.masks)
        .unwrap();
    let labels = bytes(labels.wire_size(), |out| labels.write(out));
    let read = GarblerLabels::read(batch * circuit.garbler_input_bits(), &labels).unwrap();
    let received = GarbledTables::read(circuit, batch, &tables).unwrap();
    let outputs = evaluate(circuit, batch, received, read, evaluator_labels).unwrap();
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
                sizes.tables,
                sizes.garbler_labels,
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
fn choices_that_are_the_inputs_need_no_transfer() {
    let mut rng = ChaCha20Rng::seed_from_u64(13);
    let delta = Delta::random(&mut rng);
    let (base, offer) = BaseOtSender::offer(&mut rng);
    let (chosen, reply) = BaseOtReceiver::reply(&offer, &delta, &mut rng).unwrap();
    let extension = Extension::SoftSpoken4;
    let (mut receiver, sums) = ExtensionReceiver::new(extension, &base.finish(&reply).unwrap());
    let mut sender = ExtensionSender::new(extension, &chosen, &delta, &sums).unwrap();
    for circuit in circuits() {
        let shares = shares(&circuit, 5, &mut rng);
        let bits = circuit.evaluator_bits(&shares.evaluator, 5).unwrap();
        let (columns, receives) = receiver.extend(&bits);
        let sends = sender.extend(bits.len(), &columns).unwrap();
        let (tables, inputs) = garble_for_choices(&circuit, 5, sends, &delta, &mut rng).unwrap();
        let labels = inputs.encode(&shares.garbler, &shares.masks).unwrap();
        let outputs = evaluate(&circuit, 5, tables, labels, receives.into_labels()).unwrap();
        assert_eq!(outputs, plain(&circuit, &shares));
    }
}

#[test]
fn no_key_sees_too_many_gates_and_no_tweak_repeats() {
    let circuit = circuits()[4];
    let shape = Shape::new(&circuit, 12_345).unwrap();
    assert!(shape.keys() > 1);
    let (mut next, mut key, mut tweak) = (0, 0, 0);
    for run in shape.runs() {
        if run.key != key {
            assert_eq!(run.key, key + 1);
            (key, tweak) = (run.key, 0);
        }
        assert_eq!((run.first, run.tweak), (next, tweak));
        next += run.lanes;
        tweak += run.lanes * shape.ands;
        assert!(tweak <= ANDS_PER_KEY);
    }
    assert_eq!((next, key + 1), (12_345, shape.keys()));
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
    assert!(Shape::new(&circuit, batch).unwrap().keys() > 1);
    let transcript = session(&circuit, batch, &shares, 15);
    assert_eq!(transcript.outputs, plain(&circuit, &shares));
}

#[test]
fn messages_of_the_wrong_length_are_refused() {
    let circuit = circuits()[0];
    let mut rng = ChaCha20Rng::seed_from_u64(16);
    let tables = garble(&circuit, 3, &Delta::random(&mut rng), &mut rng)
        .unwrap()
        .tables;
    let mut sent = bytes(tables.wire_size(), |out| tables.write(out));
    assert!(GarbledTables::read(&circuit, 3, &sent).is_ok());
    assert!(GarbledTables::read(&circuit, 2, &sent).is_err());
    assert!(GarbledTables::read(&circuit, usize::MAX, &sent).is_err());
    assert!(GarbledTables::read(&circuit, 3, &sent[1..]).is_err());
    *sent.last_mut().unwrap() |= 0x80;
    let padding = GcError::Padding {
        what: "decode bits",
    };
    assert_eq!(GarbledTables::read(&circuit, 3, &sent).err(), Some(padding));
    assert!(GarblerLabels::read(3, &[0; 47]).is_err());
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
    let garbling = garble(&circuit, 2, &delta, &mut rng).unwrap();
    assert!(garbling.garbler_inputs.encode(&[1], &[1, 2]).is_err());
    let none = PreparedSends::default();
    let corrections = ChoiceCorrections::read(0, &[]).unwrap();
    assert!(
        garbling
            .evaluator_inputs
            .transfer(none, &corrections)
            .is_err()
    );
    assert!(garble_for_choices(&circuit, 1, PreparedSends::default(), &delta, &mut rng).is_err());
    let (labels, transfer) = (
        GarblerLabels::read(0, &[]).unwrap(),
        LabelTransfer::read(1, &[0; 16]).unwrap(),
    );
    let (_, pending) = PreparedReceives::default().correct(&[]).unwrap();
    assert!(pending.receive(&transfer).is_err());
    let none = PreparedReceives::default().into_labels();
    assert!(evaluate(&circuit, 2, garbling.tables, labels, none).is_err());
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
    let garbling = garble(circuit, batch, &delta, &mut garbler)?;
    let bits = circuit.evaluator_bits(&shares.evaluator, batch)?;
    let (_, pending) = receives.correct(&bits)?;
    let corrections = ChoiceCorrections::read(count, &sent[5])?;
    garbling.evaluator_inputs.transfer(sends, &corrections)?;
    let labels = pending.receive(&LabelTransfer::read(count, &sent[6])?)?;
    let tables = GarbledTables::read(circuit, batch, &sent[3])?;
    let garbler_labels = GarblerLabels::read(batch * circuit.garbler_input_bits(), &sent[4])?;
    evaluate(circuit, batch, tables, garbler_labels, labels)
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
