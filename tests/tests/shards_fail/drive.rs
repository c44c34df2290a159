//! The driver: rounds of holes, their limit, its own death.

use croupier_tests::program::wait_until;
use serde_json::json;

use super::{PLAN, doomed, fresh, has_partial, is_there, quiet_digest};

const DRIVE: &str = "drive --run demo --jobs 2 --threads 1 --every 200ms --json";
const DRIVE_ALL: &str = "drive --run demo --jobs 8 --threads 1 --every 200ms --json";

#[test]
fn a_shard_that_is_killed_is_run_again_and_the_result_has_the_bits_of_a_quiet_run() {
    let here = fresh();
    let quiet = quiet_digest(here.path(), 3200);
    let _ = doomed(here.path())
        .call(&format!("{PLAN} --policy retry=2"))
        .exits(0);
    let driven = doomed(here.path())
        .with("DIE_AT", "1300")
        .with("DIE_ONCE", "died")
        .call(DRIVE)
        .exits(0);
    assert!(here.path().join("died").exists(), "nothing died");
    assert!(driven.stderr.contains("round 1: shard 3"), "{driven}");
    assert!(driven.stderr.contains("signal 9"), "{driven}");
    let report = driven.json();
    assert_eq!(report["digest"], quiet);
    assert_eq!(report["accepted"], json!(true));
    assert!(is_there(here.path(), "rounds/1.json"));
    assert!(!is_there(here.path(), "rounds/2.json"));
}

#[test]
fn rounds_end_where_the_policy_says_and_then_the_rest_of_it_decides() {
    for (policy, code) in [("retry=2", 3), ("retry=2,tolerate=1", 0), ("tolerate=1", 0)] {
        let here = fresh();
        let _ = doomed(here.path())
            .call(&format!("{PLAN} --policy {policy}"))
            .exits(0);
        let driven = doomed(here.path())
            .with("DIE_AT", "1300")
            .call(DRIVE)
            .exits(code);
        let report = driven.json();
        assert_eq!(report["shards"]["missing"], json!([3]), "{policy}");
        assert_eq!(report["accepted"], json!(code == 0), "{policy}");
        assert_eq!(
            is_there(here.path(), "rounds/2.json"),
            policy.starts_with("retry")
        );
        assert!(!is_there(here.path(), "rounds/3.json"), "{policy}");
        if code == 3 {
            assert!(driven.stderr.contains("retry --run"), "{driven}");
        }
    }
}

#[test]
fn a_kernel_that_fails_on_a_sample_is_not_run_again() {
    let here = fresh();
    let failing = croupier_tests::program::Program::new(env!("CARGO_BIN_EXE_failing"), here.path());
    let _ = failing
        .call("plan --samples 20000 --seed 7 --shards 4 --errors 7777 --name demo --policy retry=3")
        .exits(0);
    let driven = failing.call(DRIVE).exits(3);
    assert_eq!(driven.json()["shards"]["missing"], json!([1]));
    assert!(!is_there(here.path(), "rounds/1.json"), "{driven}");
    let retried = failing.call("retry --run demo --json").exits(0).json();
    assert_eq!(
        (&retried["round"], &retried["hopeless"]),
        (&json!(null), &json!([1]))
    );
    let insisted = failing
        .call("retry --run demo --all --json")
        .exits(0)
        .json();
    assert_eq!(
        (&insisted["round"], &insisted["shards"]),
        (&json!(1), &json!([1]))
    );
}

#[test]
fn a_driver_that_is_killed_is_started_again_and_two_at_once_do_no_harm() {
    let here = fresh();
    let quiet = quiet_digest(here.path(), 3200);
    let slow = doomed(here.path()).with("SLOW", "1000");
    let _ = slow.call(&format!("{PLAN} --policy retry=1")).exits(0);
    let first = slow.start(DRIVE);
    wait_until("a shard is done", || {
        (0..8).any(|shard| has_partial(here.path(), shard))
    });
    first.process().kill();
    assert!(first.wait().was_killed());
    let status = slow.call("status --run demo --json").exits(0).json();
    assert!(
        status["shards"]["done"].as_u64().unwrap() < 8,
        "it was done already: {status}"
    );
    let (one, other) = (slow.start(DRIVE), slow.start(DRIVE));
    for driver in [one, other] {
        assert_eq!(driver.wait().exits(0).json()["digest"], quiet);
    }
}

