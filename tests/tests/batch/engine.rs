//! The engines in this process, with jobs that need none: what they submit, and how often they ask.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use croupier::prelude::*;
use croupier_compute::BlockLength;
use croupier_fleet::engine::{AwsBatch, BatchOptions, Dealing, Engine, OverrideKind, WorkerCall};
use croupier_run::{Found, Identity, Plan, plan};
use croupier_store::{Memory, Store};
use croupier_tests::batch::{BatchServer, Fate, Fault, QUEUE, Settings, Status};
use croupier_tests::program::wait_until;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;

#[derive(Serialize)]
struct Plain {}

impl Kernel for Plain {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 1;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
        mean.record(pinned::normal(rng));
    }
}

struct Bench {
    server: BatchServer,
    run: Found,
    _directory: TempDir,
}

async fn bench(shards: u32, at_most_once: bool, settings: Settings) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let server = BatchServer::start(directory.path(), settings);
    server.define("worker", Path::new("/bin/true"));
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let block = BlockLength::new(1).unwrap();
    let planned = Plan {
        identity: Identity::of(&Plain {}, 7, block, Default::default()).unwrap(),
        samples: shards.into(),
        shards,
        inputs: Default::default(),
        policy: Default::default(),
        at_most_once,
        until: None,
        failed_samples: Default::default(),
    };
    let run = plan(&store, "demo", &planned).await.unwrap().run;
    Bench {
        server,
        run: Found::Run(Box::new(run)),
        _directory: directory,
    }
}

fn options(dealing: Dealing) -> BatchOptions {
    BatchOptions {
        job_queue: QUEUE.to_owned(),
        job_definition: Some("worker".to_owned()),
        vcpus: None,
        memory_mib: None,
        attempts: 3,
        attempt_duration_seconds: None,
        share_identifier: None,
        scheduling_priority_override: None,
        tags: Vec::new(),
        propagate_tags: false,
        override_kind: None,
        container: None,
        driver_job_queue: None,
        driver_job_definition: None,
        driver_vcpus: None,
        driver_memory_mib: None,
        dealing,
    }
}

impl Bench {
    /// An engine as another process would have it.
    fn engine(&self, options: BatchOptions) -> AwsBatch {
        let call = WorkerCall {
            program: "/bin/true".into(),
            arguments: vec!["shard".to_owned(), "--run".to_owned(), "demo".to_owned()],
        };
        AwsBatch::connect(&self.run, call, options, &self.server.sdk_config()).unwrap()
    }

    fn arrays(&self) -> AwsBatch {
        self.engine(options(Dealing::Arrays))
    }

    fn submitted(&self) -> Vec<Value> {
        let calls = self.server.calls().into_iter();
        calls
            .filter(|call| call.operation == "SubmitJob")
            .map(|call| call.body)
            .collect()
    }

    fn wait_for(&self, status: Status, units: usize) {
        wait_until("jobs change", || {
            let jobs = self.server.jobs();
            let all = jobs.iter().flat_map(|job| &job.units);
            all.filter(|unit| unit.status == status).count() == units
        });
    }
}

fn all(shards: std::ops::Range<u32>) -> Vec<u32> {
    shards.collect()
}

#[tokio::test]
async fn a_driver_that_comes_later_finds_what_is_at_work_and_starts_it_no_second_time() {
    let bench = bench(20, false, Settings::default()).await;
    bench.server.set_fate(|_| Fate::Hold);
    let mut first = bench.arrays();
    first.start(&all(0..20), None).await.unwrap();
    bench.wait_for(Status::Running, 4);
    bench.server.release(3);
    bench.wait_for(Status::Succeeded, 3);
    let mut later = bench.arrays();
    // The summary lags, and then tells of three.
    assert_eq!(later.at_work().await.unwrap().len(), 20);
    let at_work = later.at_work().await.unwrap();
    assert_eq!(at_work.len(), 17);
    later.start(&all(0..20), None).await.unwrap();
    let names: Vec<String> = bench
        .server
        .jobs()
        .into_iter()
        .map(|job| job.name)
        .collect();
    // What has ended is started again where that is asked for, and what is at work is not.
    let later_jobs = bench.server.jobs().split_off(1);
    let sizes = later_jobs.iter().map(|job| job.size.unwrap_or(1));
    assert_eq!(sizes.sum::<u32>(), 3, "{names:?}");
    assert!(names[0].ends_with("-s0-19-0"), "{names:?}");
    assert_eq!(later.at_work().await.unwrap().len(), 20);
}

