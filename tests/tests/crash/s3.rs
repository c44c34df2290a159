//! Deaths in S3: of a real program, by a server that knows when.

use std::sync::atomic::{AtomicUsize, Ordering};
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

/// A request by its name, and how many of this name came before it.
type Point = (String, usize);

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

    /// The requests of a call: name, and how many of this name came before.
    fn requests(&self, call: &str) -> Vec<Point> {
        let before = self.server.requests().len();
        self.pi.call(call).exits(0);
        let mut points: Vec<Point> = Vec::new();
        for request in self.server.requests_since(before) {
            let name = name_of(&request);
            let nth = points.iter().filter(|point| point.0 == name).count();
            points.push((name, nth));
        }
        points
    }

    /// Calls, and kills at a request. Requests that do not wait for each other come in any order, so it is known by
    /// its name.
    fn die(&self, call: &str, (name, nth): &Point, death: Death) {
        let process = Arc::new(OnceLock::<Process>::new());
        let reached = Arc::new(OnceLock::new());
        let seen = AtomicUsize::new(0);
        let (told, reach) = (Arc::clone(&process), Arc::clone(&reached));
        let (target, nth) = (name.clone(), *nth);
        self.server.set_fault(move |request| {
            if name_of(request) != target || seen.fetch_add(1, Ordering::SeqCst) != nth {
                return Fault::None;
            }
            reach.set(request.number).expect("once");
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
        let (told, reach) = (Arc::clone(&process), Arc::clone(&reached));
        self.server.set_hook(move |moment, request| {
            if matches!(death, Death::Unheard)
                && moment == Moment::After
                && reach.get() == Some(&request.number)
            {
                told.wait().kill();
            }
        });
        let running = self.pi.start(call);
        process.set(running.process()).expect("once");
        let died = running.wait();
        self.server.clear_fault();
        self.server.set_hook(|_, _| {});
        assert!(reached.get().is_some(), "{name} {nth} did not come: {died}");
        assert!(died.was_killed(), "{name} {nth}, {death:?}: {died}");
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
                points.iter().any(|(name, _)| name == kind),
                "{kind} is not in {points:#?}"
            );
        }
    }

    let mut deaths = 0;
    for death in DEATHS_OF_A_REQUEST {
        for (at, point) in planning.iter().enumerate() {
            let name = format!("planning-{at}-{death:?}");
            bench.die(&bench.shard(&name, 0), point, death);
            deaths += 1;
            if let Some(later) = working.get(at) {
                bench.pi.call(&bench.shard(&name, 0)).exits(0);
                bench.die(&bench.shard(&name, 1), later, death);
                deaths += 1;
            }
            let report = bench.finish(&name).json();
            is_as_if_nothing_had_happened(&report, &expected, &format!("{point:?} {death:?}"));
        }
        for point in &reducing {
            // Its life is shorter if there is a result already.
            for key in bench.server.keys() {
                if key.starts_with("runs/whole/results/") {
                    bench.server.remove(&key);
                }
            }
            bench.die(&bench.reduce("whole"), point, death);
            deaths += 1;
            let report = bench.pi.call(&bench.reduce("whole")).exits(0).json();
            is_as_if_nothing_had_happened(&report, &expected, &format!("{point:?} {death:?}"));
        }
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
