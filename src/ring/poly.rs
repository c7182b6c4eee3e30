//! Polynomials of degree below n over an RNS basis, their representation in the type.
//!
//! `Poly<Coefficient>` holds coefficients, `Poly<Ntt>` values at the roots of unity, and `Poly<Factor>`
//! such values times R (`Modulus::radix`), ready to be multiplied with; so a forgotten transform
//! does not compile. A uniform polynomial is uniform in each of them. Residues lie limb after limb in one vector: residue i of limb j
//! stands at j·n + i. A polynomial does not know its basis: operations are given the one it was
//! made over (or, for a polynomial cut to its first limbs, a prefix of it).

use std::marker::PhantomData;

use zeroize::Zeroize;

use super::automorphism::Automorphism;
use super::basis::RnsBasis;
use super::pointwise::{self, Stream, Term};
use super::residues::Residues;

/// The representation by coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coefficient;

/// The representation by values at the 2n-th roots of unity, in the transform's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ntt;

/// The values at the roots of unity times R modulo each prime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor;

/// The representations that a product keeps: a value stays a value, a factor a factor.
pub trait Values: sealed::Values {}
impl Values for Ntt {}
impl Values for Factor {}

mod sealed {
    pub trait Values {}
    impl Values for super::Ntt {}
    impl Values for super::Factor {}
}

/// A polynomial: n residues for each of its limbs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poly<R> {
    n: usize,
    residues: Residues,
    representation: PhantomData<R>,
}

impl<R> Zeroize for Poly<R> {
    fn zeroize(&mut self) {
        self.residues.zeroize();
    }
}

impl<R> Poly<R> {
    /// Zero, with `limbs` limbs of `n` residues.
    pub fn zero(n: usize, limbs: usize) -> Self {
        Self::from_parts(n, Residues::zero(n * limbs))
    }

    /// A polynomial of any residues: a place for a result.
    pub fn arbitrary(n: usize, limbs: usize) -> Self {
        Self::from_parts(n, Residues::arbitrary(n * limbs))
    }

    /// The polynomial with these residues, limb after limb, each below its prime.
    pub fn from_residues(n: usize, residues: &[u64]) -> Self {
        Self::from_parts(n, residues.into())
    }

    const fn from_parts(n: usize, residues: Residues) -> Self {
        Self {
            n,
            residues,
            representation: PhantomData,
        }
    }

    /// Ring degree n.
    pub const fn degree(&self) -> usize {
        self.n
    }

    /// Number of limbs.
    pub fn limbs(&self) -> usize {
        self.residues.len() / self.n
    }

    /// All residues, limb after limb.
    pub fn residues(&self) -> &[u64] {
        &self.residues
    }

    /// All residues, limb after limb, to be changed.
    pub fn residues_mut(&mut self) -> &mut [u64] {
        &mut self.residues
    }

    /// The residues of one limb; none if there is no such limb.
    pub fn limb(&self, index: usize) -> &[u64] {
        self.residues
            .chunks_exact(self.n)
            .nth(index)
            .unwrap_or_default()
    }

    /// The residues of one limb, to be changed; none if there is no such limb.
    pub fn limb_mut(&mut self, index: usize) -> &mut [u64] {
        self.residues
            .chunks_exact_mut(self.n)
            .nth(index)
            .unwrap_or_default()
    }

