//! The store that all share, and each one's view of it: where it dies, what it hears late, what its clock says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use croupier_store::{Entry, Error, Memory, Placed, Store};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{Notify, Semaphore};

pub(crate) const RUN: &str = "model";

/// What is stored, and since when. Time is a count of calls, so that it is the same in every repeat.
#[derive(Debug)]
pub(crate) struct Land {
    pub(crate) memory: Memory,
    clock: Mutex<Clock>,
}

#[derive(Debug)]
struct Clock {
    begun: DateTime<Utc>,
    calls: u64,
    /// When a key was first written, in calls.
    since: BTreeMap<String, u64>,
    /// What records say of the time that they were begun at.
    stamps: BTreeMap<String, DateTime<Utc>>,
}

impl Land {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            memory: Memory::new(),
            clock: Mutex::new(Clock {
                begun: Utc::now(),
                calls: 0,
                since: BTreeMap::new(),
                stamps: BTreeMap::new(),
            }),
        })
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap()
    }

    /// The keys of partials and what they hold.
    pub(crate) async fn partials(&self) -> BTreeMap<String, Bytes> {
        self.below("partials/").await
    }

    /// What lies below a folder of the run, by its key there.
    pub(crate) async fn below(&self, folder: &str) -> BTreeMap<String, Bytes> {
        let prefix = format!("{RUN}/");
        let mut found = BTreeMap::new();
        for entry in self
            .memory
            .list(&format!("{prefix}{folder}"))
            .await
            .unwrap()
        {
            let bytes = self.memory.get(&entry.key).await.unwrap();
            found.insert(entry.key[prefix.len()..].to_owned(), bytes);
        }
        found
    }

    /// Flips bits of one byte of an object.
    pub(crate) async fn damage(&self, key: &str, at: u64) {
        let key = format!("{RUN}/{key}");
        let mut bytes = self.memory.get(&key).await.unwrap().to_vec();
        let at = at as usize % bytes.len();
        bytes[at] ^= 0x5a;
        self.memory.put(&key, bytes.into()).await.unwrap();
    }

    /// Makes all that was recorded so far so much older.
    pub(crate) async fn age(&self, by: TimeDelta) {
        let stamps = {
            let mut clock = self.clock();
            clock.stamps.values_mut().for_each(|stamp| *stamp -= by);
            clock.stamps.clone()
        };
        for (key, stamp) in stamps {
            let bytes = self.memory.get(&key).await.unwrap();
            self.memory.put(&key, stamped(&bytes, stamp)).await.unwrap();
        }
    }

    /// What a record is to say of its begin: ours, not the machine's.
    fn stamp(&self, key: &str, bytes: Bytes, skew: TimeDelta) -> Bytes {
        if !key.contains("/attempts/") && !key.contains("/rounds/") {
            return bytes;
        }
        let mut clock = self.clock();
        let now = clock.begun + TimeDelta::milliseconds(clock.calls as i64) + skew;
        let stamp = *clock.stamps.entry(key.to_owned()).or_insert(now);
        stamped(&bytes, stamp)
    }
}

/// A record with the time that it was begun at replaced.
fn stamped(bytes: &[u8], stamp: DateTime<Utc>) -> Bytes {
    let mut text = String::from_utf8(bytes.to_vec()).unwrap();
    let at = ["\"started\": \"", "\"created\": \""]
        .iter()
        .find_map(|field| Some(text.find(field)? + field.len()))
        .expect("a record says when it was begun");
    let stamp = stamp.to_rfc3339_opts(SecondsFormat::Millis, true);
    text.replace_range(at..at + stamp.len(), &stamp);
    text.into()
}

/// What becomes of one who uses the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing.
    Lives,
    /// Dies after so many calls.
    Dies { calls: u64 },
    /// The put of this number, from 1, is done and its answer lost; and dies of it, or is alive and told so.
    Loses { put: u64, dies: bool },
}

/// How somebody sees the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub(crate) fate: Fate,
    /// Lists miss what was written in so many calls, and come in an order of this seed's.
    pub(crate) lag: u64,
    pub(crate) order: u64,
    /// How far its clock is ahead.
    pub(crate) skew_seconds: i64,
    /// From this put on, from 1, nothing gets through until it is released.
    pub(crate) held_at: Option<u64>,
}

impl Sight {
    pub(crate) const CLEAR: Self = Self {
        fate: Fate::Lives,
        lag: 0,
        order: 0,
        skew_seconds: 0,
        held_at: None,
    };
}

/// One user's view of the land.
#[derive(Debug)]
pub(crate) struct View {
    land: Arc<Land>,
    pub(crate) sight: Sight,
    seen: Mutex<Seen>,
    /// Somebody is held up.
    pub(crate) held: Notify,
    gate: Semaphore,
}

