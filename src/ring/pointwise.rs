//! The loops over residues of one limb: slices of equal length with values in `0..q` in and out.
//!
//! All loops that touch every residue, other than the transforms, stand here. Each exists one residue
//! at a time (`portable`; `avx2` is the same, compiled for more), for AVX2 with fused multiply-adds, four at a time
//! (`fma`, for q of at most 50 bits), and for AVX-512 with its 52-bit
//! multiplier, eight at a time (`narrow` for q of at most 50 bits, `wide` above); which one runs is
//! decided when the program runs, and all give the same residues. A *factor* is f·R ([`Modulus::radix`]). No branch or address depends on a residue.

mod portable;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod fma;
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod narrow;
#[cfg(target_arch = "x86_64")]
mod wide;

#[cfg(target_arch = "x86_64")]
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use fearless_simd::{Avx2, Avx512};

use super::automorphism::Automorphism;
use super::modulus::{Constant, Modulus};
use crate::prefetch::AHEAD;

/// One product of a sum.
#[derive(Debug, Clone, Copy)]
pub struct Term<'a> {
    /// Residues.
    pub x: &'a [u64],
    /// What they are multiplied with, times R.
    pub factor: &'a [u64],
}

/// Factors that come from memory, and what is asked for meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Stream<'a> {
    /// What is multiplied with, times R.
    pub factor: &'a [u64],
    /// What is asked for, residue by residue; behind its end what lies there in memory.
    pub next: &'a [u64],
}

impl<'a> Stream<'a> {
    /// Factors, and what lies some kilobytes after each.
    pub fn along(factor: &'a [u64]) -> Self {
        let next = factor.get(AHEAD / size_of::<u64>()..).unwrap_or(factor);
        Self { factor, next }
    }

    /// Factors that nothing follows.
    #[cfg(target_arch = "x86_64")]
    const fn alone(factor: &'a [u64]) -> Self {
        let next = factor;
        Self { factor, next }
    }
}

/// Products that are summed before they are reduced.
const TERMS: usize = 8;

/// The proof that this processor has AVX-512, if it has.
#[cfg(target_arch = "x86_64")]
pub(super) fn avx512() -> Option<Avx512> {
    static TOKEN: OnceLock<Option<Avx512>> = OnceLock::new();
    *TOKEN.get_or_init(|| fearless_simd::Level::new().as_avx512())
}

/// The proof that it has AVX2, with fused multiply-adds, if it has.
#[cfg(target_arch = "x86_64")]
pub(super) fn avx2() -> Option<Avx2> {
    static TOKEN: OnceLock<Option<Avx2>> = OnceLock::new();
    *TOKEN.get_or_init(|| fearless_simd::Level::new().as_avx2())
}

/// Which kernels serve a modulus on this processor.
#[derive(Clone, Copy)]
enum Variant {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Fma(Avx2),
    #[cfg(target_arch = "x86_64")]
    Narrow(Avx512),
    #[cfg(target_arch = "x86_64")]
    Wide(Avx512),
}

