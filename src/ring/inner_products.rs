//! Sums of products that share what is multiplied, a block of residues at a time.
//!
//! A layer multiplies the same few dozen ciphertexts with thousands of weights, sum after sum. Sum by sum, each product
//! would bring its ciphertext back from the cache that cores share, or from memory; so here one block of all of
//! them is multiplied for several sums before the next block's turn comes. The weights alone stream, and are asked for
//! ahead. Ciphertexts of several lanes are multiplied with the same weights, each of which then is read once for a few lanes.

use std::ops::Range;

use super::basis::RnsBasis;
use super::modulus::Modulus;
use super::pointwise::{self, Stream};
use super::poly::{Factor, Poly, Values};
use crate::prefetch::AHEAD;

/// Residues of a block: 4 KiB.
const BLOCK: usize = 512;
/// Ciphertexts that are gone through at once: their blocks, 512 KiB, stay in a core's own caches.
const AT_ONCE: usize = 64;
/// Lanes that are gone through at once: the blocks of eight sums of each, 64 KiB, stay there too.
const LANES_AT_ONCE: usize = 4;
/// So many blocks of factors are asked for ahead.
const BLOCKS_AHEAD: usize = AHEAD / (BLOCK * size_of::<u64>());

/// A sum of products of both halves of a ciphertext.
pub struct SumOfBoth<'a, P> {
    /// Where it stands.
    pub halves: [&'a mut P; 2],
    /// Whether it holds anything already.
    pub begun: bool,
}

/// Sums over the same ciphertexts.
pub struct LaneOfBoth<'a, P> {
    /// The ciphertexts' halves; in every lane as many.
    pub xs: Vec<[&'a P; 2]>,
    /// In every lane as many.
    pub sums: Vec<SumOfBoth<'a, P>>,
}

impl<V: Values> Poly<V> {
    /// sums\[k\] += Σ_i xs\[i\]·factors\[k·xs.len() + i\], for both halves, in every lane.
    pub fn add_inner_products(
        basis: &RnsBasis,
        lanes: &mut [LaneOfBoth<'_, Self>],
        factors: &[&Poly<Factor>],
    ) {
        let sizes = |lane: &LaneOfBoth<'_, Self>| (lane.xs.len(), lane.sums.len());
        let (terms, sums) = lanes.first().map_or((0, 0), sizes);
        let group = equal_part(lanes.len(), LANES_AT_ONCE);
        for lanes in lanes.chunks_mut(group) {
            let part = equal_part(terms, AT_ONCE / lanes.len());
            for first in (0..terms).step_by(part) {
                let factors = Factors {
                    all: factors,
                    of_a_sum: terms,
                    here: first..terms.min(first + part),
                    sums,
                };
                for (limb, q) in basis.moduli().enumerate() {
                    for start in (0..basis.degree()).step_by(BLOCK) {
                        let block = Block::new(basis, limb, start);
                        block.multiply(q, lanes, &factors);
                    }
                }
            }
        }
    }
}

/// The length of parts of `most` at most, none much shorter than the others: what is asked for ahead is the more of a
/// short one.
fn equal_part(all: usize, most: usize) -> usize {
    all.div_ceil(all.div_ceil(most).max(1)).max(1)
}

/// The factors of the sums, of which those of some products are gone through.
struct Factors<'a, 'b> {
    all: &'a [&'b Poly<Factor>],
    of_a_sum: usize,
    here: Range<usize>,
    sums: usize,
}

