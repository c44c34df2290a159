//! Each verb once, and what it must not do.

use std::fs;

use croupier::Results;
use croupier::prelude::*;
use croupier_tests::program::Program;

use super::{fresh, option, pi};

const PLAN: &str = "--samples 20000 --block 1024 --seed 7 --name demo";

#[test]
fn run_needs_no_verb_and_prints_only_the_result() {
    let here = fresh();
    let said = pi(&here).call(&format!("{PLAN} --threads 2")).exits(0);
    assert!(said.stdout.starts_with("pi "), "{said}");
    for part in [
        "+-",
        "20_000 samples in ",
        " a second",
        "seed    7",
        "digest ",
    ] {
        assert!(said.stdout.contains(part), "{part}: {said}");
    }
    let there = fs::canonicalize(here.path().join("croupier-runs/demo/results")).unwrap();
    let result = said
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("result  "));
    let result = result.unwrap_or_else(|| panic!("no result: {said}"));
    assert!(
        result.starts_with(there.to_str().unwrap()),
        "{result}, {there:?}"
    );
    for name in ["result.json", "result.arrow", "tally.arrow", "sources.json"] {
        assert!(fs::exists(format!("{result}/{name}")).unwrap(), "{name}");
    }
    let again = pi(&here)
        .call(&format!("run {PLAN} --threads 2 --json"))
        .exits(0);
    assert!(
        again.stderr.contains("is there already: going on with it"),
        "{again}"
    );
    assert!(
        said.stdout
            .contains(again.json()["digest"].as_str().unwrap())
    );
}

#[test]
fn a_run_by_hand_over_an_array() {
    let here = fresh();
    let whole = pi(&here)
        .call("--samples 20000 --block 1024 --seed 7 --name whole --json")
        .exits(0);
    let planned = pi(&here)
        .call(&format!("plan {PLAN} --shards 4 --json"))
        .exits(0)
        .json();
    assert_eq!(planned["is_new"], true);
    assert_eq!(planned["shards"], 4);
    assert_eq!(planned["blocks"], 20);
    let again = pi(&here).call(&format!("plan {PLAN} --shards 4")).exits(0);
    assert!(again.stdout.contains("there already"), "{again}");

    let run = planned["run"].as_str().unwrap();
    let shard = |shard: &str| {
        let array = pi(&here).with("AWS_BATCH_JOB_ARRAY_INDEX", shard);
        array
            .call(&format!("shard --run {run} --json"))
            .exits(0)
            .json()
    };
    assert_eq!(shard("2")["blocks_before"], 0);
    let twice = shard("2");
    assert_eq!(
        (&twice["blocks"], &twice["blocks_before"]),
        (&5.into(), &5.into())
    );
    assert_eq!(twice["chosen_by"], "AWS_BATCH_JOB_ARRAY_INDEX=2");
    shard("0");

    let status = pi(&here).call("status --run demo --json").exits(0).json();
    assert_eq!(status["shards"]["done"], 2);
    assert_eq!(status["missing"], serde_json::json!([1, 3]));
    let status = pi(&here).call("status").exits(0);
    assert!(
        status.stdout.ends_with("\nmissing shards 1, 3\n"),
        "{status}"
    );

    let refused = pi(&here).call("reduce --run demo").exits(3);
    assert!(refused.stdout.contains("NOT ACCEPTED"), "{refused}");
    let tolerated = pi(&here)
        .call("reduce --run demo --policy tolerate=2 --json")
        .exits(0)
        .json();
    assert_eq!(tolerated["samples"]["done"], 10 * 1024);

    shard("3");
    shard("1");
    let reduced = pi(&here).call("reduce --json").exits(0).json();
    assert_eq!(reduced["digest"], whole.json()["digest"]);
    assert_eq!(
        reduced["samples"],
        serde_json::json!({"planned": 20000, "done": 20000, "failed": 0})
    );
}

