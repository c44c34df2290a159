//! Partials that were altered or cut off: known by their names, never merged, filled again.

use std::sync::Arc;

use bytes::Bytes;
use croupier_run::{Depth, Error, Inventory, ShardState, Verdict, remove, verify, work};

use crate::support::{NORMAL, finished, memory, only_partial, options, reduced};

const SHARD: u32 = 2;

/// Puts each of `others` in the place of one shard's partial: it must be named as invalid, be a hole,
/// and leave the others as they are. Then the shard is run again and all is as before.
async fn each_is_a_hole(others: impl FnOnce(&[u8]) -> Vec<Vec<u8>>) {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let before = reduced(&run).await.report;
    assert!(before.accepted);
    let (key, bytes) = only_partial(&store, SHARD).await;
    let others = others(&bytes);
    assert!(others.len() >= bytes.len(), "nothing was altered");
    for (number, other) in others.into_iter().enumerate() {
        assert_ne!(other, bytes);
        store.put(&key, Bytes::from(other)).await.unwrap();
        let report = reduced(&run).await.report;
        assert!(!report.accepted, "alteration {number}");
        assert_eq!(report.shards.missing, [SHARD], "alteration {number}");
        assert_eq!(report.samples.done, 64 * 9);
        let name = key.strip_prefix("demo/").unwrap();
        let expected = format!("{name} was not used: it is damaged: its bytes are not those");
        assert!(
            report
                .warnings
                .iter()
                .any(|line| line.starts_with(&expected)),
            "alteration {number}: {:?}",
            report.warnings
        );
    }
    let worked = work(&run, &Arc::new(NORMAL), SHARD, &options(1))
        .await
        .unwrap();
    assert_eq!((worked.blocks, worked.blocks_before), (3, 0));
    let again = reduced(&run).await;
    assert_eq!(again.verdict, Verdict::Accepted);
    assert_eq!(again.report.digest, before.digest);
    assert_eq!(only_partial(&store, SHARD).await.1, bytes);
}

#[tokio::test]
async fn every_byte_flipped_in_turn() {
    each_is_a_hole(|bytes| {
        (0..bytes.len())
            .map(|at| {
                let mut other = bytes.to_vec();
                other[at] ^= 1 << (at % 8);
                other
            })
            .collect()
    })
    .await;
}

#[tokio::test]
async fn every_truncation_and_an_extension() {
    each_is_a_hole(|bytes| {
        let longer = [bytes, b"\0"].concat();
        (0..bytes.len())
            .map(|end| bytes[..end].to_vec())
            .chain([longer])
            .collect()
    })
    .await;
}

#[tokio::test]
async fn a_partial_under_another_shards_name_is_a_hole() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let (key, bytes) = only_partial(&store, 1).await;
    let (right, _) = only_partial(&store, 2).await;
    store.delete(&right).await.unwrap();
    let wrong = key.replace("00001-", "00002-");
    store.put(&wrong, bytes.clone()).await.unwrap();
    // And one whose name claims fewer blocks than it has.
    let less = key.replace("00001-3-", "00001-2-");
    store.put(&less, bytes).await.unwrap();
    store.delete(&key).await.unwrap();
    let report = reduced(&run).await.report;
    assert_eq!(report.shards.missing, [1, 2]);
    assert_eq!(report.blocks.done, 6);
    let named = |key: &str| {
        let key = key.strip_prefix("demo/").unwrap();
        let mut lines = report.warnings.iter();
        lines.any(|line| line.contains(key) && line.contains("not those that the plan gives"))
    };
    assert!(named(&wrong) && named(&less), "{:?}", report.warnings);
}

#[tokio::test]
async fn a_partial_of_a_run_with_fewer_samples_is_a_hole() {
    // The last block of a shorter run is no part of a longer one, though the identity is the same.
    let short = memory();
    finished(&short, 64 * 12 - 5, 4).await;
    let (key, bytes) = only_partial(&short, 3).await;
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    store
        .delete(&only_partial(&store, 3).await.0)
        .await
        .unwrap();
    store.put(&key, bytes).await.unwrap();
    let report = reduced(&run).await.report;
    assert_eq!(report.shards.missing, [3]);
    assert_eq!(report.samples.done, 64 * 9);
}

