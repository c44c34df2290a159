//! What a run will take, before it is planned.

use croupier_tests::s3::{Operation, S3Server};

use super::{fresh, pi};

#[test]
fn a_pilot_proposes_shards_and_plans_nothing() {
    let here = fresh();
    let pilot = |arguments: &str| {
        pi(&here)
            .call(&format!("plan --pilot --seed 1 --json {arguments}"))
            .exits(0)
            .json()
    };
    let one = pilot("--samples 1Gi --threads 1 --shards 8 --price-per-vcpu-hour 3");
    assert_eq!(one["shards"], 8);
    assert_eq!(one["blocks"], 4096);
    let per_block = one["seconds_per_block"].as_f64().expect("a number");
    let hours = one["vcpu_hours"].as_f64().expect("a number");
    assert!((hours * 3600.0 / (per_block * 4096.0) - 1.0).abs() < 1e-9);
    assert_eq!(one["price"].as_f64(), Some(hours * 3.0));
    // However long a block takes on this machine, shards of one block's time are many and of an hour few.
    let many = pilot("--samples 1Gi --threads 1 --shard-time 1ms");
    let few = pilot("--samples 1Mi --threads 1 --shard-time 1h");
    assert!(many["shards"].as_u64() > Some(100), "{many}");
    assert_eq!(few["shards"], 1);
    let left = std::fs::read_dir(here.path()).expect("a directory").count();
    assert_eq!(left, 0, "something was made");
}

#[test]
fn a_launch_that_is_no_launch_says_what_shards_ask_of_s3() {
    let here = fresh();
    let server = S3Server::start();
    let pi = pi(&here).with_s3(&server);
    let plan = "--samples 4Mi --seed 7 --shards 4 --name demo --store s3://croupier-test/runs";
    let forecast = pi
        .call(&format!("launch --dry-run --json {plan}"))
        .exits(0)
        .json();
    assert!(server.keys().is_empty(), "something was made");
    let _ = pi.call(&format!("plan {plan}")).exits(0);
    let work_on = |shard: u32| {
        let _ = pi
            .call(&format!(
                "shard --run s3://croupier-test/runs/demo --shard {shard}"
            ))
            .exits(0);
    };
    // The first of all puts the build that the others look at.
    work_on(0);
    let before = server.requests().len();
    (1..4).for_each(work_on);
    let seen = server.requests_since(before);
    let gets = |operation: Operation| matches!(operation, Operation::Get | Operation::Head);
    let is_get = seen
        .iter()
        .filter(|request| gets(request.operation))
        .count();
    let counted = [seen.len() - is_get, is_get].map(|count| count as u64 / 3 * 4);
    let said = ["puts_and_lists", "gets"].map(|kind| forecast["s3_requests"][kind].as_u64());
    assert_eq!(said, counted.map(Some), "{seen:?}");
}

/// Each case may cost what it likes, and nothing is planned where nothing was asked to be.
#[test]
fn cases_have_no_forecast() {
    let here = fresh();
    std::fs::write(here.path().join("many.jsonl"), "{}\n{}\n").expect("a file");
    for (call, flag) in [
        ("plan --pilot", "--pilot"),
        ("launch --dry-run", "--dry-run"),
    ] {
        pi(&here)
            .call(&format!("{call} --cases many.jsonl --samples 1e6 --seed 1"))
            .is_refused(&[flag, "--cases"]);
        assert!(!here.path().join("croupier-runs").exists(), "{call}");
    }
}
