//! A tracker in a DynamoDB table, one item a shard: partition key `run` (S), sort key `shard` (N). Any number of runs
//! share a table, which needs no index and no throughput set ([`create_table`](DynamoDb::create_table) makes one on
//! demand).
//!
//! **Every call is one conditional `UpdateItem`.** A refused one brings back the item that refused it
//! (`ReturnValuesOnConditionCheckFailure`), so a shard that is held, done or given up costs no read; and where the answer
//! to a write was lost and the SDK sent it again, the item that refuses the repeat has our own attempt's id, and the
//! claim is ours. Writes are conditions on the item alone, never on what was read before.
//!
//! **Write units.** An item has at most 989 bytes, so each call, refused or not, costs one write request unit. A shard
//! that runs for m minutes costs m + 2 at most: the claim, a renewal a minute, the completion. 10,000 shards of ten
//! minutes: 120,000 units. Units are metered per partition, too: DynamoDB takes 1,000 writes a second for one run before
//! it splits it, so 10,000 workers that start together are done claiming after some ten seconds of retries.
//!
//! **Read units.** `states` is a strongly consistent `Query`, 1 MB a page. At 989 bytes an item a page holds 1,011 or
//! more, so 10,000 shards take ten requests, an eleventh if the last item fills its page; and 2,500 read request units.
//! An item without a message, of a run with a name of 60 bytes, has some 200 bytes: two requests, 500 units.
//!
//! | attribute | | at most, name and value |
//! |---|---|---|
//! | `run` | the run's name | 3 + 480 |
//! | `shard` | | 5 + 7 |
//! | `state` | `RUNNING`, `DONE`, `FAILED` | 5 + 7 |
//! | `token` | claims so far | 5 + 12 |
//! | `attempts` | of these, counted ones | 8 + 7 |
//! | `attempt`, `host` | who claimed it last | 7 + 64, 4 + 64 |
//! | `expires`, `updated` | milliseconds since 1970 | 7 + 8, 7 + 8 |
//! | `class`, `message` | of the last failure | 5 + 13, 7 + 256 |
//!
//! A job needs `dynamodb:UpdateItem` and `dynamodb:Query` on the table.

mod failure;
mod item;
mod rebuild;
mod table;
mod update;

use std::fmt;
use std::time::Instant;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use self::failure::Attempted;
use self::item::{Item, name, number, text};
use self::update::{Outcome, Update};
use super::record::{self, Record};
use super::{
    Claim, Claimant, FailureClass, Lease, Marked, Renewed, State, Terms, Tracked, Tracker,
    TrackerError,
};
use crate::aws;

/// The service, as its SDK names it; `AWS_ENDPOINT_URL_DYNAMODB` follows from it.
const SERVICE: &str = "DynamoDB";

const CLAIM: &str = "SET #state = :running, #attempt = :attempt, #host = :host, #expires = :expires, #updated = :now, \
    #token = if_not_exists(#token, :zero) + :one, #attempts = if_not_exists(#attempts, :zero) + :one";
/// As [`Record::refusal`] has it.
const IS_FREE: &str = "attribute_not_exists(#state) \
    OR (#state = :failed AND #class <> :final AND #attempts < :max) \
    OR (#state = :running AND #expires < :lost AND #attempts < :max)";
const IS_MINE: &str = "#state = :running AND #token = :token AND #attempt = :attempt";

/// Records in a table.
#[derive(Clone)]
pub struct DynamoDb {
    client: Client,
    table: String,
    run: String,
    terms: Terms,
}

impl DynamoDb {
    /// The records of `run` in `table`, with what the environment, the shared configuration files and the instance say
    /// about region, endpoint and credentials. Sends nothing to the table.
    ///
    /// # Errors
    /// As [`connect`](DynamoDb::connect), and [`TrackerError::NoCredentials`] if there is neither a region nor an
    /// endpoint nor anybody to be.
    pub async fn open(table: &str, run: &str, terms: Terms) -> Result<Self, TrackerError> {
        let config = aws::from_environment(SERVICE).await;
        let config = config.map_err(|unset| failure::unset(unset, table))?;
        Self::connect(table, run, terms, &config)
    }

