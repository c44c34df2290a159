//! Runs that end when they are precise enough, as a person, an array and a driver run them.

mod until {
    use std::path::Path;

    use croupier_tests::program::{Program, wait_until};
    use serde_json::{Value, json};
    use tempfile::TempDir;

    const DRIVE: &str = "drive --run demo --jobs 2 --threads 1 --every 200ms --json";

    fn fresh() -> TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    /// Exponential values, 16 a block.
    fn doomed(directory: &Path) -> Program {
        Program::new(env!("CARGO_BIN_EXE_doomed"), directory)
    }

    /// The digest of a run that was asked for as many samples as `report` has, at once.
    fn digest_at_once(directory: &Path, report: &Value) -> Value {
        let samples = &report["samples"]["done"];
        let run = format!("run --samples {samples} --seed 7 --name at-once --json");
        doomed(directory).call(&run).exits(0).json()["digest"].clone()
    }

    fn is_there(directory: &Path, key: &str) -> bool {
        directory.join("croupier-runs/demo").join(key).exists()
    }

    #[test]
    fn a_run_here_grows_until_it_is_precise() {
        let here = fresh();
        let ended = doomed(here.path())
            .call("run --until rel=0.05 --seed 7 --shards 3 --name demo --json")
            .exits(0);
        assert!(ended.stderr.contains("going on to"), "{ended}");
        let report = ended.json();
        assert_eq!(report["accepted"], json!(true));
        assert_eq!(report["until"]["met"], json!(true));
        let half_width = &report["until"]["intervals"][0]["relative_half_width"];
        assert!(half_width.as_f64().unwrap() <= 0.05, "{report}");
        let looks = report["until"]["looks"].as_array().unwrap();
        assert!(looks.len() > 1, "{report}");
        assert_eq!(report["digest"], digest_at_once(here.path(), &report));
        // Again, it is done already.
        let again = doomed(here.path())
            .call("run --until rel=0.05 --seed 7 --shards 3 --name demo")
            .exits(0);
        assert!(
            again.stdout.contains("asymptotic confidence sequence"),
            "{again}"
        );
    }

    #[test]
    fn an_array_is_gone_on_with_by_a_driver() {
        let here = fresh();
        let array = "--until doomed:rel=0.1 --samples 250 --seed 7 --shards 4 --name demo";
        for index in 0..4 {
            let child = doomed(here.path()).with("SLURM_ARRAY_TASK_ID", index.to_string());
            let _ = child.call(&format!("shard {array}")).exits(0);
        }
        let reduced = doomed(here.path())
            .call("reduce --run demo --json")
            .exits(3);
        let refused = reduced.json()["refused"].as_str().unwrap().to_owned();
        assert!(refused.contains("`drive` goes on"), "{refused}");
        assert!(
            !is_there(here.path(), "looks/0.json"),
            "reducing decides nothing"
        );
        let report = doomed(here.path()).call(DRIVE).exits(0).json();
        assert_eq!(
            report["until"]["looks"][0]["samples"],
            json!(256),
            "whole blocks"
        );
        assert!(is_there(here.path(), "segments/1.json"));
        assert_eq!(report["shards"]["planned"].as_u64().unwrap() % 4, 0);
        assert_eq!(report["digest"], digest_at_once(here.path(), &report));
    }

    #[test]
    fn a_driver_that_is_killed_is_started_again_and_two_at_once_do_no_harm() {
        let here = fresh();
        let slow = doomed(here.path()).with("SLOW", "500");
        let _ = slow
            .call("plan --until rel=0.08 --seed 7 --shards 4 --samples 256 --name demo")
            .exits(0);
        let first = slow.start(DRIVE);
        wait_until("the run grew", || is_there(here.path(), "segments/1.json"));
        first.process().kill();
        assert!(first.wait().was_killed());
        let (one, other) = (slow.start(DRIVE), slow.start(DRIVE));
        let waiting = slow.start("wait --run demo --every 5s --json");
        let reports = [one, other, waiting].map(|driver| driver.wait().exits(0).json());
        for report in &reports {
            assert_eq!(report["digest"], reports[0]["digest"]);
            assert_eq!(report["until"]["looks"], reports[0]["until"]["looks"]);
        }
        assert_eq!(
            reports[0]["digest"],
            digest_at_once(here.path(), &reports[0])
        );
    }

