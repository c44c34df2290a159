//! A task is done once: the first whole row counts.

use std::fs;

use croupier_tests::program::wait_until;
use serde_json::{Value, json};

use super::{fresh, several};

fn lines(path: &std::path::Path) -> usize {
    fs::read_to_string(path).map_or(0, |book| book.lines().count())
}

#[test]
fn what_is_done_is_not_done_again() {
    let here = fresh();
    let program = several(here.path());
    let visit = "visit --book book --words hi --name v --json";
    let report = program.call(visit).exits(0).json();
    assert_eq!(report["row"], json!({"words": "hi", "before": 0}));
    let again = program.call(visit).exits(0).json();
    assert_eq!(again["row"], report["row"]);
    assert_eq!(again["digest"], report["digest"]);
    program.call("shard --run v --shard 0").exits(0);
    assert_eq!(lines(&here.path().join("book")), 1);
}

#[test]
fn of_two_at_once_the_first_counts_and_the_other_raises_no_alarm() {
    let here = fresh();
    let program = several(here.path());
    let plan = "visit plan --book book --wait-for go --name v";
    program.call(plan).exits(0);
    let book = here.path().join("book");
    let mut workers = Vec::new();
    for count in 1..=2 {
        workers.push(program.start("shard --run v --shard 0"));
        wait_until("a worker is at work", || lines(&book) == count);
    }
    fs::write(here.path().join("go"), "").unwrap();
    for worker in workers {
        let _ = worker.wait().exits(0);
    }
    let reduced = program.call("reduce --run v --json").exits(0).json();
    let before = reduced["row"]["before"].as_u64().expect("a row");
    let logs = program.call("logs 0 --run v --json").exits(0).json();
    let attempts = logs["attempts"].as_array().unwrap();
    let superseded: Vec<&Value> = attempts
        .iter()
        .map(|attempt| &attempt["superseded_by"])
        .filter(|by| !by.is_null())
        .collect();
    assert_eq!((attempts.len(), superseded.len()), (2, 1));
    // It stays the first, also once the other is gone.
    let cleaned = program.call("clean --run v --yes --json").exits(0).json();
    assert_eq!(cleaned["partials"].as_array().unwrap().len(), 1);
    assert_ne!(&cleaned["partials"][0], superseded[0]);
    let again = program.call("reduce --run v --json").exits(0).json();
    assert_eq!(again["row"]["before"], before);
}

#[test]
fn a_failure_is_worth_a_retry_unless_it_says_otherwise() {
    let here = fresh();
    let program = several(here.path());
    let ended = program
        .call("visit --book book --needs key --name v")
        .exits(1);
    ended.tells(&["the door is locked"]);
    let hopeless = "visit --book book --hopeless --name h";
    program.call(hopeless).exits(6).tells(&["nobody is here"]);
    let retry = |run: &str| {
        program
            .call(&format!("retry --run {run} --json"))
            .exits(0)
            .json()
    };
    assert_eq!(retry("v")["shards"], json!([0]));
    assert_eq!(retry("h")["hopeless"], json!([0]));
    let _ = program.call("reduce --run v").exits(3);
    // No round would help, so that nobody waits for one.
    program
        .call("visit plan --book book --hopeless --name n --policy retry=2")
        .exits(0);
    program.call("shard --run n --shard 0").exits(6);
    let _ = program.call("wait --run n --every 20ms").exits(3);
    fs::write(here.path().join("key"), "").unwrap();
    program.call("drive --run v --every 20ms").exits(0);
    program.call("reduce --run v").exits(0);
}

/// A tracker that would have it tried again would have it fail again.
#[test]
fn a_tracker_gives_a_hopeless_task_up_at_once() {
    let here = fresh();
    let program = several(here.path());
    program
        .call("visit plan --book book --hopeless --name n")
        .exits(0);
    let shard = "shard --run n --shard 0 --tracker store";
    program.call(shard).exits(6).tells(&["nobody is here"]);
    program.call(shard).exits(6).tells(&["was given up"]);
    let logs = program.call("logs 0 --run n --json").exits(0).json();
    assert_eq!(logs["attempts"].as_array().unwrap().len(), 1);
}

#[test]
fn rows_of_cases_are_a_table() {
    let here = fresh();
    let program = several(here.path());
    let many = "{\"words\": \"a\"}\n{\"words\": \"b\", \"hopeless\": true}\n{\"words\": \"c\"}\n";
    fs::write(here.path().join("many.jsonl"), many).unwrap();
    let run = "visit --cases many.jsonl --book book --name v --json";
    let report = program.call(run).exits(6).json();
    let rows: Vec<&Value> = report["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| &case["row"]["words"])
        .collect();
    assert_eq!(rows, ["a", "c"]);
    assert_eq!(report["shards"]["missing"], json!([1]));
    assert_eq!(lines(&here.path().join("book")), 2);
}
