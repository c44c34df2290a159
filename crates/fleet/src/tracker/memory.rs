//! A tracker in memory: the contract without a server, for tests and simulation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::record::{self, Record};
use super::{
    Claim, Claimant, FailureClass, Lease, Marked, Renewed, State, Terms, Tracked, Tracker,
    TrackerError,
};

/// Records in memory. Clones share them, and so do trackers of other runs that were made [from it](Memory::for_run).
#[derive(Clone, Debug)]
pub struct Memory {
    records: Arc<Mutex<BTreeMap<(String, u32), Record>>>,
    run: String,
    terms: Terms,
}

impl Memory {
    /// No records yet.
    ///
    /// # Errors
    /// [`TrackerError::BadName`] if the run's name is empty or has more than [`RUN_BYTES`](super::RUN_BYTES) bytes.
    pub fn new(run: &str, terms: Terms) -> Result<Self, TrackerError> {
        record::check_run(run)?;
        Ok(Self {
            records: Arc::default(),
            run: run.to_owned(),
            terms,
        })
    }

    /// The same records, for a run and by a clock of its own.
    ///
    /// # Errors
    /// As [`new`](Memory::new).
    pub fn for_run(&self, run: &str, terms: Terms) -> Result<Self, TrackerError> {
        record::check_run(run)?;
        Ok(Self {
            records: Arc::clone(&self.records),
            run: run.to_owned(),
            terms,
        })
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<(String, u32), Record>> {
        // Nothing under the lock can panic half way through a change.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, shard: u32) -> (String, u32) {
        (self.run.clone(), shard)
    }

    /// Changes the record if it is running on this lease.
    fn change(&self, lease: &Lease, to: State, change: impl FnOnce(&mut Record)) -> Marked {
        let mut records = self.records();
        let key = self.key(lease.shard);
        match Record::changed(records.get(&key), lease, to, self.terms.now(), change) {
            Ok(after) => {
                records.insert(key, after);
                Marked::Recorded
            }
            Err(marked) => marked,
        }
    }
}

#[async_trait]
impl Tracker for Memory {
    /// Not one that [`open`](super::open) takes: there is nothing to share by name.
    fn uri(&self) -> String {
        "memory".to_owned()
    }

    fn run(&self) -> &str {
        &self.run
    }

    async fn claim(
        &self,
        shard: u32,
        claimant: &Claimant,
        max_attempts: u32,
    ) -> Result<Claim, TrackerError> {
        record::check_attempt(&claimant.attempt)?;
        let moment = self.terms.now();
        let mut records = self.records();
        let key = self.key(shard);
        let claimed = Record::claimed(records.get(&key), shard, claimant, max_attempts, moment);
        Ok(match claimed {
            Ok((after, lease)) => {
                records.insert(key, after);
                Claim::Granted(lease)
            }
            Err(answer) => answer,
        })
    }

    async fn renew(&self, lease: &Lease) -> Result<Renewed, TrackerError> {
        let expires = self.terms.now().expires;
        let marked = self.change(lease, State::Running, |record| {
            if let Some(holder) = &mut record.holder {
                holder.expires = expires;
            }
        });
        Ok(match marked {
            Marked::Recorded => Renewed::Until(expires.into()),
            Marked::Superseded => Renewed::Lost,
        })
    }

    async fn complete(&self, lease: &Lease) -> Result<Marked, TrackerError> {
        Ok(self.change(lease, State::Done, |_| ()))
    }

    async fn fail(
        &self,
        lease: &Lease,
        class: FailureClass,
        message: &str,
    ) -> Result<Marked, TrackerError> {
        Ok(self.change(lease, State::Failed, |record| record.failed(class, message)))
    }

    async fn states(&self) -> Result<Vec<Tracked>, TrackerError> {
        let records = self.records();
        let of_the_run = records.range(self.key(0)..=self.key(u32::MAX));
        Ok(of_the_run
            .map(|((_, shard), record)| record.tracked(*shard))
            .collect())
    }

    async fn rebuild(&self, done: &[u32]) -> Result<usize, TrackerError> {
        let moment = self.terms.now();
        let mut records = self.records();
        let mut marked = 0;
        for shard in done {
            let key = self.key(*shard);
            if let Some(after) = Record::rebuilt(records.get(&key), moment) {
                records.insert(key, after);
                marked += 1;
            }
        }
        Ok(marked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn conforms() {
        let table = Memory::new("any", Terms::default()).unwrap();
        super::super::conformance::run("conformance", |run, terms| {
            Arc::new(table.for_run(run, terms).expect("a run"))
        })
        .await;
    }
}
