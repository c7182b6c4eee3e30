//! Garbling and evaluation of ReLU layers on one thread, for every kernel and hash, four widths of p and batches
//! of 1 to 65,536 circuits: circuits and AND gates a second, then the fixed cost and the slope of each line of
//! batches (least squares of relative errors).
//!
//! Run with `cargo bench --bench gc`, some 2 minutes, or the rows that hold all words given with
//! `cargo bench --bench gc -- tmmo w=17`. Words: fastest, portable; tmmo, rekeyed, fixed_key_as_in_papers; w=8,
//! w=17, w=22, w=41. Two threads: `cargo bench --bench threads`.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench prints, and one that cannot run has nothing to do but stop"
)]

use std::hint::black_box;

use aes::Aes128Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use nass::calibrate::{fit_line, time};
use nass::gc::{GarblingHash, Kernels};
use relu_layer::{Bases, PRIMES, ReluLayer};

#[path = "support/relu_layer.rs"]
mod relu_layer;

// As the program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const BATCHES: [usize; 5] = [1, 32, 1024, 8192, 65_536];
const KERNELS: [(&str, Kernels); 2] = [
    ("fastest", Kernels::Fastest),
    ("portable", Kernels::Portable),
];
/// Nanoseconds that are spent on samples of one time.
const BUDGET: f64 = 1e8;
const FEWEST: usize = 3;

/// Median nanoseconds of `work` on what `prepare` gives, after a run that is not counted.
fn median<S, T, U>(
    state: &mut S,
    mut prepare: impl FnMut(&mut S) -> T,
    mut work: impl FnMut(&mut S, T) -> U,
) -> f64 {
    let (mut samples, mut spent) = (Vec::new(), 0.0);
    let prepared = prepare(state);
    black_box(work(state, prepared));
    while samples.len() < FEWEST || spent < BUDGET {
        let prepared = prepare(state);
        let (result, taken) = time(|| work(state, prepared));
        black_box(result);
        samples.push(taken.0);
        spent += taken.0;
    }
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// One kernel, hash and width.
struct Series {
    id: String,
    /// AND gates of a circuit.
    ands: usize,
    /// Nanoseconds by batch: garbling, evaluating.
    times: [Vec<(f64, f64)>; 2],
}

impl Series {
    fn measure(bases: &Bases, id: String, prime: (u32, u64), how: (GarblingHash, Kernels)) -> Self {
        let (mut ands, mut times) = (0, [Vec::new(), Vec::new()]);
        for batch in BATCHES {
            let mut layer = ReluLayer::new(bases, prime, batch, how, 1);
            ands = layer.layer.and_count() / batch;
            let garbling = median(&mut layer, |_| (), |layer, ()| layer.garble());
            layer.keep();
            let own = ReluLayer::own_labels;
            let evaluating = median(&mut layer, own, |layer, own| layer.evaluate(own));
            times[0].push((batch as f64, garbling));
            times[1].push((batch as f64, evaluating));
            let rate = |nanos: f64| batch as f64 / nanos * 1e3;
            let columns = [garbling, evaluating].map(|nanos| {
                format!(
                    "{:.2} | {:.4} | {:.1}",
                    nanos / (batch * ands) as f64,
                    rate(nanos),
                    rate(nanos) * ands as f64
                )
            });
            println!("| {id} | {batch} | {} | {} |", columns[0], columns[1]);
        }
        Self { id, ands, times }
    }

    fn print_line(&self) {
        let columns = self.times.each_ref().map(|times| {
            let (slope, fixed) = fit_line(times).expect("two batches and more");
            let ands = self.ands as f64;
            format!("{:.1} | {slope:.1} | {:.2}", fixed / 1e3, slope / ands)
        });
        println!(
            "| {} | {} | {} | {} |",
            self.id, self.ands, columns[0], columns[1]
        );
    }
}

/// Nanoseconds that AES-128 of one block takes, in 8 KiB at a time: the floor of a gate is so much for each call.
fn aes_block() -> f64 {
    let cipher = Aes128Enc::new(&[7; 16].into());
    let blocks = vec![aes::Block::from([1; 16]); 512];
    let rounds = 200;
    let work = |blocks: &mut Vec<_>, ()| (0..rounds).for_each(|_| cipher.encrypt_blocks(blocks));
    median(&mut { blocks }, |_| (), work) / f64::from(512 * rounds)
}

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global()
        .expect("nothing has started the pool");
    let bases = Bases::new();
    println!(
        "| kernels, hash, width | batch | garble: ns an AND | M ReLU/s | M AND/s | evaluate: ns an AND | M ReLU/s | M AND/s |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut all = Vec::new();
    for (name, kernels) in KERNELS {
        for hash in GarblingHash::ALL {
            for prime in PRIMES {
                let id = format!("{name} {} w={}", hash.name(), prime.0);
                if words.iter().all(|word| id.split(' ').any(|w| w == word)) {
                    all.push(Series::measure(&bases, id, prime, (hash, kernels)));
                }
            }
        }
    }
    println!(
        "\n| kernels, hash, width | ANDs | garble: fixed µs | ns a ReLU | ns an AND | evaluate: fixed µs | ns a ReLU | ns an AND |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    all.iter().for_each(Series::print_line);
    println!("\nAES-128: {:.3} ns a block", aes_block());
}
