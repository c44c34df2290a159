//! The same bits for any deal, and what becomes of shards that nobody ran.

use std::sync::Arc;

use croupier_compute::Mean;
use croupier_run::{Depth, ReduceOptions, Results, Verdict, reduce, verify, work};

use crate::support::{NORMAL, Normal, memory, options, planned};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_deal_has_the_same_digest() {
    let kernel = Arc::new(NORMAL);
    let mut digests = Vec::new();
    for (shards, threads) in [(1, 1), (7, 2), (64, 3), (1, 8)] {
        let store = memory();
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
    let kernel = Arc::new(NORMAL);
    let store = memory();
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
