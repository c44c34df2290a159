//! Runs one shard: takes what earlier attempts left, does the rest, publishes all of it.

mod publish;
mod record;

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use croupier_compute::engine::{self, Control, Ended, Pool, Work};
use croupier_compute::{Frontier, Grid, Kernel, KernelFailure, Node, Tally};

use crate::inventory::Inventory;
use crate::partial::PartialFormat;
use crate::shard::{Place, ShardContent, ShardReader, holes};
use crate::{Error, Executable, FailedSamplesLimit, Scheduler, StoredRun};

use publish::{publish, witness_blocks};
use record::Record;

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

/// Runs shard `shard` of `run` with `kernel`, which is validated, prepared and of the run's identity.
///
/// May be called for one shard any number of times, anywhere, at once: it publishes the same partial.
///
/// # Errors
///
/// Where the kernel failed ([`Error::Kernel`]), was stopped, or the build is another one; what the
/// store reports. What was finished by then is published where it can be.
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
    options
        .executable
        .claim(&*run.store, options.allow_other_build)
        .await?;
    let there = Inventory::of_shard(run, shard).await?;
    let before = reader.read(there.names_of(shard), &place).await?;

    let limit = options
        .failed_samples
        .unwrap_or(run.manifest.failed_samples);
    let allowed_failures = limit.of(grid.samples_in(place.blocks.clone()));
    if let Some(worked) = worked_before(&before, &place, allowed_failures) {
        return Ok(worked);
    }
    let todo = holes(&before.nodes, place.blocks.clone());
    let blocks_todo: u64 = todo.iter().map(|range| range.end - range.start).sum();
    let blocks_before = place.block_count() - blocks_todo;
    let mut record = Record::start(shard, place.block_count(), blocks_before, options);
    let announced = record.attempt.clone();
    let finishing = async {
        let job = Job {
            grid,
            todo,
            allowed_failures,
            before,
            witness_blocks: witness_blocks(&run.manifest.identity, shard, &place.blocks),
        };
        let seed = run.manifest.identity.seed;
        let finished = job.run(Arc::clone(kernel), seed, options).await;
        let seconds = finished.kernel_seconds;
        let outcome = finished.publish(run, shard, &place, &reader.format, options);
        (outcome.await, seconds)
    };
    // Says that it is running while it is. An attempt explains; that it can't be written stops nothing.
    let (_, (outcome, kernel_seconds)) = tokio::join!(announced.write(&*run.store), finishing);
    let outcome = outcome.map(|worked| Worked {
        blocks_before,
        ..worked
    });
    record.end(&outcome, options.control.blocks(), kernel_seconds);
    let _ = record.attempt.write(&*run.store).await;
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

/// What is to be run, and what need not be.
struct Job<T> {
    grid: Grid,
    todo: Vec<Range<u64>>,
    allowed_failures: u64,
    before: ShardContent<T>,
    witness_blocks: Vec<u64>,
}

/// What an engine left when it ended.
struct Finished<T> {
    ended: Result<Ended, KernelFailure>,
    kernel_seconds: f64,
    nodes: Vec<Node<T>>,
    witnesses: Vec<Node<T>>,
}

impl<T: Tally> Job<T> {
    async fn run<K: Kernel<Tally = T>>(
        self,
        kernel: Arc<K>,
        seed: u64,
        options: &WorkOptions,
    ) -> Finished<T> {
        let (pool, control) = (options.pool.clone(), Arc::clone(&options.control));
        let running = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let failed_before: Vec<(u64, u64)> = self
                .before
                .nodes
                .iter()
                .filter(|node| node.failures.samples > 0)
                .map(|node| (node.first_block, node.failures.samples))
                .collect();
            let frontier = Frontier::with_witnesses(self.witness_blocks);
            for node in self.before.nodes {
                frontier.insert(node);
            }
            let work = Work {
                kernel: &*kernel,
                seed,
                grid: self.grid,
                blocks: &self.todo,
                allowed_failures: self.allowed_failures,
                failed_before: &failed_before,
            };
            let ended = engine::run(&work, &pool, &frontier, &control);
            let kernel_seconds = started.elapsed().as_secs_f64();
            let (nodes, new_witnesses) = frontier.into_parts();
            let mut witnesses = self.before.witnesses;
            witnesses.extend(new_witnesses);
            Finished {
                ended,
                kernel_seconds,
                nodes,
                witnesses,
            }
        });
        running
            .await
            .unwrap_or_else(|failed| match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Finished {
                    ended: Ok(Ended::Stopped),
                    kernel_seconds: 0.0,
                    nodes: Vec::new(),
                    witnesses: Vec::new(),
                },
            })
    }
}

impl<T: Tally> Finished<T> {
    /// Publishes what there is, however the engine ended.
    async fn publish(
        self,
        run: &StoredRun,
        shard: u32,
        place: &Place,
        format: &PartialFormat<T>,
        options: &WorkOptions,
    ) -> Result<Worked, Error> {
        let failed_samples = self.nodes.iter().map(|node| node.failures.samples).sum();
        let mut name = None;
        let mut published = Ok(());
        if !self.nodes.is_empty() {
            match publish(
                run,
                shard,
                format,
                self.nodes,
                self.witnesses,
                &options.executable,
            )
            .await
            {
                Ok(written) => name = Some(written),
                Err(error) => published = Err(error),
            }
        }
        self.ended?;
        published?;
        let planned = place.block_count();
        match name {
            Some(name) if name.blocks == planned => Ok(Worked {
                partial: name.key(),
                blocks: planned,
                blocks_before: 0,
                failed_samples,
                kernel_seconds: self.kernel_seconds,
            }),
            name => Err(Error::Stopped {
                done: name.map_or(0, |name| name.blocks),
                planned,
            }),
        }
    }
}
