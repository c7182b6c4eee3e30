//! Profiles as commands use them: a link measured between two processes, and what either says when the other one is
//! dead or mad; two profiles compared; fits; a profile of another machine.

#![expect(
    clippy::unwrap_used,
    reason = "a test without its processes has failed"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nass::calibrate::{Op, Profile};
use nass::predict::PriceList;

const TOKEN: &str = "00112233445566778899aabbccddeeff";

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_nass"))
        .arg("calibrate")
        .args(arguments)
        .arg("--quiet")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// An answering process, and where it listens.
fn answering() -> (Child, String) {
    let mut process = start(&["--token", TOKEN, "--serve-link"]);
    let mut lines = BufReader::new(process.stdout.as_mut().unwrap()).lines();
    let addr = lines.next().unwrap().unwrap();
    let addr = addr.strip_prefix("listening on ").unwrap().to_owned();
    assert!(addr.starts_with("127.0.0.1:"), "loopback unless asked");
    (process, addr)
}

fn measuring(addr: &str, file: &Path, effort: &[&str]) -> Child {
    let file = file.to_string_lossy();
    let link = [
        "--link", addr, "--token", TOKEN, "-o", &file, "--format", "csv",
    ];
    start(&[&link[..], effort].concat())
}

/// What a command prints on stdout and stderr, and its exit code.
fn nass(arguments: &[&str]) -> (String, String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nass"));
    let run = command.args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(run.stdout), text(run.stderr), run.status.code())
}

/// What the process says at its end, which must be one line, with exit code 1.
fn complaint(mut child: Child) -> String {
    let mut told = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(
        told.starts_with("error: ") && !told.contains("panicked"),
        "{told}"
    );
    told
}

#[test]
fn two_processes_measure_their_link_and_keep_it_in_the_profile() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.csv");
    let reference = fs::read_to_string("calibration/reference.csv").unwrap();
    fs::write(&file, &reference).unwrap();
    let (mut peer, addr) = answering();
    let measured = measuring(&addr, &file, &["--quick"])
        .wait_with_output()
        .unwrap();
    assert_eq!(measured.status.code(), Some(0));
    assert_eq!(peer.wait().unwrap().code(), Some(0));
    let printed = String::from_utf8(measured.stdout).unwrap();
    assert!(
        printed.lines().any(|line| line.starts_with("link_in,")),
        "{printed}"
    );

    let before = Profile::from_csv(&reference).unwrap();
    let after = Profile::from_csv(&fs::read_to_string(&file).unwrap()).unwrap();
    assert!(after.environment["link"].starts_with(&addr));
    assert_eq!(
        after.environment["processor"],
        before.environment["processor"]
    );
    assert!(
        after.records.starts_with(&before.records),
        "the rest as it was"
    );
    let added = &after.records[before.records.len()..];
    for op in [Op::LinkRoundTrip, Op::LinkOut, Op::LinkIn] {
        assert!(added.iter().any(|record| record.case.op == op), "{op}");
    }
    let link = PriceList::new(&after).distant().unwrap();
    assert!((100.0..1e6).contains(&link.mbit_per_s), "{link:?}");
    assert!(link.rtt_ms > 0.0 && link.rtt_ms < 50.0, "{link:?}");
    let samples = fs::read_to_string(file.with_extension("link.samples.csv")).unwrap();
    let kept: u64 = added.iter().map(|record| record.samples).sum();
    assert_eq!(samples.lines().count() as u64, kept + 1);

    let predict = [
        "predict", "toy", "--format", "json", "--link", "measured", "-q",
    ];
    let (told, _, _) = nass(&[&predict[..], &["--calibration", &file.to_string_lossy()]].concat());
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["link"]["mbit_per_s"], link.mbit_per_s);
}