    /// The same with a configuration made by hand. Its timeouts and retries are replaced by ours.
    ///
    /// # Errors
    /// [`TrackerError::BadName`] if the run's name is empty or has more than [`RUN_BYTES`](super::RUN_BYTES) bytes,
    /// [`TrackerError::NoRegion`] if there is neither a region nor a custom endpoint.
    pub fn connect(
        table: &str,
        run: &str,
        terms: Terms,
        config: &SdkConfig,
    ) -> Result<Self, TrackerError> {
        record::check_run(run)?;
        let config = aws::limited(SERVICE, config).map_err(|unset| failure::unset(unset, table))?;
        Ok(Self {
            client: Client::new(&config),
            table: table.to_owned(),
            run: run.to_owned(),
            terms,
        })
    }

    /// The same table and connections, for a run and by a clock of its own.
    ///
    /// # Errors
    /// [`TrackerError::BadName`] as above.
    pub fn for_run(&self, run: &str, terms: Terms) -> Result<Self, TrackerError> {
        record::check_run(run)?;
        Ok(Self {
            client: self.client.clone(),
            table: self.table.clone(),
            run: run.to_owned(),
            terms,
        })
    }

    /// Makes the table for trying things out, on demand, and waits until it can be used. One that is there already is
    /// fine. Needs `dynamodb:CreateTable` and `dynamodb:DescribeTable`.
    ///
    /// # Errors
    /// [`TrackerError::WrongTable`] if there is one with other keys.
    pub async fn create_table(&self) -> Result<(), TrackerError> {
        table::create(&self.client, &self.table).await
    }

    /// Changes the item if it is running on this lease.
    async fn change(
        &self,
        lease: &Lease,
        to: State,
        update: Update,
    ) -> Result<Marked, TrackerError> {
        let update = update
            .only_if(IS_MINE)
            .with(":running", name(State::Running))
            .with(":token", number(lease.token))
            .with(":attempt", text(&lease.attempt));
        Ok(match self.send(lease.shard, update).await? {
            Outcome::Changed(_) => Marked::Recorded,
            // The same call as before, or its repeat after an answer that was lost.
            Outcome::Refused(Some(item)) => {
                let record = self.read(lease.shard, &item)?;
                if record.is_of(lease) && record.state == to {
                    Marked::Recorded
                } else {
                    Marked::Superseded
                }
            }
            Outcome::Refused(None) => Marked::Superseded,
        })
    }

    async fn send(&self, shard: u32, update: Update) -> Result<Outcome, TrackerError> {
        let start = Instant::now();
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("run", text(&self.run))
            .key("shard", number(shard));
        let attempted = self.attempted("dynamodb:UpdateItem", Some(shard));
        update::outcome(update.fill(request).send().await)
            .map_err(|error| attempted.failed(*error, start))
    }

    /// The items of the run, by shard.
    async fn items(&self) -> Result<Vec<Item>, TrackerError> {
        let attempted = self.attempted("dynamodb:Query", None);
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let start = Instant::now();
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("#run = :run")
                .expression_attribute_names("#run", "run")
                .expression_attribute_values(":run", text(&self.run))
                .set_exclusive_start_key(from);
            let page = request.send().await;
            let page = page.map_err(|error| attempted.failed(error, start))?;
            items.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(items);
            }
        }
    }

    fn read(&self, shard: u32, item: &Item) -> Result<Record, TrackerError> {
        item::record(item).map_err(|reason| self.damaged(shard.to_string(), reason))
    }

    fn damaged(&self, shard: String, reason: String) -> TrackerError {
        TrackerError::Damaged {
            table: self.table.clone(),
            run: self.run.clone(),
            shard,
            reason,
        }
    }

    fn attempted(&self, action: &'static str, shard: Option<u32>) -> Attempted<'_> {
        Attempted {
            action,
            table: &self.table,
            shard,
        }
    }
}

