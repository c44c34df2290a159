//! The jobs of a run, as `squeue` lists them.

use std::collections::BTreeSet;

use super::command::query;
use super::{Names, Role};
use crate::engine::EngineError;

/// A job, or one of an array's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// The array's id, or the job's.
    pub(super) id: u64,
    /// Which of the array's it is.
    pub(super) index: Option<u32>,
    pub(super) state: String,
    /// Why it waits, or how it ended.
    pub(super) reason: String,
    pub(super) name: String,
}

/// What there is of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Queue {
    /// With their shards.
    pub(super) jobs: Vec<(u32, Job)>,
    drivers: Vec<Job>,
}

/// The name last, in which there may be anything.
const FORMAT: &str = "%F|%K|%T|%r|%j";

/// Jobs in these states have ended.
const ENDED: [&str; 10] = [
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
];

impl Job {
    pub(super) fn has_ended(&self) -> bool {
        ENDED.contains(&self.state.as_str())
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(5, '|');
        let id = fields.next()?.trim().parse().ok()?;
        // `N/A` where it is no array's.
        let index = fields.next()?.parse().ok();
        let mut text = || Some(fields.next()?.trim().to_owned());
        Some(Self {
            id,
            index,
            state: text()?,
            reason: text()?,
            name: text()?,
        })
    }
}

impl Queue {
    /// What is of this run, and what has ended in the last minutes, which the controller still knows.
    pub(super) async fn look(names: &Names) -> Result<Self, EngineError> {
        let arguments = [
            "--me",
            "--all",
            "--array",
            "--states=all",
            "--noheader",
            "--format",
            FORMAT,
        ];
        Ok(Self::parse(names, &query("squeue", &arguments).await?))
    }

    pub(super) fn parse(names: &Names, text: &str) -> Self {
        let mut queue = Self::default();
        for job in text.lines().filter_map(Job::parse) {
            match names.role(&job.name) {
                Some(Role::Driver) => queue.drivers.push(job),
                Some(Role::Array { .. }) => {
                    queue
                        .jobs
                        .extend(names.shard(&job).map(|shard| (shard, job)));
                }
                None => {}
            }
        }
        queue
    }

    fn at_work(&self) -> impl Iterator<Item = &(u32, Job)> {
        self.jobs.iter().filter(|(_, job)| !job.has_ended())
    }

    /// The shards that are at work, or have been since an earlier look.
    pub(super) fn started_since(&self, before: &Self) -> BTreeSet<u32> {
        let known: BTreeSet<u64> = before.jobs.iter().map(|(_, job)| job.id).collect();
        let is_started = |job: &Job| !job.has_ended() || !known.contains(&job.id);
        let started = self.jobs.iter().filter(|(_, job)| is_started(job));
        started.map(|(shard, _)| *shard).collect()
    }

    /// The shards that are waiting or at work.
    pub(super) fn shards(&self) -> BTreeSet<u32> {
        self.at_work().map(|(shard, _)| *shard).collect()
    }

    /// The ids of arrays that have not ended.
    pub(super) fn arrays(&self) -> BTreeSet<String> {
        self.at_work().map(|(_, job)| job.id.to_string()).collect()
    }

    /// A driver that has yet to begin, or that was submitted since an earlier look. One that was at work then may be
    /// about to end, and is none.
    pub(super) fn driver_since(&self, before: &Self) -> Option<u64> {
        let known: BTreeSet<u64> = before.drivers.iter().map(|job| job.id).collect();
        let is_such = |job: &&Job| job.state == "PENDING" || !known.contains(&job.id);
        self.drivers.iter().find(is_such).map(|job| job.id)
    }
}
