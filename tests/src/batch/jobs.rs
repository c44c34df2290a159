//! Jobs and the states they are in. Nothing here takes time or starts anything.

use std::collections::{BTreeMap, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;

use super::Start;
use super::definitions::Container;
use super::retry::{Ending, Terms};

/// A job's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Come.
    Submitted,
    /// It waits for another job; or, of an array, children are not at their end.
    Pending,
    /// It waits for a slot.
    Runnable,
    /// Its container is about to be started.
    Starting,
    /// Its process runs.
    Running,
    /// Its process ended with code 0.
    Succeeded,
    /// It ended otherwise, and gets no other attempt.
    Failed,
}

impl Status {
    /// All of them, in the order they come.
    pub const ALL: [Self; 7] = [
        Self::Submitted,
        Self::Pending,
        Self::Runnable,
        Self::Starting,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
    ];

    /// Whether it is the last.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// A job as it was submitted.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its queue.
    pub queue: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// An array's size.
    pub size: Option<u32>,
    /// An array's children by their index; of a plain job, itself.
    pub units: Vec<Unit>,
    pub(super) definition: String,
    pub(super) container: Container,
    pub(super) terms: Terms,
    pub(super) retry_strategy: Value,
    pub(super) depends_on: Vec<String>,
    pub(super) created_at: u64,
    /// So many listings of the queue don't have it yet.
    pub(super) hidden: usize,
    /// The summary that the next view tells.
    pub(super) summary: BTreeMap<Status, u32>,
}

/// What has a state of its own: a plain job, or a child of an array.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its state.
    pub status: Status,
    /// Why it is so.
    pub status_reason: Option<String>,
    /// Its attempts that have begun.
    pub attempts: Vec<Attempt>,
    pub(super) is_terminated: bool,
}

/// One attempt.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// Where its words are.
    pub log_stream: Option<String>,
    /// Its exit code, where it had a process that ended by itself.
    pub exit_code: Option<i32>,
    pub(super) status_reason: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) started_at: Option<u64>,
    pub(super) stopped_at: Option<u64>,
}

impl Job {
    /// Its state; an array's is at its end once all children are.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.size.is_none() {
            return self.units[0].status;
        }
        let is = |status: Status| self.units.iter().any(|unit| unit.status == status);
        match self.units.iter().all(|unit| unit.status.is_terminal()) {
            true if is(Status::Failed) => Status::Failed,
            true => Status::Succeeded,
            false if is(Status::Submitted) => Status::Submitted,
            false => Status::Pending,
        }
    }

    /// How many children are in each state.
    pub(super) fn count(&self) -> BTreeMap<Status, u32> {
        let mut counts: BTreeMap<Status, u32> = Status::ALL.map(|status| (status, 0)).into();
        for unit in &self.units {
            *counts.entry(unit.status).or_default() += 1;
        }
        counts
    }

    /// The id of a unit.
    pub(super) fn unit_id(&self, unit: usize) -> String {
        match self.size {
            Some(_) => format!("{}:{unit}", self.id),
            None => self.id.clone(),
        }
    }
}

/// All jobs.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) jobs: Vec<Job>,
    by_id: HashMap<String, usize>,
    stops: HashMap<(usize, usize), oneshot::Sender<()>>,
}

/// What an attempt needs to begin.
pub(super) struct Begun {
    pub(super) start: Start,
    pub(super) container: Container,
    pub(super) terms: Terms,
    pub(super) log_stream: String,
    pub(super) variables: Vec<(String, String)>,
    pub(super) stop: oneshot::Receiver<()>,
}

impl Book {
    /// Adds a job; returns what may start now.
    pub(super) fn add(&mut self, mut job: Job) -> Vec<(usize, usize)> {
        let at = self.jobs.len();
        job.id = format!(
            "{:08x}-{:04x}-4000-8000-{:012x}",
            now() as u32,
            at % 0x1_0000,
            at
        );
        self.by_id.insert(job.id.clone(), at);
        self.jobs.push(job);
        self.ready()
    }

    /// A job by its id, and which of its children the id means.
    pub(super) fn find(&self, id: &str) -> Option<(usize, Option<usize>)> {
        let (parent, child) = match id.split_once(':') {
            Some((parent, child)) => (parent, Some(child.parse().ok()?)),
            None => (id, None),
        };
        let at = *self.by_id.get(parent)?;
        let job = &self.jobs[at];
        let is_there = child.is_none_or(|child| job.size.is_some() && child < job.units.len());
        is_there.then_some((at, child))
    }

