//! Circuits and their inputs as the protocol carries them out, messages written and read included.
//!
//! | operation | what one run does |
//! | --- | --- |
//! | `garble` | a layer garbled piece by piece, the garbler's inputs encoded; each is written where the last one was, which has been sent |
//! | `garble_tables` | the same without the garbler's inputs |
//! | `encode_labels` | the garbler's inputs of a layer encoded, piece by piece |
//! | `evaluate` | a layer evaluated piece by piece; shared and cold, with tables in turn from 24 and from 256 MB |
//! | `receive_labels` | the label transfer read and unmasked |
//! | `read_choices` | shares to choices |
//! | `accept_choices` | corrections read and taken into the labels that are garbled for |
//! | `ot_derandomize` | receiver: shares to choices, corrections written; sender: corrections read, label transfer written |
//!
//! A time is that of the whole batch, without the sending. Several threads garble or evaluate as many pieces side by
//! side. Transfers, choices and labels are shared or cold after so much has gone through the caches; before each
//! evaluation of tables in turn go 24 MB, as many other pieces do.

use std::sync::Arc;

use rand::RngExt;
use rand::rngs::ChaCha20Rng;

use super::case::{Case, FAR, Op, WorkingSet};
use super::clock::time;
use super::link_workload::Loopback;
use super::moduli::relu;
use super::ot_workload::{self, Transfers, generator, written};
use super::sets::gone_through;
use super::sweep::Sweep;
use super::threads::Threads;
use super::workload::{Workload, WorkloadError};
use crate::gc::{
    ChoiceCorrections, EvaluatedPieces, EvaluatorInputs, EvaluatorLabels, Extension, GarbledPieces,
    GarblerInputs, GarblingHash, GcSizes, Layer, PendingLabels, PieceMessages, PreparedReceives,
    PreparedSends, ShareCircuit,
};
use crate::protocol::{OtRole, ValueOp};
use crate::units::{Bytes, Nanos};

/// Most circuits or transfers in a batch.
const LARGEST: usize = 1 << 24;

pub(super) fn workload(case: &Case) -> Result<Workload<'static>, WorkloadError> {
    let refused = || WorkloadError::case(case, "batch of circuits or transfers");
    let count = case.param("batch").or_else(|| case.param("values"));
    let count = count.and_then(|count| count.parse().ok());
    let count = count
        .filter(|count| (1..=LARGEST).contains(count))
        .ok_or_else(refused)?;
    match (case.op, case.role()) {
        (Op::Garble, _) => Circuits::of(case, count)?.garble_workload(),
        (Op::GarbleTables, _) => Circuits::of(case, count)?.tables_workload(Threads::of(case)?),
        (Op::EncodeLabels, _) => Circuits::of(case, count)?.labels_workload(),
        (Op::Evaluate, _) => {
            let threads = Threads::of(case)?;
            Circuits::of(case, count)?.evaluate_workload(case.working_set, threads)
        }
        (Op::BaseOt | Op::OtCorrelated | Op::OtRandom | Op::OtChosen, _) => {
            ot_workload::workload(case, count)
        }
        (Op::OtDerandomize, Some(role)) => {
            let circuits = Circuits::of_transfers(count).ok_or_else(refused)??;
            circuits.derandomize_workload(role, case.working_set)
        }
        (Op::Values(op), _) => {
            let circuits = Circuits::of_transfers(count).ok_or_else(refused)??;
            match op {
                ValueOp::ReadChoices => circuits.choices_workload(case.working_set),
                ValueOp::AcceptChoices => circuits.accept_workload(case.working_set),
                _ => circuits.receive_workload(case.working_set),
            }
        }
        _ => Err(refused()),
    }
}

/// Bits of p of the circuit whose choices are derandomized.
const DERANDOMIZED_BITS: u32 = 20;

/// A batch of circuits with shares, masks and transfers.
struct Circuits {
    circuit: ShareCircuit,
    batch: usize,
    layer: Arc<Layer>,
    garbler_shares: Vec<u64>,
    evaluator_shares: Vec<u64>,
    masks: Vec<u64>,
    transfers: Transfers,
    rng: ChaCha20Rng,
}

/// Messages of the garbler to the evaluator, a piece each.
#[derive(Clone, Default)]
struct Garbled {
    tables: Vec<u8>,
    labels: Vec<u8>,
}

