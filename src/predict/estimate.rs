//! Adds up a script: every task at its price, every message over the link.
//!
//! Actions are summed one after the other. In the online phase the parties do take turns; in the
//! set-up and offline the server's drawing of shares may overlap the client's work.

use std::collections::BTreeMap;

use thiserror::Error;

use super::linked_prices::LinkedPrices;
use super::prediction::{
    BytesSplit, CircuitsReport, HeReport, LayerPrediction, Prediction, PredictionTotal,
    SecondsSplit, SetupCost,
};
use super::price_list::{PriceError, PriceList};
use super::reach::Reach;
use crate::bfv::HeOp;
use crate::network::{NetworkError, NetworkParams, Step, Weights};
use crate::params::{LayerCrypto, ParamsError, Prices, Request, Selector};
use crate::protocol::{
    Action, Link, OtRole, Party, Phase, ProtocolError, ProtocolSettings, Script, StepPlan, Task,
    TransferTimes, gazelle_with,
};
use crate::units::Nanos;

/// Why a network could not be predicted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PredictError {
    /// The network does not fit together.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// No parameters exist.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The protocol does not run it.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The calibration lacks an operation.
    #[error(transparent)]
    Price(#[from] PriceError),
}

/// What to predict with.
#[derive(Debug)]
pub struct Setting<'a> {
    /// What is asked of the parameters.
    pub request: Request,
    /// How the protocol is carried out.
    pub protocol: ProtocolSettings,
    /// Prices of the machine.
    pub prices: &'a PriceList,
    /// Name of the profile.
    pub calibration: String,
    /// The link.
    pub link: Link,
}

/// Chooses parameters for a network and writes its script; with weights, for their own ranges.
///
/// # Errors
/// A network that does not fit together, has no parameters, or is beyond the protocol.
pub fn plan(
    network: &NetworkParams,
    weights: Option<&Weights>,
    setting: &Setting<'_>,
) -> Result<Script, PredictError> {
    let prices = LinkedPrices {
        list: setting.prices,
        link: setting.link,
    };
    let selector = Selector::new(setting.request, prices)?;
    plan_with(network, weights, &selector, setting.protocol)
}

/// [`plan`] by a selector that keeps what it found, for many networks.
///
/// # Errors
/// As there.
pub fn plan_with<P: Prices>(
    network: &NetworkParams,
    weights: Option<&Weights>,
    selector: &Selector<P>,
    protocol: ProtocolSettings,
) -> Result<Script, PredictError> {
    let resolved = network.resolve(weights)?;
    let selection = selector.network(&resolved)?;
    Ok(gazelle_with(&resolved, &selection.layers, protocol)?)
}

/// Predicts what a script costs.
///
/// # Errors
/// The calibration lacks an operation.
pub fn estimate(
    network: &NetworkParams,
    script: &Script,
    setting: &Setting<'_>,
) -> Result<Prediction, PredictError> {
    let mut layers: Vec<LayerPrediction> = script
        .network
        .steps
        .iter()
        .zip(&script.steps)
        .map(|(step, plan)| layer(step, plan))
        .collect();
    let mut setup = SetupCost::default();
    let mut transfers = TransferTimes::new(&setting.link);
    let computed = Computed::of(script, setting.prices);
    for action in &script.actions {
        let computation = computed.time(action)?;
        let message = action.sends.map(crate::protocol::Message::wire_bytes);
        let transfer = transfers.of(action, computation);
        let layer = action.step.and_then(|index| layers.get_mut(index));
        if action.phase == Phase::Setup {
            setup.seconds += (computation + transfer).seconds();
            setup.bytes += message.map_or(0, |bytes| bytes.0);
        } else if let Some(layer) = layer {
            let (c, t) = (computation.seconds(), transfer.seconds());
            layer
                .seconds
                .add(&SecondsSplit::of(action.party, action.phase, c, t));
            let bytes = message.map_or(0, |bytes| bytes.0);
            layer
                .bytes
                .add(&BytesSplit::of(action.party, action.phase, bytes));
        }
        if let Some(layer) = action.step.and_then(|index| layers.get_mut(index)) {
            layer.stored = layer.stored.map(|stored| stored + action.waits().0);
            action
                .tasks
                .iter()
                .for_each(|task| count(task, &mut layer.ops));
        }
    }
    let counts = network.counts()?.total;
    let mut total = PredictionTotal {
        seconds: SecondsSplit::default(),
        bytes: BytesSplit::default(),
        relus: counts.relus,
        flops: counts.flops,
        parameters: counts.parameters,
    };
    for layer in &layers {
        total.seconds.add(&layer.seconds);
        total.bytes.add(&layer.bytes);
    }
    Ok(Prediction {
        network: network.name.clone(),
        protocol: "gazelle".to_owned(),
        calibration: setting.calibration.clone(),
        link: setting.link.into(),
        circuits: CircuitsReport::of(script),
        layers,
        setup,
        total,
    })
}

/// Prices of a script's computations.
#[derive(Debug, Clone, Copy)]
pub struct Computed<'a> {
    prices: &'a PriceList,
    reach: Reach,
}

