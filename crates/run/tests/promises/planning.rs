//! Planning: once, by however many at once; and what can't be planned.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use croupier_compute::{BlockLength, Kernel, Mean, Stream};
use croupier_run::{Error, Found, Identity, newest, open, plan, runs};
use croupier_store::{Entry, Memory, Placed, Store};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tokio::sync::Barrier;

use crate::support::{NORMAL, memory, plan_of, planned};

/// Lets nobody know that there is no manifest before all have asked, so that all write one.
#[derive(Debug)]
struct Gate {
    memory: Memory,
    all: Barrier,
}

#[async_trait]
impl Store for Gate {
    fn uri(&self) -> String {
        self.memory.uri()
    }
    async fn get(&self, key: &str) -> Result<Bytes, croupier_store::Error> {
        let there = self.memory.get(key).await;
        self.all.wait().await;
        there
    }
    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, croupier_store::Error> {
        self.memory.list(prefix).await
    }
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), croupier_store::Error> {
        self.memory.put(key, bytes).await
    }
    async fn put_if_absent(
        &self,
        key: &str,
        bytes: Bytes,
    ) -> Result<Placed, croupier_store::Error> {
        self.memory.put_if_absent(key, bytes).await
    }
    async fn delete(&self, key: &str) -> Result<(), croupier_store::Error> {
        self.memory.delete(key).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_plan_at_once_one_is_new_and_all_have_the_same_run() {
    const MANY: usize = 32;
    let memory = Memory::new();
    let store: Arc<dyn Store> = Arc::new(Gate {
        memory: memory.clone(),
        all: Barrier::new(MANY),
    });
    let tasks: Vec<_> = (0..MANY)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                plan(&store, "demo", &plan_of(&NORMAL, 64 * 12, 4))
                    .await
                    .unwrap()
            })
        })
        .collect();
    let store: Arc<dyn Store> = Arc::new(memory);
    let mut new = 0;
    let mut manifests = Vec::new();
    for task in tasks {
        let planned = task.await.unwrap();
        new += u32::from(planned.is_new);
        assert_eq!(planned.run.shards(), 4);
        manifests.push(planned.run.manifest);
    }
    assert_eq!(new, 1);
    assert!(manifests.windows(2).all(|pair| pair[0] == pair[1]));
    let stored = open(&store, "demo").await.unwrap();
    assert_eq!(stored.manifest, manifests[0]);
    assert_eq!(
        store.list("").await.unwrap().len(),
        2,
        "the probes are gone"
    );
}

