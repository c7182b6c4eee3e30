//! Grids and layers as CSV: a header line, then one row a layer, numbers bare (seconds, bytes).
//!
//! The columns of a prediction are fixed but for the operations: one `ops.NAME` column for every
//! operation that occurs in any layer, in alphabetical order. What a layer lacks stays empty.

use std::collections::BTreeSet;

use super::error::ReportError;
use super::grid::Grid;
use crate::predict::{BytesSplit, CircuitsReport, HeReport, LayerPrediction, SecondsSplit};
use crate::verify::VerifiedLayer;

const LAYER: [&str; 8] = [
    "name", "kind", "in_c", "in_h", "in_w", "out_c", "out_h", "out_w",
];
const HE: [&str; 16] = [
    "schedule",
    "kept_weights",
    "n",
    "p",
    "p_bits",
    "q_bits",
    "total_bits",
    "security_bits",
    "security_table",
    "security_attack",
    "security_secret",
    "security_source",
    "security_date",
    "failure_log2",
    "flooding_bits",
    "noise_margin_bits",
];
const CIRCUITS: [&str; 5] = ["garbler", "delivery", "hash", "extension", "stored"];
const SECONDS: [&str; 6] = ["offline", "online", "client", "server", "link", "total"];
const PROCESSOR: [&str; 2] = ["measured.client_cpu", "measured.server_cpu"];
const JUDGED: [&str; 5] = ["predicted", "measured", "least", "median", "greatest"];
const BYTES: [&str; 5] = ["offline", "online", "to_server", "to_client", "total"];

impl Grid {
    /// Headings and rows as CSV, without title and totals.
    ///
    /// # Errors
    /// [`ReportError::Csv`] if a row cannot be written.
    pub fn to_csv(&self) -> Result<String, ReportError> {
        let header = self
            .columns()
            .iter()
            .map(|column| column.heading.to_owned());
        write(std::iter::once(header.collect()).chain(self.rows().iter().cloned()))
    }
}

/// One row a predicted layer.
pub(super) fn layers<'a>(
    circuits: &CircuitsReport,
    layers: impl Iterator<Item = &'a LayerPrediction> + Clone,
) -> Result<String, ReportError> {
    let ops = operations(layers.clone());
    let rows = layers.map(|layer| layer_row(circuits, layer, &ops));
    write(std::iter::once(layer_header(&ops)).chain(rows))
}

/// One row a verified layer: the prediction's columns, then `measured.…`, `judged.…` (the seconds that the error
/// is about, with the least and the greatest of the inferences), `error.…` and `undisturbed.…`.
pub(super) fn verified_layers(
    circuits: &CircuitsReport,
    layers: &[VerifiedLayer],
) -> Result<String, ReportError> {
    let ops = operations(layers.iter().map(|layer| &layer.predicted));
    let mut header = layer_header(&ops);
    header.extend(SECONDS.map(|name| format!("measured.seconds.{name}")));
    header.extend(BYTES.map(|name| format!("measured.bytes.{name}")));
    header.extend(PROCESSOR.map(str::to_owned));
    header.extend(JUDGED.map(|name| format!("judged.{name}")));
    header.extend(["error.seconds", "error.bytes"].map(str::to_owned));
    header.extend(
        ["measured", "error", "share", "slowing"].map(|name| format!("undisturbed.{name}")),
    );
    let rows = layers.iter().map(|layer| {
        let mut row = layer_row(circuits, &layer.predicted, &ops);
        row.extend(seconds(&layer.measured.seconds));
        row.extend(bytes(&layer.measured.bytes));
        let VerifiedLayer {
            measured,
            judged,
            spread,
            ..
        } = layer;
        let processor = [measured.client_cpu, measured.server_cpu];
        let judged = [judged.predicted, judged.measured];
        let spread = [spread.least, spread.median, spread.greatest];
        let all = processor.iter().chain(&judged).chain(&spread);
        row.extend(all.map(f64::to_string));
        row.extend([
            layer.error.seconds.to_string(),
            layer.error.bytes.to_string(),
        ]);
        let own = layer.undisturbed;
        let own =
            own.map(|own| [own.measured, own.error, own.share, own.slowing].map(|x| x.to_string()));
        row.extend(own.unwrap_or_default());
        row
    });
    write(std::iter::once(header).chain(rows))
}

