//! SEAL, by a program of its own (`seal_bench.cpp`) that is asked for one sample at a time, so that
//! its samples lie between those of the others.
//!
//! The program gets n, p and the primes as arguments (the last of several is special), checks its
//! results, and says a line each `peer NAME`, `bytes_… N` and `ready`. Then it reads lines
//! `OPERATION CALLS` and answers with nanoseconds, or `none`.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::ops::{Op, Peer, Size};
use crate::rings::Ring;

/// The running program.
pub struct Seal {
    name: String,
    sizes: Vec<(String, usize)>,
    child: Child,
    questions: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Seal {
    /// Starts `program` on `ring`.
    pub fn new(program: &Path, ring: &Ring) -> Result<Self> {
        let mut child = Command::new(program)
            .args(
                [ring.n as u64, ring.p]
                    .iter()
                    .chain(&ring.chain())
                    .map(u64::to_string),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let questions = child.stdin.take();
        let output = child.stdout.take().context("no output of seal_bench")?;
        let mut seal = Self {
            name: String::new(),
            sizes: Vec::new(),
            child,
            questions,
            answers: BufReader::new(output).lines(),
        };
        loop {
            let line = seal.answer()?;
            match line.split_once(' ') {
                Some(("peer", name)) => name.clone_into(&mut seal.name),
                Some((what, bytes)) => seal.sizes.push((what.to_owned(), bytes.parse()?)),
                None if line == "ready" => return Ok(seal),
                None => bail!("seal_bench said '{line}'"),
            }
        }
    }

    fn answer(&mut self) -> Result<String> {
        let line = self.answers.next().context("seal_bench has ended")?;
        Ok(line?)
    }
}

impl Peer for Seal {
    fn name(&self) -> &str {
        &self.name
    }

    fn time(&mut self, op: Op, calls: u32) -> Result<Option<Duration>> {
        let questions = self.questions.as_mut().context("seal_bench has no input")?;
        writeln!(questions, "{} {calls}", op.name())?;
        questions.flush()?;
        let line = self.answer()?;
        if line == "none" {
            return Ok(None);
        }
        Ok(Some(Duration::from_nanos(line.parse()?)))
    }

    fn bytes(&self, size: Size) -> Option<usize> {
        let found = self.sizes.iter().find(|(name, _)| name == size.name());
        found.map(|&(_, bytes)| bytes)
    }
}

impl Drop for Seal {
    /// The end of its input ends the program.
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.child.wait();
    }
}
