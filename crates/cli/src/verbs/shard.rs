//! `shard`: one array child's share.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;
use croupier_compute::engine::{Control, Pool};
use croupier_fleet::{Explicit, attempt, index};
use croupier_run::{Executable, FailedSamplesLimit, Scheduler, StoredRun, WorkOptions, Worked};
use rand::TryRng;
use rand::rngs::SysRng;
use serde::Serialize;

use crate::exit::Exit;
use crate::flags::{ShardVerb, WorkFlags};
use crate::kind::{Instance, Kind};
use crate::number::format_count;
use crate::progress::Progress;
use crate::setup::{from_flags, from_run};
use crate::threads::{self, Machine, Threads};
use crate::verbs::plan::place;
use crate::{CliError, environment, run_uri, show};

#[derive(Serialize)]
struct ShardReport {
    run: String,
    shard: u32,
    chosen_by: String,
    partial: String,
    blocks: u64,
    blocks_before: u64,
    failed_samples: u64,
    seconds: f64,
    threads: usize,
    threads_source: String,
}

pub(crate) async fn shard(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &ShardVerb,
) -> Result<Exit, CliError> {
    let (shard, chosen_by) = which(matches, flags)?;
    let worker = Worker::new(&flags.work, scheduler())?;
    if flags.shard.is_none() {
        let store = flags.run.as_deref().filter(|run| run.contains('/'));
        spread_out(shard, store.unwrap_or(&flags.store.store)).await;
    }
    let (run, kernel) = match &flags.run {
        Some(run) => {
            refuse_parameters(kind, matches)?;
            let run = run_uri::open_named(run, &flags.store).await?;
            let options = run_uri::options(&flags.store);
            let kernel = from_run(kind, &run, &flags.plan.input, &options).await?;
            (run, kernel)
        }
        None => {
            if flags.plan.name.is_none() || flags.plan.shards.is_none() {
                return Err(CliError::Usage(
                    "a shard needs to know its run: give --run RUN, or plan here with --name NAME and --shards N, the same for all shards".to_owned(),
                ));
            }
            if flags.plan.seed.is_none() {
                return Err(CliError::Usage(
                    "shards that plan need one --seed, the same for all of them".to_owned(),
                ));
            }
            let planned = from_flags(kind, matches, &flags.plan, &flags.store).await?;
            let (run, _) = place(&planned, &flags.store).await?;
            (run, planned.kernel)
        }
    };
    // Where there is no such shard, that is all there is to say.
    run.segment_of(shard)?;
    worker.say_threads();
    let limit = given(matches, "failed_samples").then_some(flags.plan.failed_samples);
    let worked = worker
        .work(&run, &*kernel, shard, limit)
        .await
        .map_err(|error| advise(error, &run, &environment::arguments()))?;
    let report = ShardReport {
        run: run.uri(),
        shard,
        chosen_by,
        partial: worked.partial,
        blocks: worked.blocks,
        blocks_before: worked.blocks_before,
        failed_samples: worked.failed_samples,
        seconds: worked.kernel_seconds,
        threads: worker.threads.count,
        threads_source: worker.threads.source,
    };
    show::print(flags.show.json, &report, |report| {
        let done = match report.blocks_before {
            0 => format!(
                "{} blocks in {}",
                format_count(report.blocks),
                show::seconds(report.seconds)
            ),
            before if before == report.blocks => "was done already".to_owned(),
            before => format!(
                "{} blocks in {}, {} were there",
                format_count(report.blocks - before),
                show::seconds(report.seconds),
                format_count(before)
            ),
        };
        format!("shard {} of {}: {done}", report.shard, report.run)
    });
    Ok(Exit::Done)
}

/// Which shard, and what said so.
fn which(matches: &ArgMatches, flags: &ShardVerb) -> Result<(u32, String), CliError> {
    if let Some(shard) = flags.shard {
        return Ok((shard, format!("--shard {shard}")));
    }
    // Clap has filled --index from CROUPIER_INDEX too, which has its own place in the order.
    let explicit = Explicit {
        index: flags.index.clone().filter(|_| given(matches, "index")),
        from: flags.index_from.clone(),
    };
    let found = index::find(&environment::variable, &explicit)?;
    let shard = u32::try_from(found.index)
        .map_err(|_| CliError::Usage(format!("{}: no run has so many shards", found.source)))?;
    Ok((shard, found.source))
}

