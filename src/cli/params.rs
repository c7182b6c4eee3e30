//! `nass params`: the parameters of each linear layer alone, and what ruled the others out.

use serde::Serialize;

use super::error::Failure;
use super::globals::Globals;
use super::setting::SettingArgs;
use super::{inputs, output};
use crate::network::{
    ConvParams, FcParams, LayerKind, NetworkParams, Quantizer, ResolvedNetwork, Shape,
};
use crate::params::{Candidate, CandidateVerdict, LayerCrypto, Selection, select_network};
use crate::predict::{HeReport, LinkedPrices, he_report};
use crate::report::{Align, Grid, Present, ReportError, log2_probability};

use Align::{Left, Right};

/// Choose the encryption parameters of every linear layer
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  nass params gazelle-cifar10 --explain\n  nass params --conv 64x32x32,64,3x3 --bits 8,8\n  nass params --fc 1024x10"
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
    #[command(flatten)]
    setting: SettingArgs,
}

#[derive(Serialize)]
struct LayerReport {
    name: String,
    kind: &'static str,
    he: HeReport,
    reply_limbs: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<Candidate>,
}

#[derive(Serialize)]
struct Report {
    network: String,
    layers: Vec<LayerReport>,
}

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    let network = network(&args, globals)?;
    let resolved = network.resolve(None).map_err(Failure::input)?;
    let owned = args.setting.resolve(globals)?;
    let setting = owned.setting();
    let prices = LinkedPrices {
        list: setting.prices,
        link: setting.link,
    };
    let selection = select_network(&resolved, &setting.request, &prices).map_err(Failure::input)?;
    let report = report(&resolved, selection, args.explain);
    owned.warn(
        report
            .layers
            .iter()
            .map(|layer| (layer.name.as_str(), &layer.he)),
        globals,
    );
    output::present(&report, globals)
}

fn network(args: &Args, globals: &Globals) -> Result<NetworkParams, Failure> {
    let quantizer = match numbers(&args.bits, ',')[..] {
        [Some(input_bits), Some(weight_bits)] => Quantizer {
            input_bits: u32::try_from(input_bits).unwrap_or(u32::MAX),
            weight_bits: u32::try_from(weight_bits).unwrap_or(u32::MAX),
        },
        _ => return Err(Failure::unusable("--bits: expected `LI,LF`, as `8,8`")),
    };
    match (&args.network, &args.conv, &args.fc) {
        (Some(net), _, _) => inputs::network(net, globals),
        (None, Some(conv), _) => convolution(conv, quantizer)
            .ok_or_else(|| Failure::unusable("--conv: expected `CxHxW,OUT,KHxKW`, odd kernels")),
        (None, None, Some(fc)) => fully_connected(fc, quantizer)
            .ok_or_else(|| Failure::unusable("--fc: expected `INxOUT`, as `1024x10`")),
        (None, None, None) => Err(Failure::unusable("expected a network, --conv or --fc")),
    }
}

fn numbers(text: &str, separator: char) -> Vec<Option<usize>> {
    text.split(separator)
        .map(|part| part.trim().parse().ok())
        .collect()
}

fn convolution(text: &str, quantizer: Quantizer) -> Option<NetworkParams> {
    let [input, out, kernel] = text.split(',').collect::<Vec<_>>().try_into().ok()?;
    let [channels, height, width] = numbers(input, 'x').try_into().ok()?;
    let [rows, columns] = numbers(kernel, 'x').try_into().ok()?;
    let kernel: [usize; 2] = [rows?, columns?];
    let odd = kernel.iter().all(|size| size % 2 == 1);
    let conv = ConvParams {
        out_channels: out.trim().parse().ok()?,
        kernel,
        stride: [1, 1],
        padding: kernel.map(|size| size / 2),
        dilation: [1, 1],
        groups: 1,
        bias: true,
        quantizer,
        p_bits: None,
    };
    odd.then_some(single(
        Shape::new(channels?, height?, width?),
        LayerKind::Conv(conv),
    ))
}

