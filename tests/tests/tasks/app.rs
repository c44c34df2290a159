//! One program of two kernels and a task.

use super::{fresh, several};

#[test]
fn each_is_called_by_its_name_and_runs_know_whose_they_are() {
    let here = fresh();
    let program = several(here.path());
    program.call("--help").exits(0).shows(&[
        "uniform",
        "Draws from an interval",
        "coin",
        "visit",
        "status",
    ]);
    program
        .call("coin --help")
        .exits(0)
        .shows(&["several coin", "Throws a coin", "run"]);
    program
        .call("coin run --samples 100 --seed 1 --name c")
        .exits(0);
    program
        .call("uniform --low 1 --samples 100 --seed 1 --name u")
        .exits(0);
    program.call("visit --book book --name v").exits(0);
    for (run, kernel) in [("c", "coin"), ("u", "uniform"), ("v", "visit")] {
        let reduced = program
            .call(&format!("reduce --run {run} --json"))
            .exits(0)
            .json();
        assert_eq!(reduced["kernel"], kernel);
        program
            .call(&format!("{kernel} reduce --run {run}"))
            .exits(0);
        program
            .call(&format!("shard --run {run} --shard 0"))
            .exits(0);
        program.call(&format!("wait --run {run}")).exits(0);
        program.call(&format!("status --run {run}")).exits(0);
    }
    // Another's run is refused.
    program
        .call("coin reduce --run u")
        .exits(5)
        .tells(&["uniform", "coin"]);
    // Which of them is no guess.
    program
        .call("--samples 100")
        .exits(2)
        .tells(&["several coin"]);
    program
        .call("shard --index 0 --name x --shards 1 --seed 1 --samples 9")
        .exits(2)
        .tells(&["coin"]);
    program.call("coins run").exits(2);
}

#[test]
fn a_task_has_no_samples() {
    let here = fresh();
    let program = several(here.path());
    let help = program.call("visit run --help").exits(0);
    assert!(!help.stdout.contains("--samples"), "{}", help.stdout);
    program
        .call("visit --book book --samples 5")
        .exits(2)
        .tells(&["--samples", "task"]);
    program.call("visit --book book --name v").exits(0);
    program.call("verify --run v").exits(2).tells(&["task"]);
    program
        .call("replay --run v --block 0")
        .exits(2)
        .tells(&["task"]);
    program.call("extend --run v --samples 9").exits(2);
}
