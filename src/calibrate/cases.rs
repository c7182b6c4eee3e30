//! The cases that `nass calibrate` measures, and what a case's numbers stand for.
//!
//! Rings: n of 4096, 8192 and 16384 with one to four limbs, and n = 2048 with one; primes just below
//! 2^50, which the transforms are fastest for, one special prime of the same size, p of 20 bits. A
//! few others show what the choice costs: digits without a special prime, two special primes,
//! narrower and wider limbs.
//! Circuits: ReLU with requantization to 8 bits at p of 20 and of 30 bits, from one to 8192 of them; with the other
//! hashes, and tables and labels apart, at p of 20 bits. Transfers with every extension. Sizes grow by factors of
//! at least eight, so that a line through them tells fixed cost from slope.
//!
//! On several threads: what is spread over them (`batch_workload`), in three rings, and circuits at p of 20 bits.
//!
//! Calibration is about time and protects no secret: the rings need not be secure.

use super::batch_workload::SPREAD;
use super::case::{Case, Op, WorkingSet};
use super::moduli::relu;
use super::workload::WorkloadError;
use crate::bfv::HeOp;
use crate::gc::{BASE_TRANSFERS, Extension, GarblingHash};
use crate::protocol::{OtRole, ValueOp};

/// Ring degrees and numbers of limbs.
const RINGS: [(usize, usize); 13] = [
    (2048, 1),
    (4096, 1),
    (4096, 2),
    (4096, 3),
    (4096, 4),
    (8192, 1),
    (8192, 2),
    (8192, 3),
    (8192, 4),
    (16384, 1),
    (16384, 2),
    (16384, 3),
    (16384, 4),
];
/// Rings whose batches are spread over threads.
const SPREAD_RINGS: [(usize, usize); 3] = [(4096, 2), (8192, 2), (8192, 4)];
const LIMB_BITS: u32 = 50;
/// Other rings: n, limbs, bits of a limb, key switching.
const OTHERS: [(usize, usize, u32, KeySwitch); 4] = [
    (2048, 1, 50, KeySwitch::Digits(25)),
    (4096, 2, 36, KeySwitch::Special(&[37])),
    (8192, 2, 60, KeySwitch::Special(&[60])),
    (8192, 4, 44, KeySwitch::Special(&[44, 45])),
];
/// Where products find their operands.
const STREAMED: [WorkingSet; 5] = [
    WorkingSet::Cold,
    WorkingSet::Near,
    WorkingSet::Middle,
    WorkingSet::Far,
    WorkingSet::Outside,
];
/// Where an act finds its operands if others came between it and the last one of its kind.
const BETWEEN: [WorkingSet; 2] = [WorkingSet::Shared, WorkingSet::Cold];
/// The same between others of one act.
const AMID: [WorkingSet; 1] = [WorkingSet::Shared];
/// What is measured with operands that are not at hand. Those that walk through the same operands stand together: they are
/// made once.
const ELSEWHERE: [(HeOp, &[WorkingSet]); 13] = [
    (HeOp::Hadamard, &BETWEEN),
    (HeOp::MultiplyAccumulate, &AMID),
    (HeOp::MultiplyAccumulate, &STREAMED),
    (HeOp::Rotate, &BETWEEN),
    (HeOp::Rotate, &[WorkingSet::Alone]),
    (HeOp::HoistedRotate, &BETWEEN),
    // What an act begins with.
    (HeOp::EncryptSecret, &BETWEEN),
    (HeOp::Expand, &BETWEEN),
    (HeOp::Decrypt, &BETWEEN),
    // What a layer on ciphertexts does once, between its rotations and products.
    (HeOp::AddPlain, &AMID),
    (HeOp::Decompose, &AMID),
    (HeOp::Rerandomize, &AMID),
    (HeOp::ModSwitch, &AMID),
];
const P_BITS: u32 = 20;
/// Bits of p of the circuits.
const CIRCUIT_BITS: [u32; 2] = [20, 30];
/// Circuits in a batch.
const BATCHES: [usize; 3] = [64, 1024, 8192];
/// Transfers in an extension.
const TRANSFERS: [usize; 3] = [1024, 16_384, 131_072];
/// Transfers of a small layer.
const SMALLEST: usize = 128;
/// Transfers of a large layer, whose rows no cache holds.
const LAYER: usize = 1_310_720;
/// Plain values worked on: multiples of 2560 are whole images, and bits of whole circuits.
const VALUES: [usize; 2] = [2560, 163_840];
/// Slots worked on, whole ciphertexts.
const SLOTS: [usize; 2] = [8192, 163_840];
/// The same for nine filter taps.
const TURNED: [usize; 2] = [9 * 8192, 180 * 8192];
/// Bytes touched at once.
const TOUCHED: [usize; 1] = [64 << 20];
/// Bytes sent at once.
const SENT: [usize; 3] = [64 << 10, 1 << 20, 16 << 20];
/// Bytes handed over at once: about those of a piece of garbled tables.
const HANDED_OVER: usize = 1 << 20;
const ROLES: [OtRole; 2] = [OtRole::Sender, OtRole::Receiver];

