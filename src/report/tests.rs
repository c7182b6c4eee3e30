//! A hand-made prediction shown in every format.

use std::collections::BTreeMap;

use super::*;
use crate::gc::{Extension, GarblingHash};
use crate::network::Shape;
use crate::predict::{
    BytesSplit, CircuitsReport, HeReport, LayerPrediction, LinkReport, Prediction, PredictionTotal,
    SecondsSplit, SetupCost, StoredBytes,
};
use crate::protocol::{Delivery, Party, Phase};
use crate::verify::{
    Judged, Measured, PeakMemory, PredictionError, Spread, Summary, Undisturbed, Verification,
    VerifiedAct, VerifiedCircuits, VerifiedLayer, VerifiedLayers, VerifiedSetup, VerifiedTotal,
};

fn seconds_of(client: f64, server: f64, link: f64) -> SecondsSplit {
    let total = client + server + link;
    SecondsSplit {
        offline: total / 4.0,
        online: total - total / 4.0,
        client,
        server,
        link,
        total,
    }
}

fn bytes_of(to_server: u64, to_client: u64) -> BytesSplit {
    BytesSplit {
        offline: to_client,
        online: to_server,
        to_server,
        to_client,
        total: to_server + to_client,
    }
}

fn conv(name: &str) -> LayerPrediction {
    LayerPrediction {
        name: name.to_owned(),
        kind: "conv".to_owned(),
        input: Shape::new(3, 32, 32),
        output: Shape::new(64, 32, 32),
        he: Some(HeReport {
            n: 4096,
            p: "1073692673".to_owned(),
            p_bits: 30,
            q: vec!["1152921504606748673".to_owned()],
            special: vec![],
            digit_bits: None,
            windows: 1,
            q_bits: 60.0,
            total_bits: 60.0,
            security_bits: 128,
            security_table: "2024".to_owned(),
            security_attack: "classical".to_owned(),
            security_secret: "ternary".to_owned(),
            security_source: "the guidelines".to_owned(),
            security_date: "2024".to_owned(),
            failure_probability: 1e-13,
            failure_log2: -43.2,
            flooding_bits: 40,
            noise_margin_bits: 3.5,
            p_holds_all_values: true,
        }),
        schedule: Some("input_rotation".to_owned()),
        kept_weights: Some(37_748_736),
        ops: BTreeMap::from([("hadamard".to_owned(), 1152), ("rotate".to_owned(), 26)]),
        seconds: seconds_of(0.004, 0.12, 0.002),
        bytes: bytes_of(36_912, 147_584),
        stored: None,
    }
}

fn relu(name: &str) -> LayerPrediction {
    LayerPrediction {
        name: name.to_owned(),
        kind: "relu".to_owned(),
        input: Shape::new(64, 32, 32),
        output: Shape::new(64, 32, 32),
        he: None,
        schedule: None,
        kept_weights: None,
        ops: BTreeMap::from([("and_gates".to_owned(), 12_000_000)]),
        seconds: seconds_of(0.08, 0.1, 0.3),
        bytes: bytes_of(1_000_000, 384_000_000),
        stored: Some(383_000_000),
    }
}

fn prediction() -> Prediction {
    let layers = vec![conv("conv1"), relu("relu1"), conv("<b>conv2")];
    let mut total = PredictionTotal {
        seconds: SecondsSplit::default(),
        bytes: BytesSplit::default(),
        relus: 65_536,
        flops: 1_769_472,
        parameters: 1_792,
    };
    for layer in &layers {
        total.seconds.add(&layer.seconds);
        total.bytes.add(&layer.bytes);
    }
    Prediction {
        network: "hand-made".to_owned(),
        protocol: "gazelle".to_owned(),
        calibration: "calibration/test.csv".to_owned(),
        link: LinkReport {
            mbit_per_s: 1000.0,
            rtt_ms: 0.5,
        },
        circuits: CircuitsReport {
            garbler: Party::Client,
            delivery: Delivery::Split,
            hash: GarblingHash::FixedKeyAsInPapers,
            extension: Extension::SoftSpoken2,
            stored: StoredBytes {
                client: 0,
                server: 383_000_000,
            },
        },
        layers,
        setup: SetupCost {
            seconds: 0.7,
            bytes: 3_000_000,
        },
        total,
    }
}

const UNDISTURBED: Option<Undisturbed> = Some(Undisturbed {
    measured: 0.2,
    error: 0.125,
    share: 0.75,
    slowing: 1.04,
});

fn verification() -> Verification {
    let told = prediction();
    let measured = Measured {
        seconds: seconds_of(0.1, 0.1, 0.1),
        client_cpu: 0.1,
        server_cpu: 0.1,
        bytes: bytes_of(10, 20),
    };
    let spread = Spread {
        least: 0.28,
        median: 0.3,
        greatest: 0.33,
    };
    let error = PredictionError {
        seconds: -0.25,
        bytes: 0,
    };
    let layers = told.layers.into_iter().map(|predicted| VerifiedLayer {
        judged: Judged {
            predicted: predicted.seconds.total,
            measured: 0.3,
        },
        predicted,
        measured,
        spread,
        error,
        undisturbed: UNDISTURBED,
    });
    Verification {
        network: told.network,
        protocol: told.protocol,
        calibration: told.calibration,
        link: told.link,
        circuits: VerifiedCircuits {
            predicted: told.circuits,
            measured_stored: told.circuits.stored,
        },
        layers: layers.collect(),
        setup: VerifiedSetup {
            seconds: 0.7,
            bytes: 3_000_000,
            measured_seconds: 0.8,
            measured_bytes: 3_000_000,
        },
        total: VerifiedTotal {
            predicted: told.total,
            measured,
            spread,
            error,
            undisturbed: UNDISTURBED,
        },
        inferences: 3,
        acts: vec![],
        peak_memory: PeakMemory {
            client: 1_000_000,
            server: 2_000_000,
        },
        summary: BTreeMap::from([("all".to_owned(), Summary::of(&[-0.25]))]),
        summary_undisturbed: BTreeMap::from([("all".to_owned(), Summary::of(&[0.125]))]),
        output_equal: true,
    }
}

