//! What is asked for is submitted in the shape that the job definition has.

use croupier_fleet::engine::{BatchOptions, Dealing, Engine, OverrideKind};
use croupier_tests::batch::{Fate, Fault, Settings};
use croupier_tests::program::wait_until;
use serde_json::{Value, json};

use super::{all, bench, options};

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
