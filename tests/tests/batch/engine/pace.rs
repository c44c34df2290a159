//! How many calls runs of many shards take, and how fast they follow one another.

use std::collections::BTreeSet;
use std::sync::Arc;

use croupier_fleet::engine::{Dealing, Engine};
use croupier_tests::batch::{Fate, Fault, Settings, Status};
use croupier_tests::program::wait_until;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{all, bench, options};

#[tokio::test]
async fn ten_thousand_shards_are_one_array_and_few_calls() {
    const SHARDS: u32 = 10_000;
    let bench = bench(
        25_000,
        false,
        Settings {
            slots: 20_000,
            ..Settings::default()
        },
    )
    .await;
    bench.server.set_fate(|_| Fate::Hold);
    let began = std::time::Instant::now();
    let mut engine = bench.arrays();
    engine.start(&all(0..SHARDS), None).await.unwrap();
    assert_eq!(bench.submitted().len(), 1);
    bench.wait_for(Status::Running, SHARDS as usize);
    let first = bench.server.calls().len();
    for left in [7_500, 5_000, 2_500, 40, 0] {
        let ended = SHARDS as usize - left;
        let jobs = bench.server.jobs();
        let before = jobs[0]
            .units
            .iter()
            .filter(|unit| unit.status == Status::Succeeded)
            .count();
        bench.server.release(ended - before);
        bench.wait_for(Status::Succeeded, ended);
        // The summary lags by one look.
        let _ = engine.at_work().await.unwrap();
        assert_eq!(engine.at_work().await.unwrap().len(), left);
    }
    let calls = bench.server.calls().split_off(first);
    let count = |operation: &str| {
        calls
            .iter()
            .filter(|call| call.operation == operation)
            .count()
    };
    println!(
        "10,000 shards: 1 SubmitJob, {} DescribeJobs and {} ListJobs in 10 looks, {:.1} s with the simulator",
        count("DescribeJobs"),
        count("ListJobs"),
        began.elapsed().as_secs_f64()
    );
    // One a look until it is at its end, and pages of 1,000 where there is news.
    assert!(count("DescribeJobs") <= 10, "{}", count("DescribeJobs"));
    assert!(
        count("ListJobs") <= 3 + 1 + 5 + 1 + 8 + 1 + 10 + 1 + 2,
        "{}",
        count("ListJobs")
    );
    // What is more than one array takes is several.
    engine.start(&all(0..25_000), None).await.unwrap();
    let sizes: Vec<Value> = bench.submitted()[1..]
        .iter()
        .map(|job| job["arrayProperties"]["size"].clone())
        .collect();
    assert_eq!(sizes, [10_000, 10_000, 5_000].map(|size| json!(size)));
    assert_eq!(bench.arrays().at_work().await.unwrap().len(), 25_000);
}

#[tokio::test]
async fn jobs_of_their_own_are_paced_and_gone_on_with_after_a_submitter_that_died() {
    const SHARDS: u32 = 250;
    let settings = Settings {
        slots: 1000,
        submits_per_second: Some(50),
        ..Settings::default()
    };
    let bench = bench(SHARDS, false, settings).await;
    bench.server.set_fate(|_| Fate::Hold);
    let dies = Arc::new(Notify::new());
    let dying = Arc::clone(&dies);
    // The submitter is gone before it hears that its 120th job was taken.
    bench.server.set_fault(move |call| {
        if call.operation == "SubmitJob" && call.nth == 119 {
            dying.notify_one();
            return Fault::DoneThenLost;
        }
        Fault::None
    });
    let each = options(Dealing::Each { per_second: 40 });
    let mut first = bench.engine(each.clone());
    let shards = all(0..SHARDS);
    tokio::select! {
        started = first.start(&shards, None) => panic!("it died: {started:?}"),
        () = dies.notified() => {}
    }
    drop(first);
    wait_until("the last is taken", || bench.server.jobs().len() == 120);
    let mut second = bench.engine(each);
    assert_eq!(second.at_work().await.unwrap().len(), 120);
    second.start(&shards, None).await.unwrap();
    let jobs = bench.server.jobs();
    let names: BTreeSet<&String> = jobs.iter().map(|job| &job.name).collect();
    assert_eq!((jobs.len(), names.len()), (250, 250));
    assert!(
        names.iter().all(|name| name.ends_with("-0")),
        "none is a second start"
    );
    assert_eq!(second.at_work().await.unwrap().len(), 250);
    // Nothing was refused for being too much, so nothing was submitted twice.
    assert_eq!(bench.submitted().len(), 250);
}

#[tokio::test]
async fn who_is_told_that_it_is_too_fast_slows_down_and_loses_nothing() {
    let settings = Settings {
        slots: 100,
        submits_per_second: Some(8),
        ..Settings::default()
    };
    let bench = bench(20, false, settings).await;
    bench.server.set_fate(|_| Fate::Hold);
    let mut engine = bench.engine(options(Dealing::Each { per_second: 50 }));
    engine.start(&all(0..20), None).await.unwrap();
    assert_eq!(bench.server.jobs().len(), 20);
    assert!(bench.submitted().len() > 20, "none was refused");
    assert_eq!(engine.at_work().await.unwrap().len(), 20);
}
