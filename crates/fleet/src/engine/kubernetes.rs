//! Shards as Indexed Jobs of Kubernetes, as manifests that somebody else applies: no rights at a cluster are needed
//! here, and none are taken.
//!
//! What an engine does elsewhere is written into the Jobs. Kubernetes repeats an index that failed, gives up one whose
//! kernel failed, and ends all where more have failed than the policy accepts. Another Job waits for the run and reduces it.

mod job;
mod yaml;

use std::collections::BTreeMap;

use croupier_run::{Digest, Policy, Tolerance};

use super::Part;
use job::{
    Container, EnvironmentVariable, ExitCodes, JobSpec, Metadata, PodCondition, PodFailurePolicy,
    PodSpec, PodTemplate, Resources, Rule,
};

pub use job::{Job, List};

/// Most indexes of one Job: beyond it Kubernetes bounds how many of them may fail.
pub const MOST_INDEXES: u32 = 100_000;

/// What pods are asked for, in Kubernetes' words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesOptions {
    /// The image, whose entry point is the program.
    pub image: String,
    /// The namespace; the one that is applied to, if left out.
    pub namespace: Option<String>,
    /// `serviceAccountName`.
    pub service_account: Option<String>,
    /// Variables, by name.
    pub environment: Vec<(String, String)>,
    /// Resource requests, such as `cpu` and `memory`.
    pub requests: BTreeMap<String, String>,
    /// Resource limits.
    pub limits: BTreeMap<String, String>,
    /// How many shards run at once; all, if left out.
    pub parallelism: Option<u32>,
    /// How long a pod that is told to end may take, in seconds.
    pub termination_grace_period_seconds: u32,
    /// After how many seconds a Job that has ended is removed; never, if left out.
    pub ttl_seconds_after_finished: Option<u32>,
}

/// What is known of a run, for its manifests.
#[derive(Clone, Debug)]
pub struct Subject<'r> {
    /// Its name.
    pub name: &'r str,
    /// Its URI.
    pub uri: &'r str,
    /// What may fail.
    pub policy: Policy,
    /// Whether no shard may be started twice.
    pub at_most_once: bool,
}

/// Will end the same way when it is repeated: bad input, bits that differ, a foreign build, a kernel that failed.
const HOPELESS: [i32; 4] = [2, 4, 5, 6];
/// The policy refuses the result, whoever reduces.
const REFUSED: i32 = 3;
/// Stopped in time: to be run again, and no failure.
const STOPPED: i32 = 75;
/// What a container is called.
const CONTAINER: &str = "croupier";
/// How often the last Job is started, where it fails for reasons that pass.
const LAST_JOB_RETRIES: u32 = 6;

impl KubernetesOptions {
    /// The threads of a shard: its processors, a part of one counting as one.
    pub fn threads(&self) -> Option<u64> {
        let cpu = self.limits.get("cpu").or(self.requests.get("cpu"))?;
        let cpus = match cpu.strip_suffix('m') {
            Some(thousandths) => thousandths.parse::<f64>().ok()? / 1000.0,
            None => cpu.parse().ok()?,
        };
        let is_number = (0.0..=65_535.0).contains(&cpus);
        is_number.then(|| (cpus.ceil() as u64).max(1))
    }

    /// One Job for each of `parts`, whose workers are called with `call`.
    pub fn shard_jobs(&self, of: &Subject<'_>, call: &[String], parts: &[Part]) -> Vec<Job> {
        let jobs = parts.iter();
        jobs.map(|part| self.shard_job(of, call, *part)).collect()
    }

    /// The Job beside those of `parts` that is called with `arguments`, to wait and to reduce: one pod, repeated where
    /// it fails for reasons that pass.
    pub fn last_job(&self, of: &Subject<'_>, parts: &[Part], arguments: Vec<String>) -> Job {
        let mut values = vec![REFUSED];
        values.extend(HOPELESS);
        values.sort_unstable();
        let spec = JobSpec {
            backoff_limit: Some(LAST_JOB_RETRIES),
            pod_failure_policy: PodFailurePolicy {
                rules: vec![
                    Rule::ignoring_disruption(),
                    Rule::on_exit("FailJob", values),
                ],
            },
            ..self.spec(of, arguments)
        };
        // Another name for another round.
        let first = parts.first().map(|part| format!("{part}-"));
        self.job(of, &format!("{}wait", first.unwrap_or_default()), spec)
    }

