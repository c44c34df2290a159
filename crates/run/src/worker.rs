//! Runs one shard: takes what earlier attempts left, does the rest, publishes all of it.
//!
//! It publishes what is finished by the clock too, so that a death costs what was done since: any set of
//! finished nodes is a partial like any other, and a later attempt does the rest.

mod bench;
mod checkpoints;
mod perform;
mod publish;
mod record;

use std::sync::Arc;
use std::time::{Duration, Instant};

use croupier_compute::engine::{Control, Ended, Pool};
use croupier_compute::{Kernel, KernelFailure, Tally};

use crate::inventory::Inventory;
use crate::partial::PartialFormat;
use crate::shard::{Place, ShardContent, ShardReader, holes};
use crate::{Error, Executable, FailedSamplesLimit, Scheduler, StopOrder, StoredRun, started};

use bench::{Bench, Job};
use checkpoints::Timer;
use publish::{publish, witness_blocks};
use record::Record;

pub use checkpoints::Checkpoints;
pub use perform::perform;

/// What a worker is given besides its shard.
#[derive(Clone, Debug)]
pub struct WorkOptions {
    /// The threads.
    pub pool: Pool,
    /// What settled how many there are.
    pub threads_source: String,
    /// This program.
    pub executable: Executable,
    /// Whether to work on a run that another build began.
    pub allow_other_build: bool,
    /// How many samples may fail; none for what was planned.
    pub failed_samples: Option<FailedSamplesLimit>,
    /// What a scheduler calls this attempt.
    pub scheduler: Option<Scheduler>,
    /// The attempt's id, where somebody else has to know it; drawn if left out.
    pub attempt: Option<String>,
    /// When to publish before all is done.
    pub checkpoints: Checkpoints,
    /// Lets others see how far it is, and stop it.
    pub control: Arc<Control>,
}

/// How a worker ended well.
#[derive(Clone, Debug, PartialEq)]
pub struct Worked {
    /// The partial that has all of the shard.
    pub partial: String,
    /// Blocks of the shard.
    pub blocks: u64,
    /// Of these, blocks that earlier attempts had published. Where it is all, nothing was run.
    pub blocks_before: u64,
    /// Samples that failed and were left out.
    pub failed_samples: u64,
    /// Seconds spent running blocks.
    pub kernel_seconds: f64,
}

/// How long blocks in hand are waited for when a worker is stopped. Longer ones are dropped.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs shard `shard` of `run` with `kernel`, which is validated, prepared and of the run's identity.
///
/// May be called for one shard any number of times, anywhere, at once: it publishes the same partial.
/// (Unless the run is planned at most once: then the first call has the shard for good.) When it is told
/// to stop, by [`WorkOptions::control`] or the time, it publishes what is finished within seconds.
///
/// # Errors
///
/// Where the kernel failed ([`Error::Kernel`]), this worker or the run was stopped, or the build is
/// another one; what the store reports. What was finished by then is published where it can be.
pub async fn work<K: Kernel>(
    run: &StoredRun,
    kernel: &Arc<K>,
    shard: u32,
    options: &WorkOptions,
) -> Result<Worked, Error> {
    run.manifest.identity.check_program::<K>()?;
    let (segment, grid) = run.segment_of(shard)?;
    let place = Place {
        grid,
        blocks: grid.shard(shard - segment.first_shard, segment.shards),
    };
    let reader = ShardReader::<K::Tally>::new(run, false)?;
    if let Some(order) = run.stop_order().await? {
        return Err(run.stopped_by(order));
    }
    let mut record = Record::new(shard, place.block_count(), options);
    options
        .executable
        .claim(&*run.store, options.allow_other_build)
        .await?;
    let there = Inventory::of_shard(run, shard).await?;
    let before = reader.read(there.names_of(shard), &place).await?;

    let limit = options
        .failed_samples
        .unwrap_or(run.manifest.failed_samples);
    let allowed_failures = limit.of(run.samples());
    if let Some(worked) = worked_before(&before, &place, allowed_failures) {
        return Ok(worked);
    }
    let todo = holes(&before.nodes, place.blocks.clone());
    let blocks_todo: u64 = todo.iter().map(|range| range.end - range.start).sum();
    let blocks_before = place.block_count() - blocks_todo;
    record.attempt.blocks_before = blocks_before;
    let announced = record.attempt.clone();
    // Last, since nothing takes it back.
    if run.manifest.at_most_once {
        started::claim(run, shard, &record.attempt.id).await?;
    }
    let job = Job {
        grid,
        seed: run.manifest.identity.seed,
        todo,
        allowed_failures,
        before,
        witness_blocks: witness_blocks(&run.manifest.identity, shard, &place.blocks),
    };
    let bench = Bench::start(
        job,
        Arc::clone(kernel),
        options.pool.clone(),
        Arc::clone(&options.control),
    )?;
    let mut worker = Worker {
        run,
        shard,
        format: &reader.format,
        options,
        bench,
        record,
        published: None,
    };
    // Says that it is running while it is. An attempt explains; that it can't be written stops nothing.
    let (_, outcome) = tokio::join!(announced.write(&*run.store), worker.attend(&place));
    let outcome = outcome.map(|worked| Worked {
        blocks_before,
        ..worked
    });
    if run.manifest.policy.fail_fast
        && let Err(error) = &outcome
        && !matches!(error, Error::Stopped { .. } | Error::RunStopped { .. })
    {
        // That the others go on for lack of this word is no worse than the failure it is about.
        let _ = run
            .stop(Some(shard), format!("shard {shard} failed: {error}"))
            .await;
    }
    worker.record.end(&outcome);
    let _ = worker.record.attempt.write(&*run.store).await;
    outcome
}

