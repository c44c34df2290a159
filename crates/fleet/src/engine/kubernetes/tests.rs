use k8s_openapi::api::batch::v1::Job as RealJob;
use serde_json::Value;

use super::*;
use crate::engine::parts;

/// How many shards the run has.
const SHARDS: u32 = 200;

fn subject(policy: &str) -> Subject<'_> {
    Subject {
        name: "Pi_2026.11",
        uri: "s3://bucket/runs/Pi_2026.11",
        policy: policy.parse().unwrap(),
        at_most_once: false,
    }
}

fn options() -> KubernetesOptions {
    let quantities = |cpu: &str| {
        let pairs = [("cpu", cpu), ("memory", "4Gi")];
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    };
    KubernetesOptions {
        image: "registry.example/pi:1".to_owned(),
        namespace: Some("simulations".to_owned()),
        service_account: Some("runner".to_owned()),
        environment: vec![("AWS_REGION".to_owned(), "eu-central-1".to_owned())],
        requests: quantities("1500m"),
        limits: quantities("2"),
        parallelism: Some(50),
        termination_grace_period_seconds: 60,
        ttl_seconds_after_finished: Some(86_400),
    }
}

fn call() -> Vec<String> {
    let uri = "s3://bucket/runs/Pi_2026.11";
    ["shard", "--no-progress", "--run", uri]
        .map(str::to_owned)
        .into()
}

fn all(policy: &str) -> List {
    let of = subject(policy);
    let shards: Vec<u32> = (0..SHARDS).collect();
    let parts = parts(&shards, None, 150);
    let mut jobs = options().shard_jobs(&of, &call(), &parts);
    let wait = vec!["wait".to_owned(), "on".to_owned()];
    jobs.push(options().last_job(&of, &parts, wait));
    List::new(jobs)
}

fn job(policy: &str) -> Value {
    let list = serde_json::to_value(all(policy)).unwrap();
    list["items"][0].clone()
}

/// Kubernetes' own types take every field, and give it back: none is misspelled, at a wrong place, or of a wrong type.
#[test]
fn manifests_are_what_kubernetes_reads() {
    for policy in ["complete", "retry=3,tolerate=1%", "fail-fast"] {
        let yaml = all(policy).yaml().unwrap();
        let documents: Vec<&str> = yaml
            .split("---\n")
            .filter(|text| !text.is_empty())
            .collect();
        assert_eq!(documents.len(), 3);
        for document in documents {
            let ours: Value = serde_saphyr::from_str(document).unwrap();
            let real: RealJob = serde_json::from_value(ours.clone()).unwrap();
            assert_eq!(serde_json::to_value(&real).unwrap(), ours, "{document}");
        }
    }
}

#[test]
fn an_index_is_a_shard() {
    let list = serde_json::to_value(all("complete")).unwrap();
    let items = list["items"].as_array().unwrap();
    let spec = |job: usize| &items[job]["spec"];
    let args = |job: usize| spec(job)["template"]["spec"]["containers"][0]["args"].to_string();
    assert_eq!(items[0]["metadata"]["name"], "pi-2026-11-d38dcf83-s0-149");
    assert_eq!(items[1]["metadata"]["name"], "pi-2026-11-d38dcf83-s150-199");
    assert_eq!(
        items[2]["metadata"]["name"],
        "pi-2026-11-d38dcf83-s0-149-wait"
    );
    assert_eq!(spec(0)["completions"], 150);
    assert_eq!(spec(1)["completions"], 50);
    assert_eq!(spec(0)["completionMode"], "Indexed");
    assert_eq!(spec(0)["parallelism"], 50);
    assert!(!args(0).contains("--index-offset"), "{}", args(0));
    assert!(args(1).contains(r#""--index-offset","150""#), "{}", args(1));
    assert!(args(0).contains(r#""--threads","2""#), "{}", args(0));
}

#[test]
fn exit_codes_decide_what_is_repeated() {
    let spec = &job("retry=3")["spec"];
    assert_eq!(spec["backoffLimitPerIndex"], 3);
    assert_eq!(spec["template"]["spec"]["restartPolicy"], "Never");
    let rules = spec["podFailurePolicy"]["rules"].as_array().unwrap();
    let told: Vec<(&Value, &Value)> = rules
        .iter()
        .map(|rule| (&rule["action"], &rule["onExitCodes"]["values"]))
        .collect();
    let (fail, ignore) = (Value::from("FailIndex"), Value::from("Ignore"));
    assert_eq!(told[0], (&fail, &Value::from(vec![2, 4, 5, 6])));
    assert_eq!(told[1], (&ignore, &Value::from(vec![75])));
    assert_eq!(rules[2]["onPodConditions"][0]["type"], "DisruptionTarget");
    assert_eq!(rules[2]["action"], "Ignore");
}

#[test]
fn the_policy_says_how_many_may_fail() {
    let most = |policy: &str| job(policy)["spec"]["maxFailedIndexes"].clone();
    assert_eq!(most("complete"), Value::Null);
    assert_eq!(most("retry=2"), Value::Null);
    assert_eq!(most("fail-fast"), 0);
    assert_eq!(most("tolerate=7"), 7);
    assert_eq!(most("tolerate=500"), 150, "no more than the Job has");
}

/// A shard that failed near its end lacks few blocks: where the half of them is tolerated, all shards may fail so.
#[test]
fn no_number_of_failed_indexes_says_how_many_blocks_are_missing() {
    for policy in ["tolerate=0%", "retry=1,tolerate=1.5%", "tolerate=50%"] {
        let most = &job(policy)["spec"]["maxFailedIndexes"];
        assert_eq!(*most, Value::Null, "{policy}");
    }
}

#[test]
fn what_may_not_run_twice_is_not_repeated() {
    let of = Subject {
        at_most_once: true,
        ..subject("complete")
    };
    let jobs = options().shard_jobs(&of, &call(), &[Part::One(7)]);
    let job = serde_json::to_value(&jobs[0]).unwrap();
    assert_eq!(job["spec"]["backoffLimitPerIndex"], 0);
    let rules = job["spec"]["podFailurePolicy"]["rules"].as_array().unwrap();
    assert!(
        rules.iter().all(|rule| rule["action"] == "FailIndex"),
        "{rules:?}"
    );
    let args = job["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    assert!(args.contains(r#""--shard","7""#), "{args}");
}

#[test]
fn threads_are_processors() {
    let threads = |cpu: &str| {
        let requests = BTreeMap::from([("cpu".to_owned(), cpu.to_owned())]);
        let options = KubernetesOptions {
            requests,
            ..KubernetesOptions::default()
        };
        options.threads()
    };
    for (cpu, expected) in [("2", 2), ("500m", 1), ("1.5", 2), ("3000m", 3)] {
        assert_eq!(threads(cpu), Some(expected), "{cpu}");
    }
    for cpu in ["", "x", "-1", "1k", "NaN"] {
        assert_eq!(threads(cpu), None, "{cpu}");
    }
    assert_eq!(KubernetesOptions::default().threads(), None);
}

#[test]
fn names_are_short_enough_for_hosts() {
    let name = "X".repeat(100);
    let of = Subject {
        name: &name,
        ..subject("complete")
    };
    let part = Part::Range {
        first: u32::MAX - 9,
        count: 10,
    };
    let jobs = options().shard_jobs(&of, &call(), &[part]);
    let name = jobs[0].metadata.name.as_deref().unwrap();
    assert!(name.len() <= 57, "{name}");
}
