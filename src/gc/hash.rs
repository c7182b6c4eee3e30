//! The garbling hash TMMO: `H(x, i) = π(π(x) ⊕ i) ⊕ π(x)`, π = AES-128 under one public key.
//!
//! Guo, Katz, Wang, Yu (IEEE S&P 2020), section 7: in the ideal-cipher model H is tweakable circular
//! correlation robust. Security is about `128 − log2(ANDs under one key)` bits; with at most 2^20
//! ANDs ([`ANDS_PER_KEY`]) under a key, and a fresh random key after that, about 108 bits against
//! an attacker who spends that many AES calls. The tweak `i` never repeats under one key.

use super::kernels::{Backend, Cipher};
use super::lanes::Run;

/// AND gates that may be garbled under one AES key.
pub const ANDS_PER_KEY: usize = 1 << 20;

/// The keys of a batch, one expanded at a time.
pub(super) struct Ciphers<'a> {
    keys: &'a [[u8; 16]],
    current: Option<(usize, Cipher)>,
}

impl<'a> Ciphers<'a> {
    pub(super) const fn new(keys: &'a [[u8; 16]]) -> Self {
        let current = None;
        Self { keys, current }
    }

    /// π of a run.
    pub(super) fn of(&mut self, run: &Run) -> &Cipher {
        let kept = self.current.take().filter(|(index, _)| *index == run.key);
        let fresh = || {
            (
                run.key,
                Cipher::new(Backend::fastest(), &self.keys[run.key]),
            )
        };
        &self.current.insert(kept.unwrap_or_else(fresh)).1
    }
}
