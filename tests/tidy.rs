//! What the compiler does not check about this repository: headers, sizes, the order of the rooms,
//! names kept in one place, paths in the documents, sources of the data.
//!
//! Each rule is a function from text to complaints; the tests at the foot apply it to the files and
//! show on a small text that it can fail.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::source::{self, Code};

/// The rooms of `src`, in the order of dependency: a room uses itself and those before it.
const ROOMS: [&str; 19] = [
    "units",
    "batch",
    "prefetch",
    "ring",
    "network",
    "security",
    "bfv",
    "gc",
    "packing",
    "params",
    "protocol",
    "calibrate",
    "predict",
    "verify",
    "train",
    "search",
    "relu",
    "report",
    "cli",
];

/// Most lines of a file, its tests left out.
const LONGEST: usize = 400;

/// Files that may be longer, with the reason.
const LONG_FILES: [(&str, &str); 0] = [];

/// Text that may stand only in the files that start with one of the prefixes.
const KEPT_IN_PLACE: [(&str, &[&str]); 6] = [
    ("concrete_ntt", &["src/ring/ntt.rs"]),
    ("tch::", &["src/train/"]),
    ("Instant::now", &["src/calibrate/", "src/verify/"]),
    ("SystemTime::now", &["src/calibrate/", "src/verify/"]),
    ("println!", &["src/cli/"]),
    ("eprintln!", &["src/cli/"]),
];

const DOCUMENTS: [&str; 5] = [
    "README.md",
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CONTRIBUTING.md",
    "benches/peers/README.md",
];

/// Files and folders that programs write and documents may name.
const WRITTEN_BY_RUNS: [&str; 1] = ["target"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder of the repository, by their path from the root; none if it is absent.
fn files(folder: &str) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(name) = path.strip_prefix(root()) {
                found.push((name.to_string_lossy().replace('\\', "/"), path));
            }
        }
    }
    found.sort();
    found
}

fn rust_files(folders: &[&str]) -> Vec<(String, String)> {
    let all = folders.iter().flat_map(|folder| files(folder));
    all.filter(|(name, _)| name.ends_with(".rs"))
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap_or_default()))
        .collect()
}

/// Whether a file of `src` is compiled for tests only.
fn is_test_file(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.ends_with("_tests.rs") || name.contains("/tests/")
}

fn header_faults(name: &str, text: &str) -> Vec<String> {
    let first = text.lines().find(|line| !line.starts_with("#!["));
    match first {
        Some(line) if line.starts_with("//! ") => vec![],
        _ => vec![format!("{name}: starts without a `//!` header")],
    }
}

fn size_faults(name: &str, text: &str) -> Vec<String> {
    let lines = source::lines_without_tests(text);
    if lines <= LONGEST || LONG_FILES.iter().any(|(file, _)| *file == name) {
        return vec![];
    }
    vec![format!(
        "{name}: {lines} lines without tests; at most {LONGEST}"
    )]
}

/// The room that a file of `src` belongs to.
fn room_of(name: &str) -> Option<usize> {
    let inside = name.strip_prefix("src/")?;
    let room = inside.split(['/', '.']).next()?;
    ROOMS.iter().position(|known| *known == room)
}

fn order_faults(name: &str, text: &str) -> Vec<String> {
    let Some(own) = room_of(name) else {
        return vec![];
    };
    let named = Code::without_tests(text).crate_names();
    let later = named
        .iter()
        .filter(|name| ROOMS.iter().skip(own + 1).any(|room| room == name));
    later
        .map(|room| format!("{name}: uses `{room}`, which comes after `{}`", ROOMS[own]))
        .collect()
}

fn place_faults(name: &str, text: &str) -> Vec<String> {
    let code = Code::without_tests(text);
    KEPT_IN_PLACE
        .iter()
        .filter(|(_, places)| !places.iter().any(|place| name.starts_with(place)))
        .filter(|(word, _)| code.has_word(word))
        .map(|(word, places)| format!("{name}: `{word}` belongs in {}", places.join(", ")))
        .collect()
}

/// Paths named in backticks or links, outside fenced code, that do not exist.
fn path_faults(document: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let names = support::documents::paths(line);
            let absent = names.into_iter().filter(|path| !exists(path));
            faults.extend(absent.map(|path| format!("{document}: `{path}` does not exist")));
        }
    }
    faults
}

fn exists(path: &str) -> bool {
    let made = WRITTEN_BY_RUNS
        .iter()
        .any(|folder| path.split('/').next() == Some(folder));
    made || root().join(path).exists()
}

/// Data say where they come from and when: the comment lines at the head.
fn source_faults(name: &str, text: &str) -> Vec<String> {
    let head: Vec<&str> = text
        .lines()
        .take_while(|line| line.starts_with('#'))
        .collect();
    let says = |key: &str| {
        head.iter()
            .filter_map(|line| line.strip_prefix(&format!("# {key}:")))
            .any(|value| !value.trim().is_empty())
    };
    let mut faults = Vec::new();
    if !says("source") && !says("processor") {
        faults.push(format!(
            "{name}: no `# source:` (or `# processor:`) at its head"
        ));
    }
    if !says("date") {
        faults.push(format!("{name}: no `# date:` at its head"));
    }
    faults
}

