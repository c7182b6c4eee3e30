//! `nass primes`: primes ≡ 1 mod 2n, or of another class.

use serde::Serialize;

use super::error::Failure;
use super::globals::Globals;
use super::output;
use crate::params::{Congruence, Width, congruent_primes};
use crate::report::{Align, Grid, Present, ReportError};

/// Find primes that batching and transforms need: congruent to 1 modulo 2n
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nass primes --n 4096 --bits 60 --count 3
  nass primes --n 4096 --bits 180 --congruence nass
  nass primes --bits 40 --congruence \"1 mod 12289\"")]
pub(super) struct Args {
    /// Ring degree, a power of two; needed unless a congruence is written out
    #[arg(long)]
    n: Option<usize>,
    /// Width of the primes in bits
    #[arg(long)]
    bits: u32,
    /// How many
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// Allow narrower primes where there are too few of that width
    #[arg(long)]
    below: bool,
    /// Class to search: `ntt` (1 mod 2n), `nass` (1 mod n as in the paper: no slots) or `R mod M`
    #[arg(long, default_value = "ntt", value_name = "CLASS")]
    congruence: String,
}

#[derive(Serialize)]
struct Primes {
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<usize>,
    congruence: String,
    bits: u32,
    primes: Vec<String>,
}

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    let Args {
        n,
        bits,
        count,
        below,
        congruence,
    } = args;
    let width = if below { Width::Below } else { Width::Exact };
    let class = class(&congruence, n)?;
    let found = congruent_primes(&class, bits, count, width).map_err(Failure::input)?;
    let primes = Primes {
        n,
        congruence: class.to_string(),
        bits,
        primes: found.iter().map(ToString::to_string).collect(),
    };
    output::present(&primes, globals)
}

fn class(text: &str, n: Option<usize>) -> Result<Congruence, Failure> {
    let class = match (text, n) {
        ("ntt", Some(n)) => Congruence::ntt(n),
        ("nass", Some(n)) => Congruence::as_in_nass(n),
        ("ntt" | "nass", None) => {
            return Err(Failure::input(anyhow::anyhow!(
                "--n: expected a ring degree"
            )));
        }
        _ => text.parse(),
    };
    class.map_err(Failure::input)
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
