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
}

impl Record {
    pub(super) fn start(
        shard: u32,
        blocks: u64,
        blocks_before: u64,
        options: &WorkOptions,
    ) -> Self {
        let machine = Machine::current();
        Self {
            attempt: Attempt {
                shard,
                id: random_id(),
                state: AttemptState::Running,
                started: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
                seconds: 0.0,
                kernel_seconds: 0.0,
                cpu_seconds: None,
                memory_peak_bytes: None,
                host: machine.host,
                cpu: machine.cpu,
                build: options.executable.name(),
                threads: options.pool.threads(),
                threads_source: options.threads_source.clone(),
                scheduler: options.scheduler.clone(),
                blocks,
                blocks_before,
                blocks_done: 0,
                error: None,
            },
            started: Instant::now(),
            cpu_seconds_before: Machine::cpu_seconds(),
        }
    }

    pub(super) fn end(
        &mut self,
        outcome: &Result<Worked, Error>,
        blocks_done: u64,
        kernel_seconds: f64,
    ) {
        let attempt = &mut self.attempt;
        attempt.state = match outcome {
            Ok(_) => AttemptState::Done,
            Err(Error::Stopped { .. }) => AttemptState::Stopped,
            Err(Error::Kernel(_)) => AttemptState::Kernel,
            Err(_) => AttemptState::Failed,
        };
        attempt.error = outcome.as_ref().err().map(ToString::to_string);
        attempt.seconds = self.started.elapsed().as_secs_f64();
        attempt.kernel_seconds = kernel_seconds;
        attempt.blocks_done = blocks_done;
        attempt.memory_peak_bytes = Machine::memory_peak_bytes();
        attempt.cpu_seconds = Machine::cpu_seconds()
            .zip(self.cpu_seconds_before)
            .map(|(now, before)| now - before);
    }
}
