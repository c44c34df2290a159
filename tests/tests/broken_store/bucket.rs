//! A bucket that is deleted, and one that is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use croupier_tests::program::{Program, Running};
use croupier_tests::s3::{BUCKET, Fault, Operation, S3Server};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{PLAN, SHARD, SLOW, ends, is_gone_on_with, is_kept, quiet_digest, wait_until};

struct Bench {
    server: S3Server,
    doomed: Program,
    quiet: Value,
    _directory: TempDir,
}

impl Bench {
    /// A run whose other shards are done.
    fn new() -> Self {
        let server = S3Server::start();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let doomed = Program::new(env!("CARGO_BIN_EXE_doomed"), directory.path()).with_s3(&server);
        let bench = Self {
            quiet: quiet_digest(&doomed),
            server,
            doomed,
            _directory: directory,
        };
        bench.do_the_others();
        bench
    }

    /// A call that plans, too, if the run is not there.
    fn call(&self) -> String {
        self.shard(SHARD)
    }

    fn shard(&self, shard: &str) -> String {
        format!(
            "shard {PLAN} --name demo --store {} {shard}",
            self.server.uri("runs")
        )
    }

    fn run(&self) -> String {
        format!("{}/demo", self.server.uri("runs"))
    }

    fn do_the_others(&self) {
        for shard in [0, 2, 3] {
            let _ = self
                .doomed
                .call(&self.shard(&format!("--shard {shard}")))
                .exits(0);
        }
    }

    /// A worker that has published a part.
    fn in_mid_run(&self) -> Running {
        let running = self.doomed.clone().with("SLOW", SLOW).start(&self.call());
        wait_until("a checkpoint", || {
            let keys = self.server.keys();
            keys.iter().any(|key| key.contains("/partials/00001-"))
        });
        running
    }
}

#[test]
fn a_bucket_that_is_deleted_in_mid_run() {
    let bench = Bench::new();
    let running = bench.in_mid_run();
    bench.server.delete_bucket(BUCKET);
    let words = ["there is no bucket croupier-test", "create it"];
    ends(running.wait(), 2, &words);
    // What was in it is gone too, and nothing makes it again but who owns it.
    ends(bench.doomed.call(&bench.call()), 2, &words);
    bench.server.create_bucket(BUCKET);
    let unplanned = bench
        .doomed
        .call(&format!("shard --run {} {SHARD}", bench.run()));
    ends(unplanned, 2, &["there is no run \"demo\""]);
    let worked = bench.doomed.call(&bench.call()).exits(0).json();
    assert_eq!(worked["blocks_before"], json!(0));
    bench.do_the_others();
    let reduce = format!("reduce --run {} --json", bench.run());
    let reduced = bench.doomed.call(&reduce).exits(0).json();
    assert_eq!(reduced["digest"], bench.quiet);
    assert_eq!(reduced["samples"]["done"], json!(3200));
}

#[test]
fn a_bucket_that_is_closed_in_mid_run() {
    let bench = Bench::new();
    let running = bench.in_mid_run();
    bench
        .server
        .set_fault(|_| Fault::Status(403, "AccessDenied"));
    let words = ["is not allowed", "AccessDenied", "policy"];
    ends(running.wait(), 2, &words);
    ends(bench.doomed.call(&bench.call()), 2, &words);
    bench.server.clear_fault();
    let kept = is_kept(&bench.doomed, &bench.run());
    is_gone_on_with(
        &bench.doomed,
        &bench.run(),
        &bench.call(),
        kept,
        &bench.quiet,
    );
}

/// A checkpoint that failed after a second once put off the next one by a hundred seconds, and a death then cost all
/// that was done.
#[test]
fn a_checkpoint_that_failed_does_not_put_off_the_next() {
    // As many as there is time for in one checkpoint.
    const HANGING: usize = 3;
    let bench = Bench::new();
    let puts = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&puts);
    bench.server.set_fault(move |request| {
        let is_partial = request.operation == Operation::Put && request.key.contains("/partials/");
        match is_partial && seen.fetch_add(1, Ordering::SeqCst) < HANGING {
            true => Fault::Hang,
            false => Fault::None,
        }
    });
    // The shard's samples are 800 to 1599: it dies after four seconds.
    let doomed = bench.doomed.clone().with("SLOW", "5000");
    let died = doomed
        .with("DIE_AT", "1590")
        .call(&format!("{} --store-timeout 1s", bench.call()));
    assert_eq!(died.code(), Some(137), "{died}");
    bench.server.clear_fault();
    assert!(puts.load(Ordering::SeqCst) > HANGING, "{puts:?} puts");
    let kept = is_kept(&bench.doomed, &bench.run());
    is_gone_on_with(
        &bench.doomed,
        &bench.run(),
        &bench.call(),
        kept,
        &bench.quiet,
    );
}
