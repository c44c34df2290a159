//! What a run used, added up from the records of its attempts.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use croupier_store::Store;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use super::missingness::Trouble;
use crate::tasks::{batch_size, batches, in_tasks};
use crate::{AttemptState, Error, layout};

/// What all attempts used together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time, in hours.
    pub cpu_hours: f64,
    /// Time of workers from start to end, in hours, however many threads they had.
    pub wall_hours: f64,
    /// How many workers were started and found something to do.
    pub attempts: u64,
}

/// The sums over a run's attempts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    pub(crate) usage: Usage,
    first_start: Option<DateTime<Utc>>,
    last_end: Option<DateTime<Utc>>,
    blocks: u64,
    thread_seconds: f64,
    fewest_blocks_for_threads: Option<(u32, u64, usize)>,
    mixture: Mixture,
    /// By shard.
    facts: Vec<AttemptFacts>,
}

/// On what the attempts ran that finished blocks, as far as it can change a last bit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mixture {
    /// Processors, by model.
    pub(crate) cpus: BTreeSet<String>,
    /// Builds of the C library's functions.
    pub(crate) libms: BTreeSet<String>,
}

impl Mixture {
    /// More than these say no more, whatever records hold.
    const MOST: usize = 8;

    fn add<'a>(
        &mut self,
        cpus: impl Iterator<Item = &'a str>,
        libms: impl Iterator<Item = &'a str>,
    ) {
        for cpu in cpus {
            insert(&mut self.cpus, cpu);
        }
        for libm in libms {
            insert(&mut self.libms, libm);
        }
    }

    /// Whether one and the same function may have had two results.
    pub(crate) fn is_mixed(&self) -> bool {
        self.cpus.len() > 1 || self.libms.len() > 1
    }
}

fn insert(names: &mut BTreeSet<String>, name: &str) {
    if names.len() < Mixture::MOST && !names.contains(name) {
        names.insert(name.to_owned());
    }
}

/// What is kept of each attempt, to compare those that were in trouble with the rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptFacts {
    pub(crate) shard: u32,
    /// How it ended; running, where it is believed to be.
    pub(crate) state: AttemptState,
    /// Blocks it ran.
    pub(crate) blocks: u64,
    /// Seconds in which it ran blocks, by its last word; 0 where it is not known.
    pub(crate) kernel_seconds: f32,
    pub(crate) threads: u32,
    /// The most memory it held; 0 where it is not known.
    pub(crate) memory_bytes: f32,
}

/// How many records one task reads at most.
const LONGEST_BATCH: usize = 16;

/// What of an attempt's record is added up; a reducer reads as many of these as of partials.
#[derive(Deserialize)]
struct Sums<'a> {
    shard: u32,
    state: AttemptState,
    memory_peak_bytes: Option<u64>,
    #[serde(borrow)]
    started: Cow<'a, str>,
    seconds: f64,
    kernel_seconds: f64,
    cpu_seconds: Option<f64>,
    threads: usize,
    blocks: u64,
    blocks_done: u64,
    #[serde(default)]
    cpu: Option<Cow<'a, str>>,
    #[serde(default)]
    libm: Option<Cow<'a, str>>,
}

