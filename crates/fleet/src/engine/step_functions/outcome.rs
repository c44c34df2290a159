//! What Step Functions says of executions and of their items: how they ended, why, and what can be redriven.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::operation::describe_map_run::DescribeMapRunOutput;
use aws_sdk_sfn::types::{ExecutionRedriveStatus, ExecutionStatus};
use serde::Deserialize;

use super::StepFunctions;
use crate::engine::cloud_watch::log_command;
use crate::engine::{EngineError, Reason};

/// So many of the latest executions are told of.
const MOST_EXECUTIONS: usize = 20;
/// So many failed items are asked for, a call each.
const MOST_ITEMS: usize = 200;
/// So much of a cause is told that is no job's.
const MOST_LETTERS: usize = 300;

const BAD_ENDS: [ExecutionStatus; 3] = [
    ExecutionStatus::Failed,
    ExecutionStatus::TimedOut,
    ExecutionStatus::Aborted,
];

/// A line an execution, the latest first.
pub(super) async fn overview(engine: &StepFunctions) -> Result<Vec<String>, EngineError> {
    let mut lines = Vec::new();
    for (item, _) in engine.list(None).await?.iter().take(MOST_EXECUTIONS) {
        let execution = engine.service.describe(&item.execution_arn).await?;
        let maps = engine.service.map_runs(&item.execution_arn).await?;
        lines.push(line(&item.name, &execution, &maps));
    }
    Ok(lines)
}

/// Why items failed, of the latest execution of each shard. A machine of arrays has no items: what became of an array's
/// jobs its queue tells.
pub(super) async fn reasons(engine: &mut StepFunctions) -> Result<Vec<Reason>, EngineError> {
    let (mut seen, mut reasons) = (BTreeSet::new(), Vec::new());
    let mut left = MOST_ITEMS;
    let mut listed = engine.list(None).await?;
    listed.truncate(MOST_EXECUTIONS);
    for (item, meaning) in listed {
        engine.learn_round(meaning).await?;
        for map in engine.service.map_runs(&item.execution_arn).await? {
            let counts = map.item_counts.as_ref();
            if counts.is_some_and(|items| items.failed + items.timed_out + items.aborted == 0) {
                continue;
            }
            for status in BAD_ENDS {
                let service = &engine.service;
                let ended = service.list_items(&map.map_run_arn, status).await?;
                for ended in ended.into_iter().take(left) {
                    left -= 1;
                    let described = service.describe(&ended.execution_arn).await?;
                    let index = index(described.input.as_deref().unwrap_or_default());
                    let shard = index.and_then(|index| engine.shard(meaning, index));
                    if let Some(shard) = shard.filter(|shard| !seen.contains(shard)) {
                        reasons.push(reason(shard, &described));
                    }
                }
            }
        }
        let described = engine.service.describe(&item.execution_arn).await?;
        let input = described.input.as_deref().unwrap_or_default();
        seen.extend(engine.shards(&item.name, meaning, input).await?);
    }
    Ok(reasons)
}

fn line(name: &str, execution: &DescribeExecutionOutput, maps: &[DescribeMapRunOutput]) -> String {
    let mut line = format!("{name} {}", execution.status);
    if let Some(why) = Why::of(execution) {
        line.push_str(&format!(": {}", why.reason));
    }
    for items in maps.iter().filter_map(|map| map.item_counts.as_ref()) {
        let counts = [
            (items.succeeded, "succeeded"),
            (items.failed, "failed"),
            (items.timed_out, "timed out"),
            (items.aborted, "aborted"),
            (items.running, "running"),
            (items.pending, "pending"),
            (items.pending_redrive.unwrap_or(0), "to be redriven"),
            (
                items.failures_not_redrivable.unwrap_or(0),
                "failed and can't be redriven",
            ),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        line.push_str(&format!("; of {} items {}", items.total, counts.join(", ")));
    }
    match &execution.redrive_status {
        Some(ExecutionRedriveStatus::Redrivable) => line.push_str(&format!(
            "; can be redriven: aws stepfunctions redrive-execution --execution-arn {}",
            execution.execution_arn
        )),
        Some(_) if BAD_ENDS.contains(&execution.status) => line.push_str(&format!(
            "; can't be redriven{}",
            match execution.redrive_status_reason.as_deref() {
                None | Some("") => String::new(),
                Some(reason) => format!(": {reason}"),
            }
        )),
        _ => {}
    }
    line
}

fn reason(shard: u32, item: &DescribeExecutionOutput) -> Reason {
    let why = Why::of(item).unwrap_or_default();
    let name = item.name.clone().unwrap_or_default();
    Reason {
        shard,
        job: why.job.unwrap_or(name),
        state: item.status.to_string(),
        reason: why.reason,
        logs: why.logs,
    }
}

/// The item of the input that the Map gives one of its executions.
fn index(input: &str) -> Option<u32> {
    #[derive(Deserialize)]
    struct Item {
        index: u32,
    }
    let item: Item = serde_json::from_str(input).ok()?;
    Some(item.index)
}

/// Why an execution ended badly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Why {
    reason: String,
    /// The job that failed, if one did.
    job: Option<String>,
    /// What shows its log.
    logs: Option<String>,
}

