//! For work that must not run twice: a worker claims its shard before the first sample, and no claim
//! comes back.

use std::collections::BTreeSet;

use chrono::{SecondsFormat, Utc};
use croupier_store::{Placed, Store};
use serde::{Deserialize, Serialize};

use crate::manifest::{FORMAT, encode, parse};
use crate::{Error, Machine, StoredRun, layout};

#[derive(Serialize, Deserialize)]
struct Start {
    format: u32,
    croupier: String,
    /// The attempt that has it: random, so whoever finds its own there wrote it.
    attempt: String,
    host: Option<String>,
    at: String,
}

impl StoredRun {
    /// The shards that were started, where none may be started twice.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn started(&self) -> Result<BTreeSet<u32>, Error> {
        let entries = self.store.list(layout::STARTED).await?;
        let shards = entries
            .iter()
            .filter_map(|entry| layout::started_shard(&entry.key));
        Ok(shards.collect())
    }
}

/// Claims `shard` for `attempt`, once and for all.
///
/// # Errors
///
/// [`Error::StartedBefore`] where another attempt has it. Where it is not known whether the claim was
/// made, as after a timeout, the store's error: the shard is not worked on then.
pub(crate) async fn claim(run: &StoredRun, shard: u32, attempt: &str) -> Result<(), Error> {
    let key = layout::started(shard);
    let start = Start {
        format: FORMAT,
        croupier: env!("CARGO_PKG_VERSION").to_owned(),
        attempt: attempt.to_owned(),
        host: Machine::current().host,
        at: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
    };
    match run.store.put_if_absent(&key, encode(&key, &start)?).await? {
        Placed::Written | Placed::Identical => Ok(()),
        Placed::Different(there) => {
            let there: Start = parse(&format!("{}/{key}", run.uri()), &there)?;
            Err(Error::StartedBefore {
                shard,
                attempt: there.attempt,
                host: there.host.unwrap_or_else(|| "an unknown host".to_owned()),
                at: there.at,
            })
        }
    }
}
