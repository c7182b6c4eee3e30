//! Parameters, predictions and verifications of whole networks, as the command gives them.

#![expect(clippy::unwrap_used, reason = "a test without its files has failed")]

#[path = "support/program.rs"]
mod program;

use program::{nass, refusal, stdout};
use serde_json::Value;

const REFERENCE: [&str; 2] = ["--calibration", "calibration/reference.csv"];

fn json(arguments: &[&str]) -> Value {
    let output = nass(&[arguments, &REFERENCE, &["--format", "json"]].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {told}");
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn number(value: &Value, path: &str) -> f64 {
    value
        .pointer(path)
        .and_then(Value::as_f64)
        .unwrap_or(f64::NAN)
}

#[test]
fn known_networks_have_their_relus_and_sound_parameters() {
    let counts = [
        ("gazelle-cifar10", 173_056.0),
        ("table2-baseline", 172_032.0),
        ("nass-cifar-acc", 96_768.0),
    ];
    for (name, relus) in counts {
        let prediction = json(&["predict", name]);
        assert_eq!(number(&prediction, "/total/relus"), relus, "{name}");
        let layers = prediction["layers"].as_array().unwrap();
        let linear: Vec<_> = layers
            .iter()
            .filter(|l| l["kind"] == "conv" || l["kind"] == "fc")
            .collect();
        assert!(linear.len() >= 6, "{name}");
        for layer in linear {
            assert!(number(layer, "/he/security_bits") >= 128.0, "{layer}");
            assert!(number(layer, "/he/flooding_bits") >= 40.0, "{layer}");
            let failure = number(layer, "/he/failure_probability");
            assert!(failure > 0.0 && failure < 2f64.powi(-40), "{layer}");
            assert!(layer["he"]["p"].as_str().unwrap().parse::<u64>().is_ok());
            assert!(!layer["he"]["q"].as_array().unwrap().is_empty());
        }
    }
}

#[test]
fn layers_add_up_to_the_totals() {
    let prediction = json(&["predict", "lenet-mnist"]);
    for field in ["offline", "online", "client", "server", "link", "total"] {
        let path = format!("/seconds/{field}");
        let layers = prediction["layers"].as_array().unwrap();
        let sum: f64 = layers.iter().map(|layer| number(layer, &path)).sum();
        let total = number(&prediction["total"], &path);
        assert!(
            (sum - total).abs() <= 1e-9 * total,
            "{field}: {sum} {total}"
        );
    }
    let total = &prediction["total"];
    let split = number(total, "/bytes/to_server") + number(total, "/bytes/to_client");
    assert_eq!(split, number(total, "/bytes/total"));
    let phases = number(total, "/bytes/offline") + number(total, "/bytes/online");
    assert_eq!(phases, number(total, "/bytes/total"));
}

#[test]
fn the_searched_network_is_cheaper_than_the_baseline() {
    let (searched, baseline) = (
        json(&["predict", "nass-cifar-acc"]),
        json(&["predict", "table2-baseline"]),
    );
    for path in ["/total/seconds/total", "/total/bytes/total"] {
        assert!(
            number(&baseline, path) > 1.3 * number(&searched, path),
            "{path}"
        );
    }
}

#[test]
fn a_slower_link_costs_time() {
    let (near, far) = (
        json(&["predict", "toy", "--link", "lan"]),
        json(&["predict", "toy", "--link", "mbit=100,rtt_ms=40"]),
    );
    for field in ["link", "total", "online"] {
        let path = format!("/total/seconds/{field}");
        assert!(number(&far, &path) > number(&near, &path), "{field}");
    }
    assert_eq!(number(&far, "/link/rtt_ms"), 40.0);
}

#[test]
fn two_processes_give_the_plain_result_in_the_foretold_bytes() {
    for name in ["toy", "lenet-mnist"] {
        let verification = json(&["verify", name, "--seed", "5"]);
        assert_eq!(verification["output_equal"], true, "{name}");
        for layer in verification["layers"].as_array().unwrap() {
            assert_eq!(number(layer, "/error/bytes"), 0.0, "{name}: {layer}");
        }
        let setup = &verification["setup"];
        assert_eq!(
            number(setup, "/bytes"),
            number(setup, "/measured_bytes"),
            "{name}"
        );
        assert!(number(&verification, "/total/measured/seconds/total") > 0.0);
    }
}

/// Every garbler, delivery, hash and extension: right results, and the bytes and what waits as predicted.
#[test]
fn circuits_run_as_the_flags_say() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().to_str().unwrap();
    let runs: [&[&str]; 4] = [
        &["--garbler", "client", "--hash", "rekeyed", "--store", store],
        &[
            "--garbler",
            "client",
            "--delivery",
            "streamed",
            "--extension",
            "iknp",
        ],
        &[
            "--delivery",
            "streamed",
            "--hash",
            "fixed-key-as-in-papers",
            "--store",
            store,
        ],
        &["--extension", "softspoken8", "--store", store],
    ];
    for flags in runs {
        let verify = [&["verify", "toy", "--seed", "5"], flags].concat();
        check_circuits(&json(&verify), flags);
    }
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "the store is gone");
}

