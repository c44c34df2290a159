//! A tracker in the run's own store: nothing to set up, where the store keeps its word on conditional puts.
//!
//! A shard's record is a chain of objects, `tracker/<shard>/<version>.json`, of which the last counts. Every change is
//! the next version, put if absent: of two that race one is written, and the other looks again. So it needs nothing
//! that a store has not, at the price of an object for each change: claim, renewal, end. What a change is told by a
//! list that lags is settled by the put.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use croupier_store::{Placed, Store};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::clock::Millis;
use super::record::{self, Holder, Record};
use super::{
    Claim, Claimant, FailureClass, Lease, Marked, Renewed, State, Terms, Tracked, Tracker,
    TrackerError,
};

const FOLDER: &str = "tracker/";
/// How many records are read at once.
const AT_ONCE: usize = 32;

/// Records below `tracker/` of a run's folder.
#[derive(Clone, Debug)]
pub struct InStore {
    folder: Arc<dyn Store>,
    run: String,
    terms: Terms,
}

/// A record as it is kept. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    state: String,
    token: u64,
    attempts: u32,
    attempt: Option<String>,
    host: Option<String>,
    expires: Option<u64>,
    class: Option<String>,
    message: String,
    updated: u64,
}

const FORMAT: u32 = 1;

/// The last version of a record, and its number; 0 where there is none.
struct Latest {
    version: u64,
    record: Option<Record>,
}

impl InStore {
    /// The tracker of the run that is kept in `folder`.
    ///
    /// # Errors
    /// [`TrackerError::BadName`] if the run's name is empty or has more than [`RUN_BYTES`](super::RUN_BYTES) bytes.
    pub fn new(folder: Arc<dyn Store>, run: &str, terms: Terms) -> Result<Self, TrackerError> {
        record::check_run(run)?;
        Ok(Self {
            folder,
            run: run.to_owned(),
            terms,
        })
    }

    async fn latest(&self, shard: u32) -> Result<Latest, TrackerError> {
        let entries = self.folder.list(&folder_of(shard)).await?;
        let version = entries
            .iter()
            .filter_map(|entry| parse_key(&entry.key))
            .map(|(_, version)| version)
            .max()
            .unwrap_or(0);
        let record = match version {
            0 => None,
            version => Some(self.read(shard, version).await?),
        };
        Ok(Latest { version, record })
    }

    async fn read(&self, shard: u32, version: u64) -> Result<Record, TrackerError> {
        let bytes = self.folder.get(&key(shard, version)).await?;
        self.parse(shard, &bytes)
    }

    fn parse(&self, shard: u32, bytes: &[u8]) -> Result<Record, TrackerError> {
        let damaged = |reason: String| TrackerError::Damaged {
            table: self.uri(),
            run: self.run.clone(),
            shard: shard.to_string(),
            reason,
        };
        let kept: Kept =
            serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if kept.format > FORMAT {
            return Err(damaged(format!("its format is {}", kept.format)));
        }
        kept.into_record()
            .ok_or_else(|| damaged("it has an unknown state or class".to_owned()))
    }

    /// Applies `change` to the last version until nobody else was faster. An error of it is the answer where nothing is
    /// to be written.
    async fn apply<A>(
        &self,
        shard: u32,
        mut change: impl FnMut(Option<&Record>) -> Result<(Record, A), A> + Send,
    ) -> Result<A, TrackerError> {
        let mut latest = self.latest(shard).await?;
        loop {
            let (after, answer) = match change(latest.record.as_ref()) {
                Ok(changed) => changed,
                Err(answer) => return Ok(answer),
            };
            let version = latest.version + 1;
            let bytes = Kept::of(&after).encode();
            match self
                .folder
                .put_if_absent(&key(shard, version), bytes.into())
                .await?
            {
                Placed::Written | Placed::Identical => return Ok(answer),
                Placed::Different(there) => {
                    latest = Latest {
                        version,
                        record: Some(self.parse(shard, &there)?),
                    };
                }
            }
        }
    }
}

#[async_trait]
impl Tracker for InStore {
    fn uri(&self) -> String {
        format!("{}/{}", self.folder.uri(), FOLDER.trim_end_matches('/'))
    }

    fn run(&self) -> &str {
        &self.run
    }

    async fn claim(
        &self,
        shard: u32,
        claimant: &Claimant,
        max_attempts: u32,
    ) -> Result<Claim, TrackerError> {
        record::check_attempt(&claimant.attempt)?;
        let moment = self.terms.now();
        self.apply(shard, |before| {
            Record::claimed(before, shard, claimant, max_attempts, moment)
                .map(|(after, lease)| (after, Claim::Granted(lease)))
        })
        .await
    }

    async fn renew(&self, lease: &Lease) -> Result<Renewed, TrackerError> {
        let moment = self.terms.now();
        let marked = self
            .apply(lease.shard, |before| {
                let changed = Record::changed(before, lease, State::Running, moment, |record| {
                    if let Some(holder) = &mut record.holder {
                        holder.expires = moment.expires;
                    }
                });
                changed.map(|after| (after, Marked::Recorded))
            })
            .await?;
        Ok(match marked {
            Marked::Recorded => Renewed::Until(moment.expires.into()),
            Marked::Superseded => Renewed::Lost,
        })
    }

    async fn complete(&self, lease: &Lease) -> Result<Marked, TrackerError> {
        let moment = self.terms.now();
        self.apply(lease.shard, |before| {
            Record::changed(before, lease, State::Done, moment, |_| ())
                .map(|after| (after, Marked::Recorded))
        })
        .await
    }

