//! An array each of whose processes runs a case of its own.

use croupier_tests::program::{Program, Running};
use croupier_tests::s3::S3Server;
use serde_json::json;

use super::{digest_alone, digests, fresh, several, write};

fn as_child(program: &Program, index: u32) -> Program {
    program
        .clone()
        .with("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string())
        .with("AWS_BATCH_JOB_ID", format!("0f3a-11:{index}"))
}

#[test]
fn each_process_runs_the_case_of_its_index() {
    let here = fresh();
    for (case, low) in [1.0, 2.0, 3.5].iter().enumerate() {
        let text = format!("{{\"low\": {low}}}");
        write(here.path(), &format!("kwargs/{case}.json"), &text);
    }
    let program = several(here.path());
    // No verb, no name: the scheduler's job is the run's. All at once, so that they plan at once.
    let call = "uniform --kwargs kwargs --samples 640 --seed 7 --length 2 --json";
    let children: Vec<Running> = (0..3)
        .map(|index| as_child(&program, index).start(call))
        .collect();
    for (case, child) in children.into_iter().enumerate() {
        let report = child.wait().exits(0).json();
        let run = report["run"].as_str().unwrap();
        assert!(
            run.ends_with(&format!("uniform-0f3a-11/cases/{case}")),
            "{run}"
        );
    }
    let report = program.call("reduce --json").exits(0).json();
    assert_eq!(report["accepted"], true);
    assert_eq!(
        report["shards"],
        json!({"planned": 3, "done": 3, "missing": []})
    );
    assert_eq!(report["cases"][1]["parameters"]["low"], 2.0);
    assert_eq!(report["cases"][1]["parameters"]["length"], 2.0);
    // One seed: each case is what a run of its own with that seed is.
    let alone: Vec<_> = ["1", "2", "3.5"]
        .map(|low| digest_alone(here.path(), &format!("--low {low} --length 2")))
        .into();
    assert_eq!(digests(&report), alone);
}

#[test]
fn without_a_seed_one_is_drawn_for_all() {
    let here = fresh();
    for case in 0..2 {
        write(here.path(), &format!("kwargs/{case}.json"), r#"{"low": 1}"#);
    }
    let program = several(here.path());
    for index in 0..2 {
        let call = "uniform run --kwargs kwargs --samples 640";
        as_child(&program, index).call(call).exits(0);
    }
    let report = program.call("reduce --json").exits(0).json();
    let digests = digests(&report);
    assert_eq!(digests.len(), 2);
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_case_that_fails_is_the_one_that_is_run_again() {
    let here = fresh();
    write(here.path(), "kwargs/0.json", r#"{"low": 1}"#);
    write(
        here.path(),
        "kwargs/1.json",
        r#"{"low": 2, "needs": "key"}"#,
    );
    // Numbers may have gaps: Slurm's users choose them.
    write(here.path(), "kwargs/4.json", r#"{"low": 3}"#);
    let program = several(here.path());
    let call = "shard --kwargs kwargs --samples 640 --seed 7 --name demo";
    // As shells tell of a process that aborts.
    for (index, code) in [(0, 0), (1, 134)] {
        let call = format!("uniform {call} --index {index}");
        let _ = program.call(&call).exits(code);
    }
    // Case 4 was never begun.
    let report = program.call("reduce --run demo --json").exits(3).json();
    assert_eq!(report["shards"]["missing"], json!([1, 4]));
    assert_eq!(report["cases"].as_array().unwrap().len(), 1);
    // Two of three cases are missing, one of which nobody knows the blocks of.
    for (policy, code) in [("tolerate=66%", 3), ("tolerate=67%", 0)] {
        let reduce = format!("reduce --run demo --policy {policy}");
        let _ = program.call(&reduce).exits(code);
    }
    let retry = program.call("retry --run demo --json").exits(0).json();
    assert_eq!(retry["shards"], json!([1, 4]));
    write(here.path(), "key", "");
    for (index, case) in [1, 4].iter().enumerate() {
        let call = format!("shard --run demo --round 1 --index {index} --json");
        let run = program.call(&call).exits(0).json()["run"].clone();
        let run = run.as_str().unwrap();
        assert!(run.ends_with(&format!("demo/cases/{case}")), "{run}");
    }
    // There are numbers between them that no case has.
    program
        .call("shard --run demo --shard 3")
        .exits(2)
        .tells(&["case 3"]);
    let report = program.call("reduce --run demo --json").exits(0).json();
    let alone = [
        digest_alone(here.path(), "--low 1"),
        digest_alone(here.path(), "--low 2 --needs key"),
        digest_alone(here.path(), "--low 3"),
    ];
    assert_eq!(digests(&report), alone);
}

#[test]
fn an_index_without_a_case_is_refused() {
    let here = fresh();
    write(here.path(), "kwargs/0.json", r#"{"low": 1}"#);
    let program = several(here.path());
    let call = "uniform shard --kwargs kwargs --samples 640 --name demo --index 1";
    program.call(call).exits(2).tells(&["case", "0"]);
    // Nor is it known what to call the run where no scheduler says.
    let call = "uniform shard --kwargs kwargs --samples 640 --index 0";
    program.call(call).exits(2).tells(&["--name"]);
}

#[test]
fn cases_and_the_run_may_be_in_a_bucket() {
    let here = fresh();
    let server = S3Server::start();
    write(here.path(), "many.jsonl", "{\"low\": 1}\n{\"low\": 2}\n");
    let program = several(here.path()).with_s3(&server);
    let kwargs = server.uri("kwargs");
    let upload = format!("uniform cases upload many.jsonl {kwargs} --json");
    assert_eq!(program.call(&upload).exits(0).json()["new"], 2);
    // Repeated, it changes nothing.
    assert_eq!(program.call(&upload).exits(0).json()["new"], 0);
    let store = server.uri("runs");
    for index in 0..2 {
        let call =
            format!("uniform --s3uri-kwargs {kwargs} --samples 640 --seed 7 --store {store}");
        as_child(&program, index).call(&call).exits(0);
    }
    let reduce = format!("reduce --store {store} --json");
    let report = program.call(&reduce).exits(0).json();
    let alone = ["1", "2"].map(|low| digest_alone(here.path(), &format!("--low {low}")));
    assert_eq!(digests(&report), alone);
}
