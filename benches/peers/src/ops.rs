//! The operations compared, and what a library must offer to be compared.

use std::time::Duration;

use anyhow::Result;

/// An operation; each library does it in the quickest way that it offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// One forward transform modulo the first prime, output fully reduced.
    Forward,
    /// ct += ct.
    Add,
    /// ct ⊙ pt, both in NTT form.
    Hadamard,
    /// acc += ct ⊙ pt, all in NTT form.
    MultiplyAccumulate,
    /// Rotation by one step, NTT form in and out.
    Rotate,
    /// What hoisting does once for a ciphertext.
    Decompose,
    /// What hoisting does for each rotation.
    HoistedRotate,
    /// Slots to a plaintext polynomial.
    Encode,
    /// Slots to a factor in NTT form modulo q.
    EncodeFactor,
    /// A plaintext polynomial to slots.
    Decode,
    /// Encryption under the secret key, the uniform half a seed; of an encoded plaintext where the
    /// library has one.
    EncryptSecret,
    /// The same from slots.
    EncodeEncryptSecret,
    /// Encryption under the public key; of an encoded plaintext where the library has one.
    EncryptPublic,
    /// The same from slots.
    EncodeEncryptPublic,
    /// Decryption to slots, from coefficients where the library keeps such ciphertexts.
    Decrypt,
    /// Decryption to slots, from NTT form.
    DecryptNtt,
    /// The Galois key of one step.
    GaloisKey,
}

impl Op {
    /// All, in the order of the tables.
    pub const ALL: [Self; 17] = [
        Self::Forward,
        Self::Add,
        Self::Hadamard,
        Self::MultiplyAccumulate,
        Self::Rotate,
        Self::Decompose,
        Self::HoistedRotate,
        Self::Encode,
        Self::EncodeFactor,
        Self::Decode,
        Self::EncryptSecret,
        Self::EncodeEncryptSecret,
        Self::EncryptPublic,
        Self::EncodeEncryptPublic,
        Self::Decrypt,
        Self::DecryptNtt,
        Self::GaloisKey,
    ];

    /// The name in CSV, and in what is asked of `seal_bench`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "ntt_forward",
            Self::Add => "add",
            Self::Hadamard => "hadamard",
            Self::MultiplyAccumulate => "multiply_accumulate",
            Self::Rotate => "rotate",
            Self::Decompose => "decompose",
            Self::HoistedRotate => "hoisted_rotate",
            Self::Encode => "encode",
            Self::EncodeFactor => "encode_factor",
            Self::Decode => "decode",
            Self::EncryptSecret => "encrypt_secret",
            Self::EncodeEncryptSecret => "encode_encrypt_secret",
            Self::EncryptPublic => "encrypt_public",
            Self::EncodeEncryptPublic => "encode_encrypt_public",
            Self::Decrypt => "decrypt",
            Self::DecryptNtt => "decrypt_ntt",
            Self::GaloisKey => "galois_key",
        }
    }

    /// The name in the tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Forward => "forward transform, one prime",
            Self::Add => "add",
            Self::Hadamard => "Hadamard, NTT form",
            Self::MultiplyAccumulate => "multiply and accumulate",
            Self::Rotate => "rotate, NTT form in and out",
            Self::Decompose => "hoisting: decompose once",
            Self::HoistedRotate => "hoisting: each further rotation",
            Self::Encode => "encode: slots to polynomial",
            Self::EncodeFactor => "encode: slots to factor, NTT form",
            Self::Decode => "decode",
            Self::EncryptSecret => "encrypt, secret key",
            Self::EncodeEncryptSecret => "encode and encrypt, secret key",
            Self::EncryptPublic => "encrypt, public key",
            Self::EncodeEncryptPublic => "encode and encrypt, public key",
            Self::Decrypt => "decrypt and decode",
            Self::DecryptNtt => "decrypt and decode, from NTT form",
            Self::GaloisKey => "Galois key, one step",
        }
    }
}

/// An object whose size on the wire is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A fresh ciphertext of the secret key, seeded.
    Ciphertext,
    /// The Galois key of one step, seeded.
    GaloisKey,
}

impl Size {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ciphertext, Self::GaloisKey];

    /// The name in CSV, and in what `seal_bench` says.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ciphertext => "bytes_ciphertext",
            Self::GaloisKey => "bytes_galois_key",
        }
    }

    /// The name in the tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ciphertext => "bytes: fresh ciphertext, secret key, seeded",
            Self::GaloisKey => "bytes: Galois key, one step, seeded",
        }
    }
}

/// A library with keys and operands of one ring.
pub trait Peer {
    /// Name and version.
    fn name(&self) -> &str;

    /// The time of `calls` calls one after the other; `None` if the library has no such operation.
    fn time(&mut self, op: Op, calls: u32) -> Result<Option<Duration>>;

    /// Bytes of the serialized object, if the library has it.
    fn bytes(&self, size: Size) -> Option<usize>;
}
