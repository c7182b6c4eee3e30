//! How a command fails: unusable input (exit 2) or a failed job (exit 1), told in one line.
//!
//! The line is the chain of causes joined by `: `. Messages of several lines (a TOML error with its
//! marked line, clap's usage) are brought into one; lines that only draw a gutter are dropped.

use std::fmt;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// Arguments or files that cannot be used: exit 2.
    Input(anyhow::Error),
    /// A job or check that failed: exit 1.
    Job(anyhow::Error),
}

impl Failure {
    /// Unusable input, with its causes.
    pub fn input(error: impl Into<anyhow::Error>) -> Self {
        Self::Input(error.into())
    }

    /// A failed job, with its causes.
    pub fn job(error: impl Into<anyhow::Error>) -> Self {
        Self::Job(error.into())
    }

    /// Unusable input, in words.
    pub fn unusable(message: impl fmt::Display) -> Self {
        Self::Input(anyhow::anyhow!("{message}"))
    }

    /// The exit code: 2 for input, 1 for a job.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) => ExitCode::from(2),
            Self::Job(_) => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Input(error) | Self::Job(error)) = self;
        f.write_str(&one_line(&format!("{error:#}")))
    }
}

/// What clap has to say: help and version are printed and succeed, all else is unusable input.
pub(super) fn of_arguments(error: &clap::Error) -> Result<(), Failure> {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return super::output::print(&error.to_string());
    }
    let text = error.to_string();
    let told = text.split("\nUsage:").next().unwrap_or(&text);
    let told = told.split("\nFor more information").next().unwrap_or(told);
    let told = told.strip_prefix("error: ").unwrap_or(told);
    Err(Failure::unusable(format!("{}; see --help", one_line(told))))
}

fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let kept: Vec<&str> = lines.filter(|line| !is_gutter(line)).collect();
    kept.join(" ")
}

/// Whether a line is empty or part of a quotation of source text: `|`, `2 | text`, `|  ^^^`.
fn is_gutter(line: &str) -> bool {
    let after_number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.is_empty() || after_number.trim_start().starts_with('|')
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_chain_is_one_line() {
        let cause =
            anyhow::anyhow!("parse error at line 2, column 5\n  |\n2 | x == 1\n  |   ^\nkey");
        let error = Err::<(), _>(cause).context("net.toml").unwrap_err();
        let failure = Failure::input(error);
        assert_eq!(
            failure.to_string(),
            "net.toml: parse error at line 2, column 5 key"
        );
        assert_eq!(failure.exit_code(), ExitCode::from(2));
    }

    #[test]
    fn a_failed_job_is_exit_1() {
        let failure = Failure::job(std::io::Error::other("no"));
        assert_eq!(failure.to_string(), "no");
        assert_eq!(failure.exit_code(), ExitCode::from(1));
    }
}
