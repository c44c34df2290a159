//! `--json` of `run` and `reduce` is API: these fields are there, with these types.

use serde_json::Value;

use super::{fresh, option, pi};

/// A path of keys, and whether a value is what it should be.
type Field = (&'static str, fn(&Value) -> bool);

const FIELDS: [Field; 25] = [
    ("format", Value::is_u64),
    ("run", Value::is_string),
    ("kernel", Value::is_string),
    ("version", Value::is_u64),
    ("seed", Value::is_string),
    ("accepted", Value::is_boolean),
    ("policy", Value::is_string),
    ("samples.planned", Value::is_u64),
    ("samples.done", Value::is_u64),
    ("samples.failed", Value::is_u64),
    ("blocks.planned", Value::is_u64),
    ("blocks.done", Value::is_u64),
    ("shards.planned", Value::is_u64),
    ("shards.done", Value::is_u64),
    ("shards.missing", Value::is_array),
    ("estimates", Value::is_array),
    ("digest", is_digest),
    ("seconds", Value::is_f64),
    ("usage.cpu_hours", Value::is_f64),
    ("usage.wall_hours", Value::is_f64),
    ("usage.attempts", Value::is_u64),
    ("warnings", Value::is_array),
    ("failed_samples", Value::is_array),
    ("croupier", Value::is_string),
    ("identity.parameters", Value::is_object),
];

const ESTIMATE: [Field; 7] = [
    ("name", Value::is_string),
    ("value", Value::is_f64),
    ("std_error", Value::is_f64),
    ("low", Value::is_f64),
    ("high", Value::is_f64),
    ("level", Value::is_f64),
    ("samples", Value::is_u64),
];

fn is_digest(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == 64
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn has(report: &Value, fields: &[Field]) {
    for (path, is_right) in fields {
        let found = report.pointer(&format!("/{}", path.replace('.', "/")));
        assert!(
            found.is_some_and(is_right),
            "{path} is {found:?} in {report}"
        );
    }
}

#[test]
fn run_and_reduce_have_the_documented_fields() {
    let here = fresh();
    let run = option(&here)
        .call("run --samples 50000 --block 4096 --seed 18446744073709551615 --name demo --json");
    let run = run.exits(0).json();
    let reduce = option(&here)
        .call("reduce --run demo --json")
        .exits(0)
        .json();
    for report in [&run, &reduce] {
        has(report, &FIELDS);
        assert_eq!(report["kernel"], "european-option");
        assert_eq!(report["seed"], "18446744073709551615");
        assert_eq!(report["accepted"], true);
        assert_eq!(report["policy"], "complete");
        assert_eq!(report["shards"]["missing"], serde_json::json!([]));
        let estimates = report["estimates"].as_array().unwrap();
        for estimate in estimates {
            has(estimate, &ESTIMATE);
            let of = |field: &str| estimate[field].as_f64().unwrap();
            assert!(
                of("low") < of("value") && of("value") < of("high"),
                "{estimate}"
            );
            assert_eq!(of("level"), 0.95);
        }
        let names: Vec<&Value> = estimates.iter().map(|estimate| &estimate["name"]).collect();
        assert_eq!(names, ["call", "put", "delta"]);
    }
    assert_eq!(run["digest"], reduce["digest"]);
    assert_eq!(run["estimates"], reduce["estimates"]);

    let wide = option(&here)
        .call("reduce --run demo --level 0.99 --json")
        .exits(0)
        .json();
    assert_eq!(wide["estimates"][0]["level"], 0.99);
    assert!(wide["estimates"][0]["high"].as_f64() > run["estimates"][0]["high"].as_f64());
    assert_eq!(wide["digest"], run["digest"], "a level changes no bits");

    let written: Value = {
        let results = here.path().join("croupier-runs/demo/results");
        let folder = std::fs::read_dir(results).unwrap().next().unwrap().unwrap();
        serde_json::from_slice(&std::fs::read(folder.path().join("result.json")).unwrap()).unwrap()
    };
    assert_eq!(written["digest"], run["digest"]);
    has(&written, &FIELDS);
}

#[test]
fn what_cannot_be_estimated_is_null_with_a_reason() {
    let here = fresh();
    let report = pi(&here)
        .call("--samples 1 --seed 7 --json")
        .exits(0)
        .json();
    let estimate = &report["estimates"][0];
    assert!(estimate["value"].is_f64(), "{report}");
    assert!(
        estimate["std_error"].is_null() && estimate["low"].is_null(),
        "{report}"
    );
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("pi"), "nothing is said of it: {report}");
}

#[test]
fn every_verb_prints_json_alone() {
    let here = fresh();
    pi(&here)
        .call("plan --samples 5000 --block 1024 --seed 7 --name demo --shards 2 --json")
        .exits(0)
        .json();
    for shard in 0..2 {
        pi(&here)
            .call(&format!("shard --run demo --shard {shard} --json"))
            .exits(0)
            .json();
    }
    for verb in [
        "reduce",
        "status",
        "ls",
        "verify",
        "replay --block 0",
        "rm --run demo --yes",
    ] {
        pi(&here).call(&format!("{verb} --json")).exits(0).json();
    }
}