#[test]
fn a_profile_without_a_link_has_none_to_predict_with() {
    let calibration = ["--calibration", "calibration/reference.csv"];
    let predict = ["predict", "toy", "--link", "measured"];
    let (_, told, code) = nass(&[&predict[..], &calibration].concat());
    assert_eq!(code, Some(2));
    assert!(told.contains("--link HOST:PORT"), "{told}");
}

#[test]
fn an_answering_process_that_is_killed_ends_the_measuring_one_and_the_profile_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.csv");
    let reference = fs::read("calibration/reference.csv").unwrap();
    fs::write(&file, &reference).unwrap();
    let (mut peer, addr) = answering();
    let relay = TcpListener::bind("127.0.0.1:0").unwrap();
    let measuring = measuring(&relay.local_addr().unwrap().to_string(), &file, &[]);
    let (mut near, _) = relay.accept().unwrap();
    let mut far = TcpStream::connect(addr).unwrap();
    let (mut back, mut from) = (near.try_clone().unwrap(), far.try_clone().unwrap());
    let answers = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut back);
        let _ = back.shutdown(std::net::Shutdown::Both);
    });
    // Killed while it measures: what comes before that is shorter.
    std::io::copy(&mut (&mut near).take(1 << 20), &mut far).unwrap();
    peer.kill().unwrap();
    peer.wait().unwrap();
    let told = complaint(measuring);
    answers.join().unwrap();
    assert!(told.contains("the other party is gone"), "{told}");
    assert_eq!(fs::read(&file).unwrap(), reference);
    assert!(!file.with_extension("link.samples.csv").exists());
}

#[test]
fn a_measuring_process_that_vanishes_or_talks_rubbish_ends_the_answering_one() {
    let token: Vec<u8> = (0..16).map(|i| i * 0x11).collect();
    for (bytes, expected) in [(&[][..], "gone"), (&[0xa5; 64], "does not measure a link")] {
        let (peer, addr) = answering();
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.write_all(&token).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let told = complaint(peer);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_server_of_another_kind_is_named_as_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let measuring = measuring(&addr, &folder.path().join("new.csv"), &[]);
    let (mut stream, _) = listener.accept().unwrap();
    stream
        .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .unwrap();
    let told = complaint(measuring);
    assert!(told.contains("does not measure a link"), "{told}");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left"
    );
}

const COLUMNS: &str = "op,n,limbs,q_bits,p_bits,param,threads,working_set,samples,median_ns,ci_low_ns,ci_high_ns,bytes";

/// A made-up profile of rows `op`, n, limbs, nanoseconds.
fn profile(rows: &[(&str, usize, usize, f64)]) -> String {
    let row = |&(op, n, limbs, ns): &(&str, usize, usize, f64)| {
        let q_bits = 50 * limbs;
        format!("{op},{n},{limbs},{q_bits},20,special=50,1,hot,9,{ns},{ns},{ns},0\n")
    };
    let rows: String = rows.iter().map(row).collect();
    format!("# processor: made up\n{COLUMNS}\n{rows}")
}

