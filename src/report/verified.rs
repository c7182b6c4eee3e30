//! Verifications laid out as grids and sentences: predicted beside measured, errors summed up, where the
//! time went.

use std::collections::BTreeMap;

use super::grid::{Align, Grid};
use super::number::{bytes, percent, seconds, signed_bytes};
use super::sheet::{
    circuits, link, operations, parameters, security_sources, shape, sources_of, stored,
};
use crate::verify::{
    Measured, PeakMemory, PredictionError, Spread, Summary, Verification, VerifiedAct,
    VerifiedLayer, VerifiedLayers, VerifiedTotal,
};

use Align::{Left, Right};

/// The grids of a verification: predicted beside measured, errors, where the time went, HE parameters,
/// operations.
pub fn verification_grids(verification: &Verification) -> Vec<Grid> {
    let layers = || verification.layers.iter().map(|layer| &layer.predicted);
    vec![
        comparison(&verification.layers, Some(&verification.total)),
        errors(&verification.summary),
        acts(&verification.acts),
        parameters(layers()),
        security_sources(sources_of(layers())),
        operations(layers()),
    ]
}

/// The grids of random layers: predicted beside measured, errors.
pub fn random_layer_grids(verified: &VerifiedLayers) -> Vec<Grid> {
    vec![
        comparison(&verified.random_layers, None),
        errors(&verified.summary),
    ]
}

fn comparison(layers: &[VerifiedLayer], total: Option<&VerifiedTotal>) -> Grid {
    let columns = [
        ("layer", Left),
        ("kind", Left),
        ("in", Left),
        ("out", Left),
        ("predicted", Right),
        ("measured", Right),
        ("error", Right),
        ("from", Right),
        ("to", Right),
        ("client", Right),
        ("server", Right),
        ("link", Right),
        ("bytes predicted", Right),
        ("bytes measured", Right),
        ("difference", Right),
    ];
    let mut grid = Grid::new("Predicted beside measured, layer by layer", &columns);
    for layer in layers {
        let (told, seen) = (&layer.predicted, &layer.measured);
        let place = [
            told.name.clone(),
            told.kind.clone(),
            shape(told.input),
            shape(told.output),
        ];
        let predicted = (told.seconds.total, told.bytes.total);
        let cells = compared(predicted, seen, &layer.spread, &layer.error);
        grid.row(place.into_iter().chain(cells));
    }
    if let Some(total) = total {
        let place = ["total", "", "", ""].map(str::to_owned);
        let predicted = (total.predicted.seconds.total, total.predicted.bytes.total);
        let cells = compared(predicted, &total.measured, &total.spread, &total.error);
        grid.foot(place.into_iter().chain(cells));
    }
    grid
}

/// Predicted seconds and bytes beside what was measured.
fn compared(
    (told, told_bytes): (f64, u64),
    seen: &Measured,
    spread: &Spread,
    error: &PredictionError,
) -> [String; 11] {
    [
        seconds(told),
        seconds(seen.seconds.total),
        percent(error.seconds),
        seconds(spread.least),
        seconds(spread.greatest),
        seconds(seen.seconds.client),
        seconds(seen.seconds.server),
        seconds(seen.seconds.link),
        bytes(told_bytes),
        bytes(seen.bytes.total),
        signed_bytes(error.bytes),
    ]
}

fn errors(summary: &BTreeMap<String, Summary>) -> Grid {
    let mut grid = Grid::new(
        "Errors of the layers that are predicted to take 2 ms or more",
        &[
            ("layers", Left),
            ("number", Right),
            ("mean absolute error", Right),
            ("worst", Right),
            ("within 5 %", Right),
            ("within 10 %", Right),
        ],
    );
    let share = |share: f64| format!("{:.1} %", 100.0 * share);
    for (kind, summary) in summary {
        grid.row([
            kind.clone(),
            summary.layers.to_string(),
            share(summary.mean_absolute_error),
            percent(summary.worst),
            share(summary.within_5),
            share(summary.within_10),
        ]);
    }
    grid
}

fn acts(acts: &[VerifiedAct]) -> Grid {
    let mut grid = Grid::new(
        "Where the time went, acts of 0.5 ms or more",
        &[
            ("layer", Left),
            ("phase", Left),
            ("party", Left),
            ("act", Left),
            ("times", Right),
            ("computation predicted", Right),
            ("measured", Right),
            ("on a processor", Right),
            ("link predicted", Right),
            ("measured", Right),
            ("bytes", Right),
        ],
    );
    let long = |act: &&VerifiedAct| {
        let all = [act.computation, act.measured, act.link, act.measured_link];
        all.into_iter().any(|seconds| seconds >= 5e-4)
    };
    for act in acts.iter().filter(long) {
        grid.row([
            act.layer.clone(),
            act.phase.name().to_owned(),
            act.party.name().to_owned(),
            act.act.clone(),
            act.count.to_string(),
            seconds(act.computation),
            seconds(act.measured),
            seconds(act.cpu),
            seconds(act.link),
            seconds(act.measured_link),
            bytes(act.bytes),
        ]);
    }
    grid
}

/// Which network was run, under which protocol, priced by what, over which link.
pub(super) fn verification_headline(verification: &Verification) -> String {
    format!(
        "{} by {}, run for real over {}; predicted from {}",
        verification.network,
        verification.protocol,
        link(&verification.link),
        verification.calibration,
    )
}

/// Whether the answer was right.
pub(super) const fn verdict(verification: &Verification) -> &'static str {
    if verification.output_equal {
        "The result equals plaintext inference, value by value."
    } else {
        "THE RESULT DIFFERS FROM PLAINTEXT INFERENCE."
    }
}

/// Totals and set-up, predicted and measured.
pub(super) fn verification_summary(verification: &Verification) -> String {
    let (total, setup) = (&verification.total, &verification.setup);
    format!(
        "Total: {} predicted, {} measured ({}); {} predicted, {} measured ({}). \
         Set-up once a session: {} predicted, {} measured; {} predicted, {} measured. \
         {}{}, {} measured.",
        seconds(total.predicted.seconds.total),
        seconds(total.measured.seconds.total),
        percent(total.error.seconds),
        bytes(total.predicted.bytes.total),
        bytes(total.measured.bytes.total),
        signed_bytes(total.error.bytes),
        seconds(setup.seconds),
        seconds(setup.measured_seconds),
        bytes(setup.bytes),
        bytes(setup.measured_bytes),
        circuits(&verification.circuits.predicted),
        stored(&verification.circuits.predicted),
        bytes(verification.circuits.measured_stored.total()),
    ) + &memory(&verification.peak_memory)
}

/// Which layers were run, priced by what, over which link.
pub(super) fn random_headline(verified: &VerifiedLayers) -> String {
    format!(
        "{} layers of random shapes (seed {}), each run {} times over {}; predicted from {}",
        verified.random_layers.len(),
        verified.seed,
        verified.inferences,
        link(&verified.link),
        verified.calibration,
    )
}

/// Whether all answers were right, and how times are measured.
pub(super) fn random_summary(verified: &VerifiedLayers) -> String {
    let verdict = if verified.all_equal {
        "Every result equals plaintext inference, and every byte was foretold."
    } else {
        "A RESULT OR A NUMBER OF BYTES DIFFERS; that layer is left out."
    };
    let memory = memory(&verified.peak_memory);
    format!("{verdict} Measured: medians, computation by the processor time of its thread.{memory}")
}

fn memory(peak: &PeakMemory) -> String {
    let (client, server) = (bytes(peak.client), bytes(peak.server));
    format!(" Peak memory: client {client}, server {server}.")
}