impl Attempts {
    /// Adds up all records, in the order of their keys: by shard. One that can't be read is left
    /// out: it explains nothing.
    pub(crate) async fn read(store: &Arc<dyn Store>, at_once: usize) -> Result<Self, Error> {
        let mut attempts = Self::default();
        let entries = store.list(layout::ATTEMPTS).await?;
        let batch_size = batch_size(entries.len(), at_once, LONGEST_BATCH);
        let reading = batches(entries.into_iter(), batch_size).map(|batch| {
            let store = Arc::clone(store);
            async move {
                let mut sums = Self::default();
                for entry in batch {
                    match store.get(&entry.key).await {
                        Ok(bytes) => {
                            if let Ok(record) = serde_json::from_slice(&bytes) {
                                sums.add(&record);
                            }
                        }
                        Err(croupier_store::Error::NotFound { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(sums)
            }
        });
        let mut batches = pin!(in_tasks(reading, at_once));
        while let Some(sums) = batches.next().await {
            attempts.merge(&sums?);
        }
        Ok(attempts)
    }

    fn add(&mut self, attempt: &Sums<'_>) {
        self.facts.push(AttemptFacts {
            shard: attempt.shard,
            state: attempt.state,
            blocks: attempt.blocks_done,
            kernel_seconds: attempt.kernel_seconds as f32,
            threads: attempt.threads as u32,
            memory_bytes: attempt.memory_peak_bytes.unwrap_or(0) as f32,
        });
        if attempt.blocks_done > 0 {
            self.mixture.add(
                attempt.cpu.as_deref().into_iter(),
                attempt.libm.as_deref().into_iter(),
            );
        }
        self.usage.attempts += 1;
        self.usage.wall_hours += attempt.seconds / 3600.0;
        self.usage.cpu_hours += attempt.cpu_seconds.unwrap_or(0.0) / 3600.0;
        self.blocks = self.blocks.saturating_add(attempt.blocks_done);
        self.thread_seconds += attempt.kernel_seconds * attempt.threads as f64;
        if (attempt.blocks as u128) < attempt.threads as u128 {
            self.fewest_blocks_for_threads.get_or_insert((
                attempt.shard,
                attempt.blocks,
                attempt.threads,
            ));
        }
        if let Ok(start) = attempt.started.parse::<DateTime<Utc>>() {
            let end = TimeDelta::try_milliseconds((attempt.seconds * 1e3) as i64)
                .and_then(|elapsed| start.checked_add_signed(elapsed))
                .unwrap_or(start);
            self.first_start = self.first_start.into_iter().chain([start]).min();
            self.last_end = self.last_end.max(Some(end));
        }
    }

    fn merge(&mut self, right: &Self) {
        self.facts.extend_from_slice(&right.facts);
        let [cpus, libms] = [&right.mixture.cpus, &right.mixture.libms];
        self.mixture.add(
            cpus.iter().map(String::as_str),
            libms.iter().map(String::as_str),
        );
        self.usage.attempts += right.usage.attempts;
        self.usage.wall_hours += right.usage.wall_hours;
        self.usage.cpu_hours += right.usage.cpu_hours;
        self.blocks = self.blocks.saturating_add(right.blocks);
        self.thread_seconds += right.thread_seconds;
        self.fewest_blocks_for_threads = self
            .fewest_blocks_for_threads
            .or(right.fewest_blocks_for_threads);
        self.first_start = self.first_start.into_iter().chain(right.first_start).min();
        self.last_end = self.last_end.max(right.last_end);
    }

    /// From the first start to the last end.
    pub(crate) fn seconds(&self) -> f64 {
        self.first_start
            .zip(self.last_end)
            .map_or(0.0, |(start, end)| (end - start).as_seconds_f64())
    }

    /// How long a block took one thread on average; none where too few were run to tell.
    pub(crate) fn block_seconds(&self) -> Option<f64> {
        (self.blocks > 0 && self.thread_seconds > 0.0)
            .then(|| self.thread_seconds / self.blocks as f64)
    }

    /// A shard with fewer blocks than its worker had threads: shard, blocks, threads.
    pub(crate) fn too_few_blocks(&self) -> Option<(u32, u64, usize)> {
        self.fewest_blocks_for_threads
    }

    /// The shards in trouble, those that are `unfinished` among them, and how they compare with the rest.
    pub(crate) fn trouble(&mut self, unfinished: &[u32]) -> Trouble {
        // Keys are in the order of text, where shard 100000 comes before 10001.
        self.facts.sort_by_key(|fact| fact.shard);
        Trouble::of(&self.facts, unfinished)
    }

    pub(crate) fn mixture(&self) -> &Mixture {
        &self.mixture
    }

    pub(crate) fn blocks(&self) -> u64 {
        self.blocks
    }
}
