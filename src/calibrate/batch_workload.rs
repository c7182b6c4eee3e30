//! BFV operations over the threads of a pool: what one takes when all cores share a batch.
//!
//! | operation | what one run does |
//! | --- | --- |
//! | `encode`, `encrypt_secret`, `decrypt` | that of one thread, on [`EACH`] operands a thread |
//! | `galois_key`, `load_key` | so many keys made and written, or read |
//!
//! A time is that of the batch divided by the number of its operations.

use super::case::{Case, Op, WorkingSet};
use super::he_workload::{HeOperands, written};
use super::threads::Threads;
use super::workload::{Workload, WorkloadError};
use crate::batch;
use crate::bfv::{GaloisKeys, HeOp, HeOps, Reply, Rotation, Wire};

/// Operations of a batch for each thread.
const EACH: usize = 4;

/// The operations whose batches are spread over threads.
pub(super) const SPREAD: [HeOp; 5] = [
    HeOp::Encode,
    HeOp::EncryptSecret,
    HeOp::Decrypt,
    HeOp::GaloisKey,
    HeOp::LoadKey,
];

pub(super) fn workload(case: &Case) -> Result<Workload<'static>, WorkloadError> {
    match case.op {
        Op::He(op) if SPREAD.contains(&op) && case.working_set == WorkingSet::Hot => {
            let threads = Threads::of(case)?;
            let mut batch = Batch::new(case, op, threads.count())?;
            let (bytes, count) = (batch.operands.bytes(op), batch.rotations.len());
            let run = move || threads.run(|| batch.run(op));
            Ok(Workload::again(bytes, run).for_each_of(count))
        }
        _ => Err(WorkloadError::case(case, "batch for several threads")),
    }
}

/// Operands of a batch.
struct Batch {
    operands: HeOperands,
    slots: Vec<Vec<u64>>,
    rotations: Vec<Rotation>,
    keys: Vec<u8>,
}

impl Batch {
    fn new(case: &Case, op: HeOp, threads: usize) -> Result<Self, WorkloadError> {
        let mut operands = HeOperands::new(case)?;
        let most = (case.n / 2).saturating_sub(1).max(1);
        let all = 1..=(EACH * threads).min(most);
        let rotations: Vec<Rotation> = all.map(Rotation::rows).collect();
        let read = if op == HeOp::LoadKey {
            &rotations[..]
        } else {
            &[]
        };
        let keys = GaloisKeys::generate(&operands.secret, read, &mut operands.rng)?;
        Ok(Self {
            slots: vec![operands.slots.clone(); rotations.len()],
            keys: written(&keys),
            rotations,
            operands,
        })
    }

    /// Every operation of the batch once; the messages that they give.
    fn run(&mut self, op: HeOp) -> Result<Vec<Vec<u8>>, WorkloadError> {
        let HeOperands {
            params,
            secret,
            evaluator,
            factor,
            reply,
            rng,
            ..
        } = &mut self.operands;
        let (params, secret, evaluator) = (&*params, &*secret, &*evaluator);
        let each = || vec![(); self.rotations.len()];
        match op {
            HeOp::EncryptSecret => {
                let encrypted = secret.encrypt_all(&self.slots, rng)?;
                return Ok(batch::map(encrypted, |one| written(&one)));
            }
            HeOp::GaloisKey => {
                let keys = GaloisKeys::generate(secret, &self.rotations, rng)?;
                return Ok(vec![written(&keys)]);
            }
            HeOp::Decrypt => {
                let replies = each().into_iter().map(|()| Reply::read(params, reply));
                secret.decrypt_all(&replies.collect::<Result<Vec<_>, _>>()?)?;
            }
            HeOp::LoadKey => {
                GaloisKeys::read(params, &self.keys)?;
            }
            _ => {
                batch::try_map(each(), |()| evaluator.encode(factor))?;
            }
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_run_and_tell_the_time_of_one() {
        let cases = Case::spread((256, 2), 2);
        assert_eq!(cases.len(), SPREAD.len());
        for case in cases {
            let mut workload = workload(&case).unwrap();
            assert!(workload.time(1).unwrap().0 > 0.0, "{case}");
        }
    }

    #[test]
    fn a_batch_gives_its_messages() {
        let case = Case::spread((256, 2), 2).remove(0);
        let mut batch = Batch::new(&case, HeOp::LoadKey, 2).unwrap();
        let encrypted = batch.run(HeOp::EncryptSecret).unwrap();
        let expected = batch.operands.bytes(HeOp::EncryptSecret).0 as usize;
        assert_eq!(encrypted.len(), 2 * EACH);
        assert!(encrypted.iter().all(|one| one.len() == expected));
        let keys = batch.run(HeOp::GaloisKey).unwrap().remove(0);
        assert_eq!(keys.len(), batch.keys.len());
        assert!(batch.run(HeOp::LoadKey).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_spread_is_refused() {
        let mut cases = Case::spread((256, 2), 2);
        cases[0].working_set = WorkingSet::Cold;
        cases[1].op = Op::He(HeOp::Add);
        cases[2].threads = 0;
        for case in &cases[..3] {
            assert!(
                matches!(workload(case), Err(WorkloadError::Case { .. })),
                "{case}"
            );
        }
    }
}