fn fully_connected(text: &str, quantizer: Quantizer) -> Option<NetworkParams> {
    let [inputs, outputs] = numbers(text, 'x').try_into().ok()?;
    let fc = FcParams {
        outputs: outputs?,
        bias: true,
        quantizer,
        p_bits: None,
    };
    Some(single(Shape::new(inputs?, 1, 1), LayerKind::Fc(fc)))
}

fn single(input: Shape, kind: LayerKind) -> NetworkParams {
    let layers = NetworkParams::chain([kind]);
    NetworkParams {
        name: "layer".to_owned(),
        input,
        layers,
    }
}

fn report(network: &ResolvedNetwork, selection: Selection, explain: bool) -> Report {
    let chosen = network
        .steps
        .iter()
        .zip(selection.layers)
        .zip(selection.candidates);
    let layers = chosen.filter_map(|((step, crypto), candidates)| {
        let crypto: LayerCrypto = crypto?;
        Some(LayerReport {
            name: step.name.clone(),
            kind: step.kind.name(),
            he: he_report(&crypto),
            reply_limbs: crypto.reply_limbs,
            candidates: if explain { candidates } else { Vec::new() },
        })
    });
    Report {
        network: network.name.clone(),
        layers: layers.collect(),
    }
}

impl Report {
    fn grid(&self) -> Grid {
        let columns = [
            ("layer", Left),
            ("kind", Left),
            ("n", Right),
            ("p_bits", Right),
            ("q_bits", Right),
            ("limbs", Right),
            ("total_bits", Right),
            ("security", Right),
            ("failure", Right),
            ("flooding", Right),
            ("margin_bits", Right),
            ("reply_limbs", Right),
        ];
        let mut grid = Grid::new("", &columns);
        for layer in &self.layers {
            let he = &layer.he;
            grid.row([
                layer.name.clone(),
                layer.kind.to_owned(),
                he.n.to_string(),
                he.p_bits.to_string(),
                format!("{:.1}", he.q_bits),
                he.q.len().to_string(),
                format!("{:.1}", he.total_bits),
                format!("{} ({})", he.security_bits, he.security_table),
                log2_probability(he.failure_log2),
                he.flooding_bits.to_string(),
                format!("{:.1}", he.noise_margin_bits),
                layer.reply_limbs.to_string(),
            ]);
        }
        grid
    }

    fn candidates(&self) -> Grid {
        let columns = [
            ("layer", Left),
            ("n", Right),
            ("limbs", Right),
            ("total_bits", Right),
            ("", Left),
        ];
        let mut grid = Grid::new("candidates", &columns);
        for layer in &self.layers {
            for candidate in &layer.candidates {
                grid.row([
                    layer.name.clone(),
                    candidate.n.to_string(),
                    candidate.limbs.to_string(),
                    format!("{:.1}", candidate.total_bits),
                    verdict(candidate.verdict),
                ]);
            }
        }
        grid
    }
}

fn verdict(verdict: CandidateVerdict) -> String {
    match verdict {
        CandidateVerdict::Chosen => "chosen".to_owned(),
        CandidateVerdict::Dearer(by) => format!("dearer by {by}"),
        CandidateVerdict::SecurityShort(bits) => format!("security short by {bits:.1} bits"),
        CandidateVerdict::NoiseShort(bits) => format!("noise margin short by {bits:.1} bits"),
        CandidateVerdict::NoPrimes => "not enough primes".to_owned(),
        CandidateVerdict::NoPlan => "the layer does not fit in the slots".to_owned(),
    }
}

impl Present for Report {
    fn table(&self) -> String {
        let candidates = self.candidates();
        let explained = if candidates.is_empty() {
            String::new()
        } else {
            candidates.to_text()
        };
        self.grid().to_text() + &explained
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid().to_csv()
    }
}
