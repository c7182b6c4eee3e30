//! Products and rotations as a layer has them.

use std::hint::black_box;

use super::super::case::WorkingSet;
use super::super::clock::time;
use super::super::sweep::Sweep;
use super::super::workload::Workload;
use super::{HeOperands, KEYS, RUN};
use crate::bfv::{Ciphertext, HeOp, HeOps, Lane, Plaintext};
use crate::packing::SUMS_AT_ONCE;
use crate::units::Bytes;

/// Products of a sum at most.
const TERMS: usize = 64;

impl HeOperands {
    /// Products that share their ciphertexts as a layer has them: several sums at once after a rotation.
    pub(super) fn inner_products(&mut self) -> Workload<'_> {
        let terms = self.terms();
        let count = SUMS_AT_ONCE * terms;
        let run = move || {
            self.rotate(WorkingSet::Hot)?;
            let weights: Vec<&Plaintext> = self.plaintexts.run(count).iter().collect();
            let cts: Vec<&Ciphertext> = self.ciphertexts.run(terms).iter().collect();
            let mut lanes = [Lane::of(cts, SUMS_AT_ONCE)];
            let ((), taken) = time(|| self.evaluator.add_inner_products(&mut lanes, &weights));
            black_box(lanes.map(|lane| lane.sums));
            Ok(taken)
        };
        Workload::in_parts(Bytes(0), run).for_each_of(count)
    }

    /// Ciphertexts of a run of [`HeOperands::inner_products`]: all of the set in equal parts.
    pub(super) fn terms(&self) -> usize {
        let all = self.ciphertexts.all.len().max(1);
        all.div_ceil(all.div_ceil(TERMS))
    }

    /// Products as a layer has them: a run of them after a rotation, which leaves its key in a core's own caches, and the
    /// clock at that of its transforms.
    pub(super) fn products(&mut self, op: HeOp, set: WorkingSet) -> Workload<'_> {
        let run = move || {
            self.rotate(WorkingSet::Hot)?;
            let (done, taken) = time(|| {
                (0..RUN).try_for_each(|_| match op {
                    HeOp::Hadamard => self.hadamard(set).map(drop),
                    _ => self.multiply_accumulate(set),
                })
            });
            done.map(|()| taken)
        };
        Workload::in_parts(Bytes(0), run).for_each_of(RUN)
    }

    /// Rotations as a layer has them: a run of them by different keys after others have gone through the caches, their
    /// results kept. Of [`WorkingSet::Alone`] the run is of one.
    pub(super) fn rotations(&mut self, op: HeOp, set: WorkingSet) -> Workload<'_> {
        let count = if set == WorkingSet::Alone { 1 } else { KEYS };
        let run = move |()| {
            let rotated = (0..count).map(|_| match op {
                HeOp::Rotate => self.rotate(set),
                _ => self.hoisted_rotate(set),
            });
            rotated.collect::<Result<Vec<_>, _>>()
        };
        Workload::once(Bytes(0), Sweep::before(set).alone(), run).for_each_of(count)
    }
}
