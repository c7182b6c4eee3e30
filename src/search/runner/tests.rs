//! Limits, stop reasons and the observer.

use super::*;
use crate::search::fake_models::{FakeAccuracy, FakeCosts, settings};
use crate::search::settings::PolicySettings;

const LIMITS: Limits = Limits {
    episodes: 20,
    without_improvement: None,
};

fn study(folder: &std::path::Path) -> Study {
    Study::create(folder, &settings(4, PolicySettings::Random)).unwrap()
}

#[test]
fn stops_at_the_studys_episodes_however_many_runs_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let mut study = study(folder.path());
    let mut accuracy = FakeAccuracy::default();
    let mut seen = Vec::new();
    let report = Runner::new(LIMITS, &FakeCosts, &mut accuracy)
        .with_observer(|episode, best| {
            seen.push((episode.episode, best.reward));
            if episode.episode == 6 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .run(&mut study)
        .unwrap();
    let stop = StopReason::Observer;
    assert_eq!(report, RunReport { stop, ran: 7 });
    assert!(seen.iter().map(|s| s.0).eq(0..7));
    assert!(seen.is_sorted_by(|a, b| a.1 <= b.1));

    let mut runner = Runner::new(LIMITS, &FakeCosts, &mut accuracy);
    let stop = StopReason::Episodes;
    let ran = 13;
    assert_eq!(runner.run(&mut study).unwrap(), RunReport { stop, ran });
    let ran = 0;
    assert_eq!(runner.run(&mut study).unwrap(), RunReport { stop, ran });
    let best = study.record().best().unwrap();
    assert!(seen.iter().all(|s| s.1 <= best.reward));
}

#[test]
fn stops_when_nothing_gets_better_and_there_again_when_resumed() {
    let limits = Limits {
        episodes: 1_000,
        without_improvement: Some(8),
    };
    let folder = tempfile::tempdir().unwrap();
    let mut unbroken = study(folder.path());
    let mut accuracy = FakeAccuracy::default();
    let report = Runner::new(limits, &FakeCosts, &mut accuracy)
        .run(&mut unbroken)
        .unwrap();
    assert_eq!(report.stop, StopReason::NoImprovement);
    let best = unbroken.record().best().unwrap().episode;
    assert_eq!(report.ran, best + 1 + 8);

    let folder = tempfile::tempdir().unwrap();
    let mut broken = study(folder.path());
    for _ in 0..report.ran {
        let limits = Limits {
            episodes: broken.record().episodes.len() as u64 + 1,
            ..limits
        };
        Runner::new(limits, &FakeCosts, &mut accuracy)
            .run(&mut broken)
            .unwrap();
    }
    let mut runner = Runner::new(limits, &FakeCosts, &mut accuracy);
    let stop = StopReason::NoImprovement;
    assert_eq!(runner.run(&mut broken).unwrap(), RunReport { stop, ran: 0 });
    assert_eq!(broken.record().episodes, unbroken.record().episodes);
}
