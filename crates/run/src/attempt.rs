//! One start of one shard, as its worker recorded it. Attempts explain; they never decide.

use croupier_store::Store;
use serde::{Deserialize, Serialize};

use crate::{Error, layout};

/// What a worker says of itself: when it starts, and again when it ends.
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
    /// Blocks of the shard.
    pub blocks: u64,
    /// Of these, blocks that an earlier attempt had published.
    pub blocks_before: u64,
    /// Blocks that this attempt ran.
    pub blocks_done: u64,
    /// Why it failed.
    pub error: Option<String>,
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
    pub(crate) async fn write(&self, store: &dyn Store) -> Result<(), Error> {
        let key = layout::attempt(self.shard, &self.id);
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| Error::Malformed {
            key: key.clone(),
            reason: error.to_string(),
        })?;
        Ok(store.put(&key, bytes.into()).await?)
    }
}
