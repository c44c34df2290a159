//! One start of one shard, as its worker recorded it. Attempts explain; they never decide.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use croupier_store::{Entry, Store};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use crate::manifest::encode;
use crate::tasks::{batch_size, batches, in_tasks};
use crate::{Error, Machine, StoredRun, layout};

/// What a worker says of itself: when it starts, at each checkpoint, and when it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The shard.
    pub shard: u32,
    /// A random id, to tell attempts apart.
    pub id: String,
    /// How it stands, or how it ended.
    pub state: AttemptState,
    /// When it started, UTC.
    pub started: String,
    /// Seconds from its start to this record.
    pub seconds: f64,
    /// Of these, seconds in which blocks were run.
    pub kernel_seconds: f64,
    /// CPU seconds of the process in this time.
    pub cpu_seconds: Option<f64>,
    /// The most memory the process held, in bytes.
    pub memory_peak_bytes: Option<u64>,
    /// The machine's name.
    pub host: Option<String>,
    /// Its process: number, namespace, and the system's start.
    #[serde(default)]
    pub process: Option<String>,
    /// The processor's model.
    pub cpu: Option<String>,
    /// The program's fingerprint.
    pub build: String,
    /// How many threads it had.
    pub threads: usize,
    /// What settled that number.
    pub threads_source: String,
    /// The scheduler's words for it.
    pub scheduler: Option<Scheduler>,
    /// While it runs, this record is written again after about so many seconds.
    #[serde(default)]
    pub checkpoint_seconds: f64,
    /// Blocks of the shard.
    pub blocks: u64,
    /// Of these, blocks that an earlier attempt had published.
    pub blocks_before: u64,
    /// Blocks that this attempt ran.
    pub blocks_done: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// The partial that counts instead of this attempt's, where a task was done before.
    #[serde(default)]
    pub superseded_by: Option<String>,
    /// How its process died, where somebody saw it.
    #[serde(default)]
    pub death: Option<Death>,
}

/// How an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptState {
    /// It has started, and not said that it ended.
    Running,
    /// It published all its blocks.
    Done,
    /// It failed, and a repeat may not.
    Failed,
    /// The kernel failed on a sample, and will again.
    Kernel,
    /// It was stopped in time.
    Stopped,
    /// Its process died before it could say so itself.
    Died,
}

/// What a process's parent saw of its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// The code it exited with; none where a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether the system killed it for want of memory; none where that is not known.
    pub out_of_memory: Option<bool>,
    /// The last 64 KiB of what it wrote to its standard error.
    pub stderr: String,
}

/// What a scheduler calls an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduler {
    /// Which scheduler.
    pub name: String,
    /// Its job.
    pub job: Option<String>,
    /// Its count of attempts.
    pub attempt: Option<String>,
}

impl Attempt {
    /// Whether it says that it runs, and has been silent for so long that it can't be: for two
    /// checkpoints, and `margin` for clocks and slow stores.
    pub fn is_lost(&self, now: DateTime<Utc>, margin: std::time::Duration) -> bool {
        let silent = TimeDelta::try_milliseconds((2e3 * self.checkpoint_seconds) as i64)
            .zip(TimeDelta::from_std(margin).ok())
            .and_then(|(checkpoints, margin)| checkpoints.checked_add(&margin));
        self.state == AttemptState::Running
            && self
                .last_seen()
                .zip(silent)
                .is_some_and(|(seen, silent)| now - seen > silent)
    }

    /// Whether it ran on this machine, and its process is no longer there.
    pub fn is_dead_here(&self) -> bool {
        self.process.as_deref().is_some_and(Machine::is_gone)
    }

    /// When this record was written, by its own clock.
    pub fn last_seen(&self) -> Option<DateTime<Utc>> {
        let started = self.started.parse::<DateTime<Utc>>().ok()?;
        started.checked_add_signed(TimeDelta::try_milliseconds((self.seconds * 1e3) as i64)?)
    }

    pub(crate) async fn write(&self, store: &dyn Store) -> Result<(), Error> {
        let key = layout::attempt(self.shard, &self.id);
        Ok(store.put(&key, encode(&key, self)?).await?)
    }
}

