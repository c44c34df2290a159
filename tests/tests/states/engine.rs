//! What is started, and never twice; what is at work; what is ended.

use croupier_fleet::engine::Engine;
use croupier_tests::states::{ARRAY, End, Fault, StatesServer};
use serde_json::json;

use super::{engine, engine_of, names, planned};

#[tokio::test]
async fn what_runs_is_not_started_again_and_what_ended_is() {
    let server = StatesServer::start(100);
    let run = planned("demo", 8, 8, "complete").await;
    let all: Vec<u32> = (0..8).collect();
    let mut first = engine(&server, &run);
    first.start(&all, None).await.unwrap();
    first.start(&all, None).await.unwrap();
    // Another process, which finds it in the machine's listing.
    let mut second = engine(&server, &run);
    second.start(&all[2..5], None).await.unwrap();
    assert_eq!(second.at_work().await.unwrap().len(), 8);
    let (name,) = (names(&server).remove(0),);
    assert!(name.ends_with("-s0-7-0"), "{name}");
    assert_eq!(names(&server).len(), 1);
    server.end_items(&name, End::Succeeds);
    // Its last job is its, too.
    assert_eq!(second.at_work().await.unwrap().len(), 8);
    server.end_last_job(&name, End::Succeeds);
    for engine in [&mut first, &mut second] {
        assert!(engine.at_work().await.unwrap().is_empty());
    }
    second.start(&all, None).await.unwrap();
    assert!(names(&server)[1].ends_with("-s0-7-1"));
    assert_eq!(first.at_work().await.unwrap().len(), 8);
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_one_start() {
    let server = StatesServer::start(100);
    let run = planned("demo", 4, 4, "complete").await;
    server.fail_next("StartExecution", Fault::DoneThenLost);
    server.fail_next("ListExecutions", Fault::Throttled);
    engine(&server, &run)
        .start(&[0, 1, 2, 3], None)
        .await
        .unwrap();
    assert_eq!(names(&server).len(), 1);
}

#[tokio::test]
async fn what_is_not_listed_yet_is_at_work() {
    let server = StatesServer::start(100);
    let run = planned("demo", 4, 4, "complete").await;
    server.set_lists_lag(3);
    let mut first = engine(&server, &run);
    first.start(&[0, 1], None).await.unwrap();
    assert_eq!(first.at_work().await.unwrap().len(), 2);
    // One that did not start it learns of it by the name, which is given.
    let mut second = engine(&server, &run);
    second.start(&[0, 1], None).await.unwrap();
    assert_eq!(names(&server).len(), 1);
    assert_eq!(second.at_work().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_round_is_started_by_its_own_indexes() {
    let server = StatesServer::start(100);
    let run = planned("demo", 8, 8, "retry=1").await;
    let round = run.begin_round(1, vec![2, 5]).await.unwrap();
    let mut first = engine(&server, &run);
    first.start(&round.shards, Some(1)).await.unwrap();
    let name = names(&server).remove(0);
    assert!(name.ends_with("-r1-0"), "{name}");
    let input = server.input(&name);
    assert_eq!(input["items"], json!([0, 1]));
    assert_eq!(
        input["command"],
        json!(["shard", "--run", run.uri(), "--round", "1"])
    );
    let mut second = engine(&server, &run);
    for engine in [&mut first, &mut second] {
        let at_work: Vec<u32> = engine.at_work().await.unwrap().into_iter().collect();
        assert_eq!(at_work, [2, 5]);
    }
}

#[tokio::test]
async fn an_end_is_the_runs_own() {
    let server = StatesServer::start(100);
    let ours = planned("ours", 4, 4, "complete").await;
    let other = planned("other", 4, 4, "complete").await;
    for run in [&ours, &other] {
        engine(&server, run)
            .start(&[0, 1, 2, 3], None)
            .await
            .unwrap();
    }
    let mut canceller = engine(&server, &ours);
    canceller.cancel().await.unwrap();
    let states: Vec<String> = server.executions().into_iter().map(|one| one.1).collect();
    assert_eq!(states, ["ABORTED", "RUNNING"]);
    assert!(canceller.at_work().await.unwrap().is_empty());
    let overview = canceller.overview().await.unwrap();
    assert_eq!(overview.len(), 1);
    assert!(overview[0].contains("run ours was stopped"), "{overview:?}");
    assert!(overview[0].contains("4 aborted"), "{overview:?}");
}

#[tokio::test]
async fn the_machine_of_arrays_has_no_items() {
    let server = StatesServer::start(100);
    let run = planned("demo", 4, 4, "complete").await;
    let mut engine = engine_of(&server, &run, ARRAY);
    engine.start(&[0, 1, 2, 3], None).await.unwrap();
    let name = names(&server).remove(0);
    let arrays = server.input(&name)["arrays"].clone();
    assert_eq!(arrays, json!([{"offset": 0, "size": 4}]));
    server.end_last_job(&name, End::Succeeds);
    assert!(engine.at_work().await.unwrap().is_empty());
    assert_eq!(engine.reasons().await.unwrap(), []);
    assert_eq!(
        engine.overview().await.unwrap(),
        [format!("{name} SUCCEEDED")]
    );
}