    #[test]
    fn what_ends_a_run_before_it_is_precise_is_said() {
        let here = fresh();
        let doomed = doomed(here.path());
        let ended = doomed
            .call("run --until rel=1e-3 --max-samples 3000 --seed 7 --name demo --json")
            .exits(3);
        let report = ended.json();
        assert_eq!(report["accepted"], json!(false));
        assert_eq!(report["samples"]["done"], json!(3000), "exactly as many");
        assert_eq!(report["digest"], digest_at_once(here.path(), &report));
        assert!(!ended.stderr.contains("retry"), "{ended}");
        let timed = doomed
            .call("run --until rel=1e-3 --max-time 1ms --seed 7 --name timed")
            .exits(3);
        assert!(timed.stdout.contains("NOT ACCEPTED"), "{timed}");
        assert!(timed.stdout.contains("--max-time"), "{timed}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let here = fresh();
        let doomed = doomed(here.path());
        for (flags, words) in [
            ("--until rel=2", vec!["rel=2", "rel=1e-3"]),
            ("--until 1e-3", vec!["1e-3", "abs="]),
            (
                "--until price:rel=0.1",
                vec!["no estimate `price`", "`doomed`"],
            ),
            ("--until rel=0.1 --bounds 1,0", vec!["1,0", "as in 0,1"]),
            (
                "--until rel=0.1 --bounds x:0,1",
                vec!["--bounds", "`doomed`"],
            ),
            ("--until rel=0.1 --until abs=1", vec!["two things"]),
            (
                "--until rel=0.1 --samples 99 --max-samples 9",
                vec!["--max-samples 9"],
            ),
            ("--until rel=0.1 --max-time 0s", vec!["no time"]),
        ] {
            doomed
                .call(&format!("run {flags} --seed 7"))
                .is_refused(&words);
        }
        let alone = doomed.call("run --samples 10 --max-samples 20 --seed 7");
        assert_eq!(alone.code(), Some(2));
        alone.says(&["--until"]);
        let _ = doomed
            .call("plan --until rel=0.1 --seed 7 --name demo")
            .exits(0);
        doomed
            .call("run --samples 1024 --seed 7 --name demo")
            .is_refused(&["until doomed:rel=0.1"]);
        doomed
            .clone()
            .call("shard --run demo --shard 0 --until rel=0.2")
            .is_refused(&["leave out", "--until"]);
    }

    #[test]
    fn jobs_that_nobody_drives_on_are_refused() {
        let here = fresh();
        let doomed = doomed(here.path());
        let launch = "launch --on kubernetes --container-image registry.example/doomed:1";
        let plan = "--until rel=0.1 --samples 320 --seed 7 --shards 2 --name demo";
        let words = ["--until", "--samples", "--no-driver", "drive"];
        doomed.call(&format!("{launch} {plan}")).is_refused(&words);
        assert!(!is_there(here.path(), "manifest.json"), "it was planned");
        let _ = doomed.call(&format!("plan {plan}")).exits(0);
        let named = format!("{launch} --run demo");
        doomed.call(&named).is_refused(&words);
        let jobs = |json: Value| json["items"].as_array().unwrap().len();
        let alone = doomed.call(&format!("{named} --no-driver --json")).exits(0);
        assert_eq!(jobs(alone.json()), 1, "the shards alone");

        // What was looked at for the last time needs no further segment; nor does what was planned without.
        let over = "--until rel=1e-3 --max-samples 320 --seed 7 --name over";
        let _ = doomed.call(&format!("run {over}")).exits(3);
        let _ = doomed.call(&format!("{launch} --run over")).exits(0);
        let fixed = "--samples 320 --seed 7 --shards 2 --name fixed --json";
        let both = doomed.call(&format!("{launch} {fixed}")).exits(0).json();
        let wait = &both["items"][1]["spec"]["template"]["spec"]["containers"][0]["args"];
        assert_eq!(jobs(both.clone()), 2, "{both}");
        let wait = wait.to_string();
        assert!(wait.starts_with(r#"["wait","--run","#), "{wait}");
        assert!(wait.contains(r#""--max-idle","30m""#), "{wait}");
    }
}
