//! A kernel, plans and stores for all tests here.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use croupier_compute::engine::{Control, Pool, run_block};
use croupier_compute::{BlockLength, Frontier, Kernel, Mean, Stream, pinned};
use croupier_run::partial::PartialFormat;
use croupier_run::{
    Checkpoints, Executable, Identity, Plan, ReduceOptions, Reduced, StoredRun, WorkOptions, plan,
    reduce, work,
};
use croupier_store::{Memory, Store};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Normal values about a mean.
#[derive(Serialize)]
pub(crate) struct Normal {
    pub(crate) mean: f64,
}

impl Kernel for Normal {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 64;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Mean) {
        tally.record(self.mean + pinned::normal(rng));
    }
}

pub(crate) const NORMAL: Normal = Normal { mean: 3.0 };

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(Memory::new())
}

pub(crate) fn executable(sha256: &str) -> Executable {
    Executable {
        target: "test-machine".to_owned(),
        sha256: sha256.to_owned(),
        croupier: "0.1.0".to_owned(),
    }
}

pub(crate) fn options(threads: usize) -> WorkOptions {
    WorkOptions {
        pool: Pool::new(threads).unwrap(),
        threads_source: "the test".to_owned(),
        executable: executable(&"a".repeat(64)),
        allow_other_build: false,
        failed_samples: None,
        scheduler: None,
        attempt: None,
        checkpoints: Checkpoints::default(),
        control: Arc::new(Control::new()),
    }
}

pub(crate) fn plan_of<K: Kernel + Serialize>(kernel: &K, samples: u64, shards: u32) -> Plan {
    let length = BlockLength::new(K::BLOCK).unwrap();
    Plan {
        identity: Identity::of(kernel, 7, length, BTreeMap::new()).unwrap(),
        samples,
        shards,
        inputs: BTreeMap::new(),
        policy: "complete".parse().unwrap(),
        at_most_once: false,
        until: None,
        failed_samples: "0".parse().unwrap(),
    }
}

pub(crate) async fn planned(store: &Arc<dyn Store>, samples: u64, shards: u32) -> StoredRun {
    plan(store, "demo", &plan_of(&NORMAL, samples, shards))
        .await
        .unwrap()
        .run
}

/// A run of [`NORMAL`] of which all shards are done.
pub(crate) async fn finished(store: &Arc<dyn Store>, samples: u64, shards: u32) -> StoredRun {
    let run = planned(store, samples, shards).await;
    work_all(&run, Arc::new(NORMAL), 0..shards).await;
    run
}

pub(crate) async fn work_all<K: Kernel>(
    run: &StoredRun,
    kernel: Arc<K>,
    shards: impl IntoIterator<Item = u32>,
) {
    let options = options(1);
    for shard in shards {
        work(run, &kernel, shard, &options).await.unwrap();
    }
}

pub(crate) async fn reduced(run: &StoredRun) -> Reduced<Mean> {
    reduce::<Normal>(run, &ReduceOptions::default())
        .await
        .unwrap()
}

/// The keys of a shard's partials.
pub(crate) async fn partials(store: &Arc<dyn Store>, shard: u32) -> Vec<String> {
    let entries = store
        .list(&format!("demo/partials/{shard:05}-"))
        .await
        .unwrap();
    entries.into_iter().map(|entry| entry.key).collect()
}

pub(crate) async fn only_partial(store: &Arc<dyn Store>, shard: u32) -> (String, Bytes) {
    let keys = partials(store, shard).await;
    let [key] = keys.as_slice() else {
        panic!("{keys:?}");
    };
    (key.clone(), store.get(key).await.unwrap())
}

/// Leaves a partial of the blocks `blocks` of a shard, as `kernel` gives them, and says its key.
pub(crate) async fn leave<K: Kernel>(
    store: &Arc<dyn Store>,
    run: &StoredRun,
    identity: &Identity,
    kernel: &K,
    shard: u32,
    blocks: impl IntoIterator<Item = u64>,
) -> String {
    let (_, grid) = run.segment_of(shard).unwrap();
    let frontier = Frontier::new();
    for block in blocks {
        frontier.insert(run_block(kernel, identity.seed, &grid, block).unwrap());
    }
    let format = PartialFormat::<K::Tally>::new(identity).unwrap();
    let encoded = format
        .encode("by hand", frontier.into_nodes(), Vec::new())
        .unwrap();
    let key = format!(
        "demo/partials/{shard:05}-{}-{}.arrow",
        encoded.blocks, encoded.sha256
    );
    store.put(&key, encoded.bytes).await.unwrap();
    key
}
