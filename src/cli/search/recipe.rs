//! What a study keeps as text about its models: how networks are priced, how they are trained.
//!
//! Both texts are JSON and are what the models are built from, in a new study as in a resumed one,
//! so that both see the same numbers. The dataset is known by a hash of its images and labels: it
//! may lie elsewhere when the study goes on.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cli::error::Failure;
use crate::params::Request;
use crate::protocol::Link;
use crate::search::StudySettings;
use crate::train::{Dataset, Split, TrainSettings};

/// How networks are priced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pricing {
    /// Name of the profile.
    pub(super) calibration: String,
    /// What the reference is.
    pub(super) reference: String,
    /// The link.
    pub(super) link: Link,
    /// What is asked of the parameters.
    pub(super) request: Request,
    /// The profile itself.
    pub(super) profile: String,
}

/// How networks are trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// The dataset as it was asked for.
    pub(super) dataset: String,
    /// Hash of its images and labels.
    pub(super) digest: String,
    /// Chooses the images held back for validation.
    pub(super) split_seed: u64,
    /// The training.
    pub(super) training: TrainSettings,
    /// Threads of libtorch.
    pub(super) threads: usize,
    /// Episodes that the study was begun for.
    pub(super) episodes: u64,
}

/// A part of the settings as the study keeps it.
pub(super) fn text(part: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(part).map_err(Failure::job)
}

/// A part of the settings from its text; `what` names it.
pub(super) fn read<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::unusable(format_args!("the study's {what}: {error}")))
}

/// Both parts of a study's settings.
pub(super) fn parts(settings: &StudySettings) -> Result<(Pricing, Recipe), Failure> {
    let pricing = read(&settings.profile, "profile")?;
    Ok((pricing, read(&settings.dataset, "dataset")?))
}

/// Hash of a dataset's images and labels, part by part.
pub(super) fn digest(dataset: &Dataset) -> String {
    let mut hasher = blake3::Hasher::new();
    for split in [Split::Train, Split::Validation, Split::Test] {
        let images = dataset.images(split);
        hasher.update(&(images.len() as u64).to_le_bytes());
        hasher.update(format!("{}", images.shape()).as_bytes());
        for index in 0..images.len() {
            hasher.update(images.image(index));
        }
        hasher.update(images.labels());
    }
    hasher.finalize().to_hex().to_string()
}