fn check(files: Vec<(String, String)>, rule: impl Fn(&str, &str) -> Vec<String>) {
    let faults: Vec<String> = files
        .iter()
        .flat_map(|(name, text)| rule(name, text))
        .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn library_files() -> Vec<(String, String)> {
    let mut files = rust_files(&["src"]);
    files.retain(|(name, _)| !is_test_file(name));
    files
}

#[test]
fn every_file_starts_with_what_it_is() {
    let all = rust_files(&["src", "tests", "benches"]);
    assert!(all.len() > 20, "only {} files were found", all.len());
    check(all, header_faults);
    assert_eq!(header_faults("a.rs", "use b;\n//! late").len(), 1);
    assert_eq!(header_faults("a.rs", "").len(), 1);
}

#[test]
fn files_are_short() {
    check(library_files(), size_faults);
    let long = "fn a() {}\n".repeat(LONGEST + 1);
    assert_eq!(size_faults("a.rs", &long).len(), 1);
    let tested = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert!(size_faults("a.rs", &tested).is_empty());
}

#[test]
fn long_files_that_became_short_leave_the_list() {
    for (name, reason) in LONG_FILES {
        let text = fs::read_to_string(root().join(name)).unwrap_or_default();
        let lines = source::lines_without_tests(&text);
        assert!(lines > LONGEST, "{name} has {lines} lines ({reason})");
    }
}

#[test]
fn rooms_use_only_earlier_rooms() {
    for room in fs::read_dir(root().join("src"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = room.file_name().to_string_lossy().replace(".rs", "");
        let known = ROOMS.contains(&name.as_str()) || name == "lib" || name == "main";
        assert!(known, "src/{name} has no place in the order of rooms");
    }
    check(library_files(), order_faults);
    for upward in [
        "use crate::predict::Prediction;",
        "use crate::{units::Bytes, predict::{A, B}};",
        "use crate::{\n    units,\n    predict,\n};",
        "fn f() -> crate::predict::Prediction { todo() }",
        "use super::super::predict::Prediction;",
    ] {
        assert_eq!(order_faults("src/gc/a.rs", upward).len(), 1, "{upward}");
        assert!(order_faults("src/search/a.rs", upward).is_empty());
    }
    for allowed in [
        "// crate::predict would be upward",
        "const A: &str = \"crate::predict::B\";",
        "#[cfg(test)]\nmod tests { use crate::predict::B; }",
        "use super::predict::Own;",
        "use crate::units::predict;",
    ] {
        assert!(order_faults("src/gc/a.rs", allowed).is_empty(), "{allowed}");
    }
}

#[test]
fn names_stay_where_they_belong() {
    check(library_files(), place_faults);
    let faults = |text| place_faults("src/gc/a.rs", text).len();
    assert_eq!(faults("use concrete_ntt::prime64::Plan;"), 1);
    assert_eq!(faults("let t = tch::Tensor::new();"), 1);
    assert_eq!(faults("let t = Instant::now();"), 1);
    assert_eq!(faults("println!(\"a\");"), 1);
    assert_eq!(faults("eprintln!(\"a\");"), 1);
    assert_eq!(faults("let watch = batch::new();"), 0);
    assert!(place_faults("src/ring/ntt.rs", "use concrete_ntt::a;").is_empty());
}

#[test]
fn documents_name_only_paths_that_exist() {
    for name in DOCUMENTS {
        let text = fs::read_to_string(root().join(name)).unwrap_or_default();
        assert!(!text.is_empty(), "{name} is missing");
        let faults = path_faults(name, &text, exists);
        assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
    }
    let faults = |text| path_faults("a.md", text, exists).len();
    assert_eq!(faults("in `src/nowhere.rs` and [there](docs/gone.md)"), 2);
    assert_eq!(
        faults("`Cargo.toml`, `src/cli`, [a](https://a.b/c), `a/b c`, `2^-40`"),
        0
    );
    assert_eq!(faults("```\nsrc/nowhere.rs `src/nowhere.rs`\n```"), 0);
    assert_eq!(faults("`target/demo/report.html`"), 0);
}

#[test]
fn data_say_their_source_and_date() {
    let data = files("data").into_iter().chain(files("calibration"));
    let texts = data.map(|(name, path)| (name, fs::read_to_string(path).unwrap_or_default()));
    check(texts.collect(), source_faults);
    assert_eq!(source_faults("a.csv", "n,q\n1,2\n").len(), 2);
    assert_eq!(source_faults("a.csv", "# source: x\n# date:\nn\n").len(), 1);
    assert_eq!(
        source_faults("a.csv", "# source: x\nn\n# date: y\n").len(),
        1
    );
    assert!(source_faults("a.csv", "# processor: x\n# date: y\n").is_empty());
}
