//! `nass relu`: networks redesigned for few ReLUs, one subcommand for each method.

use std::path::PathBuf;

use serde::Serialize;

use super::error::Failure;
use super::globals::Globals;
use super::output;
use crate::network::Quantizer;
use crate::relu::{Candidate, Equalization, StageOrder};
use crate::report::{Align, Grid, Present, ReportError, count};

use Align::{Left, Right};

/// What the written networks are quantized to.
const QUANTIZER: Quantizer = Quantizer {
    input_bits: 8,
    weight_bits: 8,
};

/// Redesign networks for fewer ReLUs
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = false,
    after_help = "Example:\n  nass relu deepreshape --order 3,2,4,1"
)]
pub(super) struct Args {
    #[command(subcommand)]
    method: Method,
}

#[derive(Debug, clap::Subcommand)]
enum Method {
    Deepreshape(DeepReShape),
}

/// Find ResNets whose stages hold ReLUs in the order of their worth (ReLU equalization)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  nass relu deepreshape\n  nass relu deepreshape --order 3,2,4,1 --blocks 3,4,6,3 -o networks"
)]
struct DeepReShape {
    /// The stages, the one whose ReLUs are worth most first
    #[arg(long, value_name = "S,S,S,S", default_value = "3,2,4,1", value_parser = four)]
    order: [usize; 4],
    /// Basic blocks of each stage
    #[arg(long, value_name = "B,B,B,B", default_value = "2,2,2,2", value_parser = four)]
    blocks: [usize; 4],
    /// Channels of the stem
    #[arg(long, value_name = "M", default_value_t = 16)]
    stem: usize,
    /// Rows and columns of the input image, a multiple of 8
    #[arg(long, value_name = "H", default_value_t = 32)]
    input: usize,
    /// Outputs of the last layer
    #[arg(long, value_name = "N", default_value_t = 100)]
    classes: usize,
    /// Greatest multiplier of the last stage
    #[arg(long, value_name = "N")]
    max_gamma: Option<usize>,
    /// Write each network there as a `.toml` file, quantized to 8 bits
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

#[derive(Serialize)]
struct Found {
    order: StageOrder,
    candidates: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    stem: usize,
    multipliers: [usize; 3],
    /// Of the stem, then of each stage.
    stage_relus: [u64; 5],
    relus: u64,
    flops: u64,
    parameters: u64,
}

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    match args.method {
        Method::Deepreshape(args) => deepreshape(&args, globals),
    }
}

fn deepreshape(args: &DeepReShape, globals: &Globals) -> Result<(), Failure> {
    let asked = Equalization {
        order: StageOrder::new(args.order).map_err(Failure::input)?,
        blocks: args.blocks,
        max_gamma: args.max_gamma,
    };
    let found = asked
        .candidates(args.stem, args.input, args.classes)
        .map_err(Failure::input)?;
    if found.is_empty() {
        output::warn(globals, "no multipliers give this order of stages");
    }
    write(args, &found, globals)?;
    let found = Found {
        order: asked.order,
        candidates: found.iter().map(Row::new).collect(),
    };
    output::present(&found, globals)
}

/// Writes the networks where that was asked for; all are sound before the first is written.
fn write(args: &DeepReShape, found: &[Candidate], globals: &Globals) -> Result<(), Failure> {
    let Some(folder) = &args.output else {
        return Ok(());
    };
    let text = |candidate: &Candidate| {
        let network = candidate.shape.network(args.classes, QUANTIZER);
        let text = network.map_err(Failure::input)?.to_toml();
        let file = folder.join(candidate.shape.name() + ".toml");
        text.map(|text| (file, text)).map_err(Failure::input)
    };
    let files = found
        .iter()
        .map(text)
        .collect::<Result<Vec<_>, Failure>>()?;
    for (file, text) in files {
        output::write_file(&file, text.as_bytes())?;
        output::say(globals, &format!("wrote {}", file.display()));
    }
    Ok(())
}

/// Four whole numbers with commas between them.
fn four(text: &str) -> Result<[usize; 4], String> {
    let numbers: Result<Vec<usize>, _> = text.split(',').map(|n| n.trim().parse()).collect();
    numbers
        .ok()
        .and_then(|numbers| numbers.try_into().ok())
        .ok_or_else(|| "expected four whole numbers with commas between them".to_owned())
}

impl Row {
    fn new(candidate: &Candidate) -> Self {
        let counts = candidate.counts;
        let [s1, s2, s3, s4] = counts.stages.map(|stage| stage.relus);
        Self {
            stem: candidate.shape.stem,
            multipliers: candidate.shape.multipliers,
            stage_relus: [counts.stem.relus, s1, s2, s3, s4],
            relus: counts.total.relus,
            flops: counts.total.flops,
            parameters: counts.total.parameters,
        }
    }
}

impl Found {
    fn grid(&self, number: impl Fn(u64) -> String) -> Grid {
        let mut grid = Grid::new(
            "",
            &[
                ("multipliers", Left),
                ("stem", Right),
                ("stem_relus", Right),
                ("s1_relus", Right),
                ("s2_relus", Right),
                ("s3_relus", Right),
                ("s4_relus", Right),
                ("relus", Right),
                ("flops", Right),
                ("parameters", Right),
            ],
        );
        for row in &self.candidates {
            let [alpha, beta, gamma] = row.multipliers;
            let mut cells = vec![format!("{alpha}x{beta}x{gamma}x"), row.stem.to_string()];
            let totals = [row.relus, row.flops, row.parameters];
            cells.extend(row.stage_relus.into_iter().chain(totals).map(&number));
            grid.row(cells);
        }
        grid
    }
}

impl Present for Found {
    fn table(&self) -> String {
        self.grid(count).to_text()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid(|number| number.to_string()).to_csv()
    }
}