    /// Lets jobs whose dependencies are kept wait for slots, and those whose dependencies failed fail.
    fn ready(&mut self) -> Vec<(usize, usize)> {
        let mut ready = Vec::new();
        for at in 0..self.jobs.len() {
            if !matches!(self.jobs[at].status(), Status::Submitted | Status::Pending) {
                continue;
            }
            let needs = self.jobs[at].depends_on.clone();
            let states: Vec<Status> = needs
                .iter()
                .filter_map(|id| self.find(id))
                .map(|(needed, _)| self.jobs[needed].status())
                .collect();
            for unit in 0..self.jobs[at].units.len() {
                let state = &mut self.jobs[at].units[unit];
                if !matches!(state.status, Status::Submitted | Status::Pending) {
                    continue;
                }
                if states.contains(&Status::Failed) {
                    state.status = Status::Failed;
                    state.status_reason = Some("Dependent Job failed".to_owned());
                } else if states.iter().all(|state| *state == Status::Succeeded) {
                    state.status = Status::Runnable;
                    ready.push((at, unit));
                } else {
                    state.status = Status::Pending;
                }
            }
        }
        ready
    }

    /// Begins an attempt, unless the unit was ended while it waited.
    pub(super) fn begin(&mut self, (at, unit): (usize, usize)) -> Option<Begun> {
        let job = &mut self.jobs[at];
        if job.units[unit].status != Status::Runnable {
            return None;
        }
        let id = job.unit_id(unit);
        let attempt = job.units[unit].attempts.len() + 1;
        let name = job.definition.rsplit('/').next().unwrap_or_default();
        let name = name.split(':').next().unwrap_or_default();
        let log_stream = format!("{name}/default/{at:08x}{unit:08x}{attempt:016x}");
        let state = &mut job.units[unit];
        state.status = Status::Starting;
        state.attempts.push(Attempt::default());
        let mut variables = vec![
            ("AWS_BATCH_JOB_ID".to_owned(), id),
            ("AWS_BATCH_JOB_ATTEMPT".to_owned(), attempt.to_string()),
            ("AWS_BATCH_JQ_NAME".to_owned(), job.queue.clone()),
            (
                "AWS_BATCH_CE_NAME".to_owned(),
                format!("{}-instances", job.queue),
            ),
        ];
        if let Some(size) = job.size {
            variables.push(("AWS_BATCH_JOB_ARRAY_INDEX".to_owned(), unit.to_string()));
            variables.push(("AWS_BATCH_JOB_ARRAY_SIZE".to_owned(), size.to_string()));
        }
        let (tell, stop) = oneshot::channel();
        self.stops.insert((at, unit), tell);
        let job = &self.jobs[at];
        Some(Begun {
            start: Start {
                job_name: job.name.clone(),
                index: job.size.and(u32::try_from(unit).ok()),
                attempt: attempt as u32,
                arguments: job.container.arguments.clone(),
            },
            container: job.container.clone(),
            terms: job.terms.clone(),
            log_stream,
            variables,
            stop,
        })
    }

    /// Its process runs.
    pub(super) fn running(&mut self, (at, unit): (usize, usize), log_stream: &str) {
        let unit = &mut self.jobs[at].units[unit];
        unit.status = Status::Running;
        if let Some(attempt) = unit.attempts.last_mut() {
            attempt.log_stream = Some(log_stream.to_owned());
            attempt.started_at = Some(now());
        }
    }

    /// An attempt has ended; returns what may start now, which may be the same again.
    pub(super) fn end(
        &mut self,
        (at, unit): (usize, usize),
        ending: &Ending,
    ) -> Vec<(usize, usize)> {
        self.stops.remove(&(at, unit));
        let job = &mut self.jobs[at];
        let state = &mut job.units[unit];
        let ending = Ending {
            is_final: ending.is_final || state.is_terminated,
            ..ending.clone()
        };
        if let Some(attempt) = state.attempts.last_mut() {
            attempt.exit_code = ending.exit_code;
            attempt.status_reason = Some(ending.status_reason.clone());
            attempt.reason.clone_from(&ending.reason);
            attempt.stopped_at = Some(now());
        }
        // Of one that was terminated, what was said then stays.
        if !state.is_terminated {
            state.status_reason = Some(ending.status_reason.clone());
        }
        if ending.exit_code == Some(0) && !state.is_terminated {
            state.status = Status::Succeeded;
        } else if job.terms.goes_on(state.attempts.len() as u32, &ending) {
            state.status = Status::Runnable;
            return vec![(at, unit)];
        } else {
            state.status = Status::Failed;
        }
        match self.jobs[at].status().is_terminal() {
            true => self.ready(),
            false => Vec::new(),
        }
    }

    /// Ends a job, or a child, as it was told. `running` ones are told too, unless it is only cancelled.
    pub(super) fn stop(&mut self, at: usize, child: Option<usize>, reason: &str, running: bool) {
        for unit in 0..self.jobs[at].units.len() {
            if child.is_some_and(|child| child != unit) {
                continue;
            }
            let state = &mut self.jobs[at].units[unit];
            let has_begun = matches!(state.status, Status::Starting | Status::Running);
            if state.status.is_terminal() || (has_begun && !running) {
                continue;
            }
            state.is_terminated = true;
            state.status_reason = Some(reason.to_owned());
            if !has_begun {
                state.status = Status::Failed;
            } else if let Some(stop) = self.stops.remove(&(at, unit)) {
                // It may have ended this moment.
                let _ = stop.send(());
            }
        }
        // A dependent of what ended without having begun.
        let _ = self.ready();
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