    /// The limbs in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u64]> {
        self.residues.chunks_exact(self.n)
    }

    /// The limbs in order, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut [u64]> {
        self.residues.chunks_exact_mut(self.n)
    }

    /// The residues of the first `limbs` limbs, and those of the others, to be changed.
    pub fn split_limbs_mut(&mut self, limbs: usize) -> (&mut [u64], &mut [u64]) {
        let middle = (limbs * self.n).min(self.residues.len());
        self.residues.split_at_mut(middle)
    }

    /// A copy of the first `limbs` limbs.
    pub fn truncated(&self, limbs: usize) -> Self {
        let kept = self.residues.get(..limbs * self.n);
        Self::from_residues(self.n, kept.unwrap_or(&self.residues))
    }

    /// self += other.
    pub fn add_assign(&mut self, basis: &RnsBasis, other: &Self) {
        for ((q, x), y) in basis.moduli().zip(self.iter_mut()).zip(other.iter()) {
            pointwise::add_assign(q, x, y);
        }
    }

    /// self −= other.
    pub fn sub_assign(&mut self, basis: &RnsBasis, other: &Self) {
        for ((q, x), y) in basis.moduli().zip(self.iter_mut()).zip(other.iter()) {
            pointwise::sub_assign(q, x, y);
        }
    }

    /// self = −self.
    pub fn neg_assign(&mut self, basis: &RnsBasis) {
        for (q, x) in basis.moduli().zip(self.iter_mut()) {
            pointwise::neg_assign(q, x);
        }
    }
}

impl Poly<Coefficient> {
    /// The polynomial with the given signed coefficients.
    pub fn from_signed(basis: &RnsBasis, coefficients: &[i64]) -> Self {
        let mut poly = Self::arbitrary(basis.degree(), basis.limbs());
        for (q, limb) in basis.moduli().zip(poly.iter_mut()) {
            for (residue, &x) in limb.iter_mut().zip(coefficients) {
                *residue = q.from_signed(x);
            }
        }
        poly
    }

    /// The values at the roots of unity.
    pub fn into_ntt(mut self, basis: &RnsBasis) -> Poly<Ntt> {
        for (plan, x) in basis.plans().iter().zip(self.iter_mut()) {
            plan.forward(x);
        }
        Poly::from_parts(self.n, self.residues)
    }
}

impl Poly<Ntt> {
    /// The coefficients.
    pub fn into_coefficients(mut self, basis: &RnsBasis) -> Poly<Coefficient> {
        for (plan, x) in basis.plans().iter().zip(self.iter_mut()) {
            plan.inverse(x);
        }
        Poly::from_parts(self.n, self.residues)
    }

    /// The same polynomial, ready to be multiplied with.
    pub fn into_factor(mut self, basis: &RnsBasis) -> Poly<Factor> {
        for (q, x) in basis.moduli().zip(self.iter_mut()) {
            pointwise::scale_assign(q, x, q.radix());
        }
        Poly::from_parts(self.n, self.residues)
    }
}

impl<V: Values> Poly<V> {
    /// self += x·f.
    pub fn multiply_accumulate(&mut self, basis: &RnsBasis, x: &Self, factor: &Poly<Factor>) {
        let pairs = x.iter().zip(factor.iter());
        for ((q, acc), (x, factor)) in basis.moduli().zip(self.iter_mut()).zip(pairs) {
            pointwise::multiply_accumulate(q, acc, x, factor);
        }
    }

    /// acc += x·f for both x, which share f.
    pub fn multiply_accumulate_both(
        basis: &RnsBasis,
        [acc, other]: [&mut Self; 2],
        [x, y]: [&Self; 2],
        factor: &Poly<Factor>,
    ) {
        let both = acc.iter_mut().zip(other.iter_mut());
        let terms = x.iter().zip(y.iter()).zip(factor.iter());
        for ((q, (acc, other)), ((x, y), factor)) in basis.moduli().zip(both).zip(terms) {
            let stream = Stream::along(factor);
            pointwise::multiply_accumulate_both(q, [acc, other], [x, y], stream);
        }
    }

    /// x·f for both x, which share f.
    pub fn products_of_both(
        basis: &RnsBasis,
        [x, y]: [&Self; 2],
        factor: &Poly<Factor>,
    ) -> [Self; 2] {
        let mut out = [x, y].map(|x| Self::arbitrary(x.n, x.limbs()));
        let [first, second] = &mut out;
        let both = first.iter_mut().zip(second.iter_mut());
        let terms = x.iter().zip(y.iter()).zip(factor.iter());
        for ((q, (out, other)), ((x, y), factor)) in basis.moduli().zip(both).zip(terms) {
            pointwise::multiply_both(q, [x, y], Stream::along(factor), [out, other]);
        }
        out
    }

