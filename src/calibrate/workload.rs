//! From a benchmark case to something that can be run and timed.
//!
//! A [`Workload`] performs the operation of its [`Case`] on operands that were prepared beforehand.
//! The calibration runner and the benches of this repository time the same workloads. What an
//! operation uses up is made again before each run, outside the time. Operands are drawn from a fixed
//! seed: no time depends on their values.

use std::hint::black_box;
use std::io;
use std::time::Duration;

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

/// What is done directly before what is timed, its operands prepared; how long it waited.
type Ready<'r> = dyn FnMut() -> Nanos + 'r;

/// Runs an operation so many times, and tells how long the runs took.
type Timed<'a> = Box<dyn FnMut(u64, &mut Ready<'_>) -> Result<Nanos, WorkloadError> + 'a>;

/// A wait that costs what lies in the caches.
const AWAY: Nanos = Nanos(1e5);

/// One operation with its operands, ready to be run.
pub struct Workload<'a> {
    bytes: Bytes,
    /// Runs of a sample at most.
    most_runs: u64,
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
        let timed = move |calls, ready: &mut Ready<'_>| {
            let mut some =
                |calls| (0..calls).try_for_each(|_| run().map(|result| drop(black_box(result))));
            if ready() > AWAY {
                // Others have filled the caches.
                some(1)?;
            }
            let (done, taken) = time(|| some(calls));
            done.map(|()| taken)
        };
        Self {
            bytes,
            most_runs: u64::MAX,
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
        let timed = move |calls, ready: &mut Ready<'_>| {
            let mut sum = Nanos(0.0);
            for _ in 0..calls {
                let input = prepare()?;
                ready();
                let (result, taken) = time(|| run(input));
                black_box(result?);
                sum += taken;
            }
            Ok(sum)
        };
        Self {
            bytes,
            most_runs: 1,
            through: 0,
            timed: Box::new(timed),
        }
    }

    /// An operation that tells how long it took: what is not counted lies between its parts.
    pub(super) fn in_parts(
        bytes: Bytes,
        mut run: impl FnMut() -> Result<Nanos, WorkloadError> + 'a,
    ) -> Self {
        let timed = move |calls, ready: &mut Ready<'_>| {
            if ready() > AWAY {
                run()?;
            }
            (0..calls).map(|_| run()).sum()
        };
        Self {
            bytes,
            most_runs: u64::MAX,
            through: 0,
            timed: Box::new(timed),
        }
    }

    /// The same with the time of one of the `count` operations that a run does.
    pub(super) fn for_each_of(self, count: usize) -> Self {
        let Self { mut timed, .. } = self;
        let share = 1.0 / count.max(1) as f64;
        let timed = move |calls, ready: &mut Ready<'_>| Ok(timed(calls, ready)? * share);
        let timed = Box::new(timed);
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
        self.time_after(calls, || Nanos(0.0))
    }

    /// The same with `ready` done directly before what is timed, whose operands are prepared by then; it says how long it
    /// waited. What a long wait takes out of the caches is brought back, unless it was prepared to be out of them.
    ///
    /// # Errors
    /// As [`Workload::time`].
    pub fn time_after(
        &mut self,
        calls: u64,
        mut ready: impl FnMut() -> Nanos,
    ) -> Result<Nanos, WorkloadError> {
        (self.timed)(calls, &mut ready)
    }

    /// Runs of one sample, each of which takes so long, that are to take `least` together.
    pub(super) fn runs(&self, each: Nanos, least: Duration) -> u64 {
        let filling = (least.as_nanos() as f64 / each.0.max(1.0)).ceil();
        (filling.max(1.0) as u64).min(self.most_runs)
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
            Op::Send | Op::HandOver | Op::RoundTrip => link_workload::workload(case),
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
        let mut asked = 0;
        let waited = || {
            asked += 1;
            Nanos(1e9)
        };
        assert!(workload.time_after(3, waited).unwrap().0 < 1e9);
        drop(workload);
        assert_eq!((seen, asked), (vec![1, 2, 3], 3));
    }

    /// What a wait took out of the caches is brought back by a run that is not counted.
    #[test]
    fn an_operation_is_run_once_more_after_a_long_wait() {
        for (waited, runs) in [(Nanos(0.0), 2), (Nanos(1e9), 3)] {
            let (mut again, mut in_parts) = (0, 0);
            let run = || {
                again += 1;
                Ok(())
            };
            Workload::again(Bytes(0), run)
                .time_after(2, || waited)
                .unwrap();
            let run = || {
                in_parts += 1;
                Ok(Nanos(5.0))
            };
            let mut workload = Workload::in_parts(Bytes(0), run);
            assert_eq!(workload.time_after(2, || waited).unwrap(), Nanos(10.0));
            drop(workload);
            assert_eq!((again, in_parts), (runs, runs), "{waited}");
        }
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
