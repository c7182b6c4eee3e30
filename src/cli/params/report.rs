//! The parameters of each layer, how rarely an inference fails, what flooding costs, and what else was tried.

use serde::Serialize;

use super::candidates::{self, percent};
use super::cells::For;
use crate::network::ResolvedNetwork;
use crate::params::{Candidate, LayerCost, Selection, any_of, printable_probability};
use crate::predict::{HeReport, he_report};
use crate::report::{Align, Grid, Present, ReportError, security_sources};

use Align::{Left, Right};

/// Columns of the CSV.
const BARE: [(&str, Align); 27] = [
    ("layer", Left),
    ("kind", Left),
    ("schedule", Left),
    ("n", Right),
    ("p", Right),
    ("p_bits", Right),
    ("q_bits", Right),
    ("limbs", Right),
    ("keys", Left),
    ("windows", Right),
    ("total_bits", Right),
    ("security_bits", Right),
    ("security_table", Left),
    ("security_attack", Left),
    ("security_secret", Left),
    ("security_date", Left),
    ("security_source", Left),
    ("failure_log2", Right),
    ("inference_failure_log2", Right),
    ("flooding_bits", Right),
    ("margin_bits", Right),
    ("worst_case_margin_bits", Right),
    ("reply_limbs", Right),
    ("seconds", Right),
    ("bytes", Right),
    ("seconds_without_flooding", Right),
    ("bytes_without_flooding", Right),
];

#[derive(Serialize)]
pub(super) struct LayerReport {
    pub(super) name: String,
    kind: &'static str,
    pub(super) he: HeReport,
    schedule: String,
    reply_limbs: usize,
    worst_case_margin_bits: f64,
    cost: Option<LayerCost>,
    /// The cost without flooding, where there is any.
    #[serde(skip_serializing_if = "Option::is_none")]
    without_flooding: Option<LayerCost>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<Candidate>,
}

/// All layers together.
#[derive(Serialize)]
struct Inference {
    /// log2 of the probability that any layer decrypts wrongly.
    failure_log2: f64,
    /// That probability, at least 10⁻³⁰⁰.
    failure_probability: f64,
    /// log2 of the probability that was allowed.
    allowed_failure_log2: f64,
}

#[derive(Serialize)]
pub(super) struct Report {
    network: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    inference: Inference,
    pub(super) layers: Vec<LayerReport>,
}

/// What was chosen, and what is told beside it.
pub(super) struct Choice {
    pub(super) selection: Selection,
    /// What the same network takes without flooding, where there is any.
    pub(super) without_flooding: Option<Selection>,
    /// What was tried for each step; empty if it was not asked for.
    pub(super) candidates: Vec<Vec<Candidate>>,
    /// log2 of the probability of failure that was allowed.
    pub(super) allowed_failure_log2: f64,
}

impl Report {
    pub(super) fn new(network: &ResolvedNetwork, mode: Option<String>, choice: &Choice) -> Self {
        let steps = network.steps.iter().enumerate();
        let layers = steps.filter_map(|(index, step)| {
            let crypto = choice.selection.layers.get(index)?.as_ref()?;
            let cost_of = |selection: &Selection| selection.costs.get(index).copied().flatten();
            Some(LayerReport {
                name: step.name.clone(),
                kind: step.kind.name(),
                he: he_report(crypto),
                schedule: crypto.schedule.clone(),
                reply_limbs: crypto.reply_limbs,
                worst_case_margin_bits: crypto.worst_case_margin_bits,
                cost: cost_of(&choice.selection),
                without_flooding: choice.without_flooding.as_ref().and_then(cost_of),
                candidates: choice.candidates.get(index).cloned().unwrap_or_default(),
            })
        });
        let layers: Vec<LayerReport> = layers.collect();
        let failure_log2 = any_of(layers.iter().map(|layer| layer.he.failure_log2));
        Self {
            network: network.name.clone(),
            mode,
            inference: Inference {
                failure_log2,
                failure_probability: printable_probability(failure_log2),
                allowed_failure_log2: choice.allowed_failure_log2,
            },
            layers,
        }
    }

    /// What all layers cost together.
    fn total(&self) -> Option<LayerCost> {
        let costs = self.layers.iter().map(|layer| layer.cost);
        costs.reduce(|sum, next| {
            let (sum, next) = (sum?, next?);
            Some(LayerCost {
                time: sum.time + next.time,
                bytes: sum.bytes + next.bytes,
            })
        })?
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
            let [time, bytes] = For::Table.cost(layer.cost);
            grid.row([
                layer.name.clone(),
                layer.kind.to_owned(),
                layer.schedule.clone(),
                he.n.to_string(),
                he.p_bits.to_string(),
                format!("{:.1}", he.q_bits),
                he.q.len().to_string(),
                keys(he),
                he.windows.to_string(),
                format!("{:.1}", he.total_bits),
                format!("{} ({})", he.security_bits, he.security_table),
                For::Table.probability(he.failure_log2),
                he.flooding_bits.to_string(),
                format!("{:.1}", he.noise_margin_bits),
                layer.reply_limbs.to_string(),
                time,
                bytes,
            ]);
        }
        let [time, bytes] = For::Table.cost(self.total());
        let failure = For::Table.probability(self.inference.failure_log2);
        let mut foot = vec![String::new(); columns.len() - 6];
        if let Some(name) = foot.first_mut() {
            "inference".clone_into(name);
        }
        foot.extend([failure, String::new(), String::new(), String::new()]);
        foot.extend([time, bytes]);
        grid.foot(foot);
        grid
    }

    /// Every number of the JSON but the candidates and the moduli, bare.
    fn bare(&self) -> Grid {
        let mut grid = Grid::new("", &BARE);
        for layer in &self.layers {
            let he = &layer.he;
            let mut row = vec![
                layer.name.clone(),
                layer.kind.to_owned(),
                layer.schedule.clone(),
                he.n.to_string(),
                he.p.clone(),
                he.p_bits.to_string(),
                he.q_bits.to_string(),
                he.q.len().to_string(),
                keys(he),
                he.windows.to_string(),
                he.total_bits.to_string(),
                he.security_bits.to_string(),
            ];
            row.extend(he.security_cells().map(str::to_owned));
            row.extend([
                he.failure_log2.to_string(),
                self.inference.failure_log2.to_string(),
                he.flooding_bits.to_string(),
                he.noise_margin_bits.to_string(),
                layer.worst_case_margin_bits.to_string(),
                layer.reply_limbs.to_string(),
            ]);
            row.extend(For::Csv.cost(layer.cost));
            row.extend(For::Csv.cost(layer.without_flooding));
            grid.row(row);
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

fn keys(he: &HeReport) -> String {
    match he.digit_bits {
        Some(bits) => format!("digits of {bits}"),
        None => format!("{} special", he.special.len()),
    }
}

impl Present for Report {
    fn table(&self) -> String {
        let head = self
            .mode
            .as_ref()
            .map_or_else(String::new, |mode| format!("mode {mode}\n"));
        let tried = self.layers.iter();
        let tried = tried.map(|layer| (layer.name.as_str(), layer.candidates.as_slice()));
        let sources = self.layers.iter().map(|layer| layer.he.security_cells());
        let grids = [
            candidates::grid(tried),
            self.flooding(),
            security_sources(sources),
        ];
        let told = grids.iter().filter(|grid| !grid.is_empty());
        let allowed = For::Table.probability(self.inference.allowed_failure_log2);
        let inference = format!("failure of an inference: allowed {allowed}\n");
        head + &self.grid().to_text() + &inference + &told.map(Grid::to_text).collect::<String>()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.bare().to_csv()
    }
}
