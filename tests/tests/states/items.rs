//! Items that fail: which and why, how many may, and what is redriven.

use croupier_fleet::engine::{Engine, Reason};
use croupier_tests::states::{End, StatesServer};
use serde_json::json;

use super::{engine, job_failed, names, planned};

fn failed(job: &str, exit_code: u32) -> End {
    End::Fails("States.TaskFailed", job_failed(job, exit_code))
}

fn states(reasons: &[Reason]) -> Vec<(u32, &str)> {
    let reasons = reasons.iter();
    reasons
        .map(|reason| (reason.shard, reason.state.as_str()))
        .collect()
}

#[tokio::test]
async fn failed_items_are_told_with_their_shards_and_jobs() {
    // Three of them fill two pages.
    let server = StatesServer::start(2);
    let run = planned("demo", 8, 8, "complete").await;
    let mut first = engine(&server, &run);
    first.start(&[0, 1, 2, 3, 5, 7], None).await.unwrap();
    let name = names(&server).remove(0);
    for (index, job) in [(1, "a-1"), (5, "a-5"), (7, "a-7")] {
        server.end_item(&name, index, failed(job, 137));
    }
    server.end_item(&name, 3, End::TimesOut);
    // While others are at work.
    let told = engine(&server, &run).reasons().await.unwrap();
    let expected = [
        (1, "FAILED"),
        (5, "FAILED"),
        (7, "FAILED"),
        (3, "TIMED_OUT"),
    ];
    assert_eq!(states(&told), expected);
    let overview = first.overview().await.unwrap();
    let counts = "of 6 items 3 failed, 1 timed out, 2 running";
    assert!(overview[0].contains(counts), "{overview:?}");
    assert_eq!(told[1].job, "a-5");
    assert_eq!(
        told[1].reason,
        "Essential container in task exited, exit code 137"
    );
    let logs = told[1].logs.as_deref().unwrap();
    assert!(logs.contains("work/default/a-5"), "{logs}");
    server.end_items(&name, End::Succeeds);
    assert!(
        server.is_at_last_job(&name),
        "failures lead to the last job"
    );
    server.end_last_job(&name, failed("b", 3));
    // A start that came later is what counts of its shards.
    first.start(&[1, 3], None).await.unwrap();
    let told = engine(&server, &run).reasons().await.unwrap();
    assert_eq!(states(&told), [(5, "FAILED"), (7, "FAILED")]);
}

#[tokio::test]
async fn an_item_of_a_round_is_that_rounds_shard() {
    let server = StatesServer::start(100);
    let run = planned("demo", 8, 8, "retry=1").await;
    let round = run.begin_round(1, vec![2, 5]).await.unwrap();
    engine(&server, &run)
        .start(&round.shards, Some(1))
        .await
        .unwrap();
    let name = names(&server).remove(0);
    server.end_item(&name, 0, End::Succeeds);
    server.end_item(&name, 1, failed("a", 1));
    let told = engine(&server, &run).reasons().await.unwrap();
    assert_eq!(states(&told), [(5, "FAILED")]);
}

#[tokio::test]
async fn more_failures_than_the_policy_takes_end_the_rest() {
    // Of eight shards of one or two blocks, those of one block first: a quarter of twelve is three of them.
    for (policy, percent, tolerated) in [
        ("fail-fast", json!(0), 0),
        ("tolerate=2", json!(25), 2),
        ("tolerate=25%", json!(38), 3),
        ("complete", json!(null), 8),
        ("retry=1,tolerate=2", json!(null), 8),
    ] {
        let server = StatesServer::start(100);
        let run = planned("demo", 12, 8, policy).await;
        let all: Vec<u32> = (0..8).collect();
        let mut engine = engine(&server, &run);
        engine.start(&all, None).await.unwrap();
        let name = names(&server).remove(0);
        let input = server.input(&name);
        assert_eq!(input["toleratedFailurePercentage"], percent, "{policy}");
        let mut ended = 0;
        while !server.is_at_last_job(&name) {
            server.end_item(&name, ended, failed("a", 1));
            ended += 1;
        }
        assert_eq!(ended, (tolerated + 1).min(8), "{policy}");
        let aborted = 8 - ended;
        let told = engine.reasons().await.unwrap();
        let told = states(&told);
        let is_aborted = |one: &&(u32, &str)| one.1 == "ABORTED";
        assert_eq!(told.iter().filter(is_aborted).count() as u32, aborted);
        assert_eq!(told.len(), 8, "{policy}");
        // The last job decides, by the store.
        assert_eq!(engine.at_work().await.unwrap().len(), 8);
    }
}

#[tokio::test]
async fn an_execution_that_was_redriven_is_at_work_again() {
    let server = StatesServer::start(100);
    let run = planned("demo", 4, 4, "complete").await;
    let all = [0, 1, 2, 3];
    let mut driver = engine(&server, &run);
    driver.start(&all, None).await.unwrap();
    let name = names(&server).remove(0);
    server.end_items(&name, End::Succeeds);
    server.end_last_job(&name, failed("b", 1));
    assert!(driver.at_work().await.unwrap().is_empty());
    let overview = driver.overview().await.unwrap();
    let said = &overview[0];
    assert!(said.contains("of 4 items 4 succeeded"), "{said}");
    assert!(
        said.contains("can be redriven: aws stepfunctions redrive-execution"),
        "{said}"
    );
    server.redrive(&name);
    // Also for one that had seen it end.
    assert_eq!(driver.at_work().await.unwrap().len(), 4);
    driver.start(&all, None).await.unwrap();
    assert_eq!(names(&server).len(), 1, "it was started twice");
    server.end_last_job(&name, End::Succeeds);
    assert!(driver.at_work().await.unwrap().is_empty());
    let overview = driver.overview().await.unwrap();
    assert!(!overview[0].contains("redriven"), "{overview:?}");
}
