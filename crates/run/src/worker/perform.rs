//! Performs a task: what [`work`](super::work) is for a kernel's shard.

use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::Record;
use super::{WorkOptions, Worked, stopped};
use crate::task::{done_before, publish};
use crate::{Error, StoredRun, Task, TaskFailure, first_not_finite, started};

type Performing = Pin<Box<dyn Future<Output = Result<Value, TaskFailure>> + Send>>;

/// Performs `task`, which is validated, prepared and of the run's identity, unless it is done.
///
/// May be called any number of times, anywhere, at once: the first whole row counts.
///
/// # Errors
///
/// [`Error::Task`] where the task failed; where this worker or the run was stopped; what the store reports.
pub async fn perform<T: Task + Serialize>(
    run: &StoredRun,
    task: &Arc<T>,
    options: &WorkOptions,
) -> Result<Worked, Error> {
    run.manifest.identity.check_task::<T>()?;
    let task = Arc::clone(task);
    // What is below knows nothing of `T`, and is compiled once.
    let performing = Box::pin(async move {
        let row = task.perform().await?;
        if let Some(path) = first_not_finite(&row) {
            return Err(TaskFailure::permanent(format!(
                "{path} of its row is not finite: a row holds numbers, or none in an option"
            )));
        }
        let unreadable = |error: serde_json::Error| {
            TaskFailure::permanent(format!("its row can't be written and read back: {error}"))
        };
        let row = serde_json::to_value(&row).map_err(unreadable)?;
        T::Row::deserialize(&row).map_err(unreadable)?;
        Ok(row)
    });
    perform_one(run, performing, options).await
}

async fn perform_one(
    run: &StoredRun,
    performing: Performing,
    options: &WorkOptions,
) -> Result<Worked, Error> {
    if let Some(order) = run.stop_order().await? {
        return Err(run.stopped_by(order));
    }
    let mut record = Record::new(0, 1, options);
    if let Some(partial) = done_before(run).await? {
        return Ok(Worked {
            partial,
            blocks: 1,
            blocks_before: 1,
            failed_samples: 0,
            kernel_seconds: 0.0,
        });
    }
    // Last, since nothing takes it back.
    if run.manifest.at_most_once {
        started::claim(run, 0, &record.attempt.id).await?;
    }
    let announced = record.attempt.clone();
    let (_, outcome) = tokio::join!(
        announced.write(&*run.store),
        attend(run, performing, options, &mut record)
    );
    if run.manifest.policy.fail_fast
        && let Err(error) = &outcome
        && !matches!(error, Error::Stopped { .. } | Error::RunStopped { .. })
    {
        // That the others go on for lack of this word is no worse than the failure it is about.
        let _ = run.stop(Some(0), error.to_string()).await;
    }
    record.end(&outcome);
    let _ = record.attempt.write(&*run.store).await;
    outcome
}

/// Says that it is at work, by the clock, until the task ends; then publishes its row.
async fn attend(
    run: &StoredRun,
    performing: Performing,
    options: &WorkOptions,
    record: &mut Record,
) -> Result<Worked, Error> {
    let began = std::time::Instant::now();
    let seconds = || began.elapsed().as_secs_f64();
    let mut performing = tokio::spawn(performing);
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut performing => break ended,
            () = stopped(&options.control, options.checkpoints.stop_at) => {
                performing.abort();
                record.progress(0, seconds());
                return Err(Error::Stopped { done: 0, planned: 1 });
            }
            () = tokio::time::sleep(options.checkpoints.every) => {}
        }
        record.progress(0, seconds());
        let _ = record.attempt.write(&*run.store).await;
        // A store that is away for a while stops no task.
        if let Ok(Some(order)) = run.stop_order().await {
            performing.abort();
            return Err(run.stopped_by(order));
        }
    };
    record.progress(0, seconds());
    let failed = |failure: TaskFailure| Error::Task {
        task: run.manifest.identity.kernel.clone(),
        message: failure.message,
        is_permanent: failure.is_permanent,
    };
    let row = match ended {
        Ok(outcome) => outcome.map_err(failed)?,
        Err(error) => return Err(failed(TaskFailure::new(panic_text(error)))),
    };
    let (partial, superseded_by) = publish(run, row, &options.executable).await?;
    record.attempt.blocks_done = 1;
    record.attempt.superseded_by = superseded_by;
    Ok(Worked {
        partial,
        blocks: 1,
        blocks_before: 0,
        failed_samples: 0,
        kernel_seconds: seconds(),
    })
}

fn panic_text(error: tokio::task::JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return "it was cancelled".to_owned();
    };
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", text.unwrap_or("without a word"))
}
