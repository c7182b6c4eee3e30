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
    let one = json(&["params", "--conv", "64x32x32,64,3x3", "--bits", "8,8"]);
    assert_eq!(one["layers"].as_array().unwrap().len(), 1);
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
