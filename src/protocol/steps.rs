//! How each step of a network is carried out: moduli, packing, circuits, keys that layers share.

use std::collections::BTreeSet;

use super::error::ProtocolError;
use super::roles::{Known, Party, Phase, WeightEncoding};
use super::work::{RingKeys, StepPlan, encoded};
use crate::bfv::{BfvError, BfvLiteral, BfvParams, Rotation};
use crate::gc::{ShareCircuit, places};
use crate::network::{Origin, ResolvedNetwork, Source, StepKind};
use crate::packing::{LinearShape, Plan, PlanRequest};
use crate::params::{LayerCrypto, circuit_function};
use crate::security::{Requirement, Verdict};
use crate::units::Bytes;

/// Modulus of each domain: the p of its linear steps, or the least odd one that holds its values; of an argmax's
/// place the power of two of its bits.
pub(super) fn moduli(network: &ResolvedNetwork, crypto: &[Option<LayerCrypto>]) -> Vec<u64> {
    let mut moduli: Vec<u64> = network
        .domains
        .iter()
        .map(|domain| 2 * domain.bound + 1)
        .collect();
    for (step, crypto) in network.steps.iter().zip(crypto) {
        if let Some(crypto) = crypto {
            moduli[step.domain] = crypto.p;
        }
    }
    for step in network.steps.iter().filter(|s| s.kind == StepKind::Argmax) {
        moduli[step.domain] = places(step.shape_in.len());
    }
    moduli
}

/// Key sets, one for each set of parameters.
#[derive(Default)]
pub(super) struct Rings {
    pub(super) keys: Vec<RingKeys>,
}

impl Rings {
    /// Index of the keys for `crypto`'s ring, made to serve `rotations` too.
    fn serve(&mut self, crypto: &LayerCrypto, rotations: BTreeSet<Rotation>) -> usize {
        let same = |keys: &RingKeys| BfvLiteral::from(&keys.crypto) == BfvLiteral::from(crypto);
        let index = self.keys.iter().position(same).unwrap_or_else(|| {
            self.keys.push(RingKeys {
                crypto: crypto.clone(),
                rotations: Vec::new(),
            });
            self.keys.len() - 1
        });
        let keys = &mut self.keys[index];
        let all: BTreeSet<_> = keys.rotations.iter().copied().chain(rotations).collect();
        keys.rotations = all.into_iter().collect();
        index
    }
}

/// What the steps of a network have in common.
pub(super) struct Planner<'a> {
    pub(super) network: &'a ResolvedNetwork,
    /// Parameters of the linear steps.
    pub(super) crypto: &'a [Option<LayerCrypto>],
    pub(super) moduli: &'a [u64],
    /// When shares are known, by step.
    pub(super) known: &'a [StepKnown],
}

/// How the step at `index` is carried out; its rotations are added to those of its ring.
pub(super) fn plan_step(
    planner: &Planner<'_>,
    index: usize,
    rings: &mut Rings,
) -> Result<StepPlan, ProtocolError> {
    let &Planner {
        network,
        crypto,
        moduli,
        known,
    } = planner;
    let step = &network.steps[index];
    if let Some(function) = circuit_function(step) {
        let circuit = ShareCircuit {
            function,
            p_in: moduli[network.operand_domain(step)],
            p_out: moduli[step.domain],
        };
        return Ok(StepPlan::Circuit {
            circuit,
            batch: step.shape_out.len(),
            operand: known[index].operand,
        });
    }
    Ok(match &step.kind {
        StepKind::Linear(_) | StepKind::Square => {
            let missing = || ProtocolError::NoParameters {
                step: step.name.clone(),
            };
            let crypto = crypto
                .get(index)
                .and_then(Option::as_ref)
                .ok_or_else(missing)?
                .clone();
            let packing = |reason| ProtocolError::Packing {
                step: step.name.clone(),
                reason,
            };
            let layer = LinearShape::of_step(step).map_err(packing)?;
            let request = PlanRequest {
                schedule: crypto.schedule.clone(),
                n: crypto.n,
                layer,
            };
            let plan = Plan::try_from(request).map_err(packing)?;
            let ring = rings.serve(&crypto, plan.rotations());
            StepPlan::Linear {
                crypto,
                plan,
                ring,
                weights: match step.kind {
                    StepKind::Square => WeightEncoding::OfShare,
                    _ => WeightEncoding::Ahead,
                },
            }
        }
        _ => StepPlan::Local,
    })
}

