//! Δ-correlated oblivious transfer: 128 base transfers stretched to any number (semi-honest).
//!
//! SoftSpokenOT (Roy, Crypto 2022), sections 3 and 4 without its consistency check; with k = 1 it is the
//! extension of Ishai, Kilian, Nissim, Petrank (Crypto 2003). Δ falls into 128/k pieces of k bits.
//! For each the receiver (evaluator) holds 2^k seeds and the sender (garbler) all of them but number
//! Δ_i, its piece (`trees`). With r_x the stream of seed x, for m transfers at a time:
//! receiver `u = Σ_x r_x`, `v = Σ_x x · r_x`, v being k columns of m bits, one for each bit of x;
//! sender `w = Σ_x (x ⊕ Δ_i) · r_x = v ⊕ Δ_i · u`, to which the seed it lacks adds nothing.
//! The choices c must be the same for all pieces: they are the u of the first one, and for each other the
//! receiver sends `d = u ⊕ c`, whereupon the sender adds `Δ_i · d` to w. Rows then obey
//! `q_j = t_j ⊕ c_j Δ`, t_j being row j of all v, q_j that of all w. Where choices are given, d is sent
//! for the first piece too. Streams are AES in counter mode; each extension goes on where the last one
//! ended.
//!
//! Bytes for each transfer: `(128/k − 1) / 8`, and 1/8 more with given choices. AES calls: `2^k / k`
//! blocks of 16 bytes, a little less for the sender.
//!
//! Time of each party, one thread, in batches of 131,072 on a Zen 5 machine with VAES, 21 November 2026
//! (`cargo bench --bench ot` gives it; random and chosen transfers are those of `pads`):
//!
//! | ns a transfer, receiver / sender | correlated | random | chosen, all in | bytes, correlated; chosen |
//! | --- | --- | --- | --- | --- |
//! | [`Extension::Iknp`] | 5.0 / 3.5 | 6.8 / 8.3 | 10.4 / 12.4 | 15.9; 48 |
//! | [`Extension::SoftSpoken2`] | 3.9 / 3.2 | 5.5 / 8.1 | 8.8 / 12.3 | 7.9; 40 |
//! | [`Extension::SoftSpoken4`] | 4.1 / 3.9 | 5.8 / 8.6 | 8.3 / 10.9 | 3.9; 36 |
//! | [`Extension::SoftSpoken8`] | 16.7 / 16.6 | 18.4 / 21.7 | 22.2 / 27.2 | 1.9; 34 |
//!
//! emp-ot (commit c441adf) beside it, at its best: 4.7 / 4.4 and 6.5 / 6.2 correlated with k = 2 and 4, 17.0 / 22.8
//! and 18.8 / 23.7 chosen, the same bytes. A byte over the loopback takes 0.1 to 0.3 ns there: k = 2 and k = 4 cost the same, and over any slower link
//! k = 4 costs less.
//!
//! *Semi-honest*: both parties follow the protocol. The sender sees c under pads it does not know, u of
//! a piece being masked by the stream that it lacks. The receiver gets no message at all: t_j is its
//! own randomness and tells nothing of Δ. A receiver that sends inconsistent columns could learn bits
//! of Δ, and nothing here would notice.
//!
//! Rows are left correlated: they are used as labels (`prepared`), and as pads of messages only after
//! a hash (`pads`).

mod leaves;
mod pads;
mod prepared;
mod trees;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

pub use pads::{PendingMessages, RandomReceives, RandomSends};
pub use prepared::{PendingLabels, PreparedReceives, PreparedSends};

use super::base_ot::{ChosenSeeds, SeedPairs};
use super::error::{GcError, expect_len};
use super::kernels::{Backend, Quad, Square};
use super::labels::{Blocks, Delta, mask};
use super::messages::{bits_of, pack};
use super::transfer_messages::{BASE_TRANSFERS, ExtensionColumns, TreeSums};
use leaves::{LeafZero, Leaves, PIECE, Piece, Scratch};

/// How base transfers are stretched: bytes against work.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Extension {
    /// k = 1: 15.9 bytes a transfer (Ishai, Kilian, Nissim, Petrank 2003).
    Iknp,
    /// SoftSpoken with k = 2: 7.9 bytes a transfer, for no more work than with k = 1.
    SoftSpoken2,
    /// SoftSpoken with k = 4: 3.9 bytes a transfer, for little more work: what the protocol uses.
    #[default]
    SoftSpoken4,
    /// SoftSpoken with k = 8: 1.9 bytes a transfer, for much work.
    SoftSpoken8,
}

impl Extension {
    /// All of them, by k.
    pub const ALL: [Self; 4] = [
        Self::Iknp,
        Self::SoftSpoken2,
        Self::SoftSpoken4,
        Self::SoftSpoken8,
    ];

