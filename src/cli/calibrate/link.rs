//! `nass calibrate --link HOST:PORT` and `--serve-link`: the link between two machines.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::Context as _;

use crate::calibrate::{Calibration, Op, Profile, environment};
use crate::cli::error::Failure;
use crate::cli::globals::Globals;
use crate::cli::token::TokenArgs;
use crate::cli::{output, verify_server as server};
use crate::verify::{Channel, Token, measure_link, serve_link};

/// How long the answering machine waits for the measuring one.
const WAITING: Duration = Duration::from_secs(600);
/// How long one message may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers the one machine that shows the token until it has done.
pub(super) fn serve(addr: &str, token: &TokenArgs, globals: &Globals) -> Result<(), Failure> {
    let token = token.of_server(globals)?;
    let stream = server::accept(addr, &token, WAITING, globals)?;
    serve_link(&mut channel(stream)?).map_err(Failure::job)
}

/// A link that is to be measured.
#[derive(Debug)]
pub(super) struct Peer {
    addr: String,
    token: Token,
}

impl Peer {
    /// The machine that `--link` and `--token` name; none for the loopback.
    pub(super) fn of(link: &str, token: &TokenArgs) -> Result<Option<Self>, Failure> {
        match link {
            "loopback" => {
                token.refuse("expected with `--link HOST:PORT` or `--serve-link`")?;
                Ok(None)
            }
            addr => {
                let read = addr.to_socket_addrs().with_context(|| {
                    format!("--link {addr}: expected `loopback` or HOST:PORT of `--serve-link`")
                });
                read.map_err(Failure::Input)?;
                let token = token.of_client("--link")?;
                let addr = addr.to_owned();
                Ok(Some(Self { addr, token }))
            }
        }
    }

    /// Measures the link in about `budget`.
    pub(super) fn measure(&self, budget: Duration) -> Result<Calibration, Failure> {
        let stream = server::connect(&self.addr, &self.token)?;
        let peer = stream.peer_addr().map_err(Failure::job)?;
        let measured = measure_link(&mut channel(stream)?, budget);
        let mut measured = measured
            .with_context(|| format!("--link {}", self.addr))
            .map_err(Failure::Job)?;
        let date = environment(1).remove("date").unwrap_or_default();
        let link = format!("{peer}, measured {date}");
        let told = [("link".to_owned(), link)];
        measured.profile.environment = told.into();
        Ok(measured)
    }
}

fn channel(stream: TcpStream) -> Result<Channel, Failure> {
    Channel::new(stream, PATIENCE).map_err(Failure::job)
}

/// Puts the rows of a link into a profile, in place of those of a link that was there.
pub(super) fn put(link: &Profile, profile: &mut Profile) {
    let of_link = |op| matches!(op, Op::LinkOut | Op::LinkIn | Op::LinkRoundTrip);
    profile.records.retain(|record| !of_link(record.case.op));
    profile.records.extend(link.records.iter().cloned());
    let said = link.environment.get("link").cloned();
    profile
        .environment
        .extend(said.map(|link| ("link".to_owned(), link)));
}

/// Warns of directions that differ: prices know one bandwidth.
pub(super) fn warn_of_directions(link: &Profile, globals: &Globals) {
    let nanos_per_byte = |op| {
        let rows = link.records.iter().filter(|r| r.case.op == op);
        let longest = rows.max_by_key(|r| r.bytes.0);
        longest.map_or(1.0, |r| r.median.0 / r.bytes.0.max(1) as f64)
    };
    let (out, back) = (nanos_per_byte(Op::LinkOut), nanos_per_byte(Op::LinkIn));
    if out.max(back) > 1.1 * out.min(back) {
        let [out, back] = [out, back].map(|ns| 8e3 / ns);
        let told = format!(
            "the link carries {out:.0} Mbit/s out and {back:.0} Mbit/s back; \
             `--link measured` goes by the slower"
        );
        output::warn(globals, &told);
    }
}
