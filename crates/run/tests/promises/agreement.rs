//! Several partials of one shard: counted once where they agree, refused where they don't.

use std::sync::Arc;

use croupier_run::{Error, ReduceOptions, Verdict, reduce, work};

use crate::support::{
    NORMAL, Normal, executable, finished, leave, memory, only_partial, options, partials, planned,
    reduced,
};

/// A kernel that passes for [`NORMAL`] and gives other numbers, as a broken machine would.
const BROKEN: Normal = Normal { mean: 3.5 };

fn names_both(error: &Error, keys: [&str; 2]) -> bool {
    match error {
        Error::Differ { left, right, .. } => {
            keys.iter()
                .all(|key| left.ends_with(key) || right.ends_with(key))
                && left != right
        }
        _ => false,
    }
}

#[tokio::test]
async fn two_complete_partials_that_differ_stop_everything() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let (right, _) = only_partial(&store, 2).await;
    let wrong = leave(&store, &run, &run.manifest.identity, &BROKEN, 2, 6..9).await;
    for _ in 0..2 {
        let error = reduce::<Normal>(&run, &ReduceOptions::default())
            .await
            .unwrap_err();
        assert!(names_both(&error, [&right, &wrong]), "{error}");
        let error = work(&run, &Arc::new(NORMAL), 2, &options(1))
            .await
            .unwrap_err();
        assert!(names_both(&error, [&right, &wrong]), "{error}");
    }
    assert_eq!(partials(&store, 2).await.len(), 2, "both are kept");
}

#[tokio::test]
async fn other_bytes_with_the_same_content_are_no_alarm() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let before = reduced(&run).await.report;
    leave(&store, &run, &run.manifest.identity, &NORMAL, 2, 6..9).await;
    assert_eq!(partials(&store, 2).await.len(), 2);
    let report = reduced(&run).await.report;
    assert!(report.accepted);
    assert_eq!(report.digest, before.digest);
    assert_eq!(report.samples, before.samples);
    assert_eq!(report.warnings, before.warnings);
    // And a worker has nothing to do there.
    let options = options(1);
    let worked = work(&run, &Arc::new(NORMAL), 2, &options).await.unwrap();
    assert_eq!((worked.blocks, worked.blocks_before), (3, 3));
    assert_eq!(options.control.blocks(), 0);
    assert_eq!(partials(&store, 2).await.len(), 2);
}

#[tokio::test]
async fn another_build_is_refused_unless_told() {
    let store = memory();
    let run = planned(&store, 64 * 12, 4).await;
    let kernel = Arc::new(NORMAL);
    work(&run, &kernel, 0, &options(1)).await.unwrap();
    let mut other = options(1);
    // Whatever somebody calls a digest is not cut in the middle of a letter.
    for name in ["b", "ääääääääääää"] {
        other.executable = executable(name);
        let error = work(&run, &kernel, 1, &other).await.unwrap_err();
        assert!(
            matches!(&error, Error::Foreign { differences, .. } if differences[0].contains("aaaaaaaaaaaa")),
            "{error}"
        );
    }
    other.allow_other_build = true;
    work(&run, &kernel, 1, &other).await.unwrap();
}

#[tokio::test]
async fn incomplete_partials_are_salvaged_where_they_overlap() {
    let store = memory();
    let run = planned(&store, 64 * 20, 2).await;
    let identity = &run.manifest.identity;
    // Of shard 0, blocks 0 to 10: two that overlap, one nested inside, one apart.
    for blocks in [vec![0, 1, 2, 3], vec![2, 3, 4, 5], vec![1], vec![8]] {
        leave(&store, &run, identity, &NORMAL, 0, blocks).await;
    }
    let report = reduced(&run).await.report;
    assert_eq!(report.blocks.done, 7);
    assert_eq!(report.samples.done, 7 * 64);
    assert_eq!(report.shards.missing, [0, 1]);
    let salvaged = |line: &String| line.starts_with("1 shards are unfinished");
    assert!(
        report.warnings.iter().any(salvaged),
        "{:?}",
        report.warnings
    );
    // The holes are what a worker runs, and in the end nobody can tell.
    let worked = work(&run, &Arc::new(NORMAL), 0, &options(2)).await.unwrap();
    assert_eq!((worked.blocks, worked.blocks_before), (10, 7));
    work(&run, &Arc::new(NORMAL), 1, &options(1)).await.unwrap();
    let other = memory();
    let at_once = finished(&other, 64 * 20, 1).await;
    assert_eq!(
        reduced(&run).await.report.digest,
        reduced(&at_once).await.report.digest
    );
}

#[tokio::test]
async fn blocks_that_came_one_by_one_leave_the_same_bytes() {
    let quiet = memory();
    finished(&quiet, 64 * 20, 2).await;
    let store = memory();
    let run = planned(&store, 64 * 20, 2).await;
    // As by several workers with threads, all of which died: no two blocks that merge are in one partial, and
    // those that a worker keeps for `verify` are rows of their own.
    for block in 10..20 {
        leave(&store, &run, &run.manifest.identity, &NORMAL, 1, [block]).await;
    }
    let worked = work(&run, &Arc::new(NORMAL), 1, &options(1)).await.unwrap();
    assert_eq!((worked.blocks, worked.blocks_before), (10, 10));
    let (key, bytes) = only_partial(&quiet, 1).await;
    assert_eq!(format!("demo/{}", worked.partial), key);
    assert_eq!(store.get(&key).await.unwrap(), bytes);
}

#[tokio::test]
async fn incomplete_partials_that_differ_are_an_alarm() {
    for (right, wrong) in [
        // The same node; a node and its two halves, in two partials; the halves the other way round.
        (vec![vec![0, 1, 2, 3]], vec![vec![0, 1, 2, 3, 4]]),
        (vec![vec![0, 1, 2, 3]], vec![vec![0, 1], vec![2, 3]]),
        (vec![vec![4, 5], vec![6, 7]], vec![vec![4, 5, 6, 7]]),
        (vec![vec![9]], vec![vec![9, 0]]),
    ] {
        let store = memory();
        let run = planned(&store, 64 * 20, 2).await;
        let identity = &run.manifest.identity;
        for blocks in &right {
            leave(&store, &run, identity, &NORMAL, 0, blocks.clone()).await;
        }
        assert!(reduced(&run).await.report.blocks.done > 0);
        for blocks in &wrong {
            leave(&store, &run, identity, &BROKEN, 0, blocks.clone()).await;
        }
        let error = reduce::<Normal>(&run, &ReduceOptions::default())
            .await
            .unwrap_err();
        assert!(
            matches!(&error, Error::Differ { left, right, .. }
                if left.contains("partials/00000-") && right.contains("partials/00000-") && left != right),
            "{right:?} {wrong:?}: {error}"
        );
    }
}

#[tokio::test]
async fn a_complete_partial_is_preferred_and_damage_beside_it_does_no_harm() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let digest = reduced(&run).await.report.digest;
    leave(&store, &run, &run.manifest.identity, &NORMAL, 2, 6..8).await;
    let (_, bytes) = only_partial(&store, 1).await;
    let damaged = format!("demo/partials/00002-3-{}.arrow", "0".repeat(64));
    store.put(&damaged, bytes).await.unwrap();
    let reduced = reduced(&run).await;
    assert_eq!(reduced.verdict, Verdict::Accepted);
    assert_eq!(reduced.report.digest, digest);
    let named = |line: &String| line.contains(&"0".repeat(64));
    assert!(reduced.report.warnings.iter().any(named));
}
