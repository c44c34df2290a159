//! `--on aws-batch` and `--on aws-batch-each`. Flags are called as the AWS CLI calls them.

use clap::Args;
use croupier_fleet::engine::{Engine, WorkerCall};
use croupier_run::Found;

use crate::CliError;

// Jobs of AWS Batch.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct BatchFlags {
    /// aws-batch: the queue, by its name or ARN
    #[arg(long, value_name = "QUEUE", help_heading = "Engine")]
    pub(crate) job_queue: Option<String>,
    /// aws-batch: the job definition, as NAME, NAME:REVISION or its ARN; its image's entry point is this program
    #[arg(long, value_name = "DEFINITION", help_heading = "Engine")]
    pub(crate) job_definition: Option<String>,
    /// aws-batch: vCPUs of a shard, and its threads [default: the definition's]
    #[arg(long, value_name = "N", value_parser = vcpus, help_heading = "Engine")]
    pub(crate) vcpus: Option<f64>,
    /// aws-batch: memory of a shard in MiB [default: the definition's]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(4..), help_heading = "Engine")]
    pub(crate) memory: Option<u32>,
    /// aws-batch: how often a shard is started where its host is lost or its time is up, 1 to 10
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10), help_heading = "Engine")]
    pub(crate) job_attempts: u32,
    /// aws-batch: how long each of these may take, 60 or more [default: the definition's]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(60..), help_heading = "Engine")]
    pub(crate) attempt_duration_seconds: Option<u32>,
    /// aws-batch: whose share of the queue is used
    #[arg(long, value_name = "NAME", help_heading = "Engine")]
    pub(crate) share_identifier: Option<String>,
    /// aws-batch: the priority within that share
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..=9999), help_heading = "Engine")]
    pub(crate) scheduling_priority_override: Option<i32>,
    /// aws-batch: tags of the jobs, beside croupier:run
    #[arg(long, value_name = "KEY=VALUE,...", value_delimiter = ',', value_parser = tag, help_heading = "Engine")]
    pub(crate) tags: Vec<(String, String)>,
    /// aws-batch: give a job's tags to its ECS task too
    #[arg(long, help_heading = "Engine")]
    pub(crate) propagate_tags: bool,
    /// aws-batch: the definition's kind, container, ecs or eks, where it can't be looked up
    #[arg(long, value_name = "KIND", help_heading = "Engine")]
    pub(crate) override_kind: Option<String>,
    /// aws-batch: which container of a task or pod is the worker [default: the first one]
    #[arg(long, value_name = "NAME", help_heading = "Engine")]
    pub(crate) container_name: Option<String>,
    /// aws-batch: the driver's queue, such as one that is never interrupted; in the shards' own it waits behind them [default: --job-queue]
    #[arg(long, value_name = "QUEUE", help_heading = "Engine")]
    pub(crate) driver_job_queue: Option<String>,
    /// aws-batch: the driver's job definition, such as one whose role may submit jobs [default: --job-definition]
    #[arg(long, value_name = "NAME[:REVISION]", help_heading = "Engine")]
    pub(crate) driver_job_definition: Option<String>,
    /// aws-batch: the driver's vCPUs [default: the definition's]
    #[arg(long, value_name = "N", value_parser = vcpus, help_heading = "Engine")]
    pub(crate) driver_vcpus: Option<f64>,
    /// aws-batch: the driver's memory in MiB [default: the definition's]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(4..), help_heading = "Engine")]
    pub(crate) driver_memory: Option<u32>,
    /// aws-batch-each: how many jobs are submitted a second; AWS takes 50 of an account
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=50), help_heading = "Engine")]
    pub(crate) submit_rate: u32,
}

impl BatchFlags {
    /// How many threads a shard is given.
    pub(crate) fn threads(&self) -> Option<u64> {
        self.vcpus.map(|vcpus| vcpus.ceil() as u64)
    }
}

/// The engine; `each` has every shard as a job of its own.
#[cfg(feature = "aws")]
pub(crate) async fn open(
    flags: &BatchFlags,
    run: &Found,
    call: WorkerCall,
    each: bool,
) -> Result<Box<dyn Engine>, CliError> {
    use croupier_fleet::engine::{AwsBatch, BatchOptions, Dealing};

    let missing = |flag: &str| CliError::Usage(format!("--on aws-batch needs --{flag}"));
    let flags = flags.clone();
    // What only looks at jobs has no call.
    if flags.job_definition.is_none() && !call.arguments.is_empty() {
        return Err(missing("job-definition"));
    }
    let override_kind = flags.override_kind.map(|kind| kind.parse());
    let override_kind = override_kind
        .transpose()
        .map_err(|reason| CliError::Usage(format!("--override-kind: {reason}")))?;
    let options = BatchOptions {
        job_queue: flags.job_queue.ok_or_else(|| missing("job-queue"))?,
        job_definition: flags.job_definition,
        vcpus: flags.vcpus,
        memory_mib: flags.memory,
        attempts: flags.job_attempts,
        attempt_duration_seconds: flags.attempt_duration_seconds,
        share_identifier: flags.share_identifier,
        scheduling_priority_override: flags.scheduling_priority_override,
        tags: flags.tags,
        propagate_tags: flags.propagate_tags,
        override_kind,
        container: flags.container_name,
        driver_job_queue: flags.driver_job_queue,
        driver_job_definition: flags.driver_job_definition,
        driver_vcpus: flags.driver_vcpus,
        driver_memory_mib: flags.driver_memory,
        dealing: match each {
            true => Dealing::Each {
                per_second: flags.submit_rate,
            },
            false => Dealing::Arrays,
        },
    };
    Ok(Box::new(AwsBatch::open(run, call, options).await?))
}

/// The engine is not in this program.
#[cfg(not(feature = "aws"))]
pub(crate) async fn open(
    _flags: &BatchFlags,
    _run: &Found,
    _call: WorkerCall,
    _each: bool,
) -> Result<Box<dyn Engine>, CliError> {
    Err(super::without_aws())
}

fn vcpus(text: &str) -> Result<f64, String> {
    let vcpus = text.parse().ok();
    vcpus
        .filter(|vcpus: &f64| (0.25..=1024.0).contains(vcpus) && (vcpus * 4.0).fract() == 0.0)
        .ok_or_else(|| "expected a multiple of 0.25, such as 4".to_owned())
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE, such as team=risk".to_owned()),
    }
}
