//! Deaths in a directory.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use croupier::ChaCha8Rng;
use croupier::rand::{RngExt, SeedableRng};
use croupier_tests::program::{Ended, Program};
use serde_json::Value;

use super::{DEATHS, PLAN, expected, is_as_if_nothing_had_happened};

fn dying(directory: &Path) -> Program {
    Program::new(env!("CARGO_BIN_EXE_dying"), directory)
}

/// The points at which a process can end: what it said before and after each call of its store.
fn points(said: &Ended) -> Vec<String> {
    let calls = |line: &&str| line.starts_with("before ") || line.starts_with("after ");
    said.stderr
        .lines()
        .filter(calls)
        .map(str::to_owned)
        .collect()
}

/// Every worker and the reducer die once at each point of their lives, and then again, until there are enough deaths.
#[test]
fn a_hundred_deaths_between_two_calls() {
    let directory = tempfile::tempdir().unwrap();
    let dying = dying(directory.path());
    let finish = |name: &str| -> Value {
        for shard in 0..3 {
            dying.call(&format!("store {name} {shard}")).exits(0);
        }
        dying.call(&format!("store {name} reduce")).exits(0).json()
    };
    // Undisturbed: the points of a worker that plans, of one that comes to a planned run, and of a reducer.
    let planning = points(&dying.call("store whole 0").exits(0));
    let working = points(&dying.call("store whole 1").exits(0));
    dying.call("store whole 2").exits(0);
    let reducing = points(&dying.call("store whole reduce").exits(0));
    let whole = finish("whole");
    for (points, kinds) in [
        (
            &planning,
            [
                "put-if-absent",
                "manifest.json",
                "segments/0.json",
                "delete",
            ],
        ),
        (
            &working,
            [
                "list partials/",
                "put attempts/",
                "put partials/",
                "builds/",
            ],
        ),
        (
            &reducing,
            [
                "list partials/",
                "get partials/",
                "result.json",
                "sources.json",
            ],
        ),
    ] {
        for kind in kinds {
            assert!(
                points.iter().any(|point| point.contains(kind)),
                "{kind} is not in {points:#?}"
            );
        }
    }

    let deaths = Cell::new(0);
    let die = |name: &str, what: &str, point: &str| {
        let call = format!("store {name} {what}");
        let died = dying.clone().with("DIE", point).call(&call);
        assert!(died.was_killed(), "{point}: {died}");
        assert!(
            points(&died).iter().any(|seen| seen == point),
            "{point}: {died}"
        );
        deaths.set(deaths.get() + 1);
    };
    for round in 0.. {
        for (at, point) in planning.iter().enumerate() {
            let name = format!("planning-{round}-{at}");
            die(&name, "0", point);
            // A second one dies over what the first one left, where its life goes on long enough.
            if let Some(later) = working.get(at) {
                dying.call(&format!("store {name} 0")).exits(0);
                die(&name, "1", later);
            }
            is_as_if_nothing_had_happened(&finish(&name), &whole, point);
        }
        for point in &reducing {
            // Its life is shorter if there is a result already.
            std::fs::remove_dir_all(directory.path().join("store/whole/results")).unwrap();
            die("whole", "reduce", point);
            let report = dying.call("store whole reduce").exits(0).json();
            is_as_if_nothing_had_happened(&report, &whole, point);
        }
        if deaths.get() >= DEATHS {
            break;
        }
    }
}

/// The real program, killed at any moment, over and over in one run.
#[test]
fn a_hundred_deaths_at_any_time() {
    let directory = tempfile::tempdir().unwrap();
    let pi = Program::example("pi", directory.path());
    let expected = expected();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut killed = 0;
    for run in 0.. {
        let shard = |shard: usize| format!("shard {PLAN} --name run-{run} --shard {shard}");
        let reduce = format!("reduce --run run-{run} --json");
        for death in 0..20 {
            let call = if death % 4 == 3 {
                reduce.clone()
            } else {
                shard(death % 4)
            };
            let worker = pi.start(&call);
            std::thread::sleep(Duration::from_micros(rng.random_range(0..40_000)));
            worker.process().kill();
            killed += usize::from(worker.wait().was_killed());
        }
        for number in 0..3 {
            pi.call(&shard(number)).exits(0);
        }
        let report = pi.call(&reduce).exits(0).json();
        is_as_if_nothing_had_happened(&report, &expected, &format!("run {run}"));
        // Those who had ended before they were killed do not count.
        if killed >= DEATHS {
            break;
        }
    }
}