#[tokio::test]
async fn a_lost_answer_is_no_second_job_and_a_lost_call_is() {
    for fault in [
        Fault::DoneThenLost,
        Fault::DoneThenStatus(500, "ServerException"),
        Fault::Reset,
        Fault::Status(500, "ServerException"),
        Fault::Status(429, "TooManyRequestsException"),
    ] {
        // A new job is listed only later.
        let bench = bench(
            2,
            false,
            Settings {
                lists_lag: 1,
                ..Settings::default()
            },
        )
        .await;
        bench.server.set_fate(|_| Fate::Hold);
        bench.server.set_fault(
            move |call| match call.operation == "SubmitJob" && call.nth == 0 {
                true => fault,
                false => Fault::None,
            },
        );
        let mut engine = bench.arrays();
        engine.start(&[0, 1], None).await.unwrap();
        let is_done = matches!(fault, Fault::DoneThenLost | Fault::DoneThenStatus(..));
        assert_eq!(
            bench.submitted().len(),
            2 - usize::from(is_done),
            "{fault:?}"
        );
        assert_eq!(bench.server.jobs().len(), 1, "{fault:?}");
        assert_eq!(engine.at_work().await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_start_again_has_a_name_of_its_own_and_one_shard_is_a_plain_job() {
    let bench = bench(9, false, Settings::default()).await;
    bench.server.set_fate(|_| Fate::Exit(1));
    let mut engine = bench.arrays();
    for expected in ["-s5-0", "-s5-1"] {
        engine.start(&[5], None).await.unwrap();
        wait_until("it ends", || {
            bench
                .server
                .jobs()
                .iter()
                .all(|job| job.status().is_terminal())
        });
        assert!(bench.server.job(expected).unwrap().size.is_none());
        assert!(engine.at_work().await.unwrap().is_empty());
    }
    let round = bench.run.begin_round(1, vec![2, 5, 7]).await.unwrap();
    bench.server.set_fate(|_| Fate::Hold);
    engine.start(&round.shards, Some(1)).await.unwrap();
    let array = bench.server.job("-r1-0-2-0").unwrap();
    assert_eq!(array.size, Some(3));
    // Another process knows what the round's indexes mean.
    let at_work = bench.arrays().at_work().await.unwrap();
    assert_eq!(at_work, BTreeSet::from([2, 5, 7]));
    let command = bench.submitted()[2]["containerOverrides"]["command"].to_string();
    assert!(command.contains(r#""--round","1""#), "{command}");
}

#[tokio::test]
async fn what_is_asked_for_is_submitted_as_the_definition_has_it() {
    let bench = bench(4, true, Settings::default()).await;
    bench.server.set_fate(|_| Fate::Exit(0));
    bench.server.register(json!({
        "jobDefinitionName": "task", "type": "container",
        "ecsProperties": { "taskProperties": [{ "containers": [
            { "name": "log", "image": "/bin/false" },
            { "name": "kernel", "image": "/bin/true",
              "resourceRequirements": [{ "type": "VCPU", "value": "3" }] },
        ]}]},
    }));
    bench.server.register(json!({
        "jobDefinitionName": "pod", "type": "container",
        "eksProperties": { "podProperties": { "containers": [
            { "name": "kernel", "image": "/bin/true" },
        ]}},
    }));
    let asked = |definition: &str, container: Option<&str>| BatchOptions {
        job_definition: Some(definition.to_owned()),
        container: container.map(str::to_owned),
        vcpus: (definition != "task").then_some(1.5),
        memory_mib: Some(4096),
        attempts: 7,
        attempt_duration_seconds: Some(600),
        tags: vec![("team".to_owned(), "risk".to_owned())],
        propagate_tags: true,
        ..options(Dealing::Arrays)
    };
    for (definition, container) in [("worker:1", None), ("task", Some("kernel")), ("pod", None)] {
        let mut engine = bench.engine(asked(definition, container));
        engine.start(&all(0..4), None).await.unwrap();
        wait_until("it ends", || {
            bench
                .server
                .jobs()
                .iter()
                .all(|job| job.status().is_terminal())
        });
    }
    let submitted = bench.submitted();
    let kernel = &submitted[0];
    // Nothing is started twice, whatever --job-attempts says.
    assert_eq!(kernel["retryStrategy"]["attempts"], 1);
    assert_eq!(kernel["timeout"]["attemptDurationSeconds"], 600);
    assert_eq!(
        kernel["tags"],
        json!({ "croupier:run": "demo", "team": "risk" })
    );
    assert_eq!(kernel["propagateTags"], true);
    let command = |overrides: &Value, field: &str| {
        let words = overrides[field].as_array().unwrap().iter();
        words
            .map(|word| word.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let said = command(&kernel["containerOverrides"], "command");
    assert_eq!(
        said,
        "shard --run demo --threads 2 --deadline 600s --index-from aws-batch"
    );
    assert_eq!(
        kernel["containerOverrides"]["resourceRequirements"],
        json!([{ "value": "1.5", "type": "VCPU" }, { "value": "4096", "type": "MEMORY" }])
    );
    let task = &submitted[1]["ecsPropertiesOverride"]["taskProperties"][0]["containers"][0];
    assert_eq!(task["name"], "kernel");
    assert!(command(task, "command").contains("--threads 3"), "{task}");
    let pod = &submitted[2]["eksPropertiesOverride"]["podProperties"]["containers"][0];
    assert_eq!(command(pod, "args"), said);
    assert_eq!(
        pod["resources"]["limits"],
        json!({ "cpu": "1.5", "memory": "4096Mi" })
    );
    let denied = |call: &croupier_tests::batch::Call| match call.operation.as_str() {
        "DescribeJobDefinitions" => Fault::Status(403, "AccessDeniedException"),
        _ => Fault::None,
    };
    bench.server.set_fault(denied);
    let error = bench
        .arrays()
        .start(&[0], None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("AccessDenied") && error.contains("policy"),
        "{error}"
    );
    let mut told = bench.engine(BatchOptions {
        override_kind: Some(OverrideKind::Container),
        ..options(Dealing::Arrays)
    });
    told.start(&[0], None).await.unwrap();
    let mut unknown = bench.engine(asked("worker:2", None));
    bench.server.set_fault(|_| Fault::None);
    let error = unknown.start(&[0], None).await.unwrap_err().to_string();
    assert!(
        error.contains("worker:2") && error.contains("no active one"),
        "{error}"
    );
}

#[tokio::test]
async fn cancelling_ends_parents_and_what_waits_and_reasons_say_so() {
    let bench = bench(
        8,
        false,
        Settings {
            slots: 3,
            ..Settings::default()
        },
    )
    .await;
    bench.server.set_fate(|start| match start.index {
        Some(1) => Fate::CannotStart,
        Some(2) => Fate::Exit(137),
        Some(3) => Fate::HostLost,
        _ => Fate::Hold,
    });
    let mut engine = bench.engine(BatchOptions {
        attempts: 1,
        ..options(Dealing::Arrays)
    });
    engine.start(&all(0..8), None).await.unwrap();
    bench.wait_for(Status::Failed, 3);
    bench.wait_for(Status::Running, 3);
    let mut other = bench.arrays();
    other.cancel().await.unwrap();
    bench.wait_for(Status::Failed, 8);
    assert_eq!(bench.server.count("TerminateJob"), 1);
    assert!(engine.at_work().await.unwrap().is_empty());
    let reasons = other.reasons().await.unwrap();
    assert_eq!(reasons.len(), 8);
    let of = |shard: u32| reasons.iter().find(|reason| reason.shard == shard).unwrap();
    assert!(
        of(1).reason.contains("CannotPullContainerError"),
        "{:?}",
        of(1)
    );
    assert_eq!(of(1).logs, None);
    assert!(of(2).reason.contains("exit code 137"), "{:?}", of(2));
    assert!(of(3).reason.contains("Host EC2"), "{:?}", of(3));
    assert!(of(7).reason.contains("run demo was stopped"), "{:?}", of(7));
    let logs = of(2).logs.as_ref().unwrap();
    assert!(
        logs.starts_with("aws logs get-log-events --region eu-west-1 --log-group-name /aws/batch/job --log-stream-name worker/default/"),
        "{logs}"
    );
    assert_eq!(reasons[0].shard, 1, "the worst are first");
}

#[tokio::test]
async fn a_driver_is_left_once() {
    let bench = bench(4, false, Settings::default()).await;
    bench.server.set_fate(|_| Fate::Hold);
    let arguments = ["drive", "--run", "demo"].map(str::to_owned);
    let id = bench.arrays().start_driver(&arguments).await.unwrap();
    assert_eq!(bench.arrays().start_driver(&arguments).await.unwrap(), id);
    let job = &bench.submitted()[0];
    assert_eq!(bench.submitted().len(), 1);
    assert_eq!(job["containerOverrides"]["command"], json!(arguments));
    assert!(job["arrayProperties"].is_null());
    assert!(
        bench.arrays().at_work().await.unwrap().is_empty(),
        "a driver is no shard"
    );
    bench.wait_for(Status::Running, 1);
    bench.server.release(1);
    bench.wait_for(Status::Succeeded, 1);
    assert_ne!(bench.arrays().start_driver(&arguments).await.unwrap(), id);
}

#[tokio::test]
async fn a_driver_may_have_a_definition_of_its_own() {
    let bench = bench(4, false, Settings::default()).await;
    bench.server.set_fate(|_| Fate::Hold);
    bench.server.define("conductor", Path::new("/bin/true"));
    let mut engine = bench.engine(BatchOptions {
        driver_job_definition: Some("conductor".to_owned()),
        ..options(Dealing::Arrays)
    });
    engine.start(&[0, 1, 2, 3], None).await.unwrap();
    let _ = engine.start_driver(&["drive".to_owned()]).await.unwrap();
    let submitted = bench.submitted();
    let definitions = submitted.iter().map(|job| &job["jobDefinition"]);
    assert_eq!(definitions.collect::<Vec<_>>(), ["worker", "conductor"]);
}

#[tokio::test]
async fn ten_thousand_shards_are_one_array_and_few_calls() {
    const SHARDS: u32 = 10_000;
    let bench = bench(
        25_000,
        false,
        Settings {
            slots: 20_000,
            ..Settings::default()
        },
    )
    .await;
    bench.server.set_fate(|_| Fate::Hold);
    let began = std::time::Instant::now();
    let mut engine = bench.arrays();
    engine.start(&all(0..SHARDS), None).await.unwrap();
    assert_eq!(bench.submitted().len(), 1);
    bench.wait_for(Status::Running, SHARDS as usize);
    let first = bench.server.calls().len();
    for left in [7_500, 5_000, 2_500, 40, 0] {
        let ended = SHARDS as usize - left;
        let jobs = bench.server.jobs();
        let before = jobs[0]
            .units
            .iter()
            .filter(|unit| unit.status == Status::Succeeded)
            .count();
        bench.server.release(ended - before);
        bench.wait_for(Status::Succeeded, ended);
        // The summary lags by one look.
        let _ = engine.at_work().await.unwrap();
        assert_eq!(engine.at_work().await.unwrap().len(), left);
    }
    let calls = bench.server.calls().split_off(first);
    let count = |operation: &str| {
        calls
            .iter()
            .filter(|call| call.operation == operation)
            .count()
    };
    println!(
        "10,000 shards: 1 SubmitJob, {} DescribeJobs and {} ListJobs in 10 looks, {:.1} s with the simulator",
        count("DescribeJobs"),
        count("ListJobs"),
        began.elapsed().as_secs_f64()
    );
    // One a look until it is at its end, and pages of 1,000 where there is news.
    assert!(count("DescribeJobs") <= 10, "{}", count("DescribeJobs"));
    assert!(
        count("ListJobs") <= 3 + 1 + 5 + 1 + 8 + 1 + 10 + 1 + 2,
        "{}",
        count("ListJobs")
    );
    // What is more than one array takes is several.
    engine.start(&all(0..25_000), None).await.unwrap();
    let sizes: Vec<Value> = bench.submitted()[1..]
        .iter()
        .map(|job| job["arrayProperties"]["size"].clone())
        .collect();
    assert_eq!(sizes, [10_000, 10_000, 5_000].map(|size| json!(size)));
    assert_eq!(bench.arrays().at_work().await.unwrap().len(), 25_000);
}

#[tokio::test]
async fn jobs_of_their_own_are_paced_and_gone_on_with_after_a_submitter_that_died() {
    const SHARDS: u32 = 250;
    let settings = Settings {
        slots: 1000,
        submits_per_second: Some(50),
        ..Settings::default()
    };
    let bench = bench(SHARDS, false, settings).await;
    bench.server.set_fate(|_| Fate::Hold);
    let dies = Arc::new(Notify::new());
    let dying = Arc::clone(&dies);
    // The submitter is gone before it hears that its 120th job was taken.
    bench.server.set_fault(move |call| {
        if call.operation == "SubmitJob" && call.nth == 119 {
            dying.notify_one();
            return Fault::DoneThenLost;
        }
        Fault::None
    });
    let each = options(Dealing::Each { per_second: 40 });
    let mut first = bench.engine(each.clone());
    let shards = all(0..SHARDS);
    tokio::select! {
        started = first.start(&shards, None) => panic!("it died: {started:?}"),
        () = dies.notified() => {}
    }
    drop(first);
    wait_until("the last is taken", || bench.server.jobs().len() == 120);
    let mut second = bench.engine(each);
    assert_eq!(second.at_work().await.unwrap().len(), 120);
    second.start(&shards, None).await.unwrap();
    let jobs = bench.server.jobs();
    let names: BTreeSet<&String> = jobs.iter().map(|job| &job.name).collect();
    assert_eq!((jobs.len(), names.len()), (250, 250));
    assert!(
        names.iter().all(|name| name.ends_with("-0")),
        "none is a second start"
    );
    assert_eq!(second.at_work().await.unwrap().len(), 250);
    // Nothing was refused for being too much, so nothing was submitted twice.
    assert_eq!(bench.submitted().len(), 250);
}

#[tokio::test]
async fn who_is_told_that_it_is_too_fast_slows_down_and_loses_nothing() {
    let settings = Settings {
        slots: 100,
        submits_per_second: Some(8),
        ..Settings::default()
    };
    let bench = bench(20, false, settings).await;
    bench.server.set_fate(|_| Fate::Hold);
    let mut engine = bench.engine(options(Dealing::Each { per_second: 50 }));
    engine.start(&all(0..20), None).await.unwrap();
    assert_eq!(bench.server.jobs().len(), 20);
    assert!(bench.submitted().len() > 20, "none was refused");
    assert_eq!(engine.at_work().await.unwrap().len(), 20);
}
