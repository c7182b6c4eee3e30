//! Verifications laid out as grids and sentences: predicted beside measured, errors summed up, where the
//! time went.

use std::collections::BTreeMap;

use super::grid::{Align, Grid};
use super::number::{bytes, percent, seconds, signed_bytes};
use super::sheet::{
    circuits, link, operations, parameters, security_sources, shape, sources_of, stored,
};
use crate::predict::{LayerPrediction, SecondsSplit};
use crate::verify::{
    Judged, Measured, PeakMemory, PredictionError, Spread, Summary, Undisturbed, Verification,
    VerifiedAct, VerifiedLayer, VerifiedLayers, VerifiedTotal,
};

use Align::{Left, Right};

/// The grids of a verification: predicted beside measured, errors, where the time went, HE parameters,
/// operations.
pub fn verification_grids(verification: &Verification) -> Vec<Grid> {
    let layers = || verification.layers.iter().map(|layer| &layer.predicted);
    vec![
        comparison(&verification.layers, Some(&verification.total)),
        errors(&verification.summary, &verification.summary_undisturbed),
        acts(&verification.acts),
        parameters(layers()),
        security_sources(sources_of(layers())),
        operations(layers()),
    ]
}

/// The grids of random layers: computation predicted beside measured, errors, where the time went.
pub fn random_layer_grids(verified: &VerifiedLayers) -> Vec<Grid> {
    vec![
        computation(&verified.random_layers),
        errors(&verified.summary, &verified.summary_undisturbed),
        acts(&by_kind(verified)),
    ]
}

/// What both comparisons begin with.
const JUDGED: [(&str, Align); 11] = [
    ("layer", Left),
    ("kind", Left),
    ("in", Left),
    ("out", Left),
    ("predicted", Right),
    ("measured", Right),
    ("error", Right),
    ("from", Right),
    ("to", Right),
    ("undisturbed", Right),
    ("error", Right),
];
/// And what they end with.
const BYTES: [(&str, Align); 3] = [
    ("bytes predicted", Right),
    ("bytes measured", Right),
    ("difference", Right),
];

fn comparison(layers: &[VerifiedLayer], total: Option<&VerifiedTotal>) -> Grid {
    let split = [("client", Right), ("server", Right), ("link", Right)];
    let columns: Vec<_> = JUDGED.into_iter().chain(split).chain(BYTES).collect();
    let mut grid = Grid::new("Predicted beside measured, layer by layer", &columns);
    let measured = |seen: &Measured| {
        let SecondsSplit {
            client,
            server,
            link,
            ..
        } = seen.seconds;
        [client, server, link].map(seconds)
    };
    for layer in layers {
        let judged = judged(
            &layer.judged,
            &layer.spread,
            &layer.error,
            layer.undisturbed.as_ref(),
        );
        let sent = sent(layer.predicted.bytes.total, &layer.measured, &layer.error);
        let cells = place(&layer.predicted).into_iter().chain(judged);
        grid.row(cells.chain(measured(&layer.measured)).chain(sent));
    }
    if let Some(total) = total {
        let place = ["total", "", "", ""].map(str::to_owned);
        let whole = Judged {
            predicted: total.predicted.seconds.total,
            measured: total.spread.median,
        };
        let judged = judged(
            &whole,
            &total.spread,
            &total.error,
            total.undisturbed.as_ref(),
        );
        let sent = sent(total.predicted.bytes.total, &total.measured, &total.error);
        let cells = place.into_iter().chain(judged);
        grid.foot(cells.chain(measured(&total.measured)).chain(sent));
    }
    grid
}

/// Layers judged by their computation; the link stands beside it.
fn computation(layers: &[VerifiedLayer]) -> Grid {
    let split = [
        ("client", Right),
        ("server", Right),
        ("by the wall clock", Right),
        ("link predicted", Right),
        ("link measured", Right),
    ];
    let columns: Vec<_> = JUDGED.into_iter().chain(split).chain(BYTES).collect();
    let title = "Computation on a processor, predicted beside measured, layer by layer";
    let mut grid = Grid::new(title, &columns);
    for layer in layers {
        let (told, seen) = (&layer.predicted, &layer.measured);
        let wall = seen.seconds.client + seen.seconds.server;
        let link = [told.seconds.link, seen.seconds.link];
        let split = [seen.client_cpu, seen.server_cpu, wall].into_iter();
        let judged = judged(
            &layer.judged,
            &layer.spread,
            &layer.error,
            layer.undisturbed.as_ref(),
        );
        let sent = sent(told.bytes.total, seen, &layer.error);
        let cells = place(told).into_iter().chain(judged);
        grid.row(cells.chain(split.chain(link).map(seconds)).chain(sent));
    }
    grid
}

