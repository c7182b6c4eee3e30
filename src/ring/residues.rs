//! Words in memory at a multiple of 64 bytes, so that no vector of eight lies across two cache lines.
//!
//! Memory that is given up is kept for the next polynomial of the same size, whatever thread asks for
//! it, up to [`KEPT`] bytes: the first touch of fresh pages costs more than most operations on them, and
//! a time that includes it now and then predicts nothing. What was secret must be wiped before it is given up, as everywhere.

use std::collections::BTreeMap;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytemuck::{Zeroable, must_cast_slice, must_cast_slice_mut};
use zeroize::Zeroize;

/// One cache line.
#[cfg(target_arch = "x86_64")]
type Line = std::arch::x86_64::__m512i;
#[cfg(not(target_arch = "x86_64"))]
type Line = [u64; WORDS];

/// Words of a line.
const WORDS: usize = 8;

/// Bytes that are kept at most.
const KEPT: usize = 64 << 20;

static SPARE: Mutex<Spare> = Mutex::new(Spare {
    lines: BTreeMap::new(),
    bytes: 0,
});

fn spare() -> MutexGuard<'static, Spare> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Keeps the lines, or gives them back where there are enough.
    fn give(&mut self, lines: Vec<Line>) -> Option<Vec<Line>> {
        let bytes = size_of_val(lines.as_slice());
        if self.bytes + bytes > KEPT {
            return Some(lines);
        }
        self.bytes += bytes;
        self.lines.entry(lines.len()).or_default().push(lines);
        None
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
        let kept = spare().take(lines);
        let lines = kept.unwrap_or_else(|| vec![Line::zeroed(); lines]);
        Self { lines, len }
    }
}

impl Drop for Residues {
    fn drop(&mut self) {
        let lines = mem::take(&mut self.lines);
        let over = spare().give(lines);
        // What is over goes back to the system without others waiting for it.
        drop(over);
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
        let mut spare = Spare {
            lines: BTreeMap::new(),
            bytes: 0,
        };
        let fresh = |lines| vec![Line::zeroed(); lines];
        let place = |lines: &Vec<Line>| lines.as_ptr();
        let (first, second) = (fresh(10), fresh(20));
        let places = (place(&first), place(&second));
        assert!(spare.give(first).is_none() && spare.give(second).is_none());
        assert_eq!(spare.bytes, 30 * 64);
        assert_eq!(spare.take(20).as_ref().map(place), Some(places.1));
        assert!(spare.take(20).is_none() && spare.take(11).is_none());
        assert_eq!(spare.take(10).as_ref().map(place), Some(places.0));
        let most = KEPT / 64;
        assert!(spare.give(fresh(most - 1)).is_none());
        assert!(spare.give(fresh(2)).is_some());
        assert!(spare.give(fresh(1)).is_none());
    }

    #[test]
    fn memory_used_again_is_zero_where_it_was_asked_to_be() {
        for _ in 0..3 {
            let mut residues = Residues::zero(100);
            assert!(residues.iter().all(|&word| word == 0));
            residues.fill(7);
        }
    }
}
