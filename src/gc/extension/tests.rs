//! Extended transfers against their defining equation, and label transfer against the wanted labels.

use std::sync::Arc;

use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};

use super::super::base_ot::{BaseOtReceiver, BaseOtSender};
use super::super::circuits::{ShareCircuit, ShareFunction};
use super::super::garble::GarbledPieces;
use super::super::hash::GarblingHash;
use super::super::kernels::{Backend, Cipher, Quad};
use super::super::labels::Stretch;
use super::super::layer::Layer;
use super::super::transfer_messages::{
    ChoiceCorrections, ChosenMessages, PadKeys, TreeSums, pad_keys,
};
use super::*;
use crate::network::Requantize;

fn parties(
    extension: Extension,
    rng: &mut ChaCha20Rng,
) -> (ExtensionReceiver, ExtensionSender, Delta) {
    let delta = Delta::random(rng);
    let (sender, offer) = BaseOtSender::offer(rng);
    let (chosen, reply) = BaseOtReceiver::reply(&offer, &delta, rng).unwrap();
    let seeds = sender.finish(&reply).unwrap();
    let (receiver, sums) = ExtensionReceiver::new(extension, &seeds);
    let mut sent = Vec::new();
    sums.write(&mut sent);
    assert_eq!(sent.len(), TreeSums::wire_size_of(extension));
    let sums = TreeSums::read(extension, &sent).unwrap();
    let sender = ExtensionSender::new(extension, &chosen, &delta, &sums).unwrap();
    (receiver, sender, delta)
}

fn assert_correlated(receives: &PreparedReceives, sends: &PreparedSends, delta: &Delta) {
    assert_eq!(receives.choices.len(), receives.len());
    assert_eq!(receives.len(), sends.len());
    for ((t, q), &c) in receives.rows.iter().zip(&sends.rows).zip(&receives.choices) {
        assert_eq!(*q, t ^ (u128::from(c) * delta.0));
    }
}

#[test]
fn rows_differ_by_delta_exactly_where_the_choice_is_set() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    for extension in Extension::ALL {
        let (mut receiver, mut sender, delta) = parties(extension, &mut rng);
        assert_eq!(delta.0 & 1, 1);
        for count in [0, 1, 127, 128, 129, 1000, 4096, 5000] {
            let (columns, receives) = receiver.extend_random(count);
            assert_eq!(columns.wire_size(), 16 * extension.random_blocks(count));
            let sends = sender.extend(count, &columns).unwrap();
            assert_correlated(&receives, &sends, &delta);
            let choices: Vec<bool> = (0..count).map(|i| i % 3 == 1).collect();
            let (columns, receives) = receiver.extend(&choices);
            assert_eq!(columns.wire_size(), 16 * extension.given_blocks(count));
            let sends = sender.extend(count, &columns).unwrap();
            assert_eq!(receives.choices, choices);
            assert_correlated(&receives, &sends, &delta);
        }
    }
}

/// Counts that one thread takes whole, that fill several parts and that leave a last part of a few rows.
#[test]
fn any_number_of_threads_extends_and_hashes_the_same() {
    let of_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let mut rng = ChaCha20Rng::seed_from_u64(9);
            let (mut receiver, mut sender, delta) = parties(Extension::default(), &mut rng);
            let counts = [100, 16_384, 2 * 16_384 + 3, 70_001];
            counts.map(|count| {
                let (columns, receives) = receiver.extend_random(count);
                let sends = sender.extend(count, &columns).unwrap();
                assert_correlated(&receives, &sends, &delta);
                let (keys, sends) = sends.into_random(&delta, &mut rng);
                let receives = receives.into_random(&keys).unwrap();
                for ((both, one), &c) in sends
                    .pads()
                    .iter()
                    .zip(receives.pads())
                    .zip(receives.choices())
                {
                    assert_eq!(both[usize::from(c)], *one);
                }
                (columns.columns.clone(), sends.pads().to_vec())
            })
        })
    };
    let one = of_threads(1);
    for threads in [2, 3] {
        assert!(of_threads(threads) == one);
    }
}

#[test]
fn random_choices_and_rows_look_random() {
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    for extension in Extension::ALL {
        let (mut receiver, ..) = parties(extension, &mut rng);
        let (_, receives) = receiver.extend_random(1000);
        let set = receives.choices.iter().filter(|&&c| c).count();
        assert!((400..600).contains(&set));
        let distinct: std::collections::HashSet<_> = receives.rows.iter().collect();
        assert_eq!(distinct.len(), 1000);
        let ones: u32 = receives.rows.iter().map(|row| row.count_ones()).sum();
        assert!((62_000..66_000).contains(&ones), "{ones}");
    }
}

