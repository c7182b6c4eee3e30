//! The parameters of each layer as a table, and what else was tried.

use serde::Serialize;

use crate::network::ResolvedNetwork;
use crate::params::{Candidate, CandidateVerdict, KeySwitching, LayerCost, Selection, Widths};
use crate::predict::{HeReport, he_report};
use crate::report::{Align, Grid, Present, ReportError, log2_probability};

use Align::{Left, Right};

/// Candidates that a table shows for a layer: the nearest to winning, then the nearest with each number of
/// plaintext windows, then for each ring the nearest of those that don't work.
const SHOWN: usize = 6;

#[derive(Serialize)]
pub(super) struct LayerReport {
    pub(super) name: String,
    kind: &'static str,
    pub(super) he: HeReport,
    schedule: String,
    reply_limbs: usize,
    worst_case_margin_bits: f64,
    cost: Option<LayerCost>,
    /// The cost without flooding, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    without_flooding: Option<LayerCost>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<Candidate>,
}

#[derive(Serialize)]
pub(super) struct Report {
    network: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    pub(super) layers: Vec<LayerReport>,
}

/// What was tried, and what the same costs without flooding.
pub(super) struct Explanation {
    pub(super) candidates: Vec<Vec<Candidate>>,
    pub(super) without_flooding: Option<Selection>,
}

impl Report {
    pub(super) fn new(
        network: &ResolvedNetwork,
        mode: Option<String>,
        selection: &Selection,
        explanation: Option<&Explanation>,
    ) -> Self {
        let layers = network
            .steps
            .iter()
            .enumerate()
            .filter_map(|(index, step)| {
                let crypto = selection.layers.get(index)?.as_ref()?;
                let cost_of = |selection: &Selection| selection.costs.get(index).copied().flatten();
                Some(LayerReport {
                    name: step.name.clone(),
                    kind: step.kind.name(),
                    he: he_report(crypto),
                    schedule: crypto.schedule.clone(),
                    reply_limbs: crypto.reply_limbs,
                    worst_case_margin_bits: crypto.worst_case_margin_bits,
                    cost: cost_of(selection),
                    without_flooding: explanation
                        .and_then(|told| told.without_flooding.as_ref().and_then(cost_of)),
                    candidates: explanation
                        .and_then(|told| told.candidates.get(index).cloned())
                        .unwrap_or_default(),
                })
            });
        Self {
            network: network.name.clone(),
            mode,
            layers: layers.collect(),
        }
    }

    fn grid(&self) -> Grid {
        let columns = [
            ("layer", Left),
            ("kind", Left),
            ("schedule", Left),
            ("n", Right),
            ("p_bits", Right),
            ("q_bits", Right),
            ("limbs", Right),
            ("keys", Left),
            ("windows", Right),
            ("total_bits", Right),
            ("security", Right),
            ("failure", Right),
            ("flooding", Right),
            ("margin_bits", Right),
            ("reply_limbs", Right),
            ("time", Right),
            ("bytes", Right),
        ];
        let mut grid = Grid::new("", &columns);
        for layer in &self.layers {
            let he = &layer.he;
            let cost = |told: fn(LayerCost) -> String| layer.cost.map_or_else(String::new, told);
            grid.row([
                layer.name.clone(),
                layer.kind.to_owned(),
                layer.schedule.clone(),
                he.n.to_string(),
                he.p_bits.to_string(),
                format!("{:.1}", he.q_bits),
                he.q.len().to_string(),
                match he.digit_bits {
                    Some(bits) => format!("digits of {bits}"),
                    None => format!("{} special", he.special.len()),
                },
                he.windows.to_string(),
                format!("{:.1}", he.total_bits),
                format!("{} ({})", he.security_bits, he.security_table),
                log2_probability(he.failure_log2),
                he.flooding_bits.to_string(),
                format!("{:.1}", he.noise_margin_bits),
                layer.reply_limbs.to_string(),
                cost(|cost| cost.time.to_string()),
                cost(|cost| cost.bytes.to_string()),
            ]);
        }
        grid
    }

