//! The other verbs, of a run of cases and of one case in it.

use std::fs::File;

use serde_json::json;

use super::{fresh, several, write};

#[test]
fn verbs_know_runs_of_cases() {
    let here = fresh();
    write(here.path(), "many.jsonl", "{\"low\": 1}\n{\"low\": 2}\n");
    let program = several(here.path());
    let run = "uniform run --cases many.jsonl --shards 2 --samples 640 --seed 7 --name demo";
    program.call(run).exits(0);
    let verified = program.call("verify --run demo --json").exits(0).json();
    assert_eq!(verified["shards"], 4);
    let logs = program.call("logs 3 --run demo --json").exits(0).json();
    assert_eq!(logs["shard"], 1);
    assert!(logs["run"].as_str().unwrap().ends_with("demo/cases/1"));
    assert_eq!(logs["attempts"].as_array().unwrap().len(), 1);
    let ls = program.call("ls --json").exits(0).json();
    assert_eq!(ls[0]["cases"], 2);
    assert_eq!(ls[0]["shards"], 4);
    assert_eq!(ls[0]["samples"], 1280);
    program.call("wait --run demo --json").exits(0);
    let cleaned = program.call("clean --run demo --json").exits(0).json();
    assert_eq!(cleaned["partials"], json!([]));
    // What is about one run says which to name, and a case is one.
    let one = "croupier-runs/demo/cases/1";
    for verb in ["replay --block 0", "extend --samples 1280"] {
        program
            .call(&format!("{verb} --run demo"))
            .exits(2)
            .tells(&["demo/cases/0"]);
    }
    program
        .call(&format!("replay --block 0 --run {one}"))
        .exits(0);
    program.call(&format!("status --run {one}")).exits(0);
    program
        .call(&format!("extend --samples 1280 --run {one}"))
        .exits(2)
        .tells(&["cases"]);
    let removed = program.call("rm --run demo --yes --json").exits(0).json();
    assert_eq!(removed["removed"], true);
    assert_eq!(program.call("ls --json").exits(0).json(), json!([]));
}

#[test]
fn a_name_is_a_run_or_a_run_of_cases() {
    let here = fresh();
    write(here.path(), "many.jsonl", "{\"low\": 1}\n");
    let program = several(here.path());
    let one = "uniform plan --low 1 --samples 640 --seed 7 --name";
    let cases = "uniform plan --cases many.jsonl --samples 640 --seed 7 --name";
    program.call(&format!("{one} a")).exits(0);
    program
        .call(&format!("{cases} a"))
        .exits(2)
        .tells(&["it is one run"]);
    program.call(&format!("{cases} b")).exits(0);
    program
        .call(&format!("{one} b"))
        .exits(2)
        .tells(&["it is a run of cases"]);
}

/// The table as Arrow gives it to whoever reads it.
#[test]
fn the_table_has_a_row_for_each_estimate_of_each_case() {
    let here = fresh();
    write(here.path(), "many.jsonl", "{\"low\": 1}\n{\"low\": 2}\n");
    let program = several(here.path());
    let run = "uniform run --cases many.jsonl --samples 640 --seed 7 --name demo";
    program.call(run).exits(0);
    let results = here.path().join("croupier-runs/demo/results");
    let folder = std::fs::read_dir(results).unwrap().next().unwrap().unwrap();
    let file = File::open(folder.path().join("result.arrow")).unwrap();
    let reader = arrow::ipc::reader::FileReader::try_new(file, None).unwrap();
    let names: Vec<String> = reader
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    for name in [
        "case",
        "parameters",
        "name",
        "value",
        "std_error",
        "samples",
    ] {
        assert!(
            names.iter().any(|column| column == name),
            "{name} in {names:?}"
        );
    }
    let rows: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 2);
}
