//! `nass search` as a user meets it: killed and resumed it ends as unbroken; what differs is refused.
//!
//! The profile is made up: prices do not matter here, only that they are the same.

#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test without its files has failed")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nass::bfv::HeOp;
use nass::network::{NetworkParams, Weights};
use nass::search::StudyRecord;
use tempfile::TempDir;

const EPISODES: &str = "4";

/// A folder with a made-up profile.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::write(place.profile(), profile()).unwrap();
        place
    }

    fn profile(&self) -> PathBuf {
        self.0.path().join("profile.csv")
    }

    fn study(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A short search, ready to be started or added to.
    fn search(&self, study: &str) -> Command {
        let mut command = nass();
        command
            .args(["search", "--dataset", "synthetic", "--space", "small"])
            .args(["--seed", "1", "--threads", "1", "--episodes", EPISODES])
            .args(["--epochs", "1", "--train-images", "640", "--sw-n", "2"])
            .arg("--calibration")
            .arg(self.profile())
            .arg("--study")
            .arg(self.study(study));
        command
    }

    fn resume(&self, study: &str) -> Command {
        let mut command = nass();
        command.args(["search", "--resume", "--study"]);
        command.arg(self.study(study));
        command
    }
}

fn nass() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("nass"))
}

/// Every operation at a few sizes, priced by a rule.
fn profile() -> String {
    let mut text = "# processor: made up\n".to_owned();
    text += "op,n,limbs,q_bits,p_bits,param,threads,working_set,samples,median_ns,ci_low_ns,\
             ci_high_ns,bytes\n";
    for (index, op) in HeOp::ALL.into_iter().enumerate() {
        for (n, limbs) in [(4096, 1), (4096, 2), (8192, 3)] {
            let (bits, ns) = (limbs * 50, n * limbs * (1 + index % 5));
            let name = op.name();
            let _ = writeln!(
                text,
                "{name},{n},{limbs},{bits},20,special=50,1,hot,9,{ns},{ns},{ns},0"
            );
        }
    }
    for (op, param, ns) in [
        ("garble", "circuit=relu;ands=100;batch=1000", 2_000_000),
        ("evaluate", "circuit=relu;ands=100;batch=1000", 1_000_000),
        ("base_ot", "role=sender;batch=128", 10_000_000),
        ("base_ot", "role=receiver;batch=128", 10_000_000),
        (
            "ot_correlated",
            "extension=softspoken4;role=sender;batch=1000",
            100_000,
        ),
        (
            "ot_correlated",
            "extension=softspoken4;role=receiver;batch=1000",
            100_000,
        ),
        ("ot_derandomize", "role=sender;batch=1000", 5_000),
        ("ot_derandomize", "role=receiver;batch=1000", 5_000),
        ("send", "bytes=1000000", 1_000_000),
        ("round_trip", "bytes=1", 30_000),
    ] {
        let _ = writeln!(text, "{op},0,0,0,0,{param},1,hot,9,{ns},{ns},{ns},0");
    }
    text
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{command:?}: {told}");
    output
}

