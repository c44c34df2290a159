//! Workers: stopped, resumed, doubled, and sent where they don't belong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use croupier_compute::engine::Control;
use croupier_compute::{Kernel, Mean, Stream, pinned};
use croupier_run::{Attempt, AttemptState, Error, StoredRun, Verdict, plan, reduce, verify, work};
use croupier_store::Store;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::support::{
    NORMAL, Normal, finished, leave, memory, only_partial, options, partials, plan_of, planned,
    reduced,
};

/// Tells its engine to stop at a sample, as a signal would.
#[derive(Serialize)]
struct Stopping {
    #[serde(skip)]
    at: Option<(u64, Arc<Control>)>,
    #[serde(skip)]
    drawn: AtomicU64,
}

impl Kernel for Stopping {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 16;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, sample: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Mean) {
        self.drawn.fetch_add(1, Ordering::Relaxed);
        if let Some((at, control)) = &self.at
            && sample == *at
        {
            control.stop();
        }
        tally.record(pinned::normal(rng));
    }
}

fn stopping(at: Option<(u64, Arc<Control>)>) -> Arc<Stopping> {
    let drawn = AtomicU64::new(0);
    Arc::new(Stopping { at, drawn })
}

async fn planned_stopping(store: &Arc<dyn Store>) -> StoredRun {
    plan(store, "demo", &plan_of(&*stopping(None), 16 * 37 - 3, 3))
        .await
        .unwrap()
        .run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_worker_leaves_the_same_bytes() {
    let at_once = memory();
    let run = planned_stopping(&at_once).await;
    for shard in 0..3 {
        work(&run, &stopping(None), shard, &options(1))
            .await
            .unwrap();
    }
    for shard in 0..3u32 {
        let (key, bytes) = only_partial(&at_once, shard).await;
        let (_, grid) = run.segment_of(shard).unwrap();
        for threads in [1, 3] {
            for block in grid.shard(shard, 3) {
                let store = memory();
                let run = planned_stopping(&store).await;
                let first = options(threads);
                let at = Some((block * 16, Arc::clone(&first.control)));
                let error = match work(&run, &stopping(at), shard, &first).await {
                    Err(error) => error,
                    // Told to stop in its last blocks.
                    Ok(worked) => {
                        assert_eq!(worked.partial, key.strip_prefix("demo/").unwrap());
                        continue;
                    }
                };
                let Error::Stopped { done, planned } = error else {
                    panic!("{error}");
                };
                assert!(0 < done && done < planned && error.is_retryable());
                let kernel = stopping(None);
                let resumed = options(threads);
                let worked = work(&run, &kernel, shard, &resumed).await.unwrap();
                assert_eq!(worked.blocks_before, done);
                assert_eq!(resumed.control.blocks(), planned - done);
                assert_eq!(worked.partial, key.strip_prefix("demo/").unwrap());
                assert_eq!(store.get(&key).await.unwrap(), bytes);
            }
        }
    }
}

#[tokio::test]
async fn a_worker_stopped_at_once_leaves_nothing_but_its_attempt() {
    let store = memory();
    let run = planned(&store, 64 * 12, 4).await;
    let options = options(1);
    options.control.stop();
    let error = work(&run, &Arc::new(NORMAL), 1, &options)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Stopped {
                done: 0,
                planned: 3
            }
        ),
        "{error}"
    );
    assert_eq!(partials(&store, 1).await, [""; 0]);
    assert_eq!(attempts(&store).await[0].state, AttemptState::Stopped);
}

async fn attempts(store: &Arc<dyn Store>) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for entry in store.list("demo/attempts/").await.unwrap() {
        let bytes = store.get(&entry.key).await.unwrap();
        attempts.push(serde_json::from_slice(&bytes).unwrap());
    }
    attempts
}

