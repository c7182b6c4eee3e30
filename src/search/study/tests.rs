//! A study stopped anywhere and run on is the study that was never stopped.

use super::*;
use crate::search::controller::ControllerSettings;
use crate::search::fake_models::{
    Answer, FakeAccuracy, FakeCosts, Fault, settings, small_controller,
};
use crate::search::policy::RandomPolicy;
use crate::search::settings::PolicySettings;
use crate::search::space::Space;
use std::collections::BTreeSet;
use tempfile::TempDir;

const EPISODES: usize = 12;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Steps until the study has `episodes` episodes.
fn run(study: &mut Study, episodes: usize) -> FakeAccuracy {
    let mut accuracy = FakeAccuracy::default();
    while study.record().episodes.len() < episodes {
        study.step(&FakeCosts, &mut accuracy).unwrap();
    }
    accuracy
}

/// What an unbroken study of 12 episodes ends with: episodes, weights, policy state.
fn unbroken(policy: PolicySettings) -> (Vec<Episode>, BTreeMap<String, String>, Vec<u8>) {
    let folder = folder();
    let mut study = Study::create(folder.path(), &settings(1, policy)).unwrap();
    run(&mut study, EPISODES);
    result(&study)
}

fn result(study: &Study) -> (Vec<Episode>, BTreeMap<String, String>, Vec<u8>) {
    let StudyRecord {
        episodes, weights, ..
    } = study.record().clone();
    (episodes, weights, study.policy_state().to_vec())
}

#[test]
fn stopped_after_any_episode_it_ends_the_same() {
    for policy in [small_controller(), PolicySettings::Random] {
        let expected = unbroken(policy);
        for stop in 0..=EPISODES {
            let folder = folder();
            let mut study = Study::create(folder.path(), &settings(1, policy)).unwrap();
            run(&mut study, stop);
            drop(study);
            let mut study = Study::open_with(folder.path(), &settings(1, policy)).unwrap();
            run(&mut study, EPISODES);
            assert_eq!(result(&study), expected, "stopped after {stop}");
            drop(study);
            let study = Study::open(folder.path()).unwrap();
            assert_eq!(result(&study), expected);
        }
    }
}

#[test]
fn killed_between_training_and_evaluation_it_trains_no_second_time() {
    let expected = unbroken(small_controller());
    for call in 0..EPISODES as u64 {
        let folder = folder();
        let mut study = Study::create(folder.path(), &settings(1, small_controller())).unwrap();
        let mut accuracy = FakeAccuracy {
            fault: Some(Fault::Evaluate(call)),
            ..FakeAccuracy::default()
        };
        while study.record().episodes.len() < EPISODES {
            if let Err(error) = study.step(&FakeCosts, &mut accuracy) {
                assert!(matches!(error, SearchError::Model { .. }), "{error}");
                break;
            }
        }
        drop(study);
        accuracy.fault = None;
        let mut study = Study::open(folder.path()).unwrap();
        while study.record().episodes.len() < EPISODES {
            study.step(&FakeCosts, &mut accuracy).unwrap();
        }
        assert_eq!(result(&study), expected);
        assert_eq!(accuracy.trained.len(), expected.1.len());
    }
}

/// Where the child of the next test finds its study.
const CHILD_FOLDER: &str = "NASS_TEST_STUDY";

#[test]
#[ignore = "run by `killed_at_random_moments_it_ends_the_same` in a process of its own"]
fn child_that_gets_killed() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else {
        return;
    };
    let mut study = Study::open(Path::new(&folder)).unwrap();
    run(&mut study, 100_000);
}