impl Circuits {
    /// The batch of a case; its circuit must be the one that the case was made from.
    fn of(case: &Case, batch: usize) -> Result<Self, WorkloadError> {
        let refused = || WorkloadError::case(case, "known circuit");
        let circuit = relu(case.p_bits).ok_or_else(refused)?;
        let hash = case.hash().ok_or_else(refused)?;
        let same = Case {
            working_set: case.working_set,
            threads: case.threads,
            ..Case::relu(case.op, hash, case.p_bits, batch)?
        } == *case;
        Self::new(same.then_some(circuit).ok_or_else(refused)?, hash, batch)
    }

    /// Circuits with so many transfers in all; `None` if it is no whole number of circuits.
    fn of_transfers(count: usize) -> Option<Result<Self, WorkloadError>> {
        let circuit = relu(DERANDOMIZED_BITS)?;
        let each = circuit.evaluator_input_bits();
        let whole = count > 0 && count.is_multiple_of(each);
        whole.then(|| Self::new(circuit, GarblingHash::default(), count / each))
    }

    fn new(circuit: ShareCircuit, hash: GarblingHash, batch: usize) -> Result<Self, WorkloadError> {
        let mut rng = generator();
        let mut draw = |p: u64| (0..batch).map(|_| rng.random_range(0..p)).collect();
        Ok(Self {
            garbler_shares: draw(circuit.p_in),
            evaluator_shares: draw(circuit.p_in),
            masks: draw(circuit.p_out),
            layer: Arc::new(Layer::new(&circuit, batch, hash)?),
            transfers: Transfers::new(
                Extension::default(),
                batch * circuit.evaluator_input_bits(),
            )?,
            circuit,
            batch,
            rng,
        })
    }

    fn start(&mut self) -> GarbledPieces {
        GarbledPieces::fresh(&self.layer, self.transfers.delta(), &mut self.rng)
    }

    /// Appends the garbler's labels of a piece.
    fn encode(&self, inputs: GarblerInputs, out: &mut Vec<u8>) -> Result<(), WorkloadError> {
        let (shares, masks) = (&self.garbler_shares, &self.masks);
        Ok(inputs.encode_into(&self.layer, shares, masks, out)?)
    }

    /// Garbles the layer without the garbler's labels, as many pieces at a time as there are buffers; gives back
    /// what would encode them.
    fn garble_tables(&mut self, out: &mut [Vec<u8>]) -> Vec<GarblerInputs> {
        let mut waiting = Vec::new();
        let mut pieces = self.start();
        loop {
            let group = pieces.next_group_into(out, &mut self.rng);
            if group.is_empty() {
                return waiting;
            }
            waiting.extend(group);
        }
    }

    /// Garbles the layer, as many pieces at a time as there are buffers, and sends each on when `finish` has
    /// appended what goes with its tables. The time without the sending.
    fn garble_and_send(
        &mut self,
        threads: &Threads,
        out: &mut [Vec<u8>],
        link: &mut Loopback,
        finish: fn(&Self, GarblerInputs, &mut Vec<u8>) -> Result<(), WorkloadError>,
    ) -> Result<Nanos, WorkloadError> {
        let (mut pieces, mut sum) = time(|| self.start());
        loop {
            let group = || {
                let group = pieces.next_group_into(out, &mut self.rng);
                let count = group.len();
                let mut pieces = group.into_iter().zip(out.iter_mut());
                pieces.try_for_each(|(inputs, out)| finish(self, inputs, out))?;
                Ok::<_, WorkloadError>(count)
            };
            let (count, taken) = time(|| threads.run(group));
            sum += taken;
            match count? {
                0 => return Ok(sum),
                count => out[..count].iter().try_for_each(|piece| link.send(piece))?,
            }
        }
    }

    /// Garbles the layer and keeps every piece.
    fn garble_and_keep(&mut self) -> Result<(Vec<Garbled>, EvaluatorInputs), WorkloadError> {
        let (mut kept, mut pieces) = (Vec::new(), self.start());
        loop {
            let mut piece = Garbled::default();
            let Some(inputs) = pieces.next_into(&mut piece.tables, &mut self.rng) else {
                return Ok((kept, pieces.into_evaluator_inputs()?));
            };
            self.encode(inputs, &mut piece.labels)?;
            kept.push(piece);
        }
    }

    /// The receiver's corrections of its choices to its shares.
    fn choose(
        &self,
        receives: PreparedReceives,
    ) -> Result<(Vec<u8>, PendingLabels), WorkloadError> {
        let bits = self.layer.choices(&self.evaluator_shares)?;
        let (corrections, pending) = receives.correct(&bits)?;
        Ok((written(|out| corrections.write(out)), pending))
    }

    /// The sender's answer to corrections.
    fn transfer(
        &self,
        inputs: EvaluatorInputs,
        sends: PreparedSends,
        corrections: &[u8],
    ) -> Result<Vec<u8>, WorkloadError> {
        let corrections = ChoiceCorrections::read(self.transfers.count, corrections)?;
        let transfer = inputs.transfer(sends, &corrections)?;
        Ok(written(|out| transfer.write(out)))
    }

