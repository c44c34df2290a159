//! Exit codes are API: each, by what brings it about. (6 is in `failing`, 2 in `bad_input`.)

use std::fs;
use std::path::{Path, PathBuf};

use croupier_tests::program::Program;
use croupier_tests::s3::{Moment, Operation, S3Server};

use super::{fresh, kernel, pi};

const PLAN: &str = "--samples 5000 --block 1024 --seed 7 --shards 2 --name demo";

fn partials(directory: &Path, name: &str) -> Vec<PathBuf> {
    let folder = directory.join("croupier-runs").join(name).join("partials");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn one_is_worth_a_retry() {
    let here = fresh();
    let server = S3Server::start();
    let gone = server.uri("runs");
    let pi = pi(&here).with_s3(&server);
    drop(server);
    let said = pi
        .call(&format!("run {PLAN} --store {gone} --store-timeout 2s"))
        .exits(1);
    said.says(&["error: ", "try again later"]);
}

/// A server that takes calls and never answers.
#[test]
fn one_comes_within_the_time_that_the_store_is_given() {
    let here = fresh();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let patient = pi(&here)
        .with("AWS_ENDPOINT_URL", endpoint)
        .with("AWS_REGION", "eu-west-1")
        .with("AWS_ACCESS_KEY_ID", "any")
        .with("AWS_SECRET_ACCESS_KEY", "any")
        .with("NO_PROXY", "*");
    for call in [
        "plan --kwargs s3://bucket/p.json",
        "ls --store s3://bucket/runs",
    ] {
        let said = patient.call(&format!("{call} --store-timeout 300ms"));
        said.exits(1).says(&["no answer within 300ms"]);
    }
}

/// What could not be printed was not done.
#[cfg(target_os = "linux")]
#[test]
fn one_is_a_result_that_can_not_be_written() {
    let here = fresh();
    pi(&here).call(PLAN).exits(0);
    let shell = Program::new("/bin/sh", here.path());
    let pi = pi(&here);
    let pi = pi.file().to_str().unwrap();
    for verb in ["reduce", "ls --json", "verify", "--help", "--version"] {
        let full = shell.call_with(&["-c", &format!("{pi} {verb} >/dev/full")]);
        assert_eq!(full.code(), Some(1), "{full}");
        assert!(full.stderr.contains("error: the output"), "{full}");
        // Who closes a pipe has read enough.
        let closed = shell.call_with(&["-c", &format!("{pi} {verb} | true")]);
        assert!(!closed.stderr.contains("error"), "{closed}");
    }
}

#[test]
fn three_is_a_result_that_the_policy_refuses() {
    let here = fresh();
    pi(&here).call(&format!("shard {PLAN} --shard 1")).exits(0);
    let refused = pi(&here).call("reduce --json").exits(3).json();
    assert_eq!(refused["accepted"], false);
    assert_eq!(refused["shards"]["missing"], serde_json::json!([0]));
    assert!(
        refused["warnings"].to_string().contains("missing"),
        "{refused}"
    );
    assert!(
        refused["refused"].as_str().unwrap().contains("complete"),
        "{refused}"
    );
    // Written all the same.
    let results = fs::read_dir(here.path().join("croupier-runs/demo/results")).unwrap();
    assert_eq!(results.count(), 1);
    for (policy, code) in [
        ("tolerate=0", 3),
        ("tolerate=1", 0),
        ("tolerate=39.999%", 3),
        ("tolerate=40%", 0),
    ] {
        let _ = pi(&here)
            .call(&format!("reduce --policy {policy}"))
            .exits(code);
    }
    // Of nothing there is no result, whatever is tolerated.
    pi(&here)
        .call("plan --samples 5000 --seed 7 --name empty")
        .exits(0);
    let empty = pi(&here)
        .call("reduce --run empty --policy tolerate=100% --json")
        .exits(3)
        .json();
    assert_eq!(empty["samples"]["done"], 0);
    assert!(empty["estimates"].is_array(), "{empty}");
}

/// A machine that gives other bits: the same shard worked on twice, once wrongly.
#[test]
fn four_is_bits_that_differ_and_both_are_named() {
    let here = fresh();
    let unsteady = kernel!("unsteady", here);
    let plan = "--samples 1000 --seed 7 --shards 2";
    unsteady.call(&format!("run {plan} --name good")).exits(0);
    // Wrong from the last block of the first shard on.
    unsteady
        .clone()
        .with("WRONG_FROM", "490")
        .call(&format!("run {plan} --name wrong"))
        .exits(0);
    let good = partials(here.path(), "good");
    let wrong = partials(here.path(), "wrong");
    fs::copy(
        &wrong[0],
        good[0].with_file_name(wrong[0].file_name().unwrap()),
    )
    .unwrap();
    let refused = unsteady.call("reduce --run good").exits(4);
    for file in [&good[0], &wrong[0]] {
        let name = file.file_name().unwrap().to_str().unwrap();
        refused.says(&[name]);
    }
    // What runs it again finds out which of the two is wrong.
    unsteady
        .call("verify --run wrong --deep")
        .exits(4)
        .says(&["partials/"]);
    let blamed = unsteady.call("verify --run good --deep").exits(4);
    blamed.says(&[wrong[0].file_name().unwrap().to_str().unwrap()]);
}

/// One case whose bits differ keeps no other from having a result; but no policy takes that for a hole.
#[test]
fn four_is_a_case_whose_bits_differ_and_it_counts_as_failed() {
    let here = fresh();
    fs::write(here.path().join("many.jsonl"), "{}\n{}\n").unwrap();
    let unsteady = kernel!("unsteady", here);
    let plan = "--cases many.jsonl --samples 1000 --seed 7 --shards 2 --policy tolerate=90%";
    unsteady.call(&format!("run {plan} --name good")).exits(0);
    unsteady
        .clone()
        .with("WRONG_FROM", "490")
        .call(&format!("run {plan} --name wrong"))
        .exits(0);
    let good = partials(here.path(), "good/cases/1");
    let wrong = partials(here.path(), "wrong/cases/1");
    fs::copy(
        &wrong[0],
        good[0].with_file_name(wrong[0].file_name().unwrap()),
    )
    .unwrap();
    let report = unsteady.call("reduce --run good --json").exits(4).json();
    assert_eq!(report["accepted"], false);
    assert_eq!(report["cases"].as_array().unwrap().len(), 1);
    assert_eq!(report["failed"][0]["case"], 1);
    let reason = report["failed"][0]["reason"].as_str().unwrap();
    let name = wrong[0].file_name().unwrap().to_str().unwrap();
    assert!(reason.contains(name), "{reason}");
    let warnings = report["warnings"].to_string();
    assert!(!warnings.contains("never begun"), "{warnings}");
}

#[test]
fn five_is_foreign_by_partial_kernel_or_build() {
    let here = fresh();
    pi(&here).call(&format!("run {PLAN}")).exits(0);
    pi(&here)
        .call("run --samples 5000 --block 1024 --seed 8 --shards 2 --name other")
        .exits(0);
    let partial = partials(here.path(), "other").remove(0);
    let planted = here
        .path()
        .join("croupier-runs/demo/partials")
        .join(partial.file_name().unwrap());
    fs::copy(&partial, &planted).unwrap();
    let name = planted.file_name().unwrap().to_str().unwrap();
    let before = pi(&here).call("reduce --run demo").exits(5);
    before.says(&[name, "seed", "8", "7", "--skip-foreign"]);
    let skipped = pi(&here)
        .call("reduce --run demo --skip-foreign --json")
        .exits(0)
        .json();
    assert!(
        skipped["warnings"].to_string().contains("skipped"),
        "{skipped}"
    );
    fs::remove_file(planted).unwrap();

    // Another program.
    let option = Program::example("european_option", here.path());
    for verb in ["shard --shard 0", "reduce", "verify"] {
        option.call(&format!("{verb} --run demo")).exits(5).says(&[
            "kernel",
            "pi",
            "european-option",
        ]);
    }
    // The same one, that would draw otherwise: it may merge what there is, and not add to it.
    pi(&here)
        .call("plan --samples 5000 --block 1024 --seed 7 --name older")
        .exits(0);
    let manifest = here.path().join("croupier-runs/older/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let older = text.replace("\"libm\": \"0.", "\"libm\": \"older 0.");
    assert_ne!(older, text);
    fs::write(&manifest, older).unwrap();
    pi(&here).call("reduce --run older").exits(3);
    for verb in ["shard --shard 0", "verify", "replay --block 0"] {
        pi(&here)
            .call(&format!("{verb} --run older"))
            .exits(5)
            .says(&["libm"]);
    }
    fs::remove_dir_all(manifest.parent().unwrap()).unwrap();

    // Another build of the same one.
    let file = here.path().join("rebuilt");
    let mut bytes = fs::read(pi(&here).file()).unwrap();
    // Another build has another build id; where the linker gives none, other bytes.
    let note = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0";
    if let Some(at) = bytes.windows(note.len()).position(|bytes| bytes == note) {
        bytes[at + note.len()] ^= 1;
    }
    bytes.extend(b"another build");
    fs::write(&file, bytes).unwrap();
    fs::set_permissions(&file, fs::metadata(pi(&here).file()).unwrap().permissions()).unwrap();
    let rebuilt = Program::new(&file, here.path());
    rebuilt
        .call("shard --run demo --shard 0")
        .exits(5)
        .says(&["executable", "--allow-other-build"]);
    rebuilt
        .call("shard --run demo --shard 0 --allow-other-build")
        .exits(0);
}

#[test]
fn seventy_five_is_stopped_in_time_with_its_work_kept() {
    let here = fresh();
    let unsteady = kernel!("unsteady", here);
    let run = "run --samples 100000 --seed 7 --threads 2 --name demo";
    let stopped = unsteady
        .clone()
        .with("TERMINATE_AT", "3210")
        .call(run)
        .exits(75);
    stopped.says(&["stopping", "which are kept", "drive --run"]);
    let kept = unsteady.call("status --json").exits(0).json();
    let done = kept["blocks"]["done"].as_u64().unwrap();
    assert!((200..6250).contains(&done), "{kept}");
    assert_eq!(kept["unfinished"], serde_json::json!([0]));
    // Enough for a policy that takes it.
    let part = unsteady
        .call("reduce --policy tolerate=1 --json")
        .exits(0)
        .json();
    assert_eq!(part["blocks"]["done"], done);

    let resumed = unsteady
        .call("shard --run demo --shard 0 --json")
        .exits(0)
        .json();
    assert_eq!(resumed["blocks_before"], done);
    let whole = unsteady.call("reduce --json").exits(0).json();
    let at_once = unsteady
        .call("run --samples 100000 --seed 7 --name at-once --json")
        .exits(0)
        .json();
    assert_eq!(whole["digest"], at_once["digest"]);
    assert_eq!(whole["samples"]["done"], 100_000);
}

/// The same through S3 and the signal of a scheduler, which comes while the worker says that it is running.
#[test]
fn a_real_worker_in_s3_that_is_terminated_goes_on_where_it_was() {
    let here = fresh();
    let server = S3Server::start();
    let pi = pi(&here).with_s3(&server);
    let plan = format!(
        "--samples 6e8 --seed 7 --name demo --store {}",
        server.uri("runs")
    );
    let process =
        std::sync::Arc::new(std::sync::OnceLock::<croupier_tests::program::Process>::new());
    let told = std::sync::Arc::clone(&process);
    server.set_hook(move |moment, request| {
        if moment == Moment::After
            && request.operation == Operation::Put
            && request.key.contains("/attempts/")
            && request.nth == 0
        {
            told.wait().terminate();
        }
    });
    let running = pi.start(&format!("shard {plan} --shards 1 --shard 0 --threads 2"));
    process.set(running.process()).expect("once");
    running.wait().exits(75);
    server.set_hook(|_, _| {});
    let resumed = pi
        .call(&format!("shard {plan} --shards 1 --shard 0 --json"))
        .exits(0)
        .json();
    assert!(
        resumed["blocks"].as_u64() > resumed["blocks_before"].as_u64(),
        "{resumed}"
    );
    let whole = pi
        .call(&format!("reduce --run {}/demo --json", server.uri("runs")))
        .exits(0)
        .json();
    assert_eq!(whole["samples"]["done"], 600_000_000);
}
