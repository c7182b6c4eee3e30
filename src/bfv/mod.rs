//! The packed additive homomorphic encryption: BFV over RNS, and the operations on it by name.
//!
//! The client has a [`SecretKey`]; it sends [`PublicKey`] and [`GaloisKeys`] once, then
//! [`SeededCiphertext`]s. The server has an [`Evaluator`], which carries out [`HeOps`] and ends with
//! `add_plain` or `rerandomize` and `mod_switch`; the [`Reply`] goes back to be decrypted. Everything
//! is made under [`BfvParams`], which are checked against a security table. What travels implements
//! [`Wire`], and its size is known before it exists.
//!
//! The scheme: Fan and Vercauteren, "Somewhat practical fully homomorphic encryption" (2012);
//! additions and products with plaintexts only, no product of two ciphertexts. Nothing here knows
//! what the slots mean.

mod ciphertext;
mod encode;
mod error;
mod evaluator;
mod galois;
mod ops;
mod params;
mod public_key;
mod secret_key;
mod wire;

pub use ciphertext::{Ciphertext, Reply, SeededCiphertext};
pub use encode::Plaintext;
pub use error::BfvError;
pub use evaluator::Evaluator;
pub use galois::{Decomposed, GaloisKeys};
pub use ops::{HeOp, HeOps, OpCounts, Rotation};
pub use params::{BfvLiteral, BfvParams};
pub use public_key::PublicKey;
pub use secret_key::{Encrypted, Noise, SecretKey};
pub use wire::{Wire, WireError};
