//! A run that is launched: its driver outlives the call.

use serde_json::json;

use super::{PLAN, doomed, fresh, is_there, quiet_digest};

#[test]
fn a_launched_run_is_driven_to_its_end_by_nobody_that_waits() {
    let here = fresh();
    let quiet = quiet_digest(here.path(), 3200);
    let launch = PLAN.replacen("plan", "launch --on local --jobs 2 --threads 1", 1);
    let launched = doomed(here.path())
        .with("DIE_AT", "1300")
        .with("DIE_ONCE", "died")
        .call(&format!("{launch} --policy retry=2 --json"))
        .exits(0)
        .json();
    assert_eq!(launched["engine"], "local");
    assert_eq!(launched["started"], json!([]), "its driver starts them");
    let waited = doomed(here.path())
        .call("wait --run demo --every 200ms --json")
        .exits(0);
    assert!(here.path().join("died").exists(), "nothing died");
    assert_eq!(waited.json()["digest"], quiet);
    assert!(is_there(here.path(), "rounds/1.json"));
    let log = std::fs::read_to_string(here.path().join("demo.driver.log")).expect("the log");
    assert!(log.contains("round 1: shard 3"), "{log}");
}

#[test]
fn shards_that_live_no_longer_than_their_starter_need_a_driver() {
    let here = fresh();
    let launch = PLAN.replacen("plan", "launch --no-driver", 1);
    doomed(here.path())
        .call(&launch)
        .is_refused(&["--no-driver", "--on local", "drive"]);
    assert!(!is_there(here.path(), "manifest.json"));
}

#[test]
fn what_an_engine_needs_is_asked_for_before_a_run_is_planned() {
    let here = fresh();
    for (engine, flag) in [
        ("aws-batch", "--job-definition"),
        ("aws-batch-each --job-definition worker", "--job-queue"),
        ("step-functions", "--state-machine-arn"),
        ("kubernetes", "--container-image"),
    ] {
        for verb in ["launch", "run"] {
            let call = PLAN.replacen("plan", &format!("{verb} --on {engine}"), 1);
            doomed(here.path()).call(&call).is_refused(&[flag]);
            assert!(!is_there(here.path(), "manifest.json"), "{call}");
        }
    }
}

#[test]
fn a_run_on_an_engine_ends_with_its_result() {
    let here = fresh();
    let quiet = quiet_digest(here.path(), 3200);
    let run = PLAN.replacen("plan", "run --on local --jobs 2 --threads 1", 1);
    let ran = doomed(here.path()).call(&format!("{run} --json")).exits(0);
    assert_eq!(ran.json()["digest"], quiet);
}

#[test]
fn an_offset_moves_the_indexes_of_an_array_and_of_a_round() {
    let here = fresh();
    let _ = doomed(here.path()).call(PLAN).exits(0);
    let shard = |arguments: &str| {
        let worked = doomed(here.path())
            .call(&format!("shard --run demo --threads 1 --json {arguments}"))
            .exits(0);
        worked.json()["shard"].as_u64()
    };
    assert_eq!(shard("--index 1 --index-offset 2"), Some(3));
    assert_eq!(shard("--index 0"), Some(0));
    let retried = doomed(here.path()).call("retry --run demo --json").exits(0);
    let shards = retried.json()["shards"].clone();
    assert_eq!(
        shard("--round 1 --index 0 --index-offset 1"),
        shards[1].as_u64()
    );
}
