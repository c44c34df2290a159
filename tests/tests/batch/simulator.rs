//! What the engines' tests stand on: that the simulator does what AWS says that Batch does.

use std::path::Path;
use std::time::Duration;

use aws_sdk_batch::Client;
use aws_sdk_batch::config::retry::RetryConfig;
use aws_sdk_batch::error::ProvideErrorMetadata;
use aws_sdk_batch::operation::submit_job::builders::SubmitJobFluentBuilder;
use aws_sdk_batch::types::{
    ArrayProperties, ContainerOverrides, EvaluateOnExit, JobDependency, JobStatus, JobTimeout,
    KeyValuePair, KeyValuesPair, RetryAction, RetryStrategy,
};
use croupier_tests::batch::{BatchServer, Fate, Fault, Job, QUEUE, Settings, Status};
use croupier_tests::program::wait_until;
use tempfile::TempDir;

struct Bench {
    server: BatchServer,
    client: Client,
    directory: TempDir,
}

fn bench(settings: Settings) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let server = BatchServer::start(directory.path(), settings);
    server.define("shell", Path::new("/bin/sh"));
    let config = aws_sdk_batch::config::Builder::from(&server.sdk_config())
        .retry_config(RetryConfig::disabled())
        .build();
    Bench {
        server,
        client: Client::from_conf(config),
        directory,
    }
}

impl Bench {
    /// A job of one line of shell.
    fn job(&self, name: &str, script: &str) -> SubmitJobFluentBuilder {
        let overrides = ContainerOverrides::builder()
            .command("-c")
            .command(script)
            .environment(KeyValuePair::builder().name("SAID").value("so").build());
        self.client
            .submit_job()
            .job_name(name)
            .job_queue(QUEUE)
            .job_definition("shell")
            .container_overrides(overrides.build())
    }

    async fn submit(&self, job: SubmitJobFluentBuilder) -> String {
        job.send().await.unwrap().job_id().unwrap().to_owned()
    }

    fn ended(&self, name: &str) -> Job {
        wait_until("the job ends", || {
            let job = self.server.job(name).expect("the job");
            job.status().is_terminal()
        });
        self.server.job(name).unwrap()
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(file)).unwrap()
    }

    async fn names(&self, status: Option<JobStatus>, prefix: Option<&str>) -> Vec<String> {
        let filter = prefix.map(|prefix| {
            let name = KeyValuesPair::builder().name("JOB_NAME").values(prefix);
            vec![name.build()]
        });
        let listed = self
            .client
            .list_jobs()
            .job_queue(QUEUE)
            .set_job_status(status)
            .set_filters(filter)
            .send()
            .await
            .unwrap();
        let names = listed.job_summary_list().iter();
        names
            .map(|job| job.job_name().unwrap().to_owned())
            .collect()
    }
}

fn array(size: i32) -> ArrayProperties {
    ArrayProperties::builder().size(size).build()
}

fn strategy(rules: &[(&str, &str, RetryAction)]) -> RetryStrategy {
    let mut strategy = RetryStrategy::builder().attempts(3);
    for (condition, pattern, action) in rules {
        let rule = EvaluateOnExit::builder().action(action.clone());
        let rule = match *condition {
            "status" => rule.on_status_reason(*pattern),
            "code" => rule.on_exit_code(*pattern),
            _ => rule.on_reason(*pattern),
        };
        strategy = strategy.evaluate_on_exit(rule.build());
    }
    strategy.build()
}

#[tokio::test]
async fn children_have_their_variables_and_a_plain_job_has_no_index() {
    let bench = bench(Settings::default());
    let said = "echo $AWS_BATCH_JOB_ID $AWS_BATCH_JOB_ARRAY_INDEX $AWS_BATCH_JOB_ARRAY_SIZE \
        $AWS_BATCH_JOB_ATTEMPT $AWS_BATCH_JQ_NAME $SAID > said-${AWS_BATCH_JOB_ARRAY_INDEX-none}";
    let id = bench
        .submit(bench.job("many", said).array_properties(array(3)))
        .await;
    assert_eq!(bench.ended("many").status(), Status::Succeeded);
    for index in 0..3 {
        let expected = format!("{id}:{index} {index} 3 1 spot so\n");
        assert_eq!(bench.read(&format!("said-{index}")), expected);
    }
    let id = bench.submit(bench.job("one", said)).await;
    bench.ended("one");
    assert_eq!(bench.read("said-none"), format!("{id} 1 spot so\n"));
}

