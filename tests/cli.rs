//! The command as a user meets it: exit codes, one line on stderr, formats, files written whole.

#[path = "support/program.rs"]
mod program;

use std::path::Path;

use program::{nass, refusal, stdout};

#[test]
fn help_and_version_succeed() {
    for arguments in [
        &["--help"][..],
        &["networks", "--help"],
        &["report", "-h"],
        &["datasets", "--help"],
    ] {
        let output = nass(arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("Example"), "{arguments:?}");
    }
    assert_eq!(
        stdout(&nass(&["--version"])).trim(),
        concat!("nass ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn arguments_that_mean_nothing_are_exit_2_in_one_line() {
    assert!(refusal(&[], 2).contains("subcommand"));
    assert!(refusal(&["fly"], 2).contains("'fly'"));
    assert!(refusal(&["networks", "--fly"], 2).contains("'--fly'"));
    assert!(refusal(&["networks", "--format", "xml"], 2).contains("table, json, csv"));
    assert!(refusal(&["networks", "--threads", "0"], 2).contains("--threads"));
    assert!(refusal(&["networks", "--seed", "x"], 2).contains("--seed"));
    assert!(refusal(&["networks", "-q", "-v"], 2).contains("cannot be used with"));
    assert!(refusal(&["report"], 2).contains("<RESULT>"));
}

#[test]
fn networks_are_listed_in_every_format() {
    let table = nass(&["networks"]);
    assert_eq!(table.status.code(), Some(0));
    assert!(stdout(&table).contains("gazelle-cifar10"));
    assert!(table.stderr.is_empty());
    let json = stdout(&nass(&["--format", "json", "networks"]));
    let read: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
    let names: Vec<&str> = read
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|network| network["name"].as_str())
        .collect();
    assert!(names.contains(&"toy") && names.contains(&"nass-cifar-acc"));
    let csv = stdout(&nass(&["networks", "--format", "csv"]));
    assert_eq!(csv.lines().count(), names.len() + 1);
}

#[test]
fn one_network_is_shown_layer_by_layer() {
    let csv = stdout(&nass(&["networks", "toy", "--format", "csv"]));
    assert!(csv.starts_with("layer,kind,out,"), "{csv}");
    assert!(csv.contains("\nconv1,conv,"), "{csv}");
    assert!(refusal(&["networks", "resnet"], 2).contains("gazelle-cifar10"));
    assert!(refusal(&["networks", "net.onnx"], 2).contains("not read yet"));
    assert!(refusal(&["networks", "none.toml"], 2).starts_with("error: none.toml: "));
}

#[test]
fn datasets_are_found_in_folders() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let shapes = folder.path().join("shapes");
    std::fs::create_dir(&shapes)?;
    for part in ["train", "t10k"] {
        let mut images = [[0, 0, 8, 3], [0, 0, 0, 20], [0, 0, 0, 4], [0, 0, 0, 4]].concat();
        images.extend([7; 20 * 16]);
        let mut labels = [[0, 0, 8, 1], [0, 0, 0, 20]].concat();
        labels.extend((0..20).map(|label| label % 10));
        std::fs::write(shapes.join(format!("{part}-images-idx3-ubyte")), images)?;
        std::fs::write(shapes.join(format!("{part}-labels-idx1-ubyte")), labels)?;
    }
    let name = shapes.display().to_string();
    let expected = format!(
        "name,kind,image,classes,train,validation,test\n\
         synthetic,synthetic,1x16x16,10,4500,500,1000\n{name},idx,1x4x4,10,18,2,20\n"
    );
    for given in [folder.path(), &shapes] {
        let given = given.to_string_lossy();
        assert_eq!(
            stdout(&nass(&["datasets", &given, "--format", "csv"])),
            expected
        );
    }
    assert!(stdout(&nass(&["datasets"])).contains("synthetic"));
    assert!(refusal(&["datasets", "/nowhere"], 2).starts_with("error: /nowhere: No such file"));
    std::fs::write(shapes.join("t10k-labels-idx1-ubyte"), [1])?;
    let told = refusal(&["datasets", &name], 2);
    assert!(told.contains("t10k-labels-idx1-ubyte"), "{told}");
    Ok(())
}

