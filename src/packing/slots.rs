//! Where slots stand and what a rotation does to them: two rows of m = n/2.
//!
//! After [`Rotation`] (step, swap), slot (row, column) holds what stood at
//! (row ⊕ swap, (column + step) mod m).

use super::shape::PackingError;
use crate::bfv::Rotation;
use crate::ring::MAX_DEGREE;

/// The slots of a ring of degree n, a power of two from 2 to [`MAX_DEGREE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots {
    n: usize,
}

impl Slots {
    pub(super) const fn new(n: usize) -> Result<Self, PackingError> {
        if n >= 2 && n <= MAX_DEGREE && n.is_power_of_two() {
            Ok(Self { n })
        } else {
            Err(PackingError::RingDegree { n })
        }
    }

    pub(super) const fn n(self) -> usize {
        self.n
    }

    /// Slots of a row, m.
    pub(super) const fn row(self) -> usize {
        self.n / 2
    }

    /// The rotation that brings slot `shift` to slot 0, for `shift` below n.
    pub(super) const fn rotation(self, shift: usize) -> Rotation {
        Rotation {
            step: shift % self.row(),
            swap: shift >= self.row(),
        }
    }

    /// The slot whose value stands in `slot` after `rotation`.
    pub(super) const fn source(self, slot: usize, rotation: Rotation) -> usize {
        // A row is a power of two: its number is one bit of a slot, the column the bits below.
        let row = self.row();
        ((slot & row) ^ (rotation.swap as usize * row)) + ((slot + rotation.step) & (row - 1))
    }

    /// Slot values after `rotation`.
    pub(super) fn rotated(self, values: &[u64], rotation: Rotation) -> Vec<u64> {
        let (first, second) = values.split_at(self.row());
        let rows = if rotation.swap {
            [second, first]
        } else {
            [first, second]
        };
        let mut rotated = Vec::with_capacity(self.n);
        for row in rows {
            let (before, after) = row.split_at(rotation.step % self.row());
            rotated.extend_from_slice(after);
            rotated.extend_from_slice(before);
        }
        rotated
    }
}

/// An integer as its residue in `0..p`.
pub(crate) fn residue(value: i64, p: u64) -> u64 {
    let magnitude = value.unsigned_abs();
    let residue = if magnitude < p {
        magnitude
    } else {
        magnitude % p
    };
    if value < 0 && residue != 0 {
        p - residue
    } else {
        residue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degree_must_be_a_power_of_two() {
        for n in [0, 1, 3, 12] {
            assert_eq!(Slots::new(n), Err(PackingError::RingDegree { n }));
        }
    }

    #[test]
    fn a_rotation_turns_rows_and_swaps_them() {
        let slots = Slots::new(8).unwrap();
        let after = |shift| -> Vec<usize> {
            let rotation = slots.rotation(shift);
            (0..8).map(|slot| slots.source(slot, rotation)).collect()
        };
        assert_eq!(after(0), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(after(1), [1, 2, 3, 0, 5, 6, 7, 4]);
        assert_eq!(after(4), [4, 5, 6, 7, 0, 1, 2, 3]);
        assert_eq!(after(7), [7, 4, 5, 6, 3, 0, 1, 2]);
        let values: Vec<u64> = (100..108).collect();
        for shift in 0..8 {
            let moved = after(shift).into_iter();
            let expected: Vec<u64> = moved.map(|slot| values[slot]).collect();
            assert_eq!(slots.rotated(&values, slots.rotation(shift)), expected);
        }
    }

    #[test]
    fn residues_of_negative_integers() {
        assert_eq!(residue(-1, 97), 96);
        let p = (1 << 62) - 57;
        assert_eq!(residue(i64::MIN, p), p - 114);
    }
}