#[async_trait]
impl Tracker for DynamoDb {
    fn uri(&self) -> String {
        format!("dynamodb://{}", self.table)
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
        let update = Update::new(CLAIM)
            .only_if(IS_FREE)
            .with(":running", name(State::Running))
            .with(":failed", name(State::Failed))
            .with(":final", text(FailureClass::Kernel.name()))
            .with(":attempt", text(&claimant.attempt))
            .with(":host", AttributeValue::S(record::host(&claimant.host)))
            .with(":max", number(max_attempts.max(1)))
            .with(":lost", number(moment.lost_before.0))
            .with(":expires", number(moment.expires.0))
            .with(":now", number(moment.now.0))
            .with(":zero", number(0))
            .with(":one", number(1));
        let attempted = self.attempted("dynamodb:UpdateItem", Some(shard));
        match self.send(shard, update).await? {
            Outcome::Changed(item) => {
                let record = self.read(shard, &item)?;
                let holder = record.holder.as_ref();
                let lease = holder.map(|holder| record.lease(shard, holder));
                let claim = lease.map(Claim::Granted);
                claim.ok_or_else(|| attempted.contradicted())
            }
            Outcome::Refused(Some(item)) => {
                let record = self.read(shard, &item)?;
                let refusal = record.refusal(shard, &claimant.attempt, max_attempts, moment);
                refusal.ok_or_else(|| attempted.contradicted())
            }
            Outcome::Refused(None) => Err(attempted.other(
                "it was refused without the item that refused it; use a server that knows \
                 ReturnValuesOnConditionCheckFailure"
                    .to_owned(),
            )),
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<Renewed, TrackerError> {
        let moment = self.terms.now();
        let update = Update::new("SET #expires = :expires, #updated = :now")
            .with(":expires", number(moment.expires.0))
            .with(":now", number(moment.now.0));
        Ok(match self.change(lease, State::Running, update).await? {
            Marked::Recorded => Renewed::Until(moment.expires.into()),
            Marked::Superseded => Renewed::Lost,
        })
    }

    async fn complete(&self, lease: &Lease) -> Result<Marked, TrackerError> {
        let update = Update::new("SET #state = :done, #updated = :now")
            .with(":done", name(State::Done))
            .with(":now", number(self.terms.now().now.0));
        self.change(lease, State::Done, update).await
    }

    async fn fail(
        &self,
        lease: &Lease,
        class: FailureClass,
        message: &str,
    ) -> Result<Marked, TrackerError> {
        let update = Update::new(
            "SET #state = :failed, #class = :class, #message = :message, #updated = :now, \
             #attempts = #attempts - :uncounted",
        )
        .with(":failed", name(State::Failed))
        .with(":class", text(class.name()))
        .with(":message", AttributeValue::S(record::message(message)))
        .with(":uncounted", number(u8::from(!class.counts())))
        .with(":now", number(self.terms.now().now.0));
        self.change(lease, State::Failed, update).await
    }

    async fn states(&self) -> Result<Vec<Tracked>, TrackerError> {
        let items = self.items().await?;
        let tracked = items.iter().map(|item| {
            let shard = item::shard(item);
            let shard = shard.map_err(|(shard, reason)| self.damaged(shard, reason))?;
            Ok(self.read(shard, item)?.tracked(shard))
        });
        tracked.collect()
    }

    async fn rebuild(&self, done: &[u32]) -> Result<usize, TrackerError> {
        rebuild::rebuild(self, done).await
    }
}

/// The table and the run; the client's own form is pages long and no help.
impl fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DynamoDb")
            .field(&self.uri())
            .field(&self.run)
            .finish()
    }
}