    fn shard_job(&self, of: &Subject<'_>, call: &[String], part: Part) -> Job {
        let mut arguments = call.to_vec();
        let mut say = |flag: &str, value: String| {
            if !arguments.iter().any(|argument| argument == flag) {
                arguments.extend([flag.to_owned(), value]);
            }
        };
        say("--index-from", "kubernetes".to_owned());
        if let Some(threads) = self.threads() {
            say("--threads", threads.to_string());
        }
        arguments.extend(part.arguments());
        let mut rules = vec![Rule::on_exit("FailIndex", HOPELESS.to_vec())];
        let mut retries = 0;
        if !of.at_most_once {
            retries = of.policy.retries;
            rules.push(Rule::on_exit("Ignore", vec![STOPPED]));
            rules.push(Rule::ignoring_disruption());
        }
        let spec = JobSpec {
            completion_mode: Some("Indexed"),
            completions: Some(part.count()),
            parallelism: Some(self.parallelism.unwrap_or(u32::MAX).min(part.count())),
            backoff_limit_per_index: Some(retries),
            max_failed_indexes: may_fail(of).map(|most| most.min(part.count())),
            pod_failure_policy: PodFailurePolicy { rules },
            ..self.spec(of, arguments)
        };
        self.job(of, &part.to_string(), spec)
    }

    fn job(&self, of: &Subject<'_>, part: &str, spec: JobSpec) -> Job {
        Job {
            api_version: "batch/v1",
            kind: "Job",
            metadata: Metadata {
                name: Some(format!("{}-{part}", label(of))),
                namespace: self.namespace.clone(),
                labels: labels(of),
                annotations: BTreeMap::from([("croupier-run", of.uri.to_owned())]),
            },
            spec,
        }
    }

    /// What all Jobs have.
    fn spec(&self, of: &Subject<'_>, arguments: Vec<String>) -> JobSpec {
        let variable = |(name, value): &(String, String)| EnvironmentVariable {
            name: name.clone(),
            value: value.clone(),
        };
        JobSpec {
            ttl_seconds_after_finished: self.ttl_seconds_after_finished,
            template: PodTemplate {
                metadata: Metadata {
                    labels: labels(of),
                    ..Metadata::default()
                },
                spec: PodSpec {
                    restart_policy: "Never",
                    service_account_name: self.service_account.clone(),
                    termination_grace_period_seconds: self.termination_grace_period_seconds,
                    containers: vec![Container {
                        name: CONTAINER,
                        image: self.image.clone(),
                        args: arguments,
                        env: self.environment.iter().map(variable).collect(),
                        resources: Resources {
                            requests: self.requests.clone(),
                            limits: self.limits.clone(),
                        },
                    }],
                },
            },
            ..JobSpec::default()
        }
    }
}

impl Rule {
    fn on_exit(action: &'static str, values: Vec<i32>) -> Self {
        Self {
            action,
            on_exit_codes: Some(ExitCodes {
                container_name: CONTAINER,
                operator: "In",
                values,
            }),
            on_pod_conditions: None,
        }
    }

    /// A node that was drained or a pod that was preempted is nobody's failure.
    fn ignoring_disruption() -> Self {
        Self {
            action: "Ignore",
            on_exit_codes: None,
            on_pod_conditions: Some(vec![PodCondition {
                kind: "DisruptionTarget",
                status: "True",
            }]),
        }
    }
}

/// How many indexes may fail before the others are ended, since the result would be refused whatever they give; none
/// where that can't be told from a count of indexes.
fn may_fail(of: &Subject<'_>) -> Option<u32> {
    if of.policy.fail_fast {
        return Some(0);
    }
    match of.policy.tolerance {
        Tolerance::Nothing => None,
        Tolerance::Shards(shards) => Some(shards),
        // Blocks are counted, and shards that failed have published some of theirs: any number of them may be accepted.
        Tolerance::Blocks(_) => None,
    }
}

/// The run's name as a label takes it: small letters, digits and hyphens, with the digest of its URI. Pods of an
/// Indexed Job are hosts, so that a Job's name may have 57 letters.
fn label(of: &Subject<'_>) -> String {
    const MOST: usize = 24;
    let plain = |letter: char| match letter.to_ascii_lowercase() {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '-',
    };
    let name: String = of.name.chars().map(plain).take(MOST).collect();
    let digest = Digest::of_bytes(of.uri.as_bytes()).to_string();
    format!("{}-{}", name.trim_matches('-'), &digest[..8])
}

fn labels(of: &Subject<'_>) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name", "croupier".to_owned()),
        ("app.kubernetes.io/instance", label(of)),
    ])
}

#[cfg(test)]
mod tests;
