//! What the papers' choices cost against the one made here, at equal security.
//!
//! Security, failure, flooding and prices are those asked for; p holds all values of the layer (but for
//! DELPHI's, which is fixed). Where a paper's own choice is ruled out, the row says by how much, and the
//! next one gives the nearest choice of its kind.

use serde::Serialize;

use crate::network::ResolvedNetwork;
use crate::params::{
    LayerCost, LayerCrypto, Paper, ParamsError, Prices, Request, Selection, Selector,
    gazelle_published,
};
use crate::report::{Align, Grid, Present, ReportError};

use Align::{Left, Right};

#[derive(Serialize)]
struct Row {
    layer: String,
    choice: String,
    n: Option<usize>,
    limbs: Option<usize>,
    p_bits: Option<u32>,
    total_bits: Option<f64>,
    cost: Option<LayerCost>,
    /// Time over that of the choice made here.
    time_ratio: Option<f64>,
    bytes_ratio: Option<f64>,
    note: String,
}

/// The table of cost ratios.
#[derive(Serialize)]
pub(super) struct Comparison {
    network: String,
    rows: Vec<Row>,
}

/// Chooses for every layer on its own, so that one that has no choice leaves the others theirs.
fn choices<P: Prices>(
    network: &ResolvedNetwork,
    request: &Request,
    prices: P,
) -> Result<Vec<Result<Selection, ParamsError>>, ParamsError> {
    let selector = Selector::new(*request, prices)?;
    let steps = 0..network.steps.len();
    Ok(steps
        .map(|step| selector.step_alone(network, step))
        .collect())
}

impl Comparison {
    pub(super) fn new<P: Prices + Copy>(
        network: &ResolvedNetwork,
        request: &Request,
        prices: P,
    ) -> Result<Self, ParamsError> {
        let ours = Selector::new(*request, prices)?.network(network)?;
        let mut rows = Vec::new();
        let mut papers = Vec::new();
        for paper in Paper::ALL {
            let own = choices(network, &paper.asked(request), prices);
            let nearest = choices(network, &paper.nearest(request), prices);
            papers.push((paper, own, nearest));
        }
        for (index, step) in network.steps.iter().enumerate() {
            let Some((crypto, cost)) = chosen(&ours, index) else {
                continue;
            };
            let row = |choice: &str, found: Result<(LayerCrypto, LayerCost), String>| {
                Row::new((&step.name, choice), found, cost)
            };
            rows.push(row("ours", Ok((crypto, cost))));
            for (paper, own, nearest) in &papers {
                let found = |choices: &Result<Vec<Result<Selection, ParamsError>>, ParamsError>| {
                    let choices = choices.as_ref().map_err(ToString::to_string)?;
                    let selection = choices.get(index).ok_or_else(String::new)?;
                    let selection = selection.as_ref().map_err(ToString::to_string)?;
                    chosen(selection, index).ok_or_else(String::new)
                };
                let own = found(own);
                let refused = own.is_err();
                let mut published = row(paper.name(), own);
                if *paper == Paper::Gazelle {
                    let bound = network.domains.get(step.domain).map_or(0, |d| d.bound);
                    published.note += &gazelle_note(bound, request);
                }
                rows.push(published);
                if refused {
                    rows.push(row(&format!("{}, nearest", paper.name()), found(nearest)));
                }
            }
        }
        let network = network.name.clone();
        Ok(Self { network, rows })
    }

    fn grid(&self) -> Grid {
        let columns = [
            ("layer", Left),
            ("choice", Left),
            ("n", Right),
            ("limbs", Right),
            ("p_bits", Right),
            ("total_bits", Right),
            ("time", Right),
            ("bytes", Right),
            ("time ratio", Right),
            ("bytes ratio", Right),
            ("", Left),
        ];
        let mut grid = Grid::new("", &columns);
        for row in &self.rows {
            grid.row([
                row.layer.clone(),
                row.choice.clone(),
                row.n.map_or_else(String::new, |n| n.to_string()),
                row.limbs
                    .map_or_else(String::new, |limbs| limbs.to_string()),
                row.p_bits.map_or_else(String::new, |bits| bits.to_string()),
                row.total_bits
                    .map_or_else(String::new, |bits| format!("{bits:.1}")),
                row.cost
                    .map_or_else(String::new, |cost| cost.time.to_string()),
                row.cost
                    .map_or_else(String::new, |cost| cost.bytes.to_string()),
                row.time_ratio
                    .map_or_else(String::new, |ratio| format!("{ratio:.3}")),
                row.bytes_ratio
                    .map_or_else(String::new, |ratio| format!("{ratio:.3}")),
                row.note.clone(),
            ]);
        }
        grid
    }
}

impl Row {
    fn new(
        (layer, choice): (&str, &str),
        found: Result<(LayerCrypto, LayerCost), String>,
        ours: LayerCost,
    ) -> Self {
        let (found, note) = match found {
            Ok(found) => (Some(found), String::new()),
            Err(note) => (None, note),
        };
        let crypto = found.as_ref().map(|(crypto, _)| crypto);
        let cost = found.as_ref().map(|(_, cost)| *cost);
        let holds = crypto.is_none_or(|crypto| crypto.p_holds_all_values);
        Self {
            layer: layer.to_owned(),
            choice: choice.to_owned(),
            n: crypto.map(|crypto| crypto.n),
            limbs: crypto.map(|crypto| crypto.q.len()),
            p_bits: crypto.map(|crypto| crypto.p_bits),
            total_bits: crypto.map(|crypto| crypto.total_bits),
            cost,
            time_ratio: cost.filter(|_| holds).map(|cost| cost.time.0 / ours.time.0),
            bytes_ratio: cost
                .filter(|_| holds)
                .map(|cost| cost.bytes.0 as f64 / ours.bytes.0 as f64),
            note: if holds {
                note
            } else {
                "its p cannot hold the layer's values".to_owned()
            },
        }
    }
}

fn gazelle_note(bound: u64, request: &Request) -> String {
    match gazelle_published(bound, &request.requirement) {
        Some(published) if published.short_bits > 0.0 => format!(
            " (as published: n = {}, p = {}, q = {}, q mod p = {}; insecure, {:.1} bits too many)",
            published.n, published.p, published.q, published.remainder, published.short_bits
        ),
        Some(_) => String::new(),
        None => " (as published: p of at most 21 bits, too few here)".to_owned(),
    }
}

fn chosen(selection: &Selection, step: usize) -> Option<(LayerCrypto, LayerCost)> {
    let crypto = selection.layers.get(step)?.clone()?;
    Some((crypto, selection.costs.get(step).copied().flatten()?))
}

impl Present for Comparison {
    fn table(&self) -> String {
        self.grid().to_text()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid().to_csv()
    }
}
