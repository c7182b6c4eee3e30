//! A study shown: the front of what is worth its cost, the best network, every episode.
//!
//! The terminal shows the front; CSV has one row an episode; JSON has the episodes as they are
//! stored, with the numbers of the best one and of those on the front; the page has charts.

use maud::html;
use serde::Serialize;

use super::grid::{Align, Grid};
use super::html::{Section, cards};
use super::number::{bytes, count, seconds};
use super::scatter::{Mark, Point, Scatter};
use super::{Present, ReportError};
use crate::network::{LayerKind, NetworkParams};
use crate::search::{
    Episode, Outcome, PolicySettings, StudyRecord, StudySettings, Switch, Trained,
};
use crate::units::{Bytes, Nanos};

use Align::{Left, Right};

/// A study as it is printed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudyReport {
    /// Its settings.
    pub settings: StudySettings,
    /// Number of the episode with the greatest reward.
    pub best: Option<u64>,
    /// Numbers of the episodes on the Pareto front, best accuracy first.
    pub front: Vec<u64>,
    /// Its episodes, in order.
    pub episodes: Vec<Episode>,
}

impl StudyReport {
    /// What a study has found so far.
    pub fn new(study: &StudyRecord) -> Self {
        Self {
            settings: study.settings.clone(),
            best: study.best().map(|episode| episode.episode),
            front: study.front().iter().map(|e| e.episode).collect(),
            episodes: study.episodes.clone(),
        }
    }

    fn episode(&self, number: u64) -> Option<&Episode> {
        self.episodes
            .iter()
            .find(|episode| episode.episode == number)
    }

    fn front_grid(&self) -> Grid {
        let mut grid = Grid::new(
            "Pareto front: nothing tried is better in accuracy, time and bytes at once",
            &FRONT_COLUMNS,
        );
        let front = self.front.iter().filter_map(|&number| self.episode(number));
        for episode in front {
            grid.row(self.front_cells(episode));
        }
        grid
    }

    /// The best episode and what its network is.
    fn best_grid(&self) -> Grid {
        let mut grid = Grid::new("Best by reward", &FRONT_COLUMNS);
        if let Some(best) = self.best.and_then(|number| self.episode(number)) {
            grid.row(self.front_cells(best));
        }
        grid
    }

    fn front_cells(&self, episode: &Episode) -> [String; 7] {
        let (scores, network) = (
            episode.scores(),
            self.settings.space.decode(&episode.decisions),
        );
        let of = |describe: fn(&NetworkParams) -> String| {
            network.as_ref().map_or_else(|_| String::new(), describe)
        };
        [
            episode.episode.to_string(),
            scores.map_or_else(String::new, |(a, _)| accuracy(a)),
            scores.map_or_else(String::new, |(_, cost)| seconds(cost.seconds)),
            scores.map_or_else(String::new, |(_, cost)| bytes(cost.bytes)),
            format!("{:.4}", episode.reward),
            of(architecture),
            of(quantizers),
        ]
    }

    fn settings_grid(&self) -> Grid {
        let mut grid = Grid::new("Settings", &[("setting", Left), ("value", Left)]);
        let settings = &self.settings;
        let policy = match settings.policy {
            PolicySettings::Controller(_) => "controller",
            PolicySettings::Random => "random",
        };
        let reference = settings.reward.reference;
        let rows = [
            ("seed", settings.seed.to_string()),
            ("space", settings.space.name().to_owned()),
            ("weight of time (beta)", settings.reward.beta.to_string()),
            ("reference, time", seconds(reference.seconds)),
            ("reference, bytes", bytes(reference.bytes)),
            (
                "new architecture every",
                format!("{} episodes", settings.switch_period),
            ),
            ("policy", policy.to_owned()),
        ];
        for (name, value) in rows {
            grid.row([name.to_owned(), value]);
        }
        for text in [&settings.profile, &settings.dataset] {
            for (name, value) in fields(text) {
                grid.row([name, value]);
            }
        }
        grid
    }

    fn episode_grid(&self, numbers: &Numbers) -> Grid {
        let mut grid = Grid::new("All episodes", &COLUMNS);
        for episode in &self.episodes {
            grid.row(cells(episode, numbers));
        }
        grid
    }

    fn summary(&self) -> String {
        let count_of = |test: fn(&Episode) -> bool| {
            let matching = self.episodes.iter().filter(|episode| test(episode));
            count(matching.count() as u64)
        };
        let best = match self.best {
            Some(number) => format!("The greatest reward is that of episode {number}."),
            None => "No network can be run.".to_owned(),
        };
        format!(
            "{} episodes, {} networks trained, {} cannot be run. {best}",
            count(self.episodes.len() as u64),
            count_of(|episode| episode.trained == Trained::Here),
            count_of(|episode| matches!(episode.outcome, Outcome::Infeasible(_))),
        )
    }

