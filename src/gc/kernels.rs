//! The inner loops over rows of labels, and the one place that picks their variant at run time.
//!
//! A row ([`Row`]) holds one wire's labels in [`LANES`] equal circuits. In come the steps of a program, rows with
//! the inputs filled in, and the hash's AES key; out come the same rows with every slot filled, and
//! tables: [`Cipher::garble`], [`Cipher::evaluate`]. The tables of an AND are a row of T_G, then one of T_E. Also
//! AES in counter mode ([`Cipher::counter`]), choosing labels by bits ([`Backend::choose`]), reading their lowest
//! bits ([`Backend::lowest_bits`]), and the transposition of 128 × 128 bits ([`Backend::transpose`]).
//!
//! Hashes: see `hash`. Gates: half gates (see `garble`, `evaluate`). All variants give the same bits:
//!
//! | variant | runs on | AES | rest |
//! | --- | --- | --- | --- |
//! | `vaes512` | AVX-512 with VAES and GFNI | own loop, 512 bits | AVX-512 |
//! | `portable` | everything | the `aes` crate: VAES of 512 or 256 bits, AES-NI, the ARM instructions, or bitsliced software | loops, compiled for the registers of each |
//!
//! What the crate knows of a processor it asks `cpufeatures`, which up to 0.3.1 sees VAES only beside the registers of
//! AVX-512: AVX2 alone has AES-NI.
//!
//! Nothing lies between: the tokens of `fearless_simd` below AVX-512 do not vouch for AES, so that without
//! `unsafe` its instructions are reached through the crate alone. `cargo bench --bench gc -- portable` times
//! them; with `RUSTFLAGS='--cfg aes_backend="soft"'` the crate's software.
//!
//! No branch and no index depends on a label. Work is done in whole quads of lanes: what lies in lanes past a
//! run's last is arbitrary, and callers drop it.

mod portable;
#[cfg(target_arch = "x86_64")]
mod vaes512;

#[cfg(target_arch = "x86_64")]
use fearless_simd::Avx512;
use zeroize::DefaultIsZeroes;

use super::hash::GarblingHash;
use super::program::Step;

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
/// 128 rows of 128 bits, four times side by side.
pub(super) type Square = [Quad; 128];

/// One run of a program.
pub(super) struct Work<'a> {
    pub(super) hash: GarblingHash,
    pub(super) steps: &'a [Step],
    pub(super) rows: &'a mut [Row],
    /// Quads of each row that are in use.
    pub(super) quads: usize,
    /// The position of the first AND's table in lane 0: the tweaks of lane k are `2 (first + k)` and the next.
    pub(super) first: usize,
    /// What the position grows by from AND to AND.
    pub(super) lanes: usize,
}

/// Four blocks of a message.
pub(super) type Bytes64 = [u8; 64];

/// A variant that this processor can run.
#[derive(Debug, Clone, Copy)]
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

    /// `zero ⊕ bᵢ Δ` in every lane i, b being the bits of `bits`.
    pub(super) fn choose(self, zero: &mut Row, bits: u32, delta: u128) {
        match self {
            Self::Portable => portable::choose(zero, bits, delta),
            #[cfg(target_arch = "x86_64")]
            Self::Vaes512(token) => vaes512::choose(token, zero, bits, delta),
        }
    }

    /// The lowest bit of every lane.
    pub(super) fn lowest_bits(self, row: &Row) -> u32 {
        match self {
            Self::Portable => portable::lowest_bits(row),
            #[cfg(target_arch = "x86_64")]
            Self::Vaes512(token) => vaes512::lowest_bits(token, row),
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

    /// Runs the steps on zero labels; `tables` holds two rows of [`Work::quads`] an AND.
    pub(super) fn garble(&self, work: Work<'_>, delta: u128, tables: &mut [Bytes64]) {
        match self {
            Self::Portable(key) => portable::garble(key, work, delta, tables),
            #[cfg(target_arch = "x86_64")]
            Self::Vaes512(token, key) => vaes512::garble(*token, key, work, delta, tables),
        }
    }

    /// Runs the steps on active labels; `tables` as [`Cipher::garble`] made them.
    pub(super) fn evaluate(&self, work: Work<'_>, tables: &[Bytes64]) {
        match self {
            Self::Portable(key) => portable::evaluate(key, work, tables),
            #[cfg(target_arch = "x86_64")]
            Self::Vaes512(token, key) => vaes512::evaluate(*token, key, work, tables),
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
