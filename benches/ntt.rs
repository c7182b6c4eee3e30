//! The transforms below everything: forward, inverse, and products accumulated, one limb; and the transform engine's
//! own, `engine_forward` and `engine_inverse`, which the first two are where there is AVX-512, and for more than 50 bits.
//!
//! Run with `cargo bench --bench ntt`; ids are `operation/n=…/bits=…`.

use concrete_ntt::prime64::Plan;
use criterion::{Criterion, criterion_group, criterion_main};
use nass::ring::{NttPlan, is_accepted_prime, pointwise};

/// The greatest accepted prime of `bits` bits at degree n.
fn prime(bits: u32, n: usize) -> Option<u64> {
    let step = 2 * n as u64;
    (1..10_000)
        .map(|i| (1 << bits) + 1 - i * step)
        .find(|&q| is_accepted_prime(q, n).is_ok())
}

fn ntt(criterion: &mut Criterion) {
    for n in [2048, 4096, 8192, 16_384] {
        for bits in [50, 60] {
            let plan = prime(bits, n).and_then(|q| NttPlan::limb(n, q).ok());
            if let Some(plan) = plan {
                bench(criterion, &plan, &format!("n={n}/bits={bits}"));
            }
        }
    }
}

fn bench(criterion: &mut Criterion, plan: &NttPlan, id: &str) {
    let q = plan.modulus().value();
    let x: Vec<u64> = (0..plan.degree() as u64)
        .map(|i| i * 0x9e37_79b9 % q)
        .collect();
    let (mut y, mut sum) = (x.clone(), x.clone());
    let mut forward = criterion.benchmark_group("forward");
    forward.bench_function(id, |bencher| bencher.iter(|| plan.forward(&mut y)));
    forward.finish();
    let mut inverse = criterion.benchmark_group("inverse");
    inverse.bench_function(id, |bencher| bencher.iter(|| plan.inverse(&mut y)));
    inverse.finish();
    if let Some(engine) = Plan::try_new(plan.degree(), q) {
        let mut forward = criterion.benchmark_group("engine_forward");
        forward.bench_function(id, |bencher| bencher.iter(|| engine.fwd(&mut y)));
        forward.finish();
        let mut inverse = criterion.benchmark_group("engine_inverse");
        inverse.bench_function(id, |bencher| {
            bencher.iter(|| {
                engine.inv(&mut y);
                engine.normalize(&mut y);
            });
        });
        inverse.finish();
    }
    let mut products = criterion.benchmark_group("multiply_accumulate");
    products.bench_function(id, |bencher| {
        bencher.iter(|| pointwise::multiply_accumulate(plan.modulus(), &mut sum, &x, &x));
    });
    products.finish();
}

criterion_group!(benches, ntt);
criterion_main!(benches);
