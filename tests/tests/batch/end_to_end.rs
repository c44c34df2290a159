//! A run on AWS Batch from the call that launches it, and is gone, to its result: real workers and a real driver as
//! jobs, with their run in S3.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use croupier_tests::batch::{BatchServer, Fate, Fault, Job, QUEUE, Settings, Start, Status};
use croupier_tests::program::{Program, wait_until};
use croupier_tests::s3::S3Server;
use serde_json::{Value, json};
use tempfile::TempDir;

/// 200 blocks, one a shard.
const PLAN: &str = "--samples 3200 --seed 7 --shards 200 --name demo --threads 1";

struct Cloud {
    s3: S3Server,
    batch: BatchServer,
    here: TempDir,
}

/// With more variables of every job.
fn cloud(variables: &[(&str, &str)]) -> Cloud {
    let (s3, here) = (S3Server::start(), tempfile::tempdir().unwrap());
    let mut environment = s3.env();
    let variables = variables.iter().chain(&[("CROUPIER_EVERY", "200ms")]);
    environment.extend(variables.map(|(name, value)| (name.to_string(), value.to_string())));
    let settings = Settings {
        slots: 5,
        environment,
        ..Settings::default()
    };
    let batch = BatchServer::start(here.path(), settings);
    batch.define("doomed", env!("CARGO_BIN_EXE_doomed").as_ref());
    Cloud { s3, batch, here }
}

impl Cloud {
    /// The program on a laptop.
    fn laptop(&self) -> Program {
        let program =
            Program::new(env!("CARGO_BIN_EXE_doomed"), self.here.path()).with_s3(&self.s3);
        let batch = self.batch.env().into_iter();
        batch.fold(program, |program, (name, value)| program.with(&name, value))
    }

    fn launch_line(&self, policy: &str) -> String {
        format!(
            "launch --on aws-batch --job-queue {QUEUE} --driver-job-queue drivers --job-definition doomed {PLAN} --policy {policy} --store {} --json",
            self.s3.uri("runs")
        )
    }

    fn launch(&self, policy: &str) -> Value {
        self.laptop()
            .call(&self.launch_line(policy))
            .exits(0)
            .json()
    }

    fn run(&self) -> String {
        self.s3.uri("runs/demo")
    }

    /// Waits for the driver's own end.
    fn driven(&self) -> Job {
        let driver = || self.batch.job("-driver-0").expect("a driver");
        let attempts = || -> usize {
            let jobs = self.batch.jobs();
            let units = jobs.iter().flat_map(|job| &job.units);
            units.map(|unit| unit.attempts.len()).sum()
        };
        // As long as there is progress: there are many processes for few cores.
        while !driver().status().is_terminal() {
            let before = attempts();
            wait_until("the run goes on", || {
                driver().status().is_terminal() || attempts() > before
            });
        }
        driver()
    }

    fn driver_log(&self) -> String {
        let driver = self.batch.job("-driver-0").expect("a driver");
        let streams = driver.units[0].attempts.iter();
        let streams = streams.filter_map(|attempt| attempt.log_stream.as_deref());
        streams.map(|stream| self.batch.log(stream)).collect()
    }

    fn reduced(&self, code: i32) -> Value {
        let reduce = format!("reduce --run {} --json", self.run());
        self.laptop().call(&reduce).exits(code).json()
    }

    /// The arrays and jobs of shards, by their names' ends.
    fn shard_jobs(&self) -> Vec<String> {
        let jobs = self.batch.jobs().into_iter().map(|job| job.name);
        let mut names: Vec<String> = jobs.filter(|name| !name.contains("-driver-")).collect();
        for name in &mut names {
            *name = name.rsplitn(4, '-').take(3).collect::<Vec<_>>().join(" ");
        }
        names
    }
}

/// The digest of the same run on this machine.
fn quiet_digest() -> Value {
    let here = tempfile::tempdir().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_doomed"), here.path());
    let run = "run --samples 3200 --seed 7 --name quiet --json";
    program.call(run).exits(0).json()["digest"].clone()
}

fn is_first_array(start: &Start) -> bool {
    start.job_name.ends_with("-s0-199-0")
}

#[test]
fn retried_shards_give_the_bits_of_a_quiet_run_and_nothing_is_submitted_twice() {
    // One shard is killed, once.
    let cloud = cloud(&[("DIE_AT", "500"), ("DIE_ONCE", "died")]);
    cloud.batch.set_fate(|start| match start.index {
        // Hosts are lost, and Batch starts what they ran again: the driver's too.
        None if start.attempt == 1 => Fate::HostLost,
        Some(index) if is_first_array(start) => match (index % 50, start.attempt) {
            (7, 1) => Fate::HostLost,
            (13, _) => Fate::Exit(1),
            (21, _) => Fate::CannotStart,
            _ => Fate::Run,
        },
        _ => Fate::Run,
    });
    // The array was taken, and nobody hears of it.
    cloud.batch.set_fault(
        |call| match call.operation == "SubmitJob" && call.nth == 0 {
            true => Fault::DoneThenLost,
            false => Fault::None,
        },
    );
    let launched = cloud.launch("retry=2");
    assert_eq!(launched["started"].as_array().unwrap().len(), 200);
    let driver = cloud.driven();
    assert_eq!(driver.status(), Status::Succeeded, "{}", cloud.driver_log());
    assert_eq!(driver.units[0].attempts.len(), 2, "its host was lost once");
    let reduced = cloud.reduced(0);
    assert_eq!(reduced["digest"], quiet_digest());
    let array = cloud.batch.job("-s0-199-0").unwrap();
    let attempts = |index: usize| array.units[index].attempts.len();
    assert_eq!([attempts(7), attempts(8), attempts(13)], [2, 1, 1]);
    let names = cloud.shard_jobs();
    let mut unique = names.clone();
    unique.dedup();
    assert_eq!(names, unique);
    // Nine shards failed; each is in one later job, and the one that left a record in a round.
    assert!(
        cloud.driver_log().contains("round 1: shard 31"),
        "{}",
        cloud.driver_log()
    );
    let later: u32 = cloud.batch.jobs()[1..]
        .iter()
        .filter(|job| !job.name.contains("-driver-"))
        .map(|job| job.size.unwrap_or(1))
        .sum();
    assert_eq!(later, 9, "{names:?}");
    assert_eq!(cloud.batch.count("SubmitJob"), cloud.batch.jobs().len());
}

