//! What both parties keep: the script, parameters of its linear steps, their shares of every value.
//!
//! Shares are wiped when the view is dropped.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::PartyError;
use super::inbox::{Inbox, Place};
use super::roles::{Known, Party, WeightEncoding};
use super::shares;
use super::square;
use super::steps::{Held, layer_params, operands_held_by_server};
use super::work::{Action, Script, StepPlan};
use crate::bfv::BfvParams;
use crate::gc::Layer;
use crate::network::{Source, Step, StepKind};
use crate::packing::{Plan, Windows};
use crate::units::Bytes;

/// A party's view of a run.
pub(super) struct View<'a> {
    pub(super) script: &'a Script,
    params: Vec<Option<BfvParams>>,
    layers: Vec<Option<Arc<Layer>>>,
    /// Whether the server's share of a step's operand can be anything but zero, by step.
    held: Vec<Held>,
    input: Zeroizing<Vec<u64>>,
    shares: Vec<Option<Zeroizing<Vec<u64>>>>,
}

impl<'a> View<'a> {
    /// The view at the start; `input` is the party's share of the network's input.
    pub(super) fn new(script: &'a Script, input: Vec<u64>) -> Result<Self, PartyError> {
        let params = |step: &StepPlan| match step {
            StepPlan::Linear { crypto, .. } => Ok(Some(layer_params(crypto)?)),
            StepPlan::Circuit { .. } | StepPlan::Local => Ok(None),
        };
        let params = script
            .steps
            .iter()
            .map(params)
            .collect::<Result<Vec<_>, PartyError>>()?;
        let layer = |step: &StepPlan| match step {
            StepPlan::Circuit { circuit, batch, .. } => {
                let layer = Layer::new(circuit, *batch, script.circuits.hash)?;
                Ok(Some(Arc::new(layer)))
            }
            StepPlan::Linear { .. } | StepPlan::Local => Ok(None),
        };
        let layers = script
            .steps
            .iter()
            .map(layer)
            .collect::<Result<Vec<_>, PartyError>>()?;
        let shares = vec![None; script.steps.len()];
        let input = Zeroizing::new(input);
        Ok(Self {
            script,
            params,
            layers,
            held: operands_held_by_server(&script.network),
            input,
            shares,
        })
    }

    pub(super) fn step(&self, action: &Action) -> Result<(usize, &'a Step), PartyError> {
        let index = action.step.ok_or(out_of_order(action))?;
        let step = self
            .script
            .network
            .steps
            .get(index)
            .ok_or(out_of_order(action))?;
        Ok((index, step))
    }

    /// Packing, parameters and ring of the action's linear step.
    pub(super) fn linear(
        &self,
        action: &Action,
    ) -> Result<(&'a Plan, &BfvParams, usize), PartyError> {
        let (index, _) = self.step(action)?;
        match (&self.script.steps[index], &self.params[index]) {
            (StepPlan::Linear { plan, ring, .. }, Some(params)) => Ok((plan, params, *ring)),
            _ => Err(out_of_order(action)),
        }
    }

    /// When the weights of the action's linear step are encoded.
    pub(super) fn weight_encoding(&self, action: &Action) -> Result<WeightEncoding, PartyError> {
        let (index, _) = self.step(action)?;
        match &self.script.steps[index] {
            StepPlan::Linear { weights, .. } => Ok(*weights),
            StepPlan::Circuit { .. } | StepPlan::Local => Err(out_of_order(action)),
        }
    }

    /// How the weights of the action's linear step are cut.
    pub(super) fn windows(&self, action: &Action) -> Result<Windows, PartyError> {
        let (index, _) = self.step(action)?;
        match &self.script.steps[index] {
            StepPlan::Linear { crypto, .. } => Ok(crypto.windows()),
            StepPlan::Circuit { .. } | StepPlan::Local => Err(out_of_order(action)),
        }
    }

    /// The slots of the party's share of a linear step's operand, for each input of the plan those of all
    /// windows.
    pub(super) fn packed(
        &self,
        action: &Action,
    ) -> Result<Zeroizing<Vec<Vec<Vec<u64>>>>, PartyError> {
        let (plan, windows) = (self.linear(action)?.0, self.windows(action)?);
        let packed = plan.pack_input(&self.encrypted_operand(action)?);
        let scaled = packed.into_iter().map(|slots| windows.scaled(slots));
        Ok(Zeroizing::new(scaled.collect()))
    }

    /// Parameters of a ring: those of the first linear step that uses it.
    pub(super) fn ring(&self, index: usize) -> Option<&BfvParams> {
        let uses =
            |step: &StepPlan| matches!(step, StepPlan::Linear { ring, .. } if *ring == index);
        let step = self.script.steps.iter().position(uses)?;
        self.params[step].as_ref()
    }

    /// The layer of the action's step, and when its operand is known.
    pub(super) fn layer(&self, action: &Action) -> Result<(Arc<Layer>, Known), PartyError> {
        let (index, _) = self.step(action)?;
        match (&self.script.steps[index], &self.layers[index]) {
            (StepPlan::Circuit { operand, .. }, Some(layer)) => Ok((Arc::clone(layer), *operand)),
            _ => Err(out_of_order(action)),
        }
    }

