//! The attempt's record from its start to its end.

use std::time::Instant;

use chrono::{SecondsFormat, Utc};

use crate::random::random_id;
use crate::{Attempt, AttemptState, Error, Machine, WorkOptions, Worked};

/// The attempt's record from start to end.
pub(super) struct Record {
    pub(super) attempt: Attempt,
    started: Instant,
    cpu_seconds_before: Option<f64>,
    /// What the control had counted already, for shards before this one.
    blocks_counted_before: u64,
}

impl Record {
    pub(super) fn new(shard: u32, blocks: u64, options: &WorkOptions) -> Self {
        let machine = Machine::current();
        Self {
            attempt: Attempt {
                shard,
                id: options.attempt.clone().unwrap_or_else(random_id),
                state: AttemptState::Running,
                started: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
                seconds: 0.0,
                kernel_seconds: 0.0,
                cpu_seconds: None,
                memory_peak_bytes: None,
                host: machine.host,
                process: Machine::process(),
                cpu: machine.cpu,
                build: options.executable.name(),
                threads: options.pool.threads(),
                threads_source: options.threads_source.clone(),
                scheduler: options.scheduler.clone(),
                checkpoint_seconds: options.checkpoints.every.as_secs_f64(),
                blocks,
                blocks_before: 0,
                blocks_done: 0,
                error: None,
                superseded_by: None,
                death: None,
            },
            started: Instant::now(),
            cpu_seconds_before: Machine::cpu_seconds(),
            blocks_counted_before: options.control.blocks(),
        }
    }

    /// How far it is.
    pub(super) fn progress(&mut self, blocks_counted: u64, kernel_seconds: f64) {
        let attempt = &mut self.attempt;
        attempt.seconds = self.started.elapsed().as_secs_f64();
        attempt.kernel_seconds = kernel_seconds;
        attempt.blocks_done = blocks_counted.saturating_sub(self.blocks_counted_before);
        attempt.memory_peak_bytes = Machine::memory_peak_bytes();
        attempt.cpu_seconds = Machine::cpu_seconds()
            .zip(self.cpu_seconds_before)
            .map(|(now, before)| now - before);
    }

    pub(super) fn end(&mut self, outcome: &Result<Worked, Error>) {
        let attempt = &mut self.attempt;
        attempt.state = match outcome {
            Ok(_) => AttemptState::Done,
            Err(Error::Stopped { .. } | Error::RunStopped { .. }) => AttemptState::Stopped,
            Err(
                Error::Kernel(_)
                | Error::Task {
                    is_permanent: true, ..
                },
            ) => AttemptState::Kernel,
            Err(_) => AttemptState::Failed,
        };
        attempt.error = outcome.as_ref().err().map(ToString::to_string);
        attempt.seconds = self.started.elapsed().as_secs_f64();
    }
}