/// How many records one task reads at most.
const LONGEST_BATCH: usize = 16;
const AT_ONCE: usize = 32;

impl StoredRun {
    /// The attempts at all shards, by shard and then by their start. A record that can't be read is
    /// left out: it explains nothing.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn attempts(&self) -> Result<Vec<Attempt>, Error> {
        self.attempts_below(layout::ATTEMPTS).await
    }

    /// The attempts at one shard, by their start.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn attempts_at(&self, shard: u32) -> Result<Vec<Attempt>, Error> {
        self.attempts_below(&layout::attempts_of(shard)).await
    }

    async fn attempts_below(&self, prefix: &str) -> Result<Vec<Attempt>, Error> {
        let entries = self.store.list(prefix).await?;
        self.read_attempts(entries).await
    }

    /// Where the records of attempts are, by shard: nothing of them is read.
    pub(crate) async fn attempt_entries(&self) -> Result<BTreeMap<u32, Vec<Entry>>, Error> {
        let mut entries: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
        for entry in self.store.list(layout::ATTEMPTS).await? {
            if let Some(shard) = layout::shard_of_attempt(&entry.key) {
                entries.entry(shard).or_default().push(entry);
            }
        }
        Ok(entries)
    }

    /// The attempts at `entries`, by shard and then by their start.
    pub(crate) async fn read_attempts(&self, entries: Vec<Entry>) -> Result<Vec<Attempt>, Error> {
        let batch_size = batch_size(entries.len(), AT_ONCE, LONGEST_BATCH);
        let mut attempts = Vec::with_capacity(entries.len());
        let reading = batches(entries.into_iter(), batch_size).map(|batch| {
            let store = Arc::clone(&self.store);
            async move {
                let mut attempts: Vec<Attempt> = Vec::with_capacity(batch.len());
                for entry in batch {
                    match store.get(&entry.key).await {
                        Ok(bytes) => attempts.extend(serde_json::from_slice::<Attempt>(&bytes)),
                        Err(croupier_store::Error::NotFound { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(attempts)
            }
        });
        let mut batches = pin!(in_tasks(reading, AT_ONCE));
        while let Some(batch) = batches.next().await {
            attempts.extend(batch?);
        }
        attempts.sort_by(|a, b| (a.shard, &a.started, &a.id).cmp(&(b.shard, &b.started, &b.id)));
        Ok(attempts)
    }

    /// Adds to attempt `id` at `shard` how its process died. Where it had said how it ended itself, that
    /// stands, and the rest is added. Where it had not come as far as to say that it began, this is all
    /// there is of it, if a signal ended it; one that ended by itself was refused, and made no attempt.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn record_death(&self, shard: u32, id: &str, death: Death) -> Result<(), Error> {
        let mut attempt = match self.store.get(&layout::attempt(shard, id)).await {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|_| unseen(shard, id)),
            Err(croupier_store::Error::NotFound { .. }) if death.signal.is_none() => return Ok(()),
            Err(croupier_store::Error::NotFound { .. }) => unseen(shard, id),
            Err(error) => return Err(error.into()),
        };
        if attempt.state == AttemptState::Running {
            attempt.state = AttemptState::Died;
            // Its own last word may be a checkpoint old.
            let unheard = attempt
                .last_seen()
                .map_or(0.0, |seen| (Utc::now() - seen).as_seconds_f64().max(0.0));
            attempt.seconds += unheard;
        }
        attempt.death = Some(death);
        attempt.write(&*self.store).await
    }
}

/// An attempt that died before it said anything.
fn unseen(shard: u32, id: &str) -> Attempt {
    let machine = Machine::current();
    Attempt {
        shard,
        id: id.to_owned(),
        state: AttemptState::Died,
        started: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        seconds: 0.0,
        kernel_seconds: 0.0,
        cpu_seconds: None,
        memory_peak_bytes: None,
        host: machine.host,
        process: None,
        cpu: machine.cpu,
        build: String::new(),
        threads: 0,
        threads_source: String::new(),
        scheduler: None,
        checkpoint_seconds: 0.0,
        blocks: 0,
        blocks_before: 0,
        blocks_done: 0,
        error: None,
        superseded_by: None,
        death: None,
    }
}
