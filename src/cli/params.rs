//! `nass params`: the parameters of each linear layer alone, and what ruled the others out.

mod candidates;
mod cells;
mod compare;
mod layer;
mod published;
mod report;

use compare::Comparison;
use published::{Explain, Published};
use report::{Choice, Report};

use super::error::Failure;
use super::globals::Globals;
use super::output;
use super::setting::SettingArgs;
use crate::network::ResolvedNetwork;
use crate::params::{Paper, ParamsError, Prices, Request, Selector};
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

impl Mode {
    const fn paper(self) -> Paper {
        match self {
            Self::Nass => Paper::Nass,
            Self::Gazelle => Paper::Gazelle,
            Self::Delphi => Paper::Delphi,
        }
    }
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
    /// List the candidates and what ruled each out
    #[arg(long)]
    explain: bool,
    /// Choose as a paper did, under its own security, failure and flooding
    #[arg(
        long,
        value_enum,
        conflicts_with_all = ["compare", "security", "security_table", "attack", "secret", "failure", "flooding", "p_bound", "windows"]
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
    let mode = args.mode.map(Mode::paper);
    let request = Request {
        objective: setting.request.objective,
        ..mode.map_or(setting.request, Paper::request)
    };
    if mode.is_some() {
        output::warn(
            globals,
            "no flooding, as in the paper: replies show the weights to the client",
        );
    }
    let explain = if args.explain {
        Explain::Yes
    } else {
        Explain::No
    };
    let selector = Selector::new(request, prices).map_err(Failure::input)?;
    if mode == Some(Paper::Gazelle) {
        let published = Published::new(&resolved, &selector, explain);
        return output::present(&published.map_err(Failure::input)?, globals);
    }
    let choice = choice(&selector, &resolved, explain).map_err(Failure::input)?;
    let mode = mode.map(|paper| paper.name().to_owned());
    let report = Report::new(&resolved, mode, &choice);
    owned.warn(
        report
            .layers
            .iter()
            .map(|layer| (layer.name.as_str(), &layer.he)),
        globals,
    );
    output::present(&report, globals)
}

/// Chooses, with flooding and without, and lists what was tried if that is to be explained.
fn choice<P: Prices + Copy>(
    selector: &Selector<P>,
    network: &ResolvedNetwork,
    explain: Explain,
) -> Result<Choice, ParamsError> {
    let request = *selector.request();
    let bare = Request {
        flooding_bits: 0,
        ..request
    };
    let without = || Selector::new(bare, *selector.prices())?.network(network);
    Ok(Choice {
        selection: selector.network(network)?,
        without_flooding: (request.flooding_bits > 0).then(without).transpose()?,
        candidates: match explain {
            Explain::Yes => selector.explain(network)?,
            Explain::No => Vec::new(),
        },
        allowed_failure_log2: request.failure_log2,
    })
}
