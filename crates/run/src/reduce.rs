//! Merges whatever shards succeeded, and lets the policy decide what that is worth.

mod merge;
mod summary;

use std::sync::Arc;

use croupier_compute::Kernel;
use croupier_store::Store;

use crate::error::catch_in_tally;
use crate::report::Attempts;
use crate::{Error, FailedSamplesLimit, Inventory, Policy, Report, ShardState, StoredRun, results};

/// How to reduce.
#[derive(Clone, Debug)]
pub struct ReduceOptions {
    /// Instead of the policy that was planned.
    pub policy: Option<Policy>,
    /// Instead of the limit that was planned.
    pub failed_samples: Option<FailedSamplesLimit>,
    /// Leave out partials of other runs instead of stopping at them.
    pub skip_foreign: bool,
    /// How many objects are fetched at once, from 1 to 1024.
    pub at_once: usize,
    /// The confidence level of intervals.
    pub level: f64,
}

impl Default for ReduceOptions {
    fn default() -> Self {
        Self {
            policy: None,
            failed_samples: None,
            skip_foreign: false,
            at_once: 32,
            level: 0.95,
        }
    }
}

/// The shards that have something and not all, by the names of their partials.
fn unfinished(run: &StoredRun, inventory: &Inventory) -> Result<Vec<u32>, Error> {
    let mut unfinished = Vec::new();
    for (shard, blocks) in run.blocks_by_shard()? {
        if matches!(inventory.state(shard, blocks), ShardState::Partial { .. }) {
            unfinished.push(shard);
        }
    }
    Ok(unfinished)
}

impl ReduceOptions {
    /// How many samples may fail.
    fn limit(&self, run: &StoredRun) -> u64 {
        self.failed_samples
            .unwrap_or(run.manifest.failed_samples)
            .of(run.samples())
    }
}

/// A result: refused ones are made and written too.
#[derive(Clone, Debug)]
pub struct Reduced<T> {
    /// What it says.
    pub report: Report,
    /// The merged tally; none of no blocks.
    pub tally: Option<T>,
    /// Whether it is accepted.
    pub verdict: Verdict,
    /// Where it was written; none where there was nothing to write.
    pub uri: Option<String>,
}

/// What the policy says of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is accepted.
    Accepted,
    /// Too much is missing.
    Refused,
    /// More samples failed than may.
    TooManyFailed,
    /// It is not as precise as the run was to be: not yet, or the run may grow no more.
    Imprecise,
}

/// Merges the valid partials of `run`, applies the policy, and writes the result.
///
/// Fetches [`ReduceOptions::at_once`] objects at a time, in block order. Holds as many partials, or
/// 1 MiB of them where they are small, and one tally a level of the tree.
///
/// # Errors
///
/// Where partials disagree ([`Error::Differ`]) or are foreign; what the store reports. That blocks
/// are missing is no error.
pub async fn reduce<K: Kernel>(
    run: &StoredRun,
    options: &ReduceOptions,
) -> Result<Reduced<K::Tally>, Error> {
    run.manifest.identity.check_tally::<K>()?;
    if !(options.level > 0.0 && options.level < 1.0) {
        return Err(Error::Input(format!(
            "{} is no confidence level: give one between 0 and 1, such as 0.95",
            options.level
        )));
    }
    let at_once = options.at_once.clamp(1, 1024);
    let mut attempts = Attempts::read(&(run.store.clone() as Arc<dyn Store>), at_once).await?;
    let inventory = Inventory::of(run).await?;
    let trouble = attempts.trouble(&unfinished(run, &inventory)?);
    let looks = match run.manifest.until {
        Some(_) => run.looks().await?,
        None => Vec::new(),
    };
    let samples_may_fail = options.limit(run) > 0;
    let merged = merge::merge::<K::Tally>(
        run,
        &inventory,
        at_once,
        options.skip_foreign,
        &trouble.shards,
        samples_may_fail,
    )
    .await?;
    let (report, verdict) = catch_in_tally(0, || {
        summary::report::<K>(run, options, &attempts, trouble, &merged, &looks)
    })?;
    let uri = results::write(run, &report, merged.node.as_ref(), &merged.sources).await?;
    Ok(Reduced {
        report,
        tally: merged.node.map(|node| node.tally),
        verdict,
        uri,
    })
}
