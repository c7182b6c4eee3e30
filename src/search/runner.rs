//! The search loop as a value: limits go in, one [`Episode`] comes out an iteration, and when it ends
//! it says why (after egg's `Runner`, Willsey et al. 2021).
//!
//! The rules are the same for every policy. Limits look at the whole study, not at this run, so that a
//! stopped and resumed search ends where an unbroken one does.

use std::ops::ControlFlow;

use super::episode::Episode;
use super::error::SearchError;
use super::models::{AccuracyModel, CostModel};
use super::study::Study;

/// When a search ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Episodes of the study, those of earlier runs included.
    pub episodes: u64,
    /// Episodes without a better reward after which nothing more is expected.
    pub without_improvement: Option<u64>,
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The study has its episodes.
    Episodes,
    /// No better reward for so long as the limit says.
    NoImprovement,
    /// The observer asked for it.
    Observer,
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunReport {
    /// Why it ended.
    pub stop: StopReason,
    /// Episodes that it ran.
    pub ran: u64,
}

/// Sees each episode after it is recorded, with the best one so far; may end the search.
pub type Observer<'a> = dyn FnMut(&Episode, &Episode) -> ControlFlow<()> + 'a;

/// Runs a study's episodes until a limit is met.
pub struct Runner<'a> {
    limits: Limits,
    costs: &'a dyn CostModel,
    accuracies: &'a mut dyn AccuracyModel,
    observer: Option<Box<Observer<'a>>>,
}

impl<'a> Runner<'a> {
    /// A runner with these limits that asks these models.
    pub fn new(
        limits: Limits,
        costs: &'a dyn CostModel,
        accuracies: &'a mut dyn AccuracyModel,
    ) -> Self {
        Self {
            limits,
            costs,
            accuracies,
            observer: None,
        }
    }

    /// Calls `observer` after each episode.
    #[must_use]
    pub fn with_observer(
        mut self,
        observer: impl FnMut(&Episode, &Episode) -> ControlFlow<()> + 'a,
    ) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Runs the study on until a limit is met.
    ///
    /// # Errors
    /// Those of [`Study::step`]; the episodes before stay recorded.
    pub fn run(&mut self, study: &mut Study) -> Result<RunReport, SearchError> {
        let mut ran = 0;
        let episodes = &study.record().episodes;
        let mut best = episodes.iter().fold(None, better).cloned();
        loop {
            let done = study.record().episodes.len() as u64;
            if let Some(stop) = self.limit(done, best.as_ref()) {
                return Ok(RunReport { stop, ran });
            }
            let episode = study.step(self.costs, self.accuracies)?;
            ran += 1;
            let leader = better(best.as_ref(), episode).unwrap_or(episode).clone();
            let flow = match &mut self.observer {
                Some(observer) => observer(episode, &leader),
                None => ControlFlow::Continue(()),
            };
            best = Some(leader);
            if flow.is_break() {
                let stop = StopReason::Observer;
                return Ok(RunReport { stop, ran });
            }
        }
    }

    /// The limit that a study with so many episodes and this best one has met.
    fn limit(&self, done: u64, best: Option<&Episode>) -> Option<StopReason> {
        if done >= self.limits.episodes {
            return Some(StopReason::Episodes);
        }
        let (patience, best) = (self.limits.without_improvement?, best?);
        (done - 1 - best.episode >= patience).then_some(StopReason::NoImprovement)
    }
}

/// The better of two episodes by reward, the first of equals.
fn better<'e>(best: Option<&'e Episode>, episode: &'e Episode) -> Option<&'e Episode> {
    best.filter(|best| best.reward >= episode.reward)
        .or(Some(episode))
}

#[cfg(test)]
mod tests;
