//! The cost that rewards are measured by: `T_ref` and `B_ref`.
//!
//! It is that of a network under the study's own calibration, or two numbers. By default the network
//! is the space's largest: no network of the space then scores below 0, and none is clipped.

use super::models::Costs;
use super::recipe::Pricing;
use crate::cli::error::Failure;
use crate::cli::globals::Globals;
use crate::cli::inputs;
use crate::network::NetworkParams;
use crate::search::{Cost, CostError, CostModel, Space};

/// What the reference is called where none was named.
pub(super) const LARGEST: &str = "the space's largest network";

/// The cost of the space's largest network.
pub(super) fn of_space(space: &Space, pricing: &Pricing) -> Result<Cost, Failure> {
    priced(LARGEST, &largest(space)?, pricing)
}

/// The network of a space with every decision at its greatest option.
fn largest(space: &Space) -> Result<NetworkParams, Failure> {
    let decisions = space.decisions();
    let choices = decisions.iter().map(|decision| {
        let options = decision.options.iter().enumerate();
        options
            .max_by_key(|(_, value)| **value)
            .map_or(0, |(index, _)| index)
    });
    let choices: Vec<usize> = choices.collect();
    space.decode(&choices).map_err(Failure::job)
}

/// `seconds=…,bytes=…`, or what a network costs.
pub(super) fn of_text(text: &str, pricing: &Pricing, globals: &Globals) -> Result<Cost, Failure> {
    if !text.contains('=') {
        return priced(text, &inputs::network(text, globals)?, pricing);
    }
    let (mut seconds, mut bytes) = (None, None);
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("seconds", value)) => seconds = value.parse::<f64>().ok(),
            Some(("bytes", value)) => bytes = value.parse::<u64>().ok(),
            _ => {}
        }
    }
    match (seconds, bytes) {
        (Some(seconds), Some(bytes)) if seconds > 0.0 && seconds.is_finite() && bytes > 0 => {
            Ok(Cost { seconds, bytes })
        }
        _ => Err(Failure::unusable(format_args!(
            "--reference {text}: expected a network or `seconds=<positive number>,\
             bytes=<positive integer>`"
        ))),
    }
}

fn priced(name: &str, network: &NetworkParams, pricing: &Pricing) -> Result<Cost, Failure> {
    Costs::new(pricing)?
        .cost(network)
        .map_err(|error| match error {
            CostError::Infeasible(reason) => Failure::unusable(format_args!(
                "--reference: {name} cannot be run ({reason}); expected one that can, or \
             `seconds=…,bytes=…`"
            )),
            CostError::Failed(error) => Failure::unusable(format_args!(
                "--calibration {}: {error}",
                pricing.calibration
            )),
        })
}
