//! A tracker in memory: the contract without a server, for tests and simulation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::record::{self, Holder, Record};
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
        match self.records().get_mut(&self.key(lease.shard)) {
            Some(record) if record.is_of(lease) && record.state == State::Running => {
                record.state = to;
                record.updated = self.terms.now().now;
                change(record);
                Marked::Recorded
            }
            // The same call as before.
            Some(record) if record.is_of(lease) && record.state == to => Marked::Recorded,
            _ => Marked::Superseded,
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
        let before = records.get(&self.key(shard));
        let refusal =
            before.and_then(|it| it.refusal(shard, &claimant.attempt, max_attempts, moment));
        if let Some(refusal) = refusal {
            return Ok(refusal);
        }
        let (token, attempts) = before.map_or((0, 0), |it| (it.token, it.attempts));
        let holder = Holder {
            attempt: claimant.attempt.clone(),
            host: record::host(&claimant.host),
            expires: moment.expires,
        };
        let after = Record {
            state: State::Running,
            token: token + 1,
            attempts: attempts + 1,
            holder: Some(holder.clone()),
            class: before.and_then(|it| it.class),
            message: before.map_or_else(String::new, |it| it.message.clone()),
            updated: moment.now,
        };
        let lease = after.lease(shard, &holder);
        records.insert(self.key(shard), after);
        Ok(Claim::Granted(lease))
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
        Ok(self.change(lease, State::Failed, |record| {
            record.class = Some(class);
            record.message = record::message(message);
            if !class.counts() {
                record.attempts -= 1;
            }
        }))
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
            let record = records.entry(self.key(*shard)).or_insert_with(|| Record {
                state: State::Failed,
                token: 0,
                attempts: 0,
                holder: None,
                class: None,
                message: String::new(),
                updated: moment.now,
            });
            if record.state != State::Done && !record.is_live(moment) {
                record.state = State::Done;
                record.updated = moment.now;
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
