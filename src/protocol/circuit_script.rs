//! The part of a script that garbles, transfers and evaluates circuits, whoever does which.
//!
//! - *Set-up*: base transfers from the evaluator, and the trees of the extension.
//! - *Offline*: the garbler draws its share of the result; the transfers are extended, for the evaluator's share
//!   where it is known, else for random choices. *Split* ([`Delivery`]), the tables are made and sent piece by
//!   piece and wait with the evaluator, with the garbler's labels where its share is known.
//! - *Online*: an evaluator whose share was not known corrects its choices by one bit each, and is answered with
//!   masked labels; a garbler whose share was not known sends its labels; the evaluator evaluates. *Streamed*,
//!   tables are made after the corrections and sent online, piece by piece, and no labels answer.
//!
//! With the server as garbler all its shares are known offline, and none of the client's: Gazelle. With the client
//! as garbler the server's share of a linear layer's result is known, so that nothing is transferred online
//! but the client's own labels, as in Garimella, Ghodsi, Jha, Garg, Reagen (ASPLOS 2023), section 5.

use super::error::ProtocolError;
use super::gazelle::{Writer, message};
use super::roles::{Choices, CircuitSettings, Delivery, Known, OtRole, OwnLabels};
use super::task::Task;
use super::values::ValueOp;
use super::work::{Act, MessageKind, StepPlan};
use crate::gc::{
    BASE_TRANSFERS, BaseOtOffer, BaseOtReply, GcSizes, PieceSizes, ShareCircuit, TreeSums,
};
use crate::units::Bytes;

/// A step of circuits: what is garbled, which way its labels go, and how long its messages are.
pub(super) struct LayerOfCircuits {
    circuit: ShareCircuit,
    choices: Choices,
    own_labels: OwnLabels,
    batch: u64,
    transfers: u64,
    sizes: GcSizes,
}

impl LayerOfCircuits {
    /// `batch` circuits whose operand is known so.
    ///
    /// # Errors
    /// A circuit that cannot be built.
    pub(super) fn new(
        circuit: ShareCircuit,
        batch: usize,
        operand: Known,
        settings: &CircuitSettings,
    ) -> Result<Self, ProtocolError> {
        Ok(Self {
            circuit,
            choices: settings.choices(operand),
            own_labels: settings.own_labels(operand),
            batch: batch as u64,
            transfers: (circuit.evaluator_input_bits() * batch) as u64,
            sizes: GcSizes::with_extension(&circuit, batch, settings.extension)?,
        })
    }
}

