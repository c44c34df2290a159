//! Jobs as `DescribeJobs` and `ListJobs` tell them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::jobs::{Attempt, Job, Status};

pub(super) fn arn(id: &str) -> String {
    format!("arn:aws:batch:eu-west-1:123456789012:job/{id}")
}

/// A line of a listing.
pub(super) fn summary(job: &Job, child: Option<usize>) -> Value {
    let mut view = common(job, child);
    let last = last(job, child);
    if last.is_some_and(|last| last.exit_code.is_some() || last.reason.is_some()) {
        view["container"] = json!({
            "exitCode": last.and_then(|last| last.exit_code),
            "reason": last.and_then(|last| last.reason.as_deref()),
        });
    }
    if let Some(properties) = array(job, child, None) {
        view["arrayProperties"] = properties;
    }
    without_nulls(view)
}

/// All of a job. The summary of an array's children is the one that the view before should have told.
pub(super) fn detail(job: &mut Job, child: Option<usize>) -> Value {
    let mut view = common(job, child);
    let counted = job.count();
    let told = std::mem::replace(&mut job.summary, counted);
    view["jobQueue"] = json!(format!(
        "arn:aws:batch:eu-west-1:123456789012:job-queue/{}",
        job.queue
    ));
    view["tags"] = json!(job.tags);
    view["retryStrategy"] = job.retry_strategy.clone();
    view["dependsOn"] = job
        .depends_on
        .iter()
        .map(|id| json!({ "jobId": id }))
        .collect();
    if let Some(properties) = array(job, child, Some(&told)) {
        view["arrayProperties"] = properties;
    }
    let attempts = match unit(job, child) {
        Some(unit) => job.units[unit].attempts.as_slice(),
        None => &[],
    };
    let last = attempts.last();
    let environment = job.container.environment.iter();
    if job.container.is_eks {
        view["eksAttempts"] = attempts.iter().map(pod).collect();
        view["eksProperties"] = json!({ "podProperties": {
            "containers": [{ "args": job.container.arguments, "resources": job.container.requirements }],
            "podName": last.and_then(pod_name),
            "namespace": "batch",
        }});
    } else {
        view["attempts"] = attempts.iter().map(container).collect();
        view["container"] = json!({
            "image": job.container.program,
            "command": job.container.arguments,
            "environment": environment
                .map(|(name, value)| json!({ "name": name, "value": value }))
                .collect::<Vec<_>>(),
            "resourceRequirements": job.container.requirements,
            "logConfiguration": job.container.log_configuration,
            "exitCode": last.and_then(|last| last.exit_code),
            "reason": last.and_then(|last| last.reason.as_deref()),
            "logStreamName": last.and_then(|last| last.log_stream.as_deref()),
        });
    }
    without_nulls(view)
}

fn common(job: &Job, child: Option<usize>) -> Value {
    let id = child.map_or_else(|| job.id.clone(), |child| job.unit_id(child));
    let (status, reason, is_terminated) = match unit(job, child) {
        Some(unit) => {
            let unit = &job.units[unit];
            (unit.status, unit.status_reason.clone(), unit.is_terminated)
        }
        None => {
            let failed = job.status() == Status::Failed;
            (
                job.status(),
                failed.then(|| "Array Child Job failed".to_owned()),
                false,
            )
        }
    };
    let last = last(job, child);
    json!({
        "jobArn": arn(&id),
        "jobId": id,
        "jobName": job.name,
        "jobDefinition": job.definition,
        "createdAt": job.created_at,
        "startedAt": last.and_then(|last| last.started_at),
        "stoppedAt": last.and_then(|last| last.stopped_at),
        "status": status,
        "statusReason": reason,
        "isTerminated": is_terminated.then_some(true),
    })
}

/// Whose state a view tells: of an array it is none of its children's.
fn unit(job: &Job, child: Option<usize>) -> Option<usize> {
    child.or(job.size.is_none().then_some(0))
}

fn last(job: &Job, child: Option<usize>) -> Option<&Attempt> {
    job.units[unit(job, child)?].attempts.last()
}

fn array(job: &Job, child: Option<usize>, told: Option<&BTreeMap<Status, u32>>) -> Option<Value> {
    let size = job.size?;
    Some(match (child, told) {
        (Some(child), _) => json!({ "index": child }),
        (None, None) => json!({ "size": size }),
        (None, Some(told)) => {
            let name = |status: &Status| json!(status).as_str().map(str::to_owned);
            let counts = told
                .iter()
                .filter_map(|(status, count)| Some((name(status)?, json!(count))));
            json!({ "size": size, "statusSummary": counts.collect::<Map<_, _>>() })
        }
    })
}

fn container(attempt: &Attempt) -> Value {
    without_nulls(json!({
        "container": {
            "exitCode": attempt.exit_code,
            "reason": attempt.reason,
            "logStreamName": attempt.log_stream,
        },
        "startedAt": attempt.started_at,
        "stoppedAt": attempt.stopped_at,
        "statusReason": attempt.status_reason,
    }))
}

fn pod(attempt: &Attempt) -> Value {
    without_nulls(json!({
        "containers": [{ "exitCode": attempt.exit_code, "reason": attempt.reason }],
        "podName": pod_name(attempt),
        "podNamespace": "batch",
        "startedAt": attempt.started_at,
        "stoppedAt": attempt.stopped_at,
        "statusReason": attempt.status_reason,
    }))
}

fn pod_name(attempt: &Attempt) -> Option<String> {
    let stream = attempt.log_stream.as_deref()?;
    Some(format!(
        "aws-batch.{}",
        stream.rsplit('/').next().unwrap_or_default()
    ))
}

/// What is not there is not told.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let told = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                told.map(|(name, value)| (name, without_nulls(value)))
                    .collect(),
            )
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