#[cfg(not(feature = "torch"))]
#[test]
fn a_search_needs_libtorch_and_is_absent_without() {
    assert!(!stdout(&nass(&["--help"])).contains("search"));
    let told = refusal(&["search", "--study", "x"], 2);
    assert!(told.contains("unrecognized subcommand 'search'"), "{told}");
}

#[test]
fn calibration_refuses_what_it_does_not_measure() {
    assert!(refusal(&["calibrate", "--link", "fast"], 2).contains("loopback"));
    assert!(refusal(&["calibrate", "--link", "127.0.0.1:9"], 2).contains("--token"));
    assert!(refusal(&["calibrate", "--token", "00"], 2).contains("hexadecimal"));
    assert!(refusal(&["calibrate", "--serve-link", "nowhere"], 2).contains("HOST:PORT"));
    assert!(refusal(&["calibrate", "--serve-link", "--quick"], 2).contains("cannot be used"));
    assert!(refusal(&["calibrate", "--fits", "-o", "/nowhere.csv"], 2).contains("/nowhere.csv"));
    assert!(refusal(&["calibrate", "-o", "."], 2).contains("found a folder"));
}

const PREDICTION: &str = r#"{
  "network": "tiny", "protocol": "gazelle", "calibration": "test",
  "link": {"mbit_per_s": 1000, "rtt_ms": 0.5},
  "circuits": {"garbler": "server", "delivery": "split", "hash": "tmmo", "extension": "softspoken4",
    "stored": {"client": 0, "server": 0}},
  "layers": [{"name": "fc", "kind": "fc", "in": [16, 1, 1], "out": [4, 1, 1],
    "he": null, "schedule": null, "ops": {"hadamard": 4},
    "seconds": {"offline": 0, "online": 1, "client": 0.25, "server": 0.5, "link": 0.25, "total": 1},
    "bytes": {"offline": 0, "online": 3, "to_server": 1, "to_client": 2, "total": 3}, "stored": null}],
  "setup": {"seconds": 0.5, "bytes": 7},
  "total": {"relus": 0, "flops": 64, "parameters": 68,
    "seconds": {"offline": 0, "online": 1, "client": 0.25, "server": 0.5, "link": 0.25, "total": 1},
    "bytes": {"offline": 0, "online": 3, "to_server": 1, "to_client": 2, "total": 3}}
}"#;

fn write(path: &Path, text: &str) {
    assert!(std::fs::write(path, text).is_ok(), "{}", path.display());
}

#[test]
fn a_report_is_one_page_written_whole() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (json, html) = (folder.path().join("p.json"), folder.path().join("p.html"));
    write(&json, PREDICTION);
    write(&html, "old");
    let arguments = [
        "report",
        &json.to_string_lossy(),
        "-o",
        &html.to_string_lossy(),
    ];
    let output = nass(&arguments);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    let page = std::fs::read_to_string(&html)?;
    assert!(page.contains("tiny") && page.ends_with("</html>"));
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 2);
    Ok(())
}

#[test]
fn damaged_results_are_exit_2_and_named() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let json = folder.path().join("p.json");
    let html = folder.path().join("p.html");
    let arguments = [
        "report",
        &json.to_string_lossy(),
        "-o",
        &html.to_string_lossy(),
    ];
    assert!(refusal(&arguments, 2).contains("p.json: No such file"));
    write(
        &json,
        &PREDICTION.replace("\"hadamard\": 4", "\"hadamard\": -4"),
    );
    let told = refusal(&arguments, 2);
    assert!(told.contains("p.json: layers[0].ops"), "{told}");
    for (cut, _) in PREDICTION.char_indices().step_by(97) {
        write(&json, &PREDICTION[..cut]);
        refusal(&arguments, 2);
    }
    assert!(!html.exists());
    Ok(())
}

#[test]
fn a_page_that_cannot_be_written_is_exit_1() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let json = folder.path().join("p.json");
    write(&json, PREDICTION);
    let into_a_file = format!("{}/page.html", json.display());
    let told = refusal(&["report", &json.to_string_lossy(), "-o", &into_a_file], 1);
    assert!(told.contains("cannot be written"), "{told}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_failure() -> std::io::Result<()> {
    use std::process::Stdio;
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("nass"));
    let output = command
        .arg("networks")
        .stdout(Stdio::from(writer))
        .stderr(Stdio::piped())
        .spawn()?
        .wait_with_output()?;
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    Ok(())
}
