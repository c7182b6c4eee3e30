//! The inner loops over rows of labels, and the one place that picks their variant at run time.
//!
//! A row ([`Row`]) holds one wire's labels in [`LANES`] equal circuits. In come rows, an AES-128 key π and
//! the number of a gate's first table; out come the same rows with one more filled, and tables:
//! [`Cipher::garble_and`], [`Cipher::evaluate_and`], [`Backend::xor`]. Also AES in counter mode
//! ([`Cipher::counter`]) and the transposition of 128 × 128 bits ([`Backend::transpose`]).
//!
//! Hash: TMMO, `H(x, j) = π(π(x) ⊕ j) ⊕ π(x)` (see `hash`). Gates: half gates (see `garble`, `evaluate`).
//! `portable` uses the `aes` crate and is the oracle; `vaes512` needs AVX-512 with VAES. All variants give
//! the same bits. No branch and no index depends on a label. What lies in lanes past a run's last
//! is arbitrary: callers drop it.

mod portable;
#[cfg(target_arch = "x86_64")]
mod vaes512;

#[cfg(target_arch = "x86_64")]
use fearless_simd::Avx512;
use zeroize::DefaultIsZeroes;

/// Labels of four neighbouring lanes: one 512-bit register.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub(super) struct Quad(pub(super) [u128; 4]);

impl DefaultIsZeroes for Quad {}

/// Quads in a row.
pub(super) const QUADS: usize = 8;
/// Circuits in lockstep.
pub(super) const LANES: usize = 4 * QUADS;
/// The labels of one wire.
pub(super) type Row = [Quad; QUADS];
/// `[T_G, T_E]` of one AND.
pub(super) type Table = [u128; 2];
/// 128 rows of 128 bits, four times side by side.
pub(super) type Square = [Quad; 128];

/// A gate with two inputs: the rows it reads and the one it writes, which may be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gate {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) to: usize,
}

/// An AND gate and the number of its table in lane 0: lane k's tweaks are `2 (first + k)` and the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct And {
    pub(super) gate: Gate,
    pub(super) first: usize,
}

/// A variant that this processor can run.
#[derive(Clone, Copy)]
pub(super) enum Backend {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Vaes512(Avx512),
}

impl Backend {
    /// The fastest one.
    pub(super) fn fastest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(token) = fearless_simd::Level::new().as_avx512() {
            return Self::Vaes512(token);
        }
        Self::Portable
    }

    /// `to = x ⊕ y`, gate after gate.
    pub(super) fn xor(self, rows: &mut [Row], gates: &[Gate]) {
        match self {
            Self::Portable => portable::xor(rows, gates),
            #[cfg(target_arch = "x86_64")]
            Self::Vaes512(token) => vaes512::xor(token, rows, gates),
        }
    }

    /// Exchanges bit j of block i with bit i of block j, in each of the four squares.
    pub(super) fn transpose(self, square: &mut Square) {
        match self {
            Self::Portable => portable::transpose(square),
            #[cfg(target_arch = "x86_64")]
            Self::Vaes512(token) => vaes512::transpose(token, square),
        }
    }
}

/// AES-128 under one key. The key is wiped on drop.
pub(super) enum Cipher {
    Portable(portable::Key),
    #[cfg(target_arch = "x86_64")]
    Vaes512(Avx512, vaes512::Key),
}

impl Cipher {
    pub(super) fn new(backend: Backend, key: &[u8; 16]) -> Self {
        match backend {
            Backend::Portable => Self::Portable(portable::key(key)),
            #[cfg(target_arch = "x86_64")]
            Backend::Vaes512(token) => Self::Vaes512(token, vaes512::key(token, key)),
        }
    }

    /// One AND in every lane: zero labels in, zero labels and tables out.
    pub(super) fn garble_and(
        &self,
        rows: &mut [Row],
        and: And,
        delta: u128,
        tables: &mut [Table; LANES],
    ) {
        match self {
            Self::Portable(key) => portable::garble_and(key, rows, and, delta, tables),
            #[cfg(target_arch = "x86_64")]
            Self::Vaes512(token, key) => {
                vaes512::garble_and(*token, key, rows, and, delta, tables);
            }
        }
    }

    /// One AND in every lane: active labels and tables in, active labels out.
    pub(super) fn evaluate_and(&self, rows: &mut [Row], and: And, tables: &[Table; LANES]) {
        match self {
            Self::Portable(key) => portable::evaluate_and(key, rows, and, tables),
            #[cfg(target_arch = "x86_64")]
            Self::Vaes512(token, key) => {
                vaes512::evaluate_and(*token, key, rows, and, tables);
            }
        }
    }

    /// Replaces block i of `blocks` by `H(block, first + i)`.
    pub(super) fn hash(&self, first: u64, blocks: &mut [Quad]) {
        match self {
            Self::Portable(key) => portable::hash(key, first, blocks),
            #[cfg(target_arch = "x86_64")]
            Self::Vaes512(token, key) => vaes512::hash(*token, key, first, blocks),
        }
    }

    /// Blocks `start..` of the stream `π(iv ⊕ i)`.
    pub(super) fn counter(&self, iv: u128, start: u64, out: &mut [Quad]) {
        match self {
            Self::Portable(key) => portable::counter(key, iv, start, out),
            #[cfg(target_arch = "x86_64")]
            Self::Vaes512(token, key) => vaes512::counter(*token, key, iv, start, out),
        }
    }
}

#[cfg(test)]
mod tests;
