//! Choosing parameters. `primes/…`: one prime of the width, the largest there is; a 60-bit one for a transform,
//! and the paper's single large q ≡ 1 mod n.
//!
//! Run with `cargo bench --bench params`.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot run has nothing to do but stop"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use nass::params::{
    Congruence, Width, congruent_primes, descending_ntt_primes, gazelle_modulus, ntt_primes,
};

const N: usize = 4096;

fn primes(criterion: &mut Criterion) {
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

criterion_group!(benches, primes);
criterion_main!(benches);