/// Bounded memory for encoded weights: nothing is kept, it takes longer online, and the result is right.
#[test]
fn weights_are_encoded_online_where_memory_is_bounded() {
    let verify = ["verify", "toy", "--seed", "5"];
    let kept = |verification: &Value| {
        let layers = verification["layers"].as_array().unwrap().iter();
        let kept = layers.filter_map(|layer| layer["kept_weights"].as_u64());
        kept.sum::<u64>()
    };
    let [free, bound] = [&[][..], &["--memory", "0"]].map(|flags| json(&[&verify, flags].concat()));
    for verification in [&free, &bound] {
        assert_eq!(verification["output_equal"], true);
        assert_eq!(number(verification, "/total/error/bytes"), 0.0);
    }
    assert!(kept(&free) > 0);
    assert_eq!(kept(&bound), 0);
    let online = |v: &Value| number(v, "/total/seconds/online");
    assert!(online(&bound) > online(&free));
}

fn check_circuits(verification: &Value, flags: &[&str]) {
    assert_eq!(verification["output_equal"], true, "{flags:?}");
    assert_eq!(number(verification, "/total/error/bytes"), 0.0, "{flags:?}");
    let circuits = &verification["circuits"];
    assert_eq!(circuits["stored"], circuits["measured_stored"], "{flags:?}");
    let flag = |name: &str, usual: &str| {
        let given = flags.iter().position(|flag| *flag == format!("--{name}"));
        given.map_or(usual, |at| flags[at + 1]).replace('-', "_")
    };
    for (name, usual) in [
        ("garbler", "server"),
        ("delivery", "split"),
        ("hash", "tmmo"),
        ("extension", "softspoken4"),
    ] {
        assert_eq!(circuits[name], flag(name, usual), "{flags:?}");
    }
    let stores = |party: &str| number(circuits, &format!("/stored/{party}")) > 0.0;
    let split = flag("delivery", "split") == "split";
    let server = split && flag("garbler", "server") == "client";
    let expected = [split && !server, server];
    assert_eq!([stores("client"), stores("server")], expected);
}

