//! ReLU equalization: the ResNets whose stages hold ReLUs in the order of their worth.
//!
//! In goes the order of the stages by criticality (say S3 > S2 > S4 > S1) and the blocks φ of each.
//! A stage's ReLUs are φ_i·c_i/4^(i−1) up to a common factor, so that each neighbouring pair of the
//! order is an inequality on a product of multipliers; for S3 > S2 > S4 > S1
//!
//! φ3·αβ/16 > φ2·α/4 > φ4·αβγ/64 > φ1,
//!
//! that is β > 4, βγ < 16 and αβγ > 64 where all φ are equal. Out come the integers (α, β, γ), none
//! below 2, that satisfy the chain and none of which can be lowered: for each (β, γ) the least α,
//! and no candidate is at least another in all three. With equal φ these are the four HybReNets
//! (7,5,2), (6,6,2), (5,7,2), (5,5,3). Fewest ReLUs come first, then fewest multiply-adds.
//!
//! That lowering one multiplier at a time decides minimality: an inequality in which the deeper
//! stage has more keeps holding when multipliers grow, one in which it has fewer when they shrink. So
//! whatever lies below a solution can only break inequalities of the first sort, and what breaks
//! one does so all the way down. It also bounds the search: a multiplier above 2 is no greater
//! than the least one that satisfies some inequality of the first sort, the others being 2.
//!
//! Source: DeepReShape (Jha and Reagen, TMLR 2024). The order of criticality is an input; measuring
//! it takes training.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::error::{ReluError, within};
use super::resnet::{BLOCKS, ResNetCounts, ResNetShape};

/// The least multiplier: a stage is at least twice as wide as the one before, as in a ResNet.
const LEAST: usize = 2;

/// The four stages, most critical first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "[usize; 4]", into = "[usize; 4]")]
pub struct StageOrder([usize; 4]);

impl StageOrder {
    /// An order from the stages' numbers, 1 to 4.
    ///
    /// # Errors
    /// [`ReluError::Order`] unless each of them is there once.
    pub fn new(stages: [usize; 4]) -> Result<Self, ReluError> {
        match (1..=4).all(|stage| stages.contains(&stage)) {
            true => Ok(Self(stages)),
            false => Err(ReluError::Order { given: stages }),
        }
    }

    /// The stages' numbers, most critical first.
    pub const fn stages(self) -> [usize; 4] {
        self.0
    }
}

impl TryFrom<[usize; 4]> for StageOrder {
    type Error = ReluError;

    fn try_from(stages: [usize; 4]) -> Result<Self, ReluError> {
        Self::new(stages)
    }
}

impl From<StageOrder> for [usize; 4] {
    fn from(order: StageOrder) -> Self {
        order.0
    }
}

/// What is asked of the multipliers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Equalization {
    /// The stages in the order of the ReLUs they are to hold, most first.
    pub order: StageOrder,
    /// φ: basic blocks of each stage.
    pub blocks: [usize; 4],
    /// The greatest γ wanted: it bounds the multiply-adds of the last stage.
    pub max_gamma: Option<usize>,
}

/// A network whose stages hold ReLUs in the order asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its widths and depths.
    pub shape: ResNetShape,
    /// What it counts.
    pub counts: ResNetCounts,
}

/// A pair of stages that is in order if a product of multipliers is on the right side of a limit.
struct Inequality {
    /// The multipliers from the shallower stage to the deeper.
    span: Range<usize>,
    /// φ of the deeper stage, which multiplies the product.
    deeper: usize,
    /// φ of the shallower stage times 4 for each halving between them.
    limit: usize,
    side: Side,
}

/// Where `deeper` times the product has to lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Above,
    Below,
}

