//! `nass primes`: primes ≡ 1 mod 2n.

use serde::Serialize;

use super::error::Failure;
use super::globals::Globals;
use super::output;
use crate::params::{Width, ntt_primes};
use crate::report::{Align, Grid, Present, ReportError};

/// Find primes that batching and transforms need: congruent to 1 modulo 2n
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  nass primes --n 4096 --bits 60 --count 3")]
pub(super) struct Args {
    /// Ring degree, a power of two
    #[arg(long)]
    n: usize,
    /// Width of the primes in bits
    #[arg(long)]
    bits: u32,
    /// How many
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// Allow narrower primes where there are too few of that width
    #[arg(long)]
    below: bool,
}

#[derive(Serialize)]
struct Primes {
    n: usize,
    bits: u32,
    primes: Vec<String>,
}

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    let Args {
        n,
        bits,
        count,
        below,
    } = args;
    let width = if below { Width::Below } else { Width::Exact };
    let found = ntt_primes(n, bits, count, width).map_err(Failure::input)?;
    let primes = found.iter().map(ToString::to_string).collect();
    output::present(&Primes { n, bits, primes }, globals)
}

impl Primes {
    fn grid(&self) -> Grid {
        let mut grid = Grid::new("", &[("prime", Align::Right)]);
        for prime in &self.primes {
            grid.row([prime.clone()]);
        }
        grid
    }
}

impl Present for Primes {
    fn table(&self) -> String {
        self.grid().to_text()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid().to_csv()
    }
}
