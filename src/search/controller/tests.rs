//! The controller learns, forgets nothing, and keeps frozen decisions out of its gradient.

use super::*;
use crate::search::policy::RandomPolicy;
use rand::SeedableRng;

const OPTIONS: [usize; 12] = [4, 4, 4, 5, 5, 4, 4, 4, 5, 5, 3, 3];

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn controller(settings: ControllerSettings) -> Controller {
    Controller::new(settings, &OPTIONS, &mut rng(1)).unwrap()
}

/// A reward from 0 to 1 with neighbouring decisions that have to agree.
fn objective(decisions: &[usize]) -> f64 {
    let target = [2, 1, 3, 4, 0, 1, 2, 2, 3, 1, 2, 0];
    let near = decisions.iter().zip(target);
    let hits = near.map(|(&d, t)| 1.0 / (1.0 + d.abs_diff(t) as f64));
    let agree = decisions.windows(2).filter(|pair| pair[0] + 1 == pair[1]);
    (hits.sum::<f64>() + agree.count() as f64) / 20.0
}

/// Mean reward of the last 100 of `episodes` episodes.
fn late_mean(policy: &mut dyn Policy, episodes: u64, seed: u64) -> f64 {
    let freedom = [Freedom::Free; OPTIONS.len()];
    let mut late = 0.0;
    for episode in 0..episodes {
        let decisions = policy.sample(&freedom, &mut rng(1_000 * seed + episode));
        let reward = objective(&decisions);
        policy.learn(&decisions, &freedom, reward);
        if episode + 100 >= episodes {
            late += reward / 100.0;
        }
    }
    late
}

#[test]
fn rises_clearly_above_random() {
    let random = late_mean(&mut RandomPolicy::new(&OPTIONS), 500, 9);
    for seed in 0..3 {
        let mut policy =
            Controller::new(ControllerSettings::default(), &OPTIONS, &mut rng(seed)).unwrap();
        let learned = late_mean(&mut policy, 500, seed);
        println!("seed {seed}: {learned} against {random}");
        assert!(learned > random + 0.1);
    }
}

#[test]
fn a_restored_controller_goes_on_as_the_first_would_have() {
    let settings = ControllerSettings {
        hidden: 8,
        batch: 3,
        ..ControllerSettings::default()
    };
    for stop in 0..8 {
        let mut unbroken = controller(settings);
        late_mean(&mut unbroken, stop, 3);
        let mut resumed = Controller::new(settings, &OPTIONS, &mut rng(99)).unwrap();
        resumed.restore(&unbroken.state()).unwrap();
        let expected = late_mean(&mut unbroken, 7, 4);
        assert_eq!(late_mean(&mut resumed, 7, 4), expected);
        assert_eq!(resumed.state(), unbroken.state());
    }
}

#[test]
fn refuses_a_state_of_another_size() {
    let mut policy = controller(ControllerSettings::default());
    let state = policy.state();
    for bad in [&state[1..], &state[8..], &[]] {
        let error = policy.restore(bad).unwrap_err();
        assert!(matches!(error, SearchError::PolicyState { .. }));
    }
}

#[test]
fn frozen_decisions_stay_and_leave_no_trace_in_their_heads() {
    let settings = ControllerSettings {
        batch: 1,
        ..ControllerSettings::default()
    };
    let mut policy = controller(settings);
    let mut freedom = [Freedom::Free; OPTIONS.len()];
    freedom[4] = Freedom::Frozen(3);
    freedom[11] = Freedom::Frozen(0);
    let before = policy.clone();
    for reward in [0.1, 0.9] {
        let decisions = policy.sample(&freedom, &mut rng(5));
        assert_eq!((decisions[4], decisions[11]), (3, 0));
        policy.learn(&decisions, &freedom, reward);
    }
    // The last head's parameters get a gradient from its own decision only.
    let last = policy.theta.len() - 3 * 64 - 3 - 3 * 64;
    assert_eq!(policy.theta[last..], before.theta[last..]);
    assert_ne!(policy.theta[..last], before.theta[..last]);
}

#[test]
fn the_gradient_is_equation_4() {
    let settings = ControllerSettings {
        hidden: 4,
        batch: 2,
        discount: 0.5,
        baseline_decay: 0.75,
        ..ControllerSettings::default()
    };
    let mut policy = Controller::new(settings, &[2, 3], &mut rng(2)).unwrap();
    let free = [Freedom::Free; 2];
    policy.learn(&[0, 1], &free, 1.0);
    assert!(policy.gradient.iter().all(|g| *g == 0.0));
    let mut expected = vec![0.0; policy.theta.len()];
    let trace = policy.lstm.run(&policy.theta, |t, _| [1, 2][t]);
    // R − b = 3 − 1, the first decision discounted once.
    policy
        .lstm
        .backward(&policy.theta, &trace, &[1.0, 2.0], &mut expected);
    policy.settings.batch = 3;
    policy.learn(&[1, 2], &free, 3.0);
    assert_eq!(policy.gradient, expected);
    assert_eq!(policy.baseline, Some(1.5));
    policy.learn(&[1, 2], &free, 3.0);
    assert_eq!((policy.steps, policy.pending), (1, 0));
    // Adam's first step moves each parameter by the learning rate, against the gradient's sign.
    let moved = policy.theta.iter().filter(|t| t.is_finite()).count();
    assert_eq!(moved, policy.theta.len());
}

#[test]
fn refuses_settings_out_of_range() {
    let good = ControllerSettings::default();
    let bad = [
        ControllerSettings { hidden: 0, ..good },
        ControllerSettings {
            learning_rate: f64::NAN,
            ..good
        },
        ControllerSettings {
            discount: 1.5,
            ..good
        },
        ControllerSettings {
            baseline_decay: -0.1,
            ..good
        },
        ControllerSettings { batch: 0, ..good },
    ];
    for settings in bad {
        let error = Controller::new(settings, &[2], &mut rng(0)).unwrap_err();
        assert!(matches!(error, SearchError::Controller { .. }));
    }
}

#[test]
fn draws_by_share() {
    let shares = [0.25, 0.5, 0.25];
    assert_eq!(draw(&shares, 0.0), 0);
    assert_eq!(draw(&shares, 0.25), 1);
    assert_eq!(draw(&shares, 0.74), 1);
    assert_eq!(draw(&shares, 0.76), 2);
    assert_eq!(draw(&[0.5, 0.4], 0.95), 1);
}
