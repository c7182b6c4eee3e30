//! The garbling hash H(x, j), by choice.
//!
//! | [`GarblingHash`] | H(x, j) | AES calls | security with free XOR |
//! | --- | --- | --- | --- |
//! | `Tmmo` | `π(π(x) ⊕ j) ⊕ π(x)` | 2 | proved; about `128 − log2(ANDs under one key)` bits |
//! | `Rekeyed` | `AES_{s ⊕ j}(x) ⊕ x` | 1, and a key of its own | proved; about 125 bits, whatever is garbled |
//! | `FixedKeyAsInPapers` | `π(2x ⊕ j) ⊕ 2x ⊕ j` | 1 | a heuristic; no proof for AES |
//!
//! π is AES-128 under a public random key, fresh for each piece of a layer; `s` is drawn likewise; 2x is
//! doubling in GF(2^128) modulo x^128 + x^7 + x^2 + x + 1. The tweak j never repeats under one key.
//!
//! *TMMO*: Guo, Katz, Wang, Yu (IEEE S&P 2020), section 7: tweakable circular correlation robust in the
//! ideal-cipher model. About `128 − log2(ANDs under one key)` bits are left: a key serves at most 2^20 ANDs
//! ([`ANDS_PER_KEY`]), so at least about 108. A layer's pieces, which have a fresh key each, hold
//! 2^15 ANDs of the usual circuits: about 113 bits.
//! *Re-keyed*: Guo, Katz, Wang, Weng, Yu (Crypto 2020, "Better concrete security for half-gates garbling
//! (in the multi-instance setting)"), multi-instance circular correlation robust: each key hashes two blocks, so that an
//! attack on many gates at once gains next to nothing.
//! *Fixed key*: Bellare, Hoang, Keelveedhi, Rogaway (IEEE S&P 2013), as in Gazelle's code and most papers
//! before 2020. Only for comparison with them; its name says so wherever it is printed.

use serde::{Deserialize, Serialize};

/// AND gates that may be garbled under one AES key.
pub const ANDS_PER_KEY: usize = 1 << 20;

/// How labels are hashed.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum GarblingHash {
    /// Two AES calls under one key.
    #[default]
    Tmmo,
    /// One AES call under a key of its own for each half gate.
    Rekeyed,
    /// One AES call under one key: not proved secure; to reproduce papers.
    FixedKeyAsInPapers,
}

impl GarblingHash {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tmmo, Self::Rekeyed, Self::FixedKeyAsInPapers];

    /// The hash with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// The name in profiles and outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tmmo => "tmmo",
            Self::Rekeyed => "rekeyed",
            Self::FixedKeyAsInPapers => "fixed_key_as_in_papers",
        }
    }
}
