//! How the parties of `nass verify` and the ends of `nass calibrate --link` find each other: listen, connect, show the token; the second process.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader};
use std::net::{IpAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::error::Failure;
use super::globals::Globals;
use super::output;
use super::token::{self, ServerToken};
use crate::verify::{Channel, GREETING, Stranger, Token, admit};

/// How the server tells where it listens.
const LISTENING: &str = "listening on ";
/// How it tells its token.
const TOKEN: &str = "token ";

/// Listens, tells where, and gives back the connection of the client that shows the token within `patience`.
/// A token of the server's own drawing is told too: its client has to get it somehow.
pub(super) fn accept(
    addr: &str,
    token: &ServerToken,
    patience: Duration,
    globals: &Globals,
) -> Result<TcpStream, Failure> {
    check_address(addr)?;
    let listener = TcpListener::bind(addr);
    let listener = listener
        .with_context(|| format!("{addr}: cannot listen"))
        .map_err(Failure::Job)?;
    let addr = listener.local_addr().map_err(Failure::job)?;
    if !is_loopback(addr.ip()) {
        let told =
            "listens beyond this machine; what the parties send is not hidden from the network";
        output::warn(globals, told);
    }
    let (token, shown) = match token {
        ServerToken::Given(token) => (token, String::new()),
        ServerToken::Drawn(token) => (token, format!("{TOKEN}{token}\n")),
    };
    output::print(&format!("{LISTENING}{addr}\n{shown}"))?;
    let sent_away = |peer, why| {
        let what = match why {
            Stranger::OtherToken => "another token",
            Stranger::NoToken => "no token",
        };
        output::warn(globals, &format!("{peer} showed {what}; sent away"));
    };
    admit(&listener, token, patience, sent_away).map_err(Failure::job)
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// Connects to the server and shows it the token.
pub(super) fn connect(addr: &str, token: &Token) -> Result<TcpStream, Failure> {
    check_address(addr)?;
    let stream = reach(addr)
        .with_context(|| format!("{addr}: cannot connect"))
        .map_err(Failure::Job)?;
    let own = stream.try_clone().map_err(Failure::job)?;
    let mut channel = Channel::new(own, GREETING).map_err(Failure::job)?;
    token.present(&mut channel).map_err(Failure::job)?;
    Ok(stream)
}

/// Connects to the first address that answers in time.
fn reach(addr: &str) -> io::Result<TcpStream> {
    let mut failed = io::ErrorKind::AddrNotAvailable.into();
    for addr in addr.to_socket_addrs()? {
        match TcpStream::connect_timeout(&addr, GREETING) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn check_address(addr: &str) -> Result<(), Failure> {
    let read = addr
        .to_socket_addrs()
        .with_context(|| format!("{addr}: expected HOST:PORT"));
    read.map(|_| ()).map_err(Failure::Input)
}

/// The server as a second process with this one's arguments; it ends with this value.
pub(super) struct ServerProcess(Child);

impl ServerProcess {
    /// Starts it and waits until it tells where it listens, and its token.
    pub(super) fn start(weight_seed: u64) -> Result<(Self, String, Token), Failure> {
        let program = std::env::current_exe().map_err(Failure::job)?;
        let mut command = Command::new(program);
        let given: Vec<OsString> = std::env::args_os().skip(1).collect();
        command.args(without(
            &given,
            &["--role"],
            &["-v", "--verbose", "-q", "--quiet"],
        ));
        command.args(["--role", "server", "--quiet"]);
        command.env_remove(token::VARIABLE);
        if !given
            .iter()
            .any(|argument| argument.to_string_lossy().starts_with("--weight"))
        {
            command.arg("--weight-seed").arg(weight_seed.to_string());
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut server = Self(child.context("the server process").map_err(Failure::Job)?);
        let mut lines = Vec::new();
        if let Some(stdout) = server.0.stdout.take() {
            let read = BufReader::new(stdout).lines().take(2);
            lines = read.collect::<Result<_, _>>().map_err(Failure::job)?;
        }
        let told = match lines.as_slice() {
            [addr, token] => addr.strip_prefix(LISTENING).zip(token.strip_prefix(TOKEN)),
            _ => None,
        };
        let told = told.and_then(|(addr, token)| Some((addr.to_owned(), token.parse().ok()?)));
        match told {
            Some((addr, token)) => Ok((server, addr, token)),
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