impl<'b> Factors<'_, 'b> {
    fn get(&self, sum: usize, product: usize) -> Option<&'b Poly<Factor>> {
        self.all.get(sum * self.of_a_sum + product).copied()
    }

    /// The factor that comes [`BLOCKS_AHEAD`] after this one, and whether with the next block.
    fn ahead(&self, sum: usize, product: usize) -> (Option<&'b Poly<Factor>>, bool) {
        let count = self.here.len().max(1);
        let at = product - self.here.start + BLOCKS_AHEAD;
        let sum = sum + at / count;
        let turn = sum / self.sums.max(1);
        let factor = self.get(sum % self.sums.max(1), self.here.start + at % count);
        (factor, turn > 0)
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

    /// Adds the block's products with these factors to the sums of a few lanes.
    fn multiply<V: Values>(
        &self,
        q: Modulus,
        lanes: &mut [LaneOfBoth<'_, Poly<V>>],
        factors: &Factors<'_, '_>,
    ) {
        for k in 0..factors.sums {
            for i in factors.here.clone() {
                let mut stream = self.stream(factors, k, i);
                for LaneOfBoth { xs, sums } in &mut *lanes {
                    let (x, sum) = (xs[i].map(|x| self.of(x)), &mut sums[k]);
                    let acc = sum.halves.each_mut().map(|half| self.of_mut(half));
                    if i > 0 || sum.begun {
                        pointwise::multiply_accumulate_both(q, acc, x, stream);
                    } else {
                        pointwise::multiply_both(q, x, stream, acc);
                    }
                    // It is at hand for the next lane, and what comes later has been asked for.
                    stream.next = stream.factor;
                }
            }
        }
    }

    /// The factor of a product, and what is asked for meanwhile: the one some places on.
    fn stream<'a>(&self, factors: &Factors<'_, 'a>, sum: usize, product: usize) -> Stream<'a> {
        let factor = factors.get(sum, product);
        let factor = factor.map_or(&[][..], |factor| self.of(factor));
        let next = match factors.ahead(sum, product) {
            (Some(next), false) => Some(self.of(next)),
            (Some(next), true) => next.residues().get(self.after.clone()),
            (None, _) => None,
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
            terms in prop_oneof![1_usize..5, Just(35), Just(70)],
            lanes in 1_usize..7,
            begun in prop::collection::vec(any::<bool>(), 1..4),
            seed in any::<[u8; 32]>(),
        ) {
            let basis = RnsBasis::new(n, &[1_073_643_521, 1_125_899_906_826_241]).unwrap();
            let mut streams = 0..;
            let mut both = || [(); 2].map(|()| {
                let stream = streams.next().unwrap();
                sampler::uniform::<Ntt>(&basis, &seed, stream)
            });
            let factors = (0..terms * begun.len()).map(|_| both()[0].clone().into_factor(&basis));
            let factors: Vec<Poly<Factor>> = factors.collect();
            let mut several = |count: usize| -> Vec<[Poly<Ntt>; 2]> { (0..count).map(|_| both()).collect() };
            let xs: Vec<_> = (0..lanes).map(|_| several(terms)).collect();
            let mut sums: Vec<_> = (0..lanes).map(|_| several(begun.len())).collect();
            let mut expected = sums.clone();
            for (sums, xs) in expected.iter_mut().zip(&xs) {
                for (k, sum) in sums.iter_mut().enumerate() {
                    for half in 0..2 {
                        if !begun[k] {
                            sum[half] = Poly::zero(n, 2);
                        }
                        for (factor, x) in factors[k * terms..][..terms].iter().zip(xs) {
                            sum[half].multiply_accumulate(&basis, &x[half], factor);
                        }
                    }
                }
            }
            let places = sums.iter_mut().zip(&xs).map(|(sums, xs)| LaneOfBoth {
                xs: xs.iter().map(|x| x.each_ref()).collect(),
                sums: sums
                    .iter_mut()
                    .zip(&begun)
                    .map(|(sum, &begun)| SumOfBoth { halves: sum.each_mut(), begun })
                    .collect(),
            });
            let mut places: Vec<_> = places.collect();
            let factors: Vec<&Poly<Factor>> = factors.iter().collect();
            Poly::add_inner_products(&basis, &mut places, &factors);
            prop_assert_eq!(sums, expected);
        }
    }

    #[test]
    fn parts_are_of_nearly_one_size() {
        let parts = |count| equal_part(count, AT_ONCE);
        assert_eq!([64, 72, 144, 131].map(parts), [64, 36, 48, 44]);
        assert_eq!([0, 1].map(parts), [1, 1]);
        let groups = |count| equal_part(count, LANES_AT_ONCE);
        assert_eq!([1, 4, 5, 8, 9].map(groups), [1, 4, 3, 4, 3]);
    }

    /// What is asked for ahead is what is multiplied so many products later, here or in the next block.
    #[test]
    fn what_comes_next_is_asked_for_ahead() {
        let basis = RnsBasis::new(16, &[1_073_643_521]).unwrap();
        let factor = |stream| sampler::uniform::<Ntt>(&basis, &[1; 32], stream).into_factor(&basis);
        for (sums, of_a_sum, here) in [(8, 72, 36..72), (3, 5, 0..5), (2, 1, 0..1)] {
            let factors: Vec<Poly<Factor>> = (0..sums * of_a_sum).map(factor).collect();
            let all: Vec<&Poly<Factor>> = factors.iter().collect();
            let part = Factors {
                all: &all,
                of_a_sum: of_a_sum as usize,
                here,
                sums: sums as usize,
            };
            let order = (0..part.sums).flat_map(|sum| part.here.clone().map(move |i| (sum, i)));
            let order: Vec<(usize, usize)> = order.collect();
            for (at, &(sum, product)) in order.iter().enumerate() {
                let later = at + BLOCKS_AHEAD;
                let (next, other) = order[later % order.len()];
                let expected = part.get(next, other).unwrap();
                let (ahead, of_next_block) = part.ahead(sum, product);
                assert!(std::ptr::eq(ahead.unwrap(), expected));
                assert_eq!(of_next_block, later >= order.len());
            }
        }
    }
}
