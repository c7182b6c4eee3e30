//! The study's database: one SQLite file that holds settings, episodes, weights and policy state.
//!
//! An episode and the policy's state after it are written in one transaction, so that whatever moment
//! the process dies at, the file holds a whole number of episodes and the state that belongs to them.
//! The calls are synchronous: a single-threaded runtime lives inside. (They can't be made from
//! within another asynchronous runtime.)

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, Row as _};
use tokio::runtime::{Builder, Runtime};

use super::episode::{Episode, Outcome, Trained};
use super::error::SearchError;
use super::models::Cost;
use super::settings::Row;
use super::switch::Switch;

/// The format written here, SQLite's `user_version`.
const FORMAT: i64 = 1;

/// The tables. Hashes, seeds and exact numbers are text.
const TABLES: &str = "
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE episodes (
        episode INTEGER PRIMARY KEY, seed TEXT NOT NULL, switch INTEGER NOT NULL,
        decisions TEXT NOT NULL, architecture TEXT NOT NULL, network TEXT NOT NULL,
        trained TEXT NOT NULL, accuracy REAL, seconds REAL, bytes INTEGER, infeasible TEXT,
        reward REAL NOT NULL) STRICT;
    CREATE TABLE weights (
        architecture TEXT PRIMARY KEY, episode INTEGER NOT NULL, blake3 TEXT NOT NULL) STRICT;
    CREATE TABLE policy (
        id INTEGER PRIMARY KEY CHECK (id = 0), episodes INTEGER NOT NULL, state BLOB NOT NULL) STRICT;
    PRAGMA user_version = 1;";

/// An open database.
pub(super) struct Store {
    path: PathBuf,
    runtime: Runtime,
    connection: SqliteConnection,
}

/// Weights that the study has: where they were trained and the hash of their file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WeightsRecord {
    pub(super) architecture: String,
    pub(super) episode: u64,
    pub(super) blake3: String,
}

/// A policy's state and the number of episodes that it has learned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PolicyRecord {
    pub(super) episodes: u64,
    pub(super) state: Vec<u8>,
}

/// Whether a missing database is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Create,
    Refuse,
}

impl Store {
    /// A new database with these settings and the untrained policy's state.
    pub(super) fn create(path: &Path, settings: &[Row], state: &[u8]) -> Result<Self, SearchError> {
        let mut store = Self::connect(path, Missing::Create)?;
        store.run(async |connection| {
            let mut transaction = connection.begin().await?;
            sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
            for (name, value) in settings {
                sqlx::query("INSERT INTO settings (name, value) VALUES (?, ?)")
                    .bind(*name)
                    .bind(value.as_str())
                    .execute(&mut *transaction)
                    .await?;
            }
            sqlx::query("INSERT INTO policy (id, episodes, state) VALUES (0, 0, ?)")
                .bind(state)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        })?;
        Ok(store)
    }

