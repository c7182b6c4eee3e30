//! What `nass params` says of security, failure and the papers' choices, in every format.

#![expect(clippy::unwrap_used, reason = "a test without its files has failed")]

#[path = "support/program.rs"]
mod program;

use program::{nass, refusal, stdout};
use serde_json::Value;

const REFERENCE: [&str; 2] = ["--calibration", "calibration/reference.csv"];

fn told(arguments: &[&str]) -> String {
    let output = nass(&[arguments, &REFERENCE].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    stdout(&output)
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&told(&[arguments, &["--format", "json"]].concat())).unwrap()
}

/// Whoever names a level names the table, its source and its date: all commands, all formats.
#[test]
fn every_security_level_has_its_source_and_date() {
    let commands: [&[&str]; 6] = [
        &["params", "toy"],
        &["params", "toy", "--explain"],
        &["params", "toy", "--compare"],
        &["params", "toy", "--mode", "nass"],
        &["params", "toy", "--mode", "gazelle"],
        &["predict", "toy"],
    ];
    for command in commands {
        for format in ["table", "json", "csv"] {
            let text = told(&[command, &["--format", format]].concat());
            let papers = command.contains(&"--mode");
            let (source, date) = if papers {
                ("HomomorphicEncryption.org", "2018")
            } else {
                ("ia.cr/2024/463", "2024")
            };
            assert!(text.contains(source), "{command:?} {format}: {text}");
            assert!(text.contains(date), "{command:?} {format}");
            assert!(!text.contains("stimate"), "{command:?} {format}");
        }
    }
    for (table, source) in [
        ("2018", "HomomorphicEncryption.org"),
        ("2024", "ia.cr/2024/463"),
    ] {
        let text = told(&["params", "toy", "--security-table", table]);
        assert!(text.contains(source), "{text}");
    }
}

/// The formula is asked by its name alone, for levels that no table has, and whatever it grants is called an estimate.
#[test]
fn an_estimate_says_so_in_every_format() {
    let estimated = [
        "params",
        "toy",
        "--security-table",
        "estimate",
        "--security",
        "100",
    ];
    for format in ["table", "json", "csv"] {
        let text = told(&[&estimated[..], &["--format", format]].concat());
        for part in ["estimate", "ESTIMATE", "ia.cr/2022/706", "2022"] {
            assert!(text.contains(part), "{format}: {part}: {text}");
        }
    }
    let output = nass(&[&estimated[..], &REFERENCE].concat());
    let warned = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        warned.contains("warning: --security-table estimate"),
        "{warned}"
    );
    let level = json(&estimated)["layers"][0]["he"]["security_bits"].as_u64();
    assert!(level.unwrap() >= 100, "{level:?}");
    // Without the name there is no level of 100 bits.
    let refused = refusal(
        &[&["params", "toy", "--security", "100"][..], &REFERENCE].concat(),
        2,
    );
    assert!(refused.contains("the 2024 table has no entry"), "{refused}");
    let beyond = [&estimated[..], &["--attack", "quantum"], &REFERENCE].concat();
    let output = nass(&beyond);
    assert_eq!(output.status.code(), Some(2));
    let refused = String::from_utf8_lossy(&output.stderr);
    assert!(refused.contains("the estimate has no entry"), "{refused}");
}

#[test]
fn attacks_are_chosen_and_secrets_that_are_not_run_are_refused() {
    let he = |more: &[&str]| {
        let all = json(&[&["params", "toy"], more].concat());
        all["layers"][0]["he"].clone()
    };
    let (classical, quantum) = (he(&[]), he(&["--attack", "quantum"]));
    assert_eq!(classical["security_attack"], "classical");
    assert_eq!(quantum["security_attack"], "quantum");
    assert_eq!(quantum["security_secret"], "ternary");
    for secret in ["error", "uniform"] {
        let asked = [&["params", "toy", "--secret", secret][..], &REFERENCE].concat();
        let refused = refusal(&asked, 2);
        assert!(
            refused.contains("ternary") && refused.contains(secret),
            "{refused}"
        );
    }
    for (flag, value) in [
        ("--secret", "binary"),
        ("--attack", "alien"),
        ("--security-table", "2019"),
    ] {
        let asked = [&["params", "toy", flag, value][..], &REFERENCE].concat();
        assert!(refusal(&asked, 2).contains(value));
    }
}

/// δ of each layer and of the inference, which they add up to, in every format; and what flooding costs.
#[test]
fn failures_add_up_to_those_of_an_inference_and_flooding_has_its_price() {
    let all = json(&["params", "gazelle-cifar10"]);
    let of = |value: &Value| value.as_f64().unwrap();
    let layers = all["layers"].as_array().unwrap();
    let sum: f64 = layers
        .iter()
        .map(|layer| of(&layer["he"]["failure_log2"]).exp2())
        .sum();
    let inference = of(&all["inference"]["failure_log2"]);
    assert!(inference <= of(&all["inference"]["allowed_failure_log2"]));
    if sum > 1e-290 {
        assert!((sum.log2() - inference).abs() < 1e-6, "{sum} {inference}");
    }
    for layer in layers {
        assert!(of(&layer["cost"]["time"]) >= of(&layer["without_flooding"]["time"]));
    }
    let table = told(&["params", "gazelle-cifar10"]);
    for part in ["inference", "allowed 2^−40.0", "what flooding costs"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let csv = told(&["params", "gazelle-cifar10", "--format", "csv"]);
    let mut lines = csv.lines();
    let head = lines.next().unwrap();
    for column in [
        "failure_log2",
        "inference_failure_log2",
        "seconds_without_flooding",
    ] {
        assert!(head.split(',').any(|name| name == column), "{head}");
    }
    assert_eq!(lines.count(), layers.len());
}

/// What Gazelle published has a price, noise and candidates, and is called insecure.
#[test]
fn gazelles_mode_has_price_noise_and_explanation() {
    // Its p of at most 21 bits holds the values of narrow quantizers alone.
    let narrow = [
        "params",
        "--conv",
        "16x16x16,16,3x3",
        "--bits",
        "4,4",
        "--mode",
        "gazelle",
    ];
    let layer = json(&[&narrow[..], &["--explain"]].concat())["layers"][0]["gazelle"].clone();
    assert_eq!(layer["published"]["n"], 2048);
    assert!(layer["published"]["short_bits"].as_f64().unwrap() > 5.9);
    assert!(layer["margin_bits"].as_f64().is_some());
    let candidates = layer["candidates"].as_array().unwrap();
    assert!(candidates.len() > 1);
    let priced = |candidate: &&Value| candidate["cost"]["time"].as_f64() > Some(0.0);
    assert!(candidates.iter().any(|candidate| priced(&candidate)));
    let text = told(&[&narrow[..], &["--explain"]].concat());
    for part in [
        "insecure: 6.0 bits too many for 128-bit security (2018)",
        "candidates",
        "at least that",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let wide = told(&["params", "--fc", "1024x10", "--mode", "gazelle"]);
    assert!(wide.contains("need more than 21 bits of p"), "{wide}");
}
