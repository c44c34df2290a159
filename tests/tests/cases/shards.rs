//! Cases times shards in one run.

use serde_json::json;

use super::{digest_alone, digests, fresh, several, write};

const LINES: &str = "{\"low\": 1}\n{\"low\": 2, \"needs\": \"key\"}\n{\"low\": 3}\n";

#[test]
fn shards_are_numbered_over_all_cases() {
    let here = fresh();
    write(here.path(), "many.jsonl", "{\"low\": 1}\n{\"low\": 2}\n");
    let program = several(here.path());
    let plan =
        "uniform plan --cases many.jsonl --shards 3 --samples 640 --seed 7 --name demo --json";
    let planned = program.call(plan).exits(0).json();
    assert_eq!(
        (&planned["cases"], &planned["shards"]),
        (&json!(2), &json!(6))
    );
    for shard in (0..6).rev() {
        let report = program
            .call(&format!("shard --run demo --shard {shard} --json"))
            .exits(0)
            .json();
        assert_eq!(report["shard"], shard % 3);
        let run = report["run"].as_str().unwrap();
        assert!(run.ends_with(&format!("demo/cases/{}", shard / 3)), "{run}");
    }
    let report = program.call("reduce --run demo --json").exits(0).json();
    let alone = ["1", "2"].map(|low| digest_alone(here.path(), &format!("--low {low}")));
    assert_eq!(digests(&report), alone);
    program
        .call("shard --run demo --shard 6")
        .exits(2)
        .tells(&["shard 6"]);
}

#[test]
fn all_cases_run_here_as_one_call() {
    let here = fresh();
    write(here.path(), "many.jsonl", "{\"low\": 1}\n{\"low\": 2}\n");
    let program = several(here.path());
    let run = "uniform run --cases many.jsonl --samples 640 --seed 7 --name demo";
    program
        .call(run)
        .exits(0)
        .shows(&["case 0", "low 1.0", "case 1", "2 of 2 cases"]);
    let report = program.call(&format!("{run} --json")).exits(0).json();
    let alone = ["1", "2"].map(|low| digest_alone(here.path(), &format!("--low {low}")));
    assert_eq!(digests(&report), alone);
    // What is given for all goes before a case's own, and is part of what the run is.
    program
        .call(&format!("{run} --low 5"))
        .exits(2)
        .tells(&["demo", "low"]);
}

#[test]
fn a_driver_applies_the_policy_to_all_cases_together() {
    let here = fresh();
    write(here.path(), "many.jsonl", LINES);
    let program = several(here.path());
    let plan = "uniform plan --cases many.jsonl --shards 2 --samples 640 --seed 7";
    program
        .call(&format!("{plan} --name strict --policy retry=1"))
        .exits(0);
    let drive = "drive --every 20ms --jobs 2 --json";
    let report = program
        .call(&format!("{drive} --run strict"))
        .exits(3)
        .json();
    assert_eq!(report["shards"]["missing"], json!([2, 3]));
    assert_eq!(report["accepted"], false);
    let status = program.call("status --run strict --json").exits(0).json();
    assert_eq!(status["rounds"], 1);
    assert_eq!(status["cases"], json!({"planned": 3, "done": 2}));
    assert_eq!(status["missing"], json!([2, 3]));
    // Two of six shards.
    for (policy, code) in [
        ("tolerate=2", 0),
        ("tolerate=1", 3),
        ("tolerate=33%", 3),
        ("tolerate=34%", 0),
    ] {
        let reduce = format!("reduce --run strict --policy {policy} --json");
        let report = program.call(&reduce).exits(code).json();
        assert_eq!(report["accepted"], code == 0, "{policy}");
    }
    write(here.path(), "key", "");
    program.call("retry --run strict").exits(0);
    let report = program
        .call(&format!("{drive} --run strict"))
        .exits(0)
        .json();
    assert_eq!(digests(&report).len(), 3);
}

#[test]
fn the_first_failure_stops_all_cases() {
    let here = fresh();
    write(here.path(), "many.jsonl", LINES);
    let program = several(here.path());
    let plan =
        "uniform plan --cases many.jsonl --samples 640 --seed 7 --name demo --policy fail-fast";
    program.call(plan).exits(0);
    let _ = program.call("drive --run demo --every 20ms").exits(3);
    let status = program.call("status --run demo --json").exits(0).json();
    let stopped = status["stopped"].as_str().expect("an order");
    assert!(stopped.contains("case 1"), "{stopped}");
    // A case's worker looks for the order of all.
    program
        .call("shard --run demo --shard 2")
        .exits(1)
        .tells(&["stopped"]);
}
