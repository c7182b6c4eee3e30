//! Why parameters, an input or an operation are refused.

use thiserror::Error;

use super::ops::Rotation;
use crate::ring::{BasisError, PrimeError};
use crate::security::SecurityError;

/// A refusal of the encryption scheme.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum BfvError {
    /// The primes of q, or the special prime, are no basis.
    #[error("ciphertext modulus: {0}")]
    Modulus(#[from] BasisError),
    /// The plaintext modulus gives no n slots.
    #[error("plaintext modulus: {0}")]
    Plaintext(PrimeError),
    /// The plaintext modulus is one of the other primes.
    #[error("{0} cannot be a plaintext modulus and a prime of the ciphertext modulus at once")]
    SharedPrime(u64),
    /// Key switching takes special primes, at most one a limb, or else digits.
    #[error(
        "{special} special primes for {limbs} limbs{}: key switching takes 1 to {limbs}, or digits",
        if *.digits { " and digits" } else { "" }
    )]
    KeySwitch {
        /// Special primes.
        special: usize,
        /// Limbs of q.
        limbs: usize,
        /// Whether there is a width of digits too.
        digits: bool,
    },
    /// A digit has at least 2 bits and at most those of the narrowest limb.
    #[error("digits of {bits} bits, where 2 to {narrowest} are possible")]
    DigitBits {
        /// The width asked for.
        bits: u32,
        /// Bits of the narrowest limb.
        narrowest: u32,
    },
    /// The parameters have neither special primes nor digits: nothing can be rotated.
    #[error("rotation {0} under parameters without special primes and without digits")]
    NoKeySwitch(Rotation),
    /// A reply has at least one limb and at most as many as q.
    #[error("a reply of {reply_limbs} limbs, where q has {limbs}")]
    ReplyLimbs {
        /// Limbs asked for.
        reply_limbs: usize,
        /// Limbs of q.
        limbs: usize,
    },
    /// The modulus of a reply leaves no room for the plaintext.
    #[error("a reply modulus of {reply_bits:.1} bits holds no plaintext of {p_bits:.1} bits")]
    NoRoom {
        /// log2 of the reply's modulus.
        reply_bits: f64,
        /// log2 p.
        p_bits: f64,
    },
    /// Flooding alone would break decryption: it must stay below q/(2p).
    #[error("flooding of {flooding_log2} bits, where less than {room:.1} leave room to decrypt")]
    Flooding {
        /// log2 of the flooding noise's bound.
        flooding_log2: u32,
        /// log2 of q/(2p).
        room: f64,
    },
    /// The security table does not allow these moduli at this ring degree.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// A vector does not have one value for each slot.
    #[error("{actual} values for {expected} slots")]
    SlotCount {
        /// n.
        expected: usize,
        /// Values given.
        actual: usize,
    },
    /// A value is no residue modulo p.
    #[error("slot {slot} holds {value}, which is not below {p}")]
    SlotValue {
        /// The slot.
        slot: usize,
        /// What it holds.
        value: u64,
        /// The plaintext modulus.
        p: u64,
    },
    /// A step lies outside a row.
    #[error("rotation {rotation} goes beyond rows of {columns} slots")]
    Rotation {
        /// The rotation asked for.
        rotation: Rotation,
        /// n/2.
        columns: usize,
    },
    /// There is no Galois key for a rotation.
    #[error("no Galois key for the rotation {0}")]
    MissingKey(Rotation),
    /// Two objects were made under different parameters.
    #[error("objects of different parameters cannot be combined")]
    ParamsMismatch,
}
