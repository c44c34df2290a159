//! Deaths in S3: of a real program, by a server that knows when.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use croupier::ChaCha8Rng;
use croupier::rand::{RngExt, SeedableRng};
use croupier_tests::program::{Ended, Process, Program};
use croupier_tests::s3::{Fault, Moment, Request, S3Server};

use super::{DEATHS, PLAN, expected, is_as_if_nothing_had_happened};

/// When the process dies, seen from one of its requests.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// The request gets lost with it.
    Unsent,
    /// The request is on its way, and is done after its sender's death.
    Sent,
    /// It is done; nobody is there to hear the answer.
    Unheard,
}

const DEATHS_OF_A_REQUEST: [Death; 3] = [Death::Unsent, Death::Sent, Death::Unheard];

/// What a request is, without what differs from one process and run to the next.
fn name_of(request: &Request) -> String {
    let parts: Vec<&str> = request.key.split('/').skip(2).collect();
    let key = match parts.as_slice() {
        ["attempts", ..] => "attempts/".to_owned(),
        ["partials", name] => format!("partials/{}", name.split('-').next().unwrap_or_default()),
        ["results", _, name] => format!("results/{name}"),
        ["builds", ..] => "builds/".to_owned(),
        [name] if name.starts_with("probe") => "probe".to_owned(),
        parts => parts.join("/"),
    };
    format!("{:?} {key}", request.operation)
}

/// The program and its server.
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

    fn shard(&self, name: &str, shard: usize) -> String {
        format!(
            "shard {PLAN} --store {} --name {name} --shard {shard}",
            self.server.uri("runs")
        )
    }

    fn reduce(&self, name: &str) -> String {
        format!("reduce --run {}/{name} --json", self.server.uri("runs"))
    }

    fn finish(&self, name: &str) -> Ended {
        for shard in 0..3 {
            self.pi.call(&self.shard(name, shard)).exits(0);
        }
        self.pi.call(&self.reduce(name)).exits(0)
    }

    /// The requests of a call, by name.
    fn requests(&self, call: &str) -> Vec<String> {
        let before = self.server.requests().len();
        self.pi.call(call).exits(0);
        self.server
            .requests_since(before)
            .iter()
            .map(name_of)
            .collect()
    }

    /// Calls, and kills at request number `at` of the call.
    fn die(&self, call: &str, at: usize, death: Death) {
        let target = self.server.requests().len() + at;
        let process = Arc::new(OnceLock::<Process>::new());
        let told = Arc::clone(&process);
        self.server.set_fault(move |request| {
            if request.number != target {
                return Fault::None;
            }
            match death {
                Death::Unsent => {
                    told.wait().kill();
                    Fault::Reset
                }
                Death::Sent => {
                    told.wait().kill();
                    Fault::None
                }
                Death::Unheard => Fault::None,
            }
        });
        let told = Arc::clone(&process);
        self.server.set_hook(move |moment, request| {
            if request.number == target
                && moment == Moment::After
                && matches!(death, Death::Unheard)
            {
                told.wait().kill();
            }
        });
        let running = self.pi.start(call);
        process.set(running.process()).expect("once");
        let died = running.wait();
        self.server.clear_fault();
        self.server.set_hook(|_, _| {});
        assert!(died.was_killed(), "request {at}, {death:?}: {died}");
        // It had come so far. A worker has at most two requests under way at once, a reducer several.
        let come = self.server.requests().len() - target;
        assert!(
            come == 1 || come == 2 || call.starts_with("reduce") && come > 2,
            "{come}: {died}"
        );
    }
}

#[test]
fn a_hundred_deaths_between_two_calls() {
    let bench = Bench::new();
    let expected = expected();
    let planning = bench.requests(&bench.shard("whole", 0));
    let working = bench.requests(&bench.shard("whole", 1));
    bench.pi.call(&bench.shard("whole", 2)).exits(0);
    let reducing = bench.requests(&bench.reduce("whole"));
    for (points, kinds) in [
        (
            &planning,
            [
                "PutIfAbsent manifest.json",
                "PutIfAbsent segments/0.json",
                "Delete probe",
            ],
        ),
        (
            &working,
            ["List partials/00001", "Put attempts/", "Put partials/00001"],
        ),
        (
            &reducing,
            [
                "List partials/",
                "Get partials/00000",
                "Put results/result.json",
            ],
        ),
    ] {
        for kind in kinds {
            assert!(
                points.iter().any(|point| point == kind),
                "{kind} is not in {points:#?}"
            );
        }
    }

    let mut deaths = 0;
    // Some requests are made side by side and come in either order, so the points are a set.
    let mut hit = std::collections::BTreeSet::new();
    for death in DEATHS_OF_A_REQUEST {
        for (at, point) in planning.iter().enumerate() {
            let name = format!("planning-{at}-{death:?}");
            let before = bench.server.requests().len();
            bench.die(&bench.shard(&name, 0), at, death);
            hit.insert(name_of(bench.server.requests_since(before).last().unwrap()));
            deaths += 1;
            if at < working.len() {
                bench.pi.call(&bench.shard(&name, 0)).exits(0);
                bench.die(&bench.shard(&name, 1), at, death);
                hit.insert(name_of(bench.server.requests().last().unwrap()));
                deaths += 1;
            }
            let report = bench.finish(&name).json();
            is_as_if_nothing_had_happened(&report, &expected, &format!("{point} {death:?}"));
        }
        // What a reducer fetches, it fetches at once and in any order: the points are counted, the names are a set.
        for (at, point) in reducing.iter().enumerate() {
            // Its life is shorter if there is a result already.
            for key in bench.server.keys() {
                if key.starts_with("runs/whole/results/") {
                    bench.server.remove(&key);
                }
            }
            bench.die(&bench.reduce("whole"), at, death);
            deaths += 1;
            let report = bench.pi.call(&bench.reduce("whole")).exits(0).json();
            is_as_if_nothing_had_happened(&report, &expected, &format!("{point} {death:?}"));
        }
    }
    for point in planning.iter().chain(&working) {
        assert!(hit.contains(point), "nothing died at {point}: {hit:?}");
    }
    assert!(
        deaths >= DEATHS,
        "{deaths}: {planning:?} {working:?} {reducing:?}"
    );
}

#[test]
fn a_hundred_deaths_at_any_time() {
    let bench = Bench::new();
    let expected = expected();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut killed = 0;
    for run in 0.. {
        let name = format!("run-{run}");
        for death in 0..20 {
            let call = if death % 4 == 3 {
                bench.reduce(&name)
            } else {
                bench.shard(&name, death % 4)
            };
            let worker = bench.pi.start(&call);
            std::thread::sleep(Duration::from_micros(rng.random_range(0..80_000)));
            worker.process().kill();
            killed += usize::from(worker.wait().was_killed());
        }
        let report = bench.finish(&name).json();
        is_as_if_nothing_had_happened(&report, &expected, &name);
        if killed >= DEATHS {
            break;
        }
    }
}