impl Variant {
    #[cfg(target_arch = "x86_64")]
    fn of(q: Modulus) -> Self {
        match avx512() {
            Some(token) if q.is_narrow() => Self::Narrow(token),
            Some(token) => Self::Wide(token),
            None => Self::without_avx512(q),
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn without_avx512(q: Modulus) -> Self {
        match avx2() {
            Some(token) if q.is_narrow() => Self::Fma(token),
            Some(token) => Self::Avx2(token),
            None => Self::Portable,
        }
    }

    /// For all q alike.
    #[cfg(target_arch = "x86_64")]
    fn one_at_a_time() -> Self {
        avx2().map_or(Self::Portable, Self::Avx2)
    }

    #[cfg(not(target_arch = "x86_64"))]
    const fn of(_q: Modulus) -> Self {
        Self::Portable
    }
}

/// Calls the kernel of the variant.
macro_rules! dispatch {
    ($variant:expr, $kernel:ident($($argument:expr),*)) => {
        match $variant {
            Variant::Portable => portable::$kernel($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2(token) => avx2::$kernel(token, $($argument),*),
            #[cfg(target_arch = "x86_64")]
            Variant::Fma(token) => fma::$kernel(token, $($argument),*),
            #[cfg(target_arch = "x86_64")]
            Variant::Narrow(token) => narrow::$kernel(token, $($argument),*),
            #[cfg(target_arch = "x86_64")]
            Variant::Wide(token) => wide::$kernel(token, $($argument),*),
        }
    };
}

/// acc += x.
pub fn add_assign(q: Modulus, acc: &mut [u64], x: &[u64]) {
    dispatch!(Variant::of(q), add_assign(q, acc, x));
}

/// acc −= x.
pub fn sub_assign(q: Modulus, acc: &mut [u64], x: &[u64]) {
    dispatch!(Variant::of(q), sub_assign(q, acc, x));
}

/// x = −x.
pub fn neg_assign(q: Modulus, x: &mut [u64]) {
    dispatch!(Variant::of(q), neg_assign(q, x));
}

/// x = w·x.
pub fn scale_assign(q: Modulus, x: &mut [u64], w: Constant) {
    dispatch!(Variant::of(q), scale_assign(q, x, w));
}

/// acc = w·(acc − x).
pub fn sub_scale_assign(q: Modulus, acc: &mut [u64], x: &[u64], w: Constant) {
    dispatch!(Variant::of(q), sub_scale_assign(q, acc, x, w));
}

/// acc += w·x; any x < 2^51 will do.
pub fn scale_accumulate(q: Modulus, acc: &mut [u64], x: &[u64], w: Constant) {
    dispatch!(Variant::of(q), scale_accumulate(q, acc, x, w));
}

/// x = x ⊙ f.
pub fn multiply_assign(q: Modulus, x: &mut [u64], factor: &[u64]) {
    dispatch!(Variant::of(q), multiply_assign(q, x, factor));
}

/// acc += x ⊙ f.
pub fn multiply_accumulate(q: Modulus, acc: &mut [u64], x: &[u64], factor: &[u64]) {
    dispatch!(Variant::of(q), multiply_accumulate(q, acc, x, factor));
}

/// out = x ⊙ f for both x, which share f.
pub fn multiply_both(q: Modulus, x: [&[u64]; 2], stream: Stream<'_>, out: [&mut [u64]; 2]) {
    dispatch!(Variant::of(q), multiply_both(q, x, stream, out));
}

/// acc += x ⊙ f for both x, which share f.
pub fn multiply_accumulate_both(
    q: Modulus,
    acc: [&mut [u64]; 2],
    x: [&[u64]; 2],
    stream: Stream<'_>,
) {
    dispatch!(Variant::of(q), multiply_accumulate_both(q, acc, x, stream));
}

/// out = Σ x ⊙ f, reduced once for every eight products.
pub fn inner_product(q: Modulus, terms: &[Term<'_>], out: &mut [u64]) {
    let (first, rest) = terms.split_at_checked(TERMS).unwrap_or((terms, &[]));
    dispatch!(Variant::of(q), inner_product(q, first, out));
    add_inner_product(q, out, rest);
}

/// acc += Σ x ⊙ f, reduced once for every eight products.
pub fn add_inner_product(q: Modulus, acc: &mut [u64], terms: &[Term<'_>]) {
    for terms in terms.chunks(TERMS) {
        dispatch!(Variant::of(q), add_inner_product(q, acc, terms));
    }
}

/// out = the residues `x` modulo `from`, taken in −from/2 < x ≤ from/2, modulo `to`.
pub fn lift_centred(from: Modulus, to: Modulus, x: &[u64], out: &mut [u64]) {
    let variant = match Variant::of(to) {
        #[cfg(target_arch = "x86_64")]
        Variant::Narrow(_) | Variant::Fma(_) if !from.is_narrow() => Variant::one_at_a_time(),
        #[cfg(target_arch = "x86_64")]
        Variant::Wide(_) if from.value() / 4 >= to.value() => Variant::one_at_a_time(),
        variant => variant,
    };
    dispatch!(variant, lift_centred(from, to, x, out));
}

/// Residues to the signed numbers of least absolute value, as words in two's complement.
pub fn centre(q: Modulus, x: &mut [u64]) {
    dispatch!(Variant::of(q), centre(q, x));
}

/// Signed numbers of absolute value below q to residues.
pub fn reduce_signed(q: Modulus, x: &[u64], out: &mut [u64]) {
    dispatch!(Variant::of(q), reduce_signed(q, x, out));
}

/// Takes the lowest digit base 2^`bits`, in −2^(bits−1) … 2^(bits−1) − 1, off the signed numbers `x`.
pub fn take_digit(bits: u32, x: &mut [u64], digit: &mut [u64]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = avx512() {
        lanes::take_digit(token, bits, x, digit);
        return;
    }
    portable::take_digit(bits, x, digit);
}

/// out = the values `x` of a polynomial after the automorphism.
pub fn permute(automorphism: &Automorphism, x: &[u64], out: &mut [u64]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(token) = avx512() {
        lanes::permute(token, automorphism, x, out);
        return;
    }
    portable::permute(automorphism, x, out);
}

#[cfg(test)]
#[path = "pointwise/tests.rs"]
mod tests;
