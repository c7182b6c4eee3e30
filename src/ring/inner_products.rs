//! Sums of products that share what is multiplied, a block of residues at a time.
//!
//! A layer multiplies the same few dozen ciphertexts with thousands of weights, sum after sum. Sum by sum, each product
//! would bring its ciphertext back from the cache that cores share, or from memory; so here one block of all of
//! them is multiplied for several sums before the next block's turn comes. The weights alone stream, each read once, and are asked for ahead.

use std::ops::Range;

use super::basis::RnsBasis;
use super::pointwise::{self, Stream};
use super::poly::{Factor, Poly, Values};
use crate::prefetch::AHEAD;

/// Residues of a block: 4 KiB.
const BLOCK: usize = 512;
/// Ciphertexts that are gone through at once: their blocks, 512 KiB, stay in a core's own caches.
const AT_ONCE: usize = 64;
/// So many blocks of factors are asked for ahead.
const BLOCKS_AHEAD: usize = AHEAD / (BLOCK * size_of::<u64>());

/// A sum of products of both halves of a ciphertext.
pub struct SumOfBoth<'a, P> {
    /// Where it stands.
    pub halves: [&'a mut P; 2],
    /// Whether it holds anything already.
    pub begun: bool,
}

impl<V: Values> Poly<V> {
    /// sums\[k\] += Σ_i xs\[i\]·factors\[k·xs.len() + i\], for both halves.
    pub fn add_inner_products(
        basis: &RnsBasis,
        sums: &mut [SumOfBoth<'_, Self>],
        xs: &[[&Self; 2]],
        factors: &[&Poly<Factor>],
    ) {
        let mut first = 0;
        for part in xs.chunks(AT_ONCE) {
            for (limb, q) in basis.moduli().enumerate() {
                for start in (0..basis.degree()).step_by(BLOCK) {
                    let block = Block::new(basis, limb, start);
                    for (k, sum) in sums.iter_mut().enumerate() {
                        for (i, x) in (first..).zip(part) {
                            let stream = block.stream(factors, k * xs.len() + i);
                            let x = x.map(|x| block.of(x));
                            let [one, other] = &mut sum.halves;
                            let acc = [block.of_mut(one), block.of_mut(other)];
                            if i > 0 || sum.begun {
                                pointwise::multiply_accumulate_both(q, acc, x, stream);
                            } else {
                                pointwise::multiply_both(q, x, stream, acc);
                            }
                        }
                    }
                }
            }
            first += part.len();
        }
    }
}

/// The residues of a block, the same in every polynomial.
struct Block {
    here: Range<usize>,
    /// Those of the block that follows.
    after: Range<usize>,
}

impl Block {
    fn new(basis: &RnsBasis, limb: usize, start: usize) -> Self {
        let n = basis.degree();
        let first = limb * n + start;
        let here = first..(first + BLOCK).min((limb + 1) * n);
        let after = here.end..here.end + here.len();
        Self { here, after }
    }

    fn of<'a, R>(&self, poly: &'a Poly<R>) -> &'a [u64] {
        poly.residues().get(self.here.clone()).unwrap_or_default()
    }

    fn of_mut<'a, R>(&self, poly: &'a mut Poly<R>) -> &'a mut [u64] {
        let residues = poly.residues_mut();
        residues.get_mut(self.here.clone()).unwrap_or_default()
    }

    /// Factor `index`, and what is asked for meanwhile: the one some places on, of the next block where this one has no more.
    fn stream<'a>(&self, factors: &[&'a Poly<Factor>], index: usize) -> Stream<'a> {
        let ahead = index + BLOCKS_AHEAD;
        let factor = factors.get(index).map_or(&[][..], |factor| self.of(factor));
        let next = match factors.get(ahead) {
            Some(next) => Some(self.of(next)),
            None => {
                let next = factors.get(ahead - factors.len());
                next.and_then(|next| next.residues().get(self.after.clone()))
            }
        };
        let next = next.unwrap_or(factor);
        Stream { factor, next }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sampler;
    use super::*;
    use crate::ring::Ntt;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Against products one by one, of polynomials below, at and above a block.
        #[test]
        fn they_are_sums_of_products(
            n in prop::sample::select(vec![16_usize, 512, 2048]),
            terms in prop_oneof![1_usize..5, Just(70)],
            begun in prop::collection::vec(any::<bool>(), 1..4),
            seed in any::<[u8; 32]>(),
        ) {
            let basis = RnsBasis::new(n, &[1_073_643_521, 1_125_899_906_826_241]).unwrap();
            let mut streams = 0..;
            let mut both = || [(); 2].map(|()| {
                let stream = streams.next().unwrap();
                sampler::uniform::<Ntt>(&basis, &seed, stream)
            });
            let xs: Vec<[Poly<Ntt>; 2]> = (0..terms).map(|_| both()).collect();
            let factors = (0..terms * begun.len()).map(|_| both()[0].clone().into_factor(&basis));
            let factors: Vec<Poly<Factor>> = factors.collect();
            let mut sums: Vec<[Poly<Ntt>; 2]> = begun.iter().map(|_| both()).collect();
            let mut expected = sums.clone();
            for (k, sum) in expected.iter_mut().enumerate() {
                for half in 0..2 {
                    let mut rest = factors[k * terms..][..terms].iter().zip(&xs);
                    if !begun[k] {
                        let (factor, x) = rest.next().unwrap();
                        sum[half] = Poly::zero(n, 2);
                        sum[half].multiply_accumulate(&basis, &x[half], factor);
                    }
                    for (factor, x) in rest {
                        sum[half].multiply_accumulate(&basis, &x[half], factor);
                    }
                }
            }
            let places = sums.iter_mut().zip(&begun);
            let mut places: Vec<_> = places
                .map(|(sum, &begun)| SumOfBoth { halves: sum.each_mut(), begun })
                .collect();
            let xs: Vec<[&Poly<Ntt>; 2]> = xs.iter().map(|x| x.each_ref()).collect();
            let factors: Vec<&Poly<Factor>> = factors.iter().collect();
            Poly::add_inner_products(&basis, &mut places, &xs, &factors);
            prop_assert_eq!(sums, expected);
        }
    }
}
