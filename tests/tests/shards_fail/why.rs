//! Why a shard died: what is recorded, grouped and shown.

use serde_json::json;

use super::{PLAN, doomed, fresh};

#[test]
fn a_killed_worker_leaves_its_signal_and_its_last_words() {
    let here = fresh();
    let _ = doomed(here.path()).call(PLAN).exits(0);
    for shard in [2, 3] {
        let killed = doomed(here.path())
            .with("DIE_AT", (shard * 400 + 77).to_string())
            // So that it has said that it began.
            .with("SLOW", "5000")
            .call(&format!("shard --run demo --shard {shard}"));
        assert_eq!(killed.code(), Some(137), "{killed}");
        assert!(killed.stderr.contains("about to die"), "{killed}");
    }
    let doomed = doomed(here.path());
    let logs = doomed.call("logs 3 --run demo --json").exits(0).json();
    let attempt = &logs["attempts"][0];
    assert_eq!(attempt["state"], json!("died"));
    assert_eq!(attempt["death"]["signal"], json!(9));
    assert_eq!(attempt["death"]["exit_code"], json!(null));
    assert_ne!(attempt["death"]["out_of_memory"], json!(true));
    let last_words = attempt["death"]["stderr"].as_str().unwrap();
    assert!(last_words.contains("about to die at sample 1277"), "{logs}");
    assert_eq!(attempt["blocks"], json!(25));
    let text = doomed.call("logs 3 --run demo").exits(0);
    assert!(text.stdout.contains("killed by signal 9"), "{text}");
    let status = doomed.call("status --run demo --json").exits(0).json();
    assert_eq!(
        status["causes"],
        json!([{"standing": "died", "cause": "killed by signal 9", "shards": 2, "first": 2}])
    );
    assert_eq!(status["standing"], json!([["waiting", 6], ["died", 2]]));
}

#[test]
fn a_kernels_panic_is_there_with_its_message() {
    let here = fresh();
    let failing = croupier_tests::program::Program::new(env!("CARGO_BIN_EXE_failing"), here.path());
    let _ = failing
        .call("plan --samples 20000 --seed 7 --shards 4 --panics 7777 --name demo")
        .exits(0);
    let _ = failing.call("shard --run demo --shard 1").exits(6);
    let logs = failing.call("logs 1 --run demo").exits(0);
    assert!(logs.stdout.contains("failed on a sample"), "{logs}");
    assert!(logs.stdout.contains("sample 7777"), "{logs}");
    assert!(logs.stdout.contains("the last it said"), "{logs}");
    let status = failing.call("status --run demo --json").exits(0).json();
    assert_eq!(status["causes"][0]["standing"], json!("kernel"));
    let _ = failing.call("logs 99 --run demo").exits(2);
}
