//! What a search is run with: each setting as it was asked for, else the study's, else the default.
//!
//! A setting that was asked for and is not the one of the resumed study is refused by its name.

use std::fmt::Display;
use std::num::NonZeroU64;
use std::path::Path;

use anyhow::Context as _;
use rand::RngExt;

use super::recipe::{Pricing, Recipe, digest, parts, text};
use super::{Args, PolicyName, Scoring, reference};
use crate::calibrate::Profile;
use crate::cli::error::Failure;
use crate::cli::globals::Globals;
use crate::cli::{calibration, setting};
use crate::params::Request;
use crate::predict::PriceList;
use crate::protocol::Link;
use crate::search::{
    ControllerSettings, Cost, PolicySettings, Reward, SearchError, Space, StudyRecord,
    StudySettings,
};
use crate::train::{Dataset, DatasetSource, SyntheticSettings, TrainSettings};

const EPISODES: u64 = 20;
const SWITCH_PERIOD: NonZeroU64 = NonZeroU64::MIN.saturating_add(3);
const BETA: f64 = 0.5;
/// The same images are held back in every study, so that studies can be compared.
const SPLIT_SEED: u64 = 0;
/// The dataset that the program draws.
const SYNTHETIC: &str = "synthetic";

/// All settings of a search, and what they name.
pub(super) struct Settled {
    pub(super) settings: StudySettings,
    pub(super) pricing: Pricing,
    pub(super) recipe: Recipe,
    pub(super) dataset: Dataset,
    /// Episodes of the whole study.
    pub(super) episodes: u64,
}

/// The resumed study, if there is one.
struct Stored {
    folder: String,
    settings: StudySettings,
    pricing: Pricing,
    recipe: Recipe,
}

/// What is asked for beside what the study has.
struct Settle {
    stored: Option<Stored>,
}

impl Settled {
    /// Settles what was typed; the dataset is read and held against the space.
    pub(super) fn of(args: &Args, globals: &Globals) -> Result<Self, Failure> {
        let settle = Settle::new(args)?;
        let stored = settle.stored.as_ref();
        let space = args.space.as_deref().map(Space::open).transpose();
        let space = space.context("--space").map_err(Failure::Input)?;
        let kept = stored.map(|s| s.settings.space.clone());
        let space = settle.one("--space", (space, kept), |space| space.name().to_owned())?;
        let space = required(space, "--space")?;
        let (dataset, recipe) = settle.recipe(args, &space, globals)?;
        let pricing = settle.pricing(&args.scoring, globals)?;
        let beta = settle.value("--beta", args.scoring.beta, |s| s.settings.reward.beta)?;
        let seed = settle.value("--seed", globals.seed, |s| s.settings.seed)?;
        let period = args.training.sw_n;
        let period = settle.value("--sw-n", period, |s| s.settings.switch_period)?;
        let policy = settle.policy(args.training.policy)?;
        let (pricing, reference) = settle.reference(pricing, (&args.scoring, &space), globals)?;
        let settings = StudySettings {
            seed: match seed {
                Some(seed) => seed,
                None => globals.rng()?.random(),
            },
            space,
            reward: Reward {
                beta: beta.unwrap_or(BETA),
                reference,
            },
            switch_period: period.unwrap_or(SWITCH_PERIOD),
            policy,
            profile: text(&pricing)?,
            dataset: text(&recipe)?,
        };
        let (pricing, recipe) = parts(&settings)?;
        Ok(Self {
            settings,
            pricing,
            episodes: args.episodes.map_or(recipe.episodes, NonZeroU64::get),
            recipe,
            dataset,
        })
    }
}

impl Settle {
    fn new(args: &Args) -> Result<Self, Failure> {
        let stored = match (StudyRecord::read(&args.study), args.resume) {
            (Ok(record), true) => {
                let (pricing, recipe) =
                    parts(&record.settings).map_err(|failure| named(&args.study, &failure))?;
                Some(Stored {
                    folder: args.study.display().to_string(),
                    settings: record.settings,
                    pricing,
                    recipe,
                })
            }
            (Err(SearchError::NoStudy(_)), false) => None,
            (Ok(_), false) => {
                return Err(Failure::input(SearchError::StudyExists(args.study.clone())));
            }
            (Err(error), _) => return Err(Failure::input(error)),
        };
        Ok(Self { stored })
    }

