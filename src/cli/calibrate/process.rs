//! Cases measured in a process of their own: this program again, told which ones.
//!
//! In a process that has measured other rings before, transforms and rotations come out slower than in one of their own, and
//! fully connected layers were told 12 % too long by such rows. Why is not known: neither the clock's pace nor the
//! allocator's settings explained it.

use std::process::{Command, Stdio};

use crate::calibrate::{Case, Effort, Known, Outcome, measure};
use crate::cli::error::Failure;

/// What the processes are told besides the cases.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// Whether they measure quickly.
    pub(super) quick: bool,
    /// Threads that share what several share.
    pub(super) threads: usize,
    /// What is known of this machine.
    pub(super) known: Known,
}

/// Measures the cases at these places among all, in another process.
pub(super) fn take(places: &[usize], told: Told) -> Vec<Outcome> {
    let outcomes = run(places, told).and_then(|outcomes| {
        let all = outcomes.len() == places.len();
        all.then_some(outcomes)
            .ok_or_else(|| anyhow::anyhow!("it told of other cases"))
    });
    outcomes.unwrap_or_else(|failure| {
        let failed = format!("the process that measures: {failure:#}");
        places.iter().map(|_| Err(failed.clone())).collect()
    })
}

fn run(places: &[usize], told: Told) -> anyhow::Result<Vec<Outcome>> {
    let places: Vec<String> = places.iter().map(usize::to_string).collect();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["calibrate", "--quiet", "--part", &places.join(",")]);
    command.args(["--threads", &told.threads.to_string()]);
    if told.quick {
        command.arg("--quick");
    }
    if let Some(pace) = told.known.pace {
        command.args(["--pace", &pace.to_string()]);
    }
    if let Some(near) = told.known.near {
        command.args(["--near", &near.to_string()]);
    }
    let child = command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = child.output()?;
    if !output.status.success() {
        anyhow::bail!("{}", output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The process: measures the cases at these places among all, and prints what it made of each.
pub(super) fn serve(
    places: &[usize],
    cases: &[Case],
    effort: Effort,
    known: Known,
) -> Result<(), Failure> {
    let part: Option<Vec<&Case>> = places.iter().map(|&at| cases.get(at)).collect();
    let part = part.ok_or_else(|| {
        let of = cases.len();
        Failure::unusable(format_args!("--part: expected numbers below {of}"))
    })?;
    let outcomes = measure(part, effort, known);
    let text = serde_json::to_string(&outcomes).map_err(Failure::job)?;
    crate::cli::output::print(&text)
}
