//! The loops of `pointwise` one residue at a time: for every processor, and the oracle of the others.
//! They are inlined so that `avx2` is these very loops, compiled for more.

use super::{Stream, Term};
use crate::ring::automorphism::Automorphism;
use crate::ring::modulus::{Constant, Modulus};

#[inline(always)]
pub(super) fn add_assign(q: Modulus, acc: &mut [u64], x: &[u64]) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc = q.add(*acc, x);
    }
}

#[inline(always)]
pub(super) fn sub_assign(q: Modulus, acc: &mut [u64], x: &[u64]) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc = q.sub(*acc, x);
    }
}

#[inline(always)]
pub(super) fn neg_assign(q: Modulus, x: &mut [u64]) {
    for x in x {
        *x = q.neg(*x);
    }
}

#[inline(always)]
pub(super) fn scale_assign(q: Modulus, x: &mut [u64], w: Constant) {
    for x in x {
        *x = q.mul_constant(w, *x);
    }
}

#[inline(always)]
pub(super) fn sub_scale_assign(q: Modulus, acc: &mut [u64], x: &[u64], w: Constant) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc = q.mul_constant(w, q.sub(*acc, x));
    }
}

#[inline(always)]
pub(super) fn scale_accumulate(q: Modulus, acc: &mut [u64], x: &[u64], w: Constant) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc = q.add(*acc, q.mul_constant(w, x));
    }
}

#[inline(always)]
fn multiply(q: Modulus, x: &[u64], factor: &[u64], out: &mut [u64]) {
    for ((out, &x), &factor) in out.iter_mut().zip(x).zip(factor) {
        *out = q.mul_factor(x, factor);
    }
}

#[inline(always)]
pub(super) fn multiply_accumulate(q: Modulus, acc: &mut [u64], x: &[u64], factor: &[u64]) {
    for ((acc, &x), &factor) in acc.iter_mut().zip(x).zip(factor) {
        *acc = q.add(*acc, q.mul_factor(x, factor));
    }
}

#[inline(always)]
pub(super) fn multiply_assign(q: Modulus, x: &mut [u64], factor: &[u64]) {
    for (x, &factor) in x.iter_mut().zip(factor) {
        *x = q.mul_factor(*x, factor);
    }
}

#[inline(always)]
pub(super) fn multiply_both(
    q: Modulus,
    [x, y]: [&[u64]; 2],
    stream: Stream<'_>,
    [out, other]: [&mut [u64]; 2],
) {
    multiply(q, x, stream.factor, out);
    multiply(q, y, stream.factor, other);
}

#[inline(always)]
pub(super) fn multiply_accumulate_both(
    q: Modulus,
    [acc, other]: [&mut [u64]; 2],
    [x, y]: [&[u64]; 2],
    stream: Stream<'_>,
) {
    multiply_accumulate(q, acc, x, stream.factor);
    multiply_accumulate(q, other, y, stream.factor);
}

#[inline(always)]
pub(super) fn inner_product(q: Modulus, terms: &[Term<'_>], out: &mut [u64]) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = sum(q, terms, i);
    }
}

#[inline(always)]
pub(super) fn add_inner_product(q: Modulus, acc: &mut [u64], terms: &[Term<'_>]) {
    add_inner_product_from(0, q, acc, terms);
}

/// [`add_inner_product`] where `acc` starts at position `start` of the terms.
#[inline(always)]
pub(super) fn add_inner_product_from(
    start: usize,
    q: Modulus,
    acc: &mut [u64],
    terms: &[Term<'_>],
) {
    for (i, acc) in (start..).zip(acc) {
        *acc = q.add(*acc, sum(q, terms, i));
    }
}

/// Σ x·f at one position.
#[inline(always)]
fn sum(q: Modulus, terms: &[Term<'_>], i: usize) -> u64 {
    let at = |x: &[u64]| x.get(i).copied().map_or(0, u128::from);
    q.divide_by_radix(terms.iter().map(|term| at(term.x) * at(term.factor)).sum())
}

#[inline(always)]
pub(super) fn centre(q: Modulus, x: &mut [u64]) {
    for x in x {
        *x = q.centred(*x).cast_unsigned();
    }
}

#[inline(always)]
pub(super) fn reduce_signed(q: Modulus, x: &[u64], out: &mut [u64]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = x.min(x.wrapping_add(q.value()));
    }
}

#[inline(always)]
pub(super) fn take_digit(bits: u32, x: &mut [u64], digit: &mut [u64]) {
    let above = u64::BITS - bits;
    for (x, digit) in x.iter_mut().zip(digit) {
        let low = (*x << above).cast_signed() >> above;
        *digit = low.cast_unsigned();
        *x = ((*x).cast_signed().wrapping_sub(low) >> bits).cast_unsigned();
    }
}

#[inline(always)]
pub(super) fn lift_centred(from: Modulus, to: Modulus, x: &[u64], out: &mut [u64]) {
    let (half, shift) = (from.half(), to.reduce(from.value()));
    for (out, &x) in out.iter_mut().zip(x) {
        let above = 0_u64.wrapping_sub(u64::from(x > half));
        *out = to.sub(to.reduce(x), shift & above);
    }
}

#[inline(always)]
pub(super) fn permute(automorphism: &Automorphism, x: &[u64], out: &mut [u64]) {
    let (blocks, _) = x.as_chunks::<8>();
    let (out, _) = out.as_chunks_mut::<8>();
    for (out, (block, lanes)) in out.iter_mut().zip(automorphism.blocks()) {
        let from = blocks.get(block).copied().unwrap_or_default();
        *out = lanes.map(|lane| from.get(lane as usize).copied().unwrap_or_default());
    }
}