/// Without `--run`, a shard plans; all shards that say the same work on one run.
#[test]
fn shards_plan_for_themselves() {
    let here = fresh();
    let whole = pi(&here)
        .call("--samples 20000 --block 1024 --seed 7 --name whole --json")
        .exits(0);
    for shard in [3, 0, 2, 1, 2] {
        pi(&here)
            .call(&format!("shard {PLAN} --shards 4 --shard {shard}"))
            .exits(0);
    }
    let reduced = pi(&here)
        .call("reduce --run croupier-runs/demo --json")
        .exits(0)
        .json();
    assert_eq!(reduced["digest"], whole.json()["digest"]);

    let unnamed =
        pi(&here).call("shard --samples 20000 --block 1024 --seed 7 --shards 4 --shard 0");
    unnamed.is_refused(&["--run", "--name"]);
    let unseeded = pi(&here).call("shard --samples 20000 --name x --shards 4 --shard 0");
    unseeded.is_refused(&["--seed"]);
    let both = pi(&here).call("shard --run demo --samples 5 --shard 0");
    both.is_refused(&["--samples", "the run's"]);
}

#[test]
fn ls_names_what_can_be_pasted() {
    let here = fresh();
    assert_eq!(
        pi(&here).call("ls --json").exits(0).json(),
        serde_json::json!([])
    );
    pi(&here).call(&format!("plan {PLAN}")).exits(0);
    option(&here)
        .call("plan --samples 1e6 --seed 7 --name option --shards 2")
        .exits(0);
    let runs = pi(&here).call("ls --json").exits(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 2, "{runs}");
    assert_eq!(runs[0]["kernel"], "pi");
    assert_eq!(runs[1]["kernel"], "european-option");
    assert_eq!(runs[1]["samples"], 1_000_000);
    pi(&here)
        .call(&format!(
            "status --run {}",
            runs[0]["run"].as_str().unwrap()
        ))
        .exits(0);
    let text = pi(&here).call("ls").exits(0);
    assert_eq!(text.stdout.lines().count(), 2, "{text}");
}

#[test]
fn rm_wants_to_be_sure() {
    let here = fresh();
    pi(&here).call(PLAN).exits(0);
    pi(&here)
        .call("--samples 20000 --block 1024 --seed 7 --name other")
        .exits(0);
    let asked = pi(&here).call("rm --run demo").exits(0);
    assert!(asked.stdout.contains("--yes"), "{asked}");
    pi(&here).call("status --run demo").exits(0);
    pi(&here).call("rm --run demo --yes").exits(0);
    pi(&here)
        .call("status --run demo")
        .is_refused(&["no run", "demo"]);
    pi(&here).call("reduce --run other").exits(0);
    assert_eq!(
        pi(&here).call("rm --yes").code(),
        Some(2),
        "what to remove is never guessed"
    );
    // What an interrupted removal leaves can be removed.
    let other = here.path().join("croupier-runs/other");
    fs::remove_dir_all(other.join("segments")).unwrap();
    let asked = pi(&here).call("rm --run other --json").exits(0).json();
    assert_eq!(
        asked["run"],
        other.canonicalize().unwrap().to_str().unwrap()
    );
    pi(&here)
        .call("rm --run croupier-runs/other/ --yes")
        .exits(0);
    pi(&here)
        .call("rm --run other --yes")
        .is_refused(&["no run", "other"]);
    assert!(!other.exists());
}

#[test]
fn verify_says_what_it_could_not_compare() {
    let here = fresh();
    pi(&here).call(&format!("{PLAN} --shards 4")).exits(0);
    let whole = pi(&here).call("verify --deep").exits(0);
    assert_eq!(whole.stdout.lines().count(), 1, "{whole}");
    let partials = here.path().join("croupier-runs/demo/partials");
    let mut files: Vec<_> = fs::read_dir(&partials)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    fs::remove_file(&files[0]).unwrap();
    fs::write(&files[1], "?").unwrap();
    let said = pi(&here).call("verify").exits(0);
    for part in [
        "of 2 shards, run again",
        "2 of 4 shards, of which blocks are missing",
        "1 damaged partials",
    ] {
        assert!(said.stdout.contains(part), "{said}");
    }
    let report = pi(&here).call("verify --json").exits(0).json();
    assert_eq!(
        (&report["missing"], &report["invalid"]),
        (&2.into(), &1.into())
    );
    for file in &files[2..] {
        fs::write(file, "?").unwrap();
    }
    pi(&here)
        .call("verify")
        .is_refused(&["nothing could be verified", "damaged (3 of them)"]);
    for file in &files[1..] {
        fs::remove_file(file).unwrap();
    }
    pi(&here)
        .call("verify")
        .is_refused(&["nothing could be verified", "no partials yet"]);
}