#[tokio::test]
async fn stray_keys_are_counted_and_not_read() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let digest = reduced(&run).await.report.digest;
    for stray in ["notes.txt", "00001-3-abc.arrow", "00001/x.arrow"] {
        let key = format!("demo/partials/{stray}");
        store.put(&key, Bytes::from_static(b"?")).await.unwrap();
    }
    let report = reduced(&run).await.report;
    assert!(report.accepted);
    assert_eq!(report.digest, digest);
    let warning = report
        .warnings
        .iter()
        .find(|line| line.contains("3 objects"));
    assert!(
        warning.is_some_and(|line| line.contains("partials/00001-3-abc.arrow")),
        "{:?}",
        report.warnings
    );
}

#[tokio::test]
async fn damaged_plans_are_refused_by_name() {
    let store = memory();
    finished(&store, 64 * 12, 4).await;
    let manifest = store.get("demo/manifest.json").await.unwrap();
    for (key, bytes) in [
        ("demo/manifest.json", &b"{"[..]),
        ("demo/manifest.json", b"[]"),
        ("demo/manifest.json", b"{\"format\": 1}"),
        ("demo/manifest.json", b"{\"format\": -1}"),
        ("demo/manifest.json", b"\xff\xfe"),
        ("demo/segments/0.json", b""),
        ("demo/segments/0.json", b"{\"format\": 1, \"shards\": 1}"),
    ] {
        let before = store.get(key).await.unwrap();
        store.put(key, Bytes::from_static(bytes)).await.unwrap();
        let error = croupier_run::open(&store, "demo").await.unwrap_err();
        assert!(
            matches!(&error, Error::Malformed { key: named, .. } if named.ends_with(key)),
            "{error}"
        );
        store.put(key, before).await.unwrap();
    }
    assert_eq!(store.get("demo/manifest.json").await.unwrap(), manifest);
    croupier_run::open(&store, "demo").await.unwrap();
}

#[tokio::test]
async fn a_name_that_claims_more_blocks_than_there_are_hides_nothing() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let (key, bytes) = only_partial(&store, SHARD).await;
    for blocks in [4, u64::MAX] {
        let more = key.replace("00002-3-", &format!("00002-{blocks}-"));
        store.put(&more, bytes.clone()).await.unwrap();
    }
    let inventory = Inventory::of(&run).await.unwrap();
    assert_eq!(inventory.state(SHARD, 3), ShardState::Done);
    store.delete(&key).await.unwrap();
    let inventory = Inventory::of(&run).await.unwrap();
    assert_eq!(inventory.state(SHARD, 3), ShardState::Missing);
}

#[tokio::test]
async fn a_run_is_removed_whatever_is_left_of_it() {
    let store = memory();
    for part in ["segments", "partials", "builds", "attempts"] {
        finished(&store, 64 * 12, 4).await;
        // As if removing had been interrupted, which begins anywhere and ends with the manifest.
        for entry in store.list(&format!("demo/{part}/")).await.unwrap() {
            store.delete(&entry.key).await.unwrap();
        }
        store
            .put("demo/manifest.json", Bytes::from_static(b"{"))
            .await
            .unwrap();
        let count = store.list("").await.unwrap().len() as u64;
        assert_eq!(remove(&store, "demo", false).await.unwrap(), count);
        assert_eq!(store.list("").await.unwrap().len() as u64, count);
        assert_eq!(remove(&store, "demo", true).await.unwrap(), count);
        assert_eq!(store.list("").await.unwrap(), []);
        let error = remove(&store, "demo", true).await.unwrap_err().to_string();
        assert!(error.contains("there is no run \"demo\""), "{error}");
    }
    let error = remove(&store, "..", true).await.unwrap_err().to_string();
    assert!(error.contains("can't name a run"), "{error}");
}

#[tokio::test]
async fn verify_counts_what_it_could_not_compare() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let kernel = Arc::new(NORMAL);
    for depth in [Depth::Witnesses, Depth::Rows] {
        let verified = verify(&run, &kernel, depth).await.unwrap();
        assert_eq!((verified.missing_shards, verified.invalid_partials), (0, 0));
    }
    for shard in [1, 2] {
        let (key, _) = only_partial(&store, shard).await;
        store.put(&key, Bytes::from_static(b"?")).await.unwrap();
    }
    let (key, _) = only_partial(&store, 3).await;
    store.delete(&key).await.unwrap();
    for depth in [Depth::Witnesses, Depth::Rows] {
        let verified = verify(&run, &kernel, depth).await.unwrap();
        assert_eq!((verified.missing_shards, verified.invalid_partials), (3, 2));
        assert_eq!(verified.shards, 1);
    }
}
