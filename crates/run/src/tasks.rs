//! Futures as tasks of their own, some at a time and in order, so that they use every core.

use futures_util::{Stream, StreamExt, stream};

use crate::Error;

/// The outputs of `jobs` in their order, `at_once` of them running at a time.
///
/// Handing a task over and back costs some microseconds, about what reading one small object does:
/// so jobs should be [`batches`] of such.
pub(crate) fn in_tasks<T: Send + 'static>(
    jobs: impl Iterator<Item: Future<Output = Result<T, Error>> + Send + 'static>,
    at_once: usize,
) -> impl Stream<Item = Result<T, Error>> {
    stream::iter(jobs)
        .map(|job| async {
            tokio::spawn(job)
                .await
                .unwrap_or_else(|failed| match failed.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => Err(interrupted()),
                })
        })
        .buffered(at_once)
}

/// The items of `items`, `size` at a time.
pub(crate) fn batches<I: Iterator>(
    mut items: I,
    size: usize,
) -> impl Iterator<Item = Vec<I::Item>> {
    std::iter::from_fn(move || {
        let batch: Vec<I::Item> = items.by_ref().take(size).collect();
        (!batch.is_empty()).then_some(batch)
    })
}

/// How many of `count` jobs to do in one task, `at_once` tasks at a time: at most `most`, and fewer
/// where some tasks would have nothing to do.
pub(crate) fn batch_size(count: usize, at_once: usize, most: usize) -> usize {
    const TURNS: usize = 4;
    (count / (TURNS * at_once)).clamp(1, most.max(1))
}

fn interrupted() -> Error {
    Error::Store(croupier_store::Error::Other {
        action: "reading".to_owned(),
        target: "the run".to_owned(),
        reason: "the program is ending".to_owned(),
        is_retryable: true,
    })
}
