//! The two models of a search: `predict` says what a network costs, `train` how accurate it is.
//!
//! T and B are the totals of the prediction (offline and online, both parties, the link), as in NASS
//! (Bian et al. 2020, section 3.3); the set-up of a session is left out. A network for which no
//! secure parameters exist is infeasible; everything else that goes wrong ends the search.

use super::recipe::{Pricing, Recipe};
use crate::calibrate::Profile;
use crate::cli::error::Failure;
use crate::cli::globals::Globals;
use crate::cli::output;
use crate::network::{NetworkError, NetworkParams, Weights};
use crate::params::{ParamsError, Selector};
use crate::predict::{LinkedPrices, PredictError, PriceList, Setting, estimate, plan_with};
use crate::protocol::{ProtocolError, ProtocolSettings};
use crate::search::{AccuracyModel, Cost, CostError, CostModel, ModelError};
use crate::train::{Dataset, FloatWeights, Split, TrainError, TrainSettings, Trainer};

/// Prices networks by prediction.
pub(super) struct Costs {
    selector: Selector<LinkedPrices<PriceList>>,
    pricing: Pricing,
}

impl Costs {
    /// The prices of this profile.
    pub(super) fn new(pricing: &Pricing) -> Result<Self, Failure> {
        let profile = Profile::from_csv(&pricing.profile)
            .map_err(|error| Failure::unusable(format_args!("{}: {error}", pricing.calibration)))?;
        let prices = LinkedPrices {
            list: PriceList::new(&profile),
            link: pricing.link,
        };
        Ok(Self {
            selector: Selector::new(pricing.request, prices).map_err(Failure::input)?,
            pricing: pricing.clone(),
        })
    }

    /// Says how much was priced by a fit.
    pub(super) fn warn_of_fits(&self, globals: &Globals) {
        let fitted = self.selector.prices().list.fitted();
        if !fitted.is_empty() {
            let told = format!(
                "{} prices of parameters tried or chosen come from a fit, not from a measurement",
                fitted.len()
            );
            output::warn(globals, &told);
            output::say(globals, &fitted.join("; "));
        }
    }

    fn predict(&self, network: &NetworkParams) -> Result<Cost, PredictError> {
        let setting = Setting {
            request: self.pricing.request,
            protocol: ProtocolSettings::default(),
            prices: &self.selector.prices().list,
            calibration: self.pricing.calibration.clone(),
            link: self.pricing.link,
        };
        let script = plan_with(network, None, &self.selector, setting.protocol)?;
        let total = estimate(network, &script, &setting)?.total;
        Ok(Cost {
            seconds: total.seconds.total,
            bytes: total.bytes.total,
        })
    }
}

impl CostModel for Costs {
    fn cost(&self, network: &NetworkParams) -> Result<Cost, CostError> {
        self.predict(network).map_err(|error| {
            if is_infeasible(&error) {
                CostError::Infeasible(error.to_string())
            } else {
                CostError::Failed(error.into())
            }
        })
    }
}

/// Whether the network is at fault, and not what it was predicted with.
const fn is_infeasible(error: &PredictError) -> bool {
    matches!(
        error,
        PredictError::Params(
            ParamsError::NoPlaintextModulus { .. }
                | ParamsError::Packing { .. }
                | ParamsError::InsufficientSecurity { .. }
                | ParamsError::TooMuchNoise { .. }
                | ParamsError::NoPrice { .. },
        ) | PredictError::Protocol(
            ProtocolError::NoParameters { .. }
                | ProtocolError::Gc(_)
                | ProtocolError::Packing { .. },
        ) | PredictError::Network(NetworkError::TooLarge { .. })
    )
}

/// Trains networks and evaluates their integer weights on the images held back.
pub(super) struct Learner {
    trainer: Trainer,
    training: TrainSettings,
}

impl Learner {
    /// Trains on this dataset by this recipe.
    pub(super) fn new(dataset: Dataset, recipe: &Recipe) -> Result<Self, Failure> {
        recipe.training.check().map_err(Failure::input)?;
        Ok(Self {
            trainer: Trainer::new(dataset, recipe.threads).map_err(Failure::input)?,
            training: recipe.training.clone(),
        })
    }

    /// The integer weights that a network's quantizers make of trained ones.
    pub(super) fn quantize(
        &self,
        network: &NetworkParams,
        weights: &[u8],
    ) -> Result<Weights, TrainError> {
        let floats = FloatWeights::from_safetensors(weights)?;
        floats.check(network)?;
        self.trainer.quantize(network, &floats)
    }

    /// Share of the test images that a network with these integer weights gets right.
    pub(super) fn test_accuracy(
        &self,
        network: &NetworkParams,
        weights: &Weights,
    ) -> Result<f64, TrainError> {
        let resolved = network.resolve(Some(weights))?;
        self.trainer.accuracy(&resolved, weights, Split::Test)
    }
}

impl AccuracyModel for Learner {
    fn train(&mut self, network: &NetworkParams, seed: u64) -> Result<Vec<u8>, ModelError> {
        let floats = self.trainer.train(network, &self.training, seed)?;
        Ok(floats.to_safetensors()?)
    }

    fn quantized_accuracy(
        &mut self,
        network: &NetworkParams,
        weights: &[u8],
    ) -> Result<f64, ModelError> {
        let weights = self.quantize(network, weights)?;
        let resolved = network.resolve(Some(&weights))?;
        let split = Split::Validation;
        Ok(self.trainer.accuracy(&resolved, &weights, split)?)
    }
}