#[test]
fn two_profiles_are_compared_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, rows| {
        let path = folder.path().join(name);
        fs::write(&path, profile(rows)).unwrap();
        path.to_string_lossy().into_owned()
    };
    let ours = [
        ("add", 4096, 1, 1000.0),
        ("add", 4096, 2, 1000.0),
        ("add", 4096, 3, 1000.0),
        ("rotate", 4096, 1, 5.0),
    ];
    let ours = written("ours.csv", &ours);
    let theirs = [
        ("add", 4096, 1, 1010.0),
        ("add", 4096, 2, 980.0),
        ("add", 4096, 3, 1500.0),
        ("add", 4096, 4, 1.0),
    ];
    let theirs = written("theirs.csv", &theirs);
    let compare = |a: &str, b: &str| {
        let (told, _, code) = nass(&["calibrate", "-o", a, "--compare", b, "--format", "json"]);
        assert_eq!(code, Some(0));
        serde_json::from_str::<serde_json::Value>(&told).unwrap()
    };
    let told = compare(&ours, &theirs);
    assert_eq!(told["cases"], 3);
    let near = |key: &str, expected: f64| {
        let found = told[key].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-9, "{key}: {found}");
    };
    near("median_difference", 0.02);
    near("within_3_percent", 2.0 / 3.0);
    near("within_10_percent", 2.0 / 3.0);
    near("worst_difference", 0.5);
    let worst = told["worst_case"].as_str().unwrap();
    assert!(worst.starts_with("add n=4096 limbs=3"), "{worst}");
    assert_eq!(compare(&ours, &ours)["within_3_percent"], 1.0);
    let renamed = fs::read_to_string(&ours)
        .unwrap()
        .replace("made up", "another");
    fs::write(&theirs, renamed).unwrap();
    let (_, told, _) = nass(&["calibrate", "-o", &ours, "--compare", &theirs]);
    assert!(told.contains("(processor: another, now made up)"), "{told}");
    let (_, told, code) = nass(&["calibrate", "-o", &ours, "--compare", "/nowhere.csv"]);
    assert_eq!(code, Some(2), "{told}");
}

/// Rows on 2·n·limbs but for one, which is 30 % above.
#[test]
fn fits_are_shown_with_what_they_miss() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("law.csv");
    let mut rows = Vec::new();
    for n in [2048, 4096, 8192] {
        for limbs in [1, 2, 3, 4] {
            let off = if (n, limbs) == (4096, 2) { 1.3 } else { 1.0 };
            rows.push(("rotate", n, limbs, off * 2.0 * (n * limbs) as f64));
        }
    }
    fs::write(&file, profile(&rows)).unwrap();
    let (told, _, code) = nass(&[
        "calibrate",
        "--fits",
        "-o",
        &file.to_string_lossy(),
        "--format",
        "json",
    ]);
    assert_eq!(code, Some(0));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let fit = &told[0];
    assert_eq!(
        (&fit["op"], &fit["working_set"]),
        (&"rotate".into(), &"hot".into())
    );
    assert_eq!(
        (&fit["worst_n"], &fit["worst_limbs"]),
        (&4096.into(), &2.into())
    );
    assert_eq!(fit["rows"].as_array().unwrap().len(), rows.len());
    let number = |key: &str| fit[key].as_f64().unwrap();
    assert!((number("n_power") - 1.0).abs() < 0.05, "{fit}");
    assert!((number("limbs_power") - 1.0).abs() < 0.05, "{fit}");
    assert!((0.2..0.31).contains(&number("worst_residual")), "{fit}");
    assert!(number("median_residual") < 0.05, "{fit}");
    let (told, _, _) = nass(&["calibrate", "--fits", "-o", &file.to_string_lossy()]);
    assert!(told.contains("worst") && told.contains("rotate"), "{told}");
}

#[test]
fn a_profile_of_another_machine_is_named_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.csv");
    let reference = fs::read_to_string("calibration/reference.csv").unwrap();
    let made_up = |line: &str| {
        let (key, _) = line.split_once(": ").unwrap_or_default();
        match key {
            "# governor" | "# huge_pages" => format!("{key}: made-up"),
            "# memory" => format!("{key}: 999 kB"),
            _ => line.to_owned(),
        }
    };
    let other: Vec<String> = reference.lines().map(made_up).collect();
    let other = other.join("\n") + "\n";
    fs::write(&file, other).unwrap();
    let (_, told, code) = nass(&["predict", "toy", "--calibration", &file.to_string_lossy()]);
    assert_eq!(code, Some(0), "{told}");
    let line = told
        .lines()
        .find(|line| line.contains("was measured elsewhere"));
    let line = line.unwrap_or_default();
    for key in [
        "governor: made-up, now ",
        "huge_pages: made-up, now ",
        "memory: 999",
    ] {
        assert!(line.contains(key), "{key}: {told}");
    }
}
