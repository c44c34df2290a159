//! Results: which is the run's, what is null and why, and what is never written.

use std::sync::Arc;

use bytes::Bytes;
use croupier_compute::{Estimate, Estimates, Kernel, Mean, Stream, Tally};
use croupier_run::{Error, ReduceOptions, Results, Verdict, plan, reduce, work};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::support::{
    NORMAL, Normal, finished, memory, options, plan_of, planned, reduced, work_all,
};

#[tokio::test]
async fn a_result_of_nothing_is_refused_and_not_written() {
    let store = memory();
    let run = planned(&store, 64 * 12, 4).await;
    let before = store.list("").await.unwrap();
    for policy in ["complete", "tolerate=100%", "tolerate=4"] {
        let lenient = ReduceOptions {
            policy: Some(policy.parse().unwrap()),
            ..Default::default()
        };
        let reduced = reduce::<Normal>(&run, &lenient).await.unwrap();
        assert_eq!(reduced.verdict, Verdict::Refused, "{policy}");
        assert_eq!((reduced.tally, reduced.uri), (None, None));
        assert_eq!(reduced.report.blocks.done, 0);
        assert_eq!(reduced.report.shards.missing, [0, 1, 2, 3]);
        assert!(
            reduced
                .report
                .warnings
                .iter()
                .any(|line| line.starts_with("12 of 12 blocks"))
        );
    }
    assert_eq!(store.list("").await.unwrap(), before);
    let error = Results::<Mean>::read(&run).await.unwrap_err();
    assert!(error.to_string().contains("has no result yet"), "{error}");
}

#[tokio::test]
async fn the_result_with_most_blocks_is_the_runs() {
    let store = memory();
    let run = planned(&store, 64 * 12, 12).await;
    let kernel = Arc::new(NORMAL);
    work_all(&run, Arc::clone(&kernel), 0..9).await;
    let part = reduced(&run).await;
    assert_eq!(part.verdict, Verdict::Refused);
    let read = Results::<Mean>::read(&run).await.unwrap();
    assert_eq!((read.report, Some(read.tally)), (part.report, part.tally));
    work_all(&run, kernel, 9..12).await;
    let whole = reduced(&run).await;
    assert_eq!(whole.verdict, Verdict::Accepted);
    // "9-" sorts after "12-", and what is no result's folder is none's.
    for stray in ["99-abc", "x", &format!("+99-{}", "0".repeat(64))] {
        let key = format!("demo/results/{stray}/result.json");
        store.put(&key, Bytes::from_static(b"{}")).await.unwrap();
    }
    let read = Results::<Mean>::read(&run).await.unwrap();
    assert_eq!((read.report, Some(read.tally)), (whole.report, whole.tally));
    let uri = whole.uri.unwrap();
    assert!(uri.starts_with("memory/demo/results/12-"), "{uri}");
    let folder = uri.strip_prefix("memory/").unwrap();
    let sources = store.get(&format!("{folder}/sources.json")).await.unwrap();
    let sources: Vec<String> = serde_json::from_slice(&sources).unwrap();
    let there: Vec<String> = store
        .list("demo/partials/")
        .await
        .unwrap()
        .into_iter()
        .map(|entry| entry.key.replace("demo/", ""))
        .collect();
    assert_eq!(sources, there);
}

#[tokio::test]
async fn a_damaged_result_is_named() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let folder = reduced(&run).await.uri.unwrap().replace("memory/", "");
    for file in ["result.json", "tally.arrow"] {
        let key = format!("{folder}/{file}");
        let before = store.get(&key).await.unwrap();
        let half = before.slice(..before.len() / 2);
        store.put(&key, half).await.unwrap();
        let error = Results::<Mean>::read(&run).await.unwrap_err();
        assert!(
            matches!(&error, Error::Malformed { key, .. } if key.ends_with(file)),
            "{error}"
        );
        store.put(&key, before).await.unwrap();
    }
}

#[tokio::test]
async fn options_out_of_range_are_refused_or_harmless() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    for level in [0.0, 1.0, -1.0, 2.0, f64::NAN] {
        let bad = ReduceOptions {
            level,
            ..Default::default()
        };
        let error = reduce::<Normal>(&run, &bad).await.unwrap_err();
        assert!(error.to_string().contains("no confidence level"), "{error}");
    }
    for at_once in [0, 1, usize::MAX] {
        let options = ReduceOptions {
            at_once,
            ..Default::default()
        };
        let reduced = reduce::<Normal>(&run, &options).await.unwrap();
        assert_eq!(reduced.verdict, Verdict::Accepted);
        assert_eq!(reduced.report.usage.attempts, 4);
    }
}

