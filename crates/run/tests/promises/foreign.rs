//! Partials of other runs and of later releases: refused by name, saying what differs.

use croupier_run::{Error, Identity, ReduceOptions, StoredRun, Verdict, open, reduce};
use croupier_store::Store;
use serde_json::Value;
use std::sync::Arc;

use crate::support::{NORMAL, Normal, finished, leave, memory, only_partial, reduced};

async fn refusal(run: &StoredRun) -> Error {
    reduce::<Normal>(run, &ReduceOptions::default())
        .await
        .unwrap_err()
}

/// The word that must name a change to an identity, what is found there, and the change.
type Change = (&'static str, &'static str, fn(&mut Identity));

fn changes() -> Vec<Change> {
    vec![
        ("seed", "8", |identity| identity.seed = 8),
        ("version", "2", |identity| identity.version = 2),
        ("kernel", "other", |identity| {
            identity.kernel = "other".into()
        }),
        ("parameter mean", "3.5", |identity| {
            identity.parameters["mean"] = 3.5.into();
        }),
        ("parameter extra", "true", |identity| {
            identity.parameters["extra"] = true.into();
        }),
        ("input scene", "ab", |identity| {
            identity.inputs.insert("scene".into(), "ab".into());
        }),
        ("generator", "chacha20", |identity| {
            identity.generator = "chacha20".into();
        }),
        ("streams", "sample", |identity| {
            identity.streams = "sample".into()
        }),
        ("recipe", "2", |identity| identity.recipe = 2),
        ("libm", "0.3", |identity| identity.libm = "0.3".into()),
        ("block_length", "128", |identity| {
            identity.block_length = croupier_compute::BlockLength::new(128).unwrap();
        }),
        ("domain", "768", |identity| identity.domain = Some(768)),
    ]
}

#[tokio::test]
async fn every_part_of_an_identity_is_told_apart() {
    for (part, found, change) in changes() {
        let store = memory();
        let run = finished(&store, 64 * 12, 4).await;
        let digest = reduced(&run).await.report.digest;
        let mut other = run.manifest.identity.clone();
        change(&mut other);
        let key = leave(&store, &run, &other, &NORMAL, 1, 3..6).await;
        let error = refusal(&run).await;
        match &error {
            Error::Foreign {
                what, differences, ..
            } => {
                assert!(what.ends_with(&key), "{what}");
                assert_eq!(differences.len(), 1, "{differences:?}");
                assert!(
                    differences[0].starts_with(&format!("{part} is "))
                        && differences[0].contains(found),
                    "{part}: {differences:?}"
                );
            }
            other => panic!("{part}: {other}"),
        }
        let skipping = ReduceOptions {
            skip_foreign: true,
            ..Default::default()
        };
        let reduced = reduce::<Normal>(&run, &skipping).await.unwrap();
        assert_eq!(reduced.verdict, Verdict::Accepted);
        assert_eq!(reduced.report.digest, digest);
        assert!(
            reduced
                .report
                .warnings
                .iter()
                .any(|line| line.starts_with("1 partials of other runs")),
            "{:?}",
            reduced.report.warnings
        );
    }
}

/// Replaces `from` by `to`, of the same length, in shard 1's partial, and gives it the name it then has.
async fn alter_partial(store: &Arc<dyn Store>, from: &[u8], to: &[u8]) -> String {
    assert_eq!(from.len(), to.len());
    let (key, bytes) = only_partial(store, 1).await;
    let mut bytes = bytes.to_vec();
    let mut count = 0;
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            count += 1;
        }
    }
    assert!(count > 0, "{} is not there", from.escape_ascii());
    store.delete(&key).await.unwrap();
    let digest = croupier_run::Digest::of_bytes(&bytes);
    let key = format!("demo/partials/00001-3-{digest}.arrow");
    store.put(&key, bytes.into()).await.unwrap();
    key
}

#[tokio::test]
async fn an_identity_with_a_field_that_nobody_knows_is_foreign() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let key = alter_partial(&store, br#""domain":null"#, br#""future":null"#).await;
    match refusal(&run).await {
        Error::Foreign {
            what, differences, ..
        } => {
            assert!(what.ends_with(&key), "{what}");
            assert_eq!(
                differences,
                [
                    "domain is nothing, expected null",
                    "future is null, expected nothing"
                ]
            );
        }
        other => panic!("{other}"),
    }
    // What is no JSON belongs to nobody: it is damaged.
    alter_partial(&store, br#""future":null"#, br#""future"=null"#).await;
    let report = reduced(&run).await.report;
    assert_eq!(report.shards.missing, [1]);
    assert!(
        report
            .warnings
            .to_vec()
            .join(" ")
            .contains("its identity is no JSON"),
        "{:?}",
        report.warnings
    );
}

#[tokio::test]
async fn a_much_longer_identity_is_foreign_unread() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let mut other = run.manifest.identity.clone();
    other.parameters["table"] = vec![0; 10_000].into();
    leave(&store, &run, &other, &NORMAL, 1, 3..6).await;
    let error = refusal(&run).await.to_string();
    assert!(
        error.contains("its identity is 2") && error.contains("bytes long"),
        "{error}"
    );
}

#[tokio::test]
async fn another_tally_is_foreign() {
    struct Hits;
    impl croupier_compute::Kernel for Hits {
        type Rng = rand_chacha::ChaCha8Rng;
        type Tally = croupier_compute::Proportion;
        fn tally(&self) -> croupier_compute::Proportion {
            croupier_compute::Proportion::new()
        }
        fn sample(
            &self,
            _: u64,
            _: &mut croupier_compute::Stream<rand_chacha::ChaCha8Rng>,
            tally: &mut croupier_compute::Proportion,
        ) {
            tally.record(true);
        }
    }
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    leave(&store, &run, &run.manifest.identity, &Hits, 1, 3..6).await;
    let error = refusal(&run).await.to_string();
    assert!(
        error.contains(r#"a column "hits" instead of tally.mean"#),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_later_release_wrote_is_refused_with_its_name() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    for key in ["demo/manifest.json", "demo/segments/0.json"] {
        let before = store.get(key).await.unwrap();
        let mut value: Value = serde_json::from_slice(&before).unwrap();
        value["format"] = 2.into();
        value["croupier"] = "9.8.7".into();
        // What a later format holds is nobody's business here.
        value["shards"] = "many".into();
        let later = serde_json::to_vec(&value).unwrap();
        store.put(key, later.into()).await.unwrap();
        let error = open(&store, "demo").await.unwrap_err();
        assert!(matches!(error, Error::Newer { format: 2, .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(key) && text.contains("Croupier 9.8.7 or later"),
            "{text}"
        );
        store.put(key, before).await.unwrap();
    }
    let key = later_partial(&store).await;
    for skip_foreign in [false, true] {
        let options = ReduceOptions {
            skip_foreign,
            ..Default::default()
        };
        let error = reduce::<Normal>(&run, &options).await.unwrap_err();
        assert!(
            matches!(&error, Error::Newer { key: named, format: 2, .. } if named.ends_with(&key)),
            "{error}"
        );
    }
}

/// Makes shard 1's partial one of format 2, by the one digit in its metadata.
async fn later_partial(store: &Arc<dyn Store>) -> String {
    alter_partial(store, b"\x01\0\0\0\x31\0", b"\x01\0\0\0\x32\0").await
}