    /// The name in profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iknp => "iknp",
            Self::SoftSpoken2 => "softspoken2",
            Self::SoftSpoken4 => "softspoken4",
            Self::SoftSpoken8 => "softspoken8",
        }
    }

    /// The extension with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// k: bits of Δ in a piece.
    pub const fn bits(self) -> usize {
        match self {
            Self::Iknp => 1,
            Self::SoftSpoken2 => 2,
            Self::SoftSpoken4 => 4,
            Self::SoftSpoken8 => 8,
        }
    }

    /// 128/k: pieces of Δ, each with a tree of seeds.
    pub const fn trees(self) -> usize {
        BASE_TRANSFERS / self.bits()
    }

    /// Pairs of sums in [`TreeSums`]: one for each depth of each tree but the first.
    pub const fn tree_sums(self) -> usize {
        BASE_TRANSFERS - self.trees()
    }

    /// Blocks in the [`ExtensionColumns`] of `transfers` whose choices the extension draws.
    pub const fn random_blocks(self, transfers: usize) -> usize {
        stripes(transfers).saturating_mul(self.trees() - 1)
    }

    /// Blocks in the [`ExtensionColumns`] of `transfers` whose choices are given.
    pub const fn given_blocks(self, transfers: usize) -> usize {
        stripes(transfers).saturating_mul(self.trees())
    }
}

/// Blocks in a column.
const fn stripes(transfers: usize) -> usize {
    transfers.div_ceil(BASE_TRANSFERS)
}

/// The receiver of extended transfers: the evaluator. Lives for a session.
pub struct ExtensionReceiver {
    trees: Vec<Leaves>,
    tile: Tile,
}

/// The sender of extended transfers: the garbler. Lives for a session.
pub struct ExtensionSender {
    trees: Vec<Leaves>,
    tile: Tile,
    delta: Delta,
}

/// Stripes of the columns that are made and transposed at a time.
const TILE: usize = 4 * PIECE;

impl ExtensionReceiver {
    /// From the sender's side of the base transfers; the sums go to the other party.
    pub fn new(extension: Extension, seeds: &SeedPairs) -> (Self, TreeSums) {
        let mut sums = Vec::with_capacity(extension.tree_sums());
        let mut trees = Vec::with_capacity(extension.trees());
        for pairs in seeds.0.chunks(extension.bits()) {
            let (leaves, of_tree) = trees::grow(pairs);
            sums.extend(of_tree);
            trees.push(Leaves::new(&leaves, LeafZero::Known));
        }
        let tile = Tile::new();
        (Self { trees, tile }, TreeSums { sums })
    }

    /// Prepares one transfer for each choice.
    pub fn extend(&mut self, choices: &[bool]) -> (ExtensionColumns, PreparedReceives) {
        let mut bytes = pack(choices);
        let mut padded = Zeroizing::new(vec![[0; 16]; stripes(choices.len())]);
        padded.as_flattened_mut()[..bytes.len()].copy_from_slice(&bytes);
        bytes.zeroize();
        let given = padded.iter().map(|&block| u128::from_le_bytes(block));
        let given = Blocks(given.collect());
        let (columns, mut prepared) = self.prepare(choices.len(), Some(&given));
        prepared.choices.extend_from_slice(choices);
        (columns, prepared)
    }

    /// Prepares `count` transfers for random choices.
    pub fn extend_random(&mut self, count: usize) -> (ExtensionColumns, PreparedReceives) {
        self.prepare(count, None)
    }

    /// Without given choices, those of the first piece are taken and entered.
    fn prepare(
        &mut self,
        count: usize,
        given: Option<&Blocks>,
    ) -> (ExtensionColumns, PreparedReceives) {
        let (stripes, drawn) = (stripes(count), usize::from(given.is_none()));
        let mut columns = vec![0; stripes * (self.trees.len() - drawn)];
        let mut prepared = PreparedReceives {
            choices: Vec::with_capacity(count),
            rows: Vec::with_capacity(count),
        };
        let mut c = Zeroizing::new(Piece::default());
        for start in (0..stripes).step_by(TILE) {
            let here = start..stripes.min(start + TILE);
            if let Some(given) = given {
                let blocks = c.iter_mut().flat_map(|quad| &mut quad.0);
                blocks
                    .zip(&given.0[here.clone()])
                    .for_each(|(c, g)| *c = *g);
            }
            for (i, tree) in self.trees.iter_mut().enumerate() {
                let u = self.tile.columns(i, tree);
                if let Some(sent) = i.checked_sub(drawn) {
                    let d = &mut columns[sent * stripes..][here.clone()];
                    let sums = u.iter().zip(c.iter());
                    let sums =
                        sums.flat_map(|(u, c)| std::array::from_fn::<_, 4, _>(|s| u.0[s] ^ c.0[s]));
                    d.iter_mut().zip(sums).for_each(|(d, sum)| *d = sum);
                } else {
                    *c = u;
                    push_bits(&mut prepared.choices, &u, count);
                }
            }
            self.tile.push_rows(&mut prepared.rows, count);
        }
        (ExtensionColumns { columns }, prepared)
    }
}

