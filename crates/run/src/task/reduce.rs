//! A task's result: the row that counts.

use std::sync::Arc;

use croupier_store::Store;

use super::partial::Rows;
use crate::manifest::FORMAT;
use crate::report::Attempts;
use crate::{
    BlockCounts, Error, FailedSamplesLimit, ReduceOptions, Report, SampleCounts, ShardCounts,
    StoredRun, Verdict, content_digest, results,
};

/// What [`reduce`](crate::reduce) is for a kernel: finds the row that counts, applies the policy, and writes the result.
/// Gives the report, the verdict, and where it was written.
///
/// # Errors
///
/// A partial that is foreign; what the store reports. That there is no row is no error.
pub async fn reduce_task(
    run: &StoredRun,
    options: &ReduceOptions,
) -> Result<(Report, Verdict, Option<String>), Error> {
    let store: Arc<dyn Store> = run.store.clone();
    let attempts = Attempts::read(&store, options.at_once.clamp(1, 1024)).await?;
    let rows = Rows::read(run, options.skip_foreign).await?;
    let identity = &run.manifest.identity;
    let policy = options.policy.unwrap_or(run.manifest.policy);
    let done = u64::from(rows.first.is_some());
    let is_accepted = policy.accepts(1 - done, 1 - done, 1);
    let row = rows.first.as_ref().map(|(_, row)| row);
    let said = (identity.digest().to_string(), row.map(ToString::to_string));
    let digest = content_digest("croupier row v1", &said)
        .map_err(|reason| Error::Input(format!("the row can't be digested: {reason}")))?;
    let report = Report {
        format: FORMAT,
        croupier: env!("CARGO_PKG_VERSION").to_owned(),
        run: run.uri(),
        kernel: identity.kernel.clone(),
        version: identity.version,
        seed: identity.seed.to_string(),
        identity: identity.clone(),
        accepted: is_accepted,
        refused: (!is_accepted).then(|| format!("it is not done; the policy is {policy}")),
        policy,
        failed_samples_limit: FailedSamplesLimit::default(),
        samples: SampleCounts {
            planned: 1,
            done,
            failed: 0,
        },
        blocks: BlockCounts { planned: 1, done },
        shards: ShardCounts {
            planned: 1,
            done: done as u32,
            missing: if done == 1 { Vec::new() } else { vec![0] },
        },
        estimates: Vec::new(),
        until: None,
        row: row.cloned(),
        failed_samples: Vec::new(),
        digest: digest.to_string(),
        seconds: attempts.seconds(),
        usage: attempts.usage,
        missingness: Vec::new(),
        warnings: warnings(&rows),
    };
    let uri = match &rows.first {
        Some((name, row)) => Some(results::write_row(run, &report, row, name).await?),
        None => None,
    };
    let verdict = match is_accepted {
        true => Verdict::Accepted,
        false => Verdict::Refused,
    };
    Ok((report, verdict, uri))
}

/// What [`clean`](crate::clean) is for a kernel: the keys of partials that another one superseded; removes them where
/// it is meant.
///
/// # Errors
///
/// A partial that is foreign; what the store reports.
pub async fn clean_task(run: &StoredRun, is_meant: bool) -> Result<Vec<String>, Error> {
    let rows = Rows::read(run, false).await?;
    let keys: Vec<String> = rows.superseded.iter().map(|name| name.key()).collect();
    if is_meant {
        for key in &keys {
            run.store.delete(key).await?;
        }
    }
    Ok(keys)
}

fn warnings(rows: &Rows) -> Vec<String> {
    let mut warnings: Vec<String> = rows
        .invalid
        .iter()
        .map(|(name, reason)| format!("{} is damaged and left out: {reason}", name.key()))
        .collect();
    if !rows.superseded.is_empty() {
        warnings.push(format!(
            "it was done {} times: the first counts",
            rows.superseded.len() + 1
        ));
    }
    warnings
}
