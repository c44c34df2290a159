//! Runs one shard: takes what earlier attempts left, does the rest, publishes all of it.

use std::sync::Arc;
use std::time::Instant;

use chrono::{SecondsFormat, Utc};
use croupier_compute::engine::{self, Control, Ended, Pool, Work};
use croupier_compute::{Frontier, Kernel, Node};
use croupier_store::Store;

use crate::content::content_digest;
use crate::inventory::Inventory;
use crate::layout::PartialName;
use crate::random::random_id;
use crate::shard::{Place, ShardReader, holes};
use crate::{
    Attempt, AttemptState, Error, Executable, FailedSamplesLimit, Machine, Scheduler, StoredRun,
};

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
    let blocks = grid.shard(shard - segment.first_shard, segment.shards);
    let place = Place {
        grid,
        blocks: blocks.clone(),
    };
    let reader = ShardReader::<K::Tally>::new(run, false)?;
    options
        .executable
        .claim(&*run.store, options.allow_other_build)
        .await?;

    let there = Inventory::of_shard(run, shard).await?;
    let before = reader.read(there.names_of(shard), &place).await?;
    let todo = holes(&before.nodes, blocks.clone());
    let count = place.block_count();
    let blocks_todo: u64 = todo.iter().map(|range| range.end - range.start).sum();
    let limit = options
        .failed_samples
        .unwrap_or(run.manifest.failed_samples);
    let allowed_failures = limit.of(grid.samples_in(blocks.clone()));
    let failed_before: Vec<(u64, u64)> = before
        .nodes
        .iter()
        .filter(|node| node.failures.samples > 0)
        .map(|node| (node.first_block, node.failures.samples))
        .collect();
    let samples_failed_before: u64 = failed_before.iter().map(|(_, samples)| samples).sum();
    // Of those that say the same it is the first. Where more failed in it than may now, the engine
    // finds out which sample was one too many.
    if samples_failed_before <= allowed_failures
        && let Some(complete) = before.sources.first()
        && complete.blocks == count
    {
        return Ok(Worked {
            partial: complete.key(),
            blocks: count,
            blocks_before: count,
            failed_samples: samples_failed_before,
            kernel_seconds: 0.0,
        });
    }
    let frontier = Arc::new(Frontier::with_witnesses(witness_blocks(
        run, shard, &blocks,
    )));
    for node in before.nodes {
        frontier.insert(node);
    }
    let mut witnesses = before.witnesses;

    let mut record = Record::start(shard, count, count - blocks_todo, options);
    let engine = {
        let (kernel, frontier) = (Arc::clone(kernel), Arc::clone(&frontier));
        let (pool, control) = (options.pool.clone(), Arc::clone(&options.control));
        let seed = run.manifest.identity.seed;
        tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let work = Work {
                kernel: &*kernel,
                seed,
                grid,
                blocks: &todo,
                allowed_failures,
                failed_before: &failed_before,
            };
            let ended = engine::run(&work, &pool, &frontier, &control);
            (ended, started.elapsed().as_secs_f64())
        })
    };
    // Says that it is running while it is. An attempt explains; that it can't be written stops nothing.
    let announced = record.attempt.clone();
    let (_, engine) = tokio::join!(announced.write(&*run.store), engine);
    let (ended, kernel_seconds) = engine.unwrap_or_else(|failed| match failed.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => (Ok(Ended::Stopped), 0.0),
    });

    let (nodes, new_witnesses) = match Arc::try_unwrap(frontier) {
        Ok(frontier) => frontier.into_parts(),
        Err(shared) => shared.snapshot(),
    };
    witnesses.extend(new_witnesses);
    let failed_samples = nodes.iter().map(|node| node.failures.samples).sum();
    let done: u64 = nodes.iter().map(|node| 1 << node.level).sum();
    let published = if nodes.is_empty() {
        Ok(None)
    } else {
        publish(run, shard, &reader, nodes, witnesses, &options.executable)
            .await
            .map(Some)
    };
    let outcome = match (ended, published) {
        (Err(failure), _) => Err(failure.into()),
        (Ok(_), Err(error)) => Err(error),
        (Ok(_), Ok(Some(name))) if done == count => Ok(Worked {
            partial: name.key(),
            blocks: count,
            blocks_before: count - blocks_todo,
            failed_samples,
            kernel_seconds,
        }),
        (Ok(_), Ok(_)) => Err(Error::Stopped {
            done,
            planned: count,
        }),
    };
    record.end(&outcome, options.control.blocks(), kernel_seconds);
    let _ = record.attempt.write(&*run.store).await;
    outcome
}

/// Writes a partial of what is finished.
async fn publish<T: croupier_compute::Tally>(
    run: &StoredRun,
    shard: u32,
    reader: &ShardReader<T>,
    nodes: Vec<Node<T>>,
    mut witnesses: Vec<Node<T>>,
    executable: &Executable,
) -> Result<PartialName, Error> {
    // A block that is a row of its own needs no witness beside it.
    witnesses.retain(|witness| {
        !nodes
            .iter()
            .any(|node| node.level == 0 && node.first_block == witness.first_block)
    });
    witnesses.sort_by_key(|node| node.first_block);
    witnesses.dedup_by_key(|node| node.first_block);
    let encoded = reader.format.encode(&executable.name(), nodes, witnesses)?;
    let name = PartialName {
        shard,
        blocks: encoded.blocks,
        sha256: encoded.sha256,
    };
    run.store.put(&name.key(), encoded.bytes).await?;
    Ok(name)
}

/// The blocks of a shard that are kept as they are: the first, and one that nobody chose.
fn witness_blocks(run: &StoredRun, shard: u32, blocks: &std::ops::Range<u64>) -> Vec<u64> {
    let identity = run.manifest.identity.digest();
    let drawn = content_digest("croupier witness v1", &(identity.to_string(), shard))
        .map(|digest| u64::from_str_radix(&digest.to_string()[..16], 16).unwrap_or_default())
        .unwrap_or_default();
    let count = blocks.end - blocks.start;
    let mut witnesses = vec![blocks.start, blocks.start + drawn % count];
    witnesses.dedup();
    witnesses
}

/// The attempt's record from start to end.
struct Record {
    attempt: Attempt,
    started: Instant,
    cpu_seconds_before: Option<f64>,
}

impl Record {
    fn start(shard: u32, blocks: u64, blocks_before: u64, options: &WorkOptions) -> Self {
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

    fn end(&mut self, outcome: &Result<Worked, Error>, blocks_done: u64, kernel_seconds: f64) {
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