fn given(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// With `--run` everything about the run comes from there, and a flag that says otherwise is a mistake.
fn refuse_parameters(kind: &dyn Kind, matches: &ArgMatches) -> Result<(), CliError> {
    let kernel = kind.augment(clap::Command::new("kernel"));
    let parameters = kernel
        .get_arguments()
        .map(|argument| argument.get_id().as_str());
    let plan = [
        "samples", "seed", "shards", "block", "name", "policy", "kwargs",
    ];
    let given: Vec<String> = parameters
        .chain(plan)
        .filter(|id| given(matches, id))
        .map(|id| format!("--{}", id.replace('_', "-")))
        .collect();
    if given.is_empty() {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "with --run, the parameters and the plan are the run's: leave out {}",
        given.join(", ")
    )))
}

/// Ten thousand children that start in one moment would ask for the same objects in one moment, and
/// be told to slow down. So they go one after the other by their index, with jitter, at a pace that
/// one prefix of a bucket takes; the last of ten thousand waits two seconds. An index that is none of
/// this run's may be huge, and is found out about after ten seconds at most. A directory needs none.
async fn spread_out(shard: u32, store: &str) {
    const STARTS_PER_SECOND: f64 = 5000.0;
    const AT_ONCE: u32 = 50_000;
    if store.starts_with("s3://") {
        let drawn = SysRng.try_next_u32().unwrap_or_else(|_| std::process::id());
        let jitter = f64::from(drawn) / f64::from(u32::MAX);
        let wait = (f64::from(shard % AT_ONCE) + jitter) / STARTS_PER_SECOND;
        tokio::time::sleep(Duration::from_secs_f64(wait)).await;
    }
}

fn scheduler() -> Option<Scheduler> {
    attempt::attempt(&environment::variable).map(|attempt| Scheduler {
        name: attempt.scheduler.name().to_owned(),
        job: attempt.job_id,
        attempt: attempt.number.map(|number| number.to_string()),
    })
}

/// The threads and the program that work on shards.
pub(crate) struct Worker {
    pub(crate) threads: Threads,
    pool: Pool,
    executable: Executable,
    scheduler: Option<Scheduler>,
    allow_other_build: bool,
    show_progress: bool,
}

impl Worker {
    pub(crate) fn new(flags: &WorkFlags, scheduler: Option<Scheduler>) -> Result<Self, CliError> {
        let threads = threads::choose(flags.threads, &environment::variable, Machine::here())?;
        Ok(Self {
            pool: Pool::new(threads.count)?,
            threads,
            executable: Executable::current().map_err(|error| CliError::System {
                what: "this program's own file can't be read",
                error,
            })?,
            scheduler,
            allow_other_build: flags.allow_other_build,
            show_progress: !flags.no_progress,
        })
    }

    pub(crate) fn say_threads(&self) {
        eprintln!("{} threads: {}", self.threads.count, self.threads.source);
    }

    /// Works on one shard, shows progress, and stops in time when asked to.
    pub(crate) async fn work(
        &self,
        run: &StoredRun,
        kernel: &dyn Instance,
        shard: u32,
        failed_samples: Option<FailedSamplesLimit>,
    ) -> Result<Worked, CliError> {
        let (segment, grid) = run.segment_of(shard)?;
        let samples = grid.samples_in(grid.shard(shard - segment.first_shard, segment.shards));
        let control = Arc::new(Control::new());
        let options = WorkOptions {
            pool: self.pool.clone(),
            threads_source: self.threads.source.clone(),
            executable: self.executable.clone(),
            allow_other_build: self.allow_other_build,
            failed_samples,
            scheduler: self.scheduler.clone(),
            control: Arc::clone(&control),
        };
        let _progress = self.show_progress.then(|| {
            let what = if run.shards() == 1 {
                run.manifest.identity.kernel.clone()
            } else {
                format!("shard {shard}")
            };
            Progress::show(Arc::clone(&control), samples, what)
        });
        let stopper = tokio::spawn(stop_when_asked(control));
        let worked = kernel.work(run, shard, &options).await;
        stopper.abort();
        Ok(worked?)
    }
}

/// Waits for SIGTERM or SIGINT.
async fn stop_when_asked(control: Arc<Control>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            return;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    eprintln!("stopping: blocks in hand are finished, and what is done is published");
    control.stop();
}

/// Adds the line that repeats a kernel's failure.
pub(crate) fn advise(error: CliError, run: &StoredRun, arguments: &[OsString]) -> CliError {
    match error {
        CliError::Run(error) => {
            let croupier_run::Error::Kernel(failure) = &error else {
                return CliError::Run(error);
            };
            let program = arguments
                .first()
                .map_or("program".into(), |name| name.to_string_lossy());
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