#[test]
fn verify_and_replay_give_the_same_bits() {
    let here = fresh();
    let slab = Program::example("neutron_slab", here.path());
    let whole = slab
        .call("--samples 4000 --block 512 --seed 7 --shards 3 --name demo --threads 2 --json")
        .exits(0)
        .json();
    let witnesses = slab.call("verify --json").exits(0).json();
    assert_eq!(witnesses["shards"], 3);
    assert!(witnesses["blocks"].as_u64().unwrap() >= 3, "{witnesses}");
    let deep = slab.call("verify --deep --run demo --json").exits(0).json();
    assert_eq!(deep["blocks"], 8, "{deep}");

    let block = slab.call("replay --block 7 --json").exits(0).json();
    assert_eq!(block["estimates"][0]["samples"], 4000 - 7 * 512);
    let sample = slab.call("replay --sample 3999 --json").exits(0).json();
    assert_eq!(
        (&sample["block"], &sample["sample"]),
        (&7.into(), &3999.into())
    );
    let names = |report: &serde_json::Value| -> Vec<String> {
        let estimates = report["estimates"].as_array().unwrap();
        estimates.iter().map(|e| e["name"].to_string()).collect()
    };
    assert_eq!(names(&sample), names(&whole));
    // The one sample has one fate.
    let fates: f64 = (0..3)
        .map(|i| sample["estimates"][i]["value"].as_f64().unwrap())
        .sum();
    assert_eq!(fates, 1.0, "{sample}");
    slab.call("replay --sample 4000").is_refused(&["0 to 3999"]);
    slab.call("replay --block 8").is_refused(&["0 to 7"]);
}

/// The same fields as the example's tally.
#[derive(Clone, Tally, Serialize, Deserialize)]
struct Fates {
    transmitted: Proportion,
    reflected: Proportion,
    absorbed: Proportion,
    collisions: Mean,
    most_collisions: Extremes,
}

/// The most collisions of any neutron come with its number: alone, it collides as often.
#[test]
fn a_sample_that_the_result_names_can_be_replayed_alone() {
    let here = fresh();
    let slab = Program::example("neutron_slab", here.path());
    slab.call("--samples 4000 --block 512 --seed 7 --absorption 0.01 --name demo")
        .exits(0);
    let uri = here.path().join("croupier-runs/demo");
    let results = Results::<Fates>::open(&format!("{}/", uri.display())).unwrap();
    let most = results.tally.most_collisions.max().unwrap();
    let alone = slab.call(&format!("replay --sample {} --json", most.sample));
    let alone = alone.exits(0).json();
    let estimates = alone["estimates"].as_array().unwrap();
    let collisions = estimates
        .iter()
        .find(|estimate| estimate["name"] == "collisions");
    assert_eq!(collisions.unwrap()["value"], most.value, "{alone}");
    assert!(most.value > 10.0, "{alone}");
}

#[test]
fn help_names_every_verb_and_parameter() {
    let here = fresh();
    let help = pi(&here).call("--help").exits(0);
    for verb in [
        "run", "plan", "shard", "reduce", "status", "ls", "rm", "verify", "replay",
    ] {
        assert!(
            help.stdout.contains(&format!("\n  {verb} ")),
            "{verb}: {help}"
        );
        let of_verb = pi(&here).call(&format!("{verb} --help")).exits(0);
        assert!(of_verb.stdout.contains("--json"), "{of_verb}");
    }
    let help = option(&here).call("run --help").exits(0);
    for flag in [
        "--spot",
        "--maturity",
        "CROUPIER_SPOT",
        "--samples",
        "--alone",
    ] {
        assert!(help.stdout.contains(flag), "{flag}: {help}");
    }
    let version = pi(&here).call("--version").exits(0);
    assert!(version.stdout.contains("croupier "), "{version}");
    assert_eq!(pi(&here).call("frobnicate").code(), Some(2));
    assert!(
        fs::read_dir(here.path()).unwrap().next().is_none(),
        "help left something behind"
    );
}

#[test]
fn a_run_keeps_the_policy_that_it_was_planned_with_and_says_so() {
    let here = fresh();
    let pi = pi(&here);
    let plan = "plan --samples 1e6 --seed 7 --name demo --policy";
    let first = pi.call(&format!("{plan} tolerate=1%")).exits(0);
    assert!(!first.stderr.contains("policy"), "{first}");
    let again = pi.call(&format!("{plan} complete")).exits(0);
    assert!(
        again.stderr.contains("policy tolerate=1%, and keeps it"),
        "{again}"
    );
}