    async fn fail(
        &self,
        lease: &Lease,
        class: FailureClass,
        message: &str,
    ) -> Result<Marked, TrackerError> {
        let moment = self.terms.now();
        self.apply(lease.shard, |before| {
            let failed = |record: &mut Record| record.failed(class, message);
            Record::changed(before, lease, State::Failed, moment, failed)
                .map(|after| (after, Marked::Recorded))
        })
        .await
    }

    /// Takes a list, and a request a shard.
    async fn states(&self) -> Result<Vec<Tracked>, TrackerError> {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for entry in self.folder.list(FOLDER).await? {
            if let Some((shard, version)) = parse_key(&entry.key) {
                let known = last.entry(shard).or_default();
                *known = version.max(*known);
            }
        }
        let mut reading: JoinSet<Result<Tracked, TrackerError>> = JoinSet::new();
        let mut tracked = Vec::with_capacity(last.len());
        for (shard, version) in last {
            if reading.len() == AT_ONCE
                && let Some(read) = reading.join_next().await
            {
                tracked.push(joined(read)?);
            }
            let tracker = self.clone();
            reading.spawn(async move { Ok(tracker.read(shard, version).await?.tracked(shard)) });
        }
        while let Some(read) = reading.join_next().await {
            tracked.push(joined(read)?);
        }
        tracked.sort_by_key(|one| one.shard);
        Ok(tracked)
    }

    async fn rebuild(&self, done: &[u32]) -> Result<usize, TrackerError> {
        let moment = self.terms.now();
        let mut marked = 0;
        for shard in done {
            let was_marked = self
                .apply(*shard, |before| match Record::rebuilt(before, moment) {
                    Some(after) => Ok((after, true)),
                    None => Err(false),
                })
                .await?;
            marked += usize::from(was_marked);
        }
        Ok(marked)
    }
}

/// What a task gave; where it panicked, so does this.
fn joined<T>(task: Result<T, tokio::task::JoinError>) -> T {
    task.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
}

impl Kept {
    fn of(record: &Record) -> Self {
        let holder = record.holder.as_ref();
        Self {
            format: FORMAT,
            state: state_name(record.state).to_owned(),
            token: record.token,
            attempts: record.attempts,
            attempt: holder.map(|holder| holder.attempt.clone()),
            host: holder.map(|holder| holder.host.clone()),
            expires: holder.map(|holder| holder.expires.0),
            class: record.class.map(|class| class.name().to_owned()),
            message: record.message.clone(),
            updated: record.updated.0,
        }
    }

    fn encode(&self) -> Vec<u8> {
        // Strings and numbers always serialise.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    fn into_record(self) -> Option<Record> {
        let holder = match (self.attempt, self.host, self.expires) {
            (Some(attempt), Some(host), Some(expires)) => Some(Holder {
                attempt,
                host,
                expires: Millis(expires),
            }),
            _ => None,
        };
        Some(Record {
            state: [State::Running, State::Done, State::Failed]
                .into_iter()
                .find(|state| state_name(*state) == self.state)?,
            token: self.token,
            attempts: self.attempts,
            holder,
            class: match self.class {
                Some(class) => Some(FailureClass::from_name(&class)?),
                None => None,
            },
            message: self.message,
            updated: Millis(self.updated),
        })
    }
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Running => "running",
        State::Done => "done",
        State::Failed => "failed",
    }
}

fn folder_of(shard: u32) -> String {
    format!("{FOLDER}{shard:05}/")
}

fn key(shard: u32, version: u64) -> String {
    format!("{}{version:010}.json", folder_of(shard))
}

fn parse_key(text: &str) -> Option<(u32, u64)> {
    let (shard, version) = text
        .strip_prefix(FOLDER)?
        .strip_suffix(".json")?
        .split_once('/')?;
    let (shard, version) = (shard.parse().ok()?, version.parse().ok()?);
    (key(shard, version) == text && version > 0).then_some((shard, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    use croupier_store::{Directory, Memory, Prefixed};

    async fn conforms(store: Arc<dyn Store>) {
        // Runs of the suite have names that no folder may have.
        let folders: Mutex<Vec<String>> = Mutex::default();
        super::super::conformance::run("conformance", |run, terms| {
            let mut folders = folders.lock().expect("the folders");
            let known = folders.iter().position(|known| known == run);
            let number = known.unwrap_or_else(|| {
                folders.push(run.to_owned());
                folders.len() - 1
            });
            let folder = Prefixed::new(Arc::clone(&store), &format!("run-{number}"));
            let folder = Arc::new(folder.expect("a folder"));
            Arc::new(InStore::new(folder, run, terms).expect("a run"))
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn conforms_in_memory() {
        conforms(Arc::new(Memory::new())).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn conforms_in_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        conforms(Arc::new(Directory::new(folder.path()).unwrap())).await;
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_named() {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        store.put(&key(3, 1), "no record".into()).await.unwrap();
        let tracker = InStore::new(store, "demo", Terms::default()).unwrap();
        let claimant = Claimant {
            attempt: "a".to_owned(),
            host: "here".to_owned(),
        };
        let error = tracker.claim(3, &claimant, 1).await.unwrap_err();
        assert!(error.to_string().contains("shard 3 of demo"), "{error}");
        assert!(!error.is_retryable());
    }
}
