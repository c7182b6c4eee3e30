//! How long it takes to choose parameters: one layer and a network of 20 layers, cold and warm, under the
//! reference machine's prices, on one core. `primes/…`: one prime of the width, the largest there is; for a
//! transform, Gazelle's, and the paper's single large q ≡ 1 mod n.
//!
//! Run with `cargo bench --bench params`, or a part with `cargo bench --bench params -- layer`.
//! `cargo bench --bench params -- million` instead chooses for 1,000,000 layers drawn from the space
//! `nass-cifar10` with one memo, and says how long that took; `cargo bench --bench params -- windows` counts
//! for how many of 500 random layers, and of the built-in networks' layers, plaintext windows are chosen, under
//! some limits.
#![expect(
    clippy::expect_used,
    reason = "a bench ends where its inputs are not as they must be"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group};
use nass::calibrate::{Profile, time};
use nass::network::{
    ConvParams, FcParams, LayerKind, NetworkParams, Quantizer, ResolvedNetwork, Shape, StepKind,
    zoo,
};
use nass::params::{
    Congruence, DELPHI_P, MAX_WINDOWS, Objective, PlaintextBound, Request, Selector, Width,
    congruent_primes, descending_ntt_primes, gazelle_modulus, ntt_primes,
};
use nass::predict::{LinkedPrices, PriceList};
use nass::search::Space;
use nass::verify::random_layer;
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

/// Linear layers by the number of windows chosen for them.
#[derive(Default)]
struct Choices {
    by_windows: [usize; MAX_WINDOWS + 1],
    /// Layers that have no parameters.
    refused: usize,
    /// Layers that have some in windows alone.
    enabled: usize,
    /// Sum of the logarithms of time without windows over time with, where windows are chosen over none.
    gains: f64,
}

impl Choices {
    /// Chooses for each linear step, with windows and without.
    fn add(
        &mut self,
        network: &ResolvedNetwork,
        free: &Selector<&Prices>,
        whole: &Selector<&Prices>,
    ) {
        for (step, of) in network.steps.iter().enumerate() {
            if !matches!(of.kind, StepKind::Linear(_)) {
                continue;
            }
            let chosen = |selector: &Selector<&Prices>| {
                let chosen = selector.network(network).ok()?;
                let crypto = chosen.layers.get(step)?.as_ref()?.windows;
                Some((crypto, (*chosen.costs.get(step)?)?.time.0))
            };
            match (chosen(free), chosen(whole)) {
                (None, _) => self.refused += 1,
                (Some((windows, time)), without) => {
                    if let Some(count) = self.by_windows.get_mut(windows) {
                        *count += 1;
                    }
                    match without {
                        Some((_, without)) if windows > 1 => self.gains += (without / time).ln(),
                        Some(_) => {}
                        None => self.enabled += 1,
                    }
                }
            }
        }
    }

    #[expect(clippy::print_stdout, reason = "a bench says what it found")]
    fn tell(&self, what: &str) {
        let windowed: usize = self.by_windows.iter().skip(2).sum();
        let gain = (self.gains / (windowed - self.enabled).max(1) as f64).exp();
        println!(
            "{what}: layers by windows {:?}, refused {}; {} have parameters in windows alone, the others with \
             windows take {:.1} % of the time less",
            &self.by_windows[1..],
            self.refused,
            self.enabled,
            100.0 * (1.0 - 1.0 / gain)
        );
    }
}

/// Counts how often windows are chosen.
fn windows() {
    let free = Request::default();
    let limited = |change: fn(&mut Request)| {
        let mut request = free;
        change(&mut request);
        request
    };
    let requests = [
        ("as by default", free),
        ("fewest bytes", limited(|r| r.objective = Objective::Bytes)),
        ("no flooding", limited(|r| r.flooding_bits = 0)),
        (
            "q of at most 100 bits",
            limited(|r| r.limits.q_bits.1 = 100),
        ),
        ("q of at most 95 bits", limited(|r| r.limits.q_bits.1 = 95)),
        (
            "192 bits of security",
            limited(|r| r.requirement.level = 192),
        ),
        (
            "DELPHI's p of 41 bits",
            limited(|r| r.p_bound = PlaintextBound::Prime(DELPHI_P)),
        ),
    ];
    let prices = prices();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // Every third is a ReLU.
    let layers = (0..).filter(|index| index % 3 != 1).take(500).map(|index| {
        let layer = random_layer(index, &mut rng).expect("the draws are sound");
        layer.resolve(None).expect("the draws are sound")
    });
    let layers: Vec<ResolvedNetwork> = layers.collect();
    let built_in = zoo::names().map(|name| {
        let network = zoo::load(name).expect("it is built in");
        network.resolve(None).expect("it is built in")
    });
    let built_in: Vec<ResolvedNetwork> = built_in.collect();
    for (name, request) in requests {
        let mut whole = request;
        whole.limits.windows = Some(1);
        for (of, networks) in [("random layers", &layers), ("built-in networks", &built_in)] {
            let [free, whole] = [request, whole]
                .map(|request| Selector::new(request, &prices).expect("it can be met"));
            let mut choices = Choices::default();
            for network in networks {
                choices.add(network, &free, &whole);
            }
            choices.tell(&format!("{name}, {of}"));
        }
    }
}

criterion_group!(benches, params, primes);

fn main() {
    let asked = |what: &str| std::env::args().any(|argument| argument == what);
    if asked("million") {
        million();
    } else if asked("windows") {
        windows();
    } else {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
