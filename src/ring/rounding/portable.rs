//! The loops of rounding for any processor; names and meanings are those of `Backend`.

use super::{Affine, Step};
use crate::ring::modulus::Modulus;

pub(super) fn affine(q: Modulus, map: Affine, x: &mut [u64]) {
    for x in x {
        *x = q.add(q.mul_constant(map.w, *x), map.c);
    }
}

pub(super) fn accumulate(q: Modulus, map: Affine, x: &[u64], acc: &mut [u64]) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc = q.add(*acc, q.add(q.mul_constant(map.w, x), map.c));
    }
}

pub(super) fn eliminate(q: Modulus, step: Step, digit: &[u64], x: &mut [u64]) {
    for (x, &digit) in x.iter_mut().zip(digit) {
        *x = q.mul_constant(step.w, *x + step.multiple - digit);
    }
}
