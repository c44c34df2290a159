//! Plans, works, reduces and reads back in memory: the same bits for any deal.

use std::collections::BTreeMap;
use std::sync::Arc;

use croupier_compute::engine::{Control, Pool};
use croupier_compute::{BlockLength, Kernel, Mean, Stream, pinned};
use croupier_run::{
    Depth, Error, Executable, Identity, Plan, ReduceOptions, Results, StoredRun, Verdict,
    WorkOptions, plan, reduce, verify, work,
};
use croupier_store::{Memory, Store};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

#[derive(Serialize)]
struct Normal {
    mean: f64,
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

fn options(threads: usize) -> WorkOptions {
    WorkOptions {
        pool: Pool::new(threads).unwrap(),
        threads_source: "the test".to_owned(),
        executable: Executable::current().unwrap(),
        allow_other_build: false,
        failed_samples: None,
        scheduler: None,
        control: Arc::new(Control::new()),
    }
}

fn plan_of(samples: u64, shards: u32, seed: u64) -> Plan {
    let length = BlockLength::new(Normal::BLOCK).unwrap();
    Plan {
        identity: Identity::of(&Normal { mean: 3.0 }, seed, length, BTreeMap::new()).unwrap(),
        samples,
        shards,
        inputs: BTreeMap::new(),
        policy: "complete".parse().unwrap(),
        failed_samples: Default::default(),
    }
}

async fn planned(store: &Arc<dyn Store>, samples: u64, shards: u32) -> StoredRun {
    plan(store, "demo", &plan_of(samples, shards, 7))
        .await
        .unwrap()
        .run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_deal_has_the_same_digest() {
    let kernel = Arc::new(Normal { mean: 3.0 });
    let mut digests = Vec::new();
    for (shards, threads) in [(1, 1), (7, 2), (64, 3), (1, 8)] {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        let run = planned(&store, 10_000, shards).await;
        // From the last to the first, and some twice.
        for shard in (0..shards).rev().chain([0, shards / 2]) {
            work(&run, &kernel, shard, &options(threads)).await.unwrap();
        }
        let reduced = reduce::<Normal>(&run, &ReduceOptions::default())
            .await
            .unwrap();
        assert_eq!(reduced.verdict, Verdict::Accepted, "{:?}", reduced.report);
        assert_eq!(reduced.report.samples.done, 10_000);
        let mean = &reduced.report.estimates[0];
        assert!((mean.value.unwrap() - 3.0).abs() < 4.0 * mean.std_error.unwrap());
        let results = Results::<Mean>::read(&run).await.unwrap();
        assert_eq!(Some(results.tally), reduced.tally);
        assert_eq!(results.report, reduced.report);
        for depth in [Depth::Witnesses, Depth::Rows] {
            let verified = verify(&run, &kernel, depth).await.unwrap();
            assert_eq!(verified.shards, u64::from(shards));
        }
        digests.push(reduced.report.digest);
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "{digests:?}");
}

#[tokio::test]
async fn holes_are_known_and_filled() {
    let kernel = Arc::new(Normal { mean: 3.0 });
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let run = planned(&store, 10_000, 10).await;
    for shard in [0, 1, 2, 4, 5, 6, 7, 9] {
        work(&run, &kernel, shard, &options(1)).await.unwrap();
    }
    let reduced = reduce::<Normal>(&run, &ReduceOptions::default())
        .await
        .unwrap();
    assert_eq!(reduced.verdict, Verdict::Refused);
    assert_eq!(reduced.report.shards.missing, [3, 8]);
    let tolerant = ReduceOptions {
        policy: Some("tolerate=20.5%".parse().unwrap()),
        ..Default::default()
    };
    let tolerated = reduce::<Normal>(&run, &tolerant).await.unwrap();
    assert_eq!(tolerated.verdict, Verdict::Accepted);
    assert!(
        tolerated
            .report
            .warnings
            .iter()
            .any(|warning| warning.contains("missing"))
    );
    for shard in [8, 3] {
        work(&run, &kernel, shard, &options(1)).await.unwrap();
    }
    let whole = reduce::<Normal>(&run, &ReduceOptions::default())
        .await
        .unwrap();
    assert_eq!(whole.verdict, Verdict::Accepted);
    assert_ne!(whole.report.digest, tolerated.report.digest);
}

#[tokio::test]
async fn another_plan_of_the_same_name_is_refused() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    planned(&store, 10_000, 10).await;
    assert!(
        !plan(&store, "demo", &plan_of(10_000, 10, 7))
            .await
            .unwrap()
            .is_new
    );
    for other in [
        plan_of(10_000, 10, 8),
        plan_of(10_001, 10, 7),
        plan_of(10_000, 11, 7),
    ] {
        let error = plan(&store, "demo", &other).await.unwrap_err();
        assert!(
            matches!(&error, Error::Taken { differences, .. } if differences.len() == 1),
            "{error}"
        );
    }
}
