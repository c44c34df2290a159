//! Why shards ended badly, as Batch tells it, and what shows their logs.

use std::cmp::Reverse;

use aws_sdk_batch::types::{JobDetail, JobStatus, JobSummary};

use super::service::{MOST_DESCRIBED, Service};
use crate::engine::cloud_watch::log_command;
use crate::engine::{EngineError, Reason};

/// A child, or a plain job, that failed.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub(super) index: u32,
    id: String,
    exit_code: Option<i32>,
    reason: String,
}

/// What failed of a job: itself, or those of its children that did.
pub(super) async fn failed(
    service: &Service,
    job: &JobSummary,
) -> Result<Vec<Failed>, EngineError> {
    let is_array = job
        .array_properties()
        .is_some_and(|array| array.size().is_some());
    if !is_array {
        let is_failed = job.status() == Some(&JobStatus::Failed);
        return Ok(is_failed.then(|| Failed::new(job, 0)).into_iter().collect());
    }
    if job.status() == Some(&JobStatus::Succeeded) {
        return Ok(Vec::new());
    }
    let id = job.job_id().unwrap_or_default();
    let children = service.list_children(id, JobStatus::Failed).await?;
    let index = |child: &JobSummary| u32::try_from(child.array_properties()?.index()?).ok();
    let failed = children.iter();
    Ok(failed
        .filter_map(|child| Some(Failed::new(child, index(child)?)))
        .collect())
}

impl Failed {
    fn new(job: &JobSummary, index: u32) -> Self {
        let container = job.container();
        let exit_code = container.and_then(|container| container.exit_code());
        let mut words = vec![
            job.status_reason()
                .unwrap_or("no reason is told")
                .to_owned(),
        ];
        words.extend(exit_code.map(|code| format!("exit code {code}")));
        let reason = container.and_then(|container| container.reason());
        words.extend(reason.map(str::to_owned));
        Self {
            index,
            id: job.job_id().unwrap_or_default().to_owned(),
            exit_code,
            reason: words.join(", "),
        }
    }

    /// Those that never ran or lost their host, then those that were killed, then those that failed by themselves.
    fn badness(&self) -> u8 {
        match self.exit_code {
            None => 2,
            Some(128..) => 1,
            Some(_) => 0,
        }
    }
}

/// The worst first. Of as many as one call tells, also what shows their logs.
pub(super) async fn explain(
    service: &Service,
    mut failed: Vec<(u32, Failed)>,
) -> Result<Vec<Reason>, EngineError> {
    failed.sort_by_key(|(shard, failed)| (Reverse(failed.badness()), *shard));
    let ids = failed
        .iter()
        .take(MOST_DESCRIBED)
        .map(|(_, failed)| failed.id.clone());
    let described = service.describe(&ids.collect::<Vec<_>>()).await?;
    let logs = |id: &str| {
        let job = described.iter().find(|job| job.job_id() == Some(id))?;
        pod_log(job).or_else(|| stream(job, service.region()))
    };
    let reasons = failed.into_iter().map(|(shard, failed)| Reason {
        shard,
        state: JobStatus::Failed.as_str().to_owned(),
        logs: logs(&failed.id),
        reason: failed.reason,
        job: failed.id,
    });
    Ok(reasons.collect())
}

/// The command that shows a log in CloudWatch, where the job's last attempt has one.
fn stream(job: &JobDetail, region: &str) -> Option<String> {
    let last = job.attempts().last();
    let of_container = last
        .and_then(|last| last.container())
        .and_then(|container| container.log_stream_name());
    let of_task = last
        .and_then(|last| last.task_properties().first())
        .and_then(|task| {
            task.containers()
                .iter()
                .find_map(|container| container.log_stream_name())
        });
    let stream = of_container.or(of_task)?;
    let options = job
        .container()
        .and_then(|container| container.log_configuration())
        .and_then(|log| log.options());
    Some(log_command(region, options, stream))
}

/// The same for a pod, whose log is its cluster's.
fn pod_log(job: &JobDetail) -> Option<String> {
    let last = job.eks_attempts().last()?;
    let namespace = last.pod_namespace().unwrap_or("default");
    Some(format!(
        "kubectl logs --namespace {namespace} {}",
        last.pod_name()?
    ))
}