#[tokio::test]
async fn another_plan_of_the_same_name_is_refused() {
    let store = memory();
    planned(&store, 10_000, 10).await;
    let same = plan_of(&NORMAL, 10_000, 10);
    assert!(!plan(&store, "demo", &same).await.unwrap().is_new);
    let mut seed = same.clone();
    seed.identity.seed = 8;
    for (other, word) in [
        (seed, "seed is \"7\", expected \"8\""),
        (
            plan_of(&NORMAL, 10_001, 10),
            "samples is 10000, expected 10001",
        ),
        (plan_of(&NORMAL, 10_000, 11), "shards is 10, expected 11"),
    ] {
        let error = plan(&store, "demo", &other).await.unwrap_err();
        assert!(
            matches!(&error, Error::Taken { differences, .. } if *differences == [word]),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_planned_is_said_and_leaves_nothing() {
    let store = memory();
    let good = plan_of(&NORMAL, 64 * 12, 4);
    let mut fixed = good.clone();
    fixed.identity.domain = Some(100);
    for (name, plan_of_it, words) in [
        ("demo", plan_of(&NORMAL, 0, 1), "no samples"),
        ("demo", plan_of(&NORMAL, 64, 0), "no shards"),
        ("demo", plan_of(&NORMAL, 64 * 3, 4), "4 shards for 3 blocks"),
        ("demo", fixed, "the parameters fix their number at 100"),
        ("../demo", good.clone(), "two dots"),
        ("a/b", good.clone(), "slash"),
        ("", good, "empty"),
    ] {
        let error = plan(&store, name, &plan_of_it).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.is_retryable());
        assert_eq!(store.list("").await.unwrap(), []);
    }
    let error = plan(&store, "demo", &plan_of(&NORMAL, u64::MAX, 4))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("at most 2^56"), "{error}");
}

#[tokio::test]
async fn interrupted_planning_is_finished_by_repeating_it() {
    let store = memory();
    planned(&store, 64 * 12, 4).await;
    store.delete("demo/segments/0.json").await.unwrap();
    let error = open(&store, "demo").await.unwrap_err().to_string();
    assert!(error.contains("run the same `plan` again"), "{error}");
    let again = plan(&store, "demo", &plan_of(&NORMAL, 64 * 12, 4))
        .await
        .unwrap();
    assert!(!again.is_new);
    assert_eq!(open(&store, "demo").await.unwrap().shards(), 4);
}

#[tokio::test]
async fn segments_that_do_not_fit_are_refused() {
    let store = memory();
    planned(&store, 64 * 12 - 5, 4).await;
    let segment = |first_block: u64, end_sample: u64, first_shard: u32, shards: u32| {
        let value = serde_json::json!({
            "format": 1, "croupier": "0.1.0", "first_block": first_block,
            "end_sample": end_sample, "first_shard": first_shard, "shards": shards,
        });
        Bytes::from(serde_json::to_vec(&value).unwrap())
    };
    // From the short block on.
    store
        .put("demo/segments/1.json", segment(11, 64 * 20, 4, 3))
        .await
        .unwrap();
    assert_eq!(open(&store, "demo").await.unwrap().shards(), 7);
    for bad in [
        segment(12, 64 * 20, 4, 3),
        segment(10, 64 * 20, 4, 3),
        segment(11, 64 * 20, 3, 3),
        segment(11, 64 * 20, 4, 0),
        segment(11, 64 * 20, 4, 10),
        segment(11, 64 * 11, 4, 1),
        segment(11, u64::MAX, 4, u32::MAX),
    ] {
        store
            .put("demo/segments/1.json", bad.clone())
            .await
            .unwrap();
        let error = open(&store, "demo").await.unwrap_err();
        assert!(
            matches!(&error, Error::Malformed { key, .. } if key.ends_with("segments/1.json")),
            "{bad:?}: {error}"
        );
    }
    store.delete("demo/segments/1.json").await.unwrap();
    for (stray, is_fine) in [("notes.txt", true), ("01.json", true), ("2.json", false)] {
        let key = format!("demo/segments/{stray}");
        store.put(&key, segment(20, 64 * 30, 7, 1)).await.unwrap();
        let opened = open(&store, "demo").await;
        assert_eq!(opened.is_ok(), is_fine, "{stray}: {opened:?}");
        if let Err(error) = opened {
            let text = error.to_string();
            assert!(
                text.contains("segments/1.json") && text.contains("missing"),
                "{text}"
            );
        }
        store.delete(&key).await.unwrap();
    }
}

#[tokio::test]
async fn runs_are_found_by_name_and_by_age() {
    let store = memory();
    let none = newest(&store).await.unwrap_err().to_string();
    assert!(none.contains("there are no runs"), "{none}");
    for name in ["b", "a", "c"] {
        plan(&store, name, &plan_of(&NORMAL, 64, 1)).await.unwrap();
        let key = format!("{name}/manifest.json");
        let manifest = store.get(&key).await.unwrap();
        let mut value: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let day = if name == "a" { 2 } else { 1 };
        value["created"] = format!("2026-11-0{day}T00:00:00.000Z").into();
        store
            .put(&key, serde_json::to_vec(&value).unwrap().into())
            .await
            .unwrap();
    }
    // An older run whose planning was interrupted is in nobody's way.
    store.delete("b/segments/0.json").await.unwrap();
    assert_eq!(runs(&store).await.unwrap(), ["a", "b", "c"]);
    assert_eq!(newest_name(&store).await, "a");
    let error = open(&store, "d").await.unwrap_err().to_string();
    assert!(error.contains("there is no run \"d\""), "{error}");
    // Nor is one that can't be read, or an older one of a later format.
    store
        .put("c/manifest.json", Bytes::from_static(b"{"))
        .await
        .unwrap();
    let later = r#"{"format": 9, "croupier": "9.8.7", "created": "2026-11-01T00:00:00.000Z"}"#;
    store
        .put("d/manifest.json", Bytes::from_static(later.as_bytes()))
        .await
        .unwrap();
    assert_eq!(newest_name(&store).await, "a");
    // The newest is the newest, though: it is refused by name, and no other is taken for it.
    let later = later.replace("11-01", "11-03");
    store.put("d/manifest.json", later.into()).await.unwrap();
    let error = newest(&store).await.unwrap_err();
    assert!(matches!(error, Error::Newer { format: 9, .. }), "{error}");
}

/// A server that answers conditional puts with success and replaces what is there.
#[derive(Debug)]
struct Careless(Memory);

#[async_trait]
impl Store for Careless {
    fn uri(&self) -> String {
        self.0.uri()
    }
    async fn get(&self, key: &str) -> Result<Bytes, croupier_store::Error> {
        self.0.get(key).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, croupier_store::Error> {
        self.0.list(prefix).await
    }
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), croupier_store::Error> {
        self.0.put(key, bytes).await
    }
    async fn put_if_absent(
        &self,
        key: &str,
        bytes: Bytes,
    ) -> Result<Placed, croupier_store::Error> {
        self.0.put(key, bytes).await.map(|()| Placed::Written)
    }
    async fn delete(&self, key: &str) -> Result<(), croupier_store::Error> {
        self.0.delete(key).await
    }
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_noticed() {
    let careless: Arc<dyn Store> = Arc::new(Careless(Memory::new()));
    for (store, expected) in [(careless, false), (memory(), true)] {
        let plan_of_it = plan_of(&NORMAL, 64, 1);
        let planned = plan(&store, "demo", &plan_of_it).await.unwrap();
        assert!(planned.is_new);
        assert_eq!(planned.honours_put_if_absent, Some(expected));
        let again = plan(&store, "demo", &plan_of_it).await.unwrap();
        assert_eq!(again.honours_put_if_absent, None);
    }
}

#[derive(Serialize)]
struct NotFinite {
    scale: f64,
}

impl Kernel for NotFinite {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    fn tally(&self) -> Mean {
        Mean::new()
    }
    fn sample(&self, _: u64, _: &mut Stream<ChaCha8Rng>, tally: &mut Mean) {
        tally.record(self.scale);
    }
}

#[test]
fn parameters_that_are_not_finite_have_no_identity() {
    let length = BlockLength::new(1).unwrap();
    for scale in [f64::NAN, f64::INFINITY] {
        let error = Identity::of(&NotFinite { scale }, 1, length, BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("scale is not finite"), "{error}");
    }
}

async fn newest_name(store: &Arc<dyn Store>) -> String {
    match newest(store).await.unwrap() {
        Found::Run(run) => run.name().to_owned(),
        Found::Cases(cases) => panic!("{} is no plain run", cases.uri()),
    }
}
