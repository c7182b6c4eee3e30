//! `nass predict`: seconds and bytes of a network, layer by layer.

use std::path::PathBuf;

use super::circuits::ProtocolArgs;
use super::error::Failure;
use super::globals::Globals;
use super::setting::SettingArgs;
use super::{inputs, output};
use crate::predict::{PredictError, estimate, plan};

/// Predict what a network costs: parameters, seconds and bytes, layer by layer
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  nass predict gazelle-cifar10\n  nass predict my-network.toml --link mbit=100,rtt_ms=40 --format json\n  nass predict toy --garbler client --delivery streamed"
)]
pub(super) struct Args {
    /// A name that `nass networks` lists, or a `.toml` file
    #[arg(value_name = "NET")]
    network: String,
    /// Integer weights (safetensors): ranges and shifts are then theirs, not the worst case
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    setting: SettingArgs,
    #[command(flatten)]
    protocol: ProtocolArgs,
}

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    let network = inputs::network(&args.network, globals)?;
    let weights = args
        .weights
        .as_deref()
        .map(|path| inputs::weights(path, &network));
    let weights = weights.transpose()?;
    let protocol = args.protocol.settings(globals);
    let owned = args.setting.resolve(globals)?.carried_out(protocol);
    let setting = owned.setting();
    let script = plan(&network, weights.as_ref(), &setting).map_err(failure)?;
    let prediction = estimate(&network, &script, &setting).map_err(failure)?;
    let layers = prediction
        .layers
        .iter()
        .filter_map(|l| Some((l.name.as_str(), l.he.as_ref()?)));
    owned.warn(layers, globals);
    output::present(&prediction, globals)
}

/// A network or request that cannot be served is unusable input.
pub(super) fn failure(error: PredictError) -> Failure {
    Failure::input(error)
}
