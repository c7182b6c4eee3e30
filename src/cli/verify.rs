//! `nass verify`: layers run for real between two processes, measured beside predicted.
//!
//! With `--role both` this process is the client and starts the server as a second process on the
//! loopback; with `client` or `server` each is started by hand with the same network and flags. The server
//! serves the one client that shows its token.

use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};

use super::circuits::{self, ProtocolArgs};
use super::error::Failure;
use super::globals::Globals;
use super::output;
use super::setting::{OwnedSetting, SettingArgs};
use super::token::TokenArgs;
use super::verify_jobs::{self as jobs, Job, Layers};
use super::verify_server::{self as server, ServerProcess};
use crate::calibrate::Watch;
use crate::network::evaluate;
use crate::predict::CircuitsReport;
use crate::protocol::Party;
use crate::verify::{
    Channel, Nearness, Paces, PeakMemory, Run, SessionSettings, VerifiedLayers, acts,
    both_summaries, compare, compare_layer, request, serve,
};

/// Which party this process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// The client, which starts the server as a second process.
    Both,
    /// The client alone.
    Client,
    /// The server alone.
    Server,
}

/// Run layers between two parties and set what is measured beside what is predicted
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  nass verify toy\n  nass verify toy --link mbit=100,rtt_ms=40\n  nass verify toy --garbler client --delivery streamed\n  nass verify --layers random:50 --seed 1\n  nass verify toy --role server --addr 127.0.0.1:7000 --weight-seed 1\n  nass verify toy --role client --addr 127.0.0.1:7000 --weight-seed 1 --token-file FILE"
)]
pub(super) struct Args {
    /// A name that `nass networks` lists, or a `.toml` file
    #[arg(value_name = "NET", required_unless_present = "layers")]
    pub(super) network: Option<String>,
    /// Layers of random shapes, each on its own, in place of a network: `random:N`
    #[arg(long, value_name = "LAYERS", conflicts_with_all = ["network", "weights"])]
    pub(super) layers: Option<Layers>,
    /// Integer weights (safetensors) [default: drawn at random]
    #[arg(long, value_name = "FILE", conflicts_with = "weight_seed")]
    pub(super) weights: Option<PathBuf>,
    /// Seed of random shapes, weights and input; both parties need the same [default: --seed, else random]
    #[arg(long, value_name = "N")]
    weight_seed: Option<u64>,
    /// Inferences after one set-up; times are their medians [default: 1; with --layers 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    inferences: Option<u16>,
    /// Which party this process is
    #[arg(long, value_enum, default_value = "both")]
    role: Role,
    /// Where the server listens, with `--role client` or `server`; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    addr: String,
    #[command(flatten)]
    token: TokenArgs,
    /// Seconds for one message, and for the client to come, after which the other party counts as gone [default:
    /// 30 beyond what the run is predicted to take; for the client to come 600]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    patience: Option<u32>,
    #[command(flatten)]
    pub(super) setting: SettingArgs,
    #[command(flatten)]
    protocol: ProtocolArgs,
    /// Folder in which tables wait, in a file that is removed [default: in memory]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// Patience beyond the predicted time.
const PATIENCE: Duration = Duration::from_secs(30);
/// Inferences of a random layer's session that are not counted, as calibration has its warm-up.
const WARM_UP: usize = 1;
/// How long a party waits for a processor that is not shared, for each time that it computes.
const WAITING_SHARE: f64 = 3.0;
/// And at most without computing.
const MOST_WAITING: Duration = Duration::from_secs(3);
/// How long both wait before an inference for cores that are near each other.
const MOST_NEARING: Duration = Duration::from_secs(10);
/// How long a server waits for its client.
const WAITING: Duration = Duration::from_secs(600);

impl Args {
    /// The patience that was asked for.
    fn patience(&self) -> Option<Duration> {
        self.patience
            .map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// How long the server waits for its client.
    fn waiting(&self) -> Duration {
        self.patience().unwrap_or(WAITING)
    }
}

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    if args.role == Role::Both {
        args.token
            .refuse("--role both draws a token of its own; expected --role client or server")?;
    }
    let seed = match args.weight_seed.or(globals.seed) {
        Some(seed) => seed,
        None if args.role == Role::Both || args.weights.is_some() => globals.rng()?.random(),
        None => {
            let need = "--role client or server needs --weights or --weight-seed";
            return Err(Failure::unusable(need));
        }
    };
    if args.role != Role::Both && globals.seed.is_some() {
        let shown = "--seed: whoever knows it can derive this party's secrets";
        output::warn(globals, shown);
    }
    let protocol = args.protocol.settings(globals);
    let setting = args.setting.resolve(globals)?.carried_out(protocol);
    let jobs = jobs::of(&args, seed, &setting, globals)?;
    let session = Session::new(&args, jobs, setting, seed)?;
    match args.role {
        Role::Server => {
            let token = args.token.of_server(globals)?;
            let stream = server::accept(&args.addr, &token, args.waiting(), globals)?;
            session.serve(stream, globals)
        }
        Role::Client => {
            let token = args.token.of_client("--role client")?;
            session.request(server::connect(&args.addr, &token)?, globals)
        }
        Role::Both => {
            let (_server, addr, token) = ServerProcess::start(seed)?;
            session.request(server::connect(&addr, &token)?, globals)
        }
    }
}

/// The protocol's randomness of one party: the operating system's, or from the seed and the party.
fn party_rng(globals: &Globals, party: &str) -> Result<ChaCha20Rng, Failure> {
    match globals.seed {
        None => globals.rng(),
        Some(seed) => {
            let context = format!("nass verify, randomness of the {party}");
            Ok(ChaCha20Rng::from_seed(blake3::derive_key(
                &context,
                &seed.to_le_bytes(),
            )))
        }
    }
}

/// What both parties are going to run, derived alike from the arguments.
struct Session {
    jobs: Vec<Job>,
    setting: OwnedSetting,
    inferences: usize,
    layers: Option<u64>,
    patience: Duration,
    store: Option<PathBuf>,
}

impl Session {
    fn new(
        args: &Args,
        jobs: Vec<Job>,
        mut setting: OwnedSetting,
        seed: u64,
    ) -> Result<Self, Failure> {
        if args.role != Role::Both && args.setting.link_is_there() {
            setting.shaped = None;
        }
        let default = if args.layers.is_some() { 5 } else { 1 };
        let inferences = usize::from(args.inferences.unwrap_or(default));
        let mut longest: f64 = 0.0;
        for job in &jobs {
            let told = job.predict(&setting)?;
            let parties = told.total.seconds.client + told.total.seconds.server;
            let waiting = WAITING_SHARE * (parties + told.setup.seconds);
            longest = longest.max(told.total.seconds.total + told.setup.seconds + waiting);
        }
        let patience = args
            .patience()
            .unwrap_or(PATIENCE + Duration::from_secs_f64(longest.clamp(0.0, 1e6)));
        // A folder that cannot be written in is told before anybody connects.
        if let Some(job) = jobs.first() {
            for party in [Party::Client, Party::Server] {
                circuits::inbox(args.store.as_deref(), party, &job.script.circuits)?;
            }
        }
        Ok(Self {
            jobs,
            setting,
            inferences,
            layers: args.layers.is_some().then_some(seed),
            patience,
            store: args.store.clone(),
        })
    }

