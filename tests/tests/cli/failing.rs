//! Samples that fail: which are named, which may be left out, and how one is looked into.

use serde_json::Value;

use super::{fresh, kernel};

const RUN: &str = "run --samples 20000 --seed 7";

/// Every way to fail, and what is said of it.
const WAYS: [(&str, &str); 3] = [
    ("errors", "the solver gave up at 0."),
    ("panics", "a bug in the model"),
    ("nans", "finite"),
];

#[test]
fn the_same_sample_is_named_on_any_threads_and_its_replay_line_works() {
    let here = fresh();
    let failing = kernel!("failing", here);
    for (way, message) in WAYS {
        let mut named = Vec::new();
        for threads in [1, 8] {
            for repeat in 0..3 {
                let flags = format!(
                    "--{way} 19000,7777,12345 --threads {threads} --name {way}-{threads}-{repeat}"
                );
                let said = failing.call(&format!("{RUN} {flags}")).exits(6);
                said.says(&["sample 7777 (block 121)", message]);
                let (_, line) = said.stderr.split_once("to repeat it:\n").unwrap();
                let (program, arguments) = line.trim().split_once(' ').unwrap();
                assert_eq!(program, failing.file().to_str().unwrap());
                assert!(arguments.ends_with("--sample 7777"), "{said}");
                let replayed = failing.call(arguments).exits(6);
                assert!(
                    replayed.stdout.contains("sample 7777 (block 121)")
                        && replayed.stdout.contains(message),
                    "{replayed}"
                );
                let message = said.stderr.lines().find(|line| line.starts_with("error: "));
                named.push(message.unwrap().to_owned());
            }
        }
        named.dedup();
        assert_eq!(named.len(), 1, "{named:?}");
    }
}

#[test]
fn the_block_of_a_failed_sample_can_be_replayed_too() {
    let here = fresh();
    let failing = kernel!("failing", here);
    failing
        .call(&format!("{RUN} --errors 7777,7778 --name demo"))
        .exits(6)
        .says(&["7777"]);
    let block = failing.call("replay --block 121 --json").exits(6).json();
    let failed = block["failed"].to_string();
    assert!(
        failed.contains("7777") && failed.contains("7778"),
        "{block}"
    );
    assert_eq!(block["estimates"][0]["samples"], 62);
    failing.call("replay --sample 7776").exits(0);
    failing.call("replay --block 120").exits(0);
}

#[test]
fn so_many_may_fail_and_are_dropped_counted_and_listed() {
    let here = fresh();
    let failing = kernel!("failing", here);
    let fail = "--errors 3 --panics 700,701 --nans 19999 --failed-samples";
    for (limit, name) in [("4", "count"), ("0.02%", "share")] {
        let mut digests = Vec::new();
        for (threads, shards) in [(1, 1), (8, 1), (2, 5)] {
            let name =
                format!("--name {name}-{threads}-{shards} --threads {threads} --shards {shards}");
            let report = failing
                .call(&format!("{RUN} {fail} {limit} {name} --json"))
                .exits(0)
                .json();
            assert_eq!(
                report["samples"],
                serde_json::json!({"planned": 20000, "done": 19996, "failed": 4})
            );
            let listed: Vec<&Value> = report["failed_samples"]
                .as_array()
                .unwrap()
                .iter()
                .collect();
            let numbers: Vec<&Value> = listed.iter().map(|failed| &failed["sample"]).collect();
            assert_eq!(numbers, [3, 700, 701, 19999]);
            for (failed, message) in
                listed
                    .iter()
                    .zip(["gave up", "a bug in the model", "a bug", "finite"])
            {
                assert!(
                    failed["message"].as_str().unwrap().contains(message),
                    "{failed}"
                );
            }
            assert!(
                report["warnings"]
                    .to_string()
                    .contains("4 of 20000 samples failed"),
                "{report}"
            );
            digests.push(report["digest"].clone());
        }
        digests.dedup();
        assert_eq!(digests.len(), 1);
    }
    for (limit, name) in [("3", "few"), ("0.019%", "a-share")] {
        let said = failing.call(&format!("{RUN} {fail} {limit} --threads 8 --name {name}"));
        said.exits(6)
            .says(&["sample 19999", "3 failed samples are allowed"]);
    }
    for limit in ["-1", "101%", "1.5", "0.0001%", "some", ""] {
        let said = failing.call_with(&[
            "plan",
            "--samples",
            "10",
            &format!("--failed-samples={limit}"),
        ]);
        assert_eq!(said.code(), Some(2), "{said}");
    }
}

#[test]
fn a_kernel_that_panics_outside_its_samples_is_refused_or_has_failed() {
    let here = fresh();
    let kernel = kernel!("block-loop", here);
    for method in ["validate", "prepare", "domain"] {
        let panics = format!("plan --samples 100 --seed 7 --panic-in {method}");
        let bug = format!("a bug in {method}");
        kernel.call(&panics).is_refused(&["panicked at ", &bug]);
    }
    for method in ["tally", "estimates"] {
        let name = format!("--name {method} --panic-in {method}");
        kernel
            .call(&format!("plan --samples 100 --seed 7 {name}"))
            .exits(0);
        let replayed = kernel.call(&format!("replay --block 1 --run {method}"));
        let replayed = replayed.exits(6);
        let bug = format!("a bug in {method}");
        assert!(replayed.stdout.contains(&bug), "{replayed}");
    }
    kernel
        .call("shard --shard 0 --run tally")
        .exits(6)
        .says(&["a bug in tally"]);
}

/// Each shard may have as many as the run; together they may not.
#[test]
fn more_than_may_fail_over_all_shards_is_refused_by_the_reducer() {
    let here = fresh();
    let failing = kernel!("failing", here);
    failing.call("plan --samples 20000 --seed 7 --shards 2 --errors 1,19999 --failed-samples 1 --name demo").exits(0);
    for shard in 0..2 {
        failing
            .call(&format!("shard --run demo --shard {shard}"))
            .exits(0);
    }
    let refused = failing.call("reduce --json").exits(6).json();
    assert_eq!(refused["accepted"], false);
    assert_eq!(refused["samples"]["failed"], 2);
    let accepted = failing
        .call("reduce --failed-samples 2 --json")
        .exits(0)
        .json();
    assert_eq!(accepted["accepted"], true);
    assert_eq!(accepted["digest"], refused["digest"]);
}
