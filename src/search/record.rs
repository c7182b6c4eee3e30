//! What a study has found, as plain data: for reports, exports, and the study itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::episode::Episode;
use super::error::SearchError;
use super::pareto::pareto_front;
use super::settings::StudySettings;
use super::store::Store;
use super::weights_files;
use crate::network::NetworkParams;

/// What a study has found so far: plain data for reports and exports.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyRecord {
    /// The study's folder.
    pub folder: PathBuf,
    /// Its settings.
    pub settings: StudySettings,
    /// Its episodes, in order.
    pub episodes: Vec<Episode>,
    /// Hash of the weights file of each trained architecture.
    pub weights: BTreeMap<String, String>,
}

/// A network with the weights that were trained for its architecture.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedNetwork {
    /// The network, named `<space>-episode-<number>`.
    pub network: NetworkParams,
    /// Weights, as the accuracy model wrote them.
    pub weights: Vec<u8>,
}

impl StudyRecord {
    /// Reads a study, also while a process is at work on it.
    ///
    /// # Errors
    /// [`SearchError::NoStudy`], or what is wrong with the database.
    pub fn read(folder: &Path) -> Result<Self, SearchError> {
        let store = Store::open(&database(folder))?;
        let mut store = store.ok_or_else(|| SearchError::NoStudy(folder.into()))?;
        Self::from_store(folder, &mut store)
    }

    pub(super) fn from_store(folder: &Path, store: &mut Store) -> Result<Self, SearchError> {
        let rows = store.settings()?;
        let settings = StudySettings::from_rows(&rows)
            .map_err(|name| store.damaged(format!("setting {name} can't be read")))?;
        // In this order: a process at work records weights before their episode.
        let episodes = store.episodes()?;
        let weights = store.weights()?;
        Ok(Self {
            folder: folder.into(),
            settings,
            episodes,
            weights: weights
                .into_iter()
                .map(|w| (w.architecture, w.blake3))
                .collect(),
        })
    }

    /// The episode with the greatest reward, the first of equals; none while no network can be run.
    pub fn best(&self) -> Option<&Episode> {
        let scored = self.episodes.iter().filter(|e| e.scores().is_some());
        scored.reduce(|best, e| if e.reward > best.reward { e } else { best })
    }

    /// The Pareto front of accuracy against seconds and bytes, best accuracy first.
    pub fn front(&self) -> Vec<&Episode> {
        let indices = pareto_front(&self.episodes);
        indices.iter().map(|&index| &self.episodes[index]).collect()
    }

    /// The network of an episode, with its weights.
    ///
    /// # Errors
    /// [`SearchError::NoNetwork`] without such an episode or weights, [`SearchError::File`] and
    /// [`SearchError::WeightsDamaged`] for a weights file that is not the recorded one.
    pub fn export(&self, episode: u64) -> Result<TrainedNetwork, SearchError> {
        let found = self.episodes.iter().find(|e| e.episode == episode);
        let found = found.ok_or(SearchError::NoNetwork(episode))?;
        let recorded = self.weights.get(&found.architecture);
        let recorded = recorded.ok_or(SearchError::NoNetwork(episode))?;
        let (mut network, _) = NetworkParams::from_toml(&found.network)?;
        network.name = format!("{}-episode-{episode}", network.name);
        Ok(TrainedNetwork {
            network,
            weights: weights_files::read(&self.folder, &found.architecture, recorded)?,
        })
    }
}

/// The database of the study in this folder.
pub(super) fn database(folder: &Path) -> PathBuf {
    folder.join("study.sqlite")
}
