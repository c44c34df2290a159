//! What a run used, added up from the records of its attempts.

use chrono::{DateTime, TimeDelta, Utc};
use croupier_store::Store;
use serde::{Deserialize, Serialize};

use crate::{Attempt, Error};

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
}

impl Attempts {
    pub(crate) async fn read(store: &dyn Store, at_once: usize) -> Result<Self, Error> {
        let mut attempts = Self::default();
        Attempt::each(store, at_once, |attempt| attempts.add(&attempt)).await?;
        Ok(attempts)
    }

    fn add(&mut self, attempt: &Attempt) {
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
            self.first_start = Some(self.first_start.map_or(start, |first| first.min(start)));
            self.last_end = Some(self.last_end.map_or(end, |last| last.max(end)));
        }
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

    pub(crate) fn blocks(&self) -> u64 {
        self.blocks
    }
}
