//! What works on shards in this process: threads, progress, signals, the clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use croupier_compute::engine::{Control, Pool};
use croupier_fleet::{attempt, deadline};
use croupier_run::{
    Checkpoints, Executable, FailedSamplesLimit, Scheduler, StoredRun, WorkOptions, Worked,
};

use crate::exit::Exit;
use crate::flags::WorkFlags;
use crate::kind::Instance;
use crate::progress::Progress;
use crate::supervise::is_supervised;
use crate::threads::{self, Processors, Threads};
use crate::{CliError, environment, show};

/// The threads and the program that work on shards, one after the other.
pub(crate) struct Worker {
    pub(crate) threads: Threads,
    attempt: String,
    options: WorkOptions,
    show_progress: bool,
}

impl Worker {
    /// Takes threads, and notes when the process was told to be gone.
    pub(crate) fn new(flags: &WorkFlags, scheduler: Option<Scheduler>) -> Result<Self, CliError> {
        let threads = threads::choose(flags.threads, &environment::variable, Processors::here())?;
        let attempt = match environment::variable(ATTEMPT) {
            Some(attempt) if is_supervised() => attempt,
            _ => format!("{:016x}", croupier_run::drawn_seed()?),
        };
        let control = Arc::new(Control::new());
        tokio::spawn(stop_when_asked(Arc::clone(&control)));
        let options = WorkOptions {
            pool: Pool::new(threads.count)?,
            threads_source: threads.source.clone(),
            executable: Executable::current().map_err(|error| CliError::System {
                what: "this program's own file can't be read",
                error,
            })?,
            allow_other_build: flags.allow_other_build,
            failed_samples: None,
            scheduler,
            attempt: Some(attempt.clone()),
            checkpoints: Checkpoints {
                every: flags.checkpoint,
                stop_at: stop_at(flags.deadline),
            },
            control,
        };
        Ok(Self {
            threads,
            attempt,
            options,
            show_progress: !flags.no_progress,
        })
    }

    /// The id of this attempt.
    pub(crate) fn attempt(&self) -> &str {
        &self.attempt
    }

    /// Whether it was told to end, or is out of time.
    pub(crate) fn is_stopped(&self) -> bool {
        let stop_at = self.options.checkpoints.stop_at;
        self.options.control.is_stopped() || stop_at.is_some_and(|at| at <= Instant::now())
    }

    pub(crate) fn say_threads(&self) {
        eprintln!("{} threads: {}", self.threads.count, self.threads.source);
    }

    /// Works on one shard, shows progress, and stops in time when asked to.
    pub(crate) async fn work_on(
        &self,
        run: &StoredRun,
        kernel: &dyn Instance,
        shard: u32,
        failed_samples: Option<FailedSamplesLimit>,
    ) -> Result<Worked, CliError> {
        let (_, samples) = size(run, shard)?;
        let what = if run.shards() == 1 {
            run.manifest.identity.kernel.clone()
        } else {
            format!("shard {shard}")
        };
        let _progress = self.progress(samples, what);
        let options = self.options(failed_samples);
        Ok(kernel.work(run, shard, &options).await?)
    }

    /// Works on all shards from `first` on, one after the other, as [`work_on`](Self::work_on) does on one. Where the kernel fails in
    /// one, the others go on, unless the policy is to fail fast; gives the failures.
    pub(crate) async fn work_on_all(
        &self,
        run: &StoredRun,
        kernel: &dyn Instance,
        first: u32,
        failed_samples: Option<FailedSamplesLimit>,
    ) -> Result<Vec<CliError>, CliError> {
        let (mut planned, mut samples) = (0, 0);
        for shard in first..run.shards() {
            let size = size(run, shard)?;
            (planned, samples) = (planned + size.0, samples + size.1);
        }
        let _progress = self.progress(samples, run.manifest.identity.kernel.clone());
        let options = self.options(failed_samples);
        let mut done = 0;
        let mut failures = Vec::new();
        for shard in first..run.shards() {
            // A worker that had its last block in hand ends well all the same.
            if self.is_stopped() {
                return Err(croupier_run::Error::Stopped { done, planned }.into());
            }
            match kernel.work(run, shard, &options).await {
                Ok(worked) => done += worked.blocks,
                Err(error) => {
                    let error = advise(error.into(), run);
                    let goes_on = run.shards() > 1 && !run.manifest.policy.fail_fast;
                    // What else fails here, such as the store, fails for the next shard too.
                    if !goes_on || error.exit() != Exit::KernelFailed {
                        return Err(error);
                    }
                    failures.push(error);
                }
            }
        }
        Ok(failures)
    }

