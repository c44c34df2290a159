//! Which shard a process is: every scheduler's variable, and whatever might be mistaken for one.

use croupier_tests::program::{Ended, Program};
use tempfile::TempDir;

use super::{fresh, pi};

const SHARD: &str = "shard --samples 20000 --block 1024 --seed 7 --shards 8 --name demo --json";

fn with(directory: &TempDir, variables: &[(&str, &str)]) -> Program {
    variables
        .iter()
        .fold(pi(directory), |pi, (name, value)| pi.with(name, *value))
}

fn call(directory: &TempDir, variables: &[(&str, &str)], flags: &str) -> Ended {
    with(directory, variables).call(&format!("{SHARD} {flags}"))
}

#[test]
fn every_scheduler_counts_in_its_own_way() {
    let here = fresh();
    for (variable, value, shard) in [
        ("CROUPIER_INDEX", "3", 3),
        ("AWS_BATCH_JOB_ARRAY_INDEX", "0", 0),
        (
            "AWS_BATCH_JOB_ARRAY_INDEX",
            "0b7a3c52-7c4e-4b0f-9d52-6f1f3c1c9d11:3",
            3,
        ),
        ("SLURM_ARRAY_TASK_ID", "3", 3),
        ("PBS_ARRAY_INDEX", "3", 3),
        ("PBS_ARRAYID", "3", 3),
        ("SGE_TASK_ID", "1", 0),
        ("SGE_TASK_ID", "8", 7),
        ("LSB_JOBINDEX", "1", 0),
        ("CI_NODE_INDEX", "8", 7),
        ("JOB_COMPLETION_INDEX", "5", 5),
        ("BATCH_TASK_INDEX", "5", 5),
        ("CLOUD_RUN_TASK_INDEX", "5", 5),
        ("NOMAD_ALLOC_INDEX", "5", 5),
    ] {
        let report = call(&here, &[(variable, value)], "").exits(0).json();
        assert_eq!(report["shard"], shard, "{variable}={value}");
        let chosen_by = report["chosen_by"].as_str().unwrap();
        assert!(chosen_by.contains(variable), "{chosen_by}");
    }
}

#[test]
fn flags_go_before_our_variable_before_the_schedulers() {
    let here = fresh();
    let all = [("CROUPIER_INDEX", "2"), ("SLURM_ARRAY_TASK_ID", "3")];
    for (flags, shard) in [("--shard 0 --index 1", 0), ("--index 1", 1), ("", 2)] {
        assert_eq!(call(&here, &all, flags).exits(0).json()["shard"], shard);
    }
    let slurm = call(&here, &all[1..], "--index-from slurm").exits(0);
    assert_eq!(slurm.json()["shard"], 3);
}

#[test]
fn no_index_is_never_zero() {
    let here = fresh();
    call(&here, &[], "").is_refused(&[
        "no index",
        "--index",
        "--shard",
        "CROUPIER_INDEX",
        "AWS_BATCH_JOB_ARRAY_INDEX",
        "SLURM_ARRAY_TASK_ID",
        "SGE_TASK_ID",
    ]);
    call(&here, &[("SGE_TASK_ID", "undefined")], "")
        .is_refused(&["SGE_TASK_ID=undefined", "no array"]);
    call(&here, &[("LSB_JOBINDEX", "0")], "").is_refused(&["LSB_JOBINDEX=0", "no array"]);
    assert!(
        !here.path().join("croupier-runs").exists(),
        "something was planned"
    );
}

#[test]
fn what_is_no_index_is_refused_by_name() {
    let here = fresh();
    for value in [
        "",
        "-1",
        "+1",
        "1.0",
        " 1",
        "0x1",
        "undefined",
        "99999999999999999999",
        "x:3",
        "1e0",
    ] {
        for variable in [
            "CROUPIER_INDEX",
            "AWS_BATCH_JOB_ARRAY_INDEX",
            "SLURM_ARRAY_TASK_ID",
        ] {
            call(&here, &[(variable, value)], "").is_refused(&[variable]);
        }
        if !value.contains(' ') && !value.is_empty() {
            let flag = pi(&here).call(&format!("{SHARD} --index={value}"));
            flag.is_refused(&["--index"]);
        }
    }
    call(&here, &[("SGE_TASK_ID", "0")], "").is_refused(&["SGE_TASK_ID", "from 1"]);
    call(&here, &[("CI_NODE_INDEX", "0")], "").is_refused(&["CI_NODE_INDEX", "from 1"]);
    for value in ["8", "4294967295", "4294967296"] {
        call(&here, &[("CROUPIER_INDEX", value)], "").is_refused(&[value]);
    }
    let beyond = [
        ("AWS_BATCH_JOB_ARRAY_INDEX", "8"),
        ("AWS_BATCH_JOB_ARRAY_SIZE", "8"),
    ];
    call(&here, &beyond, "")
        .is_refused(&["AWS_BATCH_JOB_ARRAY_INDEX=8", "AWS_BATCH_JOB_ARRAY_SIZE=8"]);
}

#[test]
fn several_schedulers_are_not_guessed_between() {
    let here = fresh();
    let both = [("SLURM_ARRAY_TASK_ID", "1"), ("JOB_COMPLETION_INDEX", "4")];
    call(&here, &both, "").is_refused(&[
        "SLURM_ARRAY_TASK_ID=1",
        "JOB_COMPLETION_INDEX=4",
        "--index-from",
    ]);
    let chosen = call(&here, &both, "--index-from kubernetes")
        .exits(0)
        .json();
    assert_eq!(chosen["shard"], 4);
    call(&here, &both, "--index-from sge").is_refused(&["SGE_TASK_ID"]);
    call(&here, &both, "--index-from loadleveler").is_refused(&["loadleveler", "slurm"]);
}

/// Each of an array's children would do all of it.
#[test]
fn run_in_an_array_prints_the_shard_line_and_it_works_when_pasted() {
    let here = fresh();
    let child = with(
        &here,
        &[
            ("AWS_BATCH_JOB_ARRAY_INDEX", "2"),
            ("AWS_BATCH_JOB_ARRAY_SIZE", "4"),
        ],
    );
    let flags = "--samples 20000 --block 1024 --seed 7";
    for verb in ["run ", ""] {
        let refused = child.call(&format!("{verb}{flags}")).exits(2);
        refused.says(&["AWS_BATCH_JOB_ARRAY_INDEX=2", "--alone"]);
        let line = refused
            .stderr
            .lines()
            .find(|line| line.contains(" shard "))
            .unwrap();
        let line = line
            .replace("<size of the array>", "4")
            .replace("<name>", "demo");
        let (program, arguments) = line.trim().split_once(' ').unwrap();
        assert_eq!(program, child.file().to_str().unwrap());
        let report = child.call(&format!("{arguments} --json")).exits(0).json();
        assert_eq!(report["shard"], 2);
    }
    let alone = child
        .call(&format!("run {flags} --alone --json"))
        .exits(0)
        .json();
    assert_eq!(alone["samples"]["done"], 20000);
    // What reads is no work, and may be done anywhere.
    child.call("status --run demo").exits(0);
    child.call("reduce --run demo --policy tolerate=3").exits(0);
}