/// A job of AWS Batch, as its failure is told.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Job {
    job_id: String,
    status_reason: Option<String>,
    container: Option<Container>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    exit_code: Option<i32>,
    reason: Option<String>,
    log_stream_name: Option<String>,
    log_configuration: Option<LogConfiguration>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LogConfiguration {
    /// By names that are AWS' own, such as `awslogs-group`.
    options: Option<HashMap<String, String>>,
}

impl Why {
    fn of(execution: &DescribeExecutionOutput) -> Option<Self> {
        // arn:aws:states:<region>:...; its jobs are there too.
        let region = execution.execution_arn.split(':').nth(3);
        Self::read(
            region.unwrap_or_default(),
            execution.error.as_deref()?,
            execution.cause.as_deref().unwrap_or_default(),
        )
    }

    fn read(region: &str, error: &str, cause: &str) -> Option<Self> {
        if error.is_empty() && cause.is_empty() {
            return None;
        }
        let Ok(job) = serde_json::from_str::<Job>(cause) else {
            let cause: String = cause.chars().take(MOST_LETTERS).collect();
            let words = [error, cause.as_str()].into_iter();
            let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            return Some(Self {
                reason: words.join(": "),
                ..Self::default()
            });
        };
        let container = job.container.unwrap_or_default();
        let mut words = vec![job.status_reason.unwrap_or_else(|| error.to_owned())];
        words.extend(container.exit_code.map(|code| format!("exit code {code}")));
        words.extend(container.reason);
        Some(Self {
            reason: words.join(", "),
            logs: container.log_stream_name.map(|stream| {
                let log = container.log_configuration.unwrap_or_default();
                log_command(region, log.options.as_ref(), &stream)
            }),
            job: Some(job.job_id),
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::primitives::DateTime;
    use aws_sdk_sfn::types::{MapRunItemCounts, MapRunStatus};

    use super::*;

    const ARN: &str = "arn:aws:states:eu-west-1:123456789012:execution:map:demo-0";

    #[test]
    fn a_jobs_failure_is_told_in_its_own_words() {
        let cause = r#"{"JobId": "1-2", "JobName": "demo-7", "Status": "FAILED",
            "StatusReason": "Essential container in task exited", "Attempts": [],
            "Container": {"ExitCode": 137, "Reason": "OutOfMemoryError", "LogStreamName": "work/default/9"}}"#;
        let why = Why::read("eu-west-1", "States.TaskFailed", cause).unwrap();
        assert_eq!(
            why.reason,
            "Essential container in task exited, exit code 137, OutOfMemoryError"
        );
        assert_eq!(why.job.as_deref(), Some("1-2"));
        assert_eq!(
            why.logs.as_deref(),
            Some(
                "aws logs get-log-events --region eu-west-1 --log-group-name /aws/batch/job --log-stream-name work/default/9 --query 'events[].message' --output text"
            )
        );
        let log = r#""LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": "ours"}}, "ExitCode""#;
        let cause = cause.replace(r#""ExitCode""#, log);
        let why = Why::read("eu-west-1", "States.TaskFailed", &cause).unwrap();
        assert!(why.logs.unwrap().contains("--log-group-name ours "));
        let why = Why::read("", "Croupier.Input", "the input has no items").unwrap();
        assert_eq!(why.reason, "Croupier.Input: the input has no items");
        assert_eq!(Why::read("", "", ""), None);
    }

    #[test]
    fn an_item_is_known_by_what_the_map_gave_it() {
        assert_eq!(index(r#"{"index": 7, "command": ["shard"]}"#), Some(7));
        assert_eq!(index("{}"), None);
    }

    #[test]
    fn a_line_tells_of_items_and_whether_the_rest_can_be_redriven() {
        let execution = |status| {
            DescribeExecutionOutput::builder()
                .execution_arn(ARN)
                .state_machine_arn("arn")
                .status(ExecutionStatus::Failed)
                .start_date(DateTime::from_secs(0))
                .error("States.ExceedToleratedFailureThreshold")
                .redrive_status(status)
                .build()
                .unwrap()
        };
        let items = MapRunItemCounts::builder()
            .pending(0)
            .running(0)
            .succeeded(7)
            .failed(2)
            .timed_out(1)
            .aborted(0)
            .total(10)
            .results_written(0)
            .build();
        let map = DescribeMapRunOutput::builder()
            .map_run_arn("map")
            .execution_arn(ARN)
            .status(MapRunStatus::Failed)
            .start_date(DateTime::from_secs(0))
            .max_concurrency(0)
            .tolerated_failure_percentage(0.0)
            .tolerated_failure_count(0)
            .item_counts(items)
            .build()
            .unwrap();
        let of = |status| line("demo-0", &execution(status), std::slice::from_ref(&map));
        let said = "demo-0 FAILED: States.ExceedToleratedFailureThreshold; of 10 items 7 succeeded, 2 failed, 1 timed out; ";
        assert_eq!(
            of(ExecutionRedriveStatus::Redrivable),
            format!(
                "{said}can be redriven: aws stepfunctions redrive-execution --execution-arn {ARN}"
            )
        );
        assert_eq!(
            of(ExecutionRedriveStatus::NotRedrivable),
            format!("{said}can't be redriven")
        );
    }
}
