//! The calls, with their pages, and what they say where they fail.

use aws_config::SdkConfig;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::http::HttpResponse;
use aws_sdk_sfn::error::SdkError;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::operation::describe_map_run::DescribeMapRunOutput;
use aws_sdk_sfn::operation::list_executions::builders::ListExecutionsFluentBuilder;
use aws_sdk_sfn::operation::start_execution::StartExecutionError;
use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus};

use super::ENGINE;
use crate::aws;
use crate::engine::failure::{self, CallError};
use crate::engine::{EngineError, pace};

/// The service, as its SDK names it; `AWS_ENDPOINT_URL_SFN` follows from it.
const SERVICE: &str = "SFN";

/// Step Functions in one region.
#[derive(Clone, Debug)]
pub(super) struct Service {
    client: Client,
}

/// What became of a call that starts an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Started {
    /// It runs, by this call or an earlier one with the same name and input; this is its ARN.
    Runs(String),
    /// The name was given to an execution that has ended, or has another input.
    NameTaken,
}

impl Service {
    pub(super) async fn open() -> Result<Self, EngineError> {
        let config = aws::from_environment(SERVICE).await;
        Self::connect(&config.map_err(|unset| closed(&unset))?)
    }

    pub(super) fn connect(config: &SdkConfig) -> Result<Self, EngineError> {
        let config = aws::limited(SERVICE, config).map_err(|unset| closed(&unset))?;
        Ok(Self {
            client: Client::new(&config),
        })
    }

    /// Starts an execution. May be repeated: the same name and input start nothing again.
    pub(super) async fn start(
        &self,
        machine: &str,
        name: &str,
        input: &str,
    ) -> Result<Started, EngineError> {
        let start = self.client.start_execution().state_machine_arn(machine);
        let start = start.name(name).input(input);
        let call = || {
            let start = start.clone();
            async move {
                match start.send().await {
                    Ok(started) => Ok(Started::Runs(started.execution_arn)),
                    Err(error) if is_taken(&error) => Ok(Started::NameTaken),
                    Err(error) => Err(error),
                }
            }
        };
        let started = pace::persist(call).await;
        started.map_err(|error| failed(&format!("starting {name} (StartExecution)"), error))
    }

    /// A machine's executions, or those with this status; the latest first.
    pub(super) async fn list(
        &self,
        machine: &str,
        status: Option<ExecutionStatus>,
    ) -> Result<Vec<ExecutionListItem>, EngineError> {
        let list = self.client.list_executions().state_machine_arn(machine);
        let listed = every_page(list.set_status_filter(status)).await;
        let what = || format!("listing executions of {machine} (ListExecutions)");
        listed.map_err(|error| failed(&what(), error))
    }

    /// The executions of a Map's items that ended so.
    pub(super) async fn list_items(
        &self,
        map_run: &str,
        status: ExecutionStatus,
    ) -> Result<Vec<ExecutionListItem>, EngineError> {
        let list = self.client.list_executions().map_run_arn(map_run);
        let listed = every_page(list.status_filter(status)).await;
        listed.map_err(|error| failed("listing a Map's items (ListExecutions)", error))
    }

    /// Everything about one execution.
    pub(super) async fn describe(&self, arn: &str) -> Result<DescribeExecutionOutput, EngineError> {
        let call = || self.client.describe_execution().execution_arn(arn).send();
        let described = pace::persist(call).await;
        described.map_err(|error| failed("looking at an execution (DescribeExecution)", error))
    }

    /// What is told of the distributed Maps of an execution; none of a machine that has none.
    pub(super) async fn map_runs(
        &self,
        execution: &str,
    ) -> Result<Vec<DescribeMapRunOutput>, EngineError> {
        let list = self.client.list_map_runs().execution_arn(execution);
        let what = "listing an execution's Maps (ListMapRuns)";
        // One Map is all that a machine of ours has.
        let listed = pace::persist(|| list.clone().send()).await;
        let listed = listed.map_err(|error| failed(what, error))?.map_runs;
        let mut maps = Vec::with_capacity(listed.len());
        for map in listed {
            let describe = self.client.describe_map_run();
            let describe = describe.map_run_arn(map.map_run_arn);
            let described = pace::persist(|| describe.clone().send()).await;
            maps.push(
                described.map_err(|error| failed("looking at a Map (DescribeMapRun)", error))?,
            );
        }
        Ok(maps)
    }

    /// Ends an execution and the jobs that it waits for.
    pub(super) async fn stop(&self, arn: &str, cause: &str) -> Result<(), EngineError> {
        let stop = self.client.stop_execution().execution_arn(arn);
        let stop = stop.error("Croupier.Stopped").cause(cause);
        let stopped = pace::persist(|| stop.clone().send()).await;
        let stopped = stopped.map(drop);
        stopped.map_err(|error| failed("ending an execution (StopExecution)", error))
    }
}

/// Everything that a list has, with patience for each of its pages.
async fn every_page(
    list: ListExecutionsFluentBuilder,
) -> Result<Vec<ExecutionListItem>, CallError> {
    let mut executions = Vec::new();
    let mut next = None;
    loop {
        let page = pace::persist(|| list.clone().set_next_token(next.clone()).send()).await?;
        executions.extend(page.executions);
        next = page.next_token.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(executions);
        }
    }
}

fn is_taken(error: &SdkError<StartExecutionError, HttpResponse>) -> bool {
    let refused = error.as_service_error();
    refused.is_some_and(StartExecutionError::is_execution_already_exists)
}

fn failed(what: &str, error: CallError) -> EngineError {
    EngineError {
        engine: ENGINE,
        what: what.to_owned(),
        is_retryable: error.is_passing(),
        reason: error.into_reason(),
    }
}

fn closed(unset: &aws::Unset) -> EngineError {
    EngineError {
        engine: ENGINE,
        what: "reaching Step Functions".to_owned(),
        reason: failure::unset(unset),
        is_retryable: false,
    }
}
