//! The loops over bits for any processor: a window of sixteen bytes holds one residue wherever it begins.

use super::{GROUP, window};
use crate::ring::modulus::Modulus;

/// As `bits::pack`, for residues of `width` bits.
pub(super) fn pack(width: u32, residues: &[u64], out: &mut [u8]) {
    let (mut pending, mut bits) = (0_u128, 0);
    let mut rest = out;
    for &x in residues {
        pending |= u128::from(x) << bits;
        bits += width;
        if bits >= u64::BITS {
            if let Some((word, later)) = std::mem::take(&mut rest).split_first_chunk_mut() {
                *word = (pending as u64).to_le_bytes();
                rest = later;
            }
            pending >>= u64::BITS;
            bits -= u64::BITS;
        }
    }
    for (to, from) in rest.iter_mut().zip(pending.to_le_bytes()) {
        *to = from;
    }
}

/// String number `index` of q's width.
#[inline]
fn string(q: Modulus, bytes: &[u8], index: usize) -> u64 {
    let bit = index * q.bits() as usize;
    let window = u128::from_le_bytes(window(bytes, bit / 8));
    (window >> (bit % 8)) as u64 & (u64::MAX >> (u64::BITS - q.bits()))
}

/// As `bits::unpack`; whether all are below q.
pub(super) fn unpack(q: Modulus, bytes: &[u8], out: &mut [u64]) -> bool {
    let mut in_range = true;
    for (index, out) in out.iter_mut().enumerate() {
        *out = string(q, bytes, index);
        in_range &= *out < q.value();
    }
    in_range
}

/// As `bits::in_range`.
pub(super) fn in_range(q: Modulus, x: &[u64]) -> bool {
    x.iter().fold(true, |all, &x| all & (x < q.value()))
}

/// As `bits::accept`.
pub(super) fn accept(q: Modulus, bytes: &[u8], out: &mut [u64]) -> usize {
    let strings = bytes.len() / q.bits() as usize * GROUP;
    let accepted = (0..strings).map(|index| string(q, bytes, index));
    let mut count = 0;
    for (out, x) in out.iter_mut().zip(accepted.filter(|&x| x < q.value())) {
        *out = x;
        count += 1;
    }
    count
}