#[tokio::test]
async fn a_parent_is_at_its_end_when_all_children_are_and_its_summary_lags() {
    let bench = bench(Settings {
        slots: 2,
        ..Settings::default()
    });
    bench.server.set_fate(|start| match start.index {
        Some(0) => Fate::Exit(1),
        _ => Fate::Hold,
    });
    let id = bench
        .submit(bench.job("array", ":").array_properties(array(3)))
        .await;
    wait_until("two are at work", || {
        let units = bench.server.job("array").unwrap().units;
        let running = units.iter().filter(|unit| unit.status == Status::Running);
        running.count() == 2
    });
    let summary = async || {
        let described = bench.client.describe_jobs().jobs(&id).send().await.unwrap();
        let job = &described.jobs()[0];
        let properties = job.array_properties().unwrap();
        let summary = properties.status_summary().unwrap();
        (
            job.status().unwrap().clone(),
            summary["FAILED"],
            summary["RUNNING"],
        )
    };
    assert_eq!(summary().await, (JobStatus::Pending, 0, 0));
    assert_eq!(summary().await, (JobStatus::Pending, 1, 2));
    bench.server.release(2);
    bench.ended("array");
    assert_eq!(summary().await, (JobStatus::Failed, 1, 2));
    assert_eq!(summary().await, (JobStatus::Failed, 1, 0));
    // What depends on it never starts.
    let needs = JobDependency::builder().job_id(&id).build();
    bench
        .submit(bench.job("after", ":").depends_on(needs))
        .await;
    let after = bench.ended("after");
    assert_eq!(after.status(), Status::Failed);
    assert_eq!(after.units[0].attempts.len(), 0);
}

#[tokio::test]
async fn attempts_follow_the_rules() {
    let bench = bench(Settings::default());
    let rules = [
        ("status", "Host EC2*", RetryAction::Retry),
        ("code", "75", RetryAction::Retry),
        ("reason", "*", RetryAction::Exit),
    ];
    let once_75 = "test $AWS_BATCH_JOB_ATTEMPT = 2 || exit 75";
    for (name, script, attempts, status) in [
        ("stopped", once_75, 2, Status::Succeeded),
        ("failing", "exit 1", 1, Status::Failed),
        ("lost", "sleep 60", 3, Status::Failed),
    ] {
        if name == "lost" {
            bench.server.set_fate(|_| Fate::HostLost);
        }
        let job = bench.job(name, script).retry_strategy(strategy(&rules));
        bench.submit(job).await;
        let ended = bench.ended(name);
        assert_eq!(ended.status(), status, "{name}");
        assert_eq!(ended.units[0].attempts.len(), attempts, "{name}");
    }
    let reason = bench.server.job("lost").unwrap().units[0]
        .status_reason
        .clone();
    assert!(reason.unwrap().starts_with("Host EC2 (instance i-"));
}

#[tokio::test]
async fn jobs_are_told_to_end_and_then_killed_and_get_no_other_attempt() {
    let bench = bench(Settings {
        second: Duration::from_millis(2),
        stop_timeout: Duration::from_millis(100),
        ..Settings::default()
    });
    let again = strategy(&[]);
    let gentle = "trap 'exit 9' TERM; touch ready-$0; while :; do sleep 0.01; done";
    let stubborn = "trap '' TERM; touch ready-$0; while :; do sleep 0.01; done";
    for (name, script, code) in [("gentle", gentle, 9), ("stubborn", stubborn, 137)] {
        let script = script.replace("$0", name);
        let job = bench.job(name, &script).retry_strategy(again.clone());
        let id = bench.submit(job).await;
        let ready = bench.directory.path().join(format!("ready-{name}"));
        wait_until("it runs", || ready.exists());
        let terminate = bench.client.terminate_job().job_id(&id).reason("enough");
        terminate.send().await.unwrap();
        let unit = bench.ended(name).units.remove(0);
        assert_eq!(unit.attempts.len(), 1);
        assert_eq!(unit.attempts[0].exit_code, Some(code));
        assert_eq!(unit.status_reason.as_deref(), Some("enough"));
    }
    let limit = JobTimeout::builder().attempt_duration_seconds(60).build();
    let job = bench.job("late", "exec sleep 60").timeout(limit);
    bench.submit(job.retry_strategy(again)).await;
    let unit = bench.ended("late").units.remove(0);
    assert_eq!(unit.attempts.len(), 1);
    assert!(unit.status_reason.unwrap().contains("timeout"));
}