/// Two processes on a network whose answer is a place; `max` is named where it does not fit.
#[test]
fn a_clip_and_an_argmax_run_between_two_processes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, max: u32| {
        let fc = |name: &str| {
            format!(
                "[[layers]]\nname = \"{name}\"\nkind = \"fc\"\noutputs = 9\n\
                     input_bits = 6\nweight_bits = 4\n"
            )
        };
        let clip = format!("[[layers]]\nname = \"c\"\nkind = \"clip\"\nmax = {max}\n");
        let place = "[[layers]]\nname = \"place\"\nkind = \"argmax\"\n";
        let text = format!(
            "name = \"p\"\ninput = [1, 4, 4]\n{}{clip}{}{place}",
            fc("a"),
            fc("b")
        );
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let network = write("p.toml", 40);
    for garbling in [["--garbler", "server"], ["--garbler", "client"]] {
        let verify = ["verify", &network, "--seed", "5", "--delivery", "streamed"];
        let verification = json(&[&verify[..], &garbling].concat());
        check_circuits(&verification, &[&verify[4..], &garbling].concat());
        assert_eq!(number(&verification, "/total/relus"), 9.0);
    }
    let wide = write("wide.toml", 64);
    let told = refusal(&[&["predict", &wide][..], &REFERENCE].concat(), 2);
    assert!(
        told.contains("`c`: max is 64; expected at most 63"),
        "{told}"
    );
}

/// Convolutions with holes, in groups, and a channel each: two processes give the plain result in the foretold bytes.
#[test]
fn dilated_and_grouped_convolutions_run_between_two_processes() {
    let folder = tempfile::tempdir().unwrap();
    let conv = |name: &str, rest: &str| {
        format!(
            "[[layers]]\nname = \"{name}\"\nkind = \"conv\"\nkernel = [3, 3]\npadding = \"same\"\n\
             input_bits = 4\nweight_bits = 4\n{rest}\n[[layers]]\nname = \"{name}_relu\"\nkind = \"relu\"\n"
        )
    };
    let layers = [
        ("dilated", "out_channels = 4\ndilation = [2, 2]"),
        ("grouped", "out_channels = 6\ngroups = 2"),
        ("depthwise", "out_channels = 6\ngroups = 6"),
    ];
    for (name, rest) in layers {
        let before = if name == "dilated" {
            conv("first", "out_channels = 4")
        } else {
            conv("first", "out_channels = 6\ndilation = [1, 2]")
        };
        let text = format!(
            "name = \"{name}\"\ninput = [2, 8, 8]\n{before}{}",
            conv(name, rest)
        );
        let path = folder.path().join(format!("{name}.toml"));
        std::fs::write(&path, text).unwrap();
        let verification = json(&["verify", path.to_str().unwrap(), "--seed", "5"]);
        assert_eq!(verification["output_equal"], true, "{name}");
        let layers = verification["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 4, "{name}");
        for layer in layers {
            assert_eq!(number(layer, "/error/bytes"), 0.0, "{name}: {layer}");
        }
    }
}

#[test]
fn what_circuits_cannot_be_priced_or_stored_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("some.csv");
    let all = std::fs::read_to_string("calibration/reference.csv").unwrap();
    let some: Vec<&str> = all
        .lines()
        .filter(|row| !row.contains("hash=rekeyed"))
        .collect();
    std::fs::write(&profile, some.join("\n") + "\n").unwrap();
    let calibration = ["--calibration", profile.to_str().unwrap()];
    let refused = |arguments: &[&str]| refusal(&[arguments, &calibration].concat(), 2);
    let told = refused(&["predict", "toy", "--hash", "rekeyed"]);
    assert!(told.contains("no row `garble` with hash=rekeyed"), "{told}");
    let told = refused(&["verify", "toy", "--store", "/nowhere", "--quiet"]);
    assert!(
        told.contains("--store /nowhere: expected a folder"),
        "{told}"
    );
    assert!(refused(&["predict", "toy", "--garbler", "both"]).contains("client"));
}

/// The hash that is not proved secure says so on stderr and in every format.
#[test]
fn the_hash_of_the_papers_is_named_everywhere() {
    for format in ["table", "csv", "json"] {
        let hash = ["--hash", "fixed-key-as-in-papers", "--format", format];
        let arguments = [&["predict", "toy"][..], &REFERENCE, &hash].concat();
        let output = nass(&arguments);
        let warned = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(warned.contains("not proved secure"), "{warned}");
        assert!(
            stdout(&output).contains("fixed_key_as_in_papers"),
            "{format}"
        );
    }
}

