//! What jobs are asked for, in the words of the AWS CLI.

use std::str::FromStr;

/// How jobs are submitted, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchOptions {
    /// `--job-queue`: a queue's name or ARN.
    pub job_queue: String,
    /// `--job-definition`: a name, a name and a revision, or an ARN. Only what starts jobs needs it.
    pub job_definition: Option<String>,
    /// vCPUs of a shard, which are also a worker's threads; the definition's, if left out.
    pub vcpus: Option<f64>,
    /// Memory of a shard in MiB; the definition's, if left out.
    pub memory_mib: Option<u32>,
    /// How often Batch starts a shard, 1 to 10, where its host is lost or it was stopped in time.
    pub attempts: u32,
    /// How long an attempt may take, 60 or more; the definition's, if left out. Batch starts none after it.
    pub attempt_duration_seconds: Option<u32>,
    /// `--share-identifier`.
    pub share_identifier: Option<String>,
    /// `--scheduling-priority-override`.
    pub scheduling_priority_override: Option<i32>,
    /// `--tags`, beside the one with the run's name.
    pub tags: Vec<(String, String)>,
    /// `--propagate-tags`.
    pub propagate_tags: bool,
    /// What of a job is overridden, where the definition can't be looked up.
    pub override_kind: Option<OverrideKind>,
    /// Which container of a task or pod is the worker; the first one, if left out.
    pub container: Option<String>,
    /// The driver's queue, if it is another one: one that is not interrupted, say.
    pub driver_job_queue: Option<String>,
    /// The driver's definition, if it is another one: one whose role may submit jobs.
    pub driver_job_definition: Option<String>,
    /// The driver's vCPUs.
    pub driver_vcpus: Option<f64>,
    /// The driver's memory in MiB.
    pub driver_memory_mib: Option<u32>,
    /// Whether shards are children of arrays.
    pub dealing: Dealing,
}

/// How shards become jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dealing {
    /// As children of arrays.
    Arrays,
    /// Each as a job of its own.
    Each {
        /// So many are submitted a second at most. AWS takes 50 of an account.
        per_second: u32,
    },
}

impl Dealing {
    /// The engine's name.
    pub(super) fn engine(self) -> &'static str {
        match self {
            Self::Arrays => "aws-batch",
            Self::Each { .. } => "aws-batch-each",
        }
    }

    pub(super) fn per_second(self) -> Option<u32> {
        match self {
            Self::Arrays => None,
            Self::Each { per_second } => Some(per_second),
        }
    }
}

/// Which properties a definition has, and so by which a job overrides them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverrideKind {
    /// `containerProperties`.
    Container,
    /// `ecsProperties`.
    Ecs,
    /// `eksProperties`.
    Eks,
}

impl FromStr for OverrideKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "container" => Ok(Self::Container),
            "ecs" => Ok(Self::Ecs),
            "eks" => Ok(Self::Eks),
            _ => Err("expected container, ecs or eks".to_owned()),
        }
    }
}