impl Writer<'_> {
    /// The base transfers of a session that has circuits.
    pub(super) fn base_transfers(&mut self) {
        let circuits = |step: &StepPlan| matches!(step, StepPlan::Circuit { .. });
        if !self.steps.iter().any(circuits) {
            return;
        }
        let (garbler, evaluator) = (self.circuits.garbler, self.circuits.garbler.other());
        let count = BASE_TRANSFERS as u64;
        let task = |role| vec![Task::BaseOt { role, count }];
        let point = Bytes(BaseOtOffer::WIRE_SIZE as u64);
        let point = message(MessageKind::BaseOtPoint, point);
        self.act(evaluator, Act::StartBaseOt, vec![], point);
        let reply = Bytes(BaseOtReply::WIRE_SIZE as u64);
        let reply = message(MessageKind::BaseOtReply, reply);
        self.act(garbler, Act::AnswerBaseOt, task(OtRole::Receiver), reply);
        let sums = Bytes(TreeSums::wire_size_of(self.circuits.extension) as u64);
        let sums = message(MessageKind::TreeSums, sums);
        self.act(evaluator, Act::FinishBaseOt, task(OtRole::Sender), sums);
        self.act(garbler, Act::GrowTrees, vec![], None);
    }

    /// A layer before the input is known.
    pub(super) fn circuits_offline(&mut self, layer: &LayerOfCircuits) {
        let (garbler, evaluator) = (self.circuits.garbler, self.circuits.garbler.other());
        let (count, extension) = (layer.transfers, self.circuits.extension);
        let draw = Task::values(ValueOp::DrawShare, layer.batch);
        self.act(garbler, Act::DrawShare, vec![draw], None);
        let task = |role| Task::ExtendOt {
            role,
            extension,
            count,
        };
        let mut extend = vec![task(OtRole::Receiver)];
        let columns = match layer.choices {
            Choices::Given => {
                extend.push(Task::values(ValueOp::ReadChoices, count));
                layer.sizes.extension_given
            }
            Choices::Corrected | Choices::Transferred => layer.sizes.extension,
        };
        let columns = message(MessageKind::Extension, columns);
        self.act(evaluator, Act::ExtendOt, extend, columns);
        let accept = vec![task(OtRole::Sender)];
        self.act(garbler, Act::AcceptExtension, accept, None);
        if self.circuits.delivery == Delivery::Split {
            for (index, piece) in layer.sizes.pieces.iter().enumerate() {
                self.garble(layer, index, piece);
            }
        }
    }

    /// A layer from its operand's shares to its result's.
    pub(super) fn circuits_online(&mut self, layer: &LayerOfCircuits) {
        if layer.choices != Choices::Given {
            self.correct(layer);
        }
        for (index, piece) in layer.sizes.pieces.iter().enumerate() {
            if self.circuits.delivery == Delivery::Streamed {
                self.garble(layer, index, piece);
            }
            if layer.own_labels == OwnLabels::AfterTables {
                self.send_labels(layer, index, piece);
            }
            let mut tasks = vec![Task::Evaluate {
                circuit: layer.circuit,
                hash: self.circuits.hash,
                batch: piece.circuits,
                delivery: self.circuits.delivery,
            }];
            if index == 0 && layer.choices == Choices::Transferred {
                tasks.push(Task::values(ValueOp::ReceiveLabels, layer.transfers));
            }
            let evaluator = self.circuits.garbler.other();
            self.act(evaluator, Act::Evaluate(index), tasks, None);
        }
    }

    fn correct(&mut self, layer: &LayerOfCircuits) {
        let (garbler, evaluator) = (self.circuits.garbler, self.circuits.garbler.other());
        let count = layer.transfers;
        let task = |role| vec![Task::DerandomizeOt { role, count }];
        let (receiver, sender) = (OtRole::Receiver, OtRole::Sender);
        let choices = message(MessageKind::Choices, layer.sizes.corrections);
        self.act(evaluator, Act::Choose, task(receiver), choices);
        if layer.choices == Choices::Transferred {
            let labels = message(MessageKind::Labels, layer.sizes.label_transfer);
            self.act(garbler, Act::TransferLabels, task(sender), labels);
        } else {
            let accept = Task::values(ValueOp::AcceptChoices, count);
            self.act(garbler, Act::AcceptChoices, vec![accept], None);
        }
    }

    fn garble(&mut self, layer: &LayerOfCircuits, index: usize, piece: &PieceSizes) {
        let (circuit, hash, batch) = (layer.circuit, self.circuits.hash, piece.circuits);
        let (task, payload) = match layer.own_labels {
            OwnLabels::WithTables => {
                let task = Task::Garble {
                    circuit,
                    hash,
                    batch,
                };
                (task, piece.tables + piece.garbler_labels)
            }
            OwnLabels::AfterTables => {
                let task = Task::GarbleTables {
                    circuit,
                    hash,
                    batch,
                };
                (task, piece.tables)
            }
        };
        let garbled = message(MessageKind::Garbled, payload);
        self.act(
            self.circuits.garbler,
            Act::Garble(index),
            vec![task],
            garbled,
        );
    }

    fn send_labels(&mut self, layer: &LayerOfCircuits, index: usize, piece: &PieceSizes) {
        let task = Task::EncodeLabels {
            circuit: layer.circuit,
            batch: piece.circuits,
        };
        let labels = message(MessageKind::GarblerLabels, piece.garbler_labels);
        self.act(
            self.circuits.garbler,
            Act::SendLabels(index),
            vec![task],
            labels,
        );
    }
}
