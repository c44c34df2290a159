//! Whoever comes later, or again, finds what was started before, and starts it no second time.

use std::collections::BTreeSet;
use std::path::Path;

use croupier_fleet::engine::{BatchOptions, Dealing, Engine};
use croupier_tests::batch::{Fate, Fault, Settings, Status};
use croupier_tests::program::wait_until;
use serde_json::json;

use super::{all, bench, options};

#[tokio::test]
async fn a_driver_that_comes_later_finds_what_is_at_work_and_starts_it_no_second_time() {
    let bench = bench(20, false, Settings::default()).await;
    bench.server.set_fate(|_| Fate::Hold);
    let mut first = bench.arrays();
    first.start(&all(0..20), None).await.unwrap();
    bench.wait_for(Status::Running, 4);
    bench.server.release(3);
    bench.wait_for(Status::Succeeded, 3);
    let mut later = bench.arrays();
    // The summary lags, and then tells of three.
    assert_eq!(later.at_work().await.unwrap().len(), 20);
    let at_work = later.at_work().await.unwrap();
    assert_eq!(at_work.len(), 17);
    later.start(&all(0..20), None).await.unwrap();
    let names: Vec<String> = bench
        .server
        .jobs()
        .into_iter()
        .map(|job| job.name)
        .collect();
    // What has ended is started again where that is asked for, and what is at work is not.
    let later_jobs = bench.server.jobs().split_off(1);
    let sizes = later_jobs.iter().map(|job| job.size.unwrap_or(1));
    assert_eq!(sizes.sum::<u32>(), 3, "{names:?}");
    assert!(names[0].ends_with("-s0-19-0"), "{names:?}");
    assert_eq!(later.at_work().await.unwrap().len(), 20);
}

#[tokio::test]
async fn a_lost_answer_is_no_second_job_and_a_lost_call_is() {
    for fault in [
        Fault::DoneThenLost,
        Fault::DoneThenStatus(500, "ServerException"),
        Fault::Reset,
        Fault::Status(500, "ServerException"),
        Fault::Status(429, "TooManyRequestsException"),
    ] {
        // A new job is listed only later.
        let bench = bench(
            2,
            false,
            Settings {
                lists_lag: 1,
                ..Settings::default()
            },
        )
        .await;
        bench.server.set_fate(|_| Fate::Hold);
        bench.server.set_fault(
            move |call| match call.operation == "SubmitJob" && call.nth == 0 {
                true => fault,
                false => Fault::None,
            },
        );
        let mut engine = bench.arrays();
        engine.start(&[0, 1], None).await.unwrap();
        let is_done = matches!(fault, Fault::DoneThenLost | Fault::DoneThenStatus(..));
        assert_eq!(
            bench.submitted().len(),
            2 - usize::from(is_done),
            "{fault:?}"
        );
        assert_eq!(bench.server.jobs().len(), 1, "{fault:?}");
        assert_eq!(engine.at_work().await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_start_again_has_a_name_of_its_own_and_one_shard_is_a_plain_job() {
    let bench = bench(9, false, Settings::default()).await;
    bench.server.set_fate(|_| Fate::Exit(1));
    let mut engine = bench.arrays();
    for expected in ["-s5-0", "-s5-1"] {
        engine.start(&[5], None).await.unwrap();
        wait_until("it ends", || {
            bench
                .server
                .jobs()
                .iter()
                .all(|job| job.status().is_terminal())
        });
        assert!(bench.server.job(expected).unwrap().size.is_none());
        assert!(engine.at_work().await.unwrap().is_empty());
    }
    let round = bench.run.begin_round(1, vec![2, 5, 7]).await.unwrap();
    bench.server.set_fate(|_| Fate::Hold);
    engine.start(&round.shards, Some(1)).await.unwrap();
    let array = bench.server.job("-r1-0-2-0").unwrap();
    assert_eq!(array.size, Some(3));
    // Another process knows what the round's indexes mean.
    let at_work = bench.arrays().at_work().await.unwrap();
    assert_eq!(at_work, BTreeSet::from([2, 5, 7]));
    let command = bench.submitted()[2]["containerOverrides"]["command"].to_string();
    assert!(command.contains(r#""--round","1""#), "{command}");
}

#[tokio::test]
async fn a_driver_is_left_once() {
    let bench = bench(4, false, Settings::default()).await;
    bench.server.set_fate(|_| Fate::Hold);
    let arguments = ["drive", "--run", "demo"].map(str::to_owned);
    let id = bench.arrays().start_driver(&arguments).await.unwrap();
    assert_eq!(bench.arrays().start_driver(&arguments).await.unwrap(), id);
    let job = &bench.submitted()[0];
    assert_eq!(bench.submitted().len(), 1);
    assert_eq!(job["containerOverrides"]["command"], json!(arguments));
    assert!(job["arrayProperties"].is_null());
    assert!(
        bench.arrays().at_work().await.unwrap().is_empty(),
        "a driver is no shard"
    );
    bench.wait_for(Status::Running, 1);
    bench.server.release(1);
    bench.wait_for(Status::Succeeded, 1);
    assert_ne!(bench.arrays().start_driver(&arguments).await.unwrap(), id);
}

#[tokio::test]
async fn a_driver_may_have_a_definition_of_its_own() {
    let bench = bench(4, false, Settings::default()).await;
    bench.server.set_fate(|_| Fate::Hold);
    bench.server.define("conductor", Path::new("/bin/true"));
    let mut engine = bench.engine(BatchOptions {
        driver_job_definition: Some("conductor".to_owned()),
        ..options(Dealing::Arrays)
    });
    engine.start(&[0, 1, 2, 3], None).await.unwrap();
    let _ = engine.start_driver(&["drive".to_owned()]).await.unwrap();
    let submitted = bench.submitted();
    let definitions = submitted.iter().map(|job| &job["jobDefinition"]);
    assert_eq!(definitions.collect::<Vec<_>>(), ["worker", "conductor"]);
}
