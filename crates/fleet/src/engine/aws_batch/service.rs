//! The calls, with their pages, their patience, and what they say where they fail.

use std::future::Future;

use aws_config::SdkConfig;
use aws_sdk_batch::Client;
use aws_sdk_batch::config::Config;
use aws_sdk_batch::config::retry::RetryConfig;
use aws_sdk_batch::types::{JobDefinition, JobDetail, JobStatus, JobSummary, KeyValuesPair};

use super::request::Request;
use crate::aws;
use crate::engine::EngineError;
use crate::engine::failure::{self, CallError};
use crate::engine::pace;

/// The service, as its SDK names it; `AWS_ENDPOINT_URL_BATCH` follows from it.
const SERVICE: &str = "Batch";
/// `DescribeJobs` takes so many ids.
pub(super) const MOST_DESCRIBED: usize = 100;
/// `TerminateJobs` takes so many ids.
const MOST_TERMINATED: usize = 50;

/// AWS Batch in one region.
#[derive(Clone, Debug)]
pub(super) struct Service {
    client: Client,
    engine: &'static str,
    region: String,
}

impl Service {
    pub(super) async fn open(engine: &'static str) -> Result<Self, EngineError> {
        let config = aws::from_environment(SERVICE).await;
        Self::connect(engine, &config.map_err(|unset| closed(engine, &unset))?)
    }

    pub(super) fn connect(engine: &'static str, config: &SdkConfig) -> Result<Self, EngineError> {
        let config = aws::limited(SERVICE, config).map_err(|unset| closed(engine, &unset))?;
        Ok(Self {
            client: Client::new(&config),
            engine,
            region: config.region().map(ToString::to_string).unwrap_or_default(),
        })
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// Submits once, and never again by itself: AWS does not know a call that is repeated.
    pub(super) async fn submit(&self, name: &str, request: &Request) -> Result<String, CallError> {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let submitted = request
            .fill(self.client.submit_job().job_name(name))
            .customize()
            .config_override(once)
            .send()
            .await
            .map_err(|error| CallError::of(&error))?;
        let id = submitted.job_id().map(str::to_owned);
        id.ok_or_else(|| CallError::Unclear("the answer names no job".to_owned()))
    }

    /// What is told of jobs, at most [`MOST_DESCRIBED`]. Those that are too old are left out.
    pub(super) async fn describe(&self, ids: &[String]) -> Result<Vec<JobDetail>, EngineError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let call = || {
            self.client
                .describe_jobs()
                .set_jobs(Some(ids.to_vec()))
                .send()
        };
        let described = self.persist("looking at jobs (DescribeJobs)", call).await?;
        Ok(described.jobs.unwrap_or_default())
    }

    /// The jobs of a queue whose names are `pattern`, or begin as it does where it ends with a star; the latest first.
    pub(super) async fn list_by_name(
        &self,
        queue: &str,
        pattern: &str,
    ) -> Result<Vec<JobSummary>, EngineError> {
        let name = KeyValuesPair::builder()
            .name("JOB_NAME")
            .values(pattern)
            .build();
        let list = self.client.list_jobs().job_queue(queue).filters(name);
        let what = format!("listing queue {queue} (ListJobs)");
        let mut jobs = Vec::new();
        let mut next = None;
        loop {
            let page = self
                .persist(&what, || list.clone().set_next_token(next.clone()).send())
                .await?;
            jobs.extend(page.job_summary_list.unwrap_or_default());
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        jobs.sort_by_key(|job| std::cmp::Reverse(job.created_at()));
        Ok(jobs)
    }

    /// The children of an array that have this status.
    pub(super) async fn list_children(
        &self,
        array: &str,
        status: JobStatus,
    ) -> Result<Vec<JobSummary>, EngineError> {
        let list = self
            .client
            .list_jobs()
            .array_job_id(array)
            .job_status(status);
        let mut children = Vec::new();
        let mut next = None;
        loop {
            let page = self
                .persist("listing an array's jobs (ListJobs)", || {
                    list.clone().set_next_token(next.clone()).send()
                })
                .await?;
            children.extend(page.job_summary_list.unwrap_or_default());
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(children);
            }
        }
    }

    /// Ends jobs and all of their children. Those that have ended stay as they are.
    pub(super) async fn terminate(&self, ids: &[String], reason: &str) -> Result<(), EngineError> {
        if ids.len() <= MOST_TERMINATED {
            for id in ids {
                let call = || self.client.terminate_job().job_id(id).reason(reason).send();
                self.persist("ending a job (TerminateJob)", call).await?;
            }
            return Ok(());
        }
        for ids in ids.chunks(MOST_TERMINATED) {
            let call = || {
                let jobs = self.client.terminate_jobs().set_jobs(Some(ids.to_vec()));
                jobs.reason(reason).send()
            };
            let what = "ending jobs (TerminateJobs)";
            let ended = self.persist(what, call).await?;
            if let Some(error) = ended.errors().first() {
                let reason = format!("{:?}, of {} jobs", error, ended.errors().len());
                return Err(self.failed(what, CallError::Refused(reason)));
            }
        }
        Ok(())
    }

    /// The latest active revision, or the one that is named; none where there is none.
    pub(super) async fn describe_definition(
        &self,
        name: &str,
    ) -> Result<Option<JobDefinition>, CallError> {
        // Of an ARN the name and the revision do.
        let name = name.rsplit('/').next().unwrap_or(name);
        let describe = self.client.describe_job_definitions();
        let describe = match name.contains(':') {
            true => describe.job_definitions(name),
            false => describe.job_definition_name(name).status("ACTIVE"),
        };
        let described = describe.send().await;
        let described = described.map_err(|error| CallError::of(&error))?;
        let definitions = described.job_definitions.unwrap_or_default().into_iter();
        Ok(definitions.max_by_key(|definition| definition.revision()))
    }

    /// As an engine says it.
    pub(super) fn failed(&self, what: &str, error: CallError) -> EngineError {
        EngineError {
            engine: self.engine,
            what: what.to_owned(),
            is_retryable: error.is_passing(),
            reason: error.into_reason(),
        }
    }

    /// Makes a call that may be repeated.
    async fn persist<T, E, F>(&self, what: &str, call: impl Fn() -> F) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, aws_sdk_batch::error::SdkError<E>>>,
        E: aws_sdk_batch::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        let answered = pace::persist(call).await;
        answered.map_err(|error| self.failed(what, error))
    }
}

fn closed(engine: &'static str, unset: &aws::Unset) -> EngineError {
    EngineError {
        engine,
        what: "reaching AWS Batch".to_owned(),
        reason: failure::unset(unset),
        is_retryable: false,
    }
}
