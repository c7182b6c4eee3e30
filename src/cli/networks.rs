//! `nass networks`: the networks that are built in, or one network layer by layer.

use serde::Serialize;

use super::error::Failure;
use super::globals::Globals;
use super::{inputs, output};
use crate::network::{NetworkParams, Shape, zoo};
use crate::report::{Align, Grid, Present, ReportError, count};

use Align::{Left, Right};

/// List the networks that are built in, or show the layers of one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  nass networks\n  nass networks my-network.toml --format json")]
pub(super) struct Args {
    /// A name or a `.toml` file: show its layers instead
    #[arg(value_name = "NET")]
    network: Option<String>,
}

#[derive(Serialize)]
struct Network {
    name: &'static str,
    input: Shape,
    layers: usize,
    relus: u64,
    flops: u64,
    parameters: u64,
    description: &'static str,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Networks(Vec<Network>);

#[derive(Serialize)]
struct Layer {
    name: String,
    kind: &'static str,
    #[serde(rename = "out")]
    output: Shape,
    input_bits: Option<u32>,
    weight_bits: Option<u32>,
    relus: u64,
    flops: u64,
    parameters: u64,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Layers(Vec<Layer>);

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    match args.network {
        Some(net) => {
            let network = inputs::network(&net, globals)?;
            output::present(&layers(&network)?, globals)
        }
        None => {
            let networks = zoo::names().map(describe).collect::<Result<_, _>>()?;
            output::present(&Networks(networks), globals)
        }
    }
}

fn describe(name: &'static str) -> Result<Network, Failure> {
    let network = zoo::load(name).map_err(Failure::job)?;
    let total = network.counts().map_err(Failure::job)?.total;
    Ok(Network {
        name,
        input: network.input,
        layers: network.layers.len(),
        relus: total.relus,
        flops: total.flops,
        parameters: total.parameters,
        description: zoo::description(name).unwrap_or_default(),
    })
}

fn layers(network: &NetworkParams) -> Result<Layers, Failure> {
    let shapes = network.shapes().map_err(Failure::input)?;
    let counts = network.counts().map_err(Failure::input)?.layers;
    let described = network.layers.iter().zip(shapes).zip(counts);
    let layers = described.map(|((layer, output), counts)| {
        let quantizer = layer.kind.quantizer();
        Layer {
            name: layer.name.clone(),
            kind: layer.kind.name(),
            output,
            input_bits: quantizer.map(|bits| bits.input_bits),
            weight_bits: quantizer.map(|bits| bits.weight_bits),
            relus: counts.relus,
            flops: counts.flops,
            parameters: counts.parameters,
        }
    });
    Ok(Layers(layers.collect()))
}

fn shape(shape: Shape) -> String {
    format!("{}x{}x{}", shape.channels, shape.height, shape.width)
}

impl Networks {
    fn grid(&self, number: impl Fn(u64) -> String) -> Grid {
        let mut grid = Grid::new(
            "",
            &[
                ("name", Left),
                ("input", Left),
                ("layers", Right),
                ("relus", Right),
                ("flops", Right),
                ("parameters", Right),
                ("description", Left),
            ],
        );
        for network in &self.0 {
            grid.row([
                network.name.to_owned(),
                shape(network.input),
                network.layers.to_string(),
                number(network.relus),
                number(network.flops),
                number(network.parameters),
                network.description.to_owned(),
            ]);
        }
        grid
    }
}

impl Layers {
    fn grid(&self, number: impl Fn(u64) -> String) -> Grid {
        let mut grid = Grid::new(
            "",
            &[
                ("layer", Left),
                ("kind", Left),
                ("out", Left),
                ("input_bits", Right),
                ("weight_bits", Right),
                ("relus", Right),
                ("flops", Right),
                ("parameters", Right),
            ],
        );
        let bits = |bits: Option<u32>| bits.map_or_else(String::new, |bits| bits.to_string());
        for layer in &self.0 {
            grid.row([
                layer.name.clone(),
                layer.kind.to_owned(),
                shape(layer.output),
                bits(layer.input_bits),
                bits(layer.weight_bits),
                number(layer.relus),
                number(layer.flops),
                number(layer.parameters),
            ]);
        }
        grid
    }
}

impl Present for Networks {
    fn table(&self) -> String {
        self.grid(count).to_text()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid(|number| number.to_string()).to_csv()
    }
}

impl Present for Layers {
    fn table(&self) -> String {
        self.grid(count).to_text()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid(|number| number.to_string()).to_csv()
    }
}
