//! What is written is read back; what is damaged is refused or is another valid object.

use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};

use super::super::test_support::{WIDE, insecure_literal, random_slots, rng};
use super::super::{BfvLiteral, Evaluator, HeOps, Rotation, SecretKey};
use super::*;
use crate::ring::RnsBasis;

/// One object of each kind, and its owner.
struct Messages {
    params: BfvParams,
    secret: SecretKey,
    slots: Vec<u64>,
    fresh: SeededCiphertext,
    reply: Reply,
    public_key: PublicKey,
    keys: GaloisKeys,
}

const ROTATIONS: [Rotation; 2] = [
    Rotation {
        step: 3,
        swap: true,
    },
    Rotation::rows(1),
];

impl Messages {
    fn new(literal: &BfvLiteral) -> Self {
        let (params, mut rng) = (BfvParams::insecure(literal).unwrap(), rng(1));
        let secret = SecretKey::generate(&params, &mut rng);
        let slots = random_slots(&params, &mut rng);
        let fresh = secret.encrypt(&slots, &mut rng).unwrap();
        let keys = GaloisKeys::generate(&secret, &ROTATIONS, &mut rng).unwrap();
        let reply = Reply::from_ciphertext(&fresh.clone().expand());
        let public_key = PublicKey::generate(&secret, &mut rng);
        Self {
            params,
            secret,
            slots,
            fresh,
            reply,
            public_key,
            keys,
        }
    }

    fn bytes(&self) -> [Vec<u8>; 4] {
        [
            written(&self.fresh),
            written(&self.reply),
            written(&self.public_key),
            written(&self.keys),
        ]
    }
}

/// Limbs of several widths, so that packed residues straddle words.
fn literal() -> BfvLiteral {
    BfvLiteral {
        q: vec![WIDE[0], 1_073_643_521, WIDE[2]],
        reply_limbs: 2,
        ..insecure_literal(16, 3)
    }
}

fn written<T: Wire>(object: &T) -> Vec<u8> {
    let mut bytes = vec![0xAA];
    object.write(&mut bytes);
    assert_eq!(bytes.len(), 1 + object.wire_size());
    bytes.split_off(1)
}

/// Reads bytes as the object of one kind and writes it again.
fn again(params: &BfvParams, kind: usize, bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    match kind {
        0 => SeededCiphertext::read(params, bytes).map(|x| written(&x)),
        1 => Reply::read(params, bytes).map(|x| written(&x)),
        2 => PublicKey::read(params, bytes).map(|x| written(&x)),
        _ => GaloisKeys::read(params, bytes).map(|x| written(&x)),
    }
}

#[test]
fn objects_come_back_and_work() {
    for literal in [
        literal(),
        insecure_literal(64, 1),
        insecure_literal(2048, 2),
    ] {
        let m = Messages::new(&literal);
        for (kind, bytes) in m.bytes().iter().enumerate() {
            assert_eq!(again(&m.params, kind, bytes).as_ref(), Ok(bytes));
        }
        let [fresh, reply, public_key, keys] = m.bytes();
        let ct = SeededCiphertext::read(&m.params, &fresh).unwrap().expand();
        let reply = Reply::read(&m.params, &reply).unwrap();
        assert_eq!(m.secret.decrypt(&ct).as_ref(), Ok(&m.slots));
        assert_eq!(m.secret.decrypt(&reply).as_ref(), Ok(&m.slots));
        let public_key = PublicKey::read(&m.params, &public_key).unwrap();
        let public = public_key.encrypt(&m.slots, &mut rng(2)).unwrap();
        assert_eq!(m.secret.decrypt(&public).as_ref(), Ok(&m.slots));
        let read = Evaluator::new(&m.params, GaloisKeys::read(&m.params, &keys).unwrap()).unwrap();
        let kept = Evaluator::new(&m.params, m.keys).unwrap();
        let (a, b) = (
            read.rotate(&ct, ROTATIONS[0]),
            kept.rotate(&ct, ROTATIONS[0]),
        );
        assert_eq!(m.secret.decrypt(&a.unwrap()), m.secret.decrypt(&b.unwrap()));
    }
}

#[test]
fn sizes_are_known_beforehand() {
    let m = Messages::new(&literal());
    let p = &m.params;
    let [fresh, reply, public_key, keys] = m.bytes().map(|bytes| bytes.len());
    assert_eq!(fresh, p.seeded_ciphertext_size());
    assert_eq!(reply, p.reply_size());
    assert_eq!(public_key, p.public_key_size());
    assert_eq!(keys, p.galois_keys_size(2));
    // Widths of 54, 30 and 60 bits, 50 for the special prime, at n = 16.
    assert_eq!(fresh, 10 + 32 + 2 * (54 + 30 + 60));
    assert_eq!(reply, 10 + 2 * 2 * (54 + 30));
    assert_eq!(keys, 14 + 2 * (5 + 32 + 3 * 2 * (54 + 30 + 60 + 50)));
}

