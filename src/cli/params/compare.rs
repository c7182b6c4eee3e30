//! What the papers' choices cost against the one made here, at equal security.
//!
//! Security, failure, flooding and prices are those asked for; p holds all values of the layer (but for
//! DELPHI's, which is fixed). Layers that meet in an addition share one p, ours and the papers', so that only
//! their sum is to be compared. Where a paper's own choice is ruled out, the row says by how much, and the next
//! one gives the nearest choice of its kind. Linear layers are compared alone: what the width of p costs in
//! circuits is left out of ours as of theirs. At the end all layers together: of each paper its own choices, and
//! the nearest for the others.

use serde::Serialize;

use super::cells::{For, shown};
use super::published::Security;
use crate::network::{ResolvedNetwork, Step};
use crate::params::{
    LayerCost, LayerCrypto, LinearAlone, Paper, ParamsError, Prices, Request, Selection, Selector,
};
use crate::report::{Align, Grid, Present, ReportError, security_sources};
use crate::security::Requirement;

use Align::{Left, Right};

#[derive(Serialize)]
pub(super) struct Row {
    pub(super) layer: String,
    pub(super) choice: String,
    n: Option<usize>,
    limbs: Option<usize>,
    p_bits: Option<u32>,
    total_bits: Option<f64>,
    pub(super) cost: Option<LayerCost>,
    /// Time over that of the choice made here.
    pub(super) time_ratio: Option<f64>,
    bytes_ratio: Option<f64>,
    note: String,
}

/// The table of cost ratios.
#[derive(Serialize)]
pub(super) struct Comparison {
    network: String,
    security: Security,
    pub(super) rows: Vec<Row>,
}

type Found = Result<(LayerCrypto, LayerCost), String>;

/// What a paper would choose, by step, and what it published.
struct Theirs<P> {
    paper: Paper,
    own: Vec<Result<Selection, ParamsError>>,
    nearest: Vec<Result<Selection, ParamsError>>,
    published: Option<Selector<P>>,
}

/// Chooses for every domain on its own, so that one that has no choice leaves the others theirs.
fn choices<P: Prices>(
    network: &ResolvedNetwork,
    request: &Request,
    prices: P,
) -> Vec<Result<Selection, ParamsError>> {
    let selector = Selector::new(*request, prices);
    let steps = 0..network.steps.len();
    let of_step = |step| match &selector {
        Ok(selector) => selector.domain_of(network, step),
        Err(error) => Err(error.clone()),
    };
    steps.map(of_step).collect()
}

impl<P: Prices + Copy> Theirs<P> {
    fn new(paper: Paper, network: &ResolvedNetwork, request: &Request, prices: P) -> Self {
        // As it was published: without flooding.
        let published = Request {
            flooding_bits: 0,
            ..*request
        };
        Self {
            paper,
            own: choices(network, &paper.asked(request), prices),
            nearest: choices(network, &paper.nearest(request), prices),
            published: (paper == Paper::Gazelle)
                .then(|| Selector::new(published, prices).ok())
                .flatten(),
        }
    }

    /// Its rows for a step: its own choice, and if that is ruled out the nearest.
    fn rows(&self, network: &ResolvedNetwork, index: usize, ours: LayerCost) -> Vec<Row> {
        let name = self.paper.name();
        let layer = network.steps.get(index).map_or("", |step| &step.name);
        let own = found(&self.own, index);
        let refused = own.is_err();
        let mut row = Row::new((layer, name), own, ours);
        if let Some(published) = &self.published {
            row.note += &gazelle_note(published, network, index);
        }
        let mut rows = vec![row];
        if refused {
            let choice = format!("{name}, nearest");
            rows.push(Row::new(
                (layer, &choice),
                found(&self.nearest, index),
                ours,
            ));
        }
        rows
    }
}

/// The choice for a step, or why there is none.
fn found(choices: &[Result<Selection, ParamsError>], step: usize) -> Found {
    let selection = choices.get(step).ok_or_else(String::new)?;
    let selection = selection.as_ref().map_err(ToString::to_string)?;
    chosen(selection, step).ok_or_else(String::new)
}