#[test]
fn tolerated_shards_are_missing_by_name_and_their_reasons_are_told() {
    let cloud = cloud(&[]);
    let missing = [13, 63, 113, 163];
    cloud.batch.set_fate(move |start| {
        let shard = start.arguments.iter().position(|word| word == "--shard");
        let shard = shard.and_then(|at| start.arguments[at + 1].parse().ok());
        match start.index.filter(|_| is_first_array(start)).or(shard) {
            Some(index) if missing.contains(&index) => Fate::CannotStart,
            _ => Fate::Run,
        }
    });
    let _ = cloud.launch("tolerate=2%");
    assert_eq!(
        cloud.driven().status(),
        Status::Succeeded,
        "{}",
        cloud.driver_log()
    );
    let reduced = cloud.reduced(0);
    assert_eq!(reduced["accepted"], json!(true));
    assert_eq!(reduced["shards"]["missing"], json!(missing));
    let status = format!(
        "status --run {} --on aws-batch --job-queue {QUEUE} --json",
        cloud.run()
    );
    let status = cloud.laptop().call(&status).exits(0).json();
    let reasons = status["reasons"].as_array().unwrap();
    let shards: Vec<&Value> = reasons.iter().map(|reason| &reason["shard"]).collect();
    assert_eq!(shards, missing.map(Value::from).iter().collect::<Vec<_>>());
    let reason = reasons[0]["reason"].as_str().unwrap();
    assert!(reason.contains("CannotPullContainerError"), "{reason}");
}

#[test]
fn the_first_failure_ends_all() {
    // The shard of this sample is killed.
    let cloud = cloud(&[("DIE_AT", "500")]);
    cloud.batch.set_fate(|start| match start.index {
        Some(100..) => Fate::Hold,
        _ => Fate::Run,
    });
    let _ = cloud.launch("fail-fast");
    let driver = cloud.driven();
    assert_eq!(driver.units[0].attempts.len(), 1);
    assert_eq!(
        driver.units[0].attempts[0].exit_code,
        Some(3),
        "{}",
        cloud.driver_log()
    );
    let reduced = cloud.reduced(3);
    assert_eq!(reduced["accepted"], json!(false));
    let array = cloud.batch.job("-s0-199-0").unwrap();
    assert_eq!(array.status(), Status::Failed);
    let ended = array.units[199].status_reason.as_deref();
    assert_eq!(ended, Some("run demo was stopped"));
    assert_eq!(cloud.batch.jobs().len(), 2);
    assert!(
        cloud
            .driver_log()
            .contains("the run is stopped: shard 31 failed"),
        "{}",
        cloud.driver_log()
    );
}

#[test]
fn a_launch_that_dies_half_way_is_called_again_and_nothing_is_submitted_twice() {
    let cloud = cloud(&[]);
    let goes_on = Arc::new(AtomicBool::new(false));
    let held = Arc::clone(&goes_on);
    cloud.batch.set_fate(move |start| match start.index {
        Some(_) if !held.load(Ordering::Acquire) => Fate::Hold,
        _ => Fate::Run,
    });
    cloud.batch.set_fault(
        |call| match call.operation == "SubmitJob" && call.nth >= 1 {
            // It never gets to leave a driver.
            true => Fault::Status(403, "AccessDeniedException"),
            false => Fault::None,
        },
    );
    let first = cloud.laptop().call(&cloud.launch_line("retry=1")).exits(2);
    assert!(first.stderr.contains("AccessDenied"), "{first}");
    assert_eq!(cloud.batch.jobs().len(), 1);
    cloud.batch.set_fault(|_| Fault::None);
    let again = cloud
        .laptop()
        .call(&cloud.launch_line("retry=1"))
        .exits(0)
        .json();
    assert_eq!(again["started"], json!([]));
    assert_eq!(again["at_work"], json!(200));
    assert_eq!(cloud.batch.jobs().len(), 2);
    // Those that were held end well and have done nothing: a scheduler's word is no result.
    goes_on.store(true, Ordering::Release);
    cloud.batch.release(10);
    assert_eq!(
        cloud.driven().status(),
        Status::Succeeded,
        "{}",
        cloud.driver_log()
    );
    assert_eq!(cloud.reduced(0)["digest"], quiet_digest());
}