#[test]
fn killed_at_random_moments_it_ends_the_same() {
    let settings = settings(1, small_controller());
    let (broken, whole) = (folder(), folder());
    drop(Study::create(broken.path(), &settings).unwrap());
    let done = || StudyRecord::read(broken.path()).unwrap().episodes.len();
    for pause in [0, 1, 2, 3, 5, 8, 13] {
        let before = done();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["search::study::tests::child_that_gets_killed", "--exact"])
            .args(["--ignored", "--quiet"])
            .env(CHILD_FOLDER, broken.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while done() == before && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        std::thread::sleep(std::time::Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(done() > before);
    }
    let episodes = done() + 5;
    let mut broken = Study::open(broken.path()).unwrap();
    run(&mut broken, episodes);
    let mut whole = Study::create(whole.path(), &settings).unwrap();
    run(&mut whole, episodes);
    assert_eq!(result(&broken), result(&whole));
}

#[test]
fn killed_between_weights_file_and_record_it_trains_over() {
    let expected = unbroken(small_controller());
    let folder = folder();
    let mut study = Study::create(folder.path(), &settings(1, small_controller())).unwrap();
    let first = &expected.0[0].architecture;
    fs::create_dir_all(folder.path().join("weights")).unwrap();
    fs::write(folder.path().join("weights/.tmpAbCdEf"), b"hal").unwrap();
    fs::write(weights_files::path(folder.path(), first), b"unrecorded").unwrap();
    run(&mut study, EPISODES);
    assert_eq!(result(&study), expected);
    assert_eq!(study.record().export(0).unwrap().weights.len(), 8);
}

#[test]
fn a_failed_step_leaves_the_study_where_it_was_and_can_be_repeated() {
    let expected = unbroken(small_controller());
    let folder = folder();
    let mut study = Study::create(folder.path(), &settings(1, small_controller())).unwrap();
    for fault in [
        Fault::Train(0),
        Fault::Answer(Answer::NotANumber),
        Fault::Answer(Answer::TooMuch),
    ] {
        let mut accuracy = FakeAccuracy {
            fault: Some(fault),
            ..FakeAccuracy::default()
        };
        let error = study.step(&FakeCosts, &mut accuracy).unwrap_err();
        match fault {
            Fault::Answer(_) => assert!(matches!(error, SearchError::Accuracy { .. })),
            _ => assert!(matches!(error, SearchError::Model { .. })),
        }
    }
    for cost in [f64::NAN, -1.0] {
        let costs = Costs(Ok(Cost {
            seconds: cost,
            bytes: 1,
        }));
        let error = study.step(&costs, &mut FakeAccuracy::default());
        assert!(matches!(error, Err(SearchError::Cost { .. })));
    }
    let broken = Costs(Err(()));
    let error = study.step(&broken, &mut FakeAccuracy::default());
    assert!(matches!(error, Err(SearchError::Model { .. })));
    run(&mut study, EPISODES);
    assert_eq!(result(&study), expected);
}

/// Always the same answer, or a failure.
struct Costs(Result<Cost, ()>);

impl CostModel for Costs {
    fn cost(&self, _: &NetworkParams) -> Result<Cost, CostError> {
        self.0.map_err(|()| CostError::Failed("no profile".into()))
    }
}

#[test]
fn trains_each_architecture_once_and_only_moves_quantizers_between() {
    let folder = folder();
    let mut study = Study::create(folder.path(), &settings(2, PolicySettings::Random)).unwrap();
    let accuracy = run(&mut study, 120);
    let record = study.record();
    let architectures: BTreeSet<_> = record.episodes.iter().map(|e| &e.architecture).collect();
    assert!(architectures.len() > 20);
    let here = record
        .episodes
        .iter()
        .filter(|e| e.trained == Trained::Here);
    assert_eq!(here.count(), accuracy.trained.len());
    assert_eq!(record.weights.len(), accuracy.trained.len());
    for pair in record.episodes.windows(2) {
        if pair[1].switch == Switch::Quantizers {
            assert_eq!(pair[0].architecture, pair[1].architecture);
        }
    }
    let switches = record.episodes.iter().map(|e| u64::from(e.switch.value()));
    assert!(switches.eq((0..120).map(|e| u64::from(e % 3 == 0))));
    // Some can't be run, and no network was evaluated twice.
    let infeasible = record.episodes.iter().filter(|e| e.scores().is_none());
    assert!(
        infeasible
            .clone()
            .all(|e| e.reward == 0.0 && e.trained == Trained::No)
    );
    assert!(infeasible.count() > 10);
    let scored = record.episodes.iter().filter(|e| e.scores().is_some());
    let different: BTreeSet<_> = scored.map(|e| &e.decisions).collect();
    assert_eq!(different.len() as u64, accuracy.evaluated);
}

#[test]
fn refuses_other_settings() {
    let folder = folder();
    let good = settings(1, small_controller());
    drop(Study::create(folder.path(), &good).unwrap());
    let mut others = vec![good.clone(); 6];
    others[0].seed = 2;
    others[1].reward.beta = 0.25;
    others[2].space = Space::open("nass-mnist").unwrap();
    others[3].profile = "another".into();
    others[4].policy = PolicySettings::Random;
    others[5].reward.reference.seconds = 3.000_000_000_000_000_4;
    let names = [
        "seed",
        "beta",
        "space",
        "profile",
        "policy",
        "reference_seconds",
    ];
    for (other, name) in others.iter().zip(names) {
        match Study::open_with(folder.path(), other) {
            Err(SearchError::SettingsDiffer { setting, .. }) => assert_eq!(setting, name),
            other => panic!("{:?}", other.err()),
        }
    }
    drop(Study::open_with(folder.path(), &good).unwrap());
    assert_eq!(Study::open(folder.path()).unwrap().record().settings, good);
}

#[test]
fn refuses_folders_that_are_no_study_or_busy() {
    let folder = folder();
    let good = settings(1, PolicySettings::Random);
    let error = Study::open(folder.path()).err().unwrap();
    assert!(matches!(error, SearchError::NoStudy(_)));
    let error = StudyRecord::read(folder.path()).unwrap_err();
    assert!(matches!(error, SearchError::NoStudy(_)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let study = Study::create(folder.path(), &good).unwrap();
    for result in [
        Study::open(folder.path()),
        Study::create(folder.path(), &good),
    ] {
        assert!(matches!(result.err().unwrap(), SearchError::StudyBusy(_)));
    }
    assert_eq!(&StudyRecord::read(folder.path()).unwrap(), study.record());
    drop(study);
    let error = Study::create(folder.path(), &good).err().unwrap();
    assert!(matches!(error, SearchError::StudyExists(_)));

    let inside = folder.path().join("study.lock/deeper");
    let error = Study::create(&inside, &good).err().unwrap();
    assert!(matches!(error, SearchError::File { .. }));
    let bad = {
        let mut bad = good.clone();
        bad.reward.beta = 2.0;
        bad
    };
    let error = Study::create(folder.path(), &bad).err().unwrap();
    assert!(matches!(error, SearchError::Beta { .. }));
}

/// Runs SQL on a study's database.
fn change(folder: &Path, sql: &'static str) {
    use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(database(folder));
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    });
}

#[test]
fn a_damaged_database_is_an_error() {
    let damages = [
        "DELETE FROM episodes WHERE episode = 1",
        "DELETE FROM episodes WHERE episode = 3",
        "UPDATE episodes SET decisions = '1 x'",
        "UPDATE episodes SET decisions = '0 0'",
        "UPDATE episodes SET decisions = '9 0 0 0 0 0 0 0 0 0 0 0'",
        "UPDATE episodes SET seed = ''",
        "UPDATE episodes SET switch = 7",
        "UPDATE episodes SET trained = 'where'",
        "UPDATE episodes SET accuracy = NULL, infeasible = NULL",
        "DELETE FROM settings WHERE name = 'beta'",
        "UPDATE weights SET architecture = architecture || '/../x'",
        "UPDATE policy SET episodes = 5",
    ];
    for damage in damages {
        let folder = folder();
        let settings = settings(1, small_controller());
        run(&mut Study::create(folder.path(), &settings).unwrap(), 4);
        change(folder.path(), damage);
        let error = Study::open(folder.path()).err().unwrap();
        assert!(
            matches!(error, SearchError::StudyDamaged { .. }),
            "{damage}: {error}"
        );
    }
    let folder = folder();
    let settings = settings(1, small_controller());
    drop(Study::create(folder.path(), &settings).unwrap());
    change(folder.path(), "UPDATE policy SET state = x'00'");
    let error = Study::open(folder.path()).err().unwrap();
    assert!(matches!(error, SearchError::PolicyState { .. }));
    change(folder.path(), "DROP TABLE policy");
    let error = Study::open(folder.path()).err().unwrap();
    assert!(matches!(error, SearchError::Database { .. }));
    change(folder.path(), "PRAGMA user_version = 2");
    let error = Study::open(folder.path()).err().unwrap();
    assert!(matches!(error, SearchError::StudyFormat { found: 2, .. }));
    fs::write(database(folder.path()), vec![7; 5_000]).unwrap();
    let error = StudyRecord::read(folder.path()).unwrap_err();
    assert!(matches!(error, SearchError::Database { .. }));
}

#[test]
fn a_study_killed_while_it_was_made_can_be_made() {
    let folder = folder();
    fs::write(database(folder.path()), b"").unwrap();
    let error = Study::open(folder.path()).err().unwrap();
    assert!(matches!(error, SearchError::NoStudy(_)));
    Study::create(folder.path(), &settings(1, PolicySettings::Random)).unwrap();
}

#[test]
fn exports_the_best_and_the_front_with_their_weights() {
    let folder = folder();
    let mut study = Study::create(folder.path(), &settings(3, small_controller())).unwrap();
    assert!(study.record().best().is_none());
    run(&mut study, 30);
    drop(study);
    let record = StudyRecord::read(folder.path()).unwrap();
    let best = record.best().unwrap();
    assert!(record.episodes.iter().all(|e| e.reward <= best.reward));
    let front = record.front();
    assert!(front.len() > 1);
    for episode in front {
        let exported = record.export(episode.episode).unwrap();
        let name = format!("small-episode-{}", episode.episode);
        assert_eq!(exported.network.name, name);
        let trained_in = record
            .episodes
            .iter()
            .find(|e| e.architecture == episode.architecture && e.trained == Trained::Here);
        assert_eq!(exported.weights, trained_in.unwrap().seed.to_le_bytes());
        let decoded = record.settings.space.decode(&episode.decisions).unwrap();
        assert_eq!(exported.network.layers, decoded.layers);
    }
    let error = record.export(30).unwrap_err();
    assert!(matches!(error, SearchError::NoNetwork(30)));
    let mut damaged = record.clone();
    damaged.episodes[0].network.push('[');
    let error = damaged.export(0).unwrap_err();
    assert!(matches!(error, SearchError::Network(_)));
    let path = weights_files::path(folder.path(), &best.architecture);
    fs::write(path, b"changed").unwrap();
    let error = record.export(best.episode).unwrap_err();
    assert!(matches!(error, SearchError::WeightsDamaged(_)));
}

#[test]
fn the_architecture_hash_forgets_bits_and_name_only() {
    let space = Space::open("small").unwrap();
    let hash = |choices: &[usize]| architecture_hash(&space.decode(choices).unwrap()).unwrap();
    let zero = vec![0; 12];
    for (index, decision) in space.decisions().iter().enumerate() {
        let mut other = zero.clone();
        other[index] = 1;
        let same = decision.kind == DecisionKind::Quantizer;
        assert_eq!(hash(&zero) == hash(&other), same, "{}", decision.name);
    }
}

/// Mean reward of the last 60 of 300 episodes.
fn late_mean(policy: PolicySettings) -> f64 {
    let folder = folder();
    let mut study = Study::create(folder.path(), &settings(5, policy)).unwrap();
    run(&mut study, 300);
    let late = &study.record().episodes[240..];
    late.iter().map(|e| e.reward).sum::<f64>() / 60.0
}

#[test]
fn the_controller_finds_better_networks_than_random() {
    let (learned, random) = (
        late_mean(PolicySettings::Controller(ControllerSettings {
            hidden: 16,
            ..ControllerSettings::default()
        })),
        late_mean(PolicySettings::Random),
    );
    assert!(learned > 1.2 * random, "{learned} against {random}");
}

#[test]
fn a_state_of_another_policy_is_refused() {
    let mut random = RandomPolicy::new(&[2]);
    let folder = folder();
    let study = Study::create(folder.path(), &settings(1, small_controller())).unwrap();
    let error = random.restore(study.policy_state()).unwrap_err();
    assert!(matches!(error, SearchError::PolicyState { .. }));
}
