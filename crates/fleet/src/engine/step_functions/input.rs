//! The input of an execution, as `deploy/state-machines/README.md` has it: one document for the machine that starts a
//! job a shard and for the one that starts arrays.

use std::collections::BTreeMap;

use croupier_run::{Found, Policy, Tolerance};
use serde::{Deserialize, Serialize};

use super::options::StepFunctionsOptions;
use crate::engine::aws_batch::names::tag;
use crate::engine::aws_batch::request::TAG;
use crate::engine::{Part, parts};

/// The machine adds its defaults, and AWS takes 262,144.
const MOST_BYTES: usize = 240_000;
/// The largest array of AWS Batch.
const LARGEST_ARRAY: u32 = 10_000;

/// Why an input can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error("it would have {0} bytes, more than {MOST_BYTES}, even with arrays in place of items")]
    TooLong(usize),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    run: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<&'a [u32]>,
    arrays: Vec<Stretch>,
    command: Vec<String>,
    job_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_queue: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_definition: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Resource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerated_failure_percentage: Option<u32>,
    tags: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_command: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_queue: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_definition: Option<&'a str>,
}

/// Indexes in a row, as an array has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stretch {
    offset: u32,
    size: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    r#type: &'static str,
    value: String,
}

/// What an execution is started for.
pub(super) struct Subject<'a> {
    pub(super) uri: String,
    pub(super) name: &'a str,
    pub(super) policy: Policy,
    /// How many shards may be lost before the policy refuses the result; none where that is not told by their number.
    pub(super) tolerated: Option<u32>,
    /// The worker's call.
    pub(super) arguments: &'a [String],
}

impl<'a> Subject<'a> {
    pub(super) fn of(run: &'a Found, arguments: &'a [String]) -> Result<Self, croupier_run::Error> {
        Ok(Self {
            uri: run.uri(),
            name: run.name(),
            policy: run.policy(),
            tolerated: run.tolerated_shards()?,
            arguments,
        })
    }

    /// How many percent of `items` may fail before the machine ends the others: rounded up, so that the policy would
    /// refuse the result at that number too. None where all are to end: what is complete later costs its holes alone,
    /// and rounds mend what failed.
    fn tolerated_failure_percentage(&self, items: usize) -> Option<u32> {
        if self.policy.fail_fast {
            return Some(0);
        }
        if self.policy.retries > 0 || self.policy.tolerance == Tolerance::Nothing {
            return None;
        }
        let percent = (u64::from(self.tolerated?) * 100).div_ceil(items.max(1) as u64);
        u32::try_from(percent).ok().filter(|percent| *percent < 100)
    }
}

