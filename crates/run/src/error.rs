//! What can go wrong with a run, in the classes a caller acts on.

use std::ops::Range;

use croupier_compute::{GridError, KernelFailure, Node, Tally, engine};

/// Why something could not be done with a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What was asked for can't be done; the same call will fail the same way.
    #[error("{0}")]
    Input(String),
    /// The grid refuses the numbers.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// An object of the run can't be read as what it should be.
    #[error("{key} is damaged: {reason}; restore it, or plan the run anew under another name")]
    Malformed {
        /// Which object.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An object was written by a later release.
    #[error(
        "{key} has format {format}, this program reads up to {reads}: use Croupier {release} or later"
    )]
    Newer {
        /// Which object.
        key: String,
        /// Its format.
        format: u32,
        /// The latest format that is understood.
        reads: u32,
        /// The release that wrote it.
        release: String,
    },
    /// The name belongs to another run.
    #[error("run {name:?} exists already and is another one: {}; choose another name, or ask for what it is", differences.join("; "))]
    Taken {
        /// The name.
        name: String,
        /// How it differs, each "what: there, here".
        differences: Vec<String>,
    },
    /// Something belongs to another run, program or build.
    #[error("{what} is foreign: {}; {advice}", differences.join("; "))]
    Foreign {
        /// Which object or program.
        what: String,
        /// How it differs, each "what: found, expected".
        differences: Vec<String>,
        /// What to do about it.
        advice: &'static str,
    },
    /// Two partials cover the same blocks and differ.
    #[error("{left} and {right} differ in blocks {} to {}: the kernel gave other numbers the second time; both are kept, find out which machine or build is wrong with `verify`", blocks.start, blocks.end - 1)]
    Differ {
        /// One of them.
        left: String,
        /// The other.
        right: String,
        /// Where.
        blocks: Range<u64>,
    },
    /// The kernel failed where it may not; it will again.
    #[error(transparent)]
    Kernel(#[from] KernelFailure),
    /// A task failed.
    #[error("task {task} failed: {message}")]
    Task {
        /// Which task.
        task: String,
        /// What it said.
        message: String,
        /// Whether it said that it will again.
        is_permanent: bool,
    },
    /// The worker was told to stop before it was done.
    #[error("stopped after {done} of {planned} blocks, which are kept: run it again for the rest")]
    Stopped {
        /// Blocks published.
        done: u64,
        /// Blocks of the shard.
        planned: u64,
    },
    /// Someone, or another shard's failure, stopped the run.
    #[error("the run was stopped: {reason} ({key}); `retry` goes on with it")]
    RunStopped {
        /// The order.
        key: String,
        /// Why.
        reason: String,
    },
    /// The run's work must not run twice, and this shard was started before.
    #[error(
        "shard {shard} was started before, by attempt {attempt} on {host} at {at}: the run is planned with --at-most-once, so it is not started again"
    )]
    StartedBefore {
        /// The shard.
        shard: u32,
        /// The attempt that has it.
        attempt: String,
        /// Where that is.
        host: String,
        /// Since when.
        at: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] croupier_store::Error),
}

/// Runs what a tally's author wrote outside blocks, at or after block `block`, and makes a panic in it an error.
pub(crate) fn catch_in_tally<R>(block: u64, code: impl FnOnce() -> R) -> Result<R, Error> {
    engine::catch_panic(|| Ok(code())).map_err(|failure| {
        Error::Kernel(KernelFailure::Merge {
            block,
            message: failure.to_string(),
        })
    })
}

/// Refuses what is about to be merged where it has another shape than what it would be merged with.
pub(crate) fn check_fit<T: Tally>(
    expected: &T,
    node: &Node<T>,
    key: impl FnOnce() -> String,
) -> Result<(), Error> {
    expected.fits(&node.tally).map_err(|misfit| Error::Foreign {
        what: key(),
        differences: vec![format!("at block {}: {misfit}", node.first_block)],
        advice: "a tally's shape must come from the kernel's parameters, and VERSION be raised where the code that makes it changes: plan the run anew, or move the partial away",
    })
}

impl Error {
    /// Whether the same call may succeed later with nothing changed by hand.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Stopped { .. } => true,
            Self::Store(error) => error.is_retryable(),
            Self::Task { is_permanent, .. } => !is_permanent,
            Self::Input(_)
            | Self::Grid(_)
            | Self::Malformed { .. }
            | Self::Newer { .. }
            | Self::Taken { .. }
            | Self::Foreign { .. }
            | Self::Differ { .. }
            | Self::RunStopped { .. }
            | Self::StartedBefore { .. }
            | Self::Kernel(_) => false,
        }
    }
}
