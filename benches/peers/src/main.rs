//! nass beside SEAL + HEXL and the crate `fhe`, in one run: Markdown on standard output, CSV in a file.
//!
//! One thread, monotonic clock, medians of samples that alternate between the libraries. See
//! `README.md` beside this package; `scripts/peers` builds and runs everything.

mod clock;
mod compare;
mod fhe_rs;
mod floor;
mod ops;
mod ours;
mod rings;
mod seal;
mod table;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::fhe_rs::FheRs;
use crate::floor::Floor;
use crate::ops::Peer;
use crate::ours::Ours;
use crate::rings::Ring;
use crate::seal::Seal;
use crate::table::Measured;

/// nass beside other BFV libraries, in one run.
#[derive(Parser)]
struct Args {
    /// A build of seal_bench; may be given again for another compiler, the quicker one counts.
    #[arg(long, value_name = "PROGRAM")]
    seal: Vec<PathBuf>,
    /// Only rings whose name contains this, such as n4096_36_36s37.
    #[arg(long, value_name = "TEXT", default_value = "")]
    ring: String,
    /// Samples of each operation in each library.
    #[arg(long, default_value_t = 61)]
    rounds: usize,
    /// Where the CSV goes.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut rings = Ring::all()?;
    rings.retain(|ring| ring.name().contains(&args.ring));
    ensure!(!rings.is_empty(), "no ring's name contains '{}'", args.ring);
    let mut csv = table::CSV_HEAD.to_owned();
    for (index, ring) in rings.into_iter().enumerate() {
        let measured = measure(ring, &args)?;
        csv.push_str(&measured.csv());
        let gap = if index == 0 { "" } else { "\n" };
        print!("{gap}{}", measured.markdown());
    }
    if let Some(path) = args.csv {
        let shown = path.display();
        fs::write(&path, csv).with_context(|| format!("{shown} cannot be written"))?;
    }
    Ok(())
}

fn measure(ring: Ring, args: &Args) -> Result<Measured> {
    let mut peers: Vec<Box<dyn Peer>> = vec![Box::new(Ours::new(&ring)?)];
    peers.push(Box::new(FheRs::new(&ring)?));
    for program in &args.seal {
        peers.push(Box::new(Seal::new(program, &ring)?));
    }
    if let Some(floor) = Floor::new(&ring)? {
        peers.push(Box::new(floor));
    }
    let times = compare::times(&mut peers, args.rounds)?;
    let sizes = compare::sizes(&peers);
    Ok(Measured { ring, times, sizes })
}