/// The document that starts `indexes`, which are those of `round` if there is one, and shards if not.
pub(super) fn input(
    subject: &Subject<'_>,
    options: &StepFunctionsOptions,
    job_name: &str,
    indexes: &[u32],
    round: Option<u32>,
) -> Result<String, InputError> {
    let mut command = subject.arguments.to_vec();
    if let Some(round) = round {
        command.extend(["--round".to_owned(), round.to_string()]);
    }
    let vcpus = options.vcpus.map(|vcpus| ("VCPU", vcpus.to_string()));
    let memory = options.memory_mib.map(|mib| ("MEMORY", mib.to_string()));
    let resources = vcpus.into_iter().chain(memory);
    let tags = options.tags.iter();
    let mut tags: BTreeMap<&str, String> = tags
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    tags.insert(TAG, tag(subject.name));
    let mut input = Input {
        run: subject.uri.clone(),
        items: Some(indexes),
        arrays: stretches(indexes),
        command,
        job_name,
        job_queue: options.job_queue.as_deref(),
        job_definition: options.job_definition.as_deref(),
        resources: resources
            .map(|(r#type, value)| Resource { r#type, value })
            .collect(),
        threads: options.vcpus.map(|vcpus| vcpus.ceil().max(1.0) as u64),
        attempt_seconds: options.attempt_duration_seconds,
        max_concurrency: options.max_concurrency,
        tolerated_failure_percentage: subject.tolerated_failure_percentage(indexes.len()),
        tags,
        finish_command: options.finish_command.as_deref(),
        finish_queue: options.finish_queue.as_deref(),
        finish_definition: options.finish_definition.as_deref(),
    };
    let mut text = serde_json::to_string(&input)?;
    if text.len() > MOST_BYTES {
        input.items = None;
        text = serde_json::to_string(&input)?;
    }
    match text.len() {
        bytes if bytes > MOST_BYTES => Err(InputError::TooLong(bytes)),
        _ => Ok(text),
    }
}

/// The indexes that an input starts.
pub(super) fn indexes(input: &str) -> Result<Vec<u32>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Started {
        items: Option<Vec<u32>>,
        #[serde(default)]
        arrays: Vec<Stretch>,
    }
    let started: Started = serde_json::from_str(input)?;
    let of_arrays = || {
        let arrays = started.arrays.iter();
        arrays
            .flat_map(|array| array.offset..array.offset.saturating_add(array.size))
            .collect()
    };
    Ok(started.items.unwrap_or_else(of_arrays))
}

fn stretches(indexes: &[u32]) -> Vec<Stretch> {
    let parts = parts(indexes, None, LARGEST_ARRAY).into_iter();
    parts
        .map(|part| Stretch {
            offset: match part {
                Part::One(index) => index,
                Part::Range { first, .. } => first,
                Part::Round { offset, .. } => offset,
            },
            size: part.count(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TOLERATED: u32 = 3;

    fn options() -> StepFunctionsOptions {
        StepFunctionsOptions {
            state_machine_arn: "arn:aws:states:eu-west-1:123456789012:stateMachine:map".to_owned(),
            job_queue: None,
            job_definition: None,
            vcpus: None,
            memory_mib: None,
            attempt_duration_seconds: None,
            max_concurrency: None,
            tags: Vec::new(),
            finish_command: None,
            finish_queue: None,
            finish_definition: None,
        }
    }

    fn made(
        options: &StepFunctionsOptions,
        policy: &str,
        indexes: &[u32],
        round: Option<u32>,
    ) -> Value {
        let arguments = ["shard", "--run", "s3://b/runs/demo"].map(str::to_owned);
        let subject = Subject {
            uri: "s3://b/runs/demo".to_owned(),
            name: "demo",
            policy: policy.parse().unwrap(),
            tolerated: Some(TOLERATED),
            arguments: &arguments,
        };
        let text = input(&subject, options, "demo-1-s0-7-0", indexes, round).unwrap();
        assert!(text.len() <= MOST_BYTES);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_shortest_input_leaves_out_what_has_a_default() {
        assert_eq!(
            made(&options(), "complete", &[0, 1, 7], None),
            json!({
                "run": "s3://b/runs/demo",
                "items": [0, 1, 7],
                "arrays": [{"offset": 0, "size": 2}, {"offset": 7, "size": 1}],
                "command": ["shard", "--run", "s3://b/runs/demo"],
                "jobName": "demo-1-s0-7-0",
                "tags": {"croupier:run": "demo"},
            })
        );
    }

    #[test]
    fn all_that_can_be_said_is_said_by_the_names_of_the_document() {
        let finish = ["drive", "--run", "s3://b/runs/demo"].map(str::to_owned);
        let options = StepFunctionsOptions {
            job_queue: Some("spot".to_owned()),
            job_definition: Some("work:3".to_owned()),
            vcpus: Some(2.5),
            memory_mib: Some(4096),
            attempt_duration_seconds: Some(900),
            max_concurrency: Some(0),
            tags: vec![("team".to_owned(), "risk".to_owned())],
            finish_command: Some(finish.to_vec()),
            finish_queue: Some("fargate".to_owned()),
            finish_definition: Some("drive".to_owned()),
            ..options()
        };
        assert_eq!(
            made(&options, "fail-fast", &[0, 1], Some(2)),
            json!({
                "run": "s3://b/runs/demo",
                "items": [0, 1],
                "arrays": [{"offset": 0, "size": 2}],
                "command": ["shard", "--run", "s3://b/runs/demo", "--round", "2"],
                "jobName": "demo-1-s0-7-0",
                "jobQueue": "spot",
                "jobDefinition": "work:3",
                "resources": [
                    {"Type": "VCPU", "Value": "2.5"},
                    {"Type": "MEMORY", "Value": "4096"},
                ],
                "threads": 3,
                "attemptSeconds": 900,
                "maxConcurrency": 0,
                "toleratedFailurePercentage": 0,
                "tags": {"team": "risk", "croupier:run": "demo"},
                "finishCommand": finish,
                "finishQueue": "fargate",
                "finishDefinition": "drive",
            })
        );
    }

    #[test]
    fn the_machine_stops_no_earlier_than_the_policy_refuses() {
        let percentage = |policy: &str, items: u32| {
            let indexes: Vec<u32> = (0..items).collect();
            let made = made(&options(), policy, &indexes, None);
            made.get("toleratedFailurePercentage")
                .and_then(Value::as_u64)
        };
        // Three may fail of each: more than 37.5 %, 1.5 %, 0.01 %.
        for (items, percent) in [(8, 38), (200, 2), (20_000, 1), (4, 75)] {
            assert_eq!(percentage("tolerate=1%", items), Some(percent));
            assert_eq!(percentage("tolerate=3", items), Some(percent));
        }
        assert_eq!(percentage("tolerate=3", 3), None);
        assert_eq!(percentage("fail-fast", 8), Some(0));
        for policy in ["complete", "retry=1", "retry=1,tolerate=1%"] {
            assert_eq!(percentage(policy, 8), None, "{policy}");
        }
    }

    #[test]
    fn what_is_started_is_read_back_with_items_and_without() {
        let all: Vec<u32> = (0..30_000).collect();
        for (indexes, has_items) in [(&all[..], true), (&[4, 9, 5][..], true)] {
            let made = made(&options(), "complete", indexes, None);
            assert_eq!(made.get("items").is_some(), has_items);
            assert_eq!(super::indexes(&made.to_string()).unwrap(), indexes);
        }
        let many: Vec<u32> = (0..60_000).collect();
        let made = made(&options(), "complete", &many, None);
        assert_eq!(made.get("items"), None);
        assert_eq!(made["arrays"].as_array().unwrap().len(), 6);
        assert_eq!(super::indexes(&made.to_string()).unwrap(), many);
    }
}
