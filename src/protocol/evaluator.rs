//! The evaluating side of a run, whichever party has it: transfers received, pieces evaluated.
//!
//! It does the acts that `work` calls the evaluator's, out of a party's [`View`]; messages come from its inbox
//! and go back as bytes. Transfers are extended for the evaluator's share where it is known offline, else for
//! random choices that are corrected online (`Choices`).

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::error::PartyError;
use super::inbox::Inbox;
use super::party::{View, out_of_order, written};
use super::roles::{Choices, OwnLabels};
use super::work::{Act, Action, MessageKind};
use crate::gc::{
    BaseOtReply, BaseOtSender, EvaluatedPieces, EvaluatorLabels, ExtensionReceiver, PendingLabels,
    PieceMessages, PreparedReceives,
};

/// What the evaluator keeps during a session.
pub(super) struct Evaluator {
    base: Option<BaseOtSender>,
    extension: Option<ExtensionReceiver>,
    /// Transfers until they are used, by step.
    prepared: Vec<Option<PreparedReceives>>,
    /// Transfers whose choices have been corrected, before the labels arrive.
    pending: Option<PendingLabels>,
    /// The layer being evaluated, and its outputs so far.
    evaluation: Option<(EvaluatedPieces, Zeroizing<Vec<u64>>)>,
}

impl Evaluator {
    /// Before the base transfers.
    pub(super) fn new(steps: usize) -> Self {
        Self {
            base: None,
            extension: None,
            prepared: (0..steps).map(|_| None).collect(),
            pending: None,
            evaluation: None,
        }
    }

    /// Does one of the evaluator's actions.
    pub(super) fn perform<R: CryptoRng>(
        &mut self,
        action: &Action,
        view: &mut View<'_>,
        inbox: &mut Inbox,
        rng: &mut R,
    ) -> Result<Vec<u8>, PartyError> {
        match action.act {
            Act::StartBaseOt => {
                let (base, offer) = BaseOtSender::offer(rng);
                self.base = Some(base);
                Ok(written(|out| offer.write(out)))
            }
            Act::FinishBaseOt => {
                let reply = BaseOtReply::read(&inbox.take(action, MessageKind::BaseOtReply)?)?;
                let base = self.base.take().ok_or(out_of_order(action))?;
                let extension = view.script.circuits.extension;
                let (receiver, sums) = ExtensionReceiver::new(extension, &base.finish(&reply)?);
                self.extension = Some(receiver);
                Ok(written(|out| sums.write(out)))
            }
            Act::ExtendOt => self.extend(action, view),
            Act::Choose => self.choose(action, view),
            Act::Evaluate(piece) => self.evaluate(action, piece, view, inbox),
            _ => Err(out_of_order(action)),
        }
    }

    fn extend(&mut self, action: &Action, view: &View<'_>) -> Result<Vec<u8>, PartyError> {
        let (layer, operand) = view.layer(action)?;
        let (index, _) = view.step(action)?;
        let extension = self.extension.as_mut().ok_or(out_of_order(action))?;
        let (columns, prepared) = match view.script.circuits.choices(operand) {
            Choices::Given => {
                let operand = view.circuit_operand(action)?;
                extension.extend(&layer.choices(&operand)?)
            }
            Choices::Corrected | Choices::Transferred => {
                extension.extend_random(layer.choice_count())
            }
        };
        self.prepared[index] = Some(prepared);
        Ok(written(|out| columns.write(out)))
    }

    fn choose(&mut self, action: &Action, view: &View<'_>) -> Result<Vec<u8>, PartyError> {
        let (layer, _) = view.layer(action)?;
        let operand = view.circuit_operand(action)?;
        let choices = layer.choices(&operand)?;
        let (corrections, pending) = self.prepared(action)?.correct(&choices)?;
        self.pending = Some(pending);
        Ok(written(|out| corrections.write(out)))
    }

    /// The step's transfers, used up.
    fn prepared(&mut self, action: &Action) -> Result<PreparedReceives, PartyError> {
        let prepared = action.step.and_then(|index| self.prepared.get_mut(index));
        prepared.and_then(Option::take).ok_or(out_of_order(action))
    }

    fn evaluate(
        &mut self,
        action: &Action,
        index: usize,
        view: &mut View<'_>,
        inbox: &mut Inbox,
    ) -> Result<Vec<u8>, PartyError> {
        let (layer, operand) = view.layer(action)?;
        if index == 0 {
            let labels = self.labels(action, view, inbox)?;
            let pieces = EvaluatedPieces::new(&layer, labels)?;
            let outputs = Zeroizing::new(Vec::with_capacity(layer.circuits()));
            self.evaluation = Some((pieces, outputs));
        }
        let (pieces, outputs) = self.evaluation.as_mut().ok_or(out_of_order(action))?;
        let piece = layer.pieces().nth(index).ok_or(out_of_order(action))?;
        let garbled = inbox.take(action, MessageKind::Garbled)?;
        let later;
        let (tables, labels) = match view.script.circuits.own_labels(operand) {
            OwnLabels::WithTables => split_end(&garbled, layer.labels_size(&piece).0 as usize),
            OwnLabels::AfterTables => {
                later = inbox.take(action, MessageKind::GarblerLabels)?;
                (garbled.as_slice(), later.as_slice())
            }
        };
        pieces.next(PieceMessages { tables, labels }, outputs)?;
        if index + 1 == layer.pieces().len() {
            let share = std::mem::take(&mut **outputs);
            self.evaluation = None;
            view.store(action, share)?;
        }
        Ok(Vec::new())
    }

    /// The evaluator's labels of the whole layer.
    fn labels(
        &mut self,
        action: &Action,
        view: &View<'_>,
        inbox: &mut Inbox,
    ) -> Result<EvaluatorLabels, PartyError> {
        let (_, operand) = view.layer(action)?;
        let choices = view.script.circuits.choices(operand);
        if choices == Choices::Given {
            return Ok(self.prepared(action)?.into_labels());
        }
        let pending = self.pending.take().ok_or(out_of_order(action))?;
        if choices == Choices::Corrected {
            return Ok(pending.into_labels());
        }
        let transfer = inbox.take(action, MessageKind::Labels)?;
        Ok(pending.receive(&transfer)?)
    }
}

/// `bytes` without its last `size`, and those; all of a shorter one comes first.
fn split_end(bytes: &[u8], size: usize) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.len().saturating_sub(size))
}
