//! What is in a store under a run's name: for all that is the same for a run and for a run of cases.

use std::collections::BTreeSet;

use crate::{Error, Policy, Round, StopOrder, StoredCases, StoredRun, Survey, Tolerance};

/// What is in a store under a run's name. Shards of cases are numbered over all of them.
#[derive(Clone, Debug)]
pub enum Found {
    /// A run.
    Run(Box<StoredRun>),
    /// A run of cases, each of which is a run.
    Cases(Box<StoredCases>),
}

impl Found {
    /// What a person can paste back as `--run`.
    pub fn uri(&self) -> String {
        match self {
            Self::Run(run) => run.uri(),
            Self::Cases(cases) => cases.uri(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Run(run) => run.name(),
            Self::Cases(cases) => cases.name(),
        }
    }

    /// How many shards there are, over all cases where it has cases.
    pub fn shards(&self) -> u32 {
        match self {
            Self::Run(run) => run.shards(),
            Self::Cases(cases) => cases.manifest.count() as u32 * cases.manifest.shards(),
        }
    }

    /// Whether it is to grow no more.
    ///
    /// # Errors
    ///
    /// What can't be read; what the store reports.
    pub async fn is_over(&self) -> Result<bool, Error> {
        match self {
            Self::Run(run) => run.is_over().await,
            Self::Cases(_) => Ok(true),
        }
    }

    /// The policy it was planned with.
    pub fn policy(&self) -> Policy {
        match self {
            Self::Run(run) => run.manifest.policy,
            Self::Cases(cases) => cases.manifest.wanted.policy,
        }
    }

    /// How many shards may be lost whole at most, whichever they are, before the policy refuses the result; none where
    /// their number does not tell, as of cases a share of whose blocks may be missing.
    ///
    /// # Errors
    ///
    /// Where the plan can't be read.
    pub fn tolerated_shards(&self) -> Result<Option<u32>, Error> {
        let share = match self.policy().tolerance {
            Tolerance::Nothing => return Ok(Some(0)),
            Tolerance::Shards(count) => return Ok(Some(count)),
            Tolerance::Blocks(share) => share,
        };
        let Self::Run(run) = self else {
            return Ok(None);
        };
        let mut blocks: Vec<u64> = run.blocks_by_shard()?.iter().map(|shard| shard.1).collect();
        blocks.sort_unstable();
        let mut left = share.of(blocks.iter().sum());
        let mut count = 0;
        // The smallest go first: so many of any others are refused too.
        for blocks in blocks {
            match left.checked_sub(blocks) {
                Some(rest) => left = rest,
                None => break,
            }
            count += 1;
        }
        Ok(Some(count))
    }

    /// Whether no shard may be started twice.
    pub fn at_most_once(&self) -> bool {
        match self {
            Self::Run(run) => run.manifest.at_most_once,
            Self::Cases(cases) => cases.manifest.wanted.at_most_once,
        }
    }

    /// Looks at every shard, those of segments that were added since among them.
    ///
    /// # Errors
    ///
    /// What can't be read; what the store reports.
    pub async fn survey(&mut self) -> Result<Survey, Error> {
        match self {
            Self::Run(run) => {
                run.refresh().await?;
                run.survey().await
            }
            Self::Cases(cases) => cases.survey().await,
        }
    }

    /// The shards that were started, where none may be started twice.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn started(&self) -> Result<BTreeSet<u32>, Error> {
        match self {
            Self::Run(run) => run.started().await,
            Self::Cases(cases) => cases.started().await,
        }
    }

    /// The round `number`.
    ///
    /// # Errors
    ///
    /// Where there is none; what the store reports.
    pub async fn round(&self, number: u32) -> Result<Round, Error> {
        match self {
            Self::Run(run) => run.round(number).await,
            Self::Cases(cases) => cases.round(number).await,
        }
    }

    /// Begins a round; where somebody else began it, theirs is the round.
    ///
    /// # Errors
    ///
    /// Where a shard does not exist or there is none; what the store reports.
    pub async fn begin_round(&self, number: u32, shards: Vec<u32>) -> Result<Round, Error> {
        match self {
            Self::Run(run) => run.begin_round(number, shards).await,
            Self::Cases(cases) => cases.begin_round(number, shards).await,
        }
    }

    /// Stops it for all its workers; the first order stands.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn stop(&self, shard: Option<u32>, reason: String) -> Result<StopOrder, Error> {
        match self {
            Self::Run(run) => run.stop(shard, reason).await,
            Self::Cases(cases) => cases.stop(shard, reason).await,
        }
    }

    /// Takes an order to stop back.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn resume(&self) -> Result<(), Error> {
        match self {
            Self::Run(run) => run.resume().await,
            Self::Cases(cases) => cases.resume().await,
        }
    }
}
