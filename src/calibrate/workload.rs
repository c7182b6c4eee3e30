//! From a benchmark case to something that can be run and timed.
//!
//! A [`Workload`] performs the operation of its [`Case`] on operands that were prepared beforehand.
//! The calibration runner and the benches of this repository time the same workloads. What an
//! operation uses up is made again before each run, outside the time. Operands are drawn from a fixed
//! seed: no time depends on their values.

use std::hint::black_box;
use std::io;

use thiserror::Error;

use super::case::{Case, Op};
use super::clock::time;
use super::he_workload::HeOperands;
use super::{batch_workload, gc_workload, link_workload, memory_workload, value_workload};
use crate::bfv::{BfvError, WireError};
use crate::gc::GcError;
use crate::packing::PackingError;
use crate::protocol::ValueOp;
use crate::units::{Bytes, Nanos};

/// Why a case could not be run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// The numbers of the case describe nothing that can be run.
    #[error("the case `{case}` describes no {what}")]
    Case {
        /// The case.
        case: String,
        /// What was to be made of it.
        what: &'static str,
    },
    /// There is no prime of this size for a circuit.
    #[error("no modulus of {bits} bits for a circuit")]
    Modulus {
        /// Bits asked for.
        bits: u32,
    },
    /// A BFV operation refused.
    #[error(transparent)]
    Bfv(#[from] BfvError),
    /// A message did not read back.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A circuit or transfer refused.
    #[error(transparent)]
    Gc(#[from] GcError),
    /// The system has no more threads.
    #[error("threads cannot be started")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// A layer cannot be packed.
    #[error(transparent)]
    Packing(#[from] PackingError),
    /// The link failed.
    #[error("the loopback link failed")]
    Link(#[from] io::Error),
}

impl WorkloadError {
    pub(super) fn case(case: &Case, what: &'static str) -> Self {
        let case = case.to_string();
        Self::Case { case, what }
    }
}

/// Runs an operation so many times, and tells how long the runs took.
type Timed<'a> = Box<dyn FnMut(u64) -> Result<Nanos, WorkloadError> + 'a>;

/// One operation with its operands, ready to be run.
pub struct Workload<'a> {
    bytes: Bytes,
    /// Runs after which every operand has been taken once.
    through: u64,
    timed: Timed<'a>,
}

impl<'a> Workload<'a> {
    /// An operation that can be run again and again as it stands.
    pub(super) fn again<T>(
        bytes: Bytes,
        mut run: impl FnMut() -> Result<T, WorkloadError> + 'a,
    ) -> Self {
        let timed = move |calls| {
            let all = || (0..calls).try_for_each(|_| run().map(|result| drop(black_box(result))));
            let (done, taken) = time(all);
            done.map(|()| taken)
        };
        Self {
            bytes,
            through: 0,
            timed: Box::new(timed),
        }
    }

    /// An operation that uses up what `prepare` makes for each run.
    pub(super) fn once<I, T>(
        bytes: Bytes,
        mut prepare: impl FnMut() -> Result<I, WorkloadError> + 'a,
        mut run: impl FnMut(I) -> Result<T, WorkloadError> + 'a,
    ) -> Self {
        let timed = move |calls| {
            let mut sum = Nanos(0.0);
            for _ in 0..calls {
                let input = prepare()?;
                let (result, taken) = time(|| run(input));
                black_box(result?);
                sum += taken;
            }
            Ok(sum)
        };
        Self {
            bytes,
            through: 0,
            timed: Box::new(timed),
        }
    }

    /// An operation that tells how long it took: what is not counted lies between its parts.
    pub(super) fn in_parts(
        bytes: Bytes,
        mut run: impl FnMut() -> Result<Nanos, WorkloadError> + 'a,
    ) -> Self {
        let timed = move |calls| (0..calls).map(|_| run()).sum();
        Self {
            bytes,
            through: 0,
            timed: Box::new(timed),
        }
    }

    /// The same with the time of one of the `count` operations that a run does.
    pub(super) fn for_each_of(self, count: usize) -> Self {
        let Self { mut timed, .. } = self;
        let share = 1.0 / count.max(1) as f64;
        let timed = Box::new(move |calls| Ok(timed(calls)? * share));
        Self { timed, ..self }
    }

    /// The same of operands that are taken in turn, `runs` of them.
    pub(super) fn through(self, runs: usize) -> Self {
        let through = runs as u64;
        Self { through, ..self }
    }

    /// Takes every operand once where they are taken in turn, so that none is met for the first time.
    ///
    /// # Errors
    /// As [`Workload::time`].
    pub fn go_through(&mut self) -> Result<(), WorkloadError> {
        self.time(self.through).map(drop)
    }

    /// Bytes that the operation sends or stores.
    pub const fn bytes(&self) -> Bytes {
        self.bytes
    }

    /// Runs the operation `calls` times; the time of them together.
    ///
    /// # Errors
    /// The operation refused its operands, or the link failed.
    pub fn time(&mut self, calls: u64) -> Result<Nanos, WorkloadError> {
        (self.timed)(calls)
    }
}

/// Makes workloads, and keeps the operands of one ring for the neighbouring cases.
#[derive(Default)]
pub struct Operands {
    he: Option<HeOperands>,
}

impl Operands {
    /// The workload of `case`.
    ///
    /// # Errors
    /// The case describes nothing that can be run.
    pub fn workload(&mut self, case: &Case) -> Result<Workload<'_>, WorkloadError> {
        match case.op {
            Op::He(_) if case.threads != 1 => batch_workload::workload(case),
            Op::He(op) => {
                let kept = self.he.take().filter(|kept| kept.serves(case));
                let operands = match kept {
                    Some(kept) => kept,
                    None => HeOperands::new(case)?,
                };
                self.he.insert(operands).workload(op, case.working_set)
            }
            Op::Garble
            | Op::GarbleTables
            | Op::EncodeLabels
            | Op::Evaluate
            | Op::BaseOt
            | Op::OtCorrelated
            | Op::OtRandom
            | Op::OtChosen
            | Op::OtDerandomize => gc_workload::workload(case),
            _ if case.threads != 1 => Err(WorkloadError::case(case, "work for several threads")),
            Op::Values(ValueOp::ReadChoices | ValueOp::AcceptChoices | ValueOp::ReceiveLabels) => {
                gc_workload::workload(case)
            }
            Op::Values(op) => value_workload::workload(case, op),
            Op::Touch => memory_workload::workload(case),
            Op::Send | Op::RoundTrip => link_workload::workload(case),
            Op::LinkOut | Op::LinkIn | Op::LinkRoundTrip => {
                Err(WorkloadError::case(case, "work of this machine alone"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gc::GarblingHash;
    use crate::protocol::OtRole;

    fn refused(case: &Case) -> WorkloadError {
        Operands::default().workload(case).err().unwrap()
    }

    #[test]
    fn cases_that_mean_nothing_are_refused() {
        let ring = Case::of_ring((64, 1)).remove(0);
        for broken in [
            Case {
                limbs: 0,
                ..ring.clone()
            },
            Case {
                n: 100,
                ..ring.clone()
            },
            Case {
                q_bits: 64,
                ..ring.clone()
            },
            Case {
                param: String::new(),
                ..ring.clone()
            },
            Case {
                param: "batch=128".to_owned(),
                ..Case::transfer(Op::BaseOt, OtRole::Sender, 1)
            },
            Case::transfer(Op::BaseOt, OtRole::Sender, 5),
            Case::link(Op::LinkOut, 1),
            Case {
                threads: 2,
                ..Case::link(Op::Send, 1)
            },
            Case {
                param: "bytes=x".to_owned(),
                ..Case::link(Op::Send, 1)
            },
            Case {
                param: "ands=3".to_owned(),
                ..Case::relu(Op::Garble, GarblingHash::Tmmo, 20, 1).unwrap()
            },
        ] {
            assert!(
                matches!(refused(&broken), WorkloadError::Case { .. }),
                "{broken}"
            );
        }
        let wide = Case { p_bits: 50, ..ring };
        assert!(matches!(refused(&wide), WorkloadError::Bfv(_)));
    }

    #[test]
    fn circuits_without_a_modulus_are_refused() {
        let narrow = Case::relu(Op::Garble, GarblingHash::Tmmo, 3, 1);
        assert!(matches!(narrow, Err(WorkloadError::Modulus { bits: 3 })));
    }

    #[test]
    fn an_operation_that_is_used_up_is_prepared_for_each_run() {
        let mut made = 0;
        let prepare = || {
            made += 1;
            Ok(made)
        };
        let mut seen = Vec::new();
        let mut workload = Workload::once(Bytes(0), prepare, |input: i32| {
            seen.push(input);
            Ok(())
        });
        assert!(workload.time(3).unwrap().0 >= 0.0);
        drop(workload);
        assert_eq!(seen, [1, 2, 3]);
    }

    #[test]
    fn errors_of_an_operation_come_out() {
        let refused = || Err::<(), _>(WireError::Version(9).into());
        let error = Workload::again(Bytes(0), refused).time(2).unwrap_err();
        assert!(matches!(error, WorkloadError::Wire(WireError::Version(9))));
        let refused = || Err::<(), _>(GcError::Modulus { modulus: 4 }.into());
        let error = Workload::again(Bytes(0), refused).time(1).unwrap_err();
        assert!(matches!(error, WorkloadError::Gc(_)));
        let refused = || Err::<(), _>(io::Error::other("gone").into());
        let error = Workload::once(Bytes(0), || Ok(()), |()| refused())
            .time(1)
            .unwrap_err();
        assert!(matches!(error, WorkloadError::Link(_)));
    }
}
