//! The bytes under the wire format: header, seeds, rotations, packed residues; written and read.
//!
//! Residues of one limb of width w = ⌈log2 q_i⌉ are packed lowest bits first into n·w/8 bytes; n is a
//! multiple of 8. Reading refuses a residue that is not below its prime, so that exactly one byte
//! string stands for one polynomial, and never reads beyond what is there.
#![warn(clippy::indexing_slicing)]

use super::ops::Rotation;
use super::params::BfvParams;
use super::wire::WireError;
use crate::ring::sampler::Seed;
use crate::ring::{Modulus, Poly, RnsBasis};

/// Version of the format.
pub(super) const VERSION: u8 = 1;
/// Bytes of a header: kind, version, fingerprint.
pub(super) const HEADER: usize = 10;
/// Bytes of a seed.
pub(super) const SEED: usize = 32;
/// Bytes of a rotation: step and swap.
pub(super) const ROTATION: usize = 5;

/// The first byte of a message.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Kind {
    SeededCiphertext = 1,
    Reply = 2,
    PublicKey = 3,
    GaloisKeys = 4,
}

/// Appends the header.
pub(super) fn header(out: &mut Vec<u8>, kind: Kind, params: &BfvParams) {
    out.extend_from_slice(&[kind as u8, VERSION]);
    out.extend_from_slice(&params.fingerprint().to_le_bytes());
}

/// Bytes of a polynomial over `basis`.
pub(super) fn poly_size(basis: &RnsBasis) -> usize {
    basis.moduli().map(|q| limb_size(q, basis.degree())).sum()
}

const fn limb_size(q: Modulus, n: usize) -> usize {
    n * q.bits() as usize / 8
}

/// Appends the residues of `poly`, limb after limb.
pub(super) fn write_poly<R>(out: &mut Vec<u8>, basis: &RnsBasis, poly: &Poly<R>) {
    out.reserve(poly_size(basis));
    for (q, limb) in basis.moduli().zip(poly.iter()) {
        let (mut pending, mut bits) = (0_u128, 0);
        for &x in limb {
            pending |= u128::from(x) << bits;
            bits += q.bits();
            if bits >= 64 {
                out.extend_from_slice(&(pending as u64).to_le_bytes());
                pending >>= 64;
                bits -= 64;
            }
        }
        let rest = (bits / 8) as usize;
        out.extend(pending.to_le_bytes().iter().take(rest));
    }
}

/// Refuses more or fewer bytes than `expected`.
pub(super) const fn expect_length(bytes: &[u8], expected: usize) -> Result<(), WireError> {
    let actual = bytes.len();
    if actual == expected {
        Ok(())
    } else {
        Err(WireError::Length { expected, actual })
    }
}

/// The bytes not yet read.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader that stands after a header of the right kind and parameters.
    pub(super) fn new(bytes: &'a [u8], kind: Kind, params: &BfvParams) -> Result<Self, WireError> {
        let mut reader = Self(bytes);
        let [actual, version] = reader.array()?;
        if actual != kind as u8 {
            let expected = kind as u8;
            return Err(WireError::Kind { expected, actual });
        }
        if version != VERSION {
            return Err(WireError::Version(version));
        }
        let (expected, actual) = (params.fingerprint(), u64::from_le_bytes(reader.array()?));
        if actual != expected {
            return Err(WireError::Fingerprint { expected, actual });
        }
        Ok(reader)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let actual = self.0.len();
        let expected = count;
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(WireError::Length { expected, actual })?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next N bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A seed.
    pub(super) fn seed(&mut self) -> Result<Seed, WireError> {
        self.array()
    }

    /// A step and whether the rows are exchanged; not yet whether that rotation exists.
    pub(super) fn rotation(&mut self) -> Result<Rotation, WireError> {
        let step = u32::from_le_bytes(self.array()?);
        let swap = match self.array()? {
            [0] => false,
            [1] => true,
            [_] => return Err(WireError::Rotation { step }),
        };
        Ok(Rotation {
            step: step as usize,
            swap,
        })
    }

    /// A polynomial over `basis`, every residue below its prime.
    pub(super) fn poly<R>(&mut self, basis: &RnsBasis) -> Result<Poly<R>, WireError> {
        let n = basis.degree();
        let mut residues = Vec::with_capacity(n * basis.limbs());
        for q in basis.moduli() {
            let mask = u64::MAX >> (u64::BITS - q.bits());
            let mut bytes = self.take(limb_size(q, n))?;
            let (mut pending, mut bits) = (0_u128, 0);
            for _ in 0..n {
                if bits < q.bits() {
                    let (word, width) = match bytes.split_first_chunk() {
                        Some((word, rest)) => {
                            bytes = rest;
                            (u64::from_le_bytes(*word), 64)
                        }
                        None => last_word(&mut bytes),
                    };
                    pending |= u128::from(word) << bits;
                    bits += width;
                }
                let value = pending as u64 & mask;
                pending >>= q.bits();
                bits -= q.bits();
                if value >= q.value() {
                    return Err(WireError::Residue {
                        value,
                        q: q.value(),
                    });
                }
                residues.push(value);
            }
        }
        Ok(Poly::from_residues(n, &residues))
    }
}

/// The fewer than eight bytes that are left, and how many bits they are.
fn last_word(bytes: &mut &[u8]) -> (u64, u32) {
    let word = bytes
        .iter()
        .rev()
        .fold(0, |word, &byte| word << 8 | u64::from(byte));
    let bits = 8 * bytes.len() as u32;
    *bytes = &[];
    (word, bits)
}
