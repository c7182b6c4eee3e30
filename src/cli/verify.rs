//! `nass verify`: the network run for real between two processes, measured beside predicted.
//!
//! With `--role both` this process is the client and starts the server as a second process on the
//! loopback; with `client` or `server` each is started by hand with the same network and flags.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};

use super::circuits::{self, CircuitArgs};
use super::error::Failure;
use super::globals::Globals;
use super::predict::failure;
use super::setting::{OwnedSetting, SettingArgs};
use super::{inputs, output};
use crate::network::{NetworkParams, Weights, evaluate};
use crate::predict::{estimate, plan};
use crate::protocol::{Inbox, Party, Script, StepPlan};
use crate::verify::{compare, request, serve};

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

/// Run a network between two parties and set what is measured beside what is predicted
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  nass verify toy\n  nass verify toy --garbler client --delivery streamed\n  nass verify toy --role server --addr 127.0.0.1:7000 --weight-seed 1\n  nass verify toy --role client --addr 127.0.0.1:7000 --weight-seed 1"
)]
pub(super) struct Args {
    /// A name that `nass networks` lists, or a `.toml` file
    #[arg(value_name = "NET")]
    network: String,
    /// Integer weights (safetensors) [default: drawn at random]
    #[arg(long, value_name = "FILE", conflicts_with = "weight_seed")]
    weights: Option<PathBuf>,
    /// Seed of random weights and input; both parties need the same [default: --seed, else random]
    #[arg(long, value_name = "N")]
    weight_seed: Option<u64>,
    /// Which party this process is
    #[arg(long, value_enum, default_value = "both")]
    role: Role,
    /// Where the server listens, with `--role client` or `server`; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    addr: String,
    #[command(flatten)]
    setting: SettingArgs,
    #[command(flatten)]
    circuits: CircuitArgs,
    /// Folder in which tables wait, in a file that is removed [default: in memory]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// What both parties derive alike from the arguments.
struct Job {
    network: NetworkParams,
    weights: Weights,
    input: Vec<i64>,
    script: Script,
    store: Option<PathBuf>,
    setting: OwnedSetting,
}

impl Job {
    /// Where a party's messages wait.
    fn inbox(&self, party: Party) -> Result<Inbox, Failure> {
        circuits::inbox(self.store.as_deref(), party, &self.script.circuits)
    }
}

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    let weight_seed = match args.weight_seed.or(globals.seed) {
        Some(seed) => seed,
        None if args.role == Role::Both || args.weights.is_some() => globals.rng()?.random(),
        None => {
            let need = "--role client or server needs --weights or --weight-seed";
            return Err(Failure::unusable(need));
        }
    };
    let job = job(&args, weight_seed, globals)?;
    if args.role != Role::Both && globals.seed.is_some() {
        let shown = "--seed: whoever knows it can derive this party's secrets";
        output::warn(globals, shown);
    }
    let (client, server) = (party_rng(globals, "client")?, party_rng(globals, "server")?);
    match args.role {
        Role::Server => listen(&args.addr, &job, server),
        Role::Client => {
            let stream = connect(&args.addr)?;
            as_client(stream, job, client, globals)
        }
        Role::Both => {
            let (_server, addr) = ServerProcess::start(weight_seed)?;
            as_client(connect(&addr)?, job, client, globals)
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

fn job(args: &Args, weight_seed: u64, globals: &Globals) -> Result<Job, Failure> {
    let network = inputs::network(&args.network, globals)?;
    let mut rng = ChaCha20Rng::seed_from_u64(weight_seed);
    let weights = match &args.weights {
        Some(path) => inputs::weights(path, &network)?,
        None => Weights::random(&network, &mut rng).map_err(Failure::input)?,
    };
    let circuits = args.circuits.settings(globals);
    let setting = args.setting.resolve(globals)?.garbled(circuits);
    let script = plan(&network, Some(&weights), &setting.setting()).map_err(failure)?;
    for (step, plan) in script.network.steps.iter().zip(&script.steps) {
        if let StepPlan::Linear { crypto, .. } = plan
            && !crypto.p_holds_all_values
        {
            return Err(Failure::unusable(format!(
                "layer `{}`: its p of {} bits cannot hold all its values, so the result may be \
                 wrong; only prediction takes it",
                step.name, crypto.p_bits
            )));
        }
    }
    let input = script.network.random_input(&mut rng);
    Ok(Job {
        network,
        weights,
        input,
        script,
        store: args.store.clone(),
        setting,
    })
}

fn check_address(addr: &str) -> Result<(), Failure> {
    let read = addr
        .to_socket_addrs()
        .with_context(|| format!("--addr {addr}: expected HOST:PORT"));
    read.map(|_| ()).map_err(Failure::Input)
}

fn connect(addr: &str) -> Result<TcpStream, Failure> {
    check_address(addr)?;
    let connected = TcpStream::connect(addr);
    connected
        .with_context(|| format!("{addr}: cannot connect"))
        .map_err(Failure::Job)
}

fn listen(addr: &str, job: &Job, rng: ChaCha20Rng) -> Result<(), Failure> {
    check_address(addr)?;
    let inbox = job.inbox(Party::Server)?;
    let listener = TcpListener::bind(addr);
    let listener = listener
        .with_context(|| format!("{addr}: cannot listen"))
        .map_err(Failure::Job)?;
    let addr = listener.local_addr().map_err(Failure::job)?;
    output::print(&format!("{LISTENING}{addr}\n"))?;
    let (stream, _) = listener.accept().map_err(Failure::job)?;
    serve(stream, &job.script, &job.weights, inbox, rng).map_err(Failure::job)
}

/// How the server tells where it listens.
const LISTENING: &str = "listening on ";

fn as_client(
    stream: TcpStream,
    job: Job,
    rng: ChaCha20Rng,
    globals: &Globals,
) -> Result<(), Failure> {
    let inbox = job.inbox(Party::Client)?;
    let setting = job.setting.setting();
    let prediction = estimate(&job.network, &job.script, &setting).map_err(failure)?;
    let layers = prediction
        .layers
        .iter()
        .filter_map(|l| Some((l.name.as_str(), l.he.as_ref()?)));
    job.setting.warn(layers, globals);
    let expected = evaluate(&job.script.network, &job.weights, &job.input).map_err(Failure::job)?;
    let run = request(stream, &job.script, &job.input, inbox, rng).map_err(Failure::job)?;
    let verification = compare(prediction, &run, &expected);
    let holds = verification.holds();
    output::present(&verification, globals)?;
    if holds {
        Ok(())
    } else {
        let what = "the result or the number of bytes is not what was predicted";
        Err(Failure::job(anyhow::anyhow!(what)))
    }
}

/// The server as a second process with this one's arguments; it ends with this value.
struct ServerProcess(Child);

impl ServerProcess {
    /// Starts it and waits until it tells where it listens.
    fn start(weight_seed: u64) -> Result<(Self, String), Failure> {
        let program = std::env::current_exe().map_err(Failure::job)?;
        let mut command = Command::new(program);
        let given: Vec<OsString> = std::env::args_os().skip(1).collect();
        command.args(without(
            &given,
            &["--role"],
            &["-v", "--verbose", "-q", "--quiet"],
        ));
        command.args(["--role", "server", "--quiet"]);
        if !given
            .iter()
            .any(|argument| argument.to_string_lossy().starts_with("--weight"))
        {
            command.arg("--weight-seed").arg(weight_seed.to_string());
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut server = Self(child.context("the server process").map_err(Failure::Job)?);
        let mut line = String::new();
        if let Some(stdout) = server.0.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(Failure::job)?;
        }
        match line.trim().strip_prefix(LISTENING) {
            Some(addr) => Ok((server, addr.to_owned())),
            None => Err(Failure::job(anyhow::anyhow!(
                "the server process did not start"
            ))),
        }
    }
}

/// The arguments without `flags`, and without `options` and their values.
fn without(arguments: &[OsString], options: &[&str], flags: &[&str]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if options.contains(&text.as_ref()) {
            arguments.next();
        } else if !flags.contains(&text.as_ref())
            && !options
                .iter()
                .any(|option| text.starts_with(&format!("{option}=")))
        {
            kept.push(argument.clone());
        }
    }
    kept
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It has ended by itself after a complete run; otherwise nothing is left for it to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_gets_the_same_arguments_but_for_its_role() {
        let given = [
            "verify",
            "toy",
            "--role",
            "both",
            "-v",
            "--role=both",
            "--seed",
            "3",
        ];
        let given: Vec<OsString> = given.into_iter().map(OsString::from).collect();
        let kept = without(&given, &["--role"], &["-v"]);
        assert_eq!(kept, ["verify", "toy", "--seed", "3"]);
    }
}