/// The rule of the header, bit by bit, from the leaves of the trees.
#[test]
fn rows_are_those_of_the_definition() {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let delta = Delta::random(&mut rng);
    let (base, offer) = BaseOtSender::offer(&mut rng);
    let (_, reply) = BaseOtReceiver::reply(&offer, &delta, &mut rng).unwrap();
    let seeds = base.finish(&reply).unwrap();
    for extension in Extension::ALL {
        let k = extension.bits();
        let (_, receives) = ExtensionReceiver::new(extension, &seeds)
            .0
            .extend_random(200);
        let mut rows = vec![0_u128; 200];
        for (i, pairs) in seeds.0.chunks(k).enumerate() {
            for (x, leaf) in trees::grow(pairs).0.iter().enumerate() {
                let mut stream = [Quad::default()];
                Stretch::new(*leaf).fill(&mut stream);
                let stream = stream[0].0;
                for (j, row) in rows.iter_mut().enumerate() {
                    let bit = stream[j / 128] >> (j % 128) & 1;
                    *row ^= (bit * x as u128) << (i * k);
                }
            }
        }
        assert_eq!(receives.rows, rows);
    }
}

#[test]
fn columns_and_sums_for_others_are_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    for extension in Extension::ALL {
        let (mut receiver, mut sender, _) = parties(extension, &mut rng);
        let (columns, _) = receiver.extend(&[true; 5]);
        let wrong = GcError::Length {
            what: "blocks of extension columns",
            expected: extension.random_blocks(257),
            actual: extension.trees(),
        };
        assert_eq!(sender.extend(257, &columns).err(), Some(wrong));
    }
    let bytes = vec![0; TreeSums::wire_size_of(Extension::SoftSpoken2)];
    assert!(TreeSums::read(Extension::SoftSpoken2, &bytes).is_ok());
    assert!(TreeSums::read(Extension::SoftSpoken4, &bytes).is_err());
    let delta = Delta::random(&mut rng);
    let (_, offer) = BaseOtSender::offer(&mut rng);
    let (chosen, _) = BaseOtReceiver::reply(&offer, &delta, &mut rng).unwrap();
    let sums = TreeSums::read(Extension::SoftSpoken2, &bytes).unwrap();
    let what = "pairs of tree sums";
    let wrong = GcError::Length {
        what,
        expected: 96,
        actual: 64,
    };
    let refused = ExtensionSender::new(Extension::SoftSpoken4, &chosen, &delta, &sums);
    assert_eq!(refused.err(), Some(wrong));
}

#[test]
fn every_name_reads_back() {
    for extension in Extension::ALL {
        assert_eq!(Extension::from_name(extension.name()), Some(extension));
        assert_eq!(extension.bits() * extension.trees(), BASE_TRANSFERS);
    }
    assert_eq!(Extension::from_name("ferret"), None);
}

#[test]
fn every_wanted_bit_gets_its_label_whatever_the_prepared_choice() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let (mut receiver, mut sender, delta) = parties(Extension::default(), &mut rng);
    let (choices, bits) = ([false, false, true, true], [false, true, false, true]);
    let (columns, receives) = receiver.extend(&choices);
    let sends = sender.extend(4, &columns).unwrap();
    let function = ShareFunction::Requantize(Requantize {
        shift: 0,
        output_bits: 3,
        signed: false,
    });
    let circuit = ShareCircuit {
        function,
        p_in: 15,
        p_out: 15,
    };
    let layer = Arc::new(Layer::new(&circuit, 1, GarblingHash::Tmmo).unwrap());
    let pieces = GarbledPieces::fresh(&layer, &delta, &mut rng);
    let inputs = pieces.into_evaluator_inputs().unwrap();
    let expected: Vec<u128> = inputs
        .zeros()
        .0
        .iter()
        .zip(bits)
        .map(|(w, b)| w ^ (u128::from(b) * delta.0))
        .collect();
    let (corrections, pending) = receives.correct(&bits).unwrap();
    let transfer = inputs.transfer(sends, &corrections).unwrap();
    let mut written = Vec::new();
    transfer.write(&mut written);
    assert_eq!(pending.receive(&written).unwrap().0, expected);
}

