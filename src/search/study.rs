//! A study: a folder with everything that a search has found, from which it can go on at any time.
//!
//! ```text
//! study.sqlite     settings, episodes, records of weights, the policy's state
//! study.lock       held by the process that is at work
//! weights/*.bin    trained weights, one file an architecture
//! ```
//!
//! What always holds: killed at any moment, a study loses at most the running episode, and run on, it
//! ends with the episodes, weights and policy state of an unbroken run with the same seed (given
//! models that repeat themselves). Everything an episode depends on is its seed, the episodes before
//! it and the policy's state; the last two change in one transaction. Weights are recorded as soon as
//! they are trained, with the episode, so an architecture is trained once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::episode::{Episode, Outcome, Trained};
use super::error::SearchError;
use super::folder_lock::FolderLock;
use super::models::{AccuracyModel, Cost, CostError, CostModel};
use super::policy::{Freedom, Policy};
use super::record::{StudyRecord, database};
use super::seed;
use super::settings::StudySettings;
use super::space::DecisionKind;
use super::store::{PolicyRecord, Store, WeightsRecord};
use super::switch::Switch;
use super::weights_files;
use crate::network::{LayerKind, NetworkParams, Quantizer};

/// A study at work; no other process can work on it meanwhile.
pub struct Study {
    record: StudyRecord,
    policy: Box<dyn Policy>,
    /// The policy's state after the last recorded episode.
    state: Vec<u8>,
    /// Episode in which each architecture was trained.
    trained_in: BTreeMap<String, u64>,
    store: Store,
    _lock: FolderLock,
}

impl Study {
    /// A new study in this folder, which is made if it isn't there.
    ///
    /// # Errors
    /// [`SearchError::StudyExists`], [`SearchError::StudyBusy`], settings out of range, or what the
    /// file system refuses.
    pub fn create(folder: &Path, settings: &StudySettings) -> Result<Self, SearchError> {
        settings.check()?;
        let policy = settings.new_policy()?;
        fs::create_dir_all(folder).map_err(|error| file(folder, error))?;
        let lock = FolderLock::take(folder)?;
        let path = database(folder);
        if Store::open(&path)?.is_some() {
            return Err(SearchError::StudyExists(folder.into()));
        }
        let store = Store::create(&path, &settings.rows(), &policy.state())?;
        Self::start(folder, store, lock)
    }

    /// The study in this folder, to go on where it stopped.
    ///
    /// # Errors
    /// [`SearchError::NoStudy`], [`SearchError::StudyBusy`], or what is wrong with the database.
    pub fn open(folder: &Path) -> Result<Self, SearchError> {
        let path = database(folder);
        if !path.exists() {
            return Err(SearchError::NoStudy(folder.into()));
        }
        let lock = FolderLock::take(folder)?;
        let store = Store::open(&path)?;
        let store = store.ok_or_else(|| SearchError::NoStudy(folder.into()))?;
        Self::start(folder, store, lock)
    }

    /// [`Study::open`] for a caller that has settings of its own, which must be those of the study.
    ///
    /// # Errors
    /// [`SearchError::SettingsDiffer`] names the first setting that differs; and those of
    /// [`Study::open`].
    pub fn open_with(folder: &Path, settings: &StudySettings) -> Result<Self, SearchError> {
        let study = Self::open(folder)?;
        let stored: BTreeMap<_, _> = study.record.settings.rows().into_iter().collect();
        for (setting, asked) in settings.rows() {
            let stored = stored.get(setting).cloned().unwrap_or_default();
            if stored != asked {
                return Err(SearchError::SettingsDiffer {
                    path: folder.into(),
                    setting,
                    stored,
                    asked,
                });
            }
        }
        Ok(study)
    }

