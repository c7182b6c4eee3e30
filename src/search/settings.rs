//! Settings of a study, and the text of each as the study's database holds it.
//!
//! Numbers are written so that reading them gives the same bits; a resumed study can therefore be
//! asked for the same settings again, or take them from its own database.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::Serialize;

use super::controller::{Controller, ControllerSettings};
use super::error::SearchError;
use super::models::Cost;
use super::policy::{Policy, RandomPolicy};
use super::reward::Reward;
use super::seed;
use super::space::Space;

/// What proposes networks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicySettings {
    /// The LSTM controller.
    Controller(ControllerSettings),
    /// Uniformly drawn networks, the yardstick.
    Random,
}

/// Everything that a study's outcome depends on, besides the models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudySettings {
    /// Seed of the study.
    pub seed: u64,
    /// Which networks may be proposed.
    pub space: Space,
    /// How they are scored.
    pub reward: Reward,
    /// SW_N: every this many episodes a new architecture.
    pub switch_period: NonZeroU64,
    /// What proposes them.
    pub policy: PolicySettings,
    /// The calibration profile, link and protocol of the cost model: a text or an identifier.
    pub profile: String,
    /// The dataset with its validation split, and the training recipe: a text or an identifier.
    pub dataset: String,
}

/// A setting's name and value.
pub(super) type Row = (&'static str, String);

impl StudySettings {
    /// Checks what is not checked by its type.
    ///
    /// # Errors
    /// Those of [`Reward::check`] and [`ControllerSettings::check`].
    pub fn check(&self) -> Result<(), SearchError> {
        self.reward.check()?;
        match self.policy {
            PolicySettings::Controller(settings) => settings.check(),
            PolicySettings::Random => Ok(()),
        }
    }

    /// An untrained policy.
    pub(super) fn new_policy(&self) -> Result<Box<dyn Policy>, SearchError> {
        let decisions = self.space.decisions();
        let options: Vec<usize> = decisions.iter().map(|d| d.options.len()).collect();
        Ok(match self.policy {
            PolicySettings::Controller(settings) => {
                let mut rng = seed::policy_rng(self.seed);
                Box::new(Controller::new(settings, &options, &mut rng)?)
            }
            PolicySettings::Random => Box::new(RandomPolicy::new(&options)),
        })
    }

    /// Each setting as text.
    pub(super) fn rows(&self) -> Vec<Row> {
        let policy = match self.policy {
            PolicySettings::Controller(_) => "controller",
            PolicySettings::Random => "random",
        };
        let mut rows = vec![
            ("seed", self.seed.to_string()),
            ("space", self.space.to_toml()),
            ("beta", exact(self.reward.beta)),
            ("reference_seconds", exact(self.reward.reference.seconds)),
            ("reference_bytes", self.reward.reference.bytes.to_string()),
            ("switch_period", self.switch_period.to_string()),
            ("policy", policy.to_string()),
            ("profile", self.profile.clone()),
            ("dataset", self.dataset.clone()),
        ];
        if let PolicySettings::Controller(settings) = self.policy {
            rows.extend([
                ("hidden", settings.hidden.to_string()),
                ("learning_rate", exact(settings.learning_rate)),
                ("discount", exact(settings.discount)),
                ("baseline_decay", exact(settings.baseline_decay)),
                ("batch", settings.batch.to_string()),
            ]);
        }
        rows
    }

    /// The settings with these rows, or the name of the first that is missing or unreadable.
    pub(super) fn from_rows(rows: &BTreeMap<String, String>) -> Result<Self, &'static str> {
        let policy = match text(rows, "policy")? {
            "random" => PolicySettings::Random,
            "controller" => PolicySettings::Controller(ControllerSettings {
                hidden: read(rows, "hidden")?,
                learning_rate: read(rows, "learning_rate")?,
                discount: read(rows, "discount")?,
                baseline_decay: read(rows, "baseline_decay")?,
                batch: read(rows, "batch")?,
            }),
            _ => return Err("policy"),
        };
        let settings = Self {
            seed: read(rows, "seed")?,
            space: Space::from_toml(text(rows, "space")?).map_err(|_| "space")?,
            reward: Reward {
                beta: read(rows, "beta")?,
                reference: Cost {
                    seconds: read(rows, "reference_seconds")?,
                    bytes: read(rows, "reference_bytes")?,
                },
            },
            switch_period: read(rows, "switch_period")?,
            policy,
            profile: text(rows, "profile")?.to_string(),
            dataset: text(rows, "dataset")?.to_string(),
        };
        settings.check().map_err(|_| "reward or policy")?;
        Ok(settings)
    }
}

/// A number whose text reads back to the same bits.
fn exact(number: impl Debug) -> String {
    format!("{number:?}")
}

fn text<'a>(
    rows: &'a BTreeMap<String, String>,
    name: &'static str,
) -> Result<&'a str, &'static str> {
    rows.get(name).map(String::as_str).ok_or(name)
}

fn read<T: FromStr>(
    rows: &BTreeMap<String, String>,
    name: &'static str,
) -> Result<T, &'static str> {
    text(rows, name)?.parse().map_err(|_| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(seed: u64, beta: f64, seconds: f64, policy: PolicySettings) -> StudySettings {
        StudySettings {
            seed,
            space: Space::open("nass-fashion").unwrap(),
            reward: Reward {
                beta,
                reference: Cost { seconds, bytes: 7 },
            },
            switch_period: NonZeroU64::MIN,
            policy,
            profile: "# machine: a\nop,n\n".into(),
            dataset: "synthetic".into(),
        }
    }

    fn stored(settings: &StudySettings) -> BTreeMap<String, String> {
        let rows = settings.rows();
        rows.into_iter().map(|(k, v)| (k.to_string(), v)).collect()
    }

    proptest! {
        #[test]
        fn settings_read_back_to_the_bit(
            seed: u64,
            beta in 0.0..=1.0f64,
            seconds in 1e-300..1e300f64,
            discount in 0.0..=1.0f64,
        ) {
            let policy = ControllerSettings { discount, ..ControllerSettings::default() };
            for policy in [PolicySettings::Controller(policy), PolicySettings::Random] {
                let settings = settings(seed, beta, seconds, policy);
                prop_assert_eq!(StudySettings::from_rows(&stored(&settings)), Ok(settings));
            }
        }
    }

    #[test]
    fn a_missing_or_unreadable_row_is_named() {
        let policy = PolicySettings::Controller(ControllerSettings::default());
        let good = stored(&settings(1, 0.5, 1.0, policy));
        for name in good.keys() {
            let mut missing = good.clone();
            missing.remove(name);
            assert_eq!(StudySettings::from_rows(&missing).unwrap_err(), name);
        }
        for name in ["seed", "space", "switch_period", "policy", "batch"] {
            let mut damaged = good.clone();
            damaged.insert(name.into(), "0.".into());
            assert_eq!(StudySettings::from_rows(&damaged).unwrap_err(), name);
        }
    }
}
