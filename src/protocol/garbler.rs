//! The garbling side of a run, whichever party has it: transfers sent, layers garbled, own labels.
//!
//! It does the acts that `work` calls the garbler's, out of a party's [`View`]; messages come from its inbox and
//! go back as bytes. The share of a result that the garbler keeps is the mask it draws offline.
//! A layer's labels are those of its transfers where the choices are in them before it is garbled, else
//! fresh ones (`Choices`); the garbler's own go with the tables or follow them (`OwnLabels`).

use std::collections::VecDeque;

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::error::PartyError;
use super::inbox::Inbox;
use super::party::{View, out_of_order, written};
use super::roles::{Choices, OwnLabels};
use super::shares;
use super::work::{Act, Action, MessageKind};
use crate::gc::{
    BaseOtOffer, BaseOtReceiver, ChoiceCorrections, ChosenSeeds, Delta, ExtensionColumns,
    ExtensionSender, GarbledPieces, GarblerInputs, Layer, PreparedSends, TreeSums,
};

/// What the garbler keeps during a session.
pub(super) struct Garbler {
    delta: Delta,
    seeds: Option<ChosenSeeds>,
    extension: Option<ExtensionSender>,
    /// Layers between their extension and their last piece, by step.
    layers: Vec<Option<Garbling>>,
    /// A piece that has been sent, for the memory.
    sent: Vec<u8>,
}

/// A layer: its transfers until they are used, its pieces once they can be garbled, the labels of those that
/// wait for the garbler's share, and that share once it is known.
struct Garbling {
    sends: Option<PreparedSends>,
    pieces: Option<GarbledPieces>,
    waiting: VecDeque<GarblerInputs>,
    operand: Option<Zeroizing<Vec<u64>>>,
}

impl Garbler {
    /// Before the base transfers.
    pub(super) fn new<R: CryptoRng>(steps: usize, rng: &mut R) -> Self {
        Self {
            delta: Delta::random(rng),
            seeds: None,
            extension: None,
            layers: (0..steps).map(|_| None).collect(),
            sent: Vec::new(),
        }
    }

    /// Takes back a piece that has been sent: the next one is garbled into its memory.
    pub(super) fn reclaim(&mut self, piece: Vec<u8>) {
        self.sent = piece;
    }

    /// Does one of the garbler's actions.
    pub(super) fn perform<R: CryptoRng>(
        &mut self,
        action: &Action,
        view: &mut View<'_>,
        inbox: &mut Inbox,
        rng: &mut R,
    ) -> Result<Vec<u8>, PartyError> {
        match action.act {
            Act::AnswerBaseOt => {
                let offer = BaseOtOffer::read(&inbox.take(action, MessageKind::BaseOtPoint)?)?;
                let (seeds, reply) = BaseOtReceiver::reply(&offer, &self.delta, rng)?;
                self.seeds = Some(seeds);
                Ok(written(|out| reply.write(out)))
            }
            Act::GrowTrees => self.grow_trees(action, view, inbox),
            Act::DrawShare => draw_mask(action, view, rng),
            Act::AcceptExtension => self.extend(action, view, inbox, rng),
            Act::Garble(piece) => self.garble(action, piece, view, rng),
            Act::SendLabels(_) => self.send_labels(action, view),
            Act::AcceptChoices => self.accept_choices(action, view, inbox),
            Act::TransferLabels => self.transfer_labels(action, view, inbox),
            _ => Err(out_of_order(action)),
        }
    }

    fn layer(&mut self, action: &Action) -> Result<&mut Garbling, PartyError> {
        let layer = action.step.and_then(|index| self.layers.get_mut(index));
        layer.and_then(Option::as_mut).ok_or(out_of_order(action))
    }

    fn grow_trees(
        &mut self,
        action: &Action,
        view: &View<'_>,
        inbox: &mut Inbox,
    ) -> Result<Vec<u8>, PartyError> {
        let extension = view.script.circuits.extension;
        let sums = TreeSums::read(extension, &inbox.take(action, MessageKind::TreeSums)?)?;
        let seeds = self.seeds.take().ok_or(out_of_order(action))?;
        let sender = ExtensionSender::new(extension, &seeds, &self.delta, &sums)?;
        self.extension = Some(sender);
        Ok(Vec::new())
    }

    fn extend<R: CryptoRng>(
        &mut self,
        action: &Action,
        view: &View<'_>,
        inbox: &mut Inbox,
        rng: &mut R,
    ) -> Result<Vec<u8>, PartyError> {
        let (layer, operand) = view.layer(action)?;
        let (count, settings) = (layer.choice_count(), &view.script.circuits);
        let choices = settings.choices(operand);
        let blocks = match choices {
            Choices::Given => settings.extension.given_blocks(count),
            Choices::Corrected | Choices::Transferred => settings.extension.random_blocks(count),
        };
        let columns = inbox.take(action, MessageKind::Extension)?;
        let columns = ExtensionColumns::read(blocks, &columns)?;
        let sender = self.extension.as_mut().ok_or(out_of_order(action))?;
        let sends = sender.extend(count, &columns)?;
        let (sends, pieces) = match choices {
            Choices::Given => {
                let pieces = GarbledPieces::for_choices(&layer, sends, &self.delta)?;
                (None, Some(pieces))
            }
            Choices::Corrected => (Some(sends), None),
            Choices::Transferred => {
                let pieces = GarbledPieces::fresh(&layer, &self.delta, rng);
                (Some(sends), Some(pieces))
            }
        };
        let (index, _) = view.step(action)?;
        self.layers[index] = Some(Garbling {
            sends,
            pieces,
            waiting: VecDeque::new(),
            operand: None,
        });
        Ok(Vec::new())
    }

