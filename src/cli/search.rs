//! `nass search`: networks proposed, priced, trained and kept in a study; the best ones exported.
//!
//! Options say what a study is; a resumed study takes what is not said from its own database and
//! refuses what differs. At the end the study's folder also holds, ready for `nass verify`,
//! `best.toml` and `best.safetensors` (integer weights), and `front-<episode>.*` for each network
//! on the Pareto front.

mod export;
mod models;
mod recipe;
mod reference;
mod settle;

use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::error::Failure;
use super::globals::Globals;
use super::output::{self, Progress};
use crate::report::{StudyReport, bytes, seconds};
use crate::search::{Episode, Limits, Runner, SearchError, Study};

use models::{Costs, Learner};
use settle::Settled;

/// Search for networks that are worth their cost in private inference
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    nass search --dataset synthetic --space small --study my-study --episodes 8 --seed 1\n  \
    nass search --study my-study --resume --episodes 40\n  \
    nass report my-study -o my-study.html\n\n\
    A resumed study keeps its settings: options left out are taken from it, others must be the same.\n\
    It ends as an unbroken one would on the same build, kind of processor and number of threads.")]
pub(super) struct Args {
    /// A folder with MNIST, Fashion-MNIST, CIFAR-10 or CIFAR-100 in its original files, or
    /// `synthetic`
    #[arg(long, value_name = "DIR|synthetic", required_unless_present = "resume")]
    dataset: Option<String>,
    /// Name or file of the search space
    #[arg(long, value_name = "FILE|NAME", required_unless_present = "resume")]
    space: Option<String>,
    /// Folder of the study
    #[arg(long, value_name = "DIR")]
    study: PathBuf,
    /// Episodes of the whole study [default: 20]
    #[arg(long, value_name = "E")]
    episodes: Option<NonZeroU64>,
    /// Go on with a study
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    scoring: Scoring,
    #[command(flatten)]
    training: Training,
}

#[derive(Debug, clap::Args)]
struct Scoring {
    /// Weight of time against bytes in the reward, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "BETA")]
    beta: Option<f64>,
    /// Cost that scores 0 in the reward: a network, or `seconds=…,bytes=…` [default: the space's
    /// largest network, every decision at its greatest option]
    #[arg(long, value_name = "NETWORK|seconds=…,bytes=…")]
    reference: Option<String>,
    /// Profile that prices networks [default: calibration/<hostname>.csv, else
    /// calibration/reference.csv]
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Link between client and server: loopback (as the profile measured it), lan, wan, or
    /// `mbit=…,rtt_ms=…` [default: loopback]
    #[arg(long, value_name = "NAME|mbit=…,rtt_ms=…")]
    link: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Training {
    /// A new architecture every this many episodes; only quantizers change in between [default: 4]
    #[arg(long, value_name = "N")]
    sw_n: Option<NonZeroU64>,
    /// What proposes networks [default: controller]
    #[arg(long, value_enum)]
    policy: Option<PolicyName>,
    /// Passes over the training images [default: 3]
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Training images used, the first ones [default: all]
    #[arg(long, value_name = "N")]
    train_images: Option<NonZeroUsize>,
}

/// What proposes networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PolicyName {
    /// An LSTM that learns from the rewards
    Controller,
    /// Uniform draws
    Random,
}

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    let settled = Settled::of(&args, globals)?;
    let study = if args.resume {
        Study::open(&args.study)
    } else {
        Study::create(&args.study, &settled.settings)
    };
    let mut study = study.map_err(failure)?;
    let costs = Costs::new(&settled.pricing)?;
    let mut learner = Learner::new(settled.dataset, &settled.recipe)?;
    search(
        &mut study,
        settled.episodes,
        (&costs, &mut learner),
        globals,
    )?;
    costs.warn_of_fits(globals);
    export::write(study.record(), &learner)?;
    let note = format!("wrote the best networks to {}", args.study.display());
    output::say(globals, &note);
    output::present(&StudyReport::new(study.record()), globals)
}

fn search(
    study: &mut Study,
    episodes: u64,
    (costs, learner): (&Costs, &mut Learner),
    globals: &Globals,
) -> Result<(), Failure> {
    let limits = Limits {
        episodes,
        without_improvement: None,
    };
    let progress = Progress::new(globals, episodes, "episode 0");
    progress.set(study.record().episodes.len() as u64);
    let mut runner = Runner::new(limits, costs, learner).with_observer(|episode, best| {
        let told = told(episode, best);
        output::say(globals, &told);
        progress.message(&told);
        progress.set(episode.episode + 1);
        ControlFlow::Continue(())
    });
    runner.run(study).map(|_| ()).map_err(failure)
}

/// An episode in one line.
fn told(episode: &Episode, best: &Episode) -> String {
    let scores = match episode.scores() {
        Some((accuracy, cost)) => format!(
            "{:.2} %, {}, {}, reward {:.4}",
            accuracy * 100.0,
            seconds(cost.seconds),
            bytes(cost.bytes),
            episode.reward
        ),
        None => "cannot be run".to_owned(),
    };
    let (number, leader) = (episode.episode, best.episode);
    format!("episode {number}: {scores}; best is {leader}")
}

/// What a user can mend is unusable input; what failed under way is a failed job.
fn failure(error: SearchError) -> Failure {
    match error {
        SearchError::Model { .. }
        | SearchError::Accuracy { .. }
        | SearchError::Cost { .. }
        | SearchError::NoNetwork(_)
        | SearchError::File { .. }
        | SearchError::Database { .. } => Failure::job(error),
        _ => Failure::input(error),
    }
}
