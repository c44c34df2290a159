//! Runs that are stopped: by a failure, by a person, by a scheduler.

use std::time::{Duration, Instant};

use croupier_tests::program::wait_until;
use croupier_tests::s3::{Fault, S3Server};
use serde_json::json;

use super::{PLAN, doomed, fresh, has_partial, is_there, quiet_digest};

#[test]
fn the_first_failure_ends_all_where_the_policy_is_to_fail_fast() {
    let here = fresh();
    let slow = doomed(here.path()).with("SLOW", "50000");
    let _ = slow.call(&format!("{PLAN} --policy fail-fast")).exits(0);
    let others: Vec<_> = [0, 1]
        .map(|shard| {
            slow.start(&format!(
                "shard --run demo --shard {shard} --checkpoint 100ms"
            ))
        })
        .into();
    wait_until("both have published", || {
        [0, 1].iter().all(|shard| has_partial(here.path(), *shard))
    });
    // Shard 2 is killed, which only its parent can tell of.
    let killed = doomed(here.path())
        .with("DIE_AT", "805")
        .call("shard --run demo --shard 2");
    assert_eq!(killed.code(), Some(137), "{killed}");
    assert!(is_there(here.path(), "stopped.json"), "{killed}");
    for other in others {
        let other = other.wait().exits(1);
        assert!(
            other.stderr.contains("shard 2 failed: killed by signal 9"),
            "{other}"
        );
    }
    // And later ones don't begin.
    let later = slow.call("shard --run demo --shard 7").exits(1);
    assert!(later.stderr.contains("shard 2 failed"), "{later}");
    let refused = slow
        .call("drive --run demo --every 100ms --json")
        .exits(3)
        .json();
    assert_eq!(refused["accepted"], json!(false));
    // What the first two had is kept.
    assert!(refused["blocks"]["done"].as_u64().unwrap() > 0, "{refused}");
    // Who begins again forgives what failed before.
    let _ = slow.call("retry --run demo").exits(0);
    let driven = doomed(here.path())
        .call("drive --run demo --every 100ms --json")
        .exits(0);
    assert_eq!(driven.json()["digest"], quiet_digest(here.path(), 3200));
}

#[test]
fn a_run_is_cancelled_and_gone_on_with() {
    let here = fresh();
    let quiet = quiet_digest(here.path(), 3200);
    let doomed = doomed(here.path());
    let _ = doomed.call(PLAN).exits(0);
    let cancelled = doomed
        .call_with(&["cancel", "--run", "demo", "--reason", "wrong seed"])
        .exits(0);
    assert!(cancelled.stdout.contains("wrong seed"), "{cancelled}");
    let refused = doomed.call("shard --run demo --shard 0").exits(1);
    refused.says(&["wrong seed", "retry"]);
    let retried = doomed.call("retry --run demo --json").exits(0).json();
    assert_eq!(retried["shards"].as_array().unwrap().len(), 8);
    let driven = doomed
        .call("drive --run demo --every 100ms --json")
        .exits(0);
    assert_eq!(driven.json()["digest"], quiet);
}

#[test]
fn a_worker_told_to_end_publishes_what_is_finished_and_drops_what_it_has_in_hand() {
    let here = fresh();
    let quiet = quiet_digest(here.path(), 3200);
    let _ = doomed(here.path()).call(PLAN).exits(0);
    // Sample 600 is in block 37, of shard 1, which has blocks 25 to 49.
    let hanging = doomed(here.path())
        .with("HANG_AT", "600")
        .start("shard --run demo --shard 1 --threads 1");
    wait_until("it hangs", || here.path().join("hanging").exists());
    let told = Instant::now();
    hanging.process().terminate();
    let ended = hanging.wait().exits(75);
    assert!(told.elapsed() < Duration::from_secs(10), "{ended}");
    ended.says(&["stopping", "12 of 25 blocks, which are kept"]);
    let report = doomed(here.path())
        .call("shard --run demo --shard 1 --json")
        .exits(0)
        .json();
    assert_eq!(report["blocks_before"], json!(12));
    for shard in [0, 2, 3, 4, 5, 6, 7] {
        let _ = doomed(here.path())
            .call(&format!("shard --run demo --shard {shard}"))
            .exits(0);
    }
    let whole = doomed(here.path())
        .call("reduce --run demo --json")
        .exits(0);
    assert_eq!(whole.json()["digest"], quiet);
}

/// Workers would go on without their run, and leave what no verb finds.
#[test]
fn a_run_at_work_is_not_removed() {
    let here = fresh();
    let _ = doomed(here.path()).call(PLAN).exits(0);
    let hanging = doomed(here.path())
        .with("HANG_AT", "600")
        .start("shard --run demo --shard 1 --threads 1");
    wait_until("it hangs", || here.path().join("hanging").exists());
    doomed(here.path())
        .call("rm --run demo --yes")
        .is_refused(&["1 of its shards", "cancel --run", "--force"]);
    hanging.process().terminate();
    let _ = hanging.wait().exits(75);
    let _ = doomed(here.path()).call("rm --run demo --yes").exits(0);
    assert!(!is_there(here.path(), "manifest.json"));
}

