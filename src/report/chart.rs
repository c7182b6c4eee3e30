//! Horizontal stacked bars as SVG: one bar a layer, one colour a part.
//!
//! A bar is as long as its value over the greatest value; negative and non-finite values count as
//! nothing, so that a damaged file draws a poor chart and not a broken page.

use maud::{Markup, html};

const LABEL_WIDTH: f64 = 150.0;
const BAR_WIDTH: f64 = 460.0;
const VALUE_WIDTH: f64 = 110.0;
const ROW: f64 = 22.0;
/// Characters of a label that fit before the bar.
const LABEL_LENGTH: usize = 20;

/// One part of a bar: its value and the class that colours it (`part-0` to `part-3`).
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Name, shown when pointed at and in the legend.
    pub name: &'static str,
    /// Length in the chart's unit.
    pub value: f64,
}

/// One labelled bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What stands before the bar.
    pub label: String,
    /// Its parts, left to right; all bars of a chart have the same ones.
    pub parts: Vec<Part>,
}

/// A chart of bars on one scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What is drawn, for readers who cannot see it.
    pub title: String,
    /// The bars, top to bottom.
    pub bars: Vec<Bar>,
}

fn length(value: f64) -> f64 {
    if value.is_finite() {
        value.max(0.0)
    } else {
        0.0
    }
}

impl Bar {
    fn total(&self) -> f64 {
        self.parts.iter().map(|part| length(part.value)).sum()
    }
}

impl Chart {
    /// The chart as an SVG figure with a legend; `print` writes a value with its unit.
    pub fn to_svg(&self, print: impl Fn(f64) -> String) -> Markup {
        let greatest = self.bars.iter().map(Bar::total).fold(0.0, f64::max);
        let width = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH;
        let height = ROW * self.bars.len() as f64;
        html! {
            figure {
                figcaption {
                    (self.title)
                    @for (index, part) in self.bars.iter().take(1).flat_map(|bar| bar.parts.iter().enumerate()) {
                        " " span.key { span class=(format!("swatch part-{index}")) {} (part.name) }
                    }
                }
                svg viewBox=(format!("0 0 {width} {height}")) role="img" aria-label=(self.title) {
                    @for (row, bar) in self.bars.iter().enumerate() {
                        (draw(bar, row, greatest, &print))
                    }
                }
            }
        }
    }
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LABEL_LENGTH {
        return label.to_owned();
    }
    let kept: String = label.chars().take(LABEL_LENGTH - 1).collect();
    kept + "…"
}

fn draw(bar: &Bar, row: usize, greatest: f64, print: impl Fn(f64) -> String) -> Markup {
    let top = ROW * row as f64;
    let scale = if greatest > 0.0 {
        BAR_WIDTH / greatest
    } else {
        0.0
    };
    let lengths = || bar.parts.iter().map(|part| length(part.value) * scale);
    let left = |index: usize| LABEL_WIDTH + lengths().take(index).sum::<f64>();
    html! {
        text.label x=(LABEL_WIDTH - 8.0) y=(top + 15.0) {
            (shortened(&bar.label)) title { (bar.label) }
        }
        @for (index, (part, width)) in bar.parts.iter().zip(lengths()).enumerate() {
            @if width > 0.0 {
                rect class=(format!("part-{index}")) x=(format!("{:.2}", left(index))) y=(top + 3.0)
                    width=(format!("{width:.2}")) height=(ROW - 6.0) {
                    title { (bar.label) ": " (part.name) " " (print(part.value)) }
                }
            }
        }
        text.value x=(format!("{:.2}", left(bar.parts.len()) + 6.0)) y=(top + 15.0) {
            (print(bar.total()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[f64]) -> String {
        let bars = values
            .iter()
            .map(|&value| Bar {
                label: "<a>".to_owned(),
                parts: vec![Part {
                    name: "only",
                    value,
                }],
            })
            .collect();
        let chart = Chart {
            title: "title".to_owned(),
            bars,
        };
        chart.to_svg(|value| value.to_string()).into_string()
    }

    #[test]
    fn the_greatest_bar_fills_the_width_and_the_others_their_share() {
        let svg = chart(&[4.0, 1.0]);
        assert!(svg.contains("width=\"460.00\""), "{svg}");
        assert!(svg.contains("width=\"115.00\""), "{svg}");
    }

    #[test]
    fn damaged_values_draw_nothing() {
        let svg = chart(&[f64::NAN, -1.0, f64::INFINITY, 0.0]);
        assert!(!svg.contains("<rect"), "{svg}");
        assert!(!svg.contains("\"NaN\"") && !svg.contains("\"inf\""));
    }

    #[test]
    fn long_labels_are_cut() {
        assert_eq!(shortened("conv1"), "conv1");
        assert_eq!(shortened(&"é".repeat(30)).chars().count(), LABEL_LENGTH);
    }

    #[test]
    fn labels_are_escaped() {
        assert!(chart(&[1.0]).contains("&lt;a&gt;"));
    }
}