#[test]
fn the_table_of_a_prediction_names_layers_parameters_and_totals() {
    let text = prediction().table();
    for expected in [
        "hand-made by gazelle, priced by calibration/test.csv",
        "64×32×32",
        "2^−43.2",
        "128 bits",
        "input_rotation",
        "and_gates 12,000,000",
        "65,536 ReLUs",
        "Set-up once a session: 700.00 ms, 3.00 MB",
        "garbled by the client, split, hash fixed_key_as_in_papers (not proved secure), \
         transfers by softspoken2; 383.00 MB wait with the server.",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
}

#[test]
fn csv_has_one_row_a_layer_and_a_column_for_every_operation() {
    let text = prediction().csv().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].ends_with("ops.and_gates,ops.hadamard,ops.rotate"));
    assert!(lines[1].ends_with(",,1152,26"));
    assert!(lines[2].ends_with(",12000000,,"));
    let columns = lines[0].split(',').count();
    assert!(lines.iter().all(|line| line.split(',').count() == columns));
}

#[test]
fn json_is_read_back_as_the_same_value() {
    let json = prediction().json().unwrap();
    let read: Prediction = serde_json::from_str(&json).unwrap();
    assert_eq!(read, prediction());
    let json = verification().json().unwrap();
    let read: Verification = serde_json::from_str(&json).unwrap();
    assert_eq!(read, verification());
}

#[test]
fn a_verification_puts_measured_beside_predicted() {
    let shown = verification();
    let text = shown.table();
    assert!(text.contains("−25.0 %"), "{text}");
    assert!(text.contains("12.5 %"), "{text}");
    assert!(
        text.contains("In 25 % of the time a party's processor was shared"),
        "{text}"
    );
    assert!(text.contains("equals plaintext inference"));
    assert!(
        text.contains("383.00 MB wait with the server, 383.00 MB measured"),
        "{text}"
    );
    assert!(shown.holds());
    let mut more = shown.clone();
    more.circuits.measured_stored.server += 1;
    assert!(!more.holds());
    let csv = shown.csv().unwrap();
    assert!(
        csv.lines().all(|line| line.split(',').count() == 67),
        "{csv}"
    );
    let mut older = shown.clone();
    older.total.undisturbed = None;
    for layer in &mut older.layers {
        layer.undisturbed = None;
    }
    let read: Verification = serde_json::from_str(&older.json().unwrap()).unwrap();
    assert_eq!(read, older);
    assert!(
        !read.table().contains("was shared"),
        "nothing is told of what is not known"
    );
    assert!(
        read.csv()
            .unwrap()
            .lines()
            .all(|line| line.split(',').count() == 67)
    );
    let wrong = Verification {
        output_equal: false,
        ..shown
    };
    assert!(wrong.table().contains("DIFFERS"));
}

/// An act of a second.
fn act(layer: &str) -> VerifiedAct {
    VerifiedAct {
        layer: layer.to_owned(),
        phase: Phase::Online,
        party: Party::Server,
        act: "ApplyLinear".to_owned(),
        count: 1,
        computation: 1.0,
        measured: 1.0,
        cpu: 1.0,
        link: 0.0,
        measured_link: 0.0,
        bytes: 0,
    }
}

#[test]
fn random_layers_are_shown_with_their_errors_and_a_plot() {
    let of_network = verification();
    let shown = VerifiedLayers {
        calibration: of_network.calibration,
        link: of_network.link,
        circuits: of_network.circuits.predicted,
        seed: 7,
        inferences: 5,
        summary: of_network.summary,
        summary_undisturbed: of_network.summary_undisturbed,
        random_layers: of_network.layers,
        acts: ["conv1", "<b>conv2", ""].map(act).to_vec(),
        peak_memory: of_network.peak_memory,
        all_equal: true,
    };
    let text = shown.table();
    for expected in [
        "(seed 7)",
        "mean absolute error",
        "25.0 %",
        "server 2.00 MB",
        "2.00 s",
        "session",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
    let read: VerifiedLayers = serde_json::from_str(&shown.json().unwrap()).unwrap();
    assert_eq!(read, shown);
    assert_eq!(shown.csv().unwrap().lines().count(), 4);
    let page = page("nass", &random_layer_sections(&shown));
    assert_eq!(page.matches("<circle").count(), 3);
}

#[test]
fn the_page_stands_alone_and_escapes_what_it_was_given() {
    let page = page("nass", &prediction_sections(&prediction()));
    assert!(page.starts_with("<!DOCTYPE html>"));
    for outside in ["<script", "http:", "https:", "<link", "<b>conv2"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("&lt;b&gt;conv2"));
    assert_eq!(page.matches("<svg").count(), 2);
    let verified = verification_sections(&verification());
    assert!(super::page("nass", &verified).contains("class=\"verdict equal\""));
}

#[test]
fn an_empty_prediction_is_shown_too() {
    let empty = Prediction {
        layers: vec![],
        ..prediction()
    };
    assert!(empty.table().contains("hand-made"));
    assert_eq!(empty.csv().unwrap().lines().count(), 1);
    assert!(page("nass", &prediction_sections(&empty)).contains("</html>"));
}