impl Equalization {
    /// The multipliers (α, β, γ) that satisfy the chain, none of which can be lowered.
    ///
    /// None at all is an answer: blocks or the bound on γ can make an order impossible.
    ///
    /// # Errors
    /// [`ReluError::OutOfRange`] for blocks of a stage.
    pub fn multipliers(&self) -> Result<Vec<[usize; 3]>, ReluError> {
        for blocks in self.blocks {
            within("blocks", blocks, BLOCKS)?;
        }
        let chain = self.chain();
        let holds = |multipliers: [usize; 3]| chain.iter().all(|pair| pair.holds(multipliers));
        let can_be_lowered = |multipliers: [usize; 3]| {
            (0..3).any(|which| {
                let mut lowered = multipliers;
                lowered[which] -= 1;
                lowered[which] >= LEAST && holds(lowered)
            })
        };
        let greatest = |which| chain.iter().map(|pair| pair.greatest(which)).max();
        let most_beta = greatest(1).unwrap_or(LEAST);
        let most_gamma = greatest(2).unwrap_or(LEAST);
        let most_gamma = most_gamma.min(self.max_gamma.unwrap_or(most_gamma));
        let mut found = Vec::new();
        for gamma in LEAST..=most_gamma {
            for beta in LEAST..=most_beta {
                let alpha = chain.iter().map(|pair| pair.least_alpha(beta, gamma)).max();
                let multipliers = [alpha.unwrap_or(LEAST), beta, gamma];
                if holds(multipliers) && !can_be_lowered(multipliers) {
                    found.push(multipliers);
                }
            }
        }
        Ok(found)
    }

    /// The networks with these multipliers, fewest ReLUs first, then fewest multiply-adds.
    ///
    /// # Errors
    /// Those of [`Equalization::multipliers`] and [`ResNetShape::counts`].
    pub fn candidates(
        &self,
        stem: usize,
        input: usize,
        classes: usize,
    ) -> Result<Vec<Candidate>, ReluError> {
        let counted = self.multipliers()?.into_iter().map(|multipliers| {
            let shape = ResNetShape {
                stem,
                multipliers,
                blocks: self.blocks,
                input,
            };
            let counts = shape.counts(classes)?;
            Ok(Candidate { shape, counts })
        });
        let mut candidates = counted.collect::<Result<Vec<_>, ReluError>>()?;
        candidates.sort_by_key(|candidate| {
            let total = candidate.counts.total;
            (total.relus, total.flops, candidate.shape.multipliers)
        });
        Ok(candidates)
    }

    /// One inequality for each neighbouring pair of the order.
    fn chain(&self) -> Vec<Inequality> {
        let stages = self.order.stages().map(|stage| stage - 1);
        let pairs = stages.windows(2).map(|pair| {
            let (shallower, deeper) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
            Inequality {
                span: shallower..deeper,
                deeper: self.blocks[deeper],
                limit: self.blocks[shallower] << (2 * (deeper - shallower)),
                side: match pair[0] == deeper {
                    true => Side::Above,
                    false => Side::Below,
                },
            }
        });
        pairs.collect()
    }
}

impl Inequality {
    fn holds(&self, multipliers: [usize; 3]) -> bool {
        let product: usize = multipliers[self.span.clone()].iter().product();
        match self.side {
            Side::Above => self.deeper * product > self.limit,
            Side::Below => self.deeper * product < self.limit,
        }
    }

    /// The least α that brings the product above the limit, β and γ given.
    fn least_alpha(&self, beta: usize, gamma: usize) -> usize {
        if self.side == Side::Below || self.span.start > 0 {
            return LEAST;
        }
        let rest: usize = [beta, gamma][..self.span.len() - 1].iter().product();
        (self.limit / (self.deeper * rest) + 1).max(LEAST)
    }