/// Which layer.
fn place(told: &LayerPrediction) -> [String; 4] {
    [
        told.name.clone(),
        told.kind.clone(),
        shape(told.input),
        shape(told.output),
    ]
}

/// Predicted seconds beside what was measured.
fn judged(
    judged: &Judged,
    spread: &Spread,
    error: &PredictionError,
    undisturbed: Option<&Undisturbed>,
) -> [String; 7] {
    [
        seconds(judged.predicted),
        seconds(judged.measured),
        percent(error.seconds),
        seconds(spread.least),
        seconds(spread.greatest),
        undisturbed.map_or_else(String::new, |own| seconds(own.measured)),
        undisturbed.map_or_else(String::new, |own| percent(own.error)),
    ]
}

/// Predicted bytes beside what was measured.
fn sent(told: u64, seen: &Measured, error: &PredictionError) -> [String; 3] {
    [
        bytes(told),
        bytes(seen.bytes.total),
        signed_bytes(error.bytes),
    ]
}

/// The acts of random layers, summed up over the layers of each kind.
fn by_kind(verified: &VerifiedLayers) -> Vec<VerifiedAct> {
    let layers = verified.random_layers.iter().map(|layer| &layer.predicted);
    let kinds: BTreeMap<&str, &str> = layers.map(|l| (&*l.name, &*l.kind)).collect();
    let mut sums: Vec<VerifiedAct> = Vec::new();
    for act in &verified.acts {
        let kind = kinds.get(&*act.layer).copied().unwrap_or("session");
        let same = |sum: &&mut VerifiedAct| {
            (&*sum.layer, sum.phase, sum.party, &sum.act) == (kind, act.phase, act.party, &act.act)
        };
        match sums.iter_mut().find(same) {
            Some(sum) => sum.add(act),
            None => sums.push(VerifiedAct {
                layer: kind.to_owned(),
                ..act.clone()
            }),
        }
    }
    sums.sort_by(|a, b| (&a.layer, a.phase).cmp(&(&b.layer, b.phase)));
    sums
}

fn errors(summary: &BTreeMap<String, Summary>, undisturbed: &BTreeMap<String, Summary>) -> Grid {
    let mut grid = Grid::new(
        "Errors of the layers that are predicted to take 2 ms or more",
        &[
            ("layers", Left),
            ("processor", Left),
            ("number", Right),
            ("mean absolute error", Right),
            ("worst", Right),
            ("within 5 %", Right),
            ("within 10 %", Right),
        ],
    );
    let share = |share: f64| format!("{:.1} %", 100.0 * share);
    let as_it_was = summary.iter().map(|of| ("as it was", of));
    let undisturbed = undisturbed.iter().map(|of| ("undisturbed", of));
    for (processor, (kind, summary)) in as_it_was.chain(undisturbed) {
        grid.row([
            kind.clone(),
            processor.to_owned(),
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
        "Where the time went on an undisturbed processor, acts of 0.5 ms or more",
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
    ) + &sharing(total.undisturbed.iter())
        + &memory(&verification.peak_memory)
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
    let judged = "Judged by the computation of both parties in the processor time of their threads, the median \
                  of the runs; the link stands beside it.";
    let layers = verified.random_layers.iter();
    let sharing = sharing(layers.filter_map(|layer| layer.undisturbed.as_ref()));
    format!("{verdict} {judged}{sharing}{memory}")
}

/// For how much of the time the processors were shared, and what is made of it; nothing where that is not known.
fn sharing<'a>(all: impl Iterator<Item = &'a Undisturbed>) -> String {
    let (mut own, mut slowed, mut whole) = (0.0, 0.0, 0.0);
    for undisturbed in all {
        own += undisturbed.share * undisturbed.measured;
        slowed += undisturbed.slowing * undisturbed.measured;
        whole += undisturbed.measured;
    }
    if whole <= 0.0 {
        return String::new();
    }
    let shared = 100.0 * (1.0 - own / whole);
    // It is exactly 1 where the profile tells no pace of this machine.
    let clock = Some(slowed / whole).filter(|_| slowed != whole);
    let clock = clock.map_or_else(String::new, |clock| {
        format!(", and tells all at the pace of the profile: here fixed work took {clock:.3} times as long as there")
    });
    format!(
        " In {shared:.0} % of the time a party's processor was shared with others, by its pace before and after each \
         action; `undisturbed` puts the same action's other inferences in the place of those times, where there are any\
         {clock}."
    )
}

fn memory(peak: &PeakMemory) -> String {
    let (client, server) = (bytes(peak.client), bytes(peak.server));
    format!(" Peak memory: client {client}, server {server}.")
}