    /// The evaluator's labels, unmasked.
    fn receive(
        &self,
        transfer: &[u8],
        pending: PendingLabels,
    ) -> Result<EvaluatorLabels, WorkloadError> {
        Ok(pending.receive(transfer)?)
    }

    /// The evaluator's shares of the results, so many pieces at a time.
    fn evaluate(
        &self,
        garbled: &[Garbled],
        labels: EvaluatorLabels,
        at_a_time: usize,
    ) -> Result<Vec<u64>, WorkloadError> {
        let mut pieces = EvaluatedPieces::new(&self.layer, labels)?;
        let mut outputs = Vec::with_capacity(self.batch);
        for group in garbled.chunks(at_a_time) {
            let messages = group
                .iter()
                .map(|Garbled { tables, labels }| PieceMessages { tables, labels });
            pieces.next_group(&messages.collect::<Vec<_>>(), &mut outputs)?;
        }
        Ok(outputs)
    }

    /// Bytes of the tables, and of the garbler's labels.
    fn sizes(&self) -> Result<[Bytes; 2], WorkloadError> {
        let pieces = GcSizes::new(&self.circuit, self.batch)?.pieces;
        let tables = pieces.iter().map(|piece| piece.tables).sum();
        let labels = pieces.iter().map(|piece| piece.garbler_labels).sum();
        Ok([tables, labels])
    }

