//! One self-contained page: sections in, HTML out, with its style inside and no script at all.
//!
//! Everything that came from a file is escaped by the template macro.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{Bar, Chart, Part};
use super::grid::{Align, Grid};
use super::scatter::{Mark, Point, Scatter};
use super::verified::{self, random_layer_grids, verification_grids};
use super::{number, sheet};
use crate::predict::Prediction;
use crate::verify::{Verification, VerifiedLayer, VerifiedLayers};

const STYLE: &str = include_str!("page.css");

/// One section of the page.
#[derive(Debug, Clone)]
pub struct Section {
    /// Heading.
    pub heading: String,
    /// What stands below it.
    pub body: Markup,
}

impl Section {
    fn new(heading: &str, body: Markup) -> Self {
        Self {
            heading: heading.to_owned(),
            body,
        }
    }

    /// A section that holds one grid, under the grid's title.
    pub fn of_grid(grid: &Grid) -> Self {
        Self::new(grid.title(), table(grid))
    }
}

/// The page with this title and these sections, in their order.
pub fn page(title: &str, sections: &[Section]) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                @for section in sections {
                    section { h2 { (section.heading) } (section.body) }
                }
                footer { "nass " (env!("CARGO_PKG_VERSION")) }
            }
        }
    }
    .into_string()
}

/// The sections of a prediction: summary, charts of seconds and bytes, the grids.
pub fn prediction_sections(prediction: &Prediction) -> Vec<Section> {
    let total = &prediction.total;
    let facts = [
        ("online", number::seconds(total.seconds.online)),
        ("offline", number::seconds(total.seconds.offline)),
        ("sent", number::bytes(total.bytes.total)),
        ("set-up", number::seconds(prediction.setup.seconds)),
        ("ReLUs", number::count(total.relus)),
        ("multiply-adds", number::count(total.flops)),
    ];
    let mut sections = vec![
        Section::new(
            &format!("{}, predicted", prediction.network),
            html! {
                p { (sheet::prediction_headline(prediction)) "." }
                (cards(&facts))
                p { (sheet::prediction_summary(prediction)) }
            },
        ),
        Section::new(
            "Where time and bytes go",
            html! {
                (time_chart(prediction).to_svg(number::seconds))
                (byte_chart(prediction).to_svg(|bytes| number::bytes(bytes as u64)))
            },
        ),
    ];
    sections.extend(grid_sections(&sheet::prediction_grids(prediction)));
    sections
}

/// The sections of a verification: verdict, charts of predicted and measured, the grids.
pub fn verification_sections(verification: &Verification) -> Vec<Section> {
    let total = &verification.total;
    let class = if verification.output_equal {
        "verdict equal"
    } else {
        "verdict different"
    };
    let facts = [
        ("predicted", number::seconds(total.predicted.seconds.total)),
        ("measured", number::seconds(total.measured.seconds.total)),
        ("error", number::percent(total.error.seconds)),
        ("sent", number::bytes(total.measured.bytes.total)),
        ("byte difference", number::signed_bytes(total.error.bytes)),
    ];
    let mut sections = vec![
        Section::new(
            &format!("{}, predicted and measured", verification.network),
            html! {
                p class=(class) { (verified::verdict(verification)) }
                p { (verified::verification_headline(verification)) "." }
                (cards(&facts))
                p { (verified::verification_summary(verification)) }
            },
        ),
        Section::new(
            "Predicted beside measured",
            html! {
                (pair_chart(&verification.layers).to_svg(number::seconds))
                (scatter(&verification.layers))
            },
        ),
    ];
    sections.extend(grid_sections(&verification_grids(verification)));
    sections
}

