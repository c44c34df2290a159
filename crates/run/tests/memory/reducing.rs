//! A reducer's memory: tallies do not grow with shards, and a shard's book-keeping is small.

use std::collections::BTreeMap;
use std::sync::Arc;

use croupier_compute::{BlockLength, Estimates, Failures, Kernel, Node, Stream, Tally};
use croupier_run::partial::PartialFormat;
use croupier_run::{Identity, Plan, ReduceOptions, StoredRun, plan, reduce};
use croupier_store::{Memory, Store};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::counting::most_held;

/// A tally of 16 KiB.
#[derive(Clone, Serialize, Deserialize)]
struct Fat {
    bins: Vec<f64>,
}

const BINS: usize = 2048;

impl Tally for Fat {
    fn merge(&mut self, right: Self) {
        for (left, right) in self.bins.iter_mut().zip(right.bins) {
            *left += right;
        }
    }
    fn estimates(&self, _: &mut Estimates) {}
}

#[derive(Serialize)]
struct FatKernel {}

impl Kernel for FatKernel {
    type Rng = ChaCha8Rng;
    type Tally = Fat;
    const BLOCK: u64 = 1;

    fn tally(&self) -> Fat {
        Fat {
            bins: vec![1.0; BINS],
        }
    }

    fn sample(&self, _: u64, _: &mut Stream<ChaCha8Rng>, _: &mut Fat) {}
}

/// A run of `shards` shards of one block, all of them done, with the attempts' records.
async fn finished(shards: u32) -> StoredRun {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let length = BlockLength::new(1).unwrap();
    let identity = Identity::of(&FatKernel {}, 7, length, BTreeMap::new()).unwrap();
    let plan_of_it = Plan {
        identity: identity.clone(),
        samples: shards.into(),
        shards,
        inputs: BTreeMap::new(),
        policy: "complete".parse().unwrap(),
        at_most_once: false,
        until: None,
        failed_samples: "0".parse().unwrap(),
    };
    let run = plan(&store, "demo", &plan_of_it).await.unwrap().run;
    let format = PartialFormat::<Fat>::new(&identity).unwrap();
    for shard in 0..shards {
        let node = Node {
            first_block: shard.into(),
            level: 0,
            samples: 1,
            short: false,
            failures: Failures::default(),
            tally: FatKernel {}.tally(),
        };
        let encoded = format.encode("build", vec![node], Vec::new()).unwrap();
        let key = format!("demo/partials/{shard:05}-1-{}.arrow", encoded.sha256);
        store.put(&key, encoded.bytes).await.unwrap();
        let id = format!("{shard:016x}");
        let key = format!("demo/attempts/{shard:05}/{id}.json");
        store.put(&key, attempt(shard, &id).into()).await.unwrap();
    }
    run
}

/// An attempt's record with all that docs/FORMAT.md gives it.
fn attempt(shard: u32, id: &str) -> String {
    format!(
        r#"{{
  "shard": {shard},
  "id": "{id}",
  "state": "done",
  "started": "2026-11-22T08:12:00.000Z",
  "seconds": 3.6,
  "kernel_seconds": 3.5,
  "cpu_seconds": 7.2,
  "memory_peak_bytes": 10000000,
  "host": "ip-10-0-0-1.eu-central-1.compute.internal",
  "cpu": "AMD EPYC 7R13 Processor",
  "build": "x86_64-linux {sha256}",
  "threads": 2,
  "threads_source": "all 2 CPUs of this machine",
  "scheduler": {{
    "name": "aws-batch",
    "job": "01234567-89ab-cdef-0123-456789abcdef:{shard}",
    "attempt": "1"
  }},
  "blocks": 1,
  "blocks_before": 0,
  "blocks_done": 1,
  "error": null
}}"#,
        sha256 = "a".repeat(64)
    )
}

/// What reducing held at most, in bytes.
fn held(shards: u32) -> usize {
    // One thread, so that all that is held is counted.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let run = runtime.block_on(finished(shards));
    let options = ReduceOptions {
        at_once: 8,
        ..Default::default()
    };
    let (most, reduced) = most_held(|| {
        runtime
            .block_on(reduce::<FatKernel>(&run, &options))
            .unwrap()
    });
    assert!(reduced.report.accepted);
    // The records were read and added up.
    let usage = reduced.report.usage;
    assert_eq!(usage.attempts, u64::from(shards));
    assert!((usage.wall_hours - 1e-3 * f64::from(shards)).abs() < 1e-9);
    assert_eq!(reduced.tally.unwrap().bins, vec![f64::from(shards); BINS]);
    most
}

#[test]
fn bookkeeping_is_at_most_200_bytes_a_shard_and_tallies_do_not_grow() {
    const TALLY_BYTES: usize = 8 * BINS;
    let few = held(1000);
    let many = held(10_000);
    let a_shard = (many.saturating_sub(few)) as f64 / 9000.0;
    println!("{few} bytes for 1,000 shards, {many} for 10,000: {a_shard:.0} a shard");
    // A mebibyte of partials in hand, each as a file, as columns, as rows and as nodes; a node a level.
    assert!(few <= (4 << 20) + 16 * TALLY_BYTES, "{few}");
    assert!(a_shard <= 200.0, "{a_shard} bytes a shard");
}
