//! What a machine has shown at its best, which judges the samples taken on it.

use std::collections::BTreeMap;

use super::nearness::Near;
use super::pace::OwnPace;
use super::sampling::Sample;
use super::statistics::median_of_sorted;
use crate::units::Nanos;

/// Key of a profile's environment under which the pace of a processor of one's own stands.
const PACE: &str = "pace";
/// The pace that its times are of.
const USUAL: &str = "usual_pace";
/// And the round trip between near cores.
const NEAR: &str = "near";

/// What is known of a machine by its samples, as far as they were watched.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Known {
    /// The pace of a processor of one's own.
    pub pace: Option<OwnPace>,
    /// The pace that it had for the most part while it was not shared.
    pub usual: Option<Nanos>,
    /// The round trip between near cores.
    pub near: Option<Near>,
}

impl Known {
    /// What these samples show.
    pub fn among<'a>(samples: impl Iterator<Item = &'a Sample> + Clone) -> Self {
        let pace = OwnPace::among(samples.clone().filter_map(|sample| sample.pace));
        let usual = samples.clone().filter_map(|sample| sample.usual);
        Self {
            pace,
            usual: median(usual.filter(|&usual| pace.is_some_and(|own| own.undisturbed(usual)))),
            near: Near::among(samples.filter_map(|sample| sample.near)),
        }
    }

    /// What a profile's environment says.
    pub(super) fn read(environment: &BTreeMap<String, String>) -> Self {
        let of = |key| environment.get(key);
        Self {
            pace: of(PACE).and_then(|text| text.parse().ok()),
            usual: of(USUAL)
                .and_then(|text| text.parse().ok())
                .map(OwnPace::time),
            near: of(NEAR).and_then(|text| text.parse().ok()),
        }
    }

    /// Enters it in a profile's environment.
    pub(super) fn enter(self, environment: &mut BTreeMap<String, String>) {
        let pace = self.pace.map(|pace| (PACE, pace.to_string()));
        let near = self.near.map(|near| (NEAR, near.to_string()));
        let usual = self.usual.and_then(|usual| OwnPace::of([usual]));
        let usual = usual.map(|usual| (USUAL, usual.to_string()));
        let entries = pace.into_iter().chain(usual).chain(near);
        environment.extend(entries.map(|(key, text)| (key.to_owned(), text)));
    }

    /// A sample's time at the usual pace.
    pub fn usual_time(self, sample: &Sample) -> Nanos {
        let known = self.pace.zip(self.usual).zip(sample.usual);
        let slowing = known.map_or(1.0, |((own, usual), at)| own.slowing(at, usual));
        sample.time * (1.0 / slowing)
    }

    /// How far a sample is from what may count, which is 1 or less; 0 where nothing was watched.
    pub fn excess(self, sample: &Sample) -> f64 {
        let by_pace = self.pace.zip(sample.pace);
        let by_trip = self.near.zip(sample.near);
        let by_pace = by_pace.map_or(0.0, |(own, pace)| own.excess(pace));
        by_pace.max(by_trip.map_or(0.0, |(near, trip)| near.excess(trip)))
    }

    /// Whether the processor was shared when a sample was taken, or its link's ends were far from each other.
    pub fn is_disturbed(self, sample: &Sample) -> bool {
        self.excess(sample) > 1.0
    }
}

/// The middle one; none of none.
fn median(times: impl Iterator<Item = Nanos>) -> Option<Nanos> {
    let mut times: Vec<f64> = times.map(|time| time.0).collect();
    times.sort_by(f64::total_cmp);
    median_of_sorted(&times).map(Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(time: f64, usual: f64) -> Sample {
        Sample {
            time: Nanos(time),
            pace: Some(Nanos(usual)),
            usual: Some(Nanos(usual)),
            near: None,
        }
    }

    #[test]
    fn times_are_told_at_the_usual_pace() {
        let samples = [10.0, 11.0, 12.0].map(|usual| sample(5.0 * usual, usual));
        let known = Known::among(samples.iter());
        assert_eq!(known.usual, Some(Nanos(11.0)));
        for sample in &samples {
            assert!((known.usual_time(sample).0 / 55.0 - 1.0).abs() < 1e-12);
        }
        let shared = sample(100.0, 20.0);
        assert_eq!(known.usual_time(&shared), Nanos(100.0), "not the clock's");
        assert_eq!(Known::default().usual_time(&shared), Nanos(100.0));
        let beside_others = samples.iter().chain([&shared; 9]);
        assert_eq!(Known::among(beside_others).usual, Some(Nanos(11.0)));
    }

    #[test]
    fn it_reads_as_it_is_entered() {
        let known = Known {
            pace: "11000 ns".parse().ok(),
            usual: Some(Nanos(11_500.0)),
            near: "6500 ns".parse().ok(),
        };
        for known in [known, Known::default()] {
            let mut environment = BTreeMap::new();
            known.enter(&mut environment);
            assert_eq!(Known::read(&environment), known);
        }
    }
}
