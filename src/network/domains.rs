//! Which values share one p: a union-find over the network's input and the steps' results.
//!
//! A step that is linear or local joins its result to its operands; an activation starts a new set.
//! A set keeps the greatest bound of its members and the width prescribed for its p, if any.

use super::error::NetworkError;
use super::resolved::Domain;

/// Sets of values; value 0 is the network's input, value 1 + i the result of step i.
pub(super) struct DomainSets {
    parents: Vec<usize>,
    /// Valid at the root of a set.
    domains: Vec<Domain>,
}

impl DomainSets {
    /// One set: the input, with its greatest absolute value.
    pub(super) fn new(input_bound: u64) -> Self {
        let mut sets = Self {
            parents: Vec::new(),
            domains: Vec::new(),
        };
        sets.separate(input_bound);
        sets
    }

    /// Adds the next value in a set of its own.
    pub(super) fn separate(&mut self, bound: u64) {
        self.parents.push(self.parents.len());
        let p_bits = None;
        self.domains.push(Domain { bound, p_bits });
    }

    /// Raises the bound of a value's set.
    pub(super) fn widen(&mut self, value: usize, bound: u64) {
        let root = self.root(value);
        let domain = &mut self.domains[root];
        domain.bound = domain.bound.max(bound);
    }

    /// Adds the next value, the result of `step`, to the (united) set of its operands.
    ///
    /// # Errors
    /// [`NetworkError::PBitsConflict`] if members of the set prescribe different widths of p.
    pub(super) fn join(
        &mut self,
        step: &str,
        operands: impl Iterator<Item = usize>,
        bound: u64,
        p_bits: Option<u32>,
    ) -> Result<(), NetworkError> {
        let mut root = self.parents.len();
        self.parents.push(root);
        self.domains.push(Domain { bound, p_bits });
        for operand in operands {
            let other = self.root(operand);
            if other == root {
                continue;
            }
            let (own, joined) = (self.domains[root], self.domains[other]);
            if let (Some(given), Some(expected)) = (own.p_bits, joined.p_bits)
                && given != expected
            {
                return Err(NetworkError::PBitsConflict {
                    layer: step.to_owned(),
                    given,
                    expected,
                });
            }
            self.domains[other] = Domain {
                bound: own.bound.max(joined.bound),
                p_bits: own.p_bits.or(joined.p_bits),
            };
            self.parents[root] = other;
            root = other;
        }
        Ok(())
    }

    /// Numbers the sets in the order of their first values: each value's number, then the sets.
    pub(super) fn number(&mut self) -> (Vec<usize>, Vec<Domain>) {
        let mut of_root = vec![None; self.parents.len()];
        let mut domains = Vec::new();
        let numbers = (0..self.parents.len())
            .map(|value| {
                let root = self.root(value);
                *of_root[root].get_or_insert_with(|| {
                    domains.push(self.domains[root]);
                    domains.len() - 1
                })
            })
            .collect();
        (numbers, domains)
    }

    /// The root of a value's set, halving the path on the way.
    fn root(&mut self, mut value: usize) -> usize {
        while self.parents[value] != value {
            self.parents[value] = self.parents[self.parents[value]];
            value = self.parents[value];
        }
        value
    }
}
