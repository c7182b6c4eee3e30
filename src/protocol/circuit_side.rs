//! Which side of the circuits a party has: it garbles or it evaluates, all through a session.

use rand::CryptoRng;

use super::error::PartyError;
use super::evaluator::Evaluator;
use super::garbler::Garbler;
use super::inbox::Inbox;
use super::party::View;
use super::roles::Party;
use super::work::{Act, Action, Script};

/// A party's side of the circuits.
#[expect(clippy::large_enum_variant, reason = "a party has one")]
pub(super) enum CircuitSide {
    /// It garbles.
    Garbler(Garbler),
    /// It evaluates.
    Evaluator(Evaluator),
}

impl CircuitSide {
    /// `party`'s side of a script.
    pub(super) fn of<R: CryptoRng>(party: Party, script: &Script, rng: &mut R) -> Self {
        let steps = script.steps.len();
        if script.circuits.garbler == party {
            Self::Garbler(Garbler::new(steps, rng))
        } else {
            Self::Evaluator(Evaluator::new(steps))
        }
    }

    /// Takes back the message of an action that has been sent.
    pub(super) fn reclaim(&mut self, action: &Action, message: Vec<u8>) {
        if let (Self::Garbler(garbler), Act::Garble(_)) = (self, action.act) {
            garbler.reclaim(message);
        }
    }

    /// Does an action of this side; all others are out of order.
    pub(super) fn perform<R: CryptoRng>(
        &mut self,
        action: &Action,
        view: &mut View<'_>,
        inbox: &mut Inbox,
        rng: &mut R,
    ) -> Result<Vec<u8>, PartyError> {
        match self {
            Self::Garbler(garbler) => garbler.perform(action, view, inbox, rng),
            Self::Evaluator(evaluator) => evaluator.perform(action, view, inbox, rng),
        }
    }
}
