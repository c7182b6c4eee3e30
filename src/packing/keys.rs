//! Which Galois keys a plan needs, how it reads them, and how many key switches it makes, under a policy for keys.
//!
//! With a key for each rotation a rotation is one key switch. With keys for the powers of two alone, as SEAL
//! makes them by default (steps ±2^k and the exchange of rows: 2·(lg n − 1) elements, as ±n/4 are one), a rotation by a
//! step is a chain over its non-adjacent form, one key switch for each digit that is not 0, and one for the
//! exchange of rows. A digit that stands for a whole row turns nothing and is left out.
//! Source: SEAL's `Evaluator::rotate_internal` and `GaloisTool::get_elts_all`.

use std::collections::BTreeSet;

use serde::Serialize;

use super::plan::Plan;
use crate::bfv::Rotation;

/// How a plan's rotations read their keys. A key and what it turns hardly fit into a core's own caches together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct KeyReads {
    /// Keys that there are: each comes from memory once.
    pub keys: u64,
    /// About how many rotations, hoisted ones apart, do not follow one by the same key directly.
    pub turns: u64,
    /// About how many of them follow products: weights have gone through the caches since the last rotation.
    pub after_products: u64,
}

/// Which Galois keys there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyPolicy {
    /// One for each rotation of the plan.
    EachRotation,
    /// Steps ±2^k and the exchange of rows, whatever the plan.
    PowersOfTwo,
}

impl Plan {
    /// The rotations that there are keys for; their bytes are those of
    /// [`BfvParams::galois_keys_size`](crate::bfv::BfvParams::galois_keys_size) for so many.
    pub fn keys_under(&self, policy: KeyPolicy) -> BTreeSet<Rotation> {
        let row = self.made_for().0 / 2;
        match policy {
            KeyPolicy::EachRotation => self.rotations(),
            KeyPolicy::PowersOfTwo => {
                let steps = std::iter::successors(Some(1), |step| Some(step * 2));
                let steps = steps.take_while(|&step| step < row);
                let both = steps.flat_map(|step| [step, row - step]);
                let swap = Rotation {
                    step: 0,
                    swap: true,
                };
                both.map(Rotation::rows).chain([swap]).collect()
            }
        }
    }

    /// Key switches of one run.
    pub fn key_switches_under(&self, policy: KeyPolicy) -> u64 {
        let row = self.made_for().0 / 2;
        let counts = self.rotation_counts().into_iter();
        counts
            .map(|(rotation, times)| match policy {
                KeyPolicy::EachRotation => times,
                KeyPolicy::PowersOfTwo => times * chain(rotation, row).len() as u64,
            })
            .sum()
    }
}

/// The rotations by powers of two that make up a rotation, where a row has `row` slots.
fn chain(rotation: Rotation, row: usize) -> Vec<Rotation> {
    let mut chain = Vec::new();
    let (mut rest, mut digit) = (rotation.step, 1);
    while rest > 0 {
        // An odd rest ends in 01 or 11: the digit is 1 or −1, and the next one 0.
        if rest % 2 == 1 {
            let positive = rest % 4 == 1;
            rest = if positive { rest - 1 } else { rest + 1 };
            let step = if positive { digit } else { row - digit % row };
            chain.extend((digit < row).then(|| Rotation::rows(step)));
        }
        (rest, digit) = (rest / 2, digit * 2);
    }
    chain.extend(rotation.swap.then_some(Rotation {
        step: 0,
        swap: true,
    }));
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_powers_of_two_is_its_rotation_and_as_short_as_any() {
        let row = 32;
        let plan = Plan::named(
            "fc_hybrid",
            &super::super::LinearShape::fully_connected(4, 4),
            64,
        );
        let keys = plan.unwrap().keys_under(KeyPolicy::PowersOfTwo);
        assert_eq!(keys.len(), 2 * 5 - 1 + 1);
        // Breadth first over sums of keys: the fewest that reach each step.
        let mut least = vec![usize::MAX; row];
        least[0] = 0;
        for length in 1..=row {
            for at in 0..row {
                if least[at] == length - 1 {
                    for key in keys.iter().filter(|key| !key.swap) {
                        let next = &mut least[(at + key.step) % row];
                        *next = (*next).min(length);
                    }
                }
            }
        }
        for (step, swap) in (0..row).flat_map(|step| [(step, false), (step, true)]) {
            let rotation = Rotation { step, swap };
            let chain = chain(rotation, row);
            assert!(chain.iter().all(|step| keys.contains(step)));
            let whole = chain
                .iter()
                .fold(Rotation::rows(0), |sum, &one| sum.then(one, row));
            assert_eq!(whole, rotation);
            assert_eq!(chain.len(), least[step] + usize::from(swap), "{rotation}");
        }
    }
}