    fn start(folder: &Path, mut store: Store, lock: FolderLock) -> Result<Self, SearchError> {
        let record = StudyRecord::from_store(folder, &mut store)?;
        let mut policy = record.settings.new_policy()?;
        let PolicyRecord { episodes, state } = store.policy()?;
        if episodes != record.episodes.len() as u64 {
            let what = format!(
                "{} episodes and a policy that has learned from {episodes}",
                record.episodes.len()
            );
            return Err(store.damaged(what));
        }
        policy.restore(&state)?;
        let decisions = record.settings.space.decisions();
        let fits = |choices: &[usize]| {
            let mut pairs = decisions.iter().zip(choices);
            choices.len() == decisions.len() && pairs.all(|(d, &c)| c < d.options.len())
        };
        if !record.episodes.iter().all(|e| fits(&e.decisions)) {
            return Err(store.damaged("an episode's decisions are not those of its space".into()));
        }
        let trained = store.weights()?;
        Ok(Self {
            record,
            policy,
            state,
            trained_in: trained
                .into_iter()
                .map(|w| (w.architecture, w.episode))
                .collect(),
            store,
            _lock: lock,
        })
    }

    /// What it has found so far.
    pub const fn record(&self) -> &StudyRecord {
        &self.record
    }

    /// The policy's state after the last episode.
    pub fn policy_state(&self) -> &[u8] {
        &self.state
    }

    /// Runs and records one episode.
    ///
    /// # Errors
    /// [`SearchError::Model`], [`SearchError::Accuracy`] and [`SearchError::Cost`] for a model that
    /// fails or answers nonsense, or what file system and database refuse. The study then stands where
    /// it stood before.
    pub fn step(
        &mut self,
        costs: &dyn CostModel,
        accuracies: &mut dyn AccuracyModel,
    ) -> Result<&Episode, SearchError> {
        let settings = &self.record.settings;
        let number = self.record.episodes.len() as u64;
        let seed = seed::of_episode(settings.seed, number);
        let switch = Switch::at(number, settings.switch_period);
        let freedom = self.freedom(switch);
        let decisions = self.policy.sample(&freedom, &mut seed::sampling_rng(seed));
        let network = settings.space.decode(&decisions)?;
        let architecture = architecture_hash(&network)?;
        let mut episode = Episode {
            episode: number,
            seed,
            switch,
            decisions,
            architecture,
            network: network.to_toml()?,
            trained: Trained::No,
            outcome: Outcome::Infeasible(String::new()),
            reward: 0.0,
        };
        self.evaluate(&mut episode, &network, costs, accuracies)?;
        if let Some((accuracy, cost)) = episode.scores() {
            episode.reward = self.record.settings.reward.of(accuracy, cost);
        }
        self.policy
            .learn(&episode.decisions, &freedom, episode.reward);
        let state = self.policy.state();
        if let Err(error) = self.store.record_episode(&episode, &state) {
            self.policy.restore(&self.state)?;
            return Err(error);
        }
        self.state = state;
        self.record.episodes.push(episode);
        let last = self.record.episodes.last();
        last.ok_or(SearchError::NoNetwork(number))
    }

    /// What may move: everything, or only quantizers.
    fn freedom(&self, switch: Switch) -> Vec<Freedom> {
        let decisions = self.record.settings.space.decisions();
        let last = match switch {
            Switch::Architecture => None,
            Switch::Quantizers => self.record.episodes.last(),
        };
        let Some(last) = last else {
            return vec![Freedom::Free; decisions.len()];
        };
        let pairs = decisions.iter().zip(&last.decisions);
        pairs
            .map(|(decision, &option)| match decision.kind {
                DecisionKind::Architecture => Freedom::Frozen(option),
                DecisionKind::Quantizer => Freedom::Free,
            })
            .collect()
    }

