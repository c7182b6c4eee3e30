//! Plans over real ciphertexts, against plain slots and the definition of their layer.

use std::collections::BTreeSet;

use proptest::strategy::{Strategy as _, ValueTree as _};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::tests::{any_conv, any_fc, any_square, naive, values_of};
use super::*;
use crate::bfv::{BfvLiteral, BfvParams, Evaluator, GaloisKeys, HeOps, SecretKey};

/// Keys, ciphertexts and a plan's run in a small ring.
struct SmallRing {
    params: BfvParams,
    secret: SecretKey,
    rng: ChaCha20Rng,
}

impl SmallRing {
    fn new(n: usize, seed: u64) -> Self {
        let literal = BfvLiteral {
            n,
            p: 65537,
            q: vec![1_125_899_906_826_241, 1_125_899_906_822_657],
            special: vec![1_125_899_906_820_097],
            digit_bits: None,
            flooding_log2: None,
            reply_limbs: 1,
        };
        let params = BfvParams::insecure(&literal).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let secret = SecretKey::generate(&params, &mut rng);
        Self {
            params,
            secret,
            rng,
        }
    }

    /// Runs every plan of a layer; all slots are those of plain slots, the values those of the layer.
    fn check(&mut self, layer: &LinearShape, seed: u64) -> BTreeSet<&'static str> {
        let (n, p) = (self.params.degree(), 65537);
        let plain = PlainSlots::new(n, p);
        let (weights, values) = values_of(layer, seed, p);
        let expected = naive(layer, &weights, &values, p);
        let mut schedules = BTreeSet::new();
        for plan in Plan::candidates(layer, n).unwrap() {
            let rotations: Vec<_> = plan.rotations().into_iter().collect();
            let keys = GaloisKeys::generate(&self.secret, &rotations, &mut self.rng).unwrap();
            let server = Evaluator::new(&self.params, keys).unwrap();
            let packed = plan.pack_input(&values);
            let encrypted = packed.iter().map(|slots| {
                let fresh = self.secret.encrypt(slots, &mut self.rng).unwrap();
                fresh.expand()
            });
            let encrypted: Vec<_> = encrypted.collect();
            let weight = |index| server.encode(&plan.weight_slots(&weights, p, index));
            let outputs = plan.run_with(&server, &encrypted, weight).unwrap();
            let decrypted = outputs.iter().map(|ct| self.secret.decrypt(ct).unwrap());
            let slots: Vec<_> = decrypted.collect();
            let threaded = || plan.run_threaded(&server, &encrypted, weight).unwrap();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(2);
            let threaded = pool.build().unwrap().install(threaded);
            let threaded = threaded.iter().map(|ct| self.secret.decrypt(ct).unwrap());
            assert_eq!(threaded.collect::<Vec<_>>(), slots);
            let weight = |index| plain.encode(&plan.weight_slots(&weights, p, index));
            assert_eq!(slots, plan.run_with(&plain, &packed, weight).unwrap());
            assert_eq!(plan.unpack_output(&slots), expected, "{layer:?} {plan:?}");
            if seed.is_multiple_of(4) {
                let slots = self.windowed(&server, &plan, (&weights, &packed));
                assert_eq!(plan.unpack_output(&slots), expected, "{layer:?} {plan:?}");
            }
            schedules.insert(plan.schedule_name());
        }
        schedules
    }
}

impl SmallRing {
    /// Slots of a run over two windows.
    fn windowed(
        &mut self,
        server: &Evaluator,
        plan: &Plan,
        (weights, packed): (&[i64], &[Vec<u64>]),
    ) -> Vec<Vec<u64>> {
        let (p, windows) = (65537, Windows::new(65537, 2));
        let ops = Windowed::new(server, windows);
        let inputs: Vec<_> = packed
            .iter()
            .map(|slots| {
                let scaled = windows.scaled(slots.clone());
                let fresh = scaled.iter().map(|slots| {
                    let fresh = self.secret.encrypt(slots, &mut self.rng).unwrap();
                    fresh.expand()
                });
                WindowedCiphertext(fresh.collect())
            })
            .collect();
        let weight = |index| ops.encode(&plan.weight_slots(weights, p, index));
        let outputs = plan.run_with(&ops, &inputs, weight).unwrap();
        let outputs = outputs.iter().flat_map(|output| &output.0);
        outputs.map(|ct| self.secret.decrypt(ct).unwrap()).collect()
    }
}

/// All schedules over real ciphertexts, on layers drawn as those over plain slots.
#[test]
fn plans_run_over_bfv() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut schedules = BTreeSet::new();
    let mut rings: Vec<SmallRing> = (4..9).map(|log_n| SmallRing::new(1 << log_n, 1)).collect();
    for seed in 0..120 {
        let (fc, fc_n) = any_fc().new_tree(&mut runner).unwrap().current();
        let (conv, conv_n) = any_conv().new_tree(&mut runner).unwrap().current();
        let (square, square_n) = any_square().new_tree(&mut runner).unwrap().current();
        for (layer, n) in [(fc, fc_n), (conv, conv_n), (square, square_n)] {
            let ring = rings.iter_mut().find(|ring| ring.params.degree() == n);
            if let Some(ring) = ring {
                schedules.extend(ring.check(&layer, seed));
            }
        }
    }
    let all: BTreeSet<_> = Plan::SCHEDULES.iter().copied().collect();
    assert_eq!(schedules, all);
}