/// What an earlier attempt did, where that was all.
fn worked_before<T>(
    before: &ShardContent<T>,
    place: &Place,
    allowed_failures: u64,
) -> Option<Worked> {
    // Of several that say the same it is the first.
    let complete = before.sources.first()?;
    let failed_samples = before.nodes.iter().map(|node| node.failures.samples).sum();
    // Where more failed in it than may now, the engine finds out which sample is one too many.
    (complete.blocks == place.block_count() && failed_samples <= allowed_failures).then(|| Worked {
        partial: complete.key(),
        blocks: complete.blocks,
        blocks_before: complete.blocks,
        failed_samples,
        kernel_seconds: 0.0,
    })
}

/// A worker whose engine is running.
struct Worker<'a, T> {
    run: &'a StoredRun,
    shard: u32,
    format: &'a PartialFormat<T>,
    options: &'a WorkOptions,
    bench: Bench<T>,
    record: Record,
    /// What was published last.
    published: Option<Published>,
}

/// A partial that is in the store.
#[derive(Clone, Debug)]
struct Published {
    key: String,
    blocks: u64,
    failed_samples: u64,
}

/// Why the engine is no longer waited for.
enum End {
    /// It ended by itself.
    Engine(Result<Ended, KernelFailure>),
    /// The run was stopped.
    Order(StopOrder),
    /// The store will take nothing more.
    Store(Error),
}

impl<T: Tally> Worker<'_, T> {
    /// Publishes by the clock until the engine ends, and then what there is, however it ended.
    async fn attend(&mut self, place: &Place) -> Result<Worked, Error> {
        let end = self.wait().await;
        if !matches!(end, End::Engine(_)) {
            self.options.control.stop();
        }
        self.record
            .progress(self.options.control.blocks(), self.bench.seconds());
        let published = self.publish().await;
        match end {
            End::Engine(ended) => ended?,
            End::Order(order) => return Err(self.run.stopped_by(order)),
            End::Store(error) => return Err(error),
        };
        published?;
        let planned = place.block_count();
        match self.published.take() {
            Some(published) if published.blocks == planned => Ok(Worked {
                partial: published.key,
                blocks: planned,
                blocks_before: 0,
                failed_samples: published.failed_samples,
                kernel_seconds: self.bench.seconds(),
            }),
            published => Err(Error::Stopped {
                done: published.map_or(0, |published| published.blocks),
                planned,
            }),
        }
    }

    /// Waits for the engine, through checkpoints.
    async fn wait(&mut self) -> End {
        let control = Arc::clone(&self.options.control);
        let mut timer = Timer::new(&self.options.checkpoints);
        let stop_at = self.options.checkpoints.stop_at;
        loop {
            tokio::select! {
                biased;
                ended = self.bench.end() => return End::Engine(ended),
                () = stopped(&control, stop_at) => return self.stop().await,
                () = tokio::time::sleep_until(timer.next().into()) => {}
            }
            // One that hangs in a slow store must not keep the worker from ending in time.
            let outcome = tokio::select! {
                biased;
                () = stopped(&control, stop_at) => return self.stop().await,
                outcome = self.checkpoint(&mut timer) => outcome,
            };
            timer.set();
            match outcome {
                Ok(None) => {}
                Ok(Some(order)) => return End::Order(order),
                // What was not published now is published with the next one.
                Err(error) if error.is_retryable() => {}
                Err(error) => return End::Store(error),
            }
        }
    }

    /// Ends the engine, and waits a while for what the threads have in hand, since it is often almost done.
    async fn stop(&mut self) -> End {
        self.options.control.stop();
        let ended = tokio::time::timeout(PATIENCE, self.bench.end()).await;
        End::Engine(ended.unwrap_or(Ok(Ended::Stopped)))
    }

    /// Publishes what is finished, says that it is alive, and looks whether the run was stopped.
    async fn checkpoint(&mut self, timer: &mut Timer) -> Result<Option<StopOrder>, Error> {
        let mut published = Ok(());
        if timer.may_publish() {
            let began = Instant::now();
            published = self.publish().await;
            if published.is_ok() {
                timer.published(began.elapsed());
            }
        }
        self.record
            .progress(self.options.control.blocks(), self.bench.seconds());
        let _ = self.record.attempt.write(&*self.run.store).await;
        let order = self.run.stop_order().await?;
        published?;
        Ok(order)
    }

    /// Publishes what is finished, where that is more than the last time.
    async fn publish(&mut self) -> Result<(), Error> {
        let (nodes, witnesses) = self.bench.finished();
        let blocks: u64 = nodes.iter().map(|node| 1u64 << node.level).sum();
        if blocks == 0
            || self
                .published
                .as_ref()
                .is_some_and(|last| last.blocks == blocks)
        {
            return Ok(());
        }
        let failed_samples = nodes.iter().map(|node| node.failures.samples).sum();
        let executable = &self.options.executable;
        let name = publish(
            self.run,
            self.shard,
            self.format,
            nodes,
            witnesses,
            executable,
        )
        .await?;
        self.published = Some(Published {
            key: name.key(),
            blocks: name.blocks,
            failed_samples,
        });
        Ok(())
    }
}

/// Returns once `control` was told to stop, or at `stop_at`. The engine mostly ends by itself soon after the first; this
/// is for blocks that take long.
async fn stopped(control: &Control, stop_at: Option<Instant>) {
    const LOOK_EVERY: Duration = Duration::from_millis(50);
    while !control.is_stopped() && stop_at.is_none_or(|at| Instant::now() < at) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
