//! Garbling and evaluation of ReLU layers as the protocol runs them: piece by piece, labels and messages
//! included. Throughput in AND gates a second, and under `relus/…` in circuits a second.
//!
//! Run with `cargo bench --bench gc`, or a part with `cargo bench --bench gc -- garble/w=17`. Batches of 1 to
//! 65,536 circuits show the fixed cost and the slope; then hashes, kernels and threads are compared.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use nass::calibrate::time;
use nass::gc::{
    BaseOtReceiver, BaseOtSender, Delta, EvaluatedPieces, Extension, ExtensionReceiver,
    GarbledPieces, GarblerInputs, GarblingHash, Kernels, Layer, PieceMessages, ShareCircuit,
    ShareFunction,
};
use nass::network::Requantize;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

/// Bits of p, and a prime of as many.
const WIDTHS: [(u32, u64); 3] = [(12, 4093), (17, 131_071), (22, 4_194_301)];
const BATCHES: [usize; 5] = [1, 32, 1024, 8192, 65_536];

fn relu((width, p): (u32, u64)) -> ShareCircuit {
    let requantize = Requantize {
        shift: 0,
        output_bits: width - 1,
        signed: false,
    };
    ShareCircuit {
        function: ShareFunction::Requantize(requantize),
        p_in: p,
        p_out: p,
    }
}

/// A layer with what its parties bring.
struct Case {
    layer: Arc<Layer>,
    batch: usize,
    delta: Delta,
    shares: Vec<u64>,
    rng: ChaCha20Rng,
    receiver: ExtensionReceiver,
    choices: usize,
    /// Pieces garbled or evaluated side by side, on as many threads as there are processors.
    at_once: usize,
}

#[expect(
    clippy::expect_used,
    reason = "a bench that cannot run has nothing to do but stop"
)]
impl Case {
    fn new(circuit: &ShareCircuit, batch: usize, hash: GarblingHash, kernels: Kernels) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let delta = Delta::random(&mut rng);
        let layer = Layer::new(circuit, batch, hash).expect("the circuit exists");
        let (base, offer) = BaseOtSender::offer(&mut rng);
        let reply = BaseOtReceiver::reply(&offer, &delta, &mut rng)
            .expect("a point")
            .1;
        let pairs = base.finish(&reply).expect("points");
        Self {
            layer: Arc::new(layer.on(kernels)),
            batch,
            delta,
            shares: vec![7; batch],
            rng,
            receiver: ExtensionReceiver::new(Extension::default(), &pairs).0,
            choices: circuit.evaluator_input_bits() * batch,
            at_once: 1,
        }
    }

    /// Garbles the layer, each group of pieces over the last one; `each` sees every piece first.
    fn garble(&mut self, mut each: impl FnMut(&[u8], &[u8])) {
        let mut pieces = GarbledPieces::fresh(&self.layer, &self.delta, &mut self.rng);
        let mut tables = vec![Vec::new(); self.at_once];
        let mut labels = tables.clone();
        loop {
            let group = pieces.next_group_into(&mut tables, &mut self.rng);
            let count = group.len();
            labels.iter_mut().for_each(Vec::clear);
            let (shares, out) = (&self.shares, &mut labels[..count]);
            GarblerInputs::encode_group_into(group, &self.layer, shares, shares, out)
                .expect("shares of the layer");
            let pairs = tables.iter().zip(&labels).take(count);
            pairs.for_each(|(tables, labels)| each(tables, labels));
            if count < self.at_once || count == 0 {
                return;
            }
        }
    }

    fn time_garbling(&mut self, bencher: &mut Bencher<'_>) {
        bencher.iter(|| {
            self.garble(|tables, labels| {
                black_box((tables, labels));
            })
        });
    }

    /// One piece of each size is evaluated in place of all: results are of no use, the work is the same.
    fn time_evaluation(&mut self, bencher: &mut Bencher<'_>) {
        let (mut first, mut last) = (None, None);
        self.garble(|tables, labels| {
            last = Some((tables.to_vec(), labels.to_vec()));
            first.get_or_insert_with(|| (tables.to_vec(), labels.to_vec()));
        });
        let (first, last) = (first.expect("a piece"), last.expect("a piece"));
        let count = self.layer.pieces().len();
        bencher.iter_custom(|rounds| {
            let mut spent = 0.0;
            for _ in 0..rounds {
                let own = self.receiver.extend_random(self.choices).1.into_labels();
                let (evaluated, taken) = time(|| {
                    let mut pieces = EvaluatedPieces::new(&self.layer, own).expect("labels");
                    let mut outputs = Vec::with_capacity(self.batch);
                    let messages: Vec<_> = (0..count)
                        .map(|index| if index + 1 == count { &last } else { &first })
                        .map(|(tables, labels)| PieceMessages { tables, labels })
                        .collect();
                    for group in messages.chunks(self.at_once) {
                        pieces.next_group(group, &mut outputs).expect("pieces");
                    }
                    outputs
                });
                black_box(evaluated);
                spent += taken.seconds();
            }
            Duration::from_secs_f64(spent)
        });
    }
}

fn both(group: &mut BenchmarkGroup<'_, WallTime>, id: &str, case: &mut Case, units: usize) {
    group.throughput(Throughput::Elements(units as u64));
    group.bench_function(format!("garble/{id}"), |b| case.time_garbling(b));
    group.bench_function(format!("evaluate/{id}"), |b| case.time_evaluation(b));
}

fn gc(criterion: &mut Criterion) {
    let case = |width, batch, hash, kernels| Case::new(&relu(width), batch, hash, kernels);
    let (tmmo, fastest) = (GarblingHash::Tmmo, Kernels::Fastest);
    let mut gates = criterion.benchmark_group("gates");
    gates
        .sample_size(10)
        .measurement_time(Duration::from_millis(700));
    gates.warm_up_time(Duration::from_millis(200));
    for width in WIDTHS {
        for batch in BATCHES {
            let mut case = case(width, batch, tmmo, fastest);
            let (id, ands) = (
                format!("w={}/batch={batch}", width.0),
                case.layer.and_count(),
            );
            both(&mut gates, &id, &mut case, ands);
        }
    }
    for (name, hash, kernels) in GarblingHash::ALL
        .map(|hash| (hash.name(), hash, fastest))
        .into_iter()
        .chain([("portable", tmmo, Kernels::Portable)])
    {
        let mut case = case(WIDTHS[1], 1024, hash, kernels);
        let ands = case.layer.and_count();
        both(&mut gates, name, &mut case, ands);
    }
    for at_once in [1, 16] {
        let mut case = case(WIDTHS[1], 65_536, tmmo, fastest);
        case.at_once = at_once;
        let ands = case.layer.and_count();
        both(&mut gates, &format!("at_once={at_once}"), &mut case, ands);
    }
    gates.finish();
    let mut relus = criterion.benchmark_group("relus");
    relus
        .sample_size(10)
        .measurement_time(Duration::from_millis(700));
    for width in WIDTHS {
        let mut case = case(width, 8192, tmmo, fastest);
        both(&mut relus, &format!("w={}", width.0), &mut case, 8192);
    }
    relus.finish();
}

criterion_group!(benches, gc);
criterion_main!(benches);
