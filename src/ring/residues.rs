//! Words in memory at a multiple of 64 bytes, so that no vector of eight lies across two cache lines.
//!
//! Memory that is given up is kept for the next polynomial of the same size and thread, up to
//! [`KEPT`] bytes: fresh pages cost more than most operations on them (about 0.25 µs for 4 KiB, an
//! addition of as much 0.05 µs), and a time that includes them now and then predicts nothing. What was
//! secret must be wiped before it is given up, as everywhere.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::ops::{Deref, DerefMut};

use bytemuck::{Zeroable, must_cast_slice, must_cast_slice_mut};
use zeroize::Zeroize;

/// One cache line.
#[cfg(target_arch = "x86_64")]
type Line = std::arch::x86_64::__m512i;
#[cfg(not(target_arch = "x86_64"))]
type Line = [u64; WORDS];

/// Words of a line.
const WORDS: usize = 8;

/// Bytes that a thread keeps.
const KEPT: usize = 64 << 20;

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare { lines: BTreeMap::new(), bytes: 0 }) };
}

/// What was given up, by number of lines.
struct Spare {
    lines: BTreeMap<usize, Vec<Vec<Line>>>,
    bytes: usize,
}

impl Spare {
    fn take(&mut self, lines: usize) -> Option<Vec<Line>> {
        let taken = self.lines.get_mut(&lines)?.pop()?;
        self.bytes -= size_of_val(taken.as_slice());
        Some(taken)
    }

    fn give(&mut self, lines: Vec<Line>) {
        let bytes = size_of_val(lines.as_slice());
        if bytes > 0 && self.bytes + bytes <= KEPT {
            self.bytes += bytes;
            self.lines.entry(lines.len()).or_default().push(lines);
        }
    }
}

/// A fixed number of words.
pub struct Residues {
    lines: Vec<Line>,
    len: usize,
}

impl Residues {
    /// `len` zeros.
    pub fn zero(len: usize) -> Self {
        let mut residues = Self::arbitrary(len);
        residues.fill(0);
        residues
    }

    /// `len` words that hold anything: for results that are written before they are read.
    pub fn arbitrary(len: usize) -> Self {
        let lines = len.div_ceil(WORDS);
        // A thread that ends has no spare memory left.
        let spare = SPARE.try_with(|spare| spare.borrow_mut().take(lines));
        let lines = spare
            .ok()
            .flatten()
            .unwrap_or_else(|| vec![Line::zeroed(); lines]);
        Self { lines, len }
    }
}

impl Drop for Residues {
    fn drop(&mut self) {
        let lines = mem::take(&mut self.lines);
        let _ = SPARE.try_with(|spare| spare.borrow_mut().give(lines));
    }
}

impl Clone for Residues {
    fn clone(&self) -> Self {
        self.deref().into()
    }
}

impl From<&[u64]> for Residues {
    fn from(words: &[u64]) -> Self {
        let mut residues = Self::arbitrary(words.len());
        residues.copy_from_slice(words);
        residues
    }
}

impl Deref for Residues {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        let words: &[u64] = must_cast_slice(&self.lines);
        words.get(..self.len).unwrap_or_default()
    }
}

impl DerefMut for Residues {
    fn deref_mut(&mut self) -> &mut [u64] {
        let words: &mut [u64] = must_cast_slice_mut(&mut self.lines);
        words.get_mut(..self.len).unwrap_or_default()
    }
}

impl PartialEq for Residues {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Residues {}

impl std::fmt::Debug for Residues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl Zeroize for Residues {
    fn zeroize(&mut self) {
        (**self).zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_words_in_whole_lines() {
        for len in [0, 1, 8, 13, 4096] {
            let words: Vec<u64> = (0..len).collect();
            let mut residues = Residues::from(words.as_slice());
            assert_eq!(&*residues, words);
            assert_eq!(residues.as_ptr() as usize % 64, 0);
            assert_eq!(residues.clone(), residues);
            assert_eq!(format!("{residues:?}"), format!("{words:?}"));
            residues.zeroize();
            assert!(residues.iter().all(|&word| word == 0));
            assert_eq!(residues.len(), words.len());
        }
    }

    #[test]
    fn memory_is_used_again_up_to_a_limit() {
        let first = Residues::from([7; 100].as_slice());
        let place = first.as_ptr();
        drop(first);
        let second = Residues::zero(100);
        assert_eq!(second.as_ptr(), place);
        assert!(second.iter().all(|&word| word == 0));
        let many: Vec<Residues> = (0..70).map(|_| Residues::zero(1 << 17)).collect();
        drop(many);
        SPARE.with_borrow(|spare| assert!(spare.bytes <= KEPT && spare.bytes > KEPT - (2 << 20)));
    }
}
