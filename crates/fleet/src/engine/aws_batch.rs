//! Shards as jobs of AWS Batch: as children of arrays, where an index is a shard's number, or each as a job of its own.
//!
//! What was submitted is known by its jobs' names, which are made of the run's URI, the part of the shards and a
//! number. So a driver that comes later finds it, and since `SubmitJob` has no token by which AWS would know a call that
//! is repeated, a call whose answer was lost is repeated only after a look whether the job is there.
//!
//! | call | when |
//! |---|---|
//! | `ListJobs` of the queue, by name | once when the engine is first used, and before each start, 100 jobs a page |
//! | `SubmitJob` | one an array of up to 10,000 shards, or one a shard |
//! | `DescribeJobs` | a look, for each 100 jobs that are not at their end |
//! | `ListJobs` of an array, twice | a look in which more of its children are at their end, 1,000 a page |
//! | `DescribeJobDefinitions` | once, before the first start |
//! | `TerminateJob`, `TerminateJobs` | to cancel |
//!
//! A child is taken as at work until it is listed as succeeded or failed, since a child that goes from one state to the
//! next may be in neither list of the others. `statusSummary` only says when a listing is worth its call: it lags.

mod definition;
mod jobs;
pub(in crate::engine) mod names;
mod options;
mod reasons;
pub(in crate::engine) mod request;
mod service;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_batch::types::JobStatus;
use croupier_run::Found;

use self::definition::Definition;
use self::jobs::{Job, Jobs};
use self::names::{Names, What};
use self::request::Request;
use self::service::Service;
use super::failure::CallError;
use super::pace::{self, Pace};
use super::{Engine, EngineError, Part, Reason, WorkerCall, parts};

pub use options::{BatchOptions, Dealing, OverrideKind};

/// The largest array.
const LARGEST_ARRAY: u32 = 10_000;

/// Submits jobs of one run to a queue, and looks at them.
#[derive(Debug)]
pub struct AwsBatch {
    run: Found,
    call: WorkerCall,
    options: BatchOptions,
    names: Names,
    service: Service,
    jobs: Jobs,
    definition: Option<Definition>,
    rounds: BTreeMap<u32, Vec<u32>>,
}

impl AwsBatch {
    /// For `run`, whose workers are called by `call`, with what the environment, the shared configuration files and
    /// the instance say about region, endpoint and credentials. Sends nothing to AWS Batch.
    ///
    /// # Errors
    ///
    /// Where there is neither a region nor an endpoint nor anybody to be.
    pub async fn open(
        run: &Found,
        call: WorkerCall,
        options: BatchOptions,
    ) -> Result<Self, EngineError> {
        let service = Service::open(options.dealing.engine()).await?;
        Ok(Self::with(run, call, options, service))
    }

    /// The same with a configuration made by hand. Its timeouts and retries are replaced by ours.
    ///
    /// # Errors
    ///
    /// Where there is neither a region nor a custom endpoint.
    pub fn connect(
        run: &Found,
        call: WorkerCall,
        options: BatchOptions,
        config: &SdkConfig,
    ) -> Result<Self, EngineError> {
        let service = Service::connect(options.dealing.engine(), config)?;
        Ok(Self::with(run, call, options, service))
    }

    fn with(run: &Found, call: WorkerCall, options: BatchOptions, service: Service) -> Self {
        Self {
            names: Names::of(run),
            run: run.clone(),
            call,
            options,
            service,
            jobs: Jobs::default(),
            definition: None,
            rounds: BTreeMap::new(),
        }
    }

    /// Reads the names and states of all of the run's jobs.
    async fn list(&mut self) -> Result<(), EngineError> {
        let queue = &self.options.job_queue;
        let listed = self
            .service
            .list_by_name(queue, &self.names.all_shards())
            .await?;
        let mut jobs = Vec::with_capacity(listed.len());
        for summary in &listed {
            let what = self.names.read(summary.job_name().unwrap_or_default());
            if let (Some(What::Shards(part, number)), Some(id)) = (what, summary.job_id()) {
                self.learn_round(part).await?;
                jobs.push(Job::listed(id, part, number, summary.status()));
            }
        }
        self.jobs.add(jobs);
        Ok(())
    }

