//! Sets of numbers as disjoint ranges: what is counted without being listed.

use std::ops::Range;

/// Numbers in disjoint ranges, rising, none empty, no two that touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<Range<usize>>);

impl Ranges {
    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(ExactSizeIterator::len).sum()
    }

    pub(super) fn contains(&self, number: usize) -> bool {
        let at = self.0.partition_point(|range| range.end <= number);
        self.0.get(at).is_some_and(|range| range.start <= number)
    }

    /// The numbers, rising.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().flat_map(Range::clone)
    }

    /// ⌊x / `divisor`⌋ of each number x.
    pub(super) fn quotients(&self, divisor: usize) -> Self {
        let each = self.0.iter();
        each.map(|range| range.start / divisor..range.end.div_ceil(divisor))
            .collect()
    }

    /// x mod `divisor` of each number x.
    pub(super) fn remainders(&self, divisor: usize) -> Self {
        let of_range = |range: &Range<usize>| {
            let (start, len) = (range.start % divisor, range.len());
            let end = start + len.min(divisor);
            [start..end.min(divisor), 0..end.saturating_sub(divisor)]
        };
        self.0.iter().flat_map(of_range).collect()
    }

    /// Multiples of `divisor` among the numbers.
    pub(super) fn multiples(&self, divisor: usize) -> usize {
        let below = |bound: usize| bound.div_ceil(divisor);
        let of_range = |range: &Range<usize>| below(range.end) - below(range.start);
        self.0.iter().map(of_range).sum()
    }
}

impl FromIterator<Range<usize>> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range<usize>>>(ranges: I) -> Self {
        let mut all: Vec<_> = ranges
            .into_iter()
            .filter(|range| !range.is_empty())
            .collect();
        all.sort_unstable_by_key(|range| range.start);
        all.dedup_by(|next, last| {
            let touch = next.start <= last.end;
            if touch {
                last.end = last.end.max(next.end);
            }
            touch
        });
        Self(all)
    }
}

impl FromIterator<Self> for Ranges {
    /// The union.
    fn from_iter<I: IntoIterator<Item = Self>>(sets: I) -> Self {
        sets.into_iter().flat_map(|set| set.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_sets(
            pairs in prop::collection::vec((0_usize..60, 0_usize..20), 0..6), divisor in 1_usize..25,
        ) {
            let ranges = || pairs.iter().map(|&(start, len)| start..start + len);
            let (set, all): (Ranges, BTreeSet<usize>) = (ranges().collect(), ranges().flatten().collect());
            let same = |ranges: &Ranges, set: &BTreeSet<usize>| ranges.iter().eq(set.iter().copied());
            prop_assert!(same(&set, &all));
            prop_assert_eq!(set.len(), all.len());
            prop_assert!((0..90).all(|number| set.contains(number) == all.contains(&number)));
            prop_assert!(same(&set.quotients(divisor), &all.iter().map(|x| x / divisor).collect()));
            prop_assert!(same(&set.remainders(divisor), &all.iter().map(|x| x % divisor).collect()));
            let multiples = all.iter().filter(|x| x.is_multiple_of(divisor));
            prop_assert_eq!(set.multiples(divisor), multiples.count());
            let each: Ranges = ranges().map(|range| [range].into_iter().collect::<Ranges>()).collect();
            prop_assert_eq!(each, set);
        }
    }
}