impl<'a> Computed<'a> {
    /// Those of `script`, whose inferences follow each other.
    pub fn of(script: &Script, prices: &'a PriceList) -> Self {
        let reach = Reach::of_script(script);
        Self { prices, reach }
    }

    /// The time of an action's computation.
    ///
    /// # Errors
    /// The calibration lacks an operation.
    pub fn time(&self, action: &Action) -> Result<Nanos, PriceError> {
        let tasks = action.tasks.iter();
        tasks.map(|task| self.prices.task(task, self.reach)).sum()
    }
}

impl SecondsSplit {
    /// Seconds of one action: its party's computation, then the transfer of its message.
    pub fn of(party: Party, phase: Phase, computation: f64, transfer: f64) -> Self {
        let both = computation + transfer;
        let (client, server) = match party {
            Party::Client => (computation, 0.0),
            Party::Server => (0.0, computation),
        };
        let (offline, online) = match phase {
            Phase::Online => (0.0, both),
            Phase::Setup | Phase::Offline => (both, 0.0),
        };
        Self {
            offline,
            online,
            client,
            server,
            link: transfer,
            total: both,
        }
    }
}

impl BytesSplit {
    /// Bytes of the message that `party` sends.
    pub fn of(party: Party, phase: Phase, bytes: u64) -> Self {
        let (to_server, to_client) = match party {
            Party::Client => (bytes, 0),
            Party::Server => (0, bytes),
        };
        let (offline, online) = match phase {
            Phase::Online => (0, bytes),
            Phase::Setup | Phase::Offline => (bytes, 0),
        };
        Self {
            offline,
            online,
            to_server,
            to_client,
            total: bytes,
        }
    }
}

fn layer(step: &Step, plan: &StepPlan) -> LayerPrediction {
    let (he, schedule) = match plan {
        StepPlan::Linear { crypto, plan, .. } => (
            Some(he_report(crypto)),
            Some(plan.schedule_name().to_owned()),
        ),
        StepPlan::Circuit { .. } | StepPlan::Local => (None, None),
    };
    let kept_weights = plan.kept_weights().map(|bytes| bytes.0);
    LayerPrediction {
        name: step.name.clone(),
        kind: step.kind.name().to_owned(),
        input: step.shape_in,
        output: step.shape_out,
        he,
        schedule,
        kept_weights,
        ops: no_ops(),
        seconds: SecondsSplit::default(),
        bytes: BytesSplit::default(),
        stored: matches!(plan, StepPlan::Circuit { .. }).then_some(0),
    }
}

/// The parameters as reports show them.
pub fn he_report(crypto: &LayerCrypto) -> HeReport {
    let strings = |primes: &[u64]| primes.iter().map(u64::to_string).collect();
    HeReport {
        n: crypto.n,
        p: crypto.p.to_string(),
        p_bits: crypto.p_bits,
        q: strings(&crypto.q),
        special: strings(&crypto.special),
        digit_bits: crypto.digit_bits,
        windows: crypto.windows,
        q_bits: crypto.q_bits,
        total_bits: crypto.total_bits,
        security_bits: crypto.security_bits,
        security_table: crypto.security_table.name().to_owned(),
        security_attack: crypto.security.attack.name().to_owned(),
        security_secret: crypto.security.secret.name().to_owned(),
        security_source: crypto.security_table.source().to_owned(),
        security_date: crypto.security_table.date().to_owned(),
        failure_probability: crypto.failure_probability,
        failure_log2: crypto.failure_log2,
        flooding_bits: crypto.flooding_bits,
        noise_margin_bits: crypto.noise_margin_bits,
        p_holds_all_values: crypto.p_holds_all_values,
    }
}

/// Keys that every layer's `ops` has, zero or not; the others name what happens at least once.
const ALWAYS: [&str; 7] = [
    "add",
    "hadamard",
    "rotate",
    "encrypt",
    "decrypt",
    "and_gates",
    "ot",
];

fn no_ops() -> BTreeMap<String, u64> {
    ALWAYS
        .into_iter()
        .map(|name| (name.to_owned(), 0))
        .collect()
}

fn count(task: &Task, ops: &mut BTreeMap<String, u64>) {
    let mut add = |name: &str, count: u64| *ops.entry(name.to_owned()).or_insert(0) += count;
    match task {
        Task::He { op, count, .. } if *count > 0 => {
            add(op.name(), *count);
            if matches!(op, HeOp::EncryptSecret | HeOp::EncryptPublic) {
                add("encrypt", *count);
            }
        }
        Task::ExtendOt {
            role: OtRole::Receiver,
            count,
            ..
        } => add("ot", *count),
        Task::Garble { circuit, batch, .. } | Task::GarbleTables { circuit, batch, .. } => {
            add("and_gates", circuit.and_count().unwrap_or(0) as u64 * batch);
        }
        Task::He { .. }
        | Task::Touch { .. }
        | Task::Values { .. }
        | Task::BaseOt { .. }
        | Task::ExtendOt { .. }
        | Task::DerandomizeOt { .. }
        | Task::EncodeLabels { .. }
        | Task::Evaluate { .. } => {}
    }
}
