//! What starts shards.

#[cfg(feature = "aws")]
mod aws_batch;
#[cfg(feature = "aws")]
mod cloud_watch;
#[cfg(feature = "aws")]
mod failure;
pub mod kubernetes;
mod local;
#[cfg(feature = "aws")]
mod pace;
mod part;
mod slurm;
#[cfg(feature = "aws")]
mod step_functions;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::PathBuf;

use async_trait::async_trait;

#[cfg(feature = "aws")]
pub use aws_batch::{AwsBatch, BatchOptions, Dealing, OverrideKind};
pub use local::Local;
pub use part::{NoPart, Part, parts};
pub use slurm::{NoWalltime, Slurm, SlurmOptions, Walltime};
#[cfg(feature = "aws")]
pub use step_functions::{StepFunctions, StepFunctionsOptions};

/// Starts shards of one run somewhere, and knows which of them are still at work.
///
/// That a shard was started says nothing of whether it is done: the run's partials say that. What an engine started is
/// known to every other one of its kind for the same run, in another process too, where the scheduler outlives it: so
/// a driver may die and be started again, and what is at work is not submitted again. Two drivers at once may both look
/// before either submits: a shard is then started twice at worst, which costs time and does no harm.
#[async_trait]
pub trait Engine: Send + Debug {
    /// Starts `shards`, of which none is at work as far as [`at_work`](Self::at_work) knows; `round` is given where they
    /// are exactly that round's, in its order.
    ///
    /// # Errors
    ///
    /// Where not all of them could be started: some may have been, so ask what is at work before it is tried again.
    async fn start(&mut self, shards: &[u32], round: Option<u32>) -> Result<(), EngineError>;

    /// The shards that were started and have not ended.
    ///
    /// # Errors
    ///
    /// Where that can't be found out.
    async fn at_work(&mut self) -> Result<BTreeSet<u32>, EngineError>;

    /// Ends all that is at work, in time: they may publish what they have.
    ///
    /// # Errors
    ///
    /// Where they can't be reached.
    async fn cancel(&mut self) -> Result<(), EngineError>;

    /// Returns when it may be worth to look again; never, where nothing tells.
    async fn changed(&mut self) {
        std::future::pending().await
    }

    /// Whether shards live no longer than the process that started them, so that only a driver may start them.
    fn needs_driver(&self) -> bool {
        false
    }

    /// Starts this program with `arguments` where shards run, to outlive this process; returns what it is called there.
    ///
    /// # Errors
    ///
    /// Where it could not be started.
    async fn start_driver(&mut self, arguments: &[String]) -> Result<String, EngineError>;

    /// What the scheduler says of shards that ended badly. It explains, and decides nothing.
    ///
    /// # Errors
    ///
    /// Where that can't be found out.
    async fn reasons(&mut self) -> Result<Vec<Reason>, EngineError> {
        Ok(Vec::new())
    }

    /// What the scheduler says of the run beside its shards, a line each.
    ///
    /// # Errors
    ///
    /// Where that can't be found out.
    async fn overview(&mut self) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }
}

/// How a worker is called, but for its shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCall {
    /// The program's file on this machine. In a container's image it is the entry point.
    pub program: PathBuf,
    /// What it is called with: `shard --run <uri> ...`.
    pub arguments: Vec<String>,
}

/// Why a shard ended badly, as its scheduler says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The shard.
    pub shard: u32,
    /// What the scheduler calls its job.
    pub job: String,
    /// The scheduler's word for how it ended.
    pub state: String,
    /// Why.
    pub reason: String,
    /// What shows its log.
    pub logs: Option<String>,
}

/// An engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{engine}: {what} failed: {reason}")]
pub struct EngineError {
    /// Which engine.
    pub engine: &'static str,
    /// What was tried.
    pub what: String,
    /// What it said.
    pub reason: String,
    /// Whether the same may go well later: the scheduler is away or has too much to do, or its answer was lost.
    pub is_retryable: bool,
}