    fn garble_workload(mut self) -> Result<Workload<'static>, WorkloadError> {
        let [tables, labels] = self.sizes()?;
        let (mut out, mut link) = ([Vec::new()], Loopback::to_waiting()?);
        Ok(Workload::in_parts(tables + labels, move || {
            self.garble_and_send(&Threads::Own, &mut out, &mut link, Self::encode)
        }))
    }

    fn tables_workload(mut self, threads: Threads) -> Result<Workload<'static>, WorkloadError> {
        let [size, _] = self.sizes()?;
        let (mut out, mut link) = (vec![Vec::new(); threads.count()], Loopback::to_waiting()?);
        Ok(Workload::in_parts(size, move || {
            self.garble_and_send(&threads, &mut out, &mut link, |_, _, _| Ok(()))
        }))
    }

    fn labels_workload(self) -> Result<Workload<'static>, WorkloadError> {
        let [_, size] = self.sizes()?;
        let shared = std::rc::Rc::new(std::cell::RefCell::new(self));
        let circuits = std::rc::Rc::clone(&shared);
        let prepare = move || Ok(circuits.borrow_mut().garble_tables(&mut [Vec::new()]));
        let run = move |waiting: Vec<GarblerInputs>| {
            let circuits = shared.borrow();
            let mut pieces = waiting.into_iter();
            pieces.try_for_each(|inputs| circuits.encode(inputs, &mut Vec::new()))
        };
        Ok(Workload::once(size, prepare, run))
    }

    fn evaluate_workload(
        mut self,
        set: WorkingSet,
        threads: Threads,
    ) -> Result<Workload<'static>, WorkloadError> {
        let [tables, labels] = self.sizes()?;
        let (garbled, inputs) = self.garble_and_keep()?;
        let (corrections, _) = self.choose(self.transfers.receives())?;
        let transfer = self.transfer(inputs, self.transfers.sends()?, &corrections)?;
        let shared = Arc::new(self);
        let circuits = Arc::clone(&shared);
        let prepare = move || {
            let pending = circuits.choose(circuits.transfers.receives())?.1;
            circuits.receive(&transfer, pending)
        };
        let whole = gone_through(set).unwrap_or(0);
        let copies = whole / (tables + labels).0.max(1) as usize;
        let mut turns: Vec<Vec<Garbled>> = (0..copies).map(|_| garbled.clone()).collect();
        turns.push(garbled);
        let mut next = 0;
        let run = move |labels| {
            next = (next + 1) % turns.len();
            threads.run(|| shared.evaluate(&turns[next], labels, threads.count()))
        };
        Ok(match set {
            WorkingSet::Hot => Workload::once(Bytes(0), prepare, run),
            _ => Workload::once(Bytes(0), Sweep::of(FAR).after(prepare), run),
        })
    }

    fn choices_workload(self, set: WorkingSet) -> Result<Workload<'static>, WorkloadError> {
        let prepare = Sweep::before(set).alone();
        let read = move |()| Ok(self.layer.choices(&self.evaluator_shares)?);
        Ok(Workload::once(Bytes(0), prepare, read))
    }

    fn accept_workload(self, set: WorkingSet) -> Result<Workload<'static>, WorkloadError> {
        let (corrections, _) = self.choose(self.transfers.receives())?;
        let shared = std::rc::Rc::new(self);
        let circuits = std::rc::Rc::clone(&shared);
        let sweep = Sweep::before(set);
        let prepare = sweep.after(move || circuits.transfers.sends());
        let run = move |sends| {
            let read = ChoiceCorrections::read(shared.transfers.count, &corrections)?;
            let (layer, delta) = (&shared.layer, shared.transfers.delta());
            Ok(GarbledPieces::corrected(layer, sends, &read, delta)?)
        };
        Ok(Workload::once(Bytes(0), prepare, run))
    }

    fn receive_workload(mut self, set: WorkingSet) -> Result<Workload<'static>, WorkloadError> {
        let inputs = self.start().into_evaluator_inputs()?;
        let (corrections, _) = self.choose(self.transfers.receives())?;
        let transfer = self.transfer(inputs, self.transfers.sends()?, &corrections)?;
        let shared = std::rc::Rc::new(self);
        let circuits = std::rc::Rc::clone(&shared);
        let prepare = move || Ok(circuits.choose(circuits.transfers.receives())?.1);
        let prepare = Sweep::before(set).after(prepare);
        let run = move |pending| shared.receive(&transfer, pending);
        Ok(Workload::once(Bytes(0), prepare, run))
    }

    fn derandomize_workload(
        self,
        role: OtRole,
        set: WorkingSet,
    ) -> Result<Workload<'static>, WorkloadError> {
        let (corrections, _) = self.choose(self.transfers.receives())?;
        let sweep = Sweep::before(set);
        let shared = std::rc::Rc::new(std::cell::RefCell::new(self));
        let circuits = std::rc::Rc::clone(&shared);
        let choices = corrections.len();
        Ok(match role {
            OtRole::Receiver => Workload::once(
                Bytes(choices as u64),
                sweep.after(move || Ok(circuits.borrow().transfers.receives())),
                move |receives| shared.borrow().choose(receives),
            ),
            OtRole::Sender => Workload::once(
                Bytes(0),
                sweep.after(move || {
                    let sends = circuits.borrow().transfers.sends()?;
                    let pieces = circuits.borrow_mut().start();
                    Ok((pieces.into_evaluator_inputs()?, sends))
                }),
                move |(inputs, sends)| shared.borrow().transfer(inputs, sends, &corrections),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circuits_give_the_shares_of_the_plain_function() {
        for (bits, hash) in [20, 30, 20].into_iter().zip(GarblingHash::ALL) {
            let mut circuits = Circuits::new(relu(bits).unwrap(), hash, 5).unwrap();
            let (garbled, inputs) = circuits.garble_and_keep().unwrap();
            let (corrections, pending) = circuits.choose(circuits.transfers.receives()).unwrap();
            let sends = circuits.transfers.sends().unwrap();
            let transfer = circuits.transfer(inputs, sends, &corrections).unwrap();
            let labels = circuits.receive(&transfer, pending).unwrap();
            let outputs = circuits.evaluate(&garbled, labels, 2).unwrap();
            for (i, &output) in outputs.iter().enumerate() {
                let (a, b) = (circuits.garbler_shares[i], circuits.evaluator_shares[i]);
                let expected = circuits
                    .circuit
                    .plain(&[a], &[b], circuits.masks[i])
                    .unwrap();
                assert_eq!(output, expected);
            }
        }
    }

    #[test]
    fn every_workload_runs() {
        let ops = [Op::Garble, Op::GarbleTables, Op::EncodeLabels, Op::Evaluate];
        let circuits = GarblingHash::ALL
            .into_iter()
            .flat_map(|hash| ops.map(|op| Case::relu(op, hash, 20, 3).unwrap()));
        let sides = [OtRole::Sender, OtRole::Receiver]
            .into_iter()
            .flat_map(|role| {
                [
                    (Op::BaseOt, 128),
                    (Op::OtCorrelated, 200),
                    (Op::OtDerandomize, 60),
                ]
                .map(|(op, count)| Case::transfer(op, role, count))
            });
        let values = [
            ValueOp::ReadChoices,
            ValueOp::AcceptChoices,
            ValueOp::ReceiveLabels,
        ];
        let values = values.map(|op| Case::values(op, 60));
        for case in circuits.into_iter().chain(sides).chain(values) {
            let mut workload = workload(&case).unwrap();
            assert!(workload.time(2).unwrap().0 > 0.0, "{case}");
        }
    }
}