/// Keeps encoded weights of up to `limit` bytes in all: those of the largest steps that fit, since a byte kept
/// saves the same work whosever it is. The others are streamed.
pub(super) fn keep_weights(steps: &mut [StepPlan], limit: Bytes) {
    let mut linear: Vec<(Bytes, &mut WeightEncoding)> = steps
        .iter_mut()
        .filter_map(|step| match step {
            StepPlan::Linear {
                crypto,
                plan,
                weights: weights @ WeightEncoding::Ahead,
                ..
            } => Some((encoded(crypto, plan), weights)),
            StepPlan::Linear { .. } | StepPlan::Circuit { .. } | StepPlan::Local => None,
        })
        .collect();
    linear.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let mut left = limit;
    for (bytes, weights) in linear {
        *weights = if bytes <= left {
            left.0 -= bytes.0;
            WeightEncoding::Ahead
        } else {
            WeightEncoding::Streamed
        };
    }
}

/// When the parties know their shares of a step's operands and of its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StepKnown {
    /// Of all operands.
    pub(super) operand: Known,
    /// Of the result.
    pub(super) result: Known,
}

/// For each step, when shares are known: the server draws its share of a linear layer's result, and the garbler
/// its share of a circuit's, offline; of the network's input the server's share is zero.
pub(super) fn shares_known(network: &ResolvedNetwork, garbler: Party) -> Vec<StepKnown> {
    let drawn_by = |party| match party {
        Party::Client => Known {
            client: Phase::Offline,
            server: Phase::Online,
        },
        Party::Server => Known {
            client: Phase::Online,
            server: Phase::Offline,
        },
    };
    let at_once = Known {
        client: Phase::Offline,
        server: Phase::Offline,
    };
    let mut steps: Vec<StepKnown> = Vec::new();
    for step in &network.steps {
        let of_source = |source: &Source| match source {
            Source::Input => drawn_by(Party::Server),
            Source::Layer(index) => steps[*index].result,
        };
        let operands = step.inputs.iter().map(of_source);
        let operand = operands.fold(at_once, Known::and);
        let result = match step.kind {
            StepKind::Linear(_) | StepKind::Square => drawn_by(Party::Server),
            _ if circuit_function(step).is_some() => drawn_by(garbler),
            _ => operand,
        };
        steps.push(StepKnown { operand, result });
    }
    steps
}

/// Whether the server adds its share of an operand, which may be zero, to what the client encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// It has a share, and adds it.
    Yes,
    /// The client holds all of it; or it is squared, which takes more than a sum.
    No,
}

/// For each step, whether the server adds a share of its operand: it has none before the first
/// linear step or activation.
pub(super) fn operands_held_by_server(network: &ResolvedNetwork) -> Vec<Held> {
    let steps = network.origins().into_iter().zip(&network.steps);
    let held = steps.map(|(origin, step)| match (origin, &step.kind) {
        (Origin::Input, _) | (_, StepKind::Square) => Held::No,
        (Origin::Computed, _) => Held::Yes,
    });
    held.collect()
}

/// The checked parameters of a layer; the security table is asked again.
pub(super) fn layer_params(crypto: &LayerCrypto) -> Result<BfvParams, BfvError> {
    let Verdict {
        table,
        attack,
        secret,
        level,
        ..
    } = crypto.security;
    BfvParams::new(
        &crypto.into(),
        &Requirement {
            table,
            attack,
            secret,
            level,
        },
    )
}