    /// Fills in outcome and origin of the weights; a network that the study has evaluated before is
    /// not evaluated again.
    fn evaluate(
        &mut self,
        episode: &mut Episode,
        network: &NetworkParams,
        costs: &dyn CostModel,
        accuracies: &mut dyn AccuracyModel,
    ) -> Result<(), SearchError> {
        let mut before = self.record.episodes.iter();
        if let Some(same) = before.find(|e| e.decisions == episode.decisions) {
            episode.outcome = same.outcome.clone();
            episode.trained = match same.outcome {
                Outcome::Scored { .. } => Trained::Before,
                Outcome::Infeasible(_) => Trained::No,
            };
            return Ok(());
        }
        let number = episode.episode;
        let model = |error| SearchError::Model {
            episode: number,
            error,
        };
        let cost = match costs.cost(network) {
            Ok(cost) => checked_cost(number, cost)?,
            Err(CostError::Infeasible(reason)) => {
                episode.outcome = Outcome::Infeasible(reason);
                return Ok(());
            }
            Err(CostError::Failed(error)) => return Err(model(error)),
        };
        let weights = self.weights(episode, network, accuracies)?;
        let accuracy = accuracies
            .quantized_accuracy(network, &weights)
            .map_err(model)?;
        if !(0.0..=1.0).contains(&accuracy) {
            return Err(SearchError::Accuracy {
                episode: number,
                accuracy,
            });
        }
        episode.outcome = Outcome::Scored { accuracy, cost };
        Ok(())
    }

    /// The architecture's weights, trained now if they never were.
    fn weights(
        &mut self,
        episode: &mut Episode,
        network: &NetworkParams,
        accuracies: &mut dyn AccuracyModel,
    ) -> Result<Vec<u8>, SearchError> {
        let folder = &self.record.folder;
        let (number, architecture) = (episode.episode, &episode.architecture);
        if let Some(blake3) = self.record.weights.get(architecture) {
            // A killed run may have trained them for this very episode.
            let here = self.trained_in.get(architecture) == Some(&number);
            episode.trained = if here { Trained::Here } else { Trained::Before };
            return weights_files::read(folder, architecture, blake3);
        }
        let trained = accuracies.train(network, episode.seed);
        let weights = trained.map_err(|error| SearchError::Model {
            episode: number,
            error,
        })?;
        let record = WeightsRecord {
            architecture: architecture.clone(),
            episode: number,
            blake3: weights_files::write(folder, architecture, &weights)?,
        };
        self.store.record_weights(&record)?;
        self.trained_in.insert(architecture.clone(), number);
        self.record
            .weights
            .insert(record.architecture, record.blake3);
        episode.trained = Trained::Here;
        Ok(weights)
    }
}

/// Hash of everything but quantizers and name, in hexadecimal.
fn architecture_hash(network: &NetworkParams) -> Result<String, SearchError> {
    let same = Quantizer {
        input_bits: 8,
        weight_bits: 8,
    };
    let mut bare = network.clone();
    bare.name = "architecture".into();
    for layer in &mut bare.layers {
        match &mut layer.kind {
            LayerKind::Conv(conv) => conv.quantizer = same,
            LayerKind::Fc(fc) => fc.quantizer = same,
            LayerKind::Square { input_bits } => *input_bits = same.input_bits,
            LayerKind::Relu
            | LayerKind::AvgPool(_)
            | LayerKind::MaxPool(_)
            | LayerKind::Clip { .. }
            | LayerKind::Flatten
            | LayerKind::Add
            | LayerKind::Argmax => {}
        }
    }
    let text = bare.to_toml()?;
    Ok(blake3::hash(text.as_bytes()).to_hex().to_string())
}

/// A cost that can be scored and stored.
fn checked_cost(episode: u64, cost: Cost) -> Result<Cost, SearchError> {
    let Cost { seconds, bytes } = cost;
    if !(seconds.is_finite() && seconds >= 0.0) || i64::try_from(bytes).is_err() {
        return Err(SearchError::Cost {
            episode,
            seconds,
            bytes,
        });
    }
    Ok(cost)
}

fn file(path: &Path, error: std::io::Error) -> SearchError {
    SearchError::File {
        path: path.into(),
        error,
    }
}

#[cfg(test)]
mod tests;
