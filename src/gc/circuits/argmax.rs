//! The place of the greatest value: a tournament of neighbours.
//!
//! Values are reconstructed as `x + h` (`rounded`). Of two neighbours the later one wins where it is strictly
//! greater, so that the first of equals stays; that bit is the winner's next bit of its place, at no
//! cost, above those it brought along. The last winner's value is not formed.
//!
//! ANDs for n values of w bits: n(2w − 1) to reconstruct, (n − 1)w to compare, (n − 2)w to pass values
//! on, and for the places `n − 1 − log2 n` if n is a power of two, else at most n.

use super::super::arithmetic::{Bit, Sign, greater, select};
use super::super::gates::Gates;
use super::{Pair, ShareCircuit};

/// A winner so far.
struct Winner<W> {
    value: Vec<Bit<W>>,
    /// Bits of its place among the leaves below, lowest first.
    place: Vec<Bit<W>>,
}

impl ShareCircuit {
    /// The place's bits, lowest first.
    pub(super) fn argmax<G: Gates>(&self, g: &mut G, pairs: &[Pair<'_, G>]) -> Vec<Bit<G::Wire>> {
        let h = i128::from(self.p_in / 2);
        let mut round: Vec<Winner<G::Wire>> = Vec::with_capacity(pairs.len());
        for &pair in pairs {
            let value = self.rounded(g, pair, h, Sign::Unsigned);
            let place = Vec::new();
            round.push(Winner { value, place });
        }
        while round.len() > 1 {
            let last = round.len() == 2;
            let mut winners = Vec::with_capacity(round.len().div_ceil(2));
            for pair in round.chunks(2) {
                winners.push(match pair {
                    [left, right] => compare(g, left, right, last),
                    alone => pass(alone),
                });
            }
            round = winners;
        }
        round.pop().map(|winner| winner.place).unwrap_or_default()
    }
}

/// The greater of two; its value only if there is another round.
fn compare<G: Gates>(
    g: &mut G,
    left: &Winner<G::Wire>,
    right: &Winner<G::Wire>,
    last: bool,
) -> Winner<G::Wire> {
    let later = greater(g, &right.value, &left.value, Sign::Unsigned);
    let mut chosen = |right: &[Bit<G::Wire>], left: &[Bit<G::Wire>]| -> Vec<_> {
        let pairs = right.iter().zip(left);
        pairs.map(|(&r, &l)| select(g, later, r, l)).collect()
    };
    let mut place = chosen(&right.place, &left.place);
    place.push(later);
    let value = if last {
        Vec::new()
    } else {
        chosen(&right.value, &left.value)
    };
    Winner { value, place }
}

/// One without a neighbour.
fn pass<W: Copy>(alone: &[Winner<W>]) -> Winner<W> {
    let (mut value, mut place) = (Vec::new(), Vec::new());
    for winner in alone {
        value.extend_from_slice(&winner.value);
        place.extend_from_slice(&winner.place);
    }
    place.push(Bit::Known(false));
    Winner { value, place }
}
