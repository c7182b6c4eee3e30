//! The transform against schoolbook products, and the rule on primes against the engine's faults.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::ring::{Automorphism, pointwise};

/// Negacyclic product by definition.
fn schoolbook(q: Modulus, x: &[u64], y: &[u64]) -> Vec<u64> {
    let n = x.len();
    let mut out = vec![0; n];
    for (i, &x) in x.iter().enumerate() {
        for (j, &y) in y.iter().enumerate() {
            let product = q.mul(x, y);
            let at = &mut out[(i + j) % n];
            *at = if i + j < n {
                q.add(*at, product)
            } else {
                q.sub(*at, product)
            };
        }
    }
    out
}

fn random_prime(rng: &mut ChaCha8Rng, bits: u32, n: usize) -> u64 {
    loop {
        let x = rng.random_range(1_u64 << (bits - 1)..1 << bits);
        let p = x - x % (2 * n as u64) + 1;
        if p >> (bits - 1) == 1 && primal::is_prime(p) {
            return p;
        }
    }
}

fn random(rng: &mut ChaCha8Rng, q: u64, n: usize) -> Vec<u64> {
    (0..n).map(|_| rng.random_range(0..q)).collect()
}

#[test]
fn products_equal_schoolbook_for_accepted_primes_of_every_width() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for bits in 30..=61 {
        for n in [16, 64, 256] {
            let q = std::iter::repeat_with(|| random_prime(&mut rng, bits, n))
                .find(|&q| is_accepted_prime(q, n).is_ok())
                .unwrap();
            let plan = NttPlan::limb(n, q).unwrap();
            let (x, y, z) = (
                random(&mut rng, q, n),
                random(&mut rng, q, n),
                random(&mut rng, q, n),
            );
            let mut expected = schoolbook(plan.modulus(), &x, &y);
            pointwise::add_assign(plan.modulus(), &mut expected, &z);
            let [mut x, mut y, mut z] = [x, y, z];
            for a in [&mut x, &mut y, &mut z] {
                plan.forward(a);
            }
            plan.engine.mul_accumulate(&mut z, &x, &y);
            assert!(z.iter().all(|&z| z < q), "not reduced: q = {q}");
            plan.inverse(&mut z);
            assert_eq!(z, expected, "n = {n}, q = {q}");
        }
    }
}

#[test]
fn accumulating_extremes_stays_reduced() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for bits in 30..=61 {
        let n = 16;
        let q = std::iter::repeat_with(|| random_prime(&mut rng, bits, n))
            .find(|&q| is_accepted_prime(q, n).is_ok())
            .unwrap();
        let plan = NttPlan::limb(n, q).unwrap();
        let m = plan.modulus();
        for _ in 0..200 {
            let near = |rng: &mut ChaCha8Rng| -> Vec<u64> {
                (0..n).map(|_| q - 1 - rng.random_range(0..8)).collect()
            };
            let (x, y, mut z) = (near(&mut rng), random(&mut rng, q, n), near(&mut rng));
            let expected: Vec<u64> = (0..n).map(|i| m.add(z[i], m.mul(x[i], y[i]))).collect();
            plan.engine.mul_accumulate(&mut z, &x, &y);
            assert_eq!(z, expected, "q = {q}");
        }
    }
}

#[test]
fn transforms_of_plaintext_primes_equal_schoolbook() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut primes = vec![
        (16, 97),
        (32, 193),
        (128, 257),
        (128, 12_289),
        (128, 65_537),
    ];
    for bits in 18..50 {
        primes.push((64, random_prime(&mut rng, bits, 64)));
    }
    for (n, p) in primes {
        let plan = NttPlan::plaintext(n, p).unwrap();
        let m = plan.modulus();
        let (mut x, mut y) = (random(&mut rng, p, n), random(&mut rng, p, n));
        let expected = schoolbook(m, &x, &y);
        plan.forward(&mut x);
        plan.forward(&mut y);
        let mut z: Vec<u64> = x.iter().zip(&y).map(|(&x, &y)| m.mul(x, y)).collect();
        plan.inverse(&mut z);
        assert_eq!(z, expected, "n = {n}, p = {p}");
    }
}

#[test]
fn positions_hold_the_documented_powers_of_the_root() {
    for (n, q) in [(16, 97), (1024, 12_289), (4096, 1_125_899_906_826_241)] {
        let plan = NttPlan::plaintext(n, q).unwrap();
        let mut x = vec![0; n];
        x[1] = 1;
        plan.forward(&mut x);
        for (index, &value) in x.iter().enumerate() {
            let e = exponent(n, index);
            assert_eq!(value, plan.modulus().pow(plan.root(), e as u64));
            assert_eq!(position(n, e), index);
        }
    }
}

