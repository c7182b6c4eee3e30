//! How long it takes to choose parameters: one layer and a network of 20 layers, cold and warm, under the
//! reference machine's prices, on one core. `primes/…`: one prime of the width, the largest there is; for a
//! transform, Gazelle's, and the paper's single large q ≡ 1 mod n.
//!
//! Run with `cargo bench --bench params`, or a part with `cargo bench --bench params -- layer`.
//! `cargo bench --bench params -- million` instead chooses for 1,000,000 layers drawn from the space
//! `nass-cifar10` with one memo, and says how long that took.
#![expect(
    clippy::expect_used,
    reason = "a bench ends where its inputs are not as they must be"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group};
use nass::calibrate::{Profile, time};
use nass::network::{
    ConvParams, FcParams, LayerKind, NetworkParams, Quantizer, ResolvedNetwork, Shape, StepKind,
};
use nass::params::{
    Congruence, Request, Selector, Width, congruent_primes, descending_ntt_primes, gazelle_modulus,
    ntt_primes,
};
use nass::predict::{LinkedPrices, PriceList};
use nass::search::Space;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

type Prices = LinkedPrices<PriceList>;

fn prices() -> Prices {
    let profile = Profile::from_csv(include_str!("../calibration/reference.csv"))
        .expect("the reference profile is sound");
    let list = PriceList::new(&profile);
    let link = list.loopback().expect("it measured the loopback");
    LinkedPrices { list, link }
}

fn selector(prices: &Prices) -> Selector<&Prices> {
    Selector::new(Request::default(), prices).expect("the default request can be met")
}

const QUANTIZER: Quantizer = Quantizer {
    input_bits: 8,
    weight_bits: 8,
};

fn conv(out_channels: usize) -> LayerKind {
    LayerKind::Conv(ConvParams {
        out_channels,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
        bias: true,
        quantizer: QUANTIZER,
        p_bits: None,
    })
}

fn network(input: Shape, layers: Vec<LayerKind>) -> ResolvedNetwork {
    let network = NetworkParams {
        name: "bench".to_owned(),
        input,
        layers: NetworkParams::chain(layers),
    };
    network.resolve(None).expect("the layers fit together")
}

/// Nineteen convolutions of different widths and a fully connected layer.
fn twenty_layers() -> ResolvedNetwork {
    let mut layers: Vec<LayerKind> = (0..19)
        .flat_map(|index| [conv(16 + 3 * index), LayerKind::Relu])
        .collect();
    layers.push(LayerKind::Fc(FcParams {
        outputs: 10,
        bias: true,
        quantizer: QUANTIZER,
        p_bits: None,
    }));
    network(Shape::new(3, 16, 16), layers)
}

fn params(criterion: &mut Criterion) {
    let prices = prices();
    let one = network(Shape::new(64, 16, 16), vec![conv(64)]);
    let other = network(Shape::new(48, 16, 16), vec![conv(40)]);
    let twenty = twenty_layers();
    let warmed = |by: &ResolvedNetwork| {
        let selector = selector(&prices);
        selector.network(by).expect("there are parameters");
        selector
    };
    let mut group = criterion.benchmark_group("layer");
    let choose = |selector: &Selector<&Prices>, network: &ResolvedNetwork| {
        black_box(selector.network(network).expect("there are parameters"));
    };
    group.bench_function("cold, no primes", |bencher| {
        bencher.iter(|| choose(&selector(&prices), &one));
    });
    group.bench_function("cold, primes found", |bencher| {
        let start = || warmed(&other);
        bencher.iter_batched_ref(start, |s| choose(s, &one), BatchSize::PerIteration);
    });
    let warm = warmed(&one);
    group.bench_function("warm", |bencher| bencher.iter(|| choose(&warm, &one)));
    group.finish();
    let mut group = criterion.benchmark_group("20 layers");
    group.bench_function("cold, no primes", |bencher| {
        bencher.iter(|| choose(&selector(&prices), &twenty));
    });
    group.bench_function("cold, primes found", |bencher| {
        let start = || warmed(&other);
        bencher.iter_batched_ref(start, |s| choose(s, &twenty), BatchSize::PerIteration);
    });
    group.finish();
}

fn primes(criterion: &mut Criterion) {
    const N: usize = 4096;
    let mut group = criterion.benchmark_group("primes");
    group.bench_function("ntt/60", |bencher| {
        bencher.iter(|| ntt_primes(black_box(N), 60, 1, Width::Exact).expect("there are some"));
    });
    group.bench_function("ntt/60/descending", |bencher| {
        bencher.iter(|| descending_ntt_primes(black_box(N), 60).next());
    });
    group.bench_function("gazelle/60", |bencher| {
        bencher.iter(|| gazelle_modulus(black_box(2048), 557_057, 60));
    });
    let class = Congruence::as_in_nass(N).expect("a power of two");
    for bits in [60, 120, 180, 256] {
        group.bench_function(format!("nass/{bits}"), |bencher| {
            let search = || congruent_primes(black_box(&class), bits, 1, Width::Exact);
            bencher.iter(|| search().expect("there are some"));
        });
    }
    group.finish();
}

/// Chooses for as many random networks of the space as have 1,000,000 linear layers.
#[expect(clippy::print_stdout, reason = "a bench says what it found")]
fn million() {
    const LAYERS: usize = 1_000_000;
    let (prices, space) = (
        prices(),
        Space::open("nass-cifar10").expect("it is built in"),
    );
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let decisions = space.decisions();
    let selector = selector(&prices);
    let (mut layers, mut networks) = (0, 0);
    let ((), taken) = time(|| {
        while layers < LAYERS {
            let choices: Vec<usize> = decisions
                .iter()
                .map(|decision| rng.random_range(0..decision.options.len()))
                .collect();
            let network = space.decode(&choices).expect("choices in range");
            let resolved = network.resolve(None).expect("the space is sound");
            let linear = |kind: &StepKind| matches!(kind, StepKind::Linear(_));
            layers += resolved.steps.iter().filter(|s| linear(&s.kind)).count();
            networks += 1;
            let _ = black_box(selector.network(&resolved));
        }
    });
    println!("{layers} layers of {networks} networks in {taken}");
}

criterion_group!(benches, params, primes);

fn main() {
    if std::env::args().any(|argument| argument == "million") {
        million();
    } else {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