    /// self = self·f.
    pub fn multiply_assign(&mut self, basis: &RnsBasis, factor: &Poly<Factor>) {
        for ((q, x), factor) in basis.moduli().zip(self.iter_mut()).zip(factor.iter()) {
            pointwise::multiply_assign(q, x, factor);
        }
    }

    /// self = Σ x_k·f_k.
    pub fn set_products(&mut self, basis: &RnsBasis, x: &[Self], factors: &[Poly<Factor>]) {
        let mut terms = Vec::with_capacity(x.len());
        for (index, (q, out)) in basis.moduli().zip(self.iter_mut()).enumerate() {
            terms.clear();
            terms.extend(x.iter().zip(factors).map(|(x, factor)| Term {
                x: x.limb(index),
                factor: factor.limb(index),
            }));
            pointwise::inner_product(q, &terms, out);
        }
    }

    /// The image under the automorphism.
    pub fn permuted(&self, automorphism: &Automorphism) -> Self {
        let mut out = Self::arbitrary(self.n, self.limbs());
        self.permute_into(automorphism, &mut out);
        out
    }

    /// The image under the automorphism of as many first limbs as `out` has.
    pub fn permute_into(&self, automorphism: &Automorphism, out: &mut Self) {
        for (out, x) in out.iter_mut().zip(self.iter()) {
            pointwise::permute(automorphism, x, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_are_inverse_and_multiply() {
        let basis = RnsBasis::new(16, &[1_073_643_521, 1_125_899_906_826_241]).unwrap();
        let mut x = vec![0; 16];
        (x[1], x[15]) = (2, -3);
        let a = Poly::from_signed(&basis, &x);
        let b = a.clone().into_ntt(&basis);
        assert_eq!(b.clone().into_coefficients(&basis), a);
        // (2x − 3x¹⁵)² = 4x² − 12x¹⁶ + 9x³⁰ = 12 + 4x² − 9x¹⁴ modulo x¹⁶ + 1.
        let mut square = vec![0; 16];
        (square[0], square[2], square[14]) = (12, 4, -9);
        let expected = Poly::from_signed(&basis, &square);
        let factor = b.clone().into_factor(&basis);
        let [product, other] = Poly::products_of_both(&basis, [&b, &b], &factor);
        assert_eq!(product, other);
        assert_eq!(product.into_coefficients(&basis), expected);
        let mut sum = Poly::zero(16, 2);
        sum.set_products(&basis, &[b.clone(), b], &[factor.clone(), factor]);
        let mut twice = expected.clone();
        twice.add_assign(&basis, &expected);
        assert_eq!(sum.into_coefficients(&basis), twice);
    }

    #[test]
    fn sums_cancel() {
        let basis = RnsBasis::new(16, &[1_073_643_521, 1_125_899_906_826_241]).unwrap();
        let a = Poly::from_signed(&basis, &(-8..8).collect::<Vec<_>>());
        let mut b = a.clone();
        b.neg_assign(&basis);
        b.add_assign(&basis, &a);
        assert_eq!(b, Poly::zero(16, 2));
        b.sub_assign(&basis, &a);
        b.add_assign(&basis, &a);
        assert_eq!(b, Poly::zero(16, 2));
        assert_eq!(a.truncated(1).limbs(), 1);
        assert_eq!(a.truncated(1).limb(0), a.limb(0));
        assert!(a.limb(2).is_empty());
    }

    #[test]
    fn zeroize_leaves_nothing() {
        let basis = RnsBasis::new(16, &[1_073_643_521]).unwrap();
        let mut a = Poly::from_signed(&basis, &[7; 16]);
        a.zeroize();
        assert!(a.residues().iter().all(|&x| x == 0));
    }
}
