//! Where a layer's parameters are searched: a ring with a packing and windows, and its candidates.

use std::rc::Rc;

use super::layer_at::{Basis, LayerAt, Least};
use super::packed::Packed;
use super::request::LayerCost;
use super::selector::Packings;
use super::widths::Widths;
use crate::packing::Windows;

/// Sets of bases, a bit each by their place in the list.
#[derive(Clone, Copy, Default)]
pub(super) struct Passed {
    /// Those at which more windows cannot win either.
    pub(super) closed: u64,
    /// Those that nothing works with at this number of windows.
    pub(super) over: u64,
}

/// A ring with a packing and windows: everything but the moduli.
pub(super) struct Site {
    pub(super) layer: LayerAt,
    pub(super) packings: Rc<Packings>,
    pub(super) index: usize,
    pub(super) passed: Passed,
}

/// A candidate before its split is searched.
pub(super) struct Bounded {
    pub(super) score: [f64; 2],
    pub(super) site: usize,
    pub(super) basis: Basis,
    /// Place of the basis in the list.
    pub(super) place: usize,
    pub(super) least: Least,
    /// Whether more windows cost no less.
    pub(super) closes: bool,
}

/// The cheapest that was found.
pub(super) struct Best {
    pub(super) score: [f64; 2],
    pub(super) site: usize,
    pub(super) basis: Basis,
    pub(super) widths: Widths,
    pub(super) cost: LayerCost,
}

impl Passed {
    /// Those of these bases that are left.
    pub(super) const fn left(self, bases: u64) -> u64 {
        bases & !(self.closed | self.over)
    }
}

impl Site {
    pub(super) fn packed(&self) -> Option<&Packed> {
        self.packings.as_ref().as_ref().ok()?.get(self.index)
    }

    /// The same in more windows, unless all its bases are closed.
    pub(super) fn windowed(&self, windows: usize, all: u64) -> Option<Self> {
        let closed = self.passed.closed;
        if all & !closed == 0 {
            return None;
        }
        let windows = Windows::new(self.layer.windows.plaintext_modulus(), windows);
        Some(Self {
            layer: self.layer.windowed(self.packed()?, windows),
            packings: Rc::clone(&self.packings),
            index: self.index,
            passed: Passed { closed, over: 0 },
        })
    }

    /// More windows with this basis cost more than what was found.
    pub(super) fn close(&mut self, candidate: &Bounded) {
        self.passed.closed |= u64::from(candidate.closes) << candidate.place;
    }
}
