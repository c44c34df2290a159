//! A server that fails: what is bound to pass is outlived, what does not pass is said in time.

use std::time::Duration;

use croupier_tests::program::Program;
use croupier_tests::s3::{Fault, Operation, Request, S3Server};

use super::{expected, is_as_if_nothing_had_happened};

const PLAN: &str = "--samples 30000 --block 1024 --seed 7 --shards 3 --name demo";

struct Bench {
    server: S3Server,
    pi: Program,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let server = S3Server::start();
        let directory = tempfile::tempdir().unwrap();
        let pi = Program::example("pi", directory.path()).with_s3(&server);
        Self {
            server,
            pi,
            _directory: directory,
        }
    }

    fn run(&self) -> String {
        format!("run {PLAN} --store {} --json", self.server.uri("runs"))
    }

    /// Runs with faults, then reduces without: both are as if nothing had happened.
    fn outlives(&self, fault: impl Fn(&Request) -> Fault + Send + Sync + 'static, context: &str) {
        self.server.set_fault(fault);
        let report = self.pi.call(&self.run()).exits(0).json();
        is_as_if_nothing_had_happened(&report, &expected(), context);
        assert_eq!(report["usage"]["attempts"], 3, "{context}: {report}");
        self.server.clear_fault();
        let reduce = format!("reduce --run {}/demo --json", self.server.uri("runs"));
        let report = self.pi.call(&reduce).exits(0).json();
        is_as_if_nothing_had_happened(&report, &expected(), context);
        let probes = self
            .server
            .keys()
            .iter()
            .filter(|key| key.contains("probe"))
            .count();
        assert_eq!(probes, 0, "{context}");
    }
}

/// The first of each request on each object goes wrong.
fn first(fault: Fault) -> impl Fn(&Request) -> Fault + Send + Sync {
    move |request| match request.nth {
        0 => fault.clone(),
        _ => Fault::None,
    }
}

#[test]
fn bursts_of_500_and_503() {
    for fault in [
        Fault::Status(500, "InternalError"),
        Fault::Status(503, "SlowDown"),
    ] {
        Bench::new().outlives(first(fault.clone()), &format!("{fault:?}"));
    }
}

#[test]
fn connections_that_break_before_and_after_the_deed() {
    for fault in [
        Fault::Reset,
        Fault::DoneThenLost,
        Fault::DoneThenStatus(500, "InternalError"),
    ] {
        Bench::new().outlives(first(fault.clone()), &format!("{fault:?}"));
    }
}

#[test]
fn conflicts_of_conditional_puts() {
    Bench::new().outlives(
        |request| match (request.operation, request.nth) {
            (Operation::PutIfAbsent, 0) => Fault::Status(409, "ConditionalRequestConflict"),
            _ => Fault::None,
        },
        "409",
    );
}

#[test]
fn bodies_that_break_off_or_come_slowly() {
    let slow = Fault::Slow {
        pieces: 3,
        pause: Duration::from_millis(20),
    };
    for fault in [Fault::Truncated, slow] {
        let context = format!("{fault:?}");
        Bench::new().outlives(
            move |request| match (request.operation, request.nth) {
                (Operation::Get | Operation::List, 0) => fault.clone(),
                _ => Fault::None,
            },
            &context,
        );
    }
}

/// Exit code 1, for it may pass; the line names the server; and what was done by then is kept.
#[test]
fn a_server_that_never_answers() {
    for (operation, part, done) in [
        (Operation::Get, "manifest.json", false),
        (Operation::PutIfAbsent, "segments/", false),
        (Operation::List, "partials/", false),
        (Operation::Put, "partials/00001-", true),
    ] {
        let bench = Bench::new();
        bench.server.set_fault(move |request| {
            if request.operation == operation && request.key.contains(part) {
                Fault::Hang
            } else {
                Fault::None
            }
        });
        let said = bench
            .pi
            .call(&format!("{} --store-timeout 1s", bench.run()))
            .exits(1);
        said.says(&["error: ", part, "no answer"]);
        bench.server.clear_fault();
        let kept = bench
            .server
            .keys()
            .iter()
            .any(|key| key.contains("/partials/00000-"));
        assert_eq!(kept, done, "{:?}", bench.server.keys());
        let report = bench.pi.call(&bench.run()).exits(0).json();
        is_as_if_nothing_had_happened(&report, &expected(), part);
    }
}

/// A body that begins and never ends.
#[test]
fn a_server_that_stalls() {
    let bench = Bench::new();
    bench.pi.call(&bench.run()).exits(0);
    bench.server.set_fault(|request| match request.operation {
        Operation::Get if request.key.contains("/partials/") => Fault::Stalled,
        _ => Fault::None,
    });
    let reduce = format!(
        "reduce --run {}/demo --store-timeout 1s",
        bench.server.uri("runs")
    );
    bench
        .pi
        .call(&reduce)
        .exits(1)
        .says(&["error: ", "partials/"]);
}

/// Planning notices a server that overlooks conditions, and says what not to do.
#[test]
fn a_server_that_ignores_conditions() {
    let bench = Bench::new();
    bench.server.set_fault(|request| match request.operation {
        Operation::PutIfAbsent => Fault::IgnoreConditional,
        _ => Fault::None,
    });
    let said = bench.pi.call(&bench.run()).exits(0);
    assert!(said.stderr.contains("ignores conditional writes"), "{said}");
    is_as_if_nothing_had_happened(&said.json(), &expected(), "no conditions");
}