/// Some schedulers tell every process of a job. The worker hears it from its parent too, and that is one word.
#[test]
fn a_worker_that_is_told_twice_at_once_publishes_all_the_same() {
    let here = fresh();
    let _ = doomed(here.path()).call(PLAN).exits(0);
    let hanging = doomed(here.path())
        .with("HANG_AT", "600")
        .start("shard --run demo --shard 1 --threads 1");
    wait_until("it hangs", || here.path().join("hanging").exists());
    hanging.process().terminate_with_children();
    let ended = hanging.wait().exits(75);
    ended.says(&["12 of 25 blocks, which are kept"]);
}

#[test]
fn a_driver_told_to_end_while_it_repeats_a_damaged_shard_ends_its_worker_and_itself() {
    let here = fresh();
    let quiet = quiet_digest(here.path(), 3200);
    let _ = doomed(here.path()).call(PLAN).exits(0);
    for shard in 0..8 {
        let _ = doomed(here.path())
            .call(&format!("shard --run demo --shard {shard}"))
            .exits(0);
    }
    let partials = std::fs::read_dir(here.path().join("croupier-runs/demo/partials")).unwrap();
    let mut partials = partials.map(|file| file.unwrap().path());
    let of_one = |file: &std::path::PathBuf| file.to_string_lossy().contains("/00001-");
    let damaged = partials.find(of_one).expect("a partial of shard 1");
    let bytes = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
    let drive = "drive --run demo --threads 1 --every 100ms --json";
    let driving = doomed(here.path()).with("HANG_AT", "600").start(drive);
    wait_until("it hangs", || here.path().join("hanging").exists());
    driving.process().terminate();
    let ended = driving.wait().exits(75);
    ended.says(&["damaged and run again: shard 1", "stopping"]);
    let driven = doomed(here.path()).call(drive).exits(0).json();
    assert_eq!(driven["digest"], quiet);
}

#[test]
fn a_driver_told_to_end_while_it_reduces_ends() {
    let here = fresh();
    let server = S3Server::start();
    let doomed = doomed(here.path()).with_s3(&server);
    let run = format!("{}/demo", server.uri("runs"));
    doomed
        .call(&format!("{PLAN} --store {}", server.uri("runs")))
        .exits(0);
    server.set_fault(|request| match request.key.contains("/results/") {
        true => Fault::Hang,
        false => Fault::None,
    });
    let driving = doomed.start(&format!(
        "drive --run {run} --threads 1 --every 100ms --store-timeout 60s"
    ));
    wait_until("it writes the result", || {
        let requests = server.requests();
        requests
            .iter()
            .any(|request| request.key.contains("/results/"))
    });
    driving.process().terminate();
    driving.wait().exits(75).says(&["stopping"]);
}

#[test]
fn a_killed_worker_loses_what_it_did_since_its_last_checkpoint_and_no_more() {
    let here = fresh();
    let quiet = quiet_digest(here.path(), 3200);
    let _ = doomed(here.path())
        .call("plan --samples 3200 --seed 7 --shards 1 --name demo")
        .exits(0);
    let killed = doomed(here.path())
        .with("SLOW", "500")
        .with("DIE_AT", "3000")
        .call("shard --run demo --shard 0 --threads 1 --checkpoint 100ms");
    assert_eq!(killed.code(), Some(137), "{killed}");
    let status = doomed(here.path())
        .call("status --run demo --json")
        .exits(0)
        .json();
    let kept = status["blocks"]["done"].as_u64().unwrap();
    assert!((1..188).contains(&kept), "{status}");
    // It is salvaged where that is allowed.
    let salvaged = doomed(here.path())
        .call("reduce --run demo --policy tolerate=1 --json")
        .exits(0)
        .json();
    assert_eq!(salvaged["blocks"]["done"], json!(kept));
    let warnings = salvaged["warnings"].to_string();
    assert!(
        warnings.contains(&format!("{kept} of its {kept} blocks")),
        "{warnings}"
    );
    let resumed = doomed(here.path())
        .call("shard --run demo --shard 0 --json")
        .exits(0)
        .json();
    assert_eq!(resumed["blocks_before"], json!(kept));
    let whole = doomed(here.path())
        .call("reduce --run demo --json")
        .exits(0)
        .json();
    assert_eq!(whole["digest"], quiet);
    // The checkpoints are superseded now.
    let there = doomed(here.path())
        .call("clean --run demo --json")
        .exits(0)
        .json();
    let superseded = there["partials"].as_array().unwrap().len();
    assert!(superseded > 0, "{there}");
    let cleaned = doomed(here.path())
        .call("clean --run demo --yes --json")
        .exits(0)
        .json();
    assert_eq!(cleaned["partials"].as_array().unwrap().len(), superseded);
    let again = doomed(here.path())
        .call("reduce --run demo --json")
        .exits(0)
        .json();
    assert_eq!(again["digest"], quiet);
    let none = doomed(here.path())
        .call("clean --run demo --json")
        .exits(0)
        .json();
    assert_eq!(none["partials"], json!([]));
}
