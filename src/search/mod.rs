//! search
mod controller;
mod episode;
mod error;
mod lstm;
mod models;
mod pareto;
mod policy;
mod reward;
mod space;
mod space_text;
mod switch;

pub use controller::{Controller, ControllerSettings};
pub use episode::{Episode, Outcome, Trained};
pub use error::SearchError;
pub use models::{AccuracyModel, Cost, CostError, CostModel, ModelError};
pub use pareto::pareto_front;
pub use policy::{Freedom, Policy, RandomPolicy};
pub use reward::Reward;
pub use space::{ConvChoices, Decision, DecisionKind, HeadChoices, PoolChoice, Space, SpaceError};
pub use switch::Switch;