#[test]
fn a_pool_gives_each_transfer_once() {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let (mut receiver, mut sender, delta) = parties(Extension::default(), &mut rng);
    let (mut receives, mut sends) = (PreparedReceives::default(), PreparedSends::default());
    assert!(receives.is_empty() && sends.is_empty());
    for count in [100, 200] {
        let (columns, later) = receiver.extend_random(count);
        receives.append(later);
        sends.append(sender.extend(count, &columns).unwrap());
    }
    for (count, left) in [(150, 150), (150, 0)] {
        let (r, s) = (receives.take(count).unwrap(), sends.take(count).unwrap());
        assert_eq!((receives.len(), sends.len()), (left, left));
        for ((t, q), &c) in r.rows.iter().zip(&s.rows).zip(&r.choices) {
            assert_eq!(*q, t ^ (u128::from(c) * delta.0));
        }
    }
    let exhausted = Some(GcError::Exhausted { asked: 1, left: 0 });
    assert_eq!(receives.take(1).err(), exhausted);
    assert_eq!(sends.take(1).err(), exhausted);
}

/// Both keyed by hand: TMMO over the rows, the tweak being the transfer's number.
#[test]
fn random_transfers_are_hashed_rows_and_chosen_ones_deliver() {
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    for (extension, count) in Extension::ALL.into_iter().zip([0, 1, 33, 300]) {
        let (mut receiver, mut sender, delta) = parties(extension, &mut rng);
        let (columns, receives) = receiver.extend_random(count);
        let sends = sender.extend(count, &columns).unwrap();
        let (q, t) = (sends.rows.clone(), receives.rows.clone());
        let (keys, sends) = sends.into_random(&delta, &mut rng);
        assert_eq!(keys.wire_size(), 16 * pad_keys(count));
        let receives = receives.into_random(&keys).unwrap();
        let hash = |x: u128, j: usize| {
            let mut quads = [Quad([x, 0, 0, 0])];
            let cipher = Cipher::new(Backend::Portable, &keys.keys[0].to_le_bytes());
            cipher.hash(j as u64, &mut quads);
            quads[0].0[0]
        };
        for (j, pads) in sends.pads().iter().enumerate() {
            assert_eq!(*pads, [hash(q[j], j), hash(q[j] ^ delta.0, j)]);
            assert_eq!(receives.pads()[j], hash(t[j], j));
            assert_eq!(receives.pads()[j], pads[usize::from(receives.choices()[j])]);
        }
        let messages: Vec<[u128; 2]> = (0..count).map(|_| rng.random()).collect();
        let bits: Vec<bool> = (0..count).map(|_| rng.random()).collect();
        let (corrections, pending) = receives.correct(&bits).unwrap();
        assert_eq!(corrections.wire_size(), count.div_ceil(8));
        let masked = sends.transfer(&messages, &corrections).unwrap();
        assert_eq!(masked.wire_size(), 32 * count);
        let received = pending.receive(&masked).unwrap();
        let wanted = messages.iter().zip(&bits);
        let wanted: Vec<u128> = wanted.map(|(x, &b)| x[usize::from(b)]).collect();
        assert_eq!(*received, wanted);
    }
}

#[test]
fn random_transfers_that_do_not_fit_are_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(10);
    let (mut receiver, mut sender, delta) = parties(Extension::SoftSpoken2, &mut rng);
    let mut random = || {
        let (columns, receives) = receiver.extend_random(3);
        let sends = sender.extend(3, &columns).unwrap();
        let (keys, sends) = sends.into_random(&delta, &mut rng);
        (sends, receives.into_random(&keys).unwrap())
    };
    let none = PadKeys::read(0, &[]).unwrap();
    let corrections = ChoiceCorrections::read(3, &[0]).unwrap();
    let (sends, receives) = random();
    assert!(sends.transfer(&[[0; 2]; 2], &corrections).is_err());
    assert!(receives.correct(&[true]).is_err());
    let (sends, receives) = random();
    let short = ChoiceCorrections::read(2, &[0]).unwrap();
    assert!(sends.transfer(&[[0; 2]; 3], &short).is_err());
    let (_, pending) = receives.correct(&[true; 3]).unwrap();
    let masked = ChosenMessages::read(5, &[0; 80]).unwrap();
    assert!(pending.receive(&masked).is_err());
    let (_, receives) = receiver.extend_random(3);
    assert!(receives.into_random(&none).is_err());
}
