//! What a driver drives: a run, or a run of cases.

use async_trait::async_trait;
use croupier_run::{Error, Found, Manifest, Policy, Round, StopOrder, StoredRun, Survey};

/// What a driver needs of a run.
#[async_trait]
pub trait Subject: Send {
    /// What was planned of how to start it.
    fn terms(&self) -> Terms;

    /// How it stands now.
    ///
    /// # Errors
    ///
    /// What can't be read of it; what the store reports.
    async fn look(&mut self) -> Result<Survey, Error>;

    /// Begins a round; where somebody else began it, theirs is the round.
    ///
    /// # Errors
    ///
    /// Where a shard does not exist; what the store reports.
    async fn begin_round(&self, number: u32, shards: Vec<u32>) -> Result<Round, Error>;

    /// Stops it for all its workers.
    ///
    /// # Errors
    ///
    /// What the store reports.
    async fn stop(&self, shard: Option<u32>, reason: String) -> Result<StopOrder, Error>;
}

/// What was planned of how to start shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What becomes of shards that fail.
    pub policy: Policy,
    /// Whether no shard may be started twice.
    pub at_most_once: bool,
}

impl From<&Manifest> for Terms {
    fn from(manifest: &Manifest) -> Self {
        Self {
            policy: manifest.policy,
            at_most_once: manifest.at_most_once,
        }
    }
}

#[async_trait]
impl Subject for StoredRun {
    fn terms(&self) -> Terms {
        Terms::from(&self.manifest)
    }

    async fn look(&mut self) -> Result<Survey, Error> {
        self.refresh().await?;
        self.survey().await
    }

    async fn begin_round(&self, number: u32, shards: Vec<u32>) -> Result<Round, Error> {
        Self::begin_round(self, number, shards).await
    }

    async fn stop(&self, shard: Option<u32>, reason: String) -> Result<StopOrder, Error> {
        Self::stop(self, shard, reason).await
    }
}

#[async_trait]
impl Subject for Found {
    fn terms(&self) -> Terms {
        Terms {
            policy: self.policy(),
            at_most_once: self.at_most_once(),
        }
    }

    async fn look(&mut self) -> Result<Survey, Error> {
        self.survey().await
    }

    async fn begin_round(&self, number: u32, shards: Vec<u32>) -> Result<Round, Error> {
        Self::begin_round(self, number, shards).await
    }

    async fn stop(&self, shard: Option<u32>, reason: String) -> Result<StopOrder, Error> {
        Self::stop(self, shard, reason).await
    }
}