#[test]
fn primes_are_those_of_the_arithmetic() {
    let output = nass(&[
        "primes", "--n", "4096", "--bits", "60", "--count", "3", "--format", "json",
    ]);
    let found: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let primes: Vec<u64> = found["primes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p.as_str().unwrap().parse().unwrap())
        .collect();
    assert!(primes.windows(2).all(|pair| pair[0] > pair[1]));
    for p in primes {
        assert!(p % 8192 == 1 && p.ilog2() == 59 && primal::is_prime(p));
    }
}

#[test]
fn an_explanation_lists_what_was_ruled_out() {
    let output = nass(&[&["params", "toy", "--explain"][..], &REFERENCE].concat());
    let told = stdout(&output);
    assert!(
        told.contains("chosen") && told.contains("security short by"),
        "{told}"
    );
    for part in ["what flooding costs", "bytes +", "no price", "time +"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let one = json(&["params", "--conv", "64x32x32,64,3x3", "--bits", "8,8"]);
    assert_eq!(one["layers"].as_array().unwrap().len(), 1);
    assert!(one["layers"][0]["cost"]["time"].as_f64().unwrap() > 0.0);
}

#[test]
fn plaintext_windows_are_explained_like_other_candidates() {
    let explained = json(&["params", "toy", "--explain"]);
    let candidates = explained["layers"][0]["candidates"].as_array().unwrap();
    for windows in 1..=4 {
        let works = |c: &&Value| c["windows"] == windows && c["cost"]["time"].is_number();
        assert!(candidates.iter().any(|c| works(&c)), "{windows}");
    }
    let asked = json(&["params", "toy", "--explain", "--windows", "2"]);
    for layer in asked["layers"].as_array().unwrap() {
        assert_eq!(layer["he"]["windows"], 2);
        let candidates = layer["candidates"].as_array().unwrap();
        let packed = |c: &&Value| c["schedule"] != "";
        assert!(candidates.iter().filter(packed).all(|c| c["windows"] == 2));
    }
    let told = refusal(
        &[&["predict", "toy", "--windows", "5"][..], &REFERENCE].concat(),
        2,
    );
    assert!(told.contains("expected a number from 1 to 4"), "{told}");
}

/// Some layer is chosen in windows, and each is cheaper so than without.
#[test]
fn windows_are_chosen_where_they_are_cheaper() {
    let layers = |windows: &[&str]| {
        let told = json(&[&["params", "nass-cifar-acc"], windows].concat());
        told["layers"].as_array().unwrap().clone()
    };
    let (free, whole) = (layers(&[]), layers(&["--windows", "1"]));
    let mut chosen = 0;
    for (free, whole) in free.iter().zip(&whole) {
        let time = |layer: &Value| number(layer, "/cost/time");
        let windowed = number(free, "/he/windows") > 1.0;
        assert_eq!(windowed, time(free) < time(whole), "{free} {whole}");
        chosen += usize::from(windowed);
    }
    assert!(chosen > 0);
}

/// Two processes with all weights in windows: right results in the foretold bytes.
#[test]
fn layers_in_plaintext_windows_run_as_foretold() {
    for (network, windows) in [("toy", "2"), ("lenet-mnist", "2"), ("toy", "3")] {
        let asked = ["verify", network, "--seed", "5", "--windows", windows];
        let verification = json(&asked);
        assert_eq!(verification["output_equal"], true, "{network} {windows}");
        for layer in verification["layers"].as_array().unwrap() {
            assert_eq!(number(layer, "/error/bytes"), 0.0, "{network}: {layer}");
            if !layer["he"].is_null() {
                assert_eq!(layer["he"]["windows"].to_string(), windows);
            }
        }
        let setup = &verification["setup"];
        assert_eq!(number(setup, "/bytes"), number(setup, "/measured_bytes"));
    }
}

#[test]
fn fewer_bytes_can_be_asked_for() {
    let bytes = |objective| {
        let told = json(&["params", "gazelle-cifar10", "--objective", objective]);
        let layers = told["layers"].as_array().unwrap().clone();
        let of = |layer: &Value, what: &str| layer["cost"][what].as_f64().unwrap();
        let sum = |what| layers.iter().map(|layer| of(layer, what)).sum::<f64>();
        (sum("time"), sum("bytes"))
    };
    let (fast, small, both) = (bytes("time"), bytes("bytes"), bytes("weighted:1"));
    assert!(small.1 < fast.1 && fast.0 < small.0);
    assert!(fast.0 <= both.0 && small.1 <= both.1);
    assert!(refusal(&["params", "toy", "--objective", "speed"], 2).contains("weighted:X"));
}

#[test]
fn the_papers_choices_are_named_priced_and_held_against_ours() {
    let told = json(&["params", "gazelle-cifar10", "--compare"]);
    let rows = told["rows"].as_array().unwrap();
    let ratios: Vec<f64> = rows
        .iter()
        .filter_map(|row| row["time_ratio"].as_f64())
        .collect();
    assert!(ratios.len() > 16 && ratios.iter().all(|&ratio| ratio >= 1.0));
    assert!(ratios.iter().any(|&ratio| ratio > 1.2));
    for name in ["ours", "nass", "gazelle", "delphi", "delphi, nearest"] {
        assert!(rows.iter().any(|row| row["choice"] == name), "{name}");
    }
    let mode = |name| {
        stdout(&nass(
            &[&["params", "toy", "--mode", name][..], &REFERENCE].concat(),
        ))
    };
    assert!(mode("gazelle").contains("insecure"));
    assert!(mode("delphi").contains("218.0"));
    assert!(mode("nass").contains("2018"));
}

#[test]
fn bad_input_is_exit_2_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let layer = "name = \"x\"\ninput = [1, 4, 4]\n[[layers]]\nname = \"a\"\n";
    let unknown = write("unknown.toml", &format!("{layer}kind = \"fly\"\n"));
    assert!(refusal(&["predict", &unknown], 2).contains("fly"));
    let shape = write(
        "shape.toml",
        &format!(
            "{layer}kind = \"conv\"\nout_channels = 2\nkernel = [9, 9]\ninput_bits = 4\nweight_bits = 4\n"
        ),
    );
    assert!(refusal(&["predict", &shape], 2).contains("`a`"));
    let profile = std::fs::read_to_string("calibration/reference.csv").unwrap();
    let cut: String = profile.chars().take(profile.len() / 2).collect();
    let lines = cut.lines().count();
    let cut = write("cut.csv", &cut);
    let told = refusal(&["predict", "toy", "--calibration", &cut], 2);
    assert!(
        told.contains("cut.csv") && told.contains(&format!("line {lines}")),
        "{told}"
    );
    let wide = write(
        "wide.toml",
        "name = \"wide\"\ninput = [16, 32, 32]\n[[layers]]\nname = \"a\"\nkind = \"fc\"\n\
         outputs = 2\ninput_bits = 24\nweight_bits = 24\n",
    );
    let told = refusal(&[&["predict", &wide][..], &REFERENCE].concat(), 2);
    assert!(told.contains("`a`") && told.contains("bits"), "{told}");
    let told = refusal(
        &[&["verify", "table2-baseline"][..], &REFERENCE].concat(),
        2,
    );
    assert!(told.contains("p of 23 bits"), "{told}");
    let told = refusal(
        &[&["predict", "toy", "--link", "fast"][..], &REFERENCE].concat(),
        2,
    );
    assert!(told.contains("mbit="), "{told}");
    assert!(refusal(&["verify", "toy", "--role", "client"], 2).contains("--weight-seed"));
}