fn operations<'a>(layers: impl Iterator<Item = &'a LayerPrediction>) -> BTreeSet<&'a str> {
    layers
        .flat_map(|layer| layer.ops.keys().map(String::as_str))
        .collect()
}

fn layer_header(ops: &BTreeSet<&str>) -> Vec<String> {
    let fixed = LAYER
        .iter()
        .chain(&HE)
        .chain(&CIRCUITS)
        .map(|&name| name.to_owned());
    fixed
        .chain(SECONDS.map(|name| format!("seconds.{name}")))
        .chain(BYTES.map(|name| format!("bytes.{name}")))
        .chain(ops.iter().map(|name| format!("ops.{name}")))
        .collect()
}

fn layer_row(
    circuits: &CircuitsReport,
    layer: &LayerPrediction,
    ops: &BTreeSet<&str>,
) -> Vec<String> {
    let mut row = vec![layer.name.clone(), layer.kind.clone()];
    for shape in [layer.input, layer.output] {
        row.extend(<[usize; 3]>::from(shape).map(|length| length.to_string()));
    }
    row.push(layer.schedule.clone().unwrap_or_default());
    row.push(
        layer
            .kept_weights
            .map_or_else(String::new, |kept| kept.to_string()),
    );
    match &layer.he {
        Some(he) => row.extend(he_cells(he)),
        None => row.extend((2..HE.len()).map(|_| String::new())),
    }
    match layer.stored {
        Some(stored) => row.extend(circuit_cells(circuits, stored)),
        None => row.extend(CIRCUITS.map(|_| String::new())),
    }
    row.extend(seconds(&layer.seconds));
    row.extend(bytes(&layer.bytes));
    row.extend(
        ops.iter()
            .map(|&name| layer.ops.get(name).map_or_else(String::new, u64::to_string)),
    );
    row
}

fn he_cells(he: &HeReport) -> [String; 14] {
    [
        he.n.to_string(),
        he.p.clone(),
        he.p_bits.to_string(),
        he.q_bits.to_string(),
        he.total_bits.to_string(),
        he.security_bits.to_string(),
        he.security_table.clone(),
        he.security_attack.clone(),
        he.security_secret.clone(),
        he.security_source.clone(),
        he.security_date.clone(),
        he.failure_log2.to_string(),
        he.flooding_bits.to_string(),
        he.noise_margin_bits.to_string(),
    ]
}

fn circuit_cells(circuits: &CircuitsReport, stored: u64) -> [String; 5] {
    [
        circuits.garbler.name().to_owned(),
        circuits.delivery.name().to_owned(),
        circuits.hash.name().to_owned(),
        circuits.extension.name().to_owned(),
        stored.to_string(),
    ]
}

fn seconds(split: &SecondsSplit) -> [String; 6] {
    [
        split.offline,
        split.online,
        split.client,
        split.server,
        split.link,
        split.total,
    ]
    .map(|seconds| seconds.to_string())
}

fn bytes(split: &BytesSplit) -> [String; 5] {
    [
        split.offline,
        split.online,
        split.to_server,
        split.to_client,
        split.total,
    ]
    .map(|bytes| bytes.to_string())
}

fn write(rows: impl Iterator<Item = Vec<String>>) -> Result<String, ReportError> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(&row)?;
    }
    let written = writer.into_inner().map_err(|error| {
        ReportError::Csv(::csv::Error::from(std::io::Error::from(
            error.error().kind(),
        )))
    })?;
    Ok(String::from_utf8_lossy(&written).into_owned())
}