    /// What is run, session by session. Random layers take turns and are run again in further rounds: repeats that
    /// lie apart do not all fall into a time in which the machine is slow.
    fn sessions(&self) -> impl Iterator<Item = &Job> {
        let rounds = if self.layers.is_some() {
            self.inferences
        } else {
            1
        };
        (0..rounds).flat_map(|_| &self.jobs)
    }

    /// How one party runs a job.
    fn settings(&self, party: Party, job: &Job) -> Result<SessionSettings, Failure> {
        let circuits = &job.script.circuits;
        Ok(SessionSettings {
            inferences: match self.layers {
                Some(_) => WARM_UP + 1,
                None => self.inferences,
            },
            inbox: circuits::inbox(self.store.as_deref(), party, circuits)?,
            nearness: self.nearness(),
        })
    }

    /// Networks are judged by the wall clock: their parties' cores are to be as near as they were in this machine's profile.
    fn nearness(&self) -> Option<Nearness> {
        let near = self.setting.known.near.filter(|_| self.layers.is_none());
        let most = MOST_NEARING.min(self.patience / 4);
        near.map(|near| Nearness { near, most })
    }

    /// Watches this party's processor; it never waits for as long as the other party has patience.
    fn watch(&self) -> Watch {
        let watch = Watch::start(WAITING_SHARE, MOST_WAITING.min(self.patience / 4));
        watch.knowing(self.setting.known.pace)
    }

    /// What was seen of the processors, and what of them the profile tells.
    fn paces(&self, seen: Paces) -> Paces {
        let usual = self.setting.known.usual;
        Paces { usual, ..seen }
    }

    fn channel(&self, stream: TcpStream) -> Result<Channel, Failure> {
        let channel = Channel::new(stream, self.patience).map_err(Failure::job)?;
        match self.setting.shaped {
            Some(link) => channel.shaped(link).map_err(Failure::job),
            None => Ok(channel),
        }
    }

    fn serve(&self, stream: TcpStream, globals: &Globals) -> Result<(), Failure> {
        let mut channel = self.channel(stream)?;
        let mut rng = party_rng(globals, "server")?;
        let mut watch = self.watch();
        for job in self.sessions() {
            let rng = ChaCha20Rng::from_rng(&mut rng);
            let settings = self.settings(Party::Server, job)?;
            let (script, weights) = (&job.script, &job.weights);
            serve(&mut channel, script, weights, settings, &mut watch, rng)
                .map_err(Failure::job)?;
        }
        Ok(())
    }

