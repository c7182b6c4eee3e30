//! `nass networks`: the networks that are built in, with their plain counts.

use serde::Serialize;

use super::error::Failure;
use super::globals::Globals;
use super::output;
use crate::network::{Shape, zoo};
use crate::report::{Align, Grid, Present, ReportError, count};

/// List the networks that are built in
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  nass networks --format json")]
pub(super) struct Args {}

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

pub(super) fn run(_: Args, globals: &Globals) -> Result<(), Failure> {
    let networks = zoo::names().map(describe).collect::<Result<_, _>>()?;
    output::present(&Networks(networks), globals)
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

impl Networks {
    fn grid(&self, number: impl Fn(u64) -> String) -> Grid {
        let mut grid = Grid::new(
            "",
            &[
                ("name", Align::Left),
                ("input", Align::Left),
                ("layers", Align::Right),
                ("relus", Align::Right),
                ("flops", Align::Right),
                ("parameters", Align::Right),
                ("description", Align::Left),
            ],
        );
        for network in &self.0 {
            let shape = network.input;
            grid.row([
                network.name.to_owned(),
                format!("{}x{}x{}", shape.channels, shape.height, shape.width),
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

impl Present for Networks {
    fn table(&self) -> String {
        self.grid(count).to_text()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid(|number| number.to_string()).to_csv()
    }
}
