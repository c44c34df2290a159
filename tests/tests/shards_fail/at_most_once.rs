//! Work that must not run twice.

use super::{PLAN, doomed, fresh};

#[test]
fn a_shard_is_started_once_whatever_became_of_it() {
    let here = fresh();
    let doomed_once = doomed(here.path()).with("DIE_AT", "5");
    let doomed = doomed(here.path());
    let _ = doomed.call(&format!("{PLAN} --at-most-once")).exits(0);
    // One that did its work, one that was killed in it.
    let _ = doomed.call("shard --run demo --shard 1").exits(0);
    assert_eq!(
        doomed_once.call("shard --run demo --shard 0").code(),
        Some(137)
    );
    for shard in [0, 1] {
        let again = doomed
            .call(&format!("shard --run demo --shard {shard}"))
            .exits(1);
        again.says(&["started before", "--at-most-once"]);
    }
    doomed
        .call("retry --run demo")
        .is_refused(&["--at-most-once"]);
    // The driver starts what was never started, and nothing else.
    let driven = doomed
        .call("drive --run demo --every 100ms --json")
        .exits(3);
    assert_eq!(driven.json()["shards"]["missing"], serde_json::json!([0]));
}

#[test]
fn of_ten_workers_at_once_one_has_the_shard() {
    let here = fresh();
    let doomed = doomed(here.path());
    let _ = doomed.call(&format!("{PLAN} --at-most-once")).exits(0);
    let workers: Vec<_> = (0..10)
        .map(|_| doomed.start("shard --run demo --shard 4"))
        .collect();
    let mut codes: Vec<_> = workers
        .into_iter()
        .map(|worker| worker.wait().code())
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, [&[Some(0)][..], &[Some(1); 9]].concat());
}
