//! Distributions, streams that repeat, and every variant of a loop against the portable one.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::super::Ntt;
use super::*;

const Q: u64 = 1_125_899_906_826_241;

fn large_basis() -> RnsBasis {
    RnsBasis::new(32_768, &[1_125_899_904_679_937, 1_071_513_601]).unwrap()
}

fn basis() -> RnsBasis {
    RnsBasis::new(4096, &[Q, 1_073_643_521]).unwrap()
}

#[test]
fn uniform_depends_on_seed_stream_and_limb_and_fills_the_range() {
    let basis = basis();
    let a: Poly<Ntt> = uniform(&basis, &[1; 32], 0);
    assert_eq!(a, uniform(&basis, &[1; 32], 0));
    assert_ne!(a, uniform(&basis, &[2; 32], 0));
    assert_ne!(a, uniform(&basis, &[1; 32], 1));
    for (q, limb) in basis.moduli().zip(a.iter()) {
        assert!(limb.iter().all(|&x| x < q.value()));
        let mean = limb.iter().map(|&x| x as f64).sum::<f64>() / 4096.0 / q.value() as f64;
        // The mean of 4096 uniform values has a deviation of 0.0045.
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
    }
}

/// Golden: both parties expand a seed, on whatever processor.
#[test]
fn a_seed_stands_for_one_polynomial() {
    let basis = RnsBasis::new(4096, &[Q, 1_073_643_521]).unwrap();
    let a: Poly<Ntt> = uniform(&basis, &[7; 32], 3);
    let ends: Vec<[u64; 2]> = a.iter().map(|limb| [limb[0], limb[4095]]).collect();
    let expected = [
        [119_737_233_725_517, 610_885_370_910_488],
        [380_490_403, 879_451_123],
    ];
    assert_eq!(ends, expected);
    let sum = a
        .residues()
        .iter()
        .fold(0_u64, |sum, &x| sum.wrapping_mul(31).wrapping_add(x));
    assert_eq!(sum, 1_591_087_059_177_260_864);
}

/// A third of all strings is refused, so that whole chunks have to be expanded again.
#[test]
fn uniform_values_are_those_strings_of_the_stream_that_are_in_range() {
    let basis = RnsBasis::new(4096, &[778_241]).unwrap();
    let a: Poly<Ntt> = uniform(&basis, &[5; 32], 2);
    let mut hasher = blake3::Hasher::new_keyed(&[5; 32]);
    hasher.update(&2_u32.to_le_bytes());
    hasher.update(&0_u32.to_le_bytes());
    let mut bytes = vec![0; 20 * 1024];
    hasher.finalize_xof().fill(&mut bytes);
    let bit = |at: usize| u64::from(bytes[at / 8] >> (at % 8) & 1);
    let strings = (0..8 * 1024).map(|i| (0..20).fold(0, |x, j| x | bit(20 * i + j) << j));
    let below: Vec<u64> = strings.filter(|&x| x < 778_241).take(4096).collect();
    assert_eq!(a.limb(0), below);
}

/// Golden: what one seed draws does not depend on the processor.
#[test]
fn secret_polynomials_repeat() {
    let basis = RnsBasis::new(1024, &[Q]).unwrap();
    let q = basis.moduli().next().unwrap();
    let first = |poly: Poly<Coefficient>| -> Vec<i64> {
        poly.limb(0).iter().take(8).map(|&x| q.centred(x)).collect()
    };
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    assert_eq!(
        first(ternary(&basis, &mut rng)),
        [1, 0, 0, -1, -1, -1, -1, 1]
    );
    assert_eq!(first(error(&basis, &mut rng)), [-1, 3, 4, -4, 5, -1, -1, 0]);
    let flood = [
        415_213, -387_813, -882_776, -405_782, -353_001, 184_795, -176_312, -747_259,
    ];
    assert_eq!(first(flooding(&basis, 20, &mut rng)), flood);
}

/// The centred coefficients, the same in every limb.
fn signed(poly: &Poly<Coefficient>, basis: &RnsBasis) -> Vec<i64> {
    let mut limbs = basis.moduli().zip(poly.iter());
    let centred =
        |(q, limb): (Modulus, &[u64])| -> Vec<i64> { limb.iter().map(|&x| q.centred(x)).collect() };
    let first = limbs.next().map(centred).unwrap();
    for limb in limbs.map(centred) {
        assert_eq!(limb, first);
    }
    first
}

