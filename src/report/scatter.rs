//! Points on two axes as SVG: what a study tried, and the front of what is worth its cost.
//!
//! Both axes are linear and begin and end at round numbers (1, 2 or 5 times a power of ten apart).
//! Points that are not finite are left out.

use maud::{Markup, html};

const LEFT: f64 = 88.0;
const TOP: f64 = 12.0;
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const BOTTOM: f64 = 44.0;
const TICKS: f64 = 5.0;

/// One point.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// What it is, shown when pointed at.
    pub label: String,
    /// Position on the horizontal axis.
    pub x: f64,
    /// Position on the vertical axis.
    pub y: f64,
    /// Whether it is drawn as one of the chosen.
    pub mark: Mark,
}

/// How a point is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Small and pale.
    Tried,
    /// Large, in the first colour.
    Chosen,
}

/// A chart of points.
#[derive(Debug, Clone, PartialEq)]
pub struct Scatter {
    /// What is drawn.
    pub title: &'static str,
    /// What the horizontal axis says.
    pub x: &'static str,
    /// What the vertical axis says.
    pub y: &'static str,
    /// The points; later ones are drawn over earlier ones.
    pub points: Vec<Point>,
}

/// An axis from `low` to `high` with a tick every `step`.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    /// The axis that holds these finite values, or 0 to 1 without any.
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let (least, greatest) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let range = greatest - least;
        if !(range.is_finite() && greatest >= least) {
            return Self {
                low: 0.0,
                high: 1.0,
                step: 0.2,
            };
        }
        let spread = if range > 0.0 {
            range
        } else {
            greatest.abs().max(1e-9)
        };
        let step = round_step(spread / TICKS);
        Self {
            low: (least / step).floor() * step,
            high: ((greatest / step).floor() + 1.0) * step,
            step,
        }
    }

    /// Where a value stands, 0 at the low end and 1 at the high one.
    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> + '_ {
        let count = ((self.high - self.low) / self.step).round() as u32;
        (0..=count.min(50)).map(|tick| self.low + f64::from(tick) * self.step)
    }
}

/// The least of 1, 2, 5, 10 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let rounded = [1.0, 2.0, 5.0].map(|digit| digit * power);
    let fitting = rounded.into_iter().find(|&rounded| rounded >= step);
    fitting.unwrap_or(10.0 * power)
}

impl Scatter {
    /// The chart as an SVG figure; the functions write a value of either axis with its unit.
    pub fn to_svg(&self, x: impl Fn(f64) -> String, y: impl Fn(f64) -> String) -> Markup {
        let finite = || {
            self.points
                .iter()
                .filter(|point| point.x.is_finite() && point.y.is_finite())
        };
        let across = Axis::of(finite().map(|point| point.x));
        let up = Axis::of(finite().map(|point| point.y));
        let left = |value: f64| format!("{:.1}", LEFT + WIDTH * across.share(value));
        let top = |value: f64| format!("{:.1}", TOP + HEIGHT * (1.0 - up.share(value)));
        let (right, foot) = (LEFT + WIDTH, TOP + HEIGHT);
        html! {
            figure {
                figcaption { (self.title) }
                svg viewBox=(format!("0 0 {} {}", right + 40.0, foot + BOTTOM)) role="img" aria-label=(self.title) {
                    @for tick in up.ticks() {
                        line.rule x1=(LEFT) x2=(right) y1=(top(tick)) y2=(top(tick)) {}
                        text.label x=(LEFT - 6.0) y=(top(tick)) dy="4" { (y(tick)) }
                    }
                    @for tick in across.ticks() {
                        line.rule x1=(left(tick)) x2=(left(tick)) y1=(TOP) y2=(foot) {}
                        text.tick x=(left(tick)) y=(foot + 16.0) { (x(tick)) }
                    }
                    text.tick x=(LEFT + WIDTH / 2.0) y=(foot + 36.0) { (self.x) }
                    text.tick transform=(format!("translate(14 {}) rotate(-90)", TOP + HEIGHT / 2.0)) { (self.y) }
                    @for point in finite() {
                        circle class=(point.mark.class()) r=(point.mark.radius()) cx=(left(point.x)) cy=(top(point.y)) {
                            title { (point.label) ": " (x(point.x)) ", " (y(point.y)) }
                        }
                    }
                }
            }
        }
    }
}

impl Mark {
    const fn class(self) -> &'static str {
        match self {
            Self::Tried => "part-2",
            Self::Chosen => "part-0",
        }
    }

    const fn radius(self) -> &'static str {
        match self {
            Self::Tried => "3",
            Self::Chosen => "5",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(values: &[f64]) -> (f64, f64, f64) {
        let axis = Axis::of(values.iter().copied());
        (axis.low, axis.high, axis.step)
    }

    #[test]
    fn axes_are_round_and_hold_all_values() {
        assert_eq!(axis(&[]), (0.0, 1.0, 0.2));
        assert_eq!(axis(&[0.0, 10.0]), (0.0, 12.0, 2.0));
        assert_eq!(axis(&[3.0, 3.0]), (3.0, 4.0, 1.0));
        for values in [&[0.1, 0.73][..], &[-5.0, 17.0], &[1e-7, 1e9], &[0.0]] {
            let axis = Axis::of(values.iter().copied());
            for &value in values {
                assert!((0.0..=1.0).contains(&axis.share(value)), "{values:?}");
            }
            assert!((2..=12).contains(&axis.ticks().count()), "{values:?}");
        }
    }

    #[test]
    fn points_that_are_not_finite_are_left_out() {
        let point = |x, y| Point {
            label: "p".to_owned(),
            x,
            y,
            mark: Mark::Chosen,
        };
        let chart = Scatter {
            title: "t",
            x: "x",
            y: "y",
            points: vec![
                point(1.0, 2.0),
                point(f64::NAN, 1.0),
                point(1.0, f64::MAX * 2.0),
            ],
        };
        let svg = chart.to_svg(|x| x.to_string(), |y| y.to_string());
        let svg = svg.into_string();
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
