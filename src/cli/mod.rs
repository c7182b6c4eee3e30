//! The command line: parse what was typed, call the library, print; one file per command.
//!
//! Arguments go in, an exit code comes out: 0 on success, 1 for a job or check that failed, 2 for
//! input that cannot be used (arguments included), with one line on stderr. This room alone
//! prints and knows exit codes.
//!
//! A new command is one file with `Args`, an example in `after_help` and
//! `run(Args, &Globals) -> Result<(), Failure>`, one `mod` line, one line in `Command` and one in
//! its `run`. A command that is not built is absent, and so an unknown one: exit 2.

mod calibrate;
mod calibration;
mod circuits;
mod datasets;
mod error;
mod globals;
mod inputs;
mod networks;
mod output;
mod params;
mod predict;
mod primes;
mod relu;
mod report;
#[cfg(feature = "torch")]
mod search;
mod setting;
mod token;
mod verify;
mod verify_jobs;
mod verify_server;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use error::Failure;
pub use globals::{Format, Globals, Verbosity};
pub use output::Progress;

/// Private neural-network inference: what it costs, shown by running it.
#[derive(Debug, Parser)]
#[command(
    name = "nass",
    version,
    arg_required_else_help = false,
    after_help = "Example:\n  nass networks\n  nass networks --format json"
)]
struct Cli {
    #[command(flatten)]
    globals: globals::GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Calibrate(calibrate::Args),
    Datasets(datasets::Args),
    Networks(networks::Args),
    Params(params::Args),
    Predict(predict::Args),
    Primes(primes::Args),
    Relu(relu::Args),
    Report(report::Args),
    #[cfg(feature = "torch")]
    Search(search::Args),
    Verify(verify::Args),
}

impl Command {
    /// Threads of the pool: one unless more were asked for. Calibration has pools of its own beside one thread.
    fn threads(&self, globals: &Globals) -> usize {
        match self {
            Self::Calibrate(_) => 1,
            _ => globals.threads_or(NonZeroUsize::MIN),
        }
    }

    fn run(self, globals: &Globals) -> Result<(), Failure> {
        match self {
            Self::Calibrate(args) => calibrate::run(args, globals),
            Self::Datasets(args) => datasets::run(args, globals),
            Self::Networks(args) => networks::run(args, globals),
            Self::Params(args) => params::run(args, globals),
            Self::Predict(args) => predict::run(args, globals),
            Self::Primes(args) => primes::run(args, globals),
            Self::Relu(args) => relu::run(args, globals),
            Self::Report(args) => report::run(args, globals),
            #[cfg(feature = "torch")]
            Self::Search(args) => search::run(args, globals),
            Self::Verify(args) => verify::run(args, globals),
        }
    }
}

/// Runs the command that this process was started with.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

/// Runs one command; the first argument is the program's name.
///
/// Whatever goes wrong ends in an exit code and one line on stderr, never in a panic.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let outcome = match Cli::try_parse_from(arguments) {
        Ok(cli) => {
            let globals = cli.globals.into();
            set_threads(cli.command.threads(&globals));
            cli.command.run(&globals)
        }
        Err(error) => error::of_arguments(&error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure);
            failure.exit_code()
        }
    }
}

/// The pool for independent pieces of work.
fn set_threads(threads: usize) {
    // A pool that stands already belongs to a program that runs several commands.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn every_command_shows_an_example() {
        let mut command = Cli::command();
        command.build();
        for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
            let help = sub.get_after_help().map(ToString::to_string);
            let shown = help.is_some_and(|text| text.contains("Example"));
            assert!(shown, "{} has no example", sub.get_name());
            assert!(sub.get_about().is_some(), "{} says nothing", sub.get_name());
        }
    }

    #[test]
    fn the_arguments_are_well_formed() {
        Cli::command().debug_assert();
    }
}