#[test]
fn ternary_values_are_balanced() {
    let (basis, mut rng) = (large_basis(), ChaCha8Rng::seed_from_u64(1));
    let x = signed(&ternary(&basis, &mut rng), &basis);
    for value in -1..=1 {
        let count = x.iter().filter(|&&x| x == value).count();
        assert!((10_400..11_450).contains(&count), "{value}: {count}");
    }
}

#[test]
fn errors_have_the_gaussian_distribution() {
    let (basis, mut rng) = (large_basis(), ChaCha8Rng::seed_from_u64(2));
    let polys = (0..13).flat_map(|_| signed(&error(&basis, &mut rng), &basis));
    let x: Vec<i64> = polys.collect();
    let n = x.len();
    let mean = x.iter().sum::<i64>() as f64 / n as f64;
    let var = x.iter().map(|&x| (x * x) as f64).sum::<f64>() / n as f64;
    assert!(mean.abs() < 0.03, "{mean}");
    assert!((var.sqrt() - ERROR_SIGMA).abs() < 0.02, "{}", var.sqrt());
    let norm: f64 = (-40..=40).map(gauss).sum();
    for value in -8..=8 {
        let expected = n as f64 * gauss(value) / norm;
        let count = x.iter().filter(|&&x| x == i64::from(value)).count() as f64;
        assert!(
            (count - expected).abs() < 5.0 * expected.sqrt() + 5.0,
            "{value}"
        );
    }
}

fn gauss(x: i32) -> f64 {
    (-f64::from(x * x) / (2.0 * ERROR_SIGMA * ERROR_SIGMA)).exp()
}

/// The loops on words that sit at and beside every threshold, and on others, over all variants.
#[test]
fn variants_agree_and_compare_with_every_entry() {
    let tails = tails();
    assert!(
        tails.len() >= 28 && tails.is_sorted_by(|a, b| a > b),
        "{tails:?}"
    );
    let mut words = vec![0, 1, u64::MAX, u64::MAX - 1];
    let mut errors = vec![tails.len() as i64, -(tails.len() as i64), 0, 0];
    for (k, &tail) in (0_i64..).zip(&tails) {
        words.extend([
            (tail - 1) << 1,
            (tail - 1) << 1 | 1,
            tail << 1,
            tail << 1 | 1,
        ]);
        errors.extend([k + 1, -k - 1, k, -k]);
    }
    let ternary = [THIRDS[0] - 1, THIRDS[0], THIRDS[1] - 1, THIRDS[1]];
    for backend in [Backend::Portable, Backend::fastest()] {
        let mut drawn = words.clone();
        backend.draw(Distribution::Error, &mut drawn);
        let signed: Vec<i64> = drawn.iter().map(|&x| x as i64).collect();
        assert_eq!(signed, errors);
        // Twice, for a whole vector; once more, for what is left over.
        let mut drawn = ternary.repeat(3);
        backend.draw(Distribution::Ternary, &mut drawn);
        assert_eq!(drawn, [u64::MAX, 0, 0, 1].repeat(3));
    }
}

#[test]
fn flooding_is_uniform_in_its_range() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let wide = RnsBasis::new(1024, &[Q, 1_125_899_906_629_633]).unwrap();
    for k in [3, 10, 62, 63, 64, 70, 90] {
        let poly = flooding(&wide, k, &mut rng);
        let (mut low, mut high, mut squares) = (0.0_f64, 0.0_f64, 0.0);
        for i in 0..1024 {
            let mut x = [poly.limb(0)[i], poly.limb(1)[i]];
            let negated: Vec<u64> = wide.moduli().zip(x).map(|(q, x)| q.neg(x)).collect();
            let mut y = [negated[0], negated[1]];
            wide.mixed_radix(&mut x);
            wide.mixed_radix(&mut y);
            let (x, y) = (wide.digits_to_f64(&x), wide.digits_to_f64(&y));
            let x = if x < y { x } else { -y } / 2.0_f64.powi(k as i32);
            (low, high) = (low.min(x), high.max(x));
            squares += x * x;
        }
        assert!((-1.0..-0.98).contains(&low), "{k}: {low}");
        assert!(high <= 1.0 && high > 0.85, "{k}: {high}");
        assert!(
            (squares / 1024.0 - 1.0 / 3.0).abs() < 0.05,
            "{k}: {squares}"
        );
    }
}

#[test]
fn seeds_differ() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    assert_ne!(seed(&mut rng), seed(&mut rng));
}
