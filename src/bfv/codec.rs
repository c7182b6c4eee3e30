//! The bytes under the wire format: header, seeds, rotations, packed residues; written and read.
//!
//! Residues of one limb of width w = ⌈log2 q_i⌉ are packed lowest bits first into n·w/8 bytes
//! ([`bits`]); n is a multiple of 8. Reading refuses a residue that is not below its prime, so that exactly one byte
//! string stands for one polynomial, and never reads beyond what is there.
#![warn(clippy::indexing_slicing)]

use super::ops::Rotation;
use super::params::BfvParams;
use super::wire::WireError;
use crate::ring::sampler::Seed;
use crate::ring::{Poly, RnsBasis, bits};

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
    let sizes = basis.moduli().map(|q| bits::packed_size(q, basis.degree()));
    sizes.sum()
}

/// Appends the residues of `poly`, limb after limb.
pub(super) fn write_poly<R>(out: &mut Vec<u8>, basis: &RnsBasis, poly: &Poly<R>) {
    let start = out.len();
    out.resize(start + poly_size(basis), 0);
    let (_, mut rest) = out.split_at_mut(start);
    for (q, limb) in basis.moduli().zip(poly.iter()) {
        let (packed, later) = rest.split_at_mut(bits::packed_size(q, basis.degree()));
        bits::pack(q, limb, packed);
        rest = later;
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
        // The bytes are there before memory is taken for them.
        let mut packed = Self(self.take(poly_size(basis))?);
        let mut poly = Poly::arbitrary(n, basis.limbs());
        for (q, limb) in basis.moduli().zip(poly.iter_mut()) {
            let bytes = packed.take(bits::packed_size(q, n))?;
            bits::unpack(q, bytes, limb).map_err(|value| WireError::Residue {
                value,
                q: q.value(),
            })?;
        }
        Ok(poly)
    }
}