/// The single line on stderr of a run that was refused.
fn refusal(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{command:?}: {told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(output.stdout.is_empty());
    told
}

/// Starts a search and kills it as soon as it has an episode: none of its own code runs after.
fn kill_after_an_episode(command: &mut Command, study: &Path) -> usize {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let episodes = || StudyRecord::read(study).map_or(0, |record| record.episodes.len());
    while episodes() == 0 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    episodes()
}

fn files(study: &Path, extension: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(study).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<(String, Vec<u8>)> = paths
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn killed_and_resumed_a_study_ends_as_the_unbroken_one() {
    let place = Place::new();
    let (whole, broken) = (place.study("whole"), place.study("broken"));
    run(&mut place.search("whole"));
    let before = kill_after_an_episode(&mut place.search("broken"), &broken);
    assert!((1..4).contains(&before), "killed after {before} episodes");
    run(&mut place.resume("broken"));
    let (expected, found) = (
        StudyRecord::read(&whole).unwrap(),
        StudyRecord::read(&broken).unwrap(),
    );
    assert_eq!(expected.episodes.len(), 4);
    assert_eq!(found.episodes, expected.episodes);
    assert_eq!(found.weights, expected.weights);
    assert_eq!(found.settings, expected.settings);
    for extension in ["toml", "safetensors"] {
        let exported = files(&whole, extension);
        assert!(exported.len() >= 2, "best and a front");
        assert!(files(&broken, extension) == exported);
    }
    what_is_exported_fits(&whole);
    what_differs_is_refused(&place);
    a_page_shows(&place, &expected);
}

fn what_is_exported_fits(study: &Path) {
    let text = std::fs::read_to_string(study.join("best.toml")).unwrap();
    let (network, warnings) = NetworkParams::from_toml(&text).unwrap();
    assert!(warnings.is_empty());
    let bytes = std::fs::read(study.join("best.safetensors")).unwrap();
    let weights = Weights::from_safetensors(&bytes, &network).unwrap();
    network.resolve(Some(&weights)).unwrap();
}

fn what_differs_is_refused(place: &Place) {
    let told = refusal(&mut place.search("whole"));
    assert!(told.contains("there is a study in this folder"), "{told}");
    for (option, value) in [
        ("--seed", "2"),
        ("--beta", "0.25"),
        ("--epochs", "2"),
        ("--train-images", "641"),
        ("--sw-n", "3"),
        ("--threads", "2"),
        ("--policy", "random"),
        ("--link", "wan"),
        ("--space", "nass-mnist"),
        ("--reference", "seconds=1,bytes=1"),
    ] {
        let told = refusal(place.resume("whole").args([option, value]));
        assert!(told.contains(option), "{option}: {told}");
    }
    let same = [
        "--seed",
        "1",
        "--link",
        "loopback",
        "--dataset",
        "synthetic",
    ];
    run(place.resume("whole").args(same));
}

fn a_page_shows(place: &Place, study: &StudyRecord) {
    let page = place.study("page.html");
    run(nass().arg("report").arg(&study.folder).arg("-o").arg(&page));
    let html = std::fs::read_to_string(page).unwrap();
    for word in ["Settings", "Accuracy by episode", "Pareto front", "640"] {
        assert!(html.contains(word), "{word}");
    }
    let json = run(place.resume("whole").args(["--format", "json"])).stdout;
    let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(read["episodes"].as_array().map(Vec::len), Some(4));
    assert!(refusal(nass().arg("report").arg(place.0.path())).contains("no study"));
}

#[test]
fn what_cannot_be_used_is_refused_in_one_line() {
    let place = Place::new();
    assert!(refusal(&mut place.resume("none")).contains("there is no study"));
    let mut nothing = nass();
    assert!(refusal(nothing.args(["search", "--study", "x"])).contains("--dataset"));
    let bad = |option: &str, value: &str| {
        let profile = place.profile().display().to_string();
        let usual = [
            ("--dataset", "synthetic"),
            ("--space", "small"),
            ("--calibration", profile.as_str()),
        ];
        let mut command = nass();
        command.args(["search", option, value]);
        for (name, usual) in usual.into_iter().filter(|(name, _)| *name != option) {
            command.args([name, usual]);
        }
        refusal(command.arg("--study").arg(place.study("none")))
    };
    assert!(bad("--dataset", "/nowhere").contains("/nowhere: expected a folder with"));
    assert!(bad("--space", "/nowhere.toml").contains("/nowhere.toml: No such file"));
    assert!(bad("--reference", "seconds=1").contains("expected a network or"));
    assert!(bad("--link", "fast").contains("link `fast`"));
    assert!(bad("--epochs", "0").contains("epochs is 0"));
    assert!(bad("--beta", "1.5").contains("beta: expected"));
    assert!(bad("--calibration", "/nowhere.csv").contains("/nowhere.csv: No such file"));
    assert!(!place.study("none").join("study.sqlite").exists());
}

#[test]
fn a_dataset_of_another_shape_is_refused() {
    let place = Place::new();
    let folder = place.study("tiny-images");
    std::fs::create_dir(&folder).unwrap();
    for part in ["train", "t10k"] {
        let mut images = [[0, 0, 8, 3], [0, 0, 0, 20], [0, 0, 0, 4], [0, 0, 0, 4]].concat();
        images.extend((0..20 * 16).map(|pixel| (pixel % 251) as u8));
        let mut labels = [[0, 0, 8, 1], [0, 0, 0, 20]].concat();
        labels.extend((0..20).map(|label| label % 10));
        std::fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        std::fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
    let mut command = nass();
    command.args(["search", "--space", "small", "--study"]);
    command
        .arg(place.study("none"))
        .arg("--dataset")
        .arg(&folder);
    let told = refusal(&mut command);
    assert!(
        told.contains("networks read 1x16x16; expected 1x4x4"),
        "{told}"
    );
}
