//! Extended transfers against their defining equation, and label transfer against the wanted labels.

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::super::base_ot::{BaseOtReceiver, BaseOtSender};
use super::*;

fn parties(rng: &mut ChaCha20Rng) -> (ExtensionReceiver, ExtensionSender, Delta) {
    let delta = Delta::random(rng);
    let (sender, offer) = BaseOtSender::offer(rng);
    let (chosen, reply) = BaseOtReceiver::reply(&offer, &delta, rng).unwrap();
    let receiver = ExtensionReceiver::new(&sender.finish(&reply).unwrap());
    (receiver, ExtensionSender::new(&chosen, &delta), delta)
}

#[test]
fn rows_differ_by_delta_exactly_where_the_choice_is_set() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let (mut receiver, mut sender, delta) = parties(&mut rng);
    assert_eq!(delta.0 & 1, 1);
    for count in [0, 1, 127, 128, 129, 1000] {
        let (columns, receives) = receiver.extend_random(count, &mut rng);
        assert_eq!(columns.wire_size(), 16 * extension_blocks(count));
        let sends = sender.extend(count, &columns).unwrap();
        assert_eq!((receives.len(), sends.len()), (count, count));
        for ((t, q), &c) in receives.rows.iter().zip(&sends.rows).zip(&receives.choices) {
            assert_eq!(*q, t ^ (u128::from(c) * delta.0));
        }
        if count == 1000 {
            let set = receives.choices.iter().filter(|&&c| c).count();
            assert!((400..600).contains(&set));
            let distinct: std::collections::HashSet<_> = receives.rows.iter().collect();
            assert_eq!(distinct.len(), count);
        }
    }
    let (columns, _) = receiver.extend(&[true; 5]);
    let what = "blocks of extension columns";
    let wrong = GcError::Length {
        what,
        expected: 256,
        actual: 128,
    };
    assert_eq!(sender.extend(129, &columns).err(), Some(wrong));
}

#[test]
fn every_wanted_bit_gets_its_label_whatever_the_prepared_choice() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let (mut receiver, mut sender, delta) = parties(&mut rng);
    let (choices, bits) = ([false, false, true, true], [false, true, false, true]);
    let (columns, receives) = receiver.extend(&choices);
    let sends = sender.extend(4, &columns).unwrap();
    let zero = Stretch::random(&mut rng).blocks(4);
    let expected: Vec<u128> = zero
        .0
        .iter()
        .zip(bits)
        .map(|(w, b)| w ^ (u128::from(b) * delta.0))
        .collect();
    let inputs = EvaluatorInputs {
        zero,
        delta: delta.copy(),
    };
    let (corrections, pending) = receives.correct(&bits).unwrap();
    let transfer = inputs.transfer(sends, &corrections).unwrap();
    assert_eq!(pending.receive(&transfer).unwrap().0, expected);
}

#[test]
fn a_pool_gives_each_transfer_once() {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let (mut receiver, mut sender, delta) = parties(&mut rng);
    let (mut receives, mut sends) = (PreparedReceives::default(), PreparedSends::default());
    assert!(receives.is_empty() && sends.is_empty());
    for count in [100, 200] {
        let (columns, later) = receiver.extend_random(count, &mut rng);
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
