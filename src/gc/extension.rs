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
mod tile;
mod trees;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

pub use pads::{PendingMessages, RandomReceives, RandomSends};
pub use prepared::{PendingLabels, PreparedReceives, PreparedSends};

use super::base_ot::{ChosenSeeds, SeedPairs};
use super::error::{GcError, expect_len};
use super::labels::{Blocks, Delta, mask};
use super::messages::{bits_of, pack};
use super::transfer_messages::{BASE_TRANSFERS, ExtensionColumns, TreeSums};
use crate::batch;
use leaves::{LeafZero, Leaves, Piece};
use tile::{TILE, TILE_ROWS, Tile, zeros};

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
    /// Blocks of every stream that have been used.
    position: u64,
    tiles: Vec<Tile>,
}

/// The sender of extended transfers: the garbler. Lives for a session.
pub struct ExtensionSender {
    trees: Vec<Leaves>,
    position: u64,
    tiles: Vec<Tile>,
    delta: Delta,
}

/// Fewer tiles are not worth a thread of their own.
const TILES_PER_THREAD: usize = 4;

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
        let receiver = Self {
            trees,
            position: 0,
            tiles: Vec::new(),
        };
        (receiver, TreeSums { sums })
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
        prepared.choices.copy_from_slice(choices);
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
        let mut columns = zeros(stripes * (self.trees.len() - drawn));
        let mut prepared = PreparedReceives {
            choices: zeros(count),
            rows: zeros(count),
        };
        let part = stripes_per_part(stripes);
        let parts = stripes.div_ceil(part);
        provide(&mut self.tiles, parts);
        let mut columns_of: Vec<Vec<&mut [u128]>> = (0..parts).map(|_| Vec::new()).collect();
        for column in columns.chunks_mut(stripes.max(1)) {
            for (of_part, here) in columns_of.iter_mut().zip(column.chunks_mut(part)) {
                of_part.push(here);
            }
        }
        let size = part * BASE_TRANSFERS;
        let rows = prepared.rows.chunks_mut(size);
        let rows = rows.zip(prepared.choices.chunks_mut(size));
        let work = (0..)
            .step_by(part)
            .zip(columns_of)
            .zip(rows)
            .zip(&mut self.tiles);
        let work = work.map(|(((first, columns), (rows, choices)), tile)| Receiving {
            position: self.position + first as u64,
            given: given.map(|given| &given.0[first..]),
            columns,
            rows,
            choices,
            tile,
        });
        batch::map(work.collect(), |part| part.run(&self.trees));
        self.position += stripes.next_multiple_of(TILE) as u64;
        (ExtensionColumns { columns }, prepared)
    }
}

/// What one thread makes of an extension, receiver's side; `position` is that of its first stripe in the streams.
struct Receiving<'a> {
    position: u64,
    given: Option<&'a [u128]>,
    columns: Vec<&'a mut [u128]>,
    rows: &'a mut [u128],
    choices: &'a mut [bool],
    tile: &'a mut Tile,
}

impl Receiving<'_> {
    fn run(mut self, trees: &[Leaves]) {
        let drawn = trees.len() - self.columns.len();
        let mut c = Zeroizing::new(Piece::default());
        let rows = self.rows.chunks_mut(TILE_ROWS);
        let tiles = rows.zip(self.choices.chunks_mut(TILE_ROWS));
        for (first, (rows, choices)) in (0..).step_by(TILE).zip(tiles) {
            if let Some(given) = self.given {
                let blocks = c.iter_mut().flat_map(|quad| &mut quad.0);
                blocks.zip(&given[first..]).for_each(|(c, g)| *c = *g);
            }
            let position = self.position + first as u64;
            for (i, tree) in trees.iter().enumerate() {
                let u = self.tile.columns(i, tree, position);
                if let Some(sent) = i.checked_sub(drawn) {
                    let d = &mut self.columns[sent][first..];
                    let sums = u.iter().zip(c.iter());
                    let sums =
                        sums.flat_map(|(u, c)| std::array::from_fn::<_, 4, _>(|s| u.0[s] ^ c.0[s]));
                    d.iter_mut().zip(sums).for_each(|(d, sum)| *d = sum);
                } else {
                    *c = u;
                    write_bits(choices, &u);
                }
            }
            self.tile.write_rows(rows);
        }
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
            position: 0,
            tiles: Vec::new(),
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
        let columns: Vec<&[u128]> = columns.chunks(stripes.max(1)).collect();
        let mut rows = zeros(count);
        let part = stripes_per_part(stripes);
        provide(&mut self.tiles, stripes.div_ceil(part));
        let rows_of = rows.chunks_mut(part * BASE_TRANSFERS);
        let work = (0..).step_by(part).zip(rows_of).zip(&mut self.tiles);
        let work = work.map(|((first, rows), tile)| Sending {
            position: self.position + first as u64,
            columns: columns.iter().map(|column| &column[first..]).collect(),
            rows,
            tile,
        });
        batch::map(work.collect(), |part| part.run(&self.trees, self.delta.0));
        self.position += stripes.next_multiple_of(TILE) as u64;
        Ok(PreparedSends { rows })
    }
}

/// What one thread makes of an extension, sender's side; `position` is that of its first stripe in the streams.
struct Sending<'a> {
    position: u64,
    columns: Vec<&'a [u128]>,
    rows: &'a mut [u128],
    tile: &'a mut Tile,
}

impl Sending<'_> {
    fn run(self, trees: &[Leaves], delta: u128) {
        let (drawn, k) = (
            trees.len() - self.columns.len(),
            BASE_TRANSFERS / trees.len(),
        );
        let rows = self.rows.chunks_mut(TILE_ROWS);
        for (first, rows) in (0..).step_by(TILE).zip(rows) {
            for (i, tree) in trees.iter().enumerate() {
                self.tile.columns(i, tree, self.position + first as u64);
                if let Some(sent) = i.checked_sub(drawn) {
                    let d = &self.columns[sent][first..];
                    for (j, w) in (i * k..).zip(&mut self.tile.columns[i * k..(i + 1) * k]) {
                        add_masked(w, d, mask(delta >> j));
                    }
                }
            }
            self.tile.write_rows(rows);
        }
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

/// Stripes that a thread makes: whole tiles, as many as come to each.
fn stripes_per_part(stripes: usize) -> usize {
    let tiles = stripes.div_ceil(TILE);
    let threads = rayon::current_num_threads();
    TILE * tiles.div_ceil(threads).max(TILES_PER_THREAD)
}

/// A tile for each of the parts at least.
fn provide(tiles: &mut Vec<Tile>, parts: usize) {
    if tiles.len() < parts {
        tiles.resize_with(parts, Tile::new);
    }
}

/// The first bits of a piece.
fn write_bits(bits: &mut [bool], piece: &Piece) {
    let blocks = piece.iter().flat_map(|quad| quad.0.map(u128::to_le_bytes));
    for (bits, block) in bits.chunks_mut(BASE_TRANSFERS).zip(blocks) {
        bits.copy_from_slice(&block.map(bits_of).as_flattened()[..bits.len()]);
    }
}

#[cfg(test)]
mod tests;