/// How a ring switches keys.
#[derive(Debug, Clone, Copy)]
enum KeySwitch {
    /// By special primes of so many bits.
    Special(&'static [u32]),
    /// By digits of so many bits.
    Digits(u32),
}

impl Case {
    /// All cases that are built in, each once, neighbours of one ring together.
    ///
    /// # Errors
    /// None that is known: the circuits are fixed and can be built.
    pub fn builtin() -> Result<Vec<Self>, WorkloadError> {
        let mut cases: Vec<Self> = RINGS.into_iter().flat_map(Self::of_ring).collect();
        for (n, limbs, limb_bits, key_switch) in OTHERS {
            cases.extend(Self::of(n, limbs, limb_bits, key_switch));
        }
        cases.extend(Self::circuits()?);
        ROLES
            .iter()
            .for_each(|&role| cases.extend(Self::transfers(role)));
        for op in ValueOp::ALL {
            let sizes = match op {
                ValueOp::PackTurned => TURNED,
                _ if op.counts_slots() => SLOTS,
                _ => VALUES,
            };
            let sets = if op.is_amid_others() {
                &[WorkingSet::Hot][..]
            } else {
                &BETWEEN
            };
            let sized = sizes.map(|count| Self::values(op, count));
            cases.extend(sized.iter().flat_map(|case| case.among(sets)));
        }
        cases.extend(TOUCHED.map(|bytes| Self::link(Op::Touch, bytes)));
        cases.push(Self::link(Op::RoundTrip, 1));
        let sent = SENT.map(|bytes| Self::link(Op::Send, bytes));
        let sets = [WorkingSet::Hot, WorkingSet::Cold];
        cases.extend(sent.iter().flat_map(|case| case.among(&sets)));
        cases.push(Self::link(Op::HandOver, HANDED_OVER));
        Ok(cases)
    }

    /// The cases of one side of transfers.
    fn transfers(role: OtRole) -> Vec<Self> {
        let mut cases = vec![Self::transfer(Op::BaseOt, role, BASE_TRANSFERS)];
        for op in [Op::OtRandom, Op::OtChosen] {
            for extension in Extension::ALL {
                let extended = |count| Self::extended(op, extension, role, count);
                cases.extend(TRANSFERS.map(extended));
            }
        }
        let default = Extension::default();
        let others = Extension::ALL.into_iter().filter(|x| *x != default);
        let sizes = others.flat_map(|extension| TRANSFERS.map(|count| (extension, count)));
        let own = [SMALLEST].into_iter().chain(TRANSFERS).chain([LAYER]);
        let correlated = own.map(|count| (default, count)).chain(sizes);
        let correlated =
            correlated.map(|(x, count)| Self::extended(Op::OtCorrelated, x, role, count));
        let circuits = [1].into_iter().chain(BATCHES);
        let choices = circuits.map(|batch| batch * CIRCUIT_BITS[0] as usize);
        let turned = choices.chain([LAYER]);
        let turned = turned.map(|count| Self::transfer(Op::OtDerandomize, role, count));
        cases.extend(
            correlated
                .chain(turned)
                .flat_map(|case| case.among(&BETWEEN)),
        );
        cases
    }

