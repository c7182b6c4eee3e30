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
//!
//! # Timing
//! In drawing keys, errors and masks, in encryption and in decryption no branch and no memory address
//! depends on a secret: loops run over all coefficients and all entries of a table, and comparisons
//! become masks. What does vary is public: which strings of a seed's stream are kept (the
//! polynomial they make is known to both parties), and where an input or a message is refused. Not constant-time:
//! [`SecretKey::noise`], which is for measuring. The compiler is trusted to keep it so; the
//! machine code is not audited, and the transform is another crate's. Keys, errors, random streams
//! and phases are overwritten when they are dropped; slots belong to the caller.
//!
//! ```
//! use nass::bfv::{BfvLiteral, BfvParams, Evaluator, GaloisKeys, HeOps, Rotation, SecretKey};
//! use nass::security::{Attack, Requirement, SecretKind, Table};
//! use rand::{SeedableRng, rngs::ChaCha20Rng};
//!
//! let literal = BfvLiteral {
//!     n: 4096,
//!     p: 65_537,
//!     q: vec![1_125_899_906_826_241],
//!     special: vec![1_125_899_906_629_633],
//!     digit_bits: None,
//!     flooding_log2: None,
//!     reply_limbs: 1,
//! };
//! let requirement = Requirement {
//!     table: Table::Guidelines2024,
//!     attack: Attack::Classical,
//!     secret: SecretKind::Ternary,
//!     level: 128,
//! };
//! let params = BfvParams::new(&literal, &requirement)?;
//! let mut rng = ChaCha20Rng::seed_from_u64(1);
//! let secret = SecretKey::generate(&params, &mut rng);
//! let keys = GaloisKeys::generate(&secret, &[Rotation::rows(1)], &mut rng)?;
//! let evaluator = Evaluator::new(&params, keys)?;
//!
//! let slots: Vec<u64> = (0..4096).collect();
//! let ct = secret.encrypt(&slots, &mut rng)?.expand();
//! let doubled = evaluator.hadamard(&ct, &evaluator.encode(&[2; 4096])?);
//! let turned = evaluator.rotate(&doubled, Rotation::rows(1))?;
//! let result = secret.decrypt(&evaluator.mod_switch(&turned))?;
//! assert_eq!(result[..3], [2, 4, 6]);
//! # Ok::<(), nass::bfv::BfvError>(())
//! ```

mod ciphertext;
mod codec;
mod encode;
mod error;
mod evaluator;
mod galois;
mod key_switch;
mod ops;
mod params;
mod public_key;
mod secret_key;
#[cfg(test)]
mod test_support;
mod wire;

pub use ciphertext::{Ciphertext, Reply, SeededCiphertext};
pub use encode::Plaintext;
pub use error::BfvError;
pub use evaluator::Evaluator;
pub use galois::{Decomposed, GaloisKeys};
pub use key_switch::digit_ranges;
pub use ops::{HeOp, HeOps, Lane, OpCounts, Rotation};
pub use params::{BfvLiteral, BfvParams};
pub use public_key::PublicKey;
pub use secret_key::{Encrypted, Noise, SecretKey};
pub use wire::{Wire, WireError, reply_bytes, seeded_ciphertext_bytes};
