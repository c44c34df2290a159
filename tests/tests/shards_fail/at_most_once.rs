//! Work that must not run twice.

use croupier_tests::program::{Ended, wait_until};

use super::{PLAN, doomed, fresh, is_there};

#[test]
fn a_shard_is_started_once_whatever_became_of_it() {
    let here = fresh();
    let doomed_once = doomed(here.path()).with("DIE_AT", "5");
    let doomed = doomed(here.path());
    let _ = doomed.call(&format!("{PLAN} --at-most-once")).exits(0);
    // One that did its work, one that was killed in it.
    let _ = doomed.call("shard --run demo --shard 1").exits(0);
    assert_eq!(
        doomed_once.call("shard --run demo --shard 0").code(),
        Some(137)
    );
    let done = doomed.call("shard --run demo --shard 1").exits(0);
    assert!(done.stdout.contains("was done already"), "{done}");
    let again = doomed.call("shard --run demo --shard 0").exits(1);
    again.says(&["started before", "--at-most-once"]);
    // That it was refused is no attempt.
    let logs = doomed.call("logs 0 --run demo --json").exits(0).json();
    assert!(logs["attempts"].as_array().unwrap().len() <= 1, "{logs}");
    // A cancelled one can go on with what was never started.
    let _ = doomed.call("cancel --run demo").exits(0);
    let _ = doomed.call("shard --run demo --shard 2").exits(1);
    let retried = doomed.call("retry --run demo --json").exits(0).json();
    assert_eq!(retried["shards"], serde_json::json!([2, 3, 4, 5, 6, 7]));
    // The driver starts what was never started, and nothing else.
    let driven = doomed
        .call("drive --run demo --every 100ms --json")
        .exits(3);
    assert_eq!(driven.json()["shards"]["missing"], serde_json::json!([0]));
    // What is refused takes no order back.
    let _ = doomed.call("cancel --run demo").exits(0);
    doomed
        .call("retry --run demo")
        .is_refused(&["--at-most-once", "was started"]);
    assert!(is_there(here.path(), "stopped.json"));
    doomed
        .call(&format!("{PLAN} --policy complete"))
        .is_refused(&["at most once"]);
}

#[test]
fn of_ten_workers_at_once_one_has_the_shard() {
    let here = fresh();
    let doomed = doomed(here.path());
    let _ = doomed.call(&format!("{PLAN} --at-most-once")).exits(0);
    let workers: Vec<_> = (0..10)
        .map(|_| doomed.start("shard --run demo --shard 4"))
        .collect();
    let ended: Vec<_> = workers.into_iter().map(|worker| worker.wait()).collect();
    // One ran it. The others were refused, or came when it was done.
    let ran = |ended: &&Ended| ended.code() == Some(0) && !ended.stdout.contains("done already");
    assert_eq!(ended.iter().filter(ran).count(), 1, "{ended:?}");
    let others = ended.iter().filter(|ended| !ran(ended));
    for other in others {
        let was_done = other.code() == Some(0);
        assert!(
            was_done || other.stderr.contains("started before"),
            "{other}"
        );
    }
}

/// With a tracker in the store, of two workers on one shard the second waits for the first, and finds it done.
#[test]
fn a_tracker_in_the_store_lets_one_worker_have_a_shard() {
    let here = fresh();
    let slow = doomed(here.path()).with("SLOW", "5000");
    let _ = slow.call(PLAN).exits(0);
    let call = "shard --run demo --shard 4 --tracker store";
    let first = slow.start(call);
    wait_until("the first has it", || {
        is_there(here.path(), "tracker/00004")
    });
    let second = slow.start(call);
    let _ = first.wait().exits(0);
    let second = second.wait().exits(0);
    assert!(second.stdout.contains("done already"), "{second}");
    assert!(second.stderr.contains("is being worked on"), "{second}");
    let status = slow
        .call("status --run demo --tracker store --json")
        .exits(0)
        .json();
    assert_eq!(status["tracked"], serde_json::json!({"done": 1}));
}