/// The sections of random layers: verdict, predicted against measured, the grids.
pub fn random_layer_sections(verified: &VerifiedLayers) -> Vec<Section> {
    let class = if verified.all_equal {
        "verdict equal"
    } else {
        "verdict different"
    };
    let mut sections = vec![
        Section::new(
            "Random layers, predicted and measured",
            html! {
                p class=(class) { (verified::random_summary(verified)) }
                p { (verified::random_headline(verified)) "." }
            },
        ),
        Section::new(
            "Predicted against measured",
            scatter(&verified.random_layers),
        ),
    ];
    sections.extend(grid_sections(&random_layer_grids(verified)));
    sections
}

/// Each layer's predicted seconds over its measured ones, as they are judged; linear layers large.
fn scatter(layers: &[VerifiedLayer]) -> Markup {
    let points = layers.iter().map(|layer| Point {
        label: format!("{} ({})", layer.predicted.name, layer.predicted.kind),
        x: layer.judged.measured,
        y: layer.judged.predicted,
        mark: if layer.predicted.he.is_some() {
            Mark::Chosen
        } else {
            Mark::Tried
        },
    });
    let chart = Scatter {
        title: "Predicted over measured seconds, linear layers large",
        x: "measured",
        y: "predicted",
        points: points.collect(),
    };
    chart.to_svg(number::seconds, number::seconds)
}

fn grid_sections(grids: &[Grid]) -> impl Iterator<Item = Section> {
    grids
        .iter()
        .filter(|grid| !grid.is_empty())
        .map(Section::of_grid)
}

/// Facts side by side, each under its name.
pub(super) fn cards(facts: &[(&str, String)]) -> Markup {
    html! {
        dl.cards {
            @for (name, value) in facts {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

fn table(grid: &Grid) -> Markup {
    let cell = |index: usize| match grid.columns().get(index).map(|column| column.align) {
        Some(Align::Right) => "right",
        Some(Align::Left) | None => "left",
    };
    html! {
        div.scroll {
            table {
                thead { tr {
                    @for (index, column) in grid.columns().iter().enumerate() {
                        th class=(cell(index)) { (column.heading) }
                    }
                } }
                tbody {
                    @for row in grid.rows() {
                        tr { @for (index, text) in row.iter().enumerate() { td class=(cell(index)) { (text) } } }
                    }
                }
                @if let Some(totals) = grid.totals() {
                    tfoot { tr {
                        @for (index, text) in totals.iter().enumerate() { td class=(cell(index)) { (text) } }
                    } }
                }
            }
        }
    }
}

fn time_chart(prediction: &Prediction) -> Chart {
    let bars = prediction.layers.iter().map(|layer| Bar {
        label: layer.name.clone(),
        parts: vec![
            part("client", layer.seconds.client),
            part("server", layer.seconds.server),
            part("link", layer.seconds.link),
        ],
    });
    Chart {
        title: "Seconds by layer".to_owned(),
        bars: bars.collect(),
    }
}

fn byte_chart(prediction: &Prediction) -> Chart {
    let bars = prediction.layers.iter().map(|layer| Bar {
        label: layer.name.clone(),
        parts: vec![
            part("to server", layer.bytes.to_server as f64),
            part("to client", layer.bytes.to_client as f64),
        ],
    });
    Chart {
        title: "Bytes by layer".to_owned(),
        bars: bars.collect(),
    }
}

fn pair_chart(layers: &[VerifiedLayer]) -> Chart {
    let bars = layers.iter().flat_map(|layer| {
        let name = &layer.predicted.name;
        let (told, seen) = (layer.predicted.seconds.total, layer.measured.seconds.total);
        [
            pair(name.clone(), told, 0.0),
            pair(String::new(), 0.0, seen),
        ]
    });
    Chart {
        title: "Seconds by layer".to_owned(),
        bars: bars.collect(),
    }
}

fn pair(label: String, predicted: f64, measured: f64) -> Bar {
    Bar {
        label,
        parts: vec![part("predicted", predicted), part("measured", measured)],
    }
}

const fn part(name: &'static str, value: f64) -> Part {
    Part { name, value }
}
