//! `nass relu` as a user meets it: DeepReShape's networks in every format and as files.

use std::process::Output;

use assert_cmd::Command;

#[expect(clippy::unwrap_used, reason = "a test without its program has failed")]
fn relu(arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("nass").unwrap();
    command.arg("relu").args(arguments).output().unwrap()
}

fn deepreshape(arguments: &[&str]) -> Output {
    relu(&[&["deepreshape"], arguments].concat())
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refusal(arguments: &[&str]) -> String {
    refused(&deepreshape(arguments))
}

/// The single line on stderr of a run that found its input unusable.
fn refused(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.starts_with("error: ") && output.stdout.is_empty());
    told
}

#[test]
fn the_four_networks_of_the_slides_in_every_format() -> serde_json::Result<()> {
    let json = stdout(&deepreshape(&["--format", "json"]));
    let found: serde_json::Value = serde_json::from_str(&json)?;
    assert_eq!(found["order"], serde_json::json!([3, 2, 4, 1]));
    let networks = found["candidates"].as_array().map_or(0, Vec::len);
    assert_eq!(networks, 4);
    let first = &found["candidates"][0];
    assert_eq!(first["stem"], 16);
    assert_eq!(first["multipliers"], serde_json::json!([5, 5, 3]));
    assert_eq!(first["relus"], 343_040);
    assert_eq!(first["flops"], 1_053_353_152_u64);
    let table = stdout(&deepreshape(&["--order", "3,2,4,1", "--blocks", "2,2,2,2"]));
    assert!(
        table.contains("7x5x2x") && table.contains("343,040"),
        "{table}"
    );
    let csv = stdout(&deepreshape(&["--format", "csv"]));
    assert_eq!(csv.lines().count(), 5, "{csv}");
    Ok(())
}

#[test]
fn the_networks_are_written_and_read_back() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let written = folder.path().join("new");
    let output = deepreshape(&["--classes", "10", "-o", &written.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(std::fs::read_dir(&written)?.count(), 4);
    let file = written.join("hrn-5x7x2x-m16.toml");
    let text = std::fs::read_to_string(file)?;
    let relus = nass::network::NetworkParams::from_toml(&text)
        .and_then(|(network, _)| network.counts())
        .map(|counts| counts.total.relus);
    assert_eq!(relus, Ok(378_880));
    Ok(())
}

#[test]
fn an_impossible_order_is_an_empty_list_with_a_warning() {
    let output = deepreshape(&["--order", "4,3,2,1", "--max-gamma", "3", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("\"candidates\": []"));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("warning: "));
}

#[test]
fn unusable_arguments_are_exit_2_in_one_line() {
    assert!(refused(&relu(&[])).contains("subcommand"));
    assert!(refused(&relu(&["cryptonas"])).contains("'cryptonas'"));
    assert!(refusal(&["--order", "3,2,4,4"]).contains("each of the stages"));
    assert!(refusal(&["--order", "3,2,4"]).contains("four whole numbers"));
    assert!(refusal(&["--blocks", "2,2,x,2"]).contains("--blocks"));
    assert!(refusal(&["--blocks", "2,2,0,2"]).contains("expected 1 to 64"));
    assert!(refusal(&["--input", "30"]).contains("multiple of 8"));
    assert!(refusal(&["--stem", "0"]).contains("stem is 0"));
    assert!(refusal(&["--stem", "60000"]).contains("at most 65536 channels"));
    assert!(refusal(&["--classes", "0"]).contains("classes is 0"));
}