    /// The same case with its operands in each of these places.
    fn among(&self, sets: &[WorkingSet]) -> Vec<Self> {
        let of = |&working_set| Self {
            working_set,
            ..self.clone()
        };
        sets.iter().map(of).collect()
    }

    /// What several threads share, each case once.
    ///
    /// # Errors
    /// None that is known, as [`Case::builtin`].
    pub fn on_threads(threads: usize) -> Result<Vec<Self>, WorkloadError> {
        let rings = SPREAD_RINGS.into_iter();
        let mut cases: Vec<Self> = rings.flat_map(|ring| Self::spread(ring, threads)).collect();
        let hash = GarblingHash::default();
        for op in [Op::GarbleTables, Op::Evaluate] {
            for &batch in &BATCHES[1..] {
                cases.push(Self {
                    threads,
                    ..Self::relu(op, hash, CIRCUIT_BITS[0], batch)?
                });
            }
        }
        Ok(cases)
    }

    /// The BFV operations of a ring that so many threads share.
    pub(super) fn spread(ring: (usize, usize), threads: usize) -> Vec<Self> {
        let spread = |case: &Self| {
            let among = |op: &HeOp| case.op == Op::He(*op);
            case.working_set == WorkingSet::Hot && SPREAD.iter().any(among)
        };
        let cases = Self::of_ring(ring).into_iter().filter(spread);
        cases.map(|case| Self { threads, ..case }).collect()
    }

    /// The cases of circuits.
    fn circuits() -> Result<Vec<Self>, WorkloadError> {
        let mut cases = Vec::new();
        for hash in GarblingHash::ALL {
            let first = hash == GarblingHash::default();
            let (widths, least) = if first {
                (&CIRCUIT_BITS[..], &[1][..])
            } else {
                (&CIRCUIT_BITS[..1], &[][..])
            };
            for &p_bits in widths {
                for &batch in least.iter().chain(&BATCHES) {
                    cases.push(Self::relu(Op::Garble, hash, p_bits, batch)?);
                    cases.push(Self::relu(Op::Evaluate, hash, p_bits, batch)?);
                }
            }
            for batch in BATCHES {
                let evaluate = Self::relu(Op::Evaluate, hash, CIRCUIT_BITS[0], batch)?;
                cases.extend(evaluate.among(&BETWEEN));
                cases.push(Self::relu(Op::GarbleTables, hash, CIRCUIT_BITS[0], batch)?);
            }
        }
        for batch in [1].into_iter().chain(BATCHES) {
            let hash = GarblingHash::default();
            cases.push(Self::relu(Op::EncodeLabels, hash, CIRCUIT_BITS[0], batch)?);
        }
        Ok(cases)
    }

    /// All BFV operations of a ring of degree n with a number of limbs of 50 bits.
    pub fn of_ring((n, limbs): (usize, usize)) -> Vec<Self> {
        Self::of(n, limbs, LIMB_BITS, KeySwitch::Special(&[LIMB_BITS]))
    }

