//! The loops of `portable`, compiled for AVX2, BMI2 and the like: sums, signs and digits then run four
//! residues at a time. AVX2 has no product of 64 bits, so products stay one at a time.

use super::{Stream, Term, portable};
use crate::ring::modulus::{Constant, Modulus};

/// One kernel for each loop, with its arguments.
macro_rules! compiled_again {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(fearless_simd::kernel!(
            pub(super) fn $name(token: Avx2, $($argument: $kind),*) {
                let _ = token;
                portable::$name($($argument),*);
            }
        );)*
    };
}

compiled_again! {
    add_assign(q: Modulus, acc: &mut [u64], x: &[u64]);
    sub_assign(q: Modulus, acc: &mut [u64], x: &[u64]);
    neg_assign(q: Modulus, x: &mut [u64]);
    scale_assign(q: Modulus, x: &mut [u64], w: Constant);
    sub_scale_assign(q: Modulus, acc: &mut [u64], x: &[u64], w: Constant);
    scale_accumulate(q: Modulus, acc: &mut [u64], x: &[u64], w: Constant);
    multiply_assign(q: Modulus, x: &mut [u64], factor: &[u64]);
    multiply_accumulate(q: Modulus, acc: &mut [u64], x: &[u64], factor: &[u64]);
    multiply_both(q: Modulus, x: [&[u64]; 2], stream: Stream<'_>, out: [&mut [u64]; 2]);
    multiply_accumulate_both(q: Modulus, acc: [&mut [u64]; 2], x: [&[u64]; 2], stream: Stream<'_>);
    inner_product(q: Modulus, terms: &[Term<'_>], out: &mut [u64]);
    add_inner_product(q: Modulus, acc: &mut [u64], terms: &[Term<'_>]);
    lift_centred(from: Modulus, to: Modulus, x: &[u64], out: &mut [u64]);
    centre(q: Modulus, x: &mut [u64]);
    reduce_signed(q: Modulus, x: &[u64], out: &mut [u64]);
}