#[test]
fn automorphism_moves_values_as_it_moves_coefficients() {
    let (n, q) = (64, 12_289);
    let plan = NttPlan::plaintext(n, q).unwrap();
    let a = random(&mut ChaCha8Rng::seed_from_u64(4), q, n);
    for g in (1..2 * n).step_by(2) {
        let mut expected = vec![0; n];
        for (i, &a) in a.iter().enumerate() {
            let power = i * g % (2 * n);
            expected[power % n] = if power < n { a } else { plan.modulus().neg(a) };
        }
        plan.forward(&mut expected);
        let (mut values, mut moved) = (a.clone(), vec![0; n]);
        plan.forward(&mut values);
        pointwise::permute(&Automorphism::new(n, g), &values, &mut moved);
        assert_eq!(moved, expected);
    }
}

#[test]
fn every_refusal_names_its_rule() {
    assert_eq!(is_accepted_prime(97, 24), Err(PrimeError::Degree { n: 24 }));
    assert_eq!(is_accepted_prime(97, 8), Err(PrimeError::Degree { n: 8 }));
    assert_eq!(
        is_accepted_prime(97, 1 << 16),
        Err(PrimeError::Degree { n: 1 << 16 })
    );
    assert_eq!(
        is_accepted_prime(1 << 61, 16),
        Err(PrimeError::TooLarge(1 << 61))
    );
    assert_eq!(is_accepted_prime(33, 16), Err(PrimeError::Composite(33)));
    // 1 modulo n only, as the papers print it.
    assert_eq!(
        is_accepted_prime(17, 16),
        Err(PrimeError::Congruence {
            prime: 17,
            two_n: 32
        })
    );
}

#[test]
fn primes_that_the_engine_reduces_wrongly_are_refused() {
    // Search near the top of the widths where faults are known, with an accumulator that is not
    // zero; every prime caught in the act must be refused.
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (n, mut refused, mut faults) = (1024, 0, 0);
    for bits in [48, 49, 50, 51] {
        for _ in 0..40 {
            let q = random_prime(&mut rng, bits, n);
            let rule = is_accepted_prime(q, n);
            if rule.is_err() {
                assert_eq!(rule, Err(PrimeError::Reduction(q)));
                refused += 1;
            }
            let plan = NttPlan::cached(n, q).unwrap();
            let m = plan.modulus();
            let (x, y, z) = (
                random(&mut rng, q, n),
                random(&mut rng, q, n),
                random(&mut rng, q, n),
            );
            let expected: Vec<u64> = (0..n).map(|i| m.add(z[i], m.mul(x[i], y[i]))).collect();
            let mut acc = z;
            plan.engine.mul_accumulate(&mut acc, &x, &y);
            if acc != expected {
                faults += 1;
                assert!(rule.is_err(), "accepted a prime that fails: {q}");
            }
        }
    }
    // The faults need wide vector units, the rule does not.
    assert!(refused > 40, "{refused} refused, {faults} caught");
}

#[test]
fn plans_are_shared() {
    let first = NttPlan::plaintext(16, 97).unwrap();
    assert!(Arc::ptr_eq(&first, &NttPlan::plaintext(16, 97).unwrap()));
    assert_eq!(first.degree(), 16);
    assert_eq!(format!("{first:?}"), "NttPlan(n = 16, q = 97)");
}

/// For every degree, and for residues that are as large as can be.
#[cfg(target_arch = "x86_64")]
#[test]
fn butterflies_of_doubles_give_what_the_engine_gives() {
    let Some(token) = pointwise::avx2() else {
        return;
    };
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for log_n in 4..=15 {
        let n = 1 << log_n;
        for bits in [20, 35, 49, 50] {
            let q = random_prime(&mut rng, bits, n);
            let (m, engine) = (Modulus::new(q).unwrap(), Plan::try_new(n, q).unwrap());
            let plan = NttPlan::plaintext(n, q).unwrap();
            let fma = fma::Engine::new(token, m, n, plan.root()).unwrap();
            for x in [random(&mut rng, q, n), vec![q - 1; n], vec![0; n]] {
                let (mut ours, mut theirs) = (x.clone(), x.clone());
                fma.forward(&mut ours);
                engine.fwd(&mut theirs);
                assert_eq!(ours, theirs, "n = {n}, q = {q}");
                fma.inverse(&mut ours);
                assert_eq!(ours, x, "n = {n}, q = {q}");
                // Any residues are the values of some polynomial.
                let (mut ours, mut theirs) = (x.clone(), x);
                fma.inverse(&mut ours);
                engine.inv(&mut theirs);
                engine.normalize(&mut theirs);
                assert_eq!(ours, theirs, "n = {n}, q = {q}");
            }
        }
    }
}
