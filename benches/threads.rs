//! Batches on one thread and on all, `operation/threads=…`: BFV operations at n = 8192, two limbs of 50 bits, 32
//! ciphertexts; a convolution of four ciphertexts out; a layer of 8192 ReLUs on shares of 17 bits, garbled and
//! evaluated eight pieces at a time; 2^18 transfers extended, and hashed to random ones; and a fill and a copy of 64
//! MiB, which show what the memory gives to so many threads.
//!
//! Run with `cargo bench --bench threads`, or a part with `cargo bench --bench threads -- relus`.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot run has nothing to do but stop"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nass::batch;
use nass::bfv::{
    BfvLiteral, BfvParams, Ciphertext, Evaluator, GaloisKeys, HeOps, Plaintext, Rotation, SecretKey,
};
use nass::gc::{GarblingHash, Kernels};
use nass::network::Shape;
use nass::packing::{ConvShape, LinearShape, Plan};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use rayon::ThreadPool;
use relu_layer::{Bases, PRIMES, ReluLayer};

#[path = "support/relu_layer.rs"]
mod relu_layer;

// As the program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const N: usize = 8192;
const P: u64 = 1_032_193;
const BATCH: usize = 32;
const RELUS: usize = 8192;
/// Pieces in memory at a time.
const PIECES: usize = 8;
const TRANSFERS: usize = 1 << 18;
/// Words of 8 bytes that are filled and copied.
const WORDS: usize = 1 << 23;

fn pool(threads: usize) -> ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads can be started")
}

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
            n: N,
            p: P,
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
        let slots: Vec<Vec<u64>> = (0..BATCH as u64).map(|i| vec![i; N]).collect();
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
        let pool = pool(threads);
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

/// A convolution, its output ciphertexts on all threads: 32 images of 16 × 16 in, 128 out, 3 × 3, weights encoded.
fn convolution(criterion: &mut Criterion, parties: &mut Parties, threads: usize) {
    let layer = LinearShape::Conv(ConvShape {
        input: Shape::new(32, 16, 16),
        out_channels: 128,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
    });
    let plan = Plan::new(&layer, N).expect("it fits");
    let Parties { secret, rng, .. } = parties;
    let rotations: Vec<Rotation> = plan.rotations().into_iter().collect();
    let keys = GaloisKeys::generate(secret, &rotations, rng).expect("there are such rotations");
    let evaluator = Evaluator::new(secret.params(), keys).expect("they are of these parameters");
    let weights = vec![3; plan.made_for().1.weights()];
    let encoded: Vec<Plaintext> = (0..plan.weight_count())
        .map(|index| evaluator.encode(&plan.weight_slots(&weights, P, index)))
        .collect::<Result<_, _>>()
        .expect("residues");
    let packed = plan.pack_input(&vec![5; plan.made_for().1.inputs()]);
    let inputs = secret.encrypt_all(&packed, rng).expect("residues");
    let inputs = batch::map(inputs, |ct| ct.expand());
    let weight = |index: usize| Ok::<_, nass::bfv::BfvError>(&encoded[index]);
    let run = |()| {
        plan.run_threaded(&evaluator, &inputs, weight)
            .expect("there are keys")
    };
    let products = Throughput::Elements(plan.weight_count() as u64);
    measure(criterion, "convolution", threads, products, || (), run);
}

/// Measures `work` on what `prepare` gives, in a pool of so many threads; `units` give the throughput.
fn measure<T: Send, U: Send>(
    criterion: &mut Criterion,
    name: &str,
    threads: usize,
    units: Throughput,
    mut prepare: impl FnMut() -> T,
    mut work: impl FnMut(T) -> U + Send,
) {
    let pool = pool(threads);
    let mut group = criterion.benchmark_group(name);
    group.throughput(units);
    group.bench_function(format!("threads={threads}"), |bencher| {
        bencher.iter_batched(
            &mut prepare,
            |prepared| pool.install(|| work(prepared)),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Garbling and evaluating a layer.
fn relus(criterion: &mut Criterion, bases: &Bases, threads: usize) {
    let how = (GarblingHash::Tmmo, Kernels::Fastest);
    let mut layer = ReluLayer::new(bases, PRIMES[1], RELUS, how, PIECES);
    let units = || Throughput::Elements(RELUS as u64);
    let garble = |()| layer.garble();
    measure(criterion, "relus/garble", threads, units(), || (), garble);
    layer.keep();
    let cell = std::sync::Mutex::new(layer);
    let lock = || cell.lock().expect("nothing panics");
    let (labels, evaluate) = (|| lock().own_labels(), |own| lock().evaluate(own));
    measure(
        criterion,
        "relus/evaluate",
        threads,
        units(),
        labels,
        evaluate,
    );
}

/// Both sides of extended transfers, and their hashing.
fn transfers(criterion: &mut Criterion, bases: &Bases, threads: usize) {
    let (mut receiver, mut sender) = bases.parties();
    let units = || Throughput::Elements(TRANSFERS as u64);
    let columns = receiver.extend_random(TRANSFERS).0;
    let extend = |()| receiver.extend_random(TRANSFERS);
    measure(
        criterion,
        "transfers/receiver",
        threads,
        units(),
        || (),
        extend,
    );
    let extend = |()| sender.extend(TRANSFERS, &columns).expect("their columns");
    measure(
        criterion,
        "transfers/sender",
        threads,
        units(),
        || (),
        extend,
    );
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let sends = || sender.extend(TRANSFERS, &columns).expect("their columns");
    let hash = |sends: nass::gc::PreparedSends| sends.into_random(&bases.delta, &mut rng);
    measure(
        criterion,
        "transfers/sender_hashes",
        threads,
        units(),
        sends,
        hash,
    );
}

/// What the memory gives.
fn memory(criterion: &mut Criterion, threads: usize) {
    let (from, mut to) = (vec![1_u64; WORDS], vec![2_u64; WORDS]);
    let units = || Throughput::Bytes(8 * WORDS as u64);
    let part = WORDS.div_ceil(threads);
    let fill = |()| {
        batch::map(to.chunks_mut(part).collect(), |to| to.fill(black_box(3)));
    };
    measure(criterion, "memory/fill", threads, units(), || (), fill);
    let copy = |()| {
        let pairs = to.chunks_mut(part).zip(from.chunks(part));
        batch::map(pairs.collect(), |(to, from)| to.copy_from_slice(from));
    };
    measure(criterion, "memory/copy", threads, units(), || (), copy);
}

fn threads(criterion: &mut Criterion) {
    let (mut parties, bases) = (Parties::new(), Bases::new());
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in [1, all] {
        parties.bench(criterion, threads);
        convolution(criterion, &mut parties, threads);
        relus(criterion, &bases, threads);
        transfers(criterion, &bases, threads);
        memory(criterion, threads);
    }
}

fn short() -> Criterion {
    let criterion = Criterion::default().sample_size(20);
    criterion
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args()
}

criterion_group!(name = benches; config = short(); targets = threads);
criterion_main!(benches);
