//! Hostile bytes: every message of the transfers, damaged in every way, is refused or used; nothing panics.

use rand::rngs::ChaCha20Rng;
use rand::{CryptoRng, RngExt, SeedableRng};

use super::super::base_ot::{BaseOtReceiver, BaseOtSender};
use super::super::extension::{ExtensionReceiver, ExtensionSender};
use super::super::labels::Delta;
use super::super::messages::LabelTransfer;
use super::*;

const COUNT: usize = 5;
const EXTENSION: Extension = Extension::SoftSpoken2;

/// What one run leaves on the wire, in the order of [`read`].
fn transcript(seed: u64) -> [Vec<u8>; 7] {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let delta = Delta::random(&mut rng);
    let (base, offer) = BaseOtSender::offer(&mut rng);
    let (chosen, reply) = BaseOtReceiver::reply(&offer, &delta, &mut rng).unwrap();
    let seeds = base.finish(&reply).unwrap();
    let (mut receiver, sums) = ExtensionReceiver::new(EXTENSION, &seeds);
    let mut sender = ExtensionSender::new(EXTENSION, &chosen, &delta, &sums).unwrap();
    let (columns, receives) = receiver.extend_random(COUNT);
    let sends = sender.extend(COUNT, &columns).unwrap();
    let (keys, sends) = sends.into_random(&delta, &mut rng);
    let receives = receives.into_random(&keys).unwrap();
    let (corrections, _) = receives.correct(&[true; COUNT]).unwrap();
    let masked = sends.transfer(&[[1, 2]; COUNT], &corrections).unwrap();
    let mut sent: [Vec<u8>; 7] = Default::default();
    offer.write(&mut sent[0]);
    reply.write(&mut sent[1]);
    sums.write(&mut sent[2]);
    columns.write(&mut sent[3]);
    keys.write(&mut sent[4]);
    corrections.write(&mut sent[5]);
    masked.write(&mut sent[6]);
    sent
}

/// Reads message number `kind` and writes it again.
fn read(kind: usize, bytes: &[u8]) -> Result<Vec<u8>, GcError> {
    let mut out = Vec::new();
    match kind {
        0 => BaseOtOffer::read(bytes)?.write(&mut out),
        1 => BaseOtReply::read(bytes)?.write(&mut out),
        2 => TreeSums::read(EXTENSION, bytes)?.write(&mut out),
        3 => ExtensionColumns::read(EXTENSION.random_blocks(COUNT), bytes)?.write(&mut out),
        4 => PadKeys::read(pad_keys(COUNT), bytes)?.write(&mut out),
        5 => ChoiceCorrections::read(COUNT, bytes)?.write(&mut out),
        6 => ChosenMessages::read(2 * COUNT, bytes)?.write(&mut out),
        _ => LabelTransfer::read(COUNT, bytes)?.write(&mut out),
    }
    Ok(out)
}

/// Some bits flipped, bytes taken off or added, or all of it replaced.
fn damaged<R: CryptoRng>(bytes: &[u8], rng: &mut R) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match rng.random_range(0..4) {
        0 => bytes.truncate(rng.random_range(0..=bytes.len())),
        1 => bytes.extend((0..rng.random_range(1..40)).map(|_| 0xa5)),
        2 => rng.fill_bytes(&mut bytes),
        _ => {
            for _ in 0..rng.random_range(1..4) {
                let place = rng.random_range(0..bytes.len().max(1));
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << rng.random_range(0..8);
                }
            }
        }
    }
    bytes
}

#[test]
fn damaged_messages_are_refused_or_read_as_they_stand() {
    let mut rng = ChaCha20Rng::seed_from_u64(30);
    let mut sent = transcript(31).to_vec();
    sent.push(vec![7; 16 * COUNT]);
    let mut accepted = 0;
    for round in 0..100_000 {
        let kind = round % sent.len();
        let bytes = damaged(&sent[kind], &mut rng);
        if let Ok(again) = read(kind, &bytes) {
            assert_eq!(again, bytes);
            accepted += 1;
        } else {
            assert!(bytes.len() != sent[kind].len() || kind == 5);
        }
    }
    assert!(accepted > 30_000, "{accepted}");
}

#[test]
fn damaged_messages_that_are_read_lead_to_results_or_refusals() {
    let sent = transcript(32);
    let mut rng = ChaCha20Rng::seed_from_u64(33);
    let delta = Delta::random(&mut rng);
    let (_, offer) = BaseOtSender::offer(&mut rng);
    let (chosen, _) = BaseOtReceiver::reply(&offer, &delta, &mut rng).unwrap();
    let (mut used, mut refused) = (0, 0);
    for round in 0..400 {
        let result = (|| {
            let mut damaged = |kind: usize| damaged(&sent[kind], &mut rng);
            let sums = TreeSums::read(EXTENSION, &damaged(2))?;
            let mut sender = ExtensionSender::new(EXTENSION, &chosen, &delta, &sums)?;
            let columns = EXTENSION.random_blocks(COUNT);
            let columns = ExtensionColumns::read(columns, &damaged(3))?;
            let corrections = ChoiceCorrections::read(COUNT, &sent[5])?;
            let sends = sender.extend(COUNT, &columns)?;
            let (_, sends) = sends.into_random(&delta, &mut rng);
            sends.transfer(&[[3, 4]; COUNT], &corrections)
        })();
        match result {
            Ok(masked) => used += usize::from(masked.wire_size() == 32 * COUNT),
            Err(_) => refused += 1,
        }
        if round % 20 == 0 {
            let (base, _) = BaseOtSender::offer(&mut rng);
            let reply = BaseOtReply::read(&damaged(&sent[1], &mut rng));
            drop(reply.and_then(|reply| base.finish(&reply)));
            let offer = BaseOtOffer::read(&damaged(&sent[0], &mut rng));
            drop(offer.and_then(|offer| BaseOtReceiver::reply(&offer, &delta, &mut rng)));
        }
    }
    assert!(used > 50 && refused > 50, "{used} {refused}");
}

#[test]
fn a_seed_repeats_every_message_and_another_changes_it() {
    let [first, again, other] = [34, 34, 35].map(transcript);
    assert_eq!(first, again);
    for (kind, (first, other)) in first.iter().zip(&other).enumerate() {
        // Five corrections of one byte may well be equal.
        assert!(first != other || kind == 5);
    }
}

#[test]
fn sizes_are_known_beforehand() {
    let sizes = transcript(36).map(|bytes| bytes.len());
    let blocks = EXTENSION.random_blocks(COUNT);
    let foretold = [
        BaseOtOffer::WIRE_SIZE,
        BaseOtReply::WIRE_SIZE,
        TreeSums::wire_size_of(EXTENSION),
        16 * blocks,
        16 * pad_keys(COUNT),
        1,
        32 * COUNT,
    ];
    assert_eq!(sizes, foretold);
    assert_eq!((sizes[2], blocks), (4096, 63));
    assert_eq!(pad_keys(TRANSFERS_PER_KEY + 1), 2);
}