    /// Reads which shards a round has, once.
    async fn learn_round(&mut self, part: Part) -> Result<(), EngineError> {
        let Part::Round { round, .. } = part else {
            return Ok(());
        };
        if let std::collections::btree_map::Entry::Vacant(entry) = self.rounds.entry(round) {
            let read = self.run.round(round).await;
            let read = read.map_err(|error| EngineError {
                engine: self.options.dealing.engine(),
                what: format!("reading round {round}, whose jobs are in the queue,"),
                is_retryable: error.is_retryable(),
                reason: error.to_string(),
            })?;
            entry.insert(read.shards);
        }
        Ok(())
    }

    /// Brings what is known of arrays and jobs that are not at their end up to date.
    async fn look(&mut self) -> Result<(), EngineError> {
        let asked = if self.jobs.is_listed {
            self.jobs.unfinished(|_| true)
        } else {
            self.list().await?;
            self.jobs.is_listed = true;
            // What a listing has just told of plain jobs need not be asked again.
            self.jobs.unfinished(|job| job.part.count() > 1)
        };
        for ids in asked.chunks(service::MOST_DESCRIBED) {
            let described = self.service.describe(ids).await?;
            self.jobs.update(ids, &described);
        }
        for array in self.jobs.with_news() {
            if array.remaining.len() <= service::MOST_DESCRIBED {
                let described = self.service.describe(&array.remaining).await?;
                self.jobs.update_children(&array.id, &described);
                continue;
            }
            for status in [JobStatus::Succeeded, JobStatus::Failed] {
                let children = self.service.list_children(&array.id, status).await?;
                self.jobs.end_children(&array.id, &jobs::indexes(&children));
            }
        }
        Ok(())
    }

    fn shards_at_work(&self) -> BTreeSet<u32> {
        let unfinished = self.jobs.children_at_work();
        unfinished
            .filter_map(|(part, index)| part.shard(index, self.round_of(part)))
            .collect()
    }

    fn round_of(&self, part: Part) -> &[u32] {
        match part {
            Part::Round { round, .. } => self.rounds.get(&round).map_or(&[], Vec::as_slice),
            Part::One(_) | Part::Range { .. } => &[],
        }
    }

    /// Looks the definition up, unless that is not allowed and not needed.
    async fn definition(&mut self) -> Result<Definition, EngineError> {
        if let Some(definition) = &self.definition {
            return Ok(definition.clone());
        }
        let name = self.options.job_definition.clone();
        let name = name.ok_or_else(|| EngineError {
            engine: self.options.dealing.engine(),
            what: "starting jobs".to_owned(),
            reason: "no job definition is named: give --job-definition".to_owned(),
            is_retryable: false,
        })?;
        let definition = self.read_definition(&name).await?;
        Ok(self.definition.insert(definition).clone())
    }

    /// What the driver's job is made by: its role may submit jobs, which that of shards need not.
    async fn driver_definition(&mut self) -> Result<Definition, EngineError> {
        match self.options.driver_job_definition.clone() {
            Some(name) => self.read_definition(&name).await,
            None => self.definition().await,
        }
    }

    async fn read_definition(&self, name: &str) -> Result<Definition, EngineError> {
        let found = match self.service.describe_definition(name).await {
            Ok(found) => found,
            // It may be called something else where it is looked up than where it is submitted; that decides.
            Err(CallError::Denied(_)) if self.options.override_kind.is_some() => None,
            Err(error) => return Err(self.service.failed("looking up the job definition", error)),
        };
        Definition::new(name, found.as_ref(), &self.options).map_err(|reason| EngineError {
            engine: self.options.dealing.engine(),
            what: format!("reading job definition {name}"),
            reason,
            is_retryable: false,
        })
    }

    /// Submits a job of this name, and only once: where the answer is lost, it is looked for before the next try.
    async fn submit(
        &mut self,
        name: &str,
        request: &Request,
        pace: &mut Pace,
    ) -> Result<String, EngineError> {
        let mut unclear = 0;
        loop {
            pace.wait().await;
            let what = || format!("submitting {name} to queue {}", request.queue);
            match self.service.submit(name, request).await {
                Ok(id) => {
                    pace.taken();
                    return Ok(id);
                }
                Err(CallError::Throttled(reason)) => {
                    if !pace.rest().await {
                        return Err(self.service.failed(&what(), CallError::Throttled(reason)));
                    }
                }
                Err(CallError::Unclear(reason)) => {
                    unclear += 1;
                    if let Some(id) = self.look_for(name, &request.queue).await? {
                        return Ok(id);
                    }
                    if unclear == pace::MOST_TRIES {
                        return Err(self.service.failed(&what(), CallError::Unclear(reason)));
                    }
                }
                Err(error) => return Err(self.service.failed(&what(), error)),
            }
        }
    }