    fn garble<R: CryptoRng>(
        &mut self,
        action: &Action,
        piece: usize,
        view: &View<'_>,
        rng: &mut R,
    ) -> Result<Vec<u8>, PartyError> {
        let (layer, operand) = view.layer(action)?;
        let mut out = std::mem::take(&mut self.sent);
        let garbling = self.layer(action)?;
        let pieces = garbling.pieces.as_mut().ok_or(out_of_order(action))?;
        let described = layer.pieces().nth(piece).ok_or(out_of_order(action))?;
        let size = layer.tables_size(&described) + layer.labels_size(&described);
        out.reserve((size.0 as usize).saturating_sub(out.len()));
        let inputs = pieces.next_into(&mut out, rng);
        let inputs = inputs.ok_or(out_of_order(action))?;
        if piece + 1 == layer.pieces().len() && garbling.sends.is_none() {
            garbling.pieces = None;
        }
        match view.script.circuits.own_labels(operand) {
            OwnLabels::WithTables => garbling.encode(action, view, inputs, &mut out)?,
            OwnLabels::AfterTables => garbling.waiting.push_back(inputs),
        }
        Ok(out)
    }

    fn send_labels(&mut self, action: &Action, view: &View<'_>) -> Result<Vec<u8>, PartyError> {
        let garbling = self.layer(action)?;
        let inputs = garbling.waiting.pop_front().ok_or(out_of_order(action))?;
        let mut out = Vec::new();
        garbling.encode(action, view, inputs, &mut out)?;
        Ok(out)
    }

    fn accept_choices(
        &mut self,
        action: &Action,
        view: &View<'_>,
        inbox: &mut Inbox,
    ) -> Result<Vec<u8>, PartyError> {
        let (layer, _) = view.layer(action)?;
        let choices = corrections(action, &layer, inbox)?;
        let delta = &self.delta;
        let garbling = action.step.and_then(|index| self.layers.get_mut(index));
        let garbling = garbling.and_then(Option::as_mut);
        let garbling = garbling.ok_or(out_of_order(action))?;
        let sends = garbling.sends.take().ok_or(out_of_order(action))?;
        let pieces = GarbledPieces::corrected(&layer, sends, &choices, delta)?;
        garbling.pieces = Some(pieces);
        Ok(Vec::new())
    }

    fn transfer_labels(
        &mut self,
        action: &Action,
        view: &View<'_>,
        inbox: &mut Inbox,
    ) -> Result<Vec<u8>, PartyError> {
        let (layer, _) = view.layer(action)?;
        let choices = corrections(action, &layer, inbox)?;
        let garbling = self.layer(action)?;
        let both = garbling.sends.take().zip(garbling.pieces.take());
        let (sends, pieces) = both.ok_or(out_of_order(action))?;
        let transfer = pieces.into_evaluator_inputs()?.transfer(sends, &choices)?;
        Ok(written(|out| transfer.write(out)))
    }
}

/// The evaluator's corrections for a layer.
fn corrections(
    action: &Action,
    layer: &Layer,
    inbox: &mut Inbox,
) -> Result<ChoiceCorrections, PartyError> {
    let choices = inbox.take(action, MessageKind::Choices)?;
    Ok(ChoiceCorrections::read(layer.choice_count(), &choices)?)
}

impl Garbling {
    /// Appends the garbler's labels of a piece.
    fn encode(
        &mut self,
        action: &Action,
        view: &View<'_>,
        inputs: GarblerInputs,
        out: &mut Vec<u8>,
    ) -> Result<(), PartyError> {
        let (layer, _) = view.layer(action)?;
        let (index, _) = view.step(action)?;
        let masks = view.share(index).ok_or(out_of_order(action))?;
        let operand = match &mut self.operand {
            Some(operand) => operand,
            none => none.insert(view.circuit_operand(action)?),
        };
        Ok(inputs.encode_into(&layer, operand, masks, out)?)
    }
}

/// The garbler's share of a circuit's result: uniform, and the mask of what the evaluator learns.
fn draw_mask<R: CryptoRng>(
    action: &Action,
    view: &mut View<'_>,
    rng: &mut R,
) -> Result<Vec<u8>, PartyError> {
    view.layer(action)?;
    let (_, step) = view.step(action)?;
    let p = view.p_out(step);
    let share = shares::drawn(step.shape_out.len(), p, rng);
    view.store(action, share)?;
    Ok(Vec::new())
}
