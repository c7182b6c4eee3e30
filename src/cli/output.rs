//! Results to stdout, files by temporary name and rename, warnings and progress to stderr.
//!
//! A reader that closes the pipe early (`nass networks | head -1`) has what it wanted: success.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::error::Failure;
use super::globals::{Format, Globals, Verbosity};
use crate::report::Present;

/// Prints a result in the format that was asked for.
pub(super) fn present(result: &impl Present, globals: &Globals) -> Result<(), Failure> {
    let text = match globals.format {
        Format::Table => result.table(),
        Format::Json => result.json().map_err(Failure::job)?,
        Format::Csv => result.csv().map_err(Failure::job)?,
    };
    print(&text)
}

/// Prints text on stdout.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("stdout").map_err(Failure::Job),
    }
}

/// One `error:` line on stderr.
pub(super) fn complain(failure: &Failure) {
    line(&format!("error: {failure}"));
}

/// One `warning:` line on stderr, unless `-q`.
pub(super) fn warn(globals: &Globals, message: &str) {
    if globals.verbosity > Verbosity::Quiet {
        line(&format!("warning: {message}"));
    }
}

/// One line on stderr that says what was done, with `-v` only.
pub(super) fn say(globals: &Globals, message: &str) {
    if globals.verbosity >= Verbosity::Verbose {
        line(message);
    }
}

/// Writes to stderr what can be written there: nobody is left to be told of a failure.
fn line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes a file as a whole: beside it under a temporary name, then renamed over it.
///
/// Missing folders are made. A file that was there is replaced whole or not at all.
pub(super) fn write_file(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write_whole(path, content)
        .with_context(|| format!("{}: cannot be written", path.display()))
        .map_err(Failure::Job)
}

fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".nass-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// A progress bar on stderr; nothing where stderr is no terminal or `-q` was given.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar over `total` steps; `what` says what is being done.
    pub fn new(globals: &Globals, total: u64, what: &str) -> Self {
        let shown = globals.verbosity > Verbosity::Quiet && io::stderr().is_terminal();
        let target = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let template = "{msg} {wide_bar} {pos}/{len} {elapsed}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Self(bar)
    }

    /// Moves to `done` steps.
    pub fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Says what is being done now.
    pub fn message(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/file.csv");
        write_file(&path, b"one").unwrap();
        write_file(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        let names = std::fs::read_dir(folder.path().join("new")).unwrap();
        assert_eq!(names.count(), 1);
    }

    #[test]
    fn a_path_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let failure = write_file(folder.path(), b"x").unwrap_err();
        assert!(failure.to_string().contains("cannot be written"));
        assert!(matches!(failure, Failure::Job(_)));
    }
}
