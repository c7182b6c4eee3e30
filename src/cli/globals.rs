//! Options that every command has: format, verbosity, threads, seed.

use std::num::NonZeroUsize;

use rand::SeedableRng;
use rand::rngs::{ChaCha20Rng, SysRng};

use super::error::Failure;

/// How a result is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text for people.
    #[default]
    Table,
    /// One JSON value.
    Json,
    /// CSV with a header line.
    Csv,
}

/// How much is said on stderr besides the result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Warnings and progress too.
    #[default]
    Normal,
    /// What is being done, too.
    Verbose,
}

/// What was typed.
#[derive(Debug, clap::Args)]
pub(super) struct GlobalArgs {
    /// How the result is printed
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
    /// Print nothing on stderr but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say on stderr what is being done
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Threads of computation
    #[arg(long, global = true, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Draw all randomness from this number, so that a run can be repeated
    #[arg(long, global = true, value_name = "N")]
    seed: Option<u64>,
}

/// What it means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Globals {
    /// How the result is printed.
    pub format: Format,
    /// How much is said on stderr.
    pub verbosity: Verbosity,
    /// Threads asked for; each command has its own default.
    pub threads: Option<NonZeroUsize>,
    /// Seed of all randomness; none draws from the operating system.
    pub seed: Option<u64>,
}

impl From<GlobalArgs> for Globals {
    fn from(typed: GlobalArgs) -> Self {
        let verbosity = match (typed.quiet, typed.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        Self {
            format: typed.format,
            verbosity,
            threads: typed.threads,
            seed: typed.seed,
        }
    }
}

impl Globals {
    /// A generator from the seed, or from the operating system where none was given.
    ///
    /// # Errors
    /// A failed job if the operating system has no randomness.
    pub fn rng(&self) -> Result<ChaCha20Rng, Failure> {
        match self.seed {
            Some(seed) => Ok(ChaCha20Rng::seed_from_u64(seed)),
            None => ChaCha20Rng::try_from_rng(&mut SysRng).map_err(Failure::job),
        }
    }

    /// The threads asked for, else `default`.
    pub fn threads_or(&self, default: NonZeroUsize) -> usize {
        self.threads.unwrap_or(default).get()
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;

    #[test]
    fn a_seed_repeats_and_its_absence_does_not() {
        let seeded = Globals {
            seed: Some(7),
            ..Globals::default()
        };
        let draw = |globals: &Globals| globals.rng().unwrap().next_u64();
        assert_eq!(draw(&seeded), draw(&seeded));
        assert_ne!(draw(&Globals::default()), draw(&Globals::default()));
    }

    #[test]
    fn threads_fall_back_to_the_default() {
        let one = NonZeroUsize::MIN;
        assert_eq!(Globals::default().threads_or(one), 1);
    }
}
