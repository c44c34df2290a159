//! How many threads: the choice and its source are printed and recorded.

use std::fs;

use serde_json::Value;

use super::{fresh, pi};

const RUN: &str = "run --samples 5000 --block 1024 --seed 7 --name";

#[test]
fn the_choice_and_its_source_are_printed_and_recorded() {
    let here = fresh();
    let both = pi(&here)
        .with("RAYON_NUM_THREADS", "2")
        .with("SLURM_CPUS_PER_TASK", "5");
    let slurm = pi(&here).with("SLURM_CPUS_PER_TASK", "5");
    let own = both.clone().with("CROUPIER_THREADS", "4");
    for (name, program, flags, threads, source) in [
        ("a", &both, "--threads 3", 3, "--threads=3"),
        ("e", &own, "", 4, "CROUPIER_THREADS=4"),
        ("f", &own, "--threads 3", 3, "--threads=3"),
        ("b", &both, "", 2, "RAYON_NUM_THREADS=2"),
        ("c", &slurm, "", 5, "SLURM_CPUS_PER_TASK=5"),
    ] {
        let said = program.call(&format!("{RUN} {name} {flags}")).exits(0);
        assert!(
            said.stderr
                .contains(&format!("{threads} threads: {source}")),
            "{said}"
        );
        let attempts = here
            .path()
            .join(format!("croupier-runs/{name}/attempts/00000"));
        let attempt = fs::read_dir(attempts).unwrap().next().unwrap().unwrap();
        let attempt: Value = serde_json::from_slice(&fs::read(attempt.path()).unwrap()).unwrap();
        assert_eq!(attempt["threads"], threads);
        assert_eq!(attempt["threads_source"], source);
        assert_eq!(attempt["state"], "done");
    }
    let said = pi(&here).call(&format!("{RUN} d")).exits(0);
    assert!(
        said.stderr.contains("threads: ") && said.stderr.contains("CPU"),
        "{said}"
    );
}

#[test]
fn nonsense_is_refused_and_not_passed_over() {
    let here = fresh();
    for value in ["0", "", "-1", "all", "65536"] {
        for variable in ["RAYON_NUM_THREADS", "SLURM_CPUS_PER_TASK"] {
            let program = pi(&here).with(variable, value);
            program
                .call(&format!("{RUN} demo"))
                .is_refused(&[variable, "--threads"]);
        }
    }
    for value in ["0", "65536"] {
        pi(&here)
            .call(&format!("{RUN} demo --threads {value}"))
            .is_refused(&["--threads", "65535"]);
    }
}

#[test]
fn warnings_say_what_to_change() {
    let here = fresh();
    let few = pi(&here)
        .call("run --samples 5000 --seed 7 --threads 2")
        .exits(0);
    assert!(
        few.stderr.contains("warning: ") && few.stderr.contains("--block"),
        "{few}"
    );
    let quick = pi(&here)
        .call("run --samples 200000 --block 64 --seed 7 --threads 1 --json")
        .exits(0);
    assert!(
        quick.json()["warnings"]
            .to_string()
            .contains("larger --block"),
        "{quick}"
    );
}
