//! Who waits for a run outlasts the time between a driver's rounds, in which nothing is at work.

use std::fs;
use std::path::Path;

use croupier_tests::program::wait_until;
use serde_json::{Value, json};

use super::{PLAN, doomed, fresh, quiet_digest};

/// Starts every shard once; one dies.
fn one_dies(directory: &Path, policy: &str) {
    let program = doomed(directory)
        .with("DIE_AT", "1300")
        .with("DIE_ONCE", "died");
    program.call(&format!("{PLAN} --policy {policy}")).exits(0);
    for shard in 0..8 {
        let _ = program.call(&format!("shard --run demo --shard {shard} --threads 1"));
    }
    assert!(directory.join("died").exists(), "nothing died");
}

#[test]
fn a_driver_may_come_late() {
    let here = fresh();
    let quiet = quiet_digest(here.path(), 3200);
    one_dies(here.path(), "retry=1");
    let program = doomed(here.path());
    let wait = format!(
        "exec {} wait --run demo --every 20ms --json >result 2>said",
        program.file().display()
    );
    let waiting = program.in_shell().start_with(&["-c", &wait]);
    let said = here.path().join("said");
    wait_until("it waits for a driver", || {
        fs::read_to_string(&said).is_ok_and(|said| said.contains("for a driver"))
    });
    program
        .call("drive --run demo --every 20ms --jobs 2 --threads 1")
        .exits(0);
    let _ = waiting.wait().exits(0);
    let result = fs::read_to_string(here.path().join("result")).expect("a result");
    let result: Value = serde_json::from_str(&result).expect("an object");
    assert_eq!(result["digest"], quiet);
}

#[test]
fn where_nothing_more_is_to_come_it_ends() {
    let here = fresh();
    one_dies(here.path(), "retry=1");
    let program = doomed(here.path());
    let wait = "wait --run demo --every 20ms";
    // A round may still be begun, but nobody does.
    program
        .call(&format!("{wait} --max-idle 100ms"))
        .exits(3)
        .tells(&["drive --run"]);
    program.call("retry --run demo").exits(0);
    let again = "shard --run demo --round 1 --index 0 --threads 1";
    let dying = program.clone().with("DIE_AT", "1300");
    let _ = dying.call(again);
    // All rounds were.
    let ended = program.call(wait).exits(3);
    assert!(!ended.stderr.contains("for a driver"), "{ended}");
}

/// Such as one whose worker was refused before it could leave a word: nobody can tell it from one that is queued.
#[test]
fn shards_that_never_began_are_not_waited_for_without_end() {
    let here = fresh();
    let program = doomed(here.path());
    program.call(PLAN).exits(0);
    for shard in 0..7 {
        program
            .call(&format!("shard --run demo --shard {shard}"))
            .exits(0);
    }
    let ended = program.call("wait --run demo --every 20ms --max-idle 100ms --json");
    assert_eq!(ended.exits(3).json()["shards"]["missing"], json!([7]));
}
