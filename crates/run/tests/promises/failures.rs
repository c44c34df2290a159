//! Samples that fail: left out up to a limit, counted, listed, and named beyond it.

use std::sync::Arc;

use croupier_compute::{Failure, Kernel, KernelFailure, Mean, Stream, pinned};
use croupier_run::{
    AttemptState, Error, FailedSamplesLimit, ReduceOptions, Verdict, plan, reduce, work,
};
use croupier_store::Store;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::support::{memory, options, plan_of};

/// Fails on every tenth sample.
#[derive(Serialize)]
struct Tenth {}

impl Kernel for Tenth {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 8;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn try_sample(
        &self,
        sample: u64,
        rng: &mut Stream<ChaCha8Rng>,
        tally: &mut Mean,
    ) -> Result<(), Failure> {
        tally.record(pinned::normal(rng));
        if sample % 10 == 9 {
            return Err(Failure::new(format!("no luck with {sample}")));
        }
        Ok(())
    }
}

async fn run_of(
    store: &Arc<dyn Store>,
    samples: u64,
    shards: u32,
    limit: &str,
) -> croupier_run::StoredRun {
    let mut plan_of_it = plan_of(&Tenth {}, samples, shards);
    plan_of_it.failed_samples = limit.parse().unwrap();
    plan(store, "demo", &plan_of_it).await.unwrap().run
}

#[tokio::test]
async fn failed_samples_are_left_out_counted_and_listed_in_order() {
    let mut digests = Vec::new();
    for shards in [1, 3, 25] {
        let store = memory();
        let run = run_of(&store, 200, shards, "20").await;
        for shard in (0..shards).rev() {
            work(&run, &Arc::new(Tenth {}), shard, &options(2))
                .await
                .unwrap();
        }
        let reduced = reduce::<Tenth>(&run, &ReduceOptions::default())
            .await
            .unwrap();
        assert_eq!(reduced.verdict, Verdict::Accepted);
        let report = reduced.report;
        assert_eq!((report.samples.done, report.samples.failed), (180, 20));
        assert_eq!(report.estimates[0].samples, 180);
        let listed: Vec<u64> = report.failed_samples.iter().map(|one| one.sample).collect();
        assert_eq!(listed, (0..20).map(|at| 10 * at + 9).collect::<Vec<u64>>());
        assert_eq!(report.failed_samples[3].message, "no luck with 39");
        assert!(
            report
                .warnings
                .iter()
                .any(|line| line.starts_with("20 of 200 samples failed"))
        );
        digests.push(report.digest);
        // One more than is allowed refuses the result; a share is of all samples.
        for (limit, verdict) in [
            ("19", Verdict::TooManyFailed),
            ("10%", Verdict::Accepted),
            ("9.999%", Verdict::TooManyFailed),
        ] {
            let stricter = ReduceOptions {
                failed_samples: Some(limit.parse().unwrap()),
                ..Default::default()
            };
            let reduced = reduce::<Tenth>(&run, &stricter).await.unwrap();
            assert_eq!(reduced.verdict, verdict, "{limit}");
            assert_eq!(reduced.report.accepted, verdict == Verdict::Accepted);
            assert!(reduced.uri.is_some(), "a refused result is written too");
        }
    }
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
}

fn sample_of(error: &Error) -> u64 {
    match error {
        Error::Kernel(KernelFailure::Sample { sample, .. }) => *sample,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn beyond_the_limit_the_same_sample_is_named_every_time() {
    let kernel = Arc::new(Tenth {});
    for (limit, expected) in [("0", 99), ("1", 109), ("4", 139), ("3%", 159)] {
        let store = memory();
        let run = run_of(&store, 200, 2, limit).await;
        // Shard 1 has the blocks from 12 on: samples 96 to 199. The repeats find what the first left.
        for threads in [1, 2, 4, 1, 3] {
            let error = work(&run, &kernel, 1, &options(threads)).await.unwrap_err();
            assert_eq!(sample_of(&error), expected, "{limit}, {threads} threads");
            assert!(!error.is_retryable());
        }
        let mut states = Vec::new();
        for entry in store.list("demo/attempts/").await.unwrap() {
            let bytes = store.get(&entry.key).await.unwrap();
            let attempt: croupier_run::Attempt = serde_json::from_slice(&bytes).unwrap();
            assert!(attempt.error.unwrap().contains(&expected.to_string()));
            states.push(attempt.state);
        }
        assert_eq!(states, [AttemptState::Kernel; 5]);
        // With a higher limit the shard is finished from what is there.
        let mut lenient = options(2);
        lenient.failed_samples = Some(FailedSamplesLimit::Count(11));
        let worked = work(&run, &kernel, 1, &lenient).await.unwrap();
        assert_eq!(worked.failed_samples, 11);
        // And one with the planned limit still says no, without running it again.
        let strict = options(2);
        let error = work(&run, &kernel, 1, &strict).await.unwrap_err();
        assert_eq!(sample_of(&error), expected);
        assert_eq!(strict.control.blocks(), 0);
    }
}

#[tokio::test]
async fn a_run_of_which_all_samples_failed_has_no_estimates() {
    #[derive(Serialize)]
    struct Never {}
    impl Kernel for Never {
        type Rng = ChaCha8Rng;
        type Tally = Mean;
        const BLOCK: u64 = 8;
        fn tally(&self) -> Mean {
            Mean::new()
        }
        fn try_sample(
            &self,
            _: u64,
            _: &mut Stream<ChaCha8Rng>,
            _: &mut Mean,
        ) -> Result<(), Failure> {
            Err(Failure::new("never"))
        }
    }
    let store = memory();
    let mut plan_of_it = plan_of(&Never {}, 20, 2);
    plan_of_it.failed_samples = "100%".parse().unwrap();
    let run = plan(&store, "demo", &plan_of_it).await.unwrap().run;
    for shard in 0..2 {
        work(&run, &Arc::new(Never {}), shard, &options(1))
            .await
            .unwrap();
    }
    let report = reduce::<Never>(&run, &ReduceOptions::default())
        .await
        .unwrap()
        .report;
    assert_eq!((report.samples.done, report.samples.failed), (0, 20));
    let estimate = &report.estimates[0];
    assert_eq!((estimate.value, estimate.std_error), (None, None));
    assert_eq!((estimate.low, estimate.high), (None, None));
    assert!(
        report
            .warnings
            .iter()
            .any(|line| line.contains("`never` has no samples"))
    );
}
