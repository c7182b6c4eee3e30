//! What `nass verify` runs: one network, or random layers as networks of one layer each.

use std::str::FromStr;

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::error::Failure;
use super::globals::Globals;
use super::inputs;
use super::predict::failure;
use super::setting::OwnedSetting;
use super::verify::Args;
use crate::network::{NetworkParams, Weights};
use crate::predict::{Prediction, estimate, plan};
use crate::protocol::{Script, StepPlan};
use crate::verify::{LEAST_SECONDS, random_layer};

/// Random layers that are predicted to take more seconds of computation are passed over.
const MOST_SECONDS: f64 = 0.12;
/// Layers that are drawn at most for each that is run.
const DRAWS: usize = 40;

/// `random:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layers(usize);

impl FromStr for Layers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count = text.strip_prefix("random:").and_then(|n| n.parse().ok());
        let count = count.filter(|n| (1..=10_000).contains(n));
        count
            .map(Self)
            .ok_or_else(|| "expected `random:N` with N from 1 to 10000".to_owned())
    }
}

/// What both parties derive alike from the arguments.
pub(super) struct Job {
    network: NetworkParams,
    pub(super) weights: Weights,
    pub(super) input: Vec<i64>,
    pub(super) script: Script,
}

impl Job {
    fn new(
        network: NetworkParams,
        weights: Option<Weights>,
        setting: &OwnedSetting,
        rng: &mut ChaCha20Rng,
    ) -> Result<Self, Failure> {
        let weights = match weights {
            Some(weights) => weights,
            None => Weights::random(&network, rng).map_err(Failure::input)?,
        };
        let script = plan(&network, Some(&weights), &setting.setting()).map_err(failure)?;
        for (step, plan) in script.network.steps.iter().zip(&script.steps) {
            if let StepPlan::Linear { crypto, .. } = plan
                && !crypto.p_holds_all_values
            {
                return Err(Failure::unusable(format!(
                    "layer `{}`: its p of {} bits cannot hold all its values, so the result may be \
                     wrong; only prediction takes it",
                    step.name, crypto.p_bits
                )));
            }
        }
        let input = script.network.random_input(rng);
        Ok(Self {
            network,
            weights,
            input,
            script,
        })
    }

    pub(super) fn predict(&self, setting: &OwnedSetting) -> Result<Prediction, Failure> {
        estimate(&self.network, &self.script, &setting.setting()).map_err(failure)
    }
}

/// The jobs that the arguments name.
pub(super) fn of(
    args: &Args,
    seed: u64,
    setting: &OwnedSetting,
    globals: &Globals,
) -> Result<Vec<Job>, Failure> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    match (args.layers, &args.network) {
        (Some(layers), _) => random(layers, setting, &mut rng),
        (None, Some(name)) => {
            let network = inputs::network(name, globals)?;
            let weights = args.weights.as_deref();
            let weights = weights.map(|path| inputs::weights(path, &network));
            let weights = weights.transpose()?;
            Ok(vec![Job::new(network, weights, setting, &mut rng)?])
        }
        (None, None) => Err(Failure::unusable("expected a network or --layers")),
    }
}

/// Layers that are neither too short nor too long, and that there are parameters for.
fn random(
    Layers(count): Layers,
    setting: &OwnedSetting,
    rng: &mut ChaCha20Rng,
) -> Result<Vec<Job>, Failure> {
    let mut jobs = Vec::new();
    for _ in 0..DRAWS * count {
        if jobs.len() == count {
            break;
        }
        let network = random_layer(jobs.len(), rng).map_err(Failure::job)?;
        let Ok(job) = Job::new(network, None, setting, rng) else {
            continue;
        };
        let seconds = job.predict(setting)?.total.seconds;
        if (LEAST_SECONDS..MOST_SECONDS).contains(&(seconds.client + seconds.server)) {
            jobs.push(job);
        }
    }
    if jobs.len() < count {
        let found = jobs.len();
        return Err(Failure::unusable(format_args!(
            "--layers random:{count}: only {found} layers of {LEAST_SECONDS} to {MOST_SECONDS} s of \
             computation were found"
        )));
    }
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_read_their_number() {
        assert_eq!("random:200".parse(), Ok(Layers(200)));
        for bad in ["random", "random:0", "random:x", "200", "random:10001"] {
            assert!(bad.parse::<Layers>().is_err(), "{bad}");
        }
    }
}
