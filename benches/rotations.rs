//! The sum of eight rotations of one ciphertext, three ways: each with a key switch of its own, all from
//! one decomposition (hoisting), and these summed before the division by the special prime (double
//! hoisting). Ids are `way/n=…/q=limbs x bits`.
//!
//! Run with `cargo bench --bench rotations`.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot run has nothing to do but stop"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use nass::bfv::{
    BfvError, BfvLiteral, BfvParams, Ciphertext, Evaluator, GaloisKeys, HeOps, Rotation, SecretKey,
};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

/// Primes just below 2^50, 1 modulo 16384.
const PRIMES: [u64; 3] = [
    1_125_899_906_826_241,
    1_125_899_906_629_633,
    1_125_899_905_744_897,
];

/// One way to the sum.
type Way<'a> = &'a dyn Fn() -> Result<Ciphertext, BfvError>;

fn rotations(criterion: &mut Criterion) {
    for n in [4096, 8192] {
        for limbs in [1, 2] {
            bench(criterion, n, limbs).expect("the parameters are fixed");
        }
    }
}

fn bench(criterion: &mut Criterion, n: usize, limbs: usize) -> Result<(), BfvError> {
    let params = BfvParams::insecure(&BfvLiteral {
        n,
        p: 1_032_193,
        q: PRIMES[..limbs].to_vec(),
        special: vec![PRIMES[2]],
        digit_bits: None,
        flooding_log2: None,
        reply_limbs: 1,
    })?;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let secret = SecretKey::generate(&params, &mut rng);
    let steps: Vec<Rotation> = (1..=8).map(Rotation::rows).collect();
    let evaluator = Evaluator::new(&params, GaloisKeys::generate(&secret, &steps, &mut rng)?)?;
    let ct = secret.encrypt(&vec![1; n], &mut rng)?.expand();
    let sum = |rotated: &dyn Fn(Rotation) -> Result<Ciphertext, BfvError>| {
        let mut sum = Ciphertext::zero(&params);
        for &step in &steps {
            evaluator.add(&mut sum, &rotated(step)?);
        }
        Ok::<_, BfvError>(sum)
    };
    let ways: [(&str, Way<'_>); 3] = [
        ("one_by_one", &|| sum(&|step| evaluator.rotate(&ct, step))),
        ("hoisted", &|| {
            let decomposed = evaluator.decompose(&ct);
            sum(&|step| evaluator.rotate_decomposed(&decomposed, step))
        }),
        ("double_hoisted", &|| {
            let decomposed = evaluator.decompose(&ct);
            let terms: Vec<_> = steps.iter().map(|&step| (&decomposed, step)).collect();
            evaluator.sum_of_rotations(&terms)
        }),
    ];
    for (name, way) in ways {
        assert_eq!(secret.decrypt(&way()?)?, vec![8; n], "{name}");
        let mut group = criterion.benchmark_group(name);
        group.bench_function(format!("n={n}/q={limbs}x50"), |bencher| bencher.iter(way));
        group.finish();
    }
    Ok(())
}

criterion_group!(benches, rotations);
criterion_main!(benches);