/// What a view has seen and done.
#[derive(Debug)]
struct Seen {
    calls: u64,
    puts: u64,
    is_dead: bool,
    order: ChaCha8Rng,
    /// The keys that it wrote.
    landed: Vec<String>,
    /// The partials of its last list.
    partials: Option<BTreeSet<String>>,
}

impl View {
    pub(crate) fn new(land: &Arc<Land>, sight: Sight) -> Arc<Self> {
        Arc::new(Self {
            land: Arc::clone(land),
            sight,
            seen: Mutex::new(Seen {
                calls: 0,
                puts: 0,
                is_dead: false,
                order: ChaCha8Rng::seed_from_u64(sight.order),
                landed: Vec::new(),
                partials: None,
            }),
            held: Notify::new(),
            gate: Semaphore::new(0),
        })
    }

    /// The keys in the run that it wrote.
    pub(crate) fn landed(&self) -> Vec<String> {
        self.seen().landed.clone()
    }

    /// The partials that it was last told of; none where it never asked.
    pub(crate) fn partials(&self) -> Option<BTreeSet<String>> {
        self.seen().partials.clone()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.seen().is_dead
    }

    /// Lets what is held up go on.
    pub(crate) fn release(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    async fn call(&self, key: &str) -> Result<(), Error> {
        // Two that are at work at once take turns. But a worker says that it began beside its work, and what comes
        // first of what it does at once must not be a matter of luck.
        if !key.contains("/attempts/") {
            tokio::task::yield_now().await;
        }
        self.land.clock().calls += 1;
        let mut seen = self.seen();
        seen.calls += 1;
        if matches!(self.sight.fate, Fate::Dies { calls } if seen.calls > calls) {
            seen.is_dead = true;
        }
        if seen.is_dead { Err(gone()) } else { Ok(()) }
    }

    /// Before a put; its number.
    async fn put_begins(&self, key: &str) -> Result<u64, Error> {
        self.call(key).await?;
        let put = {
            let mut seen = self.seen();
            seen.puts += 1;
            seen.puts
        };
        if self.sight.held_at.is_some_and(|held_at| put >= held_at) {
            self.held.notify_one();
            let _open = self.gate.acquire().await.unwrap();
        }
        Ok(put)
    }

    /// After a put.
    fn put_ends(&self, put: u64, key: &str, is_written: bool) -> Result<(), Error> {
        let mut seen = self.seen();
        if is_written {
            let mut clock = self.land.clock();
            let now = clock.calls;
            clock.since.entry(key.to_owned()).or_insert(now);
            let key = key.strip_prefix(RUN).unwrap().trim_start_matches('/');
            seen.landed.push(key.to_owned());
        }
        match self.sight.fate {
            Fate::Loses { put: lost, dies } if put == lost => {
                seen.is_dead |= dies;
                Err(gone())
            }
            _ => Ok(()),
        }
    }
}

/// What a dead one hears; no store says this of its own accord.
fn gone() -> Error {
    Error::Other {
        action: "living".to_owned(),
        target: "this worker".to_owned(),
        reason: "it is gone".to_owned(),
        is_retryable: false,
    }
}

#[async_trait]
impl Store for View {
    fn uri(&self) -> String {
        self.land.memory.uri()
    }

    async fn get(&self, key: &str) -> Result<Bytes, Error> {
        self.call(key).await?;
        self.land.memory.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        self.call(prefix).await?;
        let mut entries = self.land.memory.list(prefix).await?;
        let mut seen = self.seen();
        let clock = self.land.clock();
        entries.retain(|entry| {
            clock
                .since
                .get(&entry.key)
                .is_none_or(|since| since + self.sight.lag <= clock.calls)
        });
        if self.sight.lag > 0 {
            entries.shuffle(&mut seen.order);
        }
        if prefix.contains("/partials/") {
            let in_run = |entry: &Entry| entry.key[RUN.len() + 1..].to_owned();
            seen.partials = Some(entries.iter().map(in_run).collect());
        }
        Ok(entries)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let put = self.put_begins(key).await?;
        let skew = TimeDelta::seconds(self.sight.skew_seconds);
        let bytes = self.land.stamp(key, bytes, skew);
        self.land.memory.put(key, bytes).await?;
        self.put_ends(put, key, true)
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<Placed, Error> {
        let put = self.put_begins(key).await?;
        let bytes = match self.land.memory.get(key).await {
            Ok(_) => bytes,
            Err(_) => {
                let skew = TimeDelta::seconds(self.sight.skew_seconds);
                self.land.stamp(key, bytes, skew)
            }
        };
        let placed = self.land.memory.put_if_absent(key, bytes).await?;
        self.put_ends(put, key, placed == Placed::Written)?;
        Ok(placed)
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        self.call(key).await?;
        self.land.clock().since.remove(key);
        self.land.memory.delete(key).await
    }
}