impl Comparison {
    pub(super) fn new<P: Prices + Copy>(
        network: &ResolvedNetwork,
        request: &Request,
        prices: P,
    ) -> Result<Self, ParamsError> {
        let prices = LinearAlone(prices);
        let ours = Selector::new(*request, prices)?.network(network)?;
        let papers = Paper::ALL.map(|paper| Theirs::new(paper, network, request, prices));
        let steps = network.steps.iter().enumerate();
        let steps = steps.filter_map(|(index, step)| Some((index, step, chosen(&ours, index)?)));
        let mut rows = Vec::new();
        for (index, step, (crypto, cost)) in steps {
            let Step { name, .. } = step;
            rows.push(Row::new((name, "ours"), Ok((crypto, cost)), cost));
            rows.extend(
                papers
                    .iter()
                    .flat_map(|paper| paper.rows(network, index, cost)),
            );
        }
        rows.extend(totals(&rows));
        Ok(Self {
            network: network.name.clone(),
            security: Security::new(request.requirement),
            rows,
        })
    }

    fn grid(&self, to: For) -> Grid {
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
        let mut grid = Grid::new("", &to.columns(&columns));
        for row in &self.rows {
            let mut cells = vec![
                row.layer.clone(),
                row.choice.clone(),
                shown(row.n),
                shown(row.limbs),
                shown(row.p_bits),
                to.number(row.total_bits, 1),
            ];
            cells.extend(to.cost(row.cost));
            cells.extend([
                to.number(row.time_ratio, 3),
                to.number(row.bytes_ratio, 3),
                row.note.clone(),
            ]);
            cells.extend(to.sources(self.security_cells()));
            grid.row(cells);
        }
        grid
    }

    fn security_cells(&self) -> [&str; 5] {
        let Requirement {
            table,
            attack,
            secret,
            ..
        } = self.security.requirement;
        let (date, source) = (self.security.date, self.security.source);
        [table.name(), attack.name(), secret.name(), date, source]
    }
}

impl Row {
    fn new((layer, choice): (&str, &str), found: Found, ours: LayerCost) -> Self {
        let (found, note) = match found {
            Ok(found) => (Some(found), String::new()),
            Err(note) => (None, note),
        };
        let crypto = found.as_ref().map(|(crypto, _)| crypto);
        let cost = found.as_ref().map(|(_, cost)| *cost);
        let holds = crypto.is_none_or(|crypto| crypto.p_holds_all_values);
        let comparable = cost.filter(|_| holds);
        Self {
            layer: layer.to_owned(),
            choice: choice.to_owned(),
            n: crypto.map(|crypto| crypto.n),
            limbs: crypto.map(|crypto| crypto.q.len()),
            p_bits: crypto.map(|crypto| crypto.p_bits),
            total_bits: crypto.map(|crypto| crypto.total_bits),
            cost,
            time_ratio: comparable.map(|cost| cost.time.0 / ours.time.0),
            bytes_ratio: comparable.map(|cost| cost.bytes.0 as f64 / ours.bytes.0 as f64),
            note: if holds {
                note
            } else {
                "its p cannot hold the layer's values".to_owned()
            },
        }
    }
}

/// All layers together, ours and then each paper's; blank where one layer has no choice that holds its values.
fn totals(rows: &[Row]) -> Vec<Row> {
    let sum = |choice: &str| {
        let layers = rows.iter().filter(|row| row.choice == "ours");
        let costs = layers.map(|layer| {
            let of = |row: &&Row| row.layer == layer.layer && row.time_ratio.is_some();
            let named = |row: &&Row| {
                let rest = row.choice.strip_prefix(choice);
                rest.is_some_and(|rest| rest.is_empty() || rest == ", nearest")
            };
            rows.iter().filter(of).find(named).and_then(|row| row.cost)
        });
        let costs: Vec<LayerCost> = costs.collect::<Option<_>>()?;
        costs.into_iter().reduce(|sum, next| LayerCost {
            time: sum.time + next.time,
            bytes: sum.bytes + next.bytes,
        })
    };
    let ours = sum("ours");
    let names = std::iter::once("ours").chain(Paper::ALL.map(Paper::name));
    names
        .filter_map(|choice| {
            let (cost, ours) = (sum(choice), ours?);
            Some(Row {
                layer: "all layers".to_owned(),
                choice: choice.to_owned(),
                n: None,
                limbs: None,
                p_bits: None,
                total_bits: None,
                cost,
                time_ratio: cost.map(|cost| cost.time.0 / ours.time.0),
                bytes_ratio: cost.map(|cost| cost.bytes.0 as f64 / ours.bytes.0 as f64),
                note: match cost {
                    Some(_) => String::new(),
                    None => "a layer has no such choice".to_owned(),
                },
            })
        })
        .collect()
}