    /// A setting that shows itself.
    fn value<T: PartialEq + Display>(
        &self,
        name: &str,
        asked: Option<T>,
        kept: impl Fn(&Stored) -> T,
    ) -> Result<Option<T>, Failure> {
        let kept = self.stored.as_ref().map(kept);
        self.one(name, (asked, kept), ToString::to_string)
    }

    /// A setting: the study's where there is a study, else what was asked for.
    fn one<T: PartialEq>(
        &self,
        name: &str,
        (asked, kept): (Option<T>, Option<T>),
        show: impl Fn(&T) -> String,
    ) -> Result<Option<T>, Failure> {
        match (asked, kept, &self.stored) {
            (Some(asked), Some(kept), Some(stored)) if asked != kept => {
                Err(Failure::unusable(format_args!(
                    "{}: the study has {name} {}, asked for {}; a resumed study keeps its settings",
                    stored.folder,
                    show(&kept),
                    show(&asked)
                )))
            }
            (_, Some(kept), _) => Ok(Some(kept)),
            (asked, None, _) => Ok(asked),
        }
    }

    /// The dataset, and how networks are trained on it.
    fn recipe(
        &self,
        args: &Args,
        space: &Space,
        globals: &Globals,
    ) -> Result<(Dataset, Recipe), Failure> {
        let kept = self.stored.as_ref().map(|s| s.recipe.clone());
        let usual = TrainSettings::default();
        let epochs = self.value("--epochs", args.training.epochs, |s| {
            s.recipe.training.epochs
        })?;
        let images = args.training.train_images.map(|count| Some(count.get()));
        let kept_images = kept.as_ref().map(|recipe| recipe.training.images);
        let images = self.one("--train-images", (images, kept_images), |count| {
            count.map_or_else(|| "all".to_owned(), |count| count.to_string())
        })?;
        let threads = globals.threads.map(|threads| threads.get());
        let threads = self.value("--threads", threads, |s| s.recipe.threads)?;
        let training = TrainSettings {
            epochs: epochs.unwrap_or(usual.epochs),
            images: images.unwrap_or(usual.images),
            ..kept.as_ref().map_or(usual, |r| r.training.clone())
        };
        training.check().map_err(Failure::input)?;
        let name = args.dataset.clone();
        let name = name.or_else(|| kept.as_ref().map(|recipe| recipe.dataset.clone()));
        let name = required(name, "--dataset")?;
        let split_seed = kept.as_ref().map_or(SPLIT_SEED, |recipe| recipe.split_seed);
        let dataset = load(&name, space, split_seed)?;
        let found = digest(&dataset);
        let short = |digest: &String| format!("of digest {}", &digest[..12.min(digest.len())]);
        let digest = self.one(
            "--dataset",
            (Some(found), kept.as_ref().map(|r| r.digest.clone())),
            short,
        )?;
        let fresh = Recipe {
            dataset: name,
            digest: digest.unwrap_or_default(),
            split_seed,
            training,
            threads: threads.unwrap_or_else(cores),
            episodes: args.episodes.map_or(EPISODES, NonZeroU64::get),
        };
        Ok((dataset, kept.unwrap_or(fresh)))
    }

    /// How networks are priced; the reference is still to be settled.
    fn pricing(&self, asked: &Scoring, globals: &Globals) -> Result<Pricing, Failure> {
        let kept = self.stored.as_ref().map(|s| s.pricing.clone());
        let file = asked.calibration.as_deref();
        let read = match (file, &kept) {
            (None, Some(_)) => None,
            _ => Some(calibration::load(file, globals)?),
        };
        let read = read.map(|read| (read.name, read.profile.to_csv()));
        let stored = kept
            .as_ref()
            .map(|p| (p.calibration.clone(), p.profile.clone()));
        // The same measurements under another name are the same calibration.
        let read = read.map(|(name, profile)| match &stored {
            Some(stored) if stored.1 == profile => stored.clone(),
            _ => (name, profile),
        });
        let chosen = self.one("--calibration", (read, stored), |(name, _)| name.clone())?;
        let (calibration, profile) = required(chosen, "--calibration")?;
        let typed = asked.link.as_deref();
        let link = typed.or(kept.is_none().then_some("loopback"));
        let link = link.map(|text| read_link(text, &profile)).transpose()?;
        let kept_link = kept.as_ref().map(|pricing| pricing.link);
        let link = self.one("--link", (link, kept_link), |link| {
            format!("mbit={},rtt_ms={}", link.mbit_per_s, link.rtt_ms)
        })?;
        Ok(Pricing {
            calibration,
            profile,
            link: required(link, "--link")?,
            request: kept.as_ref().map_or_else(Request::default, |p| p.request),
            reference: kept.map_or_else(String::new, |p| p.reference),
        })
    }