#[test]
fn shards_without_time_are_gone_on_with_at_no_rounds_cost() {
    let here = fresh();
    let quiet = quiet_digest(here.path(), 3200);
    // 400 samples a shard take 4 s, and a worker has less than that.
    let slow = doomed(here.path()).with("SLOW", "10000");
    let _ = slow.call(PLAN).exits(0);
    let driven = slow.call(&format!("{DRIVE_ALL} --deadline 2s")).exits(0);
    assert_eq!(driven.json()["digest"], quiet);
    assert!(!is_there(here.path(), "rounds/1.json"));
    let attempts = slow.call("logs 5 --run demo --json").exits(0).json();
    let states: Vec<&str> = attempts["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["state"].as_str().unwrap())
        .collect();
    assert_eq!(states.last(), Some(&"done"));
    assert!(
        states.len() > 1
            && states[..states.len() - 1]
                .iter()
                .all(|state| *state == "stopped")
    );
}

#[test]
fn waiting_ends_as_the_result_does() {
    let here = fresh();
    // Slow enough for several looks.
    let doomed = doomed(here.path()).with("SLOW", "3000");
    let _ = doomed.call(PLAN).exits(0);
    let waiting = doomed.start("wait --run demo --every 100ms --json");
    let watching = doomed.start("status --run demo --watch");
    let driven = doomed.call(DRIVE).exits(0).json();
    assert_eq!(waiting.wait().exits(0).json()["digest"], driven["digest"]);
    let watched = watching.wait().exits(0).stdout;
    assert!(watched.starts_with("run "), "{watched}");
    assert!(watched.matches("kernel").count() > 1, "{watched}");
    assert!(watched.trim_end().ends_with("200 of 200 done"), "{watched}");
}

#[test]
fn a_round_maps_the_indexes_of_a_new_array() {
    let here = fresh();
    let quiet = quiet_digest(here.path(), 3200);
    let doomed = doomed(here.path());
    let _ = doomed.call(PLAN).exits(0);
    for shard in [0, 1, 3, 4, 6, 7] {
        let _ = doomed
            .call(&format!("shard --run demo --shard {shard}"))
            .exits(0);
    }
    let retried = doomed.call("retry --run demo --json").exits(0).json();
    assert_eq!(
        (&retried["round"], &retried["shards"]),
        (&json!(1), &json!([2, 5]))
    );
    for (index, shard) in [(0, 2), (1, 5)] {
        let child = doomed
            .clone()
            .with("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string());
        let report = child
            .call("shard --run demo --round 1 --json")
            .exits(0)
            .json();
        assert_eq!(report["shard"], json!(shard));
    }
    doomed
        .clone()
        .with("AWS_BATCH_JOB_ARRAY_INDEX", "2")
        .call("shard --run demo --round 1")
        .is_refused(&["index 2", "round 1 has 2 shards"]);
    doomed
        .call("shard --run demo --round 2 --index 0")
        .is_refused(&["no round 2"]);
    assert_eq!(
        doomed.call("reduce --run demo --json").exits(0).json()["digest"],
        quiet
    );
}

#[test]
fn a_run_is_extended_twice_and_is_as_if_asked_at_once() {
    let here = fresh();
    let doomed = doomed(here.path());
    // Segments that end inside a block, and one that ends on one.
    let _ = doomed
        .call("plan --samples 1001 --seed 7 --shards 3 --name demo")
        .exits(0);
    let mut last = 1001;
    // Before the new shards are done, the short last block is a hole, and what is there is not the whole.
    for samples in [1001, 1008, 1600, 2777] {
        if samples > last {
            let extended = doomed
                .call(&format!("extend --run demo --samples {samples} --json"))
                .exits(0)
                .json();
            let again = doomed
                .call(&format!("extend --run demo --samples {samples} --json"))
                .exits(0)
                .json();
            assert_eq!(again["shards"], 0, "nothing is new");
            assert_eq!(extended["samples"], json!(samples));
            last = samples;
            let part = doomed.call("reduce --run demo --json").exits(3).json();
            assert_eq!(part["accepted"], json!(false), "{part}");
            let (planned, done) = (&part["blocks"]["planned"], &part["blocks"]["done"]);
            assert!(done.as_u64().unwrap() < planned.as_u64().unwrap(), "{part}");
        }
        let driven = doomed.call(DRIVE).exits(0).json();
        assert_eq!(
            driven["digest"],
            quiet_digest(here.path(), samples),
            "{samples}"
        );
        assert_eq!(driven["samples"]["done"], json!(samples));
    }
    doomed
        .call("extend --run demo --samples 100")
        .is_refused(&["has 2777 already"]);
    doomed
        .call("extend --run demo --samples 2800 --shards 99")
        .is_refused(&["99 shards for 2 new blocks"]);
}

#[test]
fn a_shard_whose_partial_is_damaged_is_run_again() {
    let here = fresh();
    let quiet = quiet_digest(here.path(), 3200);
    let doomed = doomed(here.path());
    let _ = doomed.call(PLAN).exits(0);
    let _ = doomed.call(DRIVE).exits(0);
    let partials = here.path().join("croupier-runs/demo/partials");
    let damaged = std::fs::read_dir(partials)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("00005-")
        })
        .unwrap();
    std::fs::write(&damaged, "not what its name says").unwrap();
    let reduced = doomed.call("reduce --run demo --json").exits(3).json();
    assert_eq!(reduced["shards"]["missing"], json!([5]));
    let driven = doomed.call(DRIVE).exits(0);
    assert!(
        driven.stderr.contains("damaged and run again: shard 5"),
        "{driven}"
    );
    assert_eq!(driven.json()["digest"], quiet);
}
