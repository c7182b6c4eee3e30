//! What travels, as bytes: a header, a seed, and residues packed to the width of their limb.
//!
//! Every message starts with its kind (1 byte), the version of this format (1) and the fingerprint
//! of the parameters (8). Residues of one limb take n·⌈log2 q_i⌉ bits, lowest bits first; since n is
//! a multiple of 8, each limb starts on a byte.
//!
//! | message | after the header |
//! | --- | --- |
//! | [`SeededCiphertext`] | seed, c0 over q (transformed) |
//! | [`Reply`] | c0, c1 over the reply's limbs (coefficients) |
//! | [`PublicKey`] | seed, b over q (transformed) |
//! | [`GaloisKeys`] | count (4), then each in ascending order: step (4), swap (1), seed, b of each digit over q·P |
//!
//! Bytes from outside are hostile: length, header and the range of each residue are checked, and
//! exactly one byte string stands for one object. Nothing is allocated before the length fits.
#![warn(clippy::indexing_slicing)]

use thiserror::Error;

use super::ciphertext::{Reply, SeededCiphertext};
use super::codec::{
    HEADER, Kind, ROTATION, Reader, SEED, VERSION, expect_length, header, poly_size, write_poly,
};
use super::galois::{GaloisKey, GaloisKeys};
use super::ops::Rotation;
use super::params::BfvParams;
use super::public_key::PublicKey;
use crate::batch;
use crate::ring::sampler::Seed;
use crate::ring::{Factor, Poly};
use crate::units::Bytes;

/// Bytes of the number of Galois keys.
const COUNT: usize = 4;

/// Why bytes are no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WireError {
    /// Too many or too few bytes.
    #[error("{actual} bytes where {expected} were expected")]
    Length {
        /// What the parameters and the header ask for.
        expected: usize,
        /// What came.
        actual: usize,
    },
    /// Another kind of object.
    #[error("message of kind {actual} where {expected} was expected")]
    Kind {
        /// The kind that was to be read.
        expected: u8,
        /// The kind that came.
        actual: u8,
    },
    /// Another version of the format.
    #[error("format version {0} where {VERSION} was expected")]
    Version(u8),
    /// Made under other parameters.
    #[error("parameters {actual:016x} where {expected:016x} were expected")]
    Fingerprint {
        /// This side's parameters.
        expected: u64,
        /// The sender's.
        actual: u64,
    },
    /// A residue is not below its prime.
    #[error("residue {value} is not below {q}")]
    Residue {
        /// What came.
        value: u64,
        /// The prime.
        q: u64,
    },
    /// A rotation that does not exist, is the identity, or is out of order.
    #[error("rotation of step {step} is out of range or order")]
    Rotation {
        /// Its step.
        step: u32,
    },
}

/// An object that travels between the parties.
pub trait Wire: Sized {
    /// Bytes that [`Wire::write`] appends.
    fn wire_size(&self) -> usize;
    /// Appends the object to `out`.
    fn write(&self, out: &mut Vec<u8>);
    /// The object in `bytes`, all of which it must fill.
    ///
    /// # Errors
    /// [`WireError`], for the first thing that is wrong.
    fn read(params: &BfvParams, bytes: &[u8]) -> Result<Self, WireError>;
}

/// Bytes of a [`SeededCiphertext`] whose limbs have `q_bits` bits in all, at ring degree `n` (a multiple of 8).
pub const fn seeded_ciphertext_bytes(n: usize, q_bits: u64) -> Bytes {
    Bytes((HEADER + SEED) as u64 + n as u64 * q_bits / 8)
}

/// Bytes of a [`Reply`] whose limbs have `kept_bits` bits in all, at ring degree `n` (a multiple of 8).
pub const fn reply_bytes(n: usize, kept_bits: u64) -> Bytes {
    Bytes(HEADER as u64 + 2 * n as u64 * kept_bits / 8)
}

impl BfvParams {
    /// Bytes of a [`SeededCiphertext`].
    pub fn seeded_ciphertext_size(&self) -> usize {
        HEADER + SEED + poly_size(self.basis())
    }

    /// Bytes of a [`Reply`].
    pub fn reply_size(&self) -> usize {
        HEADER + 2 * poly_size(&self.level(self.literal().reply_limbs).basis)
    }

    /// Bytes of a [`PublicKey`].
    pub fn public_key_size(&self) -> usize {
        HEADER + SEED + poly_size(self.basis())
    }

    /// Bytes of [`GaloisKeys`] for `count` rotations (the identity not counted).
    pub fn galois_keys_size(&self, count: usize) -> usize {
        HEADER + COUNT + count * self.galois_key_size()
    }

