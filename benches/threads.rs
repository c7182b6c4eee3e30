//! Batches of BFV operations on one thread and on all: `operation/threads=…`, n = 8192, two limbs of 50
//! bits, 32 ciphertexts.
//!
//! Run with `cargo bench --bench threads`.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot run has nothing to do but stop"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use nass::batch;
use nass::bfv::{
    BfvLiteral, BfvParams, Ciphertext, Evaluator, GaloisKeys, HeOps, Rotation, SecretKey,
};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

const BATCH: usize = 32;

/// Both parties.
struct Parties {
    secret: SecretKey,
    evaluator: Evaluator,
    slots: Vec<Vec<u64>>,
    cts: Vec<Ciphertext>,
    rng: ChaCha20Rng,
}

impl Parties {
    fn new() -> Self {
        let params = BfvParams::insecure(&BfvLiteral {
            n: 8192,
            p: 1_032_193,
            q: vec![1_125_899_906_826_241, 1_125_899_906_629_633],
            special: vec![1_125_899_905_744_897],
            digit_bits: None,
            flooding_log2: None,
            reply_limbs: 1,
        })
        .expect("the primes are fixed");
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let secret = SecretKey::generate(&params, &mut rng);
        let keys = GaloisKeys::generate(&secret, &[Rotation::rows(1)], &mut rng);
        let evaluator = Evaluator::new(&params, keys.expect("there is such a rotation"));
        let slots: Vec<Vec<u64>> = (0..BATCH as u64).map(|i| vec![i; 8192]).collect();
        let cts = secret
            .encrypt_all(&slots, &mut rng)
            .expect("slots are small");
        Self {
            secret,
            evaluator: evaluator.expect("the keys are of these parameters"),
            slots,
            cts: batch::map(cts, |ct| ct.expand()),
            rng,
        }
    }

    /// Measures every batch in a pool of so many threads.
    fn bench(&mut self, criterion: &mut Criterion, threads: usize) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("threads can be started");
        let Self {
            secret,
            evaluator,
            slots,
            cts,
            rng,
        } = self;
        let mut measure = |name: &str, work: &mut (dyn FnMut() + Send)| {
            let mut group = criterion.benchmark_group(name);
            group.bench_function(format!("threads={threads}"), |bencher| {
                bencher.iter(|| pool.install(&mut *work));
            });
            group.finish();
        };
        let rotations: Vec<Rotation> = (1..=8).map(Rotation::rows).collect();
        measure("galois_keys", &mut || {
            GaloisKeys::generate(secret, &rotations, rng).expect("there are such rotations");
        });
        measure("encrypt", &mut || {
            secret.encrypt_all(slots, rng).expect("slots are small");
        });
        measure("decrypt", &mut || {
            secret.decrypt_all(cts).expect("they are of this key");
        });
        measure("encode", &mut || {
            let encode = |slots: &Vec<u64>| evaluator.encode(slots);
            batch::try_map(slots.iter().collect(), encode).expect("slots are small");
        });
        measure("rotate", &mut || {
            let rotate = |ct: &Ciphertext| evaluator.rotate(ct, Rotation::rows(1));
            batch::try_map(cts.iter().collect(), rotate).expect("there is a key");
        });
    }
}

fn threads(criterion: &mut Criterion) {
    let mut parties = Parties::new();
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in [1, all] {
        parties.bench(criterion, threads);
    }
}

criterion_group!(benches, threads);
criterion_main!(benches);
