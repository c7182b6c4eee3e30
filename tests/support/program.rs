//! The built command, run by tests.

use std::process::Output;

use assert_cmd::Command;

pub(crate) fn nass(arguments: &[&str]) -> Output {
    let run = Command::cargo_bin("nass").map(|mut command| command.args(arguments).output());
    match run {
        Ok(Ok(output)) => output,
        other => panic_with(&other),
    }
}

#[expect(clippy::panic, reason = "a test without its program has failed")]
fn panic_with(what: &dyn std::fmt::Debug) -> ! {
    panic!("nass cannot be run: {what:?}")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The single line on stderr of a run that ended with `code` and printed nothing else.
pub(crate) fn refusal(arguments: &[&str], code: i32) -> String {
    let output = nass(arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    assert_eq!(told.lines().count(), 1, "{arguments:?}: {told}");
    assert!(told.starts_with("error: "), "{told}");
    assert!(output.stdout.is_empty());
    told
}
