//! What a person sees of it.

use croupier_tests::program::Program;
use croupier_tests::states::{End, MAP, StatesServer};
use serde_json::json;

use super::{job_failed, names};

#[test]
fn status_and_logs_ask_the_engine() {
    let here = tempfile::tempdir().expect("a temporary directory");
    let server = StatesServer::start(100);
    let mut doomed = Program::new(env!("CARGO_BIN_EXE_doomed"), here.path());
    for (name, value) in server.env() {
        doomed = doomed.with(&name, value);
    }
    let on = format!("--run demo --on step-functions --state-machine-arn {MAP}");
    let launch = "launch --samples 3200 --seed 7 --shards 4 --policy tolerate=25% --name demo";
    let launched = doomed
        .call(&format!("{launch} {} --json", &on["--run demo".len()..]))
        .exits(0)
        .json();
    assert_eq!(launched["started"], json!([0, 1, 2, 3]));
    let name = names(&server).remove(0);
    assert_eq!(launched["driver"], json!(name));
    assert_eq!(server.input(&name)["toleratedFailurePercentage"], 25);
    let cause = job_failed("job-2", 137);
    server.end_item(&name, 2, End::Fails("States.TaskFailed", cause));
    let status = doomed.call(&format!("status {on} --json")).exits(0).json();
    assert_eq!(status["reasons"][0]["shard"], 2);
    assert_eq!(status["reasons"][0]["job"], "job-2");
    let logs = |shard: u32| {
        doomed
            .call(&format!("logs {shard} {on} --json"))
            .exits(0)
            .json()
    };
    assert_eq!(logs(2)["reasons"], status["reasons"]);
    assert_eq!(logs(1)["reasons"], json!([]));
    doomed.call(&format!("logs 2 {on}")).exits(0).shows(&[
        "was not started yet",
        "exit code 137",
        "work/default/job-2",
    ]);
    let without = doomed.call("logs 2 --run demo --json").exits(0).json();
    assert_eq!(without["reasons"], json!(null));
    doomed
        .call(&format!("cancel {on} --reason enough"))
        .exits(0);
    assert_eq!(server.executions()[0].1, "ABORTED");
}