    fn options(&self, failed_samples: Option<FailedSamplesLimit>) -> WorkOptions {
        WorkOptions {
            failed_samples,
            ..self.options.clone()
        }
    }

    fn progress(&self, samples: u64, what: String) -> Option<Progress> {
        let control = Arc::clone(&self.options.control);
        self.show_progress
            .then(|| Progress::show(control, samples, what))
    }
}

/// How many blocks and samples a shard has.
fn size(run: &StoredRun, shard: u32) -> Result<(u64, u64), CliError> {
    let (segment, grid) = run.segment_of(shard)?;
    let blocks = grid.shard(shard - segment.first_shard, segment.shards);
    Ok((blocks.end - blocks.start, grid.samples_in(blocks)))
}

/// The variable by which a supervising parent names the attempt.
/// Not of the form that flags' variables have.
pub(crate) const ATTEMPT: &str = "_CROUPIER_ATTEMPT";

/// When to stop: some time before the deadline that was given, or that the scheduler tells.
fn stop_at(given: Option<Duration>) -> Option<Instant> {
    let told = deadline::time_left(&environment::variable, Utc::now().timestamp());
    let left = given.into_iter().chain(told).min()?;
    // What is left at the end is for publishing.
    const LAST_WORDS: Duration = Duration::from_secs(30);
    let work = left.saturating_sub(LAST_WORDS.min(left / 10));
    eprintln!(
        "stopping in {}, before the deadline",
        show::seconds(work.as_secs_f64())
    );
    Instant::now().checked_add(work)
}

/// Waits for SIGTERM or SIGINT; a second one ends the process at once.
async fn stop_when_asked(control: Arc<Control>) {
    if told_to_stop().await.is_none() {
        return;
    }
    eprintln!("stopping: what is finished is published");
    control.stop();
    exit_when_told_again().await;
}

/// Ends the process at the next SIGTERM or SIGINT. What comes within a second is one word said twice, as where a
/// scheduler tells all processes of a job and this one's parent hands it on.
pub(crate) async fn exit_when_told_again() {
    const ONE_WORD: Duration = Duration::from_secs(1);
    let told = Instant::now();
    while told_to_stop().await.is_some() {
        if told.elapsed() > ONE_WORD {
            std::process::exit(Exit::Stopped.code().into());
        }
    }
}

/// Waits for SIGTERM or SIGINT; none where the system has neither.
pub(crate) async fn told_to_stop() -> Option<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).ok()?;
        tokio::select! {
            told = terminate.recv() => told,
            told = tokio::signal::ctrl_c() => told.ok(),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.ok()
}

/// What the scheduler says of this attempt.
pub(crate) fn scheduler() -> Option<Scheduler> {
    attempt::attempt(&environment::variable).map(|attempt| Scheduler {
        name: attempt.scheduler.name().to_owned(),
        job: attempt.job_id,
        attempt: attempt.number.map(|number| number.to_string()),
    })
}

/// Adds the line that repeats a kernel's failure.
pub(crate) fn advise(error: CliError, run: &StoredRun) -> CliError {
    match error {
        CliError::Run(error) => {
            let croupier_run::Error::Kernel(failure) = &error else {
                return CliError::Run(error);
            };
            let program = environment::program();
            let what = match failure {
                croupier_compute::KernelFailure::Sample { sample, .. } => {
                    format!("--sample {sample}")
                }
                failure => format!("--block {}", failure.block()),
            };
            let advice = format!(
                "to repeat it:\n  {program} replay --run {} {what}",
                run.uri()
            );
            CliError::Advised { error, advice }
        }
        other => other,
    }
}