    fn request(&self, stream: TcpStream, globals: &Globals) -> Result<(), Failure> {
        let mut channel = self.channel(stream)?;
        let mut rng = party_rng(globals, "client")?;
        match (self.layers, self.jobs.as_slice()) {
            (None, [job]) => self.network(&mut channel, job, rng, globals),
            (seed, _) => self.random_layers(&mut channel, seed.unwrap_or(0), &mut rng, globals),
        }
    }

    fn network(
        &self,
        channel: &mut Channel,
        job: &Job,
        rng: ChaCha20Rng,
        globals: &Globals,
    ) -> Result<(), Failure> {
        let prediction = job.predict(&self.setting)?;
        let layers = prediction.layers.iter();
        let layers = layers.filter_map(|l| Some((l.name.as_str(), l.he.as_ref()?)));
        self.setting.warn(layers, globals);
        let Job {
            script,
            weights,
            input,
            ..
        } = job;
        let expected = evaluate(&script.network, weights, input).map_err(Failure::job)?;
        let settings = self.settings(Party::Client, job)?;
        let mut watch = self.watch();
        let run = request(channel, script, input, settings, &mut watch, rng);
        let run = run.map_err(Failure::job)?;
        let setting = self.setting.setting();
        let paces = self.paces(run.paces);
        let own = run.tally.undisturbed(script, paces);
        let acts = acts(script, &own, setting.prices, &setting.link).map_err(Failure::input)?;
        let mut verification = compare(prediction, script, &run, paces, &expected);
        verification.acts = acts;
        let holds = verification.holds();
        output::present(&verification, globals)?;
        if holds {
            return Ok(());
        }
        let what = "the result or the number of bytes is not what was predicted";
        Err(Failure::job(anyhow::anyhow!(what)))
    }

    /// Every job as often as was asked for, in rounds.
    fn rounds(
        &self,
        channel: &mut Channel,
        rng: &mut ChaCha20Rng,
        globals: &Globals,
    ) -> Result<Vec<Run>, Failure> {
        let all = self.jobs.len() * self.inferences;
        let bar = output::Progress::new(globals, all as u64, "verifying");
        let mut runs: Vec<Run> = Vec::new();
        let mut watch = self.watch();
        for (index, job) in self.sessions().enumerate() {
            bar.set(index as u64);
            let own = ChaCha20Rng::from_rng(rng);
            let settings = self.settings(Party::Client, job)?;
            let run = request(channel, &job.script, &job.input, settings, &mut watch, own);
            let run = run.map_err(Failure::job)?;
            let run = run.warmed_up(&job.script, WARM_UP);
            match runs.get_mut(index % self.jobs.len()) {
                Some(runs) => runs.append(run),
                None => runs.push(run),
            }
        }
        Ok(runs)
    }

    fn random_layers(
        &self,
        channel: &mut Channel,
        seed: u64,
        rng: &mut ChaCha20Rng,
        globals: &Globals,
    ) -> Result<(), Failure> {
        let runs = self.rounds(channel, rng, globals)?;
        let (mut random_layers, mut all_acts) = (Vec::new(), Vec::new());
        let mut peak_memory = PeakMemory::default();
        let all = runs.iter().map(|run| run.paces);
        let paces = self.paces(all.fold(Paces::default(), Paces::merged));
        for (job, run) in self.jobs.iter().zip(runs) {
            let (script, input) = (&job.script, &job.input);
            let expected = evaluate(&script.network, &job.weights, input).map_err(Failure::job)?;
            let prediction = job.predict(&self.setting)?;
            let setting = self.setting.setting();
            let own = run.tally.undisturbed(script, paces);
            let of_layer = acts(script, &own, setting.prices, &setting.link);
            all_acts.extend(of_layer.map_err(Failure::input)?);
            random_layers.extend(compare_layer(prediction, script, &run, paces, &expected));
            let [client, server] = run.peak_memory;
            peak_memory = PeakMemory { client, server };
        }
        let setting = self.setting.setting();
        let first = self.jobs.first();
        let none = Failure::unusable("expected a layer");
        let circuits = CircuitsReport::of(&first.ok_or(none)?.script);
        let all_equal = random_layers.len() == self.jobs.len();
        let [summary, summary_undisturbed] = both_summaries(&random_layers);
        let verified = VerifiedLayers {
            calibration: setting.calibration.clone(),
            link: setting.link.into(),
            circuits,
            seed,
            inferences: self.inferences,
            summary,
            summary_undisturbed,
            random_layers,
            acts: all_acts,
            peak_memory,
            all_equal,
        };
        output::present(&verified, globals)?;
        if all_equal {
            return Ok(());
        }
        let what = "a layer's result or number of bytes is not what was predicted";
        Err(Failure::job(anyhow::anyhow!(what)))
    }
}