#[tokio::test]
async fn a_finished_shard_is_not_run_again() {
    let store = memory();
    let run = planned_stopping(&store).await;
    let kernel = stopping(None);
    let first = work(&run, &kernel, 1, &options(1)).await.unwrap();
    assert_eq!(first.blocks_before, 0);
    let drawn = kernel.drawn.load(Ordering::Relaxed);
    assert!(drawn > 0);
    let keys = store.list("").await.unwrap();
    let again = work(&run, &kernel, 1, &options(2)).await.unwrap();
    assert_eq!(again.blocks_before, again.blocks);
    assert_eq!(again.partial, first.partial);
    assert_eq!(kernel.drawn.load(Ordering::Relaxed), drawn);
    assert_eq!(store.list("").await.unwrap(), keys);
    let attempts = attempts(&store).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].state, AttemptState::Done);
    assert_eq!(attempts[0].blocks_done, first.blocks);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_on_one_shard_at_once_leave_one_partial() {
    let reference = memory();
    finished(&reference, 64 * 12, 4).await;
    let store = memory();
    let run = planned(&store, 64 * 12, 4).await;
    let tasks: Vec<_> = [1, 2, 1]
        .map(|threads| {
            let run = run.clone();
            tokio::spawn(async move {
                work(&run, &Arc::new(NORMAL), 2, &options(threads))
                    .await
                    .unwrap()
            })
        })
        .into();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        only_partial(&store, 2).await,
        only_partial(&reference, 2).await
    );
}

#[tokio::test]
async fn a_shard_that_does_not_exist_is_refused() {
    let store = memory();
    let run = planned(&store, 64 * 12, 4).await;
    for shard in [4, u32::MAX] {
        let error = work(&run, &Arc::new(NORMAL), shard, &options(1))
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Input(_)), "{text}");
        assert!(text.contains("has 4 shards, 0 to 3"), "{text}");
    }
}

#[tokio::test]
async fn another_program_is_refused() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let expected = "its kernel is stopping, expected normal";
    let kernel = stopping(None);
    for error in [
        work(&run, &kernel, 0, &options(1)).await.unwrap_err(),
        reduce::<Stopping>(&run, &Default::default())
            .await
            .unwrap_err(),
        verify(&run, &kernel, croupier_run::Depth::Rows)
            .await
            .unwrap_err(),
    ] {
        assert!(
            matches!(&error, Error::Foreign { differences, .. } if *differences == [expected]),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_another_release_drew_can_be_reduced_and_not_added_to() {
    let store = memory();
    let mut older = plan_of(&NORMAL, 64 * 12, 4);
    older.identity.libm = "0.1.0".to_owned();
    older.identity.recipe = 0;
    let run = plan(&store, "demo", &older).await.unwrap().run;
    for shard in 0..4u32 {
        let blocks = u64::from(3 * shard)..u64::from(3 * shard + 3);
        leave(&store, &run, &older.identity, &NORMAL, shard, blocks).await;
    }
    let reduced = reduced(&run).await;
    assert_eq!(reduced.verdict, Verdict::Accepted);
    assert_eq!(reduced.report.samples.done, 64 * 12);
    let kernel = Arc::new(NORMAL);
    for error in [
        work(&run, &kernel, 0, &options(1)).await.unwrap_err(),
        verify(&run, &kernel, croupier_run::Depth::Rows)
            .await
            .unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(
            text.contains("its libm is") && text.contains("its recipe is"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn verify_finds_another_number() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let (key, _) = only_partial(&store, 0).await;
    for depth in [croupier_run::Depth::Witnesses, croupier_run::Depth::Rows] {
        verify(&run, &Arc::new(NORMAL), depth).await.unwrap();
        let broken = Arc::new(Normal { mean: 3.0 + 1e-15 });
        let error = verify(&run, &broken, depth).await.unwrap_err();
        assert!(
            matches!(&error, Error::Differ { left, right, .. } if left.ends_with(&key) && right == "a repeat on this machine"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn verify_blames_the_partial_that_has_the_row() {
    let broken = Normal { mean: 3.0 + 1e-9 };
    // The blocks of a right partial, of a wrong one, and those that must be named.
    for (right, wrong, named) in [(0..2, 2..3, 2..3), (1..3, 0..1, 0..1), (0..1, 1..2, 1..2)] {
        let store = memory();
        let run = planned(&store, 64 * 12, 4).await;
        let identity = &run.manifest.identity;
        leave(&store, &run, identity, &NORMAL, 0, right).await;
        let wrong = leave(&store, &run, identity, &broken, 0, wrong).await;
        match verify(&run, &Arc::new(NORMAL), croupier_run::Depth::Rows).await {
            Err(Error::Differ { left, blocks, .. }) => {
                assert!(left.ends_with(&wrong), "{left}, expected {wrong}");
                assert_eq!(blocks, named);
            }
            other => panic!("{other:?}"),
        }
    }
}
