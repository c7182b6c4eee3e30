//! Both directions on every variant against big integers, at random and at adversarial values.

use num_bigint::BigUint;
use proptest::prelude::*;

use super::super::is_accepted_prime;
use super::*;

const N: usize = 16;

/// The largest accepted primes of these widths, all different.
fn primes(widths: &[u32]) -> Vec<u64> {
    let mut primes: Vec<u64> = Vec::new();
    for &width in widths {
        let candidates = (1..).map(|k| (1 << width) + 1 - k * 2 * N as u64);
        let mut accepted = candidates.filter(|&p| is_accepted_prime(p, N).is_ok());
        primes.extend(accepted.find(|p| !primes.contains(p)));
    }
    primes
}

/// Widths of the limbs and of p: narrow, wide, mixed, p wider than a limb, one limb, many limbs.
const SHAPES: [(&[u32], u32); 9] = [
    (&[50], 20),
    (&[61], 20),
    (&[36, 36], 20),
    (&[30, 50, 20], 41),
    (&[50, 30, 61], 20),
    (&[60, 60, 61], 61),
    (&[30, 30, 30], 58),
    (&[20, 61, 21, 60], 40),
    (&[43, 43, 44, 44, 50], 50),
];

struct Case {
    basis: RnsBasis,
    p: Modulus,
    q: BigUint,
    rounding: Rounding,
}

fn case(which: usize) -> Case {
    let (limbs, p) = SHAPES[which];
    let all = primes(&[limbs, &[p]].concat());
    let (&p, q) = all.split_last().unwrap();
    let (basis, p) = (RnsBasis::new(N, q).unwrap(), Modulus::new(p).unwrap());
    Case {
        q: q.iter().map(|&q| BigUint::from(q)).product(),
        rounding: Rounding::new(&basis, p),
        basis,
        p,
    }
}

fn backends(rounding: &Rounding) -> [Backend; 2] {
    [Backend::Portable, Backend::fastest(rounding.width)]
}

/// The polynomial with the given coefficients; zeros after them.
fn polynomial(case: &Case, coefficients: &[BigUint]) -> Poly<Coefficient> {
    let mut poly = Poly::zero(N, case.basis.limbs());
    for (m, limb) in case.basis.moduli().zip(poly.iter_mut()) {
        for (x, c) in limb.iter_mut().zip(coefficients) {
            *x = u64::try_from(c % m.value()).unwrap();
        }
    }
    poly
}

fn rounded(case: &Case, x: &BigUint) -> u64 {
    let p = case.p.value();
    let exact = (x * p + (&case.q >> 1_u32)) / &case.q % p;
    u64::try_from(exact).unwrap()
}

/// Rounds all of `values`, a polynomial at a time.
fn check_down(case: &Case, values: &[BigUint]) {
    for values in values.chunks(N) {
        let poly = polynomial(case, values);
        for backend in backends(&case.rounding) {
            let (rounding, mut m) = (&case.rounding, [1; N]);
            rounding.round_by(backend, &mut poly.clone(), &mut m);
            for (m, x) in m.iter().zip(values) {
                assert_eq!(*m, rounded(case, x), "{x} of {}", case.q);
            }
        }
    }
}

/// Scales all of `values` up, a polynomial at a time, onto zeros and onto the largest residues.
fn check_up(case: &Case, values: &[u64]) {
    let p = case.p.value();
    for values in values.chunks(N) {
        let mut message = values.to_vec();
        message.resize(N, 0);
        let start = &case.q - 1_u8;
        let expected: Vec<BigUint> = message
            .iter()
            .map(|&m| (&start + (&case.q * m + p / 2) / p) % &case.q)
            .collect();
        for backend in backends(&case.rounding) {
            let mut poly = polynomial(case, &vec![start.clone(); N]);
            let rounding = &case.rounding;
            rounding.add_scaled_by(backend, &mut poly, &mut message.clone());
            assert_eq!(poly, polynomial(case, &expected));
        }
    }
}

#[test]
fn ends_middles_and_edges_are_exact() {
    for which in 0..SHAPES.len() {
        let case = case(which);
        let (p, q) = (case.p.value(), &case.q);
        let messages = [0, 1, 2, p / 3, p / 2 - 1, p / 2, p / 2 + 1, p - 2, p - 1];
        check_up(&case, &messages);
        // Beside every place where the rounding changes: x = ⌈(2m − 1)·q/(2p)⌉.
        let mut values = vec![BigUint::ZERO, q - 1_u8, q >> 1_u32, (q >> 1_u32) + 1_u8];
        for m in messages.into_iter().filter(|&m| m > 0) {
            let edge: BigUint = q * (2 * u128::from(m) - 1) / (2 * u128::from(p));
            values.extend([&edge - 1_u8, edge.clone(), &edge + 1_u8, edge + 2_u8]);
        }
        // Beside the multiples of products of primes, where mixed-radix digits are 0 or the largest.
        let mut product = BigUint::from(1_u8);
        for m in case.basis.moduli() {
            product *= m.value();
            values.extend([&product - 1_u8, &product % q, (&product + 1_u8) % q]);
        }
        let reduced: Vec<BigUint> = values.into_iter().map(|x| x % q).collect();
        check_down(&case, &reduced);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_values_are_exact(
        which in 0..SHAPES.len(),
        words in prop::collection::vec(any::<[u64; 5]>(), 1..40),
    ) {
        let case = case(which);
        let integer = |words: &[u64; 5]| words.iter().fold(BigUint::ZERO, |x, &w| (x << 64) + w);
        let values: Vec<BigUint> = words.iter().map(|words| integer(words) % &case.q).collect();
        check_down(&case, &values);
        let messages: Vec<u64> = words.iter().map(|words| case.p.reduce(words[0])).collect();
        check_up(&case, &messages);
    }
}

/// More coefficients than are carried at a time.
#[test]
fn all_chunks_are_served() {
    let (basis, p) = (
        RnsBasis::new(2048, &[1_125_899_906_826_241, 1_125_899_906_629_633]).unwrap(),
        Modulus::new(1_032_193).unwrap(),
    );
    let rounding = Rounding::new(&basis, p);
    let message: Vec<u64> = (0..2048).map(|i| p.reduce(i * i * 12_345)).collect();
    let mut poly = Poly::zero(2048, 2);
    rounding.add_scaled(&mut poly, &mut message.clone());
    let mut out = vec![1; 2048];
    rounding.round(&mut poly, &mut out);
    assert_eq!(out, message);
}