    fn candidates(&self) -> Grid {
        let columns = [
            ("layer", Left),
            ("n", Right),
            ("schedule", Left),
            ("limbs of q", Left),
            ("keys", Left),
            ("windows", Right),
            ("total_bits", Right),
            ("time", Right),
            ("bytes", Right),
            ("", Left),
        ];
        let mut grid = Grid::new("candidates", &columns);
        for layer in &self.layers {
            for candidate in shown(&layer.candidates) {
                let cost =
                    |told: fn(LayerCost) -> String| candidate.cost.map_or_else(String::new, told);
                grid.row([
                    layer.name.clone(),
                    candidate.n.to_string(),
                    candidate.schedule.clone(),
                    match candidate.widths {
                        Some(widths) => widths_text(&widths),
                        None if candidate.limbs > 0 => format!("{} limbs", candidate.limbs),
                        None => String::new(),
                    },
                    switching_text(candidate.switching),
                    candidate.windows.to_string(),
                    candidate.total_bits.to_string(),
                    cost(|cost| cost.time.to_string()),
                    cost(|cost| cost.bytes.to_string()),
                    verdict(candidate, layer.cost),
                ]);
            }
        }
        grid
    }

    fn flooding(&self) -> Grid {
        let columns = [
            ("layer", Left),
            ("bits", Right),
            ("time", Right),
            ("bytes", Right),
        ];
        let mut grid = Grid::new("what flooding costs", &columns);
        for layer in &self.layers {
            if let (Some(with), Some(without)) = (layer.cost, layer.without_flooding) {
                grid.row([
                    layer.name.clone(),
                    layer.he.flooding_bits.to_string(),
                    percent(with.time.0, without.time.0),
                    percent(with.bytes.0 as f64, without.bytes.0 as f64),
                ]);
            }
        }
        grid
    }
}

/// The cheapest few and of each number of windows, then the nearest refusal of each ring.
fn shown(candidates: &[Candidate]) -> impl Iterator<Item = &Candidate> {
    let (mut rings, mut windows) = (Vec::new(), Vec::new());
    candidates
        .iter()
        .enumerate()
        .filter_map(move |(index, candidate)| {
            let (seen, kind) = match candidate.cost {
                Some(_) => (&mut windows, candidate.windows),
                None => (&mut rings, candidate.n),
            };
            let first = !seen.contains(&kind);
            seen.push(kind);
            let near = candidate.cost.is_some() && index < SHOWN;
            (first || near).then_some(candidate)
        })
}

fn widths_text(widths: &Widths) -> String {
    let of = |count: usize, bits: u32| format!("{count}x{bits}");
    let kept = of(widths.kept, widths.kept_bits);
    match widths.dropped {
        0 => kept,
        dropped => format!("{kept} + {}", of(dropped, widths.dropped_bits)),
    }
}

fn switching_text(switching: KeySwitching) -> String {
    match switching {
        KeySwitching::Special(count) => format!("{count} special"),
        KeySwitching::Digits(count) => format!("{count} digits"),
    }
}

/// How much more the first is than the second.
pub(super) fn percent(more: f64, than: f64) -> String {
    format!("{:+.1} %", 100.0 * (more / than - 1.0))
}

fn verdict(candidate: &Candidate, chosen: Option<LayerCost>) -> String {
    match candidate.verdict {
        CandidateVerdict::Chosen => "chosen".to_owned(),
        CandidateVerdict::Dearer => match candidate.cost.zip(chosen) {
            Some((cost, chosen)) => format!(
                "time {}, bytes {}",
                percent(cost.time.0, chosen.time.0),
                percent(cost.bytes.0 as f64, chosen.bytes.0 as f64)
            ),
            None => "dearer".to_owned(),
        },
        CandidateVerdict::NoPrice => "works, but the calibration has no price".to_owned(),
        CandidateVerdict::SecurityShort(bits) => format!("security short by {bits:.1} bits"),
        CandidateVerdict::NoiseShort(bits) => format!("noise margin short by {bits:.1} bits"),
        CandidateVerdict::BeyondLimits => "beyond the limits set".to_owned(),
        CandidateVerdict::NoPlaintextModulus => "no plaintext modulus".to_owned(),
        CandidateVerdict::NoPlan => "the layer does not fit in the slots".to_owned(),
    }
}

impl Present for Report {
    fn table(&self) -> String {
        let head = self
            .mode
            .as_ref()
            .map_or_else(String::new, |mode| format!("mode {mode}\n"));
        let grids = [self.candidates(), self.flooding()];
        let told = grids.iter().filter(|grid| !grid.is_empty());
        head + &self.grid().to_text() + &told.map(Grid::to_text).collect::<String>()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid().to_csv()
    }
}
