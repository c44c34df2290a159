//! What starts shards.

mod local;

use std::collections::BTreeSet;
use std::fmt::Debug;

use async_trait::async_trait;

pub use local::Local;

/// Starts shards of one run somewhere, and knows which of them are still at work.
///
/// That a shard was started says nothing of whether it is done: the run's partials say that.
#[async_trait]
pub trait Engine: Send + Debug {
    /// Starts `shards`, as the indexes of round `round` where they are a round's.
    ///
    /// # Errors
    ///
    /// Where none of them could be started.
    async fn start(&mut self, shards: &[u32], round: Option<u32>) -> Result<(), EngineError>;

    /// The shards that were started here and have not ended.
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
}
