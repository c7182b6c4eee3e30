//! How well many layers were predicted: the relative errors of their seconds, summed up by kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outcome::VerifiedLayer;

/// Layers that are predicted to take less, in the seconds they are judged by, are left out: chance decides them.
pub const LEAST_SECONDS: f64 = 2e-3;

/// The errors of some layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many.
    pub layers: usize,
    /// Mean of the errors without their signs.
    pub mean_absolute_error: f64,
    /// The largest error, with its sign.
    pub worst: f64,
    /// Share of the layers within 5 %.
    pub within_5: f64,
    /// Share of the layers within 10 %.
    pub within_10: f64,
}

impl Summary {
    /// Of these errors.
    pub fn of(errors: &[f64]) -> Self {
        let count = errors.len().max(1) as f64;
        let share = |limit: f64| {
            let within = errors.iter().filter(|error| error.abs() <= limit);
            within.count() as f64 / count
        };
        let worst = errors.iter().copied();
        Self {
            layers: errors.len(),
            mean_absolute_error: errors.iter().map(|error| error.abs()).sum::<f64>() / count,
            worst: worst
                .max_by(|a, b| a.abs().total_cmp(&b.abs()))
                .unwrap_or(0.0),
            within_5: share(0.05),
            within_10: share(0.10),
        }
    }
}

/// The layers that are predicted to take [`LEAST_SECONDS`] or more, all of them and by kind: as they were measured, and of
/// an undisturbed processor.
pub fn both_summaries(layers: &[VerifiedLayer]) -> [BTreeMap<String, Summary>; 2] {
    let as_it_was = summaries(layers, |layer| Some(layer.error.seconds));
    [
        as_it_was,
        summaries(layers, |layer| layer.undisturbed.map(|own| own.error)),
    ]
}

fn summaries(
    layers: &[VerifiedLayer],
    error: impl Fn(&VerifiedLayer) -> Option<f64>,
) -> BTreeMap<String, Summary> {
    let mut errors: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for layer in layers {
        if layer.judged.predicted >= LEAST_SECONDS
            && let Some(error) = error(layer)
        {
            for name in [&layer.predicted.kind, "all"] {
                let of_name = errors.entry(name.to_owned()).or_default();
                of_name.push(error);
            }
        }
    }
    let summed = errors
        .into_iter()
        .map(|(name, errors)| (name, Summary::of(&errors)));
    summed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_summed_up() {
        let summary = Summary::of(&[0.04, -0.08, 0.0, -0.2]);
        assert_eq!(summary.layers, 4);
        assert!((summary.mean_absolute_error - 0.08).abs() < 1e-12);
        assert_eq!(
            (summary.worst, summary.within_5, summary.within_10),
            (-0.2, 0.5, 0.75)
        );
        assert_eq!(Summary::of(&[]), Summary::default());
    }
}