    fn galois_key_size(&self) -> usize {
        ROTATION + SEED + self.key_digits() * poly_size(self.key_basis())
    }
}

impl Wire for SeededCiphertext {
    fn wire_size(&self) -> usize {
        self.params.seeded_ciphertext_size()
    }

    fn write(&self, out: &mut Vec<u8>) {
        header(out, Kind::SeededCiphertext, &self.params);
        out.extend_from_slice(&self.seed);
        write_poly(out, self.params.basis(), &self.c0);
    }

    fn read(params: &BfvParams, bytes: &[u8]) -> Result<Self, WireError> {
        expect_length(bytes, params.seeded_ciphertext_size())?;
        let mut reader = Reader::new(bytes, Kind::SeededCiphertext, params)?;
        let seed = reader.seed()?;
        let c0 = reader.poly(params.basis())?;
        let params = params.clone();
        Ok(Self { params, c0, seed })
    }
}

impl Wire for Reply {
    fn wire_size(&self) -> usize {
        self.params.reply_size()
    }

    fn write(&self, out: &mut Vec<u8>) {
        let basis = &self.params.level(self.c0.limbs()).basis;
        header(out, Kind::Reply, &self.params);
        write_poly(out, basis, &self.c0);
        write_poly(out, basis, &self.c1);
    }

    fn read(params: &BfvParams, bytes: &[u8]) -> Result<Self, WireError> {
        expect_length(bytes, params.reply_size())?;
        let mut reader = Reader::new(bytes, Kind::Reply, params)?;
        let basis = &params.level(params.literal().reply_limbs).basis;
        let (c0, c1) = (reader.poly(basis)?, reader.poly(basis)?);
        let params = params.clone();
        Ok(Self { params, c0, c1 })
    }
}

impl Wire for PublicKey {
    fn wire_size(&self) -> usize {
        self.params.public_key_size()
    }

    fn write(&self, out: &mut Vec<u8>) {
        header(out, Kind::PublicKey, &self.params);
        out.extend_from_slice(&self.seed);
        write_poly(out, self.params.basis(), &self.b);
    }

    fn read(params: &BfvParams, bytes: &[u8]) -> Result<Self, WireError> {
        expect_length(bytes, params.public_key_size())?;
        let mut reader = Reader::new(bytes, Kind::PublicKey, params)?;
        let seed = reader.seed()?;
        let b = reader.poly(params.basis())?;
        Ok(Self::from_parts(params.clone(), b, seed))
    }
}

impl Wire for GaloisKeys {
    fn wire_size(&self) -> usize {
        self.params.galois_keys_size(self.keys.len())
    }

    fn write(&self, out: &mut Vec<u8>) {
        header(out, Kind::GaloisKeys, &self.params);
        out.extend_from_slice(&(self.keys.len() as u32).to_le_bytes());
        for (rotation, key) in &self.keys {
            out.extend_from_slice(&(rotation.step as u32).to_le_bytes());
            out.push(u8::from(rotation.swap));
            out.extend_from_slice(&key.seed);
            for digit in &key.b {
                write_poly(out, self.params.key_basis(), digit);
            }
        }
    }

    fn read(params: &BfvParams, bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes, Kind::GaloisKeys, params)?;
        let count = u32::from_le_bytes(reader.array()?) as usize;
        // At most n rotations exist, so that the product below cannot overflow.
        expect_length(bytes, params.galois_keys_size(count.min(params.degree())))?;
        let mut parts: Vec<(Rotation, Seed, Vec<Poly<Factor>>)> = Vec::new();
        for _ in 0..count {
            let rotation = reader.rotation()?;
            let ascending = parts.last().is_none_or(|(last, ..)| *last < rotation);
            let exists = params.galois_element(rotation).is_ok() && !rotation.is_identity();
            if !exists || !ascending {
                return Err(refused(rotation));
            }
            let seed = reader.seed()?;
            let digits = 0..params.key_digits();
            let b = digits
                .map(|_| reader.poly(params.key_basis()))
                .collect::<Result<_, _>>()?;
            parts.push((rotation, seed, b));
        }
        let keys = batch::try_map(parts, |(rotation, seed, b)| {
            let key = GaloisKey::from_parts(params, rotation, b, seed);
            key.map(|key| (rotation, key))
                .map_err(|_| refused(rotation))
        })?;
        Ok(Self {
            params: params.clone(),
            keys: keys.into_iter().collect(),
        })
    }
}

/// A rotation that does not exist, is the identity, or is out of order.
const fn refused(rotation: Rotation) -> WireError {
    WireError::Rotation {
        step: rotation.step as u32,
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a panic fails the test")]
#[path = "wire_tests.rs"]
mod tests;
