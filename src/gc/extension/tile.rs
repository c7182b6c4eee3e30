//! Columns to rows: as much of an extension as stays in the second cache.
//!
//! In come the trees and where their streams are; out come 128 columns of [`PIECE`] quads, and their rows.

use rayon::prelude::*;
use zeroize::Zeroize;

use super::super::kernels::{Backend, Quad, Square};
use super::super::transfer_messages::BASE_TRANSFERS;
use super::leaves::{Leaves, PIECE, Piece, Scratch};

/// Stripes of the columns that are made and transposed at a time.
pub(super) const TILE: usize = 4 * PIECE;
/// Transfers of a tile.
pub(super) const TILE_ROWS: usize = TILE * BASE_TRANSFERS;
/// Elements that are zeroed at a time.
const ZEROS: usize = 16;

/// Zeros that all threads write: to fill memory takes a good part of the time that its rows do. Not by `vec!`, whose
/// zeros the allocator takes from the system, page by page, though it has memory at hand.
pub(super) fn zeros<T: Copy + Default + Send>(count: usize) -> Vec<T> {
    let mut zeros = Vec::new();
    if rayon::current_num_threads() > 1 {
        let blocks = (0..count.div_ceil(ZEROS)).into_par_iter();
        let blocks: Vec<[T; ZEROS]> = blocks.map(|_| [T::default(); ZEROS]).collect();
        zeros = blocks.into_flattened();
    }
    zeros.resize(count, T::default());
    zeros
}

/// A piece of the 128 columns. Wiped on drop.
pub(super) struct Tile {
    pub(super) columns: Vec<Piece>,
    square: Square,
    scratch: Box<Scratch>,
    backend: Backend,
}

impl Tile {
    pub(super) fn new() -> Self {
        Self {
            columns: vec![Piece::default(); BASE_TRANSFERS],
            square: [Quad::default(); BASE_TRANSFERS],
            scratch: Scratch::new(),
            backend: Backend::fastest(),
        }
    }

    /// A piece of the columns of tree number i, from block `position` of its streams on; its u.
    pub(super) fn columns(&mut self, i: usize, tree: &Leaves, position: u64) -> Piece {
        let k = tree.bits();
        let v = &mut self.columns[i * k..(i + 1) * k];
        tree.columns(self.backend, &mut self.scratch, position, v)
    }

    /// The piece's first rows.
    pub(super) fn write_rows(&mut self, rows: &mut [u128]) {
        for (quad, rows) in rows.chunks_mut(4 * BASE_TRANSFERS).enumerate() {
            for (to, column) in self.square.iter_mut().zip(&self.columns) {
                *to = column[quad];
            }
            self.backend.transpose(&mut self.square);
            for (stripe, rows) in rows.chunks_mut(BASE_TRANSFERS).enumerate() {
                let fresh = self.square.iter().map(|row| row.0[stripe]);
                rows.iter_mut().zip(fresh).for_each(|(to, row)| *to = row);
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