    fn points(&self, of: impl Fn(&Episode) -> Option<(f64, f64)>) -> Vec<Point> {
        let mut points: Vec<Point> = self
            .episodes
            .iter()
            .filter_map(|episode| {
                let (x, y) = of(episode)?;
                let chosen = self.front.contains(&episode.episode);
                Some(Point {
                    label: format!("episode {}", episode.episode),
                    x,
                    y,
                    mark: if chosen { Mark::Chosen } else { Mark::Tried },
                })
            })
            .collect();
        points.sort_by_key(|point| point.mark == Mark::Chosen);
        points
    }
}

const COLUMNS: [(&str, Align); 9] = [
    ("episode", Right),
    ("switch", Left),
    ("architecture", Left),
    ("trained", Left),
    ("accuracy", Right),
    ("seconds", Right),
    ("bytes", Right),
    ("reward", Right),
    ("refused", Left),
];

const FRONT_COLUMNS: [(&str, Align); 7] = [
    ("episode", Right),
    ("accuracy", Right),
    ("seconds", Right),
    ("bytes", Right),
    ("reward", Right),
    ("architecture", Left),
    ("input/weight bits", Left),
];

/// The linear layers and pools: `4@3x5 avg2 8@5x5 avg2 fc10`.
fn architecture(network: &NetworkParams) -> String {
    let words = network.layers.iter().filter_map(|layer| match &layer.kind {
        LayerKind::Conv(conv) => {
            let [height, width] = conv.kernel;
            Some(format!("{}@{height}x{width}", conv.out_channels))
        }
        LayerKind::Fc(fc) => Some(format!("fc{}", fc.outputs)),
        LayerKind::AvgPool(pool) => Some(format!("avg{}", pool.kernel[0])),
        LayerKind::MaxPool(pool) => Some(format!("max{}", pool.kernel[0])),
        LayerKind::Relu
        | LayerKind::Clip { .. }
        | LayerKind::Square { .. }
        | LayerKind::Flatten
        | LayerKind::Add
        | LayerKind::Argmax => None,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// l_i/l_f of each linear layer: `6/8 4/6 8/8`.
fn quantizers(network: &NetworkParams) -> String {
    let quantizers = network.layers.iter().filter_map(|l| l.kind.quantizer());
    let words = quantizers.map(|bits| format!("{}/{}", bits.input_bits, bits.weight_bits));
    words.collect::<Vec<_>>().join(" ")
}

/// The fields of a setting that is a JSON object, those of several lines left out; other settings
/// show nothing.
fn fields(text: &str) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) else {
        return Vec::new();
    };
    let shown = object.into_iter().map(|(name, value)| match value {
        serde_json::Value::String(text) => (name, text),
        other => (name, other.to_string()),
    });
    shown.filter(|(_, text)| !text.contains('\n')).collect()
}

/// How numbers are written: for people, or bare for programs.
struct Numbers {
    accuracy: fn(f64) -> String,
    seconds: fn(f64) -> String,
    bytes: fn(u64) -> String,
    reward: fn(f64) -> String,
}

const PEOPLE: Numbers = Numbers {
    accuracy,
    seconds,
    bytes,
    reward: |reward| format!("{reward:.4}"),
};

const PROGRAMS: Numbers = Numbers {
    accuracy: |accuracy| accuracy.to_string(),
    seconds: |seconds| seconds.to_string(),
    bytes: |bytes| bytes.to_string(),
    reward: |reward| reward.to_string(),
};

fn accuracy(accuracy: f64) -> String {
    format!("{:.2} %", accuracy * 100.0)
}

fn cells(episode: &Episode, numbers: &Numbers) -> [String; 9] {
    let scores = episode.scores();
    let refused = match &episode.outcome {
        Outcome::Infeasible(reason) => reason.clone(),
        Outcome::Scored { .. } => String::new(),
    };
    [
        episode.episode.to_string(),
        match episode.switch {
            Switch::Architecture => "architecture",
            Switch::Quantizers => "quantizers",
        }
        .to_owned(),
        episode.architecture.chars().take(12).collect(),
        match episode.trained {
            Trained::Here => "here",
            Trained::Before => "before",
            Trained::No => "no",
        }
        .to_owned(),
        scores.map_or_else(String::new, |(a, _)| (numbers.accuracy)(a)),
        scores.map_or_else(String::new, |(_, cost)| (numbers.seconds)(cost.seconds)),
        scores.map_or_else(String::new, |(_, cost)| (numbers.bytes)(cost.bytes)),
        (numbers.reward)(episode.reward),
        refused,
    ]
}

impl Present for StudyReport {
    fn table(&self) -> String {
        let front = self.front_grid();
        if front.is_empty() {
            return self.summary() + "\n";
        }
        let best = self.best_grid().to_text();
        format!("{best}\n{}\n{}\n", front.to_text(), self.summary())
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.episode_grid(&PROGRAMS).to_csv()
    }
}

/// The sections of a study: summary, charts, the front, the best network, all episodes, settings.
pub fn study_sections(study: &StudyReport) -> Vec<Section> {
    let best = study.best.and_then(|number| study.episode(number));
    let mut facts = vec![("episodes", count(study.episodes.len() as u64))];
    if let Some((best_accuracy, cost)) = best.and_then(Episode::scores) {
        facts.extend([
            ("best: accuracy", accuracy(best_accuracy)),
            ("best: time", seconds(cost.seconds)),
            ("best: bytes", bytes(cost.bytes)),
        ]);
    }
    let mut sections = vec![
        Section {
            heading: "What the search found".to_owned(),
            body: html! { (cards(&facts)) p { (study.summary()) } },
        },
        Section {
            heading: "Accuracy against cost".to_owned(),
            body: charts(study),
        },
        Section::of_grid(&study.front_grid()),
    ];
    if let Some(best) = best {
        sections.push(Section {
            heading: format!("The network of episode {}", best.episode),
            body: html! { details { summary { "as TOML" } pre { (best.network) } } },
        });
    }
    sections.push(Section::of_grid(&study.episode_grid(&PEOPLE)));
    sections.push(Section::of_grid(&study.settings_grid()));
    sections
}

fn charts(study: &StudyReport) -> maud::Markup {
    let time = Scatter {
        title: "Accuracy against seconds; the Pareto front in blue",
        x: "seconds of one inference",
        y: "accuracy",
        points: study.points(|e| e.scores().map(|(a, cost)| (cost.seconds, a))),
    };
    let sent = Scatter {
        title: "Accuracy against bytes; the Pareto front in blue",
        x: "bytes of one inference",
        y: "accuracy",
        points: study.points(|e| e.scores().map(|(a, cost)| (cost.bytes as f64, a))),
    };
    let rewards = Scatter {
        title: "Reward by episode",
        x: "episode",
        y: "reward",
        points: study.points(|e| Some((e.episode as f64, e.reward))),
    };
    let accuracies = Scatter {
        title: "Accuracy by episode",
        x: "episode",
        y: "accuracy",
        points: study.points(|e| e.scores().map(|(a, _)| (e.episode as f64, a))),
    };
    html! {
        (time.to_svg(|x| Nanos::from_seconds(x).to_string(), accuracy))
        (sent.to_svg(|x| Bytes(x.max(0.0) as u64).to_string(), accuracy))
        (rewards.to_svg(|x| format!("{x:.0}"), |y| format!("{y:.2}")))
        (accuracies.to_svg(|x| format!("{x:.0}"), accuracy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page;
    use crate::search::{Cost, PolicySettings, Reward, Space};

    fn episode(number: u64, accuracy: f64, seconds: f64) -> Episode {
        let cost = Cost {
            seconds,
            bytes: (seconds * 1e6) as u64,
        };
        Episode {
            episode: number,
            seed: number,
            switch: Switch::Architecture,
            decisions: vec![0, 1],
            architecture: "0123456789abcdef".to_owned(),
            network: "name = \"<small>\"".to_owned(),
            trained: Trained::Here,
            outcome: Outcome::Scored { accuracy, cost },
            reward: accuracy,
        }
    }

    fn study() -> StudyReport {
        let settings = StudySettings {
            seed: 1,
            space: Space::open("small").unwrap(),
            reward: Reward {
                beta: 0.5,
                reference: Cost {
                    seconds: 1.0,
                    bytes: 1,
                },
            },
            switch_period: std::num::NonZeroU64::MIN,
            policy: PolicySettings::Random,
            profile: "profile".to_owned(),
            dataset: "synthetic".to_owned(),
        };
        let refused = Episode {
            outcome: Outcome::Infeasible("no parameters".to_owned()),
            trained: Trained::No,
            ..episode(2, 0.0, 1.0)
        };
        StudyReport::new(&StudyRecord {
            folder: "study".into(),
            settings,
            episodes: vec![episode(0, 0.5, 1.0), episode(1, 0.9, 3.0), refused],
            weights: std::collections::BTreeMap::new(),
        })
    }

    #[test]
    fn the_front_and_the_best_are_shown() {
        let text = study().table();
        assert!(text.contains("90.00 %"), "{text}");
        let told = "3 episodes, 2 networks trained, 1 cannot be run. \
                    The greatest reward is that of episode 1.";
        assert!(text.contains(told), "{text}");
        let json = study().json().unwrap();
        assert!(json.contains("\"front\": [\n    1,\n    0\n  ]"), "{json}");
    }

    #[test]
    fn csv_has_every_episode() {
        let csv = study().csv().unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(
            lines[2],
            "1,architecture,0123456789ab,here,0.9,3,3000000,0.9,"
        );
        assert!(lines[3].ends_with(",no parameters"));
    }

    #[test]
    fn the_page_marks_the_front_and_escapes_the_network() {
        let page = page("study", &study_sections(&study()));
        assert_eq!(page.matches("<circle class=\"part-0\"").count(), 8);
        assert_eq!(page.matches("<circle class=\"part-2\"").count(), 1);
        assert!(page.contains("&lt;small&gt;") && !page.contains("<small>"));
    }

    #[test]
    fn a_study_without_networks_is_shown_too() {
        let mut empty = study();
        empty.episodes.clear();
        empty.front.clear();
        empty.best = None;
        assert!(empty.table().starts_with("0 episodes"));
        assert!(page("study", &study_sections(&empty)).contains("</html>"));
    }
}
