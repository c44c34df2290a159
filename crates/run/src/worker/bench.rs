//! The engine at work on a shard, on a thread of its own.

use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use croupier_compute::engine::{self, Control, Ended, Pool, Work};
use croupier_compute::{Frontier, Grid, Kernel, KernelFailure, Node, Tally};
use tokio::sync::oneshot;

use crate::Error;
use crate::error::{catch_in_tally, check_fit};
use crate::layout::PartialName;
use crate::shard::ShardContent;

/// What is to be run, and what need not be.
pub(super) struct Job<T> {
    pub(super) grid: Grid,
    pub(super) seed: u64,
    pub(super) todo: Vec<Range<u64>>,
    pub(super) allowed_failures: u64,
    pub(super) before: ShardContent<T>,
    pub(super) witness_blocks: Vec<u64>,
}

/// A job at work. What is finished can be looked at while the rest is run.
pub(super) struct Bench<T> {
    frontier: Arc<Frontier<T>>,
    witnesses_before: Vec<Node<T>>,
    thread: Option<JoinHandle<()>>,
    ended: oneshot::Receiver<Result<Ended, KernelFailure>>,
    started: Instant,
}

impl<T: Tally> Bench<T> {
    /// Begins. The thread ends with the job; where nobody waits for it, with its blocks in hand.
    pub(super) fn start<K: Kernel<Tally = T>>(
        job: Job<T>,
        kernel: Arc<K>,
        pool: Pool,
        control: Arc<Control>,
    ) -> Result<Self, Error> {
        let failed_before: Vec<(u64, u64)> = job
            .before
            .nodes
            .iter()
            .filter(|node| node.failures.samples > 0)
            .map(|node| (node.first_block, node.failures.samples))
            .collect();
        // Others were rows of their own in what an earlier attempt left.
        let mut witnesses_before = job.before.witnesses;
        witnesses_before.retain(|node| job.witness_blocks.contains(&node.first_block));
        let frontier = Arc::new(Frontier::with_witnesses(job.witness_blocks));
        if let Some(first) = job.before.nodes.first() {
            let empty = catch_in_tally(first.first_block, || kernel.tally())?;
            let source = job.before.sources.first();
            for node in job.before.nodes {
                let key = || source.map_or_else(String::new, PartialName::key);
                catch_in_tally(node.first_block, || {
                    check_fit(&empty, &node, key)?;
                    frontier.insert(node);
                    Ok::<(), Error>(())
                })??;
            }
        }
        let (sender, ended) = oneshot::channel();
        let finished = Arc::clone(&frontier);
        let (grid, seed, todo) = (job.grid, job.seed, job.todo);
        let allowed_failures = job.allowed_failures;
        let run = move || {
            let work = Work {
                kernel: &*kernel,
                seed,
                grid,
                blocks: &todo,
                allowed_failures,
                failed_before: &failed_before,
            };
            // Nobody listens any more where the worker was stopped and did not wait.
            let _ = sender.send(engine::run(&work, &pool, &finished, &control));
        };
        let thread = std::thread::Builder::new()
            .name("croupier-engine".to_owned())
            .spawn(run)
            .map_err(|error| {
                Error::Store(croupier_store::Error::Other {
                    action: "starting a thread".to_owned(),
                    target: "the engine".to_owned(),
                    reason: error.to_string(),
                    is_retryable: true,
                })
            })?;
        Ok(Self {
            frontier,
            witnesses_before,
            thread: Some(thread),
            ended,
            started: Instant::now(),
        })
    }

    /// Waits for the engine's end. May be cancelled and called again, until it has returned.
    pub(super) async fn end(&mut self) -> Result<Ended, KernelFailure> {
        match (&mut self.ended).await {
            Ok(ended) => ended,
            // The thread is gone without a word: a mistake of the engine, not of the kernel.
            Err(_) => match self.thread.take().map(JoinHandle::join) {
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                _ => Ok(Ended::Stopped),
            },
        }
    }

    /// The finished nodes and the witnesses so far.
    pub(super) fn finished(&self) -> (Vec<Node<T>>, Vec<Node<T>>) {
        let (nodes, new_witnesses) = self.frontier.snapshot();
        let mut witnesses = self.witnesses_before.clone();
        witnesses.extend(new_witnesses);
        (nodes, witnesses)
    }

    /// Seconds since it began.
    pub(super) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}