    fn of(n: usize, limbs: usize, limb_bits: u32, key_switch: KeySwitch) -> Vec<Self> {
        let param = match key_switch {
            KeySwitch::Digits(bits) => format!("digit={bits}"),
            KeySwitch::Special(primes) => {
                let primes: Vec<String> = primes.iter().map(u32::to_string).collect();
                format!("special={}", primes.join("+"))
            }
        };
        let case = |op, working_set| Self {
            op: Op::He(op),
            n,
            limbs,
            q_bits: limb_bits * limbs as u32,
            p_bits: P_BITS,
            param: param.clone(),
            threads: 1,
            working_set,
        };
        let hot = HeOp::ALL.map(|op| case(op, WorkingSet::Hot));
        let elsewhere = ELSEWHERE.into_iter();
        let elsewhere = elsewhere.flat_map(|(op, sets)| sets.iter().map(move |&set| (op, set)));
        let elsewhere = elsewhere.map(|(op, set)| case(op, set));
        hot.into_iter().chain(elsewhere).collect()
    }

    /// A batch of ReLU circuits with p of a number of bits. Labels are the same for every hash, whose name
    /// they leave out.
    ///
    /// # Errors
    /// A p for which the circuit does not exist.
    pub fn relu(
        op: Op,
        hash: GarblingHash,
        p_bits: u32,
        batch: usize,
    ) -> Result<Self, WorkloadError> {
        let circuit = relu(p_bits).ok_or(WorkloadError::Modulus { bits: p_bits })?;
        let param = if op == Op::EncodeLabels {
            let labels = circuit.garbler_input_bits();
            format!("circuit=relu;labels={labels};batch={batch}")
        } else {
            let (hash, ands) = (hash.name(), circuit.and_count()?);
            format!("circuit=relu;hash={hash};ands={ands};batch={batch}")
        };
        Ok(Self {
            p_bits,
            ..Self::without_ring(op, param)
        })
    }

    /// One side of a number of transfers.
    pub fn transfer(op: Op, role: OtRole, count: usize) -> Self {
        Self::without_ring(op, format!("role={};batch={count}", role.name()))
    }

    /// One side of a number of transfers by extension.
    pub fn extended(op: Op, extension: Extension, role: OtRole, count: usize) -> Self {
        let (role, extension) = (role.name(), extension.name());
        Self::without_ring(
            op,
            format!("role={role};extension={extension};batch={count}"),
        )
    }

    /// Work on a number of plain values.
    pub fn values(op: ValueOp, count: usize) -> Self {
        Self::without_ring(Op::Values(op), format!("values={count}"))
    }

    /// A number of bytes sent over the link, or touched.
    pub fn link(op: Op, bytes: usize) -> Self {
        Self::without_ring(op, format!("bytes={bytes}"))
    }

    fn without_ring(op: Op, param: String) -> Self {
        let (n, limbs, q_bits, p_bits) = (0, 0, 0, 0);
        Self {
            op,
            n,
            limbs,
            q_bits,
            p_bits,
            param,
            threads: 1,
            working_set: WorkingSet::Hot,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_built_in_cases_are_all_different_and_have_sizes() {
        let cases = Case::builtin().unwrap();
        let different: BTreeSet<&Case> = cases.iter().collect();
        assert_eq!(different.len(), cases.len());
        for case in &cases {
            assert_eq!(
                case.size().is_none(),
                matches!(case.op, Op::He(_)),
                "{case}"
            );
            assert_eq!(case.threads, 1);
        }
        for (n, limbs) in RINGS {
            for op in HeOp::ALL {
                let measured = |c: &&Case| (c.op, c.n, c.limbs) == (Op::He(op), n, limbs);
                assert!(
                    cases.iter().any(|c| measured(&c)),
                    "{op:?} at {n} × {limbs}"
                );
            }
        }
    }

    #[test]
    fn several_threads_share_each_case_that_one_has_alone() {
        let alone = Case::builtin().unwrap();
        let shared = Case::on_threads(4).unwrap();
        assert_eq!(shared.len(), 5 * SPREAD_RINGS.len() + 4);
        for case in shared {
            assert_eq!(case.threads, 4);
            assert!(alone.contains(&Case { threads: 1, ..case }));
        }
    }
}