#[tokio::test]
async fn attempts_that_say_anything_do_no_harm() {
    let store = memory();
    let run = finished(&store, 64 * 12, 4).await;
    let entries = store.list("demo/attempts/").await.unwrap();
    let attempt = store.get(&entries[0].key).await.unwrap();
    for seconds in ["1e300", "-1e300", "1e18", "9.2e15"] {
        let mut value: serde_json::Value = serde_json::from_slice(&attempt).unwrap();
        value["seconds"] = seconds.parse::<f64>().unwrap().into();
        value["blocks_done"] = u64::MAX.into();
        for extra in ["a", "b"] {
            let key = format!("demo/attempts/00000/{extra}.json");
            store
                .put(&key, serde_json::to_vec(&value).unwrap().into())
                .await
                .unwrap();
        }
        store
            .put("demo/attempts/x", Bytes::from_static(b"?"))
            .await
            .unwrap();
        let report = reduced(&run).await.report;
        assert!(report.accepted);
        assert_eq!(report.usage.attempts, 6);
        // What was written can be read.
        assert_eq!(Results::<Mean>::read(&run).await.unwrap().report, report);
    }
}

#[tokio::test]
async fn one_sample_has_a_mean_and_no_error() {
    let store = memory();
    let run = finished(&store, 1, 1).await;
    let report = reduced(&run).await.report;
    assert!(report.accepted);
    let estimate = &report.estimates[0];
    assert!(estimate.value.is_some());
    assert_eq!(
        (estimate.std_error, estimate.low, estimate.high),
        (None, None, None)
    );
    let reasons: Vec<_> = report
        .warnings
        .iter()
        .filter(|line| line.contains("`normal`"))
        .collect();
    assert_eq!(reasons, ["`normal` has one sample: a variance needs two"]);
}

/// Says things that JSON can't, and leaves things out without a word.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Odd {
    count: u64,
}

impl Tally for Odd {
    fn merge(&mut self, right: Self) {
        self.count += right.count;
    }

    fn estimates(&self, estimates: &mut Estimates) {
        for (name, value, interval) in [
            ("nan", Some(f64::NAN), Some([0.0, f64::INFINITY])),
            ("silent", None, None),
            ("noted", None, None),
        ] {
            estimates.within(name, |estimates| {
                if name == "noted" {
                    estimates.note("can't be estimated on a Sunday");
                }
                estimates.push(Estimate {
                    value,
                    std_error: Some(1.0),
                    interval,
                    samples: self.count,
                });
            });
        }
    }
}

#[derive(Serialize)]
struct OddKernel {}

impl Kernel for OddKernel {
    type Rng = ChaCha8Rng;
    type Tally = Odd;
    fn tally(&self) -> Odd {
        Odd::default()
    }
    fn sample(&self, _: u64, _: &mut Stream<ChaCha8Rng>, tally: &mut Odd) {
        tally.count += 1;
    }
}

#[tokio::test]
async fn nothing_is_null_without_a_reason() {
    let store = memory();
    let run = plan(&store, "demo", &plan_of(&OddKernel {}, 10, 1))
        .await
        .unwrap()
        .run;
    work(&run, &Arc::new(OddKernel {}), 0, &options(1))
        .await
        .unwrap();
    let report = reduce::<OddKernel>(&run, &ReduceOptions::default())
        .await
        .unwrap()
        .report;
    let [nan, silent, noted] = report.estimates.as_slice() else {
        panic!("{:?}", report.estimates);
    };
    assert_eq!((nan.value, nan.low, nan.high), (None, Some(0.0), None));
    assert_eq!((silent.value, silent.low), (None, None));
    assert_eq!(noted.value, None);
    let reasons: Vec<&str> = report
        .warnings
        .iter()
        .filter(|line| line.contains('`'))
        .map(String::as_str)
        .collect();
    assert_eq!(
        reasons,
        [
            "`noted` can't be estimated on a Sunday",
            "the value of `nan` is NaN: it is left out",
            "the interval of `nan` is inf: it is left out",
            "the value of `silent` is not known: its tally gives none",
            "the interval of `silent` is not known: its tally gives none",
        ]
    );
}