    /// The greatest value that a multiplier can need on account of this pair.
    fn greatest(&self, which: usize) -> usize {
        if self.side == Side::Below || !self.span.contains(&which) {
            return LEAST;
        }
        let others = LEAST.pow(self.span.len() as u32 - 1);
        (self.limit / (self.deeper * others) + 1).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn equalization(order: [usize; 4], blocks: [usize; 4]) -> Equalization {
        Equalization {
            order: StageOrder::new(order).unwrap(),
            blocks,
            max_gamma: None,
        }
    }

    #[test]
    fn the_slides_order_gives_their_four_networks() {
        let candidates = equalization([3, 2, 4, 1], [2; 4]).candidates(16, 32, 100);
        let shown: Vec<_> = candidates
            .unwrap()
            .iter()
            .map(|c| {
                (
                    c.shape.multipliers,
                    c.counts.total.relus,
                    (c.counts.total.flops + 500_000) / 1_000_000,
                )
            })
            .collect();
        let expected = [
            ([5, 5, 3], 343_040, 1053),
            ([5, 7, 2], 378_880, 1270),
            ([6, 6, 2], 401_408, 1366),
            ([7, 5, 2], 411_648, 1326),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn unbounded_orders_give_the_least_multipliers() {
        let found = |order| equalization(order, [2; 4]).multipliers().unwrap();
        assert_eq!(found([4, 3, 2, 1]), [[5, 5, 5]]);
        assert_eq!(found([3, 4, 2, 1]), [[5, 9, 2], [5, 6, 3]]);
        assert_eq!(found([1, 2, 3, 4]), [[2, 2, 2]]);
    }

    #[test]
    fn an_order_can_be_impossible() {
        let none = equalization([1, 2, 3, 4], [1, 8, 1, 1]).multipliers();
        assert_eq!(none, Ok(vec![]));
        let bounded = Equalization {
            max_gamma: Some(3),
            ..equalization([4, 3, 2, 1], [2; 4])
        };
        assert_eq!(bounded.multipliers(), Ok(vec![]));
    }

    #[test]
    fn orders_and_blocks_are_checked() {
        for given in [[1, 2, 3, 3], [0, 1, 2, 3], [2, 3, 4, 5]] {
            let refused = StageOrder::new(given);
            assert_eq!(refused, Err(ReluError::Order { given }));
        }
        assert!(serde_json::from_str::<StageOrder>("[3,2,4,4]").is_err());
        let deep = equalization([3, 2, 4, 1], [2, 2, 2, 65]).multipliers();
        let told = deep.unwrap_err().to_string();
        assert_eq!(told, "blocks is 65; expected 1 to 64");
    }

    /// Every triple of the box whose network counts its stages' ReLUs in this order.
    fn in_order(asked: &Equalization, side: usize) -> Vec<[usize; 3]> {
        let triple = |index: usize| {
            [
                2 + index / side / side,
                2 + index / side % side,
                2 + index % side,
            ]
        };
        let ordered = |multipliers: &[usize; 3]| {
            let shape = ResNetShape {
                stem: 1,
                multipliers: *multipliers,
                blocks: asked.blocks,
                input: 8,
            };
            let relus = shape.counts(1).unwrap().stages.map(|stage| stage.relus);
            let sorted = asked.order.stages().map(|stage| relus[stage - 1]);
            multipliers[2] <= asked.max_gamma.unwrap_or(usize::MAX)
                && sorted.windows(2).all(|pair| pair[0] > pair[1])
        };
        (0..side.pow(3)).map(triple).filter(ordered).collect()
    }

    /// Those of which no other is at most as great in all three.
    fn minimal(all: &[[usize; 3]]) -> Vec<[usize; 3]> {
        let below = |a: &[usize; 3], b: &[usize; 3]| a != b && (0..3).all(|i| a[i] <= b[i]);
        let least = |b: &&[usize; 3]| !all.iter().any(|a| below(a, b));
        all.iter().filter(least).copied().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_solver_finds_what_brute_force_finds(
            order in Just([1_usize, 2, 3, 4]).prop_shuffle(),
            blocks in prop::array::uniform4(2_usize..5),
            max_gamma in prop::option::of(1_usize..8),
        ) {
            // Blocks differ at most twofold, so that no product has to pass 128: α, β, γ stay below 34.
            let asked = Equalization { max_gamma, ..equalization(order, blocks) };
            let mut found = asked.multipliers().unwrap();
            found.sort_unstable();
            prop_assert_eq!(found, minimal(&in_order(&asked, 32)));
        }
    }
}