impl ExtensionSender {
    /// From the receiver's side of the base transfers, whose choices were Δ's bits.
    ///
    /// # Errors
    /// Sums for another extension.
    pub fn new(
        extension: Extension,
        seeds: &ChosenSeeds,
        delta: &Delta,
        sums: &TreeSums,
    ) -> Result<Self, GcError> {
        expect_len("pairs of tree sums", sums.sums.len(), extension.tree_sums())?;
        let k = extension.bits();
        let mut sums = sums.sums.chunks((k - 1).max(1));
        let of_tree = |(i, chosen)| {
            let sums = sums.next().unwrap_or_default();
            let leaves = trees::puncture(chosen, delta.0 >> (i * k), sums);
            Leaves::new(&leaves, LeafZero::Missing)
        };
        Ok(Self {
            trees: seeds.0.chunks(k).enumerate().map(of_tree).collect(),
            tile: Tile::new(),
            delta: delta.copy(),
        })
    }

    /// Prepares the `count` transfers whose columns the receiver sent, with given or random choices. Calls
    /// on both sides must pair up in order and count.
    ///
    /// # Errors
    /// Columns for another count.
    pub fn extend(
        &mut self,
        count: usize,
        columns: &ExtensionColumns,
    ) -> Result<PreparedSends, GcError> {
        let (stripes, trees) = (stripes(count), self.trees.len());
        let columns = columns.columns.as_slice();
        let drawn = usize::from(columns.len() != stripes * trees);
        let expected = stripes * (trees - drawn);
        expect_len("blocks of extension columns", columns.len(), expected)?;
        let k = BASE_TRANSFERS / trees;
        let mut rows = Vec::with_capacity(count);
        for start in (0..stripes).step_by(TILE) {
            let here = start..stripes.min(start + TILE);
            for (i, tree) in self.trees.iter_mut().enumerate() {
                self.tile.columns(i, tree);
                if let Some(sent) = i.checked_sub(drawn) {
                    let d = &columns[sent * stripes..][here.clone()];
                    for (j, w) in (i * k..).zip(&mut self.tile.columns[i * k..(i + 1) * k]) {
                        add_masked(w, d, mask(self.delta.0 >> j));
                    }
                }
            }
            self.tile.push_rows(&mut rows, count);
        }
        Ok(PreparedSends { rows })
    }
}

/// `w ⊕ (d where the mask is set)`.
fn add_masked(w: &mut Piece, d: &[u128], mask: u128) {
    for (w, d) in w.iter_mut().zip(d.chunks(4)) {
        for (w, d) in w.0.iter_mut().zip(d) {
            *w ^= mask & d;
        }
    }
}

/// Appends the bits of a piece, up to `count` in all.
fn push_bits(bits: &mut Vec<bool>, piece: &Piece, count: usize) {
    let bytes = piece.iter().flat_map(|quad| quad.0.map(u128::to_le_bytes));
    for bytes in bytes {
        let block = bytes.map(bits_of);
        let block = block.as_flattened();
        bits.extend_from_slice(&block[..block.len().min(count - bits.len())]);
    }
}

/// A piece of the 128 columns that stays in the second cache. Wiped on drop.
struct Tile {
    columns: Vec<Piece>,
    square: Square,
    scratch: Box<Scratch>,
    backend: Backend,
}

impl Tile {
    fn new() -> Self {
        Self {
            columns: vec![Piece::default(); BASE_TRANSFERS],
            square: [Quad::default(); BASE_TRANSFERS],
            scratch: Scratch::new(),
            backend: Backend::fastest(),
        }
    }

    /// The next piece of the columns of tree number i; its u.
    fn columns(&mut self, i: usize, tree: &mut Leaves) -> Piece {
        let k = tree.bits();
        let v = &mut self.columns[i * k..(i + 1) * k];
        tree.columns(self.backend, &mut self.scratch, v)
    }

    /// Appends the piece's rows, up to `count` rows in all.
    fn push_rows(&mut self, rows: &mut Vec<u128>, count: usize) {
        for quad in 0..(count - rows.len()).div_ceil(4 * BASE_TRANSFERS).min(PIECE) {
            for (to, column) in self.square.iter_mut().zip(&self.columns) {
                *to = column[quad];
            }
            self.backend.transpose(&mut self.square);
            for stripe in 0..4 {
                let fresh = self.square.iter().map(|row| row.0[stripe]);
                rows.extend(fresh.take(count - rows.len()));
            }
        }
    }
}

impl Drop for Tile {
    fn drop(&mut self) {
        self.columns.iter_mut().for_each(Zeroize::zeroize);
        self.square.zeroize();
    }
}

#[cfg(test)]
mod tests;