/// What Gazelle published for a step: by how much it is insecure, and does not decrypt.
fn gazelle_note<P: Prices>(
    selector: &Selector<P>,
    network: &ResolvedNetwork,
    index: usize,
) -> String {
    let layer = match selector.gazelle(network, index) {
        Err(error) => return format!(" (as published: {error})"),
        Ok(None) => return " (as published: p of at most 21 bits, too few here)".to_owned(),
        Ok(Some(layer)) => layer,
    };
    let published = &layer.published;
    let decrypts = match layer.margin_bits {
        margin if margin < 0.0 => format!("does not decrypt, {:.1} bits short", -margin),
        margin => format!("decrypts, {margin:.1} bits to spare"),
    };
    format!(
        " (as published: n = {}, p = {}, q = {}, q mod p = {}; insecure, {:.1} bits too many; {decrypts})",
        published.n, published.p, published.q, published.remainder, published.short_bits
    )
}

fn chosen(selection: &Selection, step: usize) -> Option<(LayerCrypto, LayerCost)> {
    let crypto = selection.layers.get(step)?.clone()?;
    Some((crypto, selection.costs.get(step).copied().flatten()?))
}

impl Present for Comparison {
    fn table(&self) -> String {
        self.grid(For::Table).to_text() + &security_sources([self.security_cells()]).to_text()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid(For::Csv).to_csv()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{
        ConvParams, LayerKind, LayerParams, NetworkParams, Quantizer, Shape, Source,
    };
    use crate::params::TransformPrices;

    /// Two convolutions of very different sizes that meet in an addition, and share a p.
    fn shared() -> ResolvedNetwork {
        let conv = |kernel: usize, bits| {
            LayerKind::Conv(ConvParams {
                out_channels: 4,
                kernel: [kernel; 2],
                stride: [1, 1],
                padding: [kernel / 2; 2],
                dilation: [1, 1],
                groups: 1,
                bias: false,
                quantizer: Quantizer {
                    input_bits: 6,
                    weight_bits: bits,
                },
                p_bits: None,
            })
        };
        let layer = |name: &str, inputs: &[Source], kind| LayerParams {
            name: name.to_owned(),
            inputs: inputs.to_vec(),
            kind,
        };
        let network = NetworkParams {
            name: "shared".to_owned(),
            input: Shape::new(4, 8, 8),
            layers: vec![
                layer("first", &[Source::Input], conv(3, 5)),
                layer("relu", &[Source::Layer(0)], LayerKind::Relu),
                layer("wide", &[Source::Layer(1)], conv(5, 7)),
                layer("narrow", &[Source::Layer(1)], conv(1, 3)),
                layer("sum", &[Source::Layer(2), Source::Layer(3)], LayerKind::Add),
                layer("end", &[Source::Layer(4)], LayerKind::Relu),
                layer("last", &[Source::Layer(5)], conv(1, 4)),
            ],
        };
        network.resolve(None).unwrap()
    }

    /// Layers that share a p are compared by their sum, ours against the papers', and ours is never dearer; single
    /// layers may be.
    #[test]
    fn ours_is_never_dearer_where_layers_share_their_modulus() {
        let network = shared();
        let domain = |name: &str| {
            let mut steps = network.steps.iter();
            steps.find(|step| step.name == name).unwrap().domain
        };
        assert_eq!(domain("wide"), domain("narrow"));
        let mut compared = 0;
        for flooding_bits in [0, 40] {
            let request = Request {
                flooding_bits,
                ..Request::default()
            };
            let told = Comparison::new(&network, &request, TransformPrices).unwrap();
            let time = |layer: &str, choice: &str| {
                let row = told
                    .rows
                    .iter()
                    .find(|row| row.layer == layer && row.choice == choice)?;
                row.time_ratio.and(row.cost).map(|cost| cost.time.0)
            };
            for paper in Paper::ALL {
                for choice in [
                    paper.name().to_owned(),
                    format!("{}, nearest", paper.name()),
                ] {
                    let both = |choice: &str| Some(time("wide", choice)? + time("narrow", choice)?);
                    let Some(theirs) = both(&choice) else {
                        continue;
                    };
                    let ours = both("ours").unwrap();
                    assert!(ours <= theirs * (1.0 + 1e-12), "{choice}: {ours} {theirs}");
                    compared += 1;
                }
                let total = time("all layers", paper.name()).unwrap();
                assert!(time("all layers", "ours").unwrap() <= total * (1.0 + 1e-12));
            }
        }
        assert!(compared >= 6, "{compared}");
    }

    /// The papers' rows share their p as well, or they could undercut ours.
    #[test]
    fn the_papers_share_their_modulus_too() {
        let network = shared();
        let asked = Paper::Nass.asked(&Request::default());
        let choices = choices(&network, &asked, TransformPrices);
        let p = |step: usize| found(&choices, step).map(|(crypto, _)| crypto.p);
        assert_eq!(p(2), p(3));
        assert!(p(2).is_ok());
    }
}