#[tokio::test]
async fn listings_are_as_narrow_as_theirs() {
    let bench = bench(Settings {
        slots: 1,
        lists_lag: 1,
        ..Settings::default()
    });
    bench.server.set_fate(|_| Fate::Hold);
    for name in ["Run-a", "run-b", "other"] {
        bench.submit(bench.job(name, ":")).await;
    }
    wait_until("one is at work", || {
        bench.server.jobs()[0].status() == Status::Running
    });
    assert_eq!(bench.names(None, Some("run-*")).await, [""; 0], "too new");
    assert_eq!(bench.names(None, Some("run-*")).await, ["run-b", "Run-a"]);
    assert_eq!(bench.names(None, None).await, ["Run-a"]);
    let runnable = bench.names(Some(JobStatus::Runnable), None).await;
    assert_eq!(runnable, ["other", "run-b"]);
    // A filter is not for a status.
    let other = bench.names(Some(JobStatus::Running), Some("OTHER")).await;
    assert_eq!(other, ["other"]);
    bench.server.set_fate(|_| Fate::Exit(0));
    bench.server.release(3);
    let id = bench
        .submit(bench.job("array", ":").array_properties(array(2500)))
        .await;
    bench.ended("array");
    let list = bench.client.list_jobs().array_job_id(&id);
    let mut pages = list
        .job_status(JobStatus::Succeeded)
        .into_paginator()
        .send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().job_summary_list().len());
    }
    assert_eq!(sizes, [1000, 1000, 500]);
}

#[tokio::test]
async fn what_aws_refuses_is_refused_and_answers_are_lost() {
    let bench = bench(Settings::default());
    let code = async |job: SubmitJobFluentBuilder| {
        let error = job.send().await.unwrap_err().into_service_error();
        error.code().map(str::to_owned)
    };
    let own = KeyValuePair::builder().name("AWS_BATCH_JOB_ARRAY_INDEX");
    let own = ContainerOverrides::builder().environment(own.value("7").build());
    let long = ContainerOverrides::builder().command("x".repeat(30 << 10));
    let wrong = [
        bench.job("a", ":").array_properties(array(1)),
        bench.job("a", ":").array_properties(array(10_001)),
        bench.job("a b", ":"),
        bench.job(&"n".repeat(129), ":"),
        bench.job("a", ":").job_definition("unknown"),
        bench.job("a", ":").container_overrides(own.build()),
        bench.job("a", ":").container_overrides(long.build()),
        bench.job("a", ":").tags("run", "a;b"),
        bench
            .job("a", ":")
            .timeout(JobTimeout::builder().attempt_duration_seconds(59).build()),
    ];
    for job in wrong {
        assert_eq!(code(job).await.as_deref(), Some("ClientException"));
    }
    assert!(bench.server.jobs().is_empty());
    bench.server.set_fault(|call| match call.nth {
        9 => Fault::Status(429, "TooManyRequestsException"),
        10 => Fault::DoneThenLost,
        _ => Fault::None,
    });
    let throttled = code(bench.job("throttled", ":")).await;
    assert_eq!(throttled.as_deref(), Some("TooManyRequestsException"));
    let lost = bench.job("lost", ":").send().await.unwrap_err();
    assert!(lost.as_service_error().is_none(), "{lost:?}");
    assert_eq!(bench.ended("lost").status(), Status::Succeeded);
    assert_eq!(bench.server.jobs().len(), 1);
}