#[test]
fn each_damage_is_named() {
    let m = Messages::new(&literal());
    let [fresh, _, _, keys] = m.bytes();
    let changed = |bytes: &[u8], at: usize, to: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = to;
        bytes
    };
    let read = |kind: usize, bytes: &[u8]| again(&m.params, kind, bytes).unwrap_err();
    let (expected, actual) = (fresh.len(), fresh.len() - 1);
    assert_eq!(read(0, &fresh[1..]), WireError::Length { expected, actual });
    assert_eq!(
        read(2, &fresh),
        WireError::Kind {
            expected: 3,
            actual: 1
        }
    );
    assert_eq!(read(0, &changed(&fresh, 1, 9)), WireError::Version(9));
    let stranger = changed(&fresh, 2, fresh[2] ^ 1);
    assert!(matches!(read(0, &stranger), WireError::Fingerprint { .. }));
    let mut wide = fresh.clone();
    wide[42..49].fill(0xFF);
    // Seven bytes of ones, and what follows them, make the first residue of 54 bits.
    let value = (1 << 54) - 1;
    assert_eq!(read(0, &wide), WireError::Residue { value, q: WIDE[0] });
    // The first rotation is a step of 1 without a swap, the second a step of 3 with one.
    let second = 14 + (keys.len() - 14) / 2;
    for (at, to, step) in [
        (14, 0, 0),
        (14, 8, 8),
        (14, 4, 3),
        (18, 2, 1),
        (second + 4, 7, 3),
    ] {
        assert_eq!(
            read(3, &changed(&keys, at, to)),
            WireError::Rotation { step }
        );
    }
    for count in [0, 1, 3, 255] {
        let damaged = changed(&keys, 10, count);
        assert!(matches!(read(3, &damaged), WireError::Length { .. }));
    }
    let damaged = changed(&keys, 13, 255);
    assert!(matches!(read(3, &damaged), WireError::Length { .. }));
    assert!(matches!(read(3, &keys[..5]), WireError::Length { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_bytes_are_refused_or_mean_what_they_say(
        kind in 0_usize..4,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let m = Messages::new(&literal());
        let mut bytes = m.bytes()[kind].clone();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        // One byte string for one object: whatever is accepted is written as it came.
        if let Ok(written) = again(&m.params, kind, &bytes) {
            prop_assert_eq!(written, bytes);
        }
    }

    #[test]
    fn noise_is_refused(kind in 0_usize..4, bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let params = BfvParams::insecure(&literal()).unwrap();
        prop_assert!(again(&params, kind, &bytes).is_err());
    }
}

/// Changes bytes in one of many ways, most of them small.
fn damage(bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut ChaCha8Rng) {
    let index = |rng: &mut ChaCha8Rng, end: usize| rng.random_range(0..end.max(1));
    for _ in 0..rng.random_range(1..4) {
        let (at, len) = (index(rng, bytes.len()), bytes.len());
        match rng.random_range(0..10) {
            0..3 if len > 0 => bytes[at] ^= 1 << rng.random_range(0..8),
            3 if len > 0 => bytes[at] = rng.random(),
            // A run of equal bytes: residues of zeros or ones.
            4 => bytes[at..].iter_mut().take(9).for_each(|byte| *byte = 0xFF),
            5 => {
                let from = index(rng, len);
                bytes.copy_within(from..(from + 16).min(len), at.min(len.saturating_sub(16)));
            }
            6 => bytes.truncate(at),
            7 => bytes.extend((0..rng.random_range(1..20)).map(|_| rng.random::<u8>())),
            8 => {
                // The head of another message, or a part of it.
                let other = &others[rng.random_range(0..others.len())];
                let end = rng.random_range(1..20).min(len).min(other.len());
                bytes[..end].copy_from_slice(&other[..end]);
            }
            _ => {
                let keep = index(rng, 15).min(len);
                rng.fill_bytes(&mut bytes[keep..]);
            }
        }
    }
}

/// Whether every residue of an accepted message is below its prime.
fn in_range(params: &BfvParams, kind: usize, bytes: &[u8]) -> bool {
    let below = |basis: &RnsBasis, residues: &[u64]| {
        let limbs = residues.chunks_exact(basis.degree());
        let mut pairs = basis.moduli().zip(limbs);
        pairs.all(|(q, limb)| limb.iter().all(|&x| x < q.value()))
    };
    let (q, reply) = (params.basis(), params.literal().reply_limbs);
    let reply_basis = &params.level(reply).basis;
    match kind {
        0 => SeededCiphertext::read(params, bytes).is_ok_and(|x| below(q, x.c0.residues())),
        1 => Reply::read(params, bytes).is_ok_and(|x| {
            [x.c0, x.c1]
                .iter()
                .all(|half| below(reply_basis, half.residues()))
        }),
        2 => PublicKey::read(params, bytes).is_ok_and(|x| below(q, x.b.residues())),
        _ => GaloisKeys::read(params, bytes).is_ok_and(|keys| {
            let mut digits = keys.keys.values().flat_map(|key| &key.b);
            digits.all(|b| below(params.key_basis(), b.residues()))
        }),
    }
}

/// A million damaged messages: none leads to a panic, and what is accepted is in range and is written
/// as it came.
#[test]
fn a_million_damaged_messages_are_refused_or_mean_what_they_say() {
    let m = Messages::new(&literal());
    let originals = m.bytes();
    let mut rng = rng(7);
    let mut accepted = [0; 4];
    for (kind, count) in [310_000, 310_000, 310_000, 70_000].into_iter().enumerate() {
        for _ in 0..count {
            let mut bytes = originals[kind].clone();
            damage(&mut bytes, &originals, &mut rng);
            if let Ok(written) = again(&m.params, kind, &bytes) {
                assert_eq!(written, bytes);
                assert!(in_range(&m.params, kind, &bytes));
                accepted[kind] += 1;
            }
        }
    }
    // Enough of both: the damage reaches the residues.
    for (accepted, total) in accepted
        .into_iter()
        .zip([310_000, 310_000, 310_000, 70_000])
    {
        assert!(
            (total / 20..total * 3 / 4).contains(&accepted),
            "{accepted} of {total}"
        );
    }
}
