//! Shards as job arrays of Slurm, where an index is a shard's number.
//!
//! All is done by Slurm's own programs, which know the cluster's configuration and who the user is. What was submitted
//! is known by its jobs' names, so that a driver that comes later finds it.

mod array;
mod command;
mod queue;
mod reasons;
mod script;
mod walltime;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use croupier_run::{Digest, Found};

use super::{Engine, EngineError, Reason, WorkerCall};
use crate::driver::Legacy;
use array::{Array, arrays};
use command::{Retries, query, submit};
use queue::{Job, Queue};

pub use walltime::{NoWalltime, Walltime};

/// What jobs are asked for, in `sbatch`'s words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlurmOptions {
    /// `--partition`.
    pub partition: Option<String>,
    /// `--time`, for each shard.
    pub time: Option<Walltime>,
    /// `--cpus-per-task`, which is also a worker's number of threads.
    pub cpus_per_task: u32,
    /// `--mem`.
    pub mem: Option<String>,
    /// `--account`.
    pub account: Option<String>,
    /// `--qos`.
    pub qos: Option<String>,
    /// `--output`.
    pub output: Option<String>,
    /// How many shards run at once: the `%` of `--array`.
    pub array_limit: Option<u32>,
    /// Whatever else `sbatch` is to be called with; it goes before all of the above.
    pub sbatch_arguments: Vec<String>,
}

/// Submits arrays by `sbatch`, and looks at them by `squeue`.
#[derive(Debug)]
pub struct Slurm {
    call: WorkerCall,
    options: SlurmOptions,
    names: Names,
    shards: u32,
    /// Slurm's `MaxArraySize`, once it was asked for: every index is below it.
    largest_array: Option<u32>,
}

/// Where a worker is told to end before Slurm ends it, in seconds.
const SIGNAL_BEFORE_END: u64 = 60;
/// Slurm may send it a minute early. A job that is shorter than this would have little left.
const SHORTEST_WITH_SIGNAL: Duration = Duration::from_secs(600);

impl Slurm {
    /// For `run`, whose workers are called by `call`.
    pub fn new(run: &Found, call: WorkerCall, options: SlurmOptions) -> Self {
        Self {
            call,
            options,
            names: Names::of(run),
            shards: run.shards(),
            largest_array: None,
        }
    }

    async fn queue(&self) -> Result<Queue, EngineError> {
        Queue::look(&self.names).await
    }

    async fn largest_array(&mut self) -> Result<u32, EngineError> {
        if let Some(largest) = self.largest_array {
            return Ok(largest);
        }
        let text = query("scontrol", &["show", "config"]).await?;
        let largest = array::largest(&text).ok_or_else(|| EngineError {
            engine: command::ENGINE,
            what: "reading MaxArraySize of `scontrol show config`".to_owned(),
            reason: "expected a number above 0: without it this cluster has no job arrays"
                .to_owned(),
            is_retryable: false,
        })?;
        self.largest_array = Some(largest);
        Ok(largest)
    }

    /// What arrays and drivers are both submitted with.
    fn arguments(&self, name: &str, cpus: u32) -> Vec<String> {
        let options = &self.options;
        let mut arguments = vec![
            "--parsable".to_owned(),
            // A node that fails costs no round: Slurm starts its shards again, and they go on.
            "--requeue".to_owned(),
        ];
        arguments.extend(options.sbatch_arguments.iter().cloned());
        arguments.push(format!("--job-name={name}"));
        arguments.push(format!("--cpus-per-task={cpus}"));
        let time = options.time.as_ref().map(ToString::to_string);
        let given = [
            ("partition", &options.partition),
            ("time", &time),
            ("mem", &options.mem),
            ("account", &options.account),
            ("qos", &options.qos),
            ("output", &options.output),
        ];
        for (flag, value) in given {
            arguments.extend(value.iter().map(|value| format!("--{flag}={value}")));
        }
        arguments
    }

    async fn submit_array(&self, array: &Array, limit: Option<u32>) -> Result<(), EngineError> {
        let cpus = self.options.cpus_per_task.max(1);
        let mut arguments = self.arguments(&self.names.array(array.offset), cpus);
        arguments.push(match limit {
            Some(limit) => format!("--array={}%{limit}", array.indexes),
            None => format!("--array={}", array.indexes),
        });
        let is_long = |time: &Walltime| time.duration() >= SHORTEST_WITH_SIGNAL;
        let is_ours = |argument: &String| !argument.starts_with("--signal");
        if self.options.time.as_ref().is_none_or(is_long)
            && self.options.sbatch_arguments.iter().all(is_ours)
        {
            arguments.push(format!("--signal=B:TERM@{SIGNAL_BEFORE_END}"));
        }
        submit(&arguments, &self.shard_script(array.offset, cpus)).await?;
        Ok(())
    }

