//! Stores that break while a worker is at work, and are mended by a person: a disk without space, rights that are
//! taken away, a bucket that is deleted. The worker says what is wrong and ends; what it had published stays whole; and
//! the same call does the rest.
//!
//! What passes by itself, such as a server that fails for a while, is in `crash`.

mod broken_store {
    mod bucket;
    #[cfg(target_os = "linux")]
    mod disk;
    mod rights;

    use croupier_tests::program::{Ended, Program, wait_until};
    use serde_json::{Value, json};

    /// 3,200 samples in 200 blocks, 50 blocks a shard.
    const PLAN: &str = "--samples 3200 --seed 7 --shards 4";
    /// The shard whose worker is in trouble.
    const SHARD: &str = "--shard 1 --threads 1 --checkpoint 100ms --no-progress --json";
    const BLOCKS: u64 = 50;
    /// Microseconds a sample: this worker takes 1.6 seconds.
    const SLOW: &str = "2000";

    /// The digest of a run to which nothing happened.
    fn quiet_digest(doomed: &Program) -> Value {
        let run = "run --samples 3200 --seed 7 --name quiet --json";
        doomed.call(run).exits(0).json()["digest"].clone()
    }

    /// Asserts that the run is as its worker left it, whole: a part of the shard, and nothing torn. How many blocks.
    fn is_kept(doomed: &Program, run: &str) -> u64 {
        let reduced = doomed
            .call(&format!("reduce --run {run} --policy tolerate=1 --json"))
            .exits(0)
            .json();
        assert_eq!(reduced["shards"]["missing"], json!([1]), "{reduced}");
        let kept = reduced["blocks"]["done"].as_u64().unwrap() - 3 * BLOCKS;
        assert!(0 < kept && kept < BLOCKS, "{reduced}");
        let warnings = reduced["warnings"].to_string();
        for litter in ["no partials by their names", "was not used"] {
            assert!(!warnings.contains(litter), "{warnings}");
        }
        let verified = doomed
            .call(&format!("verify --run {run} --deep --json"))
            .exits(0)
            .json();
        assert_eq!(verified["invalid"], json!(0), "{verified}");
        kept
    }

    /// Asserts that the call which failed does the rest now, and that the run comes out as the quiet one.
    fn is_gone_on_with(doomed: &Program, run: &str, call: &str, kept: u64, quiet: &Value) {
        let worked = doomed.call(call).exits(0).json();
        assert_eq!(
            (&worked["blocks_before"], &worked["blocks"]),
            (&json!(kept), &json!(BLOCKS))
        );
        let reduced = doomed.call(&format!("reduce --run {run} --json")).exits(0);
        assert_eq!(&reduced.json()["digest"], quiet, "{reduced}");
        assert_eq!(reduced.json()["samples"]["done"], json!(3200), "{reduced}");
    }

    /// Asserts that a worker ended with `code`, and one line of error that has all `words`.
    fn ends(worker: Ended, code: i32, words: &[&str]) {
        let worker = worker.exits(code);
        worker.says(&[]);
        let errors: Vec<&str> = worker
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        let [error] = errors.as_slice() else {
            panic!("one error was expected of {worker}");
        };
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error:?}");
        }
    }
}
