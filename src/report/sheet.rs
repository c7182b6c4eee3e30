//! Predictions laid out as grids and sentences: what is shown, in which order.
//!
//! Every time says whose it is and in which phase; set-up stands apart from the totals, as it does
//! in the values themselves.

use std::collections::BTreeSet;

use super::grid::{Align, Grid};
use super::number::{bytes, count, log2_probability, seconds};
use crate::gc::GarblingHash;
use crate::network::Shape;
use crate::predict::{
    CircuitsReport, HeReport, LayerPrediction, LinkReport, Prediction, SecondsSplit,
};
use crate::protocol::Party;

use Align::{Left, Right};

/// The grids of a prediction: time and bytes, HE parameters and who grants their security, operations.
pub fn prediction_grids(prediction: &Prediction) -> Vec<Grid> {
    vec![
        costs(prediction),
        parameters(prediction.layers.iter()),
        security_sources(sources_of(prediction.layers.iter())),
        operations(prediction.layers.iter()),
    ]
}

fn costs(prediction: &Prediction) -> Grid {
    let mut grid = Grid::new(
        "Time and bytes, layer by layer",
        &[
            ("layer", Left),
            ("kind", Left),
            ("in", Left),
            ("out", Left),
            ("offline", Right),
            ("online", Right),
            ("client", Right),
            ("server", Right),
            ("link", Right),
            ("total", Right),
            ("to server", Right),
            ("to client", Right),
            ("bytes", Right),
        ],
    );
    for layer in &prediction.layers {
        let mut row = vec![
            layer.name.clone(),
            layer.kind.clone(),
            shape(layer.input),
            shape(layer.output),
        ];
        row.extend(times(&layer.seconds));
        row.extend(
            [
                layer.bytes.to_server,
                layer.bytes.to_client,
                layer.bytes.total,
            ]
            .map(bytes),
        );
        grid.row(row);
    }
    let total = &prediction.total;
    let mut foot = vec![
        "total".to_owned(),
        String::new(),
        String::new(),
        String::new(),
    ];
    foot.extend(times(&total.seconds));
    foot.extend(
        [
            total.bytes.to_server,
            total.bytes.to_client,
            total.bytes.total,
        ]
        .map(bytes),
    );
    grid.foot(foot);
    grid
}

fn times(split: &SecondsSplit) -> [String; 6] {
    [
        split.offline,
        split.online,
        split.client,
        split.server,
        split.link,
        split.total,
    ]
    .map(seconds)
}

pub(super) fn parameters<'a>(layers: impl Iterator<Item = &'a LayerPrediction>) -> Grid {
    let mut grid = Grid::new(
        "Encryption parameters of the linear layers",
        &[
            ("layer", Left),
            ("schedule", Left),
            ("n", Right),
            ("log2 p", Right),
            ("log2 q", Right),
            ("with special", Right),
            ("limbs", Right),
            ("security", Right),
            ("table", Left),
            ("failure", Right),
            ("flooding", Right),
            ("noise margin", Right),
        ],
    );
    for layer in layers {
        let Some(he) = &layer.he else { continue };
        grid.row([
            layer.name.clone(),
            layer.schedule.clone().unwrap_or_default(),
            he.n.to_string(),
            he.p_bits.to_string(),
            format!("{:.1}", he.q_bits),
            format!("{:.1}", he.total_bits),
            format!("{}+{}", he.q.len(), he.special.len()),
            format!("{} bits", he.security_bits),
            he.security_table.clone(),
            log2_probability(he.failure_log2),
            format!("{} bits", he.flooding_bits),
            format!("{:.1} bits", he.noise_margin_bits),
        ]);
    }
    grid
}

/// Where the security levels of those layers come from that have any.
pub(super) fn sources_of<'a>(
    layers: impl Iterator<Item = &'a LayerPrediction>,
) -> impl Iterator<Item = [&'a str; 5]> {
    layers.filter_map(|layer| layer.he.as_ref().map(HeReport::security_cells))
}

/// Where security levels come from ([`HeReport::security_cells`]), each source once.
pub fn security_sources<'a>(sources: impl IntoIterator<Item = [&'a str; 5]>) -> Grid {
    let columns = [
        ("table", Left),
        ("attacks", Left),
        ("secrets", Left),
        ("date", Left),
        ("source", Left),
    ];
    let mut grid = Grid::new("Where the security levels come from", &columns);
    let rows: BTreeSet<_> = sources.into_iter().collect();
    rows.into_iter().for_each(|row| grid.row(row));
    grid
}

pub(super) fn operations<'a>(layers: impl Iterator<Item = &'a LayerPrediction>) -> Grid {
    let mut grid = Grid::new(
        "Operations, both parties together, set-up included",
        &[("layer", Left), ("how often", Left)],
    );
    for layer in layers.filter(|layer| layer.ops.values().any(|&times| times > 0)) {
        let list: Vec<String> = layer
            .ops
            .iter()
            .filter(|(_, times)| **times > 0)
            .map(|(name, &times)| format!("{name} {}", count(times)))
            .collect();
        grid.row([layer.name.clone(), list.join(", ")]);
    }
    grid
}

/// A shape as `64×32×32`; a vector by its length alone.
pub(super) fn shape(shape: Shape) -> String {
    if shape.height == 1 && shape.width == 1 {
        shape.channels.to_string()
    } else {
        format!("{}×{}×{}", shape.channels, shape.height, shape.width)
    }
}

pub(super) fn link(link: &LinkReport) -> String {
    format!(
        "a link of {:.0} Mbit/s and {:.3} ms round trip",
        link.mbit_per_s, link.rtt_ms
    )
}

/// Which network, under which protocol, priced by what, over which link.
pub(super) fn prediction_headline(prediction: &Prediction) -> String {
    format!(
        "{} by {}, priced by {}, over {}",
        prediction.network,
        prediction.protocol,
        prediction.calibration,
        link(&prediction.link)
    )
}

/// Totals, set-up and the network's plain counts in sentences.
pub(super) fn prediction_summary(prediction: &Prediction) -> String {
    let total = &prediction.total;
    format!(
        "Total: {} ({} offline, {} online), {}. Set-up once a session: {}, {}. \
         {} ReLUs, {} multiply-adds, {} parameters. {}{}. \
         The server keeps {} of encoded weights.",
        seconds(total.seconds.total),
        seconds(total.seconds.offline),
        seconds(total.seconds.online),
        bytes(total.bytes.total),
        seconds(prediction.setup.seconds),
        bytes(prediction.setup.bytes),
        count(total.relus),
        count(total.flops),
        count(total.parameters),
        circuits(&prediction.circuits),
        stored(&prediction.circuits),
        bytes(prediction.kept_weights()),
    )
}

/// How circuits are garbled, and how much waits with whom.
pub(super) fn circuits(report: &CircuitsReport) -> String {
    let proved = match report.hash {
        GarblingHash::Tmmo | GarblingHash::Rekeyed => "",
        GarblingHash::FixedKeyAsInPapers => " (not proved secure)",
    };
    format!(
        "Circuits: garbled by the {}, {}, hash {}{proved}, transfers by {}; ",
        report.garbler.name(),
        report.delivery.name(),
        report.hash.name(),
        report.extension.name(),
    )
}

pub(super) fn stored(report: &CircuitsReport) -> String {
    let evaluator = match report.garbler {
        Party::Client => "server",
        Party::Server => "client",
    };
    let waiting = bytes(report.stored.total());
    format!("{waiting} wait with the {evaluator}")
}