    /// The job of this name, which may take a while to be listed.
    async fn look_for(&self, name: &str, queue: &str) -> Result<Option<String>, EngineError> {
        for pause in pace::LOOKS {
            tokio::time::sleep(pause).await;
            let listed = self.service.list_by_name(queue, name).await?;
            // Names are found whatever their letters' case.
            let mut same = listed.iter().filter(|job| job.job_name() == Some(name));
            if let Some(id) = same.find_map(|job| job.job_id()) {
                return Ok(Some(id.to_owned()));
            }
        }
        Ok(None)
    }

    /// Deals shards as this engine does.
    fn deal(&self, shards: &[u32], round: Option<u32>) -> Vec<Part> {
        match self.options.dealing {
            Dealing::Arrays => parts(shards, round, LARGEST_ARRAY),
            Dealing::Each { .. } => shards.iter().map(|shard| Part::One(*shard)).collect(),
        }
    }
}

#[async_trait]
impl Engine for AwsBatch {
    async fn start(&mut self, shards: &[u32], round: Option<u32>) -> Result<(), EngineError> {
        let definition = self.definition().await?;
        // Another driver may have started them a moment ago.
        self.jobs.is_listed = false;
        self.look().await?;
        let at_work = self.shards_at_work();
        let idle: Vec<u32> = shards
            .iter()
            .copied()
            .filter(|shard| !at_work.contains(shard))
            .collect();
        let round = round.filter(|_| idle.len() == shards.len());
        let mut pace = Pace::new(self.options.dealing.per_second());
        for part in self.deal(&idle, round) {
            self.learn_round(part).await?;
            let number = self.jobs.next_number(part);
            let name = self.names.shards(part, number);
            let request = Request::of_shards(self, &definition, part);
            let id = self.submit(&name, &request, &mut pace).await?;
            self.jobs.add(vec![Job::submitted(&id, part, number)]);
        }
        Ok(())
    }

    async fn at_work(&mut self) -> Result<BTreeSet<u32>, EngineError> {
        self.look().await?;
        Ok(self.shards_at_work())
    }

    async fn cancel(&mut self) -> Result<(), EngineError> {
        self.list().await?;
        let ids = self.jobs.unfinished(|_| true);
        let reason = format!("run {} was stopped", self.run.name());
        self.service.terminate(&ids, &reason).await
    }

    async fn start_driver(&mut self, arguments: &[String]) -> Result<String, EngineError> {
        let definition = self.driver_definition().await?;
        let options = &self.options;
        let queue = options.driver_job_queue.as_ref();
        let queue = queue.unwrap_or(&options.job_queue).clone();
        let listed = self
            .service
            .list_by_name(&queue, &self.names.all_drivers())
            .await?;
        let mut next = 0;
        for job in &listed {
            let Some(What::Driver(number)) = self.names.read(job.job_name().unwrap_or_default())
            else {
                continue;
            };
            next = next.max(number + 1);
            if !jobs::is_terminal(job.status())
                && let Some(id) = job.job_id()
            {
                return Ok(id.to_owned());
            }
        }
        let request = Request::of_driver(self, &definition, &queue, arguments);
        let name = self.names.driver(next);
        self.submit(&name, &request, &mut Pace::new(None)).await
    }

    async fn reasons(&mut self) -> Result<Vec<Reason>, EngineError> {
        let queue = &self.options.job_queue;
        let listed = self
            .service
            .list_by_name(queue, &self.names.all_shards())
            .await?;
        let (mut seen, mut failed) = (BTreeSet::new(), Vec::new());
        for job in &listed {
            let Some(What::Shards(part, _)) = self.names.read(job.job_name().unwrap_or_default())
            else {
                continue;
            };
            self.learn_round(part).await?;
            let of = |index: u32| part.shard(index, self.round_of(part));
            for ended in reasons::failed(&self.service, job).await? {
                // Of a shard that was started again the latest start counts.
                if let Some(shard) = of(ended.index).filter(|shard| !seen.contains(shard)) {
                    failed.push((shard, ended));
                }
            }
            seen.extend((0..part.count()).filter_map(of));
        }
        reasons::explain(&self.service, failed).await
    }
}
