//! Every loop on every variant of this processor against wide arithmetic, for random moduli.

use num_bigint::BigUint;
use proptest::prelude::*;

use super::*;

/// An odd modulus of the given size, residues and a constant, all from random words.
#[derive(Debug)]
struct Inputs {
    q: Modulus,
    x: Vec<u64>,
    y: Vec<u64>,
    z: Vec<u64>,
    w: Constant,
}

fn inputs() -> impl Strategy<Value = Inputs> {
    let words = || prop::collection::vec(any::<u64>(), 0..100);
    (
        2_u32..=61,
        any::<u64>(),
        words(),
        any::<[bool; 3]>(),
        any::<u64>(),
    )
        .prop_map(|(bits, random, words, extreme, w)| {
            let q = Modulus::new((1 << (bits - 1)) | (random >> (64 - bits)) | 1).unwrap();
            // Residues near q are where a missing reduction shows.
            let residues = |which: usize| {
                let turned = words.iter().map(|w| w.rotate_left(21 * which as u32));
                let near = |w: u64| {
                    if extreme[which] {
                        q.value() - 1 - w % q.value().min(3)
                    } else {
                        w
                    }
                };
                turned.map(|w| q.reduce(near(w))).collect()
            };
            Inputs {
                q,
                x: residues(0),
                y: residues(1),
                z: residues(2),
                w: q.constant(w),
            }
        })
}

fn variants(q: Modulus) -> Vec<Variant> {
    vec![
        Variant::Portable,
        #[cfg(target_arch = "x86_64")]
        Variant::one_at_a_time(),
        #[cfg(target_arch = "x86_64")]
        Variant::without_avx512(q),
        Variant::of(q),
    ]
}

fn zipped(x: &[u64], y: &[u64], f: impl Fn(u128, u128) -> u128) -> Vec<u64> {
    let pairs = x.iter().zip(y);
    pairs.map(|(&x, &y)| f(x.into(), y.into()) as u64).collect()
}

