//! What can go wrong in a search.

use std::io;
use std::path::PathBuf;

use super::models::ModelError;
use super::space::SpaceError;

/// An error of the search room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// A search space can't be used.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// β is no weight.
    #[error("beta: expected a number from 0 to 1, found {beta}")]
    Beta {
        /// The value given.
        beta: f64,
    },
    /// The reference cost can't be divided by.
    #[error(
        "reference: expected positive seconds and bytes, found {seconds} seconds and {bytes} bytes"
    )]
    Reference {
        /// Seconds given.
        seconds: f64,
        /// Bytes given.
        bytes: u64,
    },
    /// A setting of the controller is out of range.
    #[error("controller.{field}: expected {expected}, found {found}")]
    Controller {
        /// Its name.
        field: &'static str,
        /// What may stand there.
        expected: &'static str,
        /// What stands there.
        found: f64,
    },
    /// A stored policy state doesn't belong to this policy and space.
    #[error("the stored state of the policy has {found} bytes where {expected} are due")]
    PolicyState {
        /// Bytes that this policy writes.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// A model failed.
    #[error("episode {episode}: {error}")]
    Model {
        /// The running episode.
        episode: u64,
        /// What the model said.
        error: ModelError,
    },
    /// A model's accuracy is none.
    #[error("episode {episode}: expected an accuracy from 0 to 1, found {accuracy}")]
    Accuracy {
        /// The running episode.
        episode: u64,
        /// What the model said.
        accuracy: f64,
    },
    /// A model's cost is none.
    #[error(
        "episode {episode}: expected seconds ≥ 0 and bytes < 2^63, \
         found {seconds} seconds and {bytes} bytes"
    )]
    Cost {
        /// The running episode.
        episode: u64,
        /// Seconds the model said.
        seconds: f64,
        /// Bytes the model said.
        bytes: u64,
    },
    /// There is a study already.
    #[error("{}: there is a study in this folder already; resume it or choose another", .0.display())]
    StudyExists(PathBuf),
    /// There is no study.
    #[error("{}: there is no study in this folder", .0.display())]
    NoStudy(PathBuf),
    /// Someone else is at work on the study.
    #[error("{}: another process is at work on this study", .0.display())]
    StudyBusy(PathBuf),
    /// The study was made by a version that writes it differently.
    #[error("{}: a study of format {found}, this version reads format {expected}", .path.display())]
    StudyFormat {
        /// The study's database.
        path: PathBuf,
        /// The format read and written here.
        expected: i64,
        /// The format found.
        found: i64,
    },
    /// The study was made with other settings.
    #[error("{}: the study has {setting} = {stored}, asked for {asked}", .path.display())]
    SettingsDiffer {
        /// The study's folder.
        path: PathBuf,
        /// The first setting that differs.
        setting: &'static str,
        /// Its stored value.
        stored: String,
        /// The value asked for.
        asked: String,
    },
    /// The database holds what no study writes.
    #[error("{}: damaged study: {what}", .path.display())]
    StudyDamaged {
        /// The study's database.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A weights file isn't what the study recorded.
    #[error("{}: not the weights that the study recorded", .0.display())]
    WeightsDamaged(PathBuf),
    /// There is no such episode, or it has no weights.
    #[error("episode {0} has no trained network")]
    NoNetwork(u64),
    /// A network can't be written or checked.
    #[error(transparent)]
    Network(#[from] crate::network::NetworkError),
    /// A file can't be read or written.
    #[error("{}: {error}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The database refused.
    #[error("{}: {error}", .path.display())]
    Database {
        /// The study's database.
        path: PathBuf,
        /// What the database said.
        error: Box<sqlx::Error>,
    },
}