    fn shard_script(&self, offset: u32, cpus: u32) -> String {
        let mut words = self.call.arguments.clone();
        let mut say = |flag: &str, value: String| {
            if !words.iter().any(|word| word == flag) {
                words.extend([flag.to_owned(), value]);
            }
        };
        say("--index-from", "slurm".to_owned());
        say("--threads", cpus.to_string());
        if offset > 0 {
            say("--index-offset", offset.to_string());
        }
        // Not every release of Slurm tells a job when it will end.
        if let Some(time) = &self.options.time {
            say("--deadline", format!("{}s", time.duration().as_secs()));
        }
        script::script(&self.call.program, &words)
    }
}

#[async_trait]
impl Engine for Slurm {
    async fn start(&mut self, shards: &[u32], _round: Option<u32>) -> Result<(), EngineError> {
        let largest = self.largest_array().await?;
        let mut retries = Retries::default();
        let before = self.queue().await?;
        loop {
            // A submission without an answer may have been taken all the same, and have ended since.
            let started = self.queue().await?.started_since(&before);
            let is_idle = |shard: &u32| !started.contains(shard);
            let idle: Vec<u32> = shards.iter().copied().filter(is_idle).collect();
            let arrays = arrays(&idle, largest);
            let share = |limit: u32| (limit / arrays.len().max(1) as u32).max(1);
            let limit = self.options.array_limit.map(share);
            let mut submitted = Ok(());
            for array in &arrays {
                submitted = self.submit_array(array, limit).await;
                if submitted.is_err() {
                    break;
                }
            }
            match submitted {
                Ok(()) => return Ok(()),
                Err(error) => retries.wait_after(error).await?,
            }
        }
    }

    async fn at_work(&mut self) -> Result<BTreeSet<u32>, EngineError> {
        Ok(self.queue().await?.shards())
    }

    async fn cancel(&mut self) -> Result<(), EngineError> {
        let ids = self.queue().await?.arrays();
        if ids.is_empty() {
            return Ok(());
        }
        // What has ended meanwhile is no error.
        let mut arguments = vec!["--quiet"];
        arguments.extend(ids.iter().map(String::as_str));
        query("scancel", &arguments).await?;
        Ok(())
    }

    /// A job that begins when the arrays have ended, however they did. It holds no processor while they work: where it
    /// starts a round, it leaves another such job and ends.
    async fn start_driver(&mut self, arguments: &[String]) -> Result<String, EngineError> {
        let mut words = arguments.to_vec();
        if !words.iter().any(|word| word == HANDED_OVER) {
            // Who calls this first has started all that there was to start.
            let shards = self.shards;
            words.extend([
                HANDED_OVER.to_owned(),
                Legacy { shards, round: 0 }.to_string(),
            ]);
        }
        let script = script::script(&self.call.program, &words);
        let mut retries = Retries::default();
        let before = self.queue().await?;
        loop {
            let queue = self.queue().await?;
            if let Some(driver) = queue.driver_since(&before) {
                return Ok(format!("job {driver}"));
            }
            let mut arguments = self.arguments(&self.names.driver(), 1);
            let arrays = queue.arrays();
            if !arrays.is_empty() {
                let arrays: Vec<String> = arrays.into_iter().collect();
                arguments.push(format!("--dependency=afterany:{}", arrays.join(":")));
            }
            match submit(&arguments, &script).await {
                Ok(id) => return Ok(format!("job {id}")),
                Err(error) => retries.wait_after(error).await?,
            }
        }
    }

    async fn reasons(&mut self) -> Result<Vec<Reason>, EngineError> {
        let largest = self.largest_array().await?;
        reasons::reasons(&self.names, self.shards, largest).await
    }
}

/// The flag of `drive` with what a driver's predecessor left.
const HANDED_OVER: &str = "--handed-over";

/// What the jobs of a run are called: `<run>.<digest of its URI>.s<offset>`, and `.drive` for drivers. Two runs of one
/// name in two stores have two digests.
#[derive(Clone, Debug)]
struct Names {
    prefix: String,
}

/// What a job of a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// An array, whose index i is shard offset + i.
    Array {
        offset: u32,
    },
    Driver,
}

impl Names {
    fn of(run: &Found) -> Self {
        Self::new(run.name(), &run.uri())
    }

    fn new(name: &str, uri: &str) -> Self {
        let digest = Digest::of_bytes(uri.as_bytes()).to_string();
        Self {
            prefix: format!("{name}.{}.", &digest[..8]),
        }
    }

    fn array(&self, offset: u32) -> String {
        format!("{}s{offset}", self.prefix)
    }

    fn driver(&self) -> String {
        format!("{}drive", self.prefix)
    }

    fn role(&self, name: &str) -> Option<Role> {
        let role = name.strip_prefix(&self.prefix)?;
        if role == "drive" {
            return Some(Role::Driver);
        }
        let offset = role.strip_prefix('s')?.parse().ok()?;
        (self.array(offset) == name).then_some(Role::Array { offset })
    }

    /// The shard of a job.
    fn shard(&self, job: &Job) -> Option<u32> {
        match self.role(&job.name)? {
            Role::Array { offset } => offset.checked_add(job.index?),
            Role::Driver => None,
        }
    }
}

#[cfg(test)]
mod tests;
