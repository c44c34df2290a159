//! The word that ends a run for all its workers. It lies in the store, and workers look for it at every
//! checkpoint: so it works with no rights at a scheduler.

use chrono::{SecondsFormat, Utc};
use croupier_store::{Placed, Store};
use serde::{Deserialize, Serialize};

use crate::manifest::{FORMAT, encode, parse, read};
use crate::{Error, StoredRun, layout};

/// That a run was stopped, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopOrder {
    /// The format of this file.
    pub format: u32,
    /// The release of Croupier that wrote it.
    pub croupier: String,
    /// When, UTC.
    pub at: String,
    /// The shard whose failure it was; none where someone asked.
    pub shard: Option<u32>,
    /// Why.
    pub reason: String,
}

/// Stops the run in `folder`; the first order stands.
pub(crate) async fn stop_in(
    folder: &dyn Store,
    shard: Option<u32>,
    reason: String,
) -> Result<StopOrder, Error> {
    let order = StopOrder {
        format: FORMAT,
        croupier: env!("CARGO_PKG_VERSION").to_owned(),
        at: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        shard,
        reason,
    };
    let bytes = encode(layout::STOPPED, &order)?;
    match folder.put_if_absent(layout::STOPPED, bytes).await? {
        Placed::Written | Placed::Identical => Ok(order),
        Placed::Different(there) => parse(&stopped_key(folder), &there),
    }
}

/// Takes the order in `folder` back, if there is one: where nothing was stopped, nobody needs the right to delete.
pub(crate) async fn resume_in(folder: &dyn Store) -> Result<(), Error> {
    match stop_order_in(folder).await? {
        Some(_) => Ok(folder.delete(layout::STOPPED).await?),
        None => Ok(()),
    }
}

pub(crate) async fn stop_order_in(folder: &dyn Store) -> Result<Option<StopOrder>, Error> {
    match read(folder, layout::STOPPED).await {
        Ok(order) => Ok(Some(order)),
        Err(Error::Store(croupier_store::Error::NotFound { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

fn stopped_key(folder: &dyn Store) -> String {
    format!("{}/{}", folder.uri(), layout::STOPPED)
}

impl StoredRun {
    /// Stops the run for all its workers; a case stops the run that it is of. Where it is stopped already, the first
    /// order stands.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn stop(&self, shard: Option<u32>, reason: String) -> Result<StopOrder, Error> {
        match &self.case {
            None => stop_in(&*self.store, shard, reason).await,
            Some(case) => {
                let shard = shard.map(|shard| case.first_shard + shard);
                stop_in(
                    &*case.folder,
                    shard,
                    format!("case {}: {reason}", case.number),
                )
                .await
            }
        }
    }

    /// The order that stopped the run; none where it goes on.
    ///
    /// # Errors
    ///
    /// What can't be read; what the store reports.
    pub async fn stop_order(&self) -> Result<Option<StopOrder>, Error> {
        stop_order_in(self.orders()).await
    }

    /// Takes the order back, so that workers may start again.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn resume(&self) -> Result<(), Error> {
        resume_in(self.orders()).await
    }

    /// The error of a worker that meets the order.
    pub(crate) fn stopped_by(&self, order: StopOrder) -> Error {
        Error::RunStopped {
            key: stopped_key(self.orders()),
            reason: order.reason,
        }
    }

    /// The folder in which orders to this run are.
    fn orders(&self) -> &dyn Store {
        match &self.case {
            None => &*self.store,
            Some(case) => &*case.folder,
        }
    }
}