    fn policy(&self, asked: Option<PolicyName>) -> Result<PolicySettings, Failure> {
        let kept = self.stored.as_ref().map(|s| s.settings.policy);
        let name = |policy: &PolicySettings| match policy {
            PolicySettings::Controller(_) => PolicyName::Controller,
            PolicySettings::Random => PolicyName::Random,
        };
        let pair = (asked, kept.as_ref().map(name));
        let chosen = self.one("--policy", pair, |policy| {
            format!("{policy:?}").to_ascii_lowercase()
        })?;
        Ok(match (kept, chosen) {
            (Some(kept), _) => kept,
            (None, Some(PolicyName::Random)) => PolicySettings::Random,
            (None, _) => PolicySettings::Controller(ControllerSettings::default()),
        })
    }

    /// The cost that rewards are measured by, and what it is the cost of.
    fn reference(
        &self,
        pricing: Pricing,
        (asked, space): (&Scoring, &Space),
        globals: &Globals,
    ) -> Result<(Pricing, Cost), Failure> {
        let kept = self.stored.as_ref().map(|s| s.settings.reward.reference);
        let found = match (&asked.reference, kept) {
            (None, Some(_)) => None,
            (None, None) => {
                let cost = reference::of_space(space, &pricing)?;
                Some((reference::LARGEST.to_owned(), cost))
            }
            (Some(text), _) => Some((text.clone(), reference::of_text(text, &pricing, globals)?)),
        };
        let (name, cost) = found.map_or((None, None), |(name, cost)| (Some(name), Some(cost)));
        let cost = self.one("--reference", (cost, kept), |cost| {
            format!("seconds={},bytes={}", cost.seconds, cost.bytes)
        })?;
        let reference = match &self.stored {
            Some(stored) => stored.pricing.reference.clone(),
            None => name.unwrap_or_default(),
        };
        let cost = required(cost, "--reference")?;
        Ok((
            Pricing {
                reference,
                ..pricing
            },
            cost,
        ))
    }
}

/// A failure that concerns the study in this folder.
fn named(folder: &Path, failure: &Failure) -> Failure {
    Failure::unusable(format_args!("{}: {failure}", folder.display()))
}

/// What clap asks for unless a study is resumed, and a study always has.
fn required<T>(value: Option<T>, name: &str) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::unusable(format_args!("{name}: expected a value")))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Reads or draws the dataset and holds it against the space.
fn load(name: &str, space: &Space, split_seed: u64) -> Result<Dataset, Failure> {
    let source = match name {
        SYNTHETIC => DatasetSource::Synthetic(SyntheticSettings {
            shape: space.input(),
            ..SyntheticSettings::default()
        }),
        folder => DatasetSource::Folder(folder.into()),
    };
    let dataset = Dataset::load(&source, split_seed)
        .context("--dataset")
        .map_err(Failure::Input)?;
    if dataset.shape() != space.input() {
        return Err(Failure::unusable(format_args!(
            "--space {}: its networks read {}; expected {}, as the images of {name}",
            space.name(),
            space.input(),
            dataset.shape()
        )));
    }
    if dataset.classes != space.outputs() as usize {
        return Err(Failure::unusable(format_args!(
            "--space {}: its networks have {} outputs; expected {}, one a class of {name}",
            space.name(),
            space.outputs(),
            dataset.classes
        )));
    }
    Ok(dataset)
}

/// A link by its text; the loopback is this profile's.
fn read_link(text: &str, profile: &str) -> Result<Link, Failure> {
    let profile = Profile::from_csv(profile).map_err(Failure::input)?;
    setting::link(text, &PriceList::new(&profile))
}
