//! Values that are taken in turn, so that none is at hand in a cache.

use super::case::WorkingSet;

/// Most values of a set: enough of the smallest that are calibrated.
const MOST: usize = 1 << 16;

/// Values that are taken in turn.
pub(super) struct Turns<T> {
    pub(super) all: Vec<T>,
    pub(super) next: usize,
}

impl<T: Clone> Turns<T> {
    pub(super) const fn none() -> Self {
        Self {
            all: Vec::new(),
            next: 0,
        }
    }

    /// Copies of `value`, each of `size` bytes, to more than `whole` bytes, or [`MOST`]. How many they are if that has
    /// changed: then all are to be gone through once before any is timed.
    pub(super) fn fill(&mut self, value: &T, size: usize, whole: usize) -> usize {
        let before = self.all.len();
        let count = (whole / size + 1).min(MOST);
        self.all.resize_with(count, || value.clone());
        if count == before { 0 } else { count }
    }

    /// The next `count` of the set that stand side by side; fewer where it has no more.
    pub(super) fn run(&mut self, count: usize) -> &[T] {
        if self.next + count > self.all.len() {
            self.next = 0;
        }
        let start = self.next;
        self.next += count;
        let end = self.next.min(self.all.len());
        self.all.get(start..end).unwrap_or_default()
    }

    /// `hot` itself, or the next of the set.
    pub(super) fn take<'a>(&'a mut self, set: WorkingSet, hot: &'a T) -> &'a T {
        match set {
            WorkingSet::Hot => hot,
            WorkingSet::Cold
            | WorkingSet::Shared
            | WorkingSet::Near
            | WorkingSet::Middle
            | WorkingSet::Far
            | WorkingSet::Outside
            | WorkingSet::Alone => {
                self.next = if self.next + 1 < self.all.len() {
                    self.next + 1
                } else {
                    0
                };
                self.all.get(self.next).unwrap_or(hot)
            }
        }
    }
}