    /// An existing database; `None` where there is none, or one that was never completed.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, SearchError> {
        if !path.exists() {
            return Ok(None);
        }
        let mut store = Self::connect(path, Missing::Refuse)?;
        let version = sqlx::query_scalar("PRAGMA user_version");
        let found: i64 = store.run(async |connection| version.fetch_one(connection).await)?;
        match found {
            FORMAT => Ok(Some(store)),
            0 => Ok(None),
            _ => Err(SearchError::StudyFormat {
                path: path.into(),
                expected: FORMAT,
                found,
            }),
        }
    }

    fn connect(path: &Path, missing: Missing) -> Result<Self, SearchError> {
        let runtime = Builder::new_current_thread()
            .build()
            .map_err(|error| SearchError::File {
                path: path.into(),
                error,
            })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(missing == Missing::Create);
        let connection = runtime
            .block_on(options.connect())
            .map_err(|error| database(path, error))?;
        Ok(Self {
            path: path.into(),
            runtime,
            connection,
        })
    }

    /// All settings.
    pub(super) fn settings(&mut self) -> Result<BTreeMap<String, String>, SearchError> {
        let query = sqlx::query_as("SELECT name, value FROM settings");
        let rows: Vec<(String, String)> =
            self.run(async |connection| query.fetch_all(connection).await)?;
        Ok(rows.into_iter().collect())
    }

    /// All episodes in order.
    pub(super) fn episodes(&mut self) -> Result<Vec<Episode>, SearchError> {
        let query = sqlx::query("SELECT * FROM episodes ORDER BY episode");
        let rows = self.run(async |connection| query.fetch_all(connection).await)?;
        let mut episodes = Vec::with_capacity(rows.len());
        for (index, row) in (0u64..).zip(&rows) {
            let read = read_episode(row).map_err(|error| database(&self.path, error))?;
            let episode = read.filter(|episode| episode.episode == index);
            let damaged = || self.damaged(format!("episode {index} can't be read"));
            episodes.push(episode.ok_or_else(damaged)?);
        }
        Ok(episodes)
    }

    /// The weights it has.
    pub(super) fn weights(&mut self) -> Result<Vec<WeightsRecord>, SearchError> {
        let query = sqlx::query_as("SELECT architecture, episode, blake3 FROM weights");
        let rows: Vec<(String, i64, String)> =
            self.run(async |connection| query.fetch_all(connection).await)?;
        let read = rows.into_iter().map(|(architecture, episode, blake3)| {
            let hexadecimal = |text: &str| text.len() == 64 && blake3::Hash::from_hex(text).is_ok();
            if !hexadecimal(&architecture) || !hexadecimal(&blake3) || episode < 0 {
                return Err(self.damaged("a record of weights can't be read".into()));
            }
            Ok(WeightsRecord {
                architecture,
                episode: episode.cast_unsigned(),
                blake3,
            })
        });
        read.collect()
    }

    /// The policy's state.
    pub(super) fn policy(&mut self) -> Result<PolicyRecord, SearchError> {
        let query = sqlx::query_as("SELECT episodes, state FROM policy");
        let (episodes, state): (i64, Vec<u8>) =
            self.run(async |connection| query.fetch_one(connection).await)?;
        Ok(PolicyRecord {
            episodes: episodes.cast_unsigned(),
            state,
        })
    }

    /// Records weights whose file is written.
    pub(super) fn record_weights(&mut self, record: &WeightsRecord) -> Result<(), SearchError> {
        let query =
            sqlx::query("INSERT INTO weights (architecture, episode, blake3) VALUES (?, ?, ?)")
                .bind(record.architecture.as_str())
                .bind(record.episode.cast_signed())
                .bind(record.blake3.as_str());
        self.run(async |connection| query.execute(connection).await)?;
        Ok(())
    }

    /// Records an episode together with the policy's state after it.
    pub(super) fn record_episode(
        &mut self,
        episode: &Episode,
        state: &[u8],
    ) -> Result<(), SearchError> {
        let decisions: Vec<String> = episode.decisions.iter().map(usize::to_string).collect();
        let scores = episode.scores();
        let infeasible = match &episode.outcome {
            Outcome::Scored { .. } => None,
            Outcome::Infeasible(reason) => Some(reason.as_str()),
        };
        let insert = sqlx::query(
            "INSERT INTO episodes (episode, seed, switch, decisions, architecture, network, trained,
             accuracy, seconds, bytes, infeasible, reward) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(episode.episode.cast_signed())
        .bind(episode.seed.to_string())
        .bind(i64::from(episode.switch.value()))
        .bind(decisions.join(" "))
        .bind(episode.architecture.as_str())
        .bind(episode.network.as_str())
        .bind(trained_name(episode.trained))
        .bind(scores.map(|(accuracy, _)| accuracy))
        .bind(scores.map(|(_, cost)| cost.seconds))
        .bind(scores.map(|(_, cost)| cost.bytes.cast_signed()))
        .bind(infeasible)
        .bind(episode.reward);
        let update = sqlx::query("UPDATE policy SET episodes = ?, state = ?")
            .bind((episode.episode + 1).cast_signed())
            .bind(state);
        self.run(async |connection| {
            let mut transaction = connection.begin().await?;
            insert.execute(&mut *transaction).await?;
            update.execute(&mut *transaction).await?;
            transaction.commit().await
        })
    }

    /// The error of a database that holds what no study writes.
    pub(super) fn damaged(&self, what: String) -> SearchError {
        SearchError::StudyDamaged {
            path: self.path.clone(),
            what,
        }
    }

    fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, SearchError> {
        let done = self.runtime.block_on(work(&mut self.connection));
        done.map_err(|error| database(&self.path, error))
    }
}

fn database(path: &Path, error: sqlx::Error) -> SearchError {
    SearchError::Database {
        path: path.into(),
        error: Box::new(error),
    }
}

const fn trained_name(trained: Trained) -> &'static str {
    match trained {
        Trained::Here => "here",
        Trained::Before => "before",
        Trained::No => "no",
    }
}

/// An episode from its row; `None` if the values aren't one.
fn read_episode(row: &SqliteRow) -> Result<Option<Episode>, sqlx::Error> {
    let decisions: String = row.try_get("decisions")?;
    let decisions: Result<Vec<usize>, _> = decisions.split(' ').map(str::parse).collect();
    let seed: String = row.try_get("seed")?;
    let switch = match row.try_get::<i64, _>("switch")? {
        1 => Some(Switch::Architecture),
        0 => Some(Switch::Quantizers),
        _ => None,
    };
    let trained: String = row.try_get("trained")?;
    let trained = [Trained::Here, Trained::Before, Trained::No]
        .into_iter()
        .find(|known| trained_name(*known) == trained);
    let scores = (
        row.try_get("accuracy")?,
        row.try_get("seconds")?,
        row.try_get::<Option<i64>, _>("bytes")?,
    );
    let outcome = match (scores, row.try_get("infeasible")?) {
        ((Some(accuracy), Some(seconds), Some(bytes)), None) => Some(Outcome::Scored {
            accuracy,
            cost: Cost {
                seconds,
                bytes: bytes.cast_unsigned(),
            },
        }),
        ((None, None, None), Some(reason)) => Some(Outcome::Infeasible(reason)),
        _ => None,
    };
    let (Some(switch), Some(trained), Some(outcome)) = (switch, trained, outcome) else {
        return Ok(None);
    };
    let (Ok(decisions), Ok(seed)) = (decisions, seed.parse()) else {
        return Ok(None);
    };
    Ok(Some(Episode {
        episode: row.try_get::<i64, _>("episode")?.cast_unsigned(),
        seed,
        switch,
        decisions,
        architecture: row.try_get("architecture")?,
        network: row.try_get("network")?,
        trained,
        outcome,
        reward: row.try_get("reward")?,
    }))
}
