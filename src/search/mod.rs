//! The search: which networks are worth their cost in private inference (NASS, Bian et al. 2020).
//!
//! A [`Space`] says what may be built; a [`Policy`] (the LSTM [`Controller`], or the random yardstick)
//! draws a network from it; a [`CostModel`] and an [`AccuracyModel`] score it; the [`Reward`] goes back
//! to the policy. [`Study`] keeps every [`Episode`] on disk so that a search can be stopped at any
//! moment; [`Runner`] is the loop. [`StudyRecord`] gives the best network and the Pareto front.
//!
//! The room knows nothing of cryptography or training: it sees both through the two models.
//!
//! ```
//! use nass::search::{Decision, DecisionKind, Space};
//!
//! let space = Space::open("small")?;
//! let decisions = space.decisions();
//! let bits = |d: &&Decision| d.kind == DecisionKind::Quantizer;
//! assert_eq!((decisions.len(), decisions.iter().filter(bits).count()), (12, 6));
//! let network = space.decode(&[0; 12])?;
//! assert_eq!(network.layers.len(), 8);
//! # Ok::<(), nass::search::SpaceError>(())
//! ```

mod controller;
mod episode;
mod error;
#[cfg(test)]
mod fake_models;
mod folder_lock;
mod lstm;
mod models;
mod pareto;
mod policy;
mod record;
mod reward;
mod runner;
mod seed;
mod settings;
mod space;
mod space_text;
mod store;
mod study;
mod switch;
mod weights_files;

pub use controller::{Controller, ControllerSettings};
pub use episode::{Episode, Outcome, Trained};
pub use error::SearchError;
pub use models::{AccuracyModel, Cost, CostError, CostModel, ModelError};
pub use pareto::pareto_front;
pub use policy::{Freedom, Policy, RandomPolicy};
pub use record::{StudyRecord, TrainedNetwork};
pub use reward::Reward;
pub use runner::{Limits, Observer, RunReport, Runner, StopReason};
pub use settings::{PolicySettings, StudySettings};
pub use space::{ConvChoices, Decision, DecisionKind, HeadChoices, PoolChoice, Space, SpaceError};
pub use study::Study;
pub use switch::Switch;