proptest! {
    #[test]
    fn sums_and_constants(Inputs { q, x, y, w, .. } in inputs()) {
        let (m, v) = (u128::from(q.value()), u128::from(w.value()));
        for variant in variants(q) {
            let mut acc = x.clone();
            dispatch!(variant, add_assign(q, &mut acc, &y));
            prop_assert_eq!(&acc, &zipped(&x, &y, |x, y| (x + y) % m));
            let mut acc = x.clone();
            dispatch!(variant, sub_assign(q, &mut acc, &y));
            prop_assert_eq!(&acc, &zipped(&x, &y, |x, y| (x + m - y) % m));
            let mut acc = x.clone();
            dispatch!(variant, neg_assign(q, &mut acc));
            prop_assert_eq!(&acc, &zipped(&x, &y, |x, _| (m - x) % m));
            let mut acc = x.clone();
            dispatch!(variant, scale_assign(q, &mut acc, w));
            prop_assert_eq!(&acc, &zipped(&x, &y, |x, _| x * v % m));
            let mut acc = x.clone();
            dispatch!(variant, sub_scale_assign(q, &mut acc, &y, w));
            prop_assert_eq!(&acc, &zipped(&x, &y, |x, y| (x + m - y) * v % m));
            let mut acc = x.clone();
            dispatch!(variant, scale_accumulate(q, &mut acc, &y, w));
            prop_assert_eq!(&acc, &zipped(&x, &y, |x, y| (x + y * v) % m));
        }
    }

    #[test]
    fn products_with_factors(Inputs { q, x, y, z, .. } in inputs()) {
        let m = u128::from(q.value());
        let factors: Vec<u64> = y.iter().map(|&y| q.mul_constant(q.radix(), y)).collect();
        let products = zipped(&x, &y, |x, y| x * y % m);
        for variant in variants(q) {
            let mut out = x.clone();
            dispatch!(variant, multiply_assign(q, &mut out, &factors));
            prop_assert_eq!(&out, &products);
            let mut acc = z.clone();
            dispatch!(variant, multiply_accumulate(q, &mut acc, &x, &factors));
            let sums = zipped(&products, &z, |x, y| (x + y) % m);
            prop_assert_eq!(&acc, &sums);
            // z·f beside x·f.
            let stream = Stream::along(&factors);
            let others = zipped(&z, &y, |x, y| x * y % m);
            let (mut out, mut other) = (vec![0; x.len()], vec![0; x.len()]);
            dispatch!(variant, multiply_both(q, [&x, &z], stream, [&mut out, &mut other]));
            prop_assert_eq!([&out, &other], [&products, &others]);
            let (mut acc, mut other) = (z.clone(), x.clone());
            let both = [acc.as_mut_slice(), &mut other];
            dispatch!(variant, multiply_accumulate_both(q, both, [&x, &z], stream));
            prop_assert_eq!(&acc, &sums);
            prop_assert_eq!(&other, &zipped(&others, &x, |x, y| (x + y) % m));
        }
    }

    #[test]
    fn sums_of_products(
        Inputs { q, x, z, .. } in inputs(),
        terms in prop::collection::vec(any::<u64>(), 0..20),
    ) {
        // Term k: x rotated by k, times one factor.
        let n = x.len();
        let turned: Vec<Vec<u64>> = (0..terms.len())
            .map(|k| (0..n).map(|i| x[(i + k) % n]).collect())
            .collect();
        let factors: Vec<Vec<u64>> = terms
            .iter()
            .map(|&t| vec![q.mul_constant(q.radix(), q.reduce(t)); n])
            .collect();
        let pairs: Vec<Term<'_>> = turned
            .iter()
            .zip(&factors)
            .map(|(x, factor)| Term { x, factor })
            .collect();
        let mut expected = z.clone();
        for (turned, &t) in turned.iter().zip(&terms) {
            portable::scale_accumulate(q, &mut expected, turned, q.constant(t));
        }
        for variant in variants(q) {
            let mut acc = z.clone();
            for terms in pairs.chunks(TERMS) {
                dispatch!(variant, add_inner_product(q, &mut acc, terms));
            }
            prop_assert_eq!(&acc, &expected);
            let (first, rest) = pairs.split_at(pairs.len().min(TERMS));
            let mut sum = vec![1; n];
            dispatch!(variant, inner_product(q, first, &mut sum));
            portable::add_assign(q, &mut sum, &z);
            for terms in rest.chunks(TERMS) {
                dispatch!(variant, add_inner_product(q, &mut sum, terms));
            }
            prop_assert_eq!(&sum, &expected);
        }
        let mut sum = vec![1; n];
        inner_product(q, &pairs, &mut sum);
        portable::add_assign(q, &mut sum, &z);
        prop_assert_eq!(&sum, &expected);
        let mut acc = z;
        add_inner_product(q, &mut acc, &pairs);
        prop_assert_eq!(&acc, &expected);
    }

    #[test]
    fn centred_lifts_keep_the_signed_value(
        Inputs { q: from, x, .. } in inputs(),
        Inputs { q: near, .. } in inputs(),
        offset in 0_u64..1 << 20,
    ) {
        let similar = Modulus::new((from.value() + 2 * offset).min((1 << 61) - 1)).unwrap();
        for to in [near, similar] {
            let mut out = vec![0; x.len()];
            lift_centred(from, to, &x, &mut out);
            let mut plain = vec![0; x.len()];
            portable::lift_centred(from, to, &x, &mut plain);
            let expected: Vec<u64> = x.iter().map(|&x| to.from_signed(from.centred(x))).collect();
            prop_assert_eq!(&out, &expected);
            prop_assert_eq!(&plain, &expected);
            #[cfg(target_arch = "x86_64")]
            if from.is_narrow() && to.is_narrow() {
                let mut four = vec![0; x.len()];
                dispatch!(Variant::without_avx512(to), lift_centred(from, to, &x, &mut four));
                prop_assert_eq!(&four, &expected);
            }
        }
    }

    #[test]
    fn digits_add_up(Inputs { q, x, .. } in inputs(), bits in 2_u32..=40) {
        for variant in variants(q) {
            let (mut state, mut digit) = (x.clone(), vec![0; x.len()]);
            dispatch!(variant, centre(q, &mut state));
            let signed: Vec<i64> = state.iter().map(|&x| x.cast_signed()).collect();
            prop_assert!(signed.iter().eq(x.iter().map(|&x| q.centred(x)).collect::<Vec<_>>().iter()));
            let mut back = vec![0; x.len()];
            dispatch!(variant, reduce_signed(q, &state, &mut back));
            prop_assert_eq!(&back, &x);
            take_digit(bits, &mut state, &mut digit);
            let mut plain = (signed.iter().map(|&x| x.cast_unsigned()).collect::<Vec<_>>(), digit.clone());
            portable::take_digit(bits, &mut plain.0, &mut plain.1);
            prop_assert_eq!((&state, &digit), (&plain.0, &plain.1));
            for ((&x, state), digit) in signed.iter().zip(state).zip(digit) {
                let (state, digit) = (state.cast_signed(), digit.cast_signed());
                prop_assert_eq!((i128::from(state) << bits) + i128::from(digit), i128::from(x));
                prop_assert!(-(1 << (bits - 1)) <= digit && digit < 1 << (bits - 1));
            }
        }
    }

    #[test]
    fn permutations_move_values(log_n in 4_u32..10, g: u64, words in any::<[u64; 4]>()) {
        let n = 1_usize << log_n;
        let automorphism = Automorphism::new(n, (g as usize | 1) % (2 * n));
        let x: Vec<u64> = (0..n as u64).map(|i| words[i as usize % 4] ^ i).collect();
        let (mut out, mut plain) = (vec![0; n], vec![0; n]);
        permute(&automorphism, &x, &mut out);
        portable::permute(&automorphism, &x, &mut plain);
        prop_assert_eq!(&out, &plain);
        let mut sorted = (x, out);
        sorted.0.sort_unstable();
        sorted.1.sort_unstable();
        prop_assert_eq!(sorted.0, sorted.1);
    }
}

#[test]
fn the_greatest_sums_are_reduced() {
    for value in [
        (1 << 50) - 1,
        (1 << 49) + 1,
        (1 << 50) + 1,
        (1 << 61) - 1,
        3,
    ] {
        let q = Modulus::new(value).unwrap();
        let x = vec![q.value() - 1; 40];
        let terms = [Term { x: &x, factor: &x }; TERMS];
        let r = BigUint::from(2_u32).pow(if q.is_narrow() { 52 } else { 104 });
        let sum = BigUint::from(q.value() - 1).pow(2) * TERMS;
        let expected = (sum + (q.value() - 1) * &r) % q.value();
        for variant in variants(q) {
            let mut acc = x.clone();
            dispatch!(variant, add_inner_product(q, &mut acc, &terms));
            for acc in acc {
                assert_eq!(acc * &r % q.value(), expected, "{value}");
            }
        }
    }
}
