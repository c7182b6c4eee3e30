//! `nass params`: the parameters of each linear layer alone, and what ruled the others out.

mod compare;
mod layer;
mod published;
mod report;

use compare::Comparison;
use published::Published;
use report::{Explanation, Report};

use super::error::Failure;
use super::globals::Globals;
use super::output;
use super::setting::SettingArgs;
use crate::network::ResolvedNetwork;
use crate::params::{Paper, Prices, Request, Selector};
use crate::predict::LinkedPrices;

/// Whose choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// NASS: n of 2048 to 8192, q of 60 to 180 bits, the table of 2018, failures in 1 of 1000, no flooding
    Nass,
    /// Gazelle as published: insecure, its q of 60 bits at n = 2048 is below 128-bit security
    Gazelle,
    /// DELPHI: n = 8192, p of 41 bits, 218 bits of modulus, the table of 2018, no flooding
    Delphi,
}

/// Choose the encryption parameters of every linear layer
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  nass params gazelle-cifar10 --explain\n  nass params gazelle-cifar10 --compare\n  nass params --conv 64x32x32,64,3x3 --bits 8,8\n  nass params --fc 1024x10"
)]
pub(super) struct Args {
    /// A name that `nass networks` lists, or a `.toml` file
    #[arg(value_name = "NET", required_unless_present_any = ["conv", "fc"])]
    network: Option<String>,
    /// One convolution instead, padded so that its size stays: `CxHxW,OUT,KHxKW` (odd kernels)
    #[arg(long, value_name = "SHAPE", conflicts_with_all = ["network", "fc"])]
    conv: Option<String>,
    /// One fully connected layer instead: `INxOUT`
    #[arg(long, value_name = "SHAPE", conflicts_with = "network")]
    fc: Option<String>,
    /// Bits of the input and the weights of `--conv` or `--fc`
    #[arg(long, value_name = "LI,LF", default_value = "8,8")]
    bits: String,
    /// List the candidates and what ruled each out, and what flooding costs
    #[arg(long)]
    explain: bool,
    /// Choose as a paper did, under its own security, failure and flooding
    #[arg(
        long,
        value_enum,
        conflicts_with_all = ["compare", "security", "security_table", "failure", "flooding", "p_bound", "windows"]
    )]
    mode: Option<Mode>,
    /// Compare with what the papers would choose under the same security, failure and flooding
    #[arg(long, conflicts_with = "explain")]
    compare: bool,
    #[command(flatten)]
    setting: SettingArgs,
}

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    let network = layer::network(&args, globals)?;
    let resolved = network.resolve(None).map_err(Failure::input)?;
    let owned = args.setting.resolve(globals)?;
    let setting = owned.setting();
    let prices = LinkedPrices {
        list: setting.prices,
        link: setting.link,
    };
    if args.compare {
        let comparison = Comparison::new(&resolved, &setting.request, prices);
        return output::present(&comparison.map_err(Failure::input)?, globals);
    }
    let (request, mode) = match args.mode {
        Some(Mode::Gazelle) if args.explain => {
            let why = "--explain: Gazelle's parameters are given, not chosen; --mode nass and delphi choose";
            return Err(Failure::unusable(why));
        }
        Some(Mode::Gazelle) => {
            let requirement = Paper::Gazelle.request().requirement;
            return output::present(&Published::new(&resolved, &requirement), globals);
        }
        Some(Mode::Nass) => (Paper::Nass.request(), Some(Paper::Nass)),
        Some(Mode::Delphi) => (Paper::Delphi.request(), Some(Paper::Delphi)),
        None => (setting.request, None),
    };
    if mode.is_some() {
        output::warn(
            globals,
            "no flooding, as in the paper: replies show the weights to the client",
        );
    }
    let objective = setting.request.objective;
    let request = Request {
        objective,
        ..request
    };
    let selector = Selector::new(request, prices).map_err(Failure::input)?;
    let selection = selector.network(&resolved).map_err(Failure::input)?;
    let explanation = args
        .explain
        .then(|| explanation(&selector, &resolved))
        .transpose()?;
    let mode = mode.map(|paper| paper.name().to_owned());
    let report = Report::new(&resolved, mode, &selection, explanation.as_ref());
    owned.warn(
        report
            .layers
            .iter()
            .map(|layer| (layer.name.as_str(), &layer.he)),
        globals,
    );
    output::present(&report, globals)
}

fn explanation<P: Prices + Copy>(
    selector: &Selector<P>,
    network: &ResolvedNetwork,
) -> Result<Explanation, Failure> {
    let request = *selector.request();
    let flooded = request.flooding_bits > 0;
    let bare = Request {
        flooding_bits: 0,
        ..request
    };
    let without = flooded.then(|| Selector::new(bare, *selector.prices())?.network(network));
    Ok(Explanation {
        candidates: selector.explain(network).map_err(Failure::input)?,
        without_flooding: without.transpose().map_err(Failure::input)?,
    })
}