    /// The party's share of the operand of a circuit, as it goes in.
    pub(super) fn circuit_operand(
        &self,
        action: &Action,
    ) -> Result<Zeroizing<Vec<u64>>, PartyError> {
        let (_, step) = self.step(action)?;
        let share = self.operand(action)?;
        Ok(Zeroizing::new(shares::circuit_operand(step, share)))
    }

    /// Modulus of the step's result.
    pub(super) fn p_out(&self, step: &Step) -> u64 {
        self.script.moduli[step.domain]
    }

    fn value(&self, source: &Source) -> Option<&[u64]> {
        match source {
            Source::Input => Some(&self.input),
            Source::Layer(index) => self
                .shares
                .get(*index)?
                .as_ref()
                .map(|share| share.as_slice()),
        }
    }

    /// The party's share of the step's (first) operand.
    pub(super) fn operand(&self, action: &Action) -> Result<&[u64], PartyError> {
        let (_, step) = self.step(action)?;
        let source = step.inputs.first().ok_or(out_of_order(action))?;
        self.value(source).ok_or(out_of_order(action))
    }

    /// What the client encrypts of its share of the step's operand.
    pub(super) fn encrypted_operand(
        &self,
        action: &Action,
    ) -> Result<Zeroizing<Vec<u64>>, PartyError> {
        let ((_, step), share) = (self.step(action)?, self.operand(action)?);
        Ok(Zeroizing::new(match step.kind {
            StepKind::Square => square::with_squares(share, self.p_out(step)),
            _ => share.to_vec(),
        }))
    }

    /// The party's share of a local step's result, from its shares of the operands.
    fn local(&self, action: &Action) -> Result<Option<Vec<u64>>, PartyError> {
        let (_, step) = self.step(action)?;
        let values = step.inputs.iter().map(|source| self.value(source));
        let operands = values
            .collect::<Option<Vec<_>>>()
            .ok_or(out_of_order(action))?;
        Ok(shares::local(step, &operands, self.p_out(step)))
    }

    /// The party's share of a step's result, where it has one.
    pub(super) fn share(&self, index: usize) -> Option<&[u64]> {
        self.shares
            .get(index)?
            .as_ref()
            .map(|share| share.as_slice())
    }

    /// Whether the server adds its share of the step's operand to what the client encrypts.
    pub(super) fn operand_is_shared(&self, action: &Action) -> Result<bool, PartyError> {
        let (index, _) = self.step(action)?;
        Ok(self.held.get(index) == Some(&Held::Yes))
    }

    /// Stores the party's share of a local step's result.
    pub(super) fn run_local(&mut self, action: &Action) -> Result<Vec<u8>, PartyError> {
        let share = self.local(action)?.ok_or(out_of_order(action))?;
        self.store(action, share)?;
        Ok(Vec::new())
    }

    /// Takes the memory that an inference fills, touches it and gives it up: an allocator that keeps what it was
    /// given up finds it again when messages of these sizes are made. What is going to wait in a store takes none.
    pub(super) fn reserve(&self, party: Party, inbox: &Inbox) -> Result<Vec<u8>, PartyError> {
        let waiting = match inbox.keeps() {
            Place::Memory => self.script.waiting(party),
            Place::Store => Vec::new(),
        };
        let sizes = waiting.into_iter().chain(self.script.worked_on());
        let taken = sizes.map(touched).collect::<Result<Vec<_>, _>>()?;
        drop(std::hint::black_box(taken));
        Ok(Vec::new())
    }

    /// Stores the party's share of the action's step.
    pub(super) fn store(&mut self, action: &Action, share: Vec<u64>) -> Result<(), PartyError> {
        let (index, _) = self.step(action)?;
        self.shares[index] = Some(Zeroizing::new(share));
        Ok(())
    }

    /// The party's share of the result, the step that gave it, and its modulus.
    pub(super) fn result(&self, action: &Action) -> Result<(&[u64], &'a Step, u64), PartyError> {
        let last = self
            .script
            .network
            .steps
            .last()
            .ok_or(out_of_order(action))?;
        let share = self.shares.last().and_then(Option::as_ref);
        let share = share.ok_or(out_of_order(action))?;
        Ok((share, last, self.p_out(last)))
    }
}

pub(super) fn out_of_order(action: &Action) -> PartyError {
    PartyError::OutOfOrder { act: action.act }
}

/// Memory of this size, written to.
fn touched(size: Bytes) -> Result<Vec<u8>, PartyError> {
    let refused = PartyError::Memory { size };
    let mut memory = Vec::new();
    let length = usize::try_from(size.0).map_err(|_| PartyError::Memory { size })?;
    memory.try_reserve_exact(length).map_err(|_| refused)?;
    memory.resize(length, 1);
    Ok(memory)
}

/// What `write` appends to an empty message.
pub(super) fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}
