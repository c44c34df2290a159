//! Two real workers on one shard at once.

use std::sync::{Arc, Barrier};

use croupier_tests::program::Program;
use croupier_tests::s3::{Fault, Operation, S3Server};

use super::{PLAN, expected, is_as_if_nothing_had_happened};

#[test]
fn in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let pi = Program::example("pi", directory.path());
    for run in 0..5 {
        let shard =
            |shard| format!("shard {PLAN} --name run-{run} --shard {shard} --threads 1 --json");
        // They also plan at once.
        let both = [0, 0, 1, 1].map(|number| pi.start(&shard(number)));
        let [a, b, _, _] = both.map(|worker| worker.wait().exits(0).json());
        assert_eq!(a["partial"], b["partial"]);
        pi.call(&shard(2)).exits(0);
        let report = pi
            .call(&format!("reduce --run run-{run} --json"))
            .exits(0)
            .json();
        is_as_if_nothing_had_happened(&report, &expected(), "together");
        let partials = directory
            .path()
            .join(format!("croupier-runs/run-{run}/partials"));
        assert_eq!(std::fs::read_dir(partials).unwrap().count(), 3);
    }
}

/// They meet where it matters: both have found nothing, both have run all of it, both publish.
#[test]
fn in_s3_at_the_moment_of_publishing() {
    let server = S3Server::start();
    let directory = tempfile::tempdir().unwrap();
    let pi = Program::example("pi", directory.path()).with_s3(&server);
    let shard = |shard| {
        let store = server.uri("runs");
        format!("shard {PLAN} --store {store} --name demo --shard {shard} --json")
    };
    pi.call(&shard(2)).exits(0);
    let met = Arc::new(Barrier::new(2));
    server.set_fault(move |request| {
        if request.operation == Operation::Put && request.key.contains("/partials/00000-") {
            // The server has other requests to serve meanwhile.
            tokio::task::block_in_place(|| met.wait());
        }
        Fault::None
    });
    let before = server.requests().len();
    let both = [0, 0].map(|number| pi.start(&shard(number)));
    let [a, b] = both.map(|worker| worker.wait().exits(0).json());
    assert_eq!(a["partial"], b["partial"]);
    assert_eq!(
        (&a["blocks_before"], &b["blocks_before"]),
        (&0.into(), &0.into())
    );
    let puts = server.requests_since(before);
    let puts = puts
        .iter()
        .filter(|put| put.operation == Operation::Put && put.key.contains("/partials/"));
    assert_eq!(puts.count(), 2, "one of the two did not publish");
    server.clear_fault();
    pi.call(&shard(1)).exits(0);
    let report = pi
        .call(&format!("reduce --run {}/demo --json", server.uri("runs")))
        .exits(0)
        .json();
    is_as_if_nothing_had_happened(&report, &expected(), "together");
    assert_eq!(report["usage"]["attempts"], 4, "{report}");
}
