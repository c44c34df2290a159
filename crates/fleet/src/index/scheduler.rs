//! The schedulers and their habits. A new one is an arm in each of these functions; the compiler asks for them.

use std::fmt;

use super::IndexError;

/// What may start a shard and number it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheduler {
    /// AWS Batch array jobs.
    AwsBatch,
    /// Slurm job arrays.
    Slurm,
    /// Kubernetes Indexed Jobs.
    Kubernetes,
    /// Google Cloud Batch task groups.
    GoogleBatch,
    /// Google Cloud Run jobs.
    CloudRun,
    /// PBS Pro and OpenPBS array jobs.
    Pbs,
    /// Torque array jobs.
    Torque,
    /// LSF job arrays.
    Lsf,
    /// Array jobs of Sun, Univa, Altair and Open Grid Engine.
    GridEngine,
    /// The allocations of a Nomad task group.
    Nomad,
    /// GitLab jobs with `parallel`.
    GitLab,
}

/// What the numbers of a scheduler begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    FromZero,
    FromOne {
        /// The variable that tells how far one number is from the next.
        stride: Option<&'static str>,
    },
    /// Whatever the user of the scheduler wrote.
    Users,
}

/// A variable that tells how large a number may be, as the scheduler counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// How many numbers there are, without gaps.
    Count(&'static str),
    /// The last number.
    Last(&'static str),
}

impl Scheduler {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::AwsBatch,
        Self::Slurm,
        Self::Kubernetes,
        Self::GoogleBatch,
        Self::CloudRun,
        Self::Pbs,
        Self::Torque,
        Self::Lsf,
        Self::GridEngine,
        Self::Nomad,
        Self::GitLab,
    ];

    /// The scheduler of a name, or of an index variable.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn named(name: &str) -> Result<Self, IndexError> {
        Self::ALL
            .into_iter()
            .find(|scheduler| scheduler.name() == name || scheduler.variable() == name)
            .ok_or_else(|| IndexError::UnknownScheduler {
                name: name.to_owned(),
            })
    }

    /// What `--index-from` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AwsBatch => "aws-batch",
            Self::Slurm => "slurm",
            Self::Kubernetes => "kubernetes",
            Self::GoogleBatch => "google-batch",
            Self::CloudRun => "cloud-run",
            Self::Pbs => "pbs",
            Self::Torque => "torque",
            Self::Lsf => "lsf",
            Self::GridEngine => "sge",
            Self::Nomad => "nomad",
            Self::GitLab => "gitlab",
        }
    }

    /// The variable that holds the index.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::AwsBatch => "AWS_BATCH_JOB_ARRAY_INDEX",
            Self::Slurm => "SLURM_ARRAY_TASK_ID",
            Self::Kubernetes => "JOB_COMPLETION_INDEX",
            Self::GoogleBatch => "BATCH_TASK_INDEX",
            Self::CloudRun => "CLOUD_RUN_TASK_INDEX",
            Self::Pbs => "PBS_ARRAY_INDEX",
            Self::Torque => "PBS_ARRAYID",
            Self::Lsf => "LSB_JOBINDEX",
            Self::GridEngine => "SGE_TASK_ID",
            Self::Nomad => "NOMAD_ALLOC_INDEX",
            Self::GitLab => "CI_NODE_INDEX",
        }
    }

    pub(super) fn numbering(self) -> Numbering {
        match self {
            Self::AwsBatch
            | Self::Kubernetes
            | Self::GoogleBatch
            | Self::CloudRun
            | Self::Nomad => Numbering::FromZero,
            Self::Slurm | Self::Pbs | Self::Torque => Numbering::Users,
            Self::Lsf | Self::GitLab => Numbering::FromOne { stride: None },
            Self::GridEngine => Numbering::FromOne {
                stride: Some("SGE_TASK_STEPSIZE"),
            },
        }
    }

    pub(super) fn bound(self) -> Option<Bound> {
        match self {
            Self::AwsBatch => Some(Bound::Count("AWS_BATCH_JOB_ARRAY_SIZE")),
            Self::GoogleBatch => Some(Bound::Count("BATCH_TASK_COUNT")),
            Self::CloudRun => Some(Bound::Count("CLOUD_RUN_TASK_COUNT")),
            Self::GitLab => Some(Bound::Count("CI_NODE_TOTAL")),
            Self::Slurm => Some(Bound::Last("SLURM_ARRAY_TASK_MAX")),
            Self::GridEngine => Some(Bound::Last("SGE_TASK_LAST")),
            Self::Kubernetes | Self::Pbs | Self::Torque | Self::Lsf | Self::Nomad => None,
        }
    }

    /// What the variable holds in a job that is no array, where it is set nevertheless.
    pub(super) fn outside_array(self) -> Option<&'static str> {
        match self {
            Self::Lsf => Some("0"),
            Self::GridEngine => Some("undefined"),
            Self::AwsBatch
            | Self::Slurm
            | Self::Kubernetes
            | Self::GoogleBatch
            | Self::CloudRun
            | Self::Pbs
            | Self::Torque
            | Self::Nomad
            | Self::GitLab => None,
        }
    }
}

/// As people call it.
impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwsBatch => "AWS Batch",
            Self::Slurm => "Slurm",
            Self::Kubernetes => "Kubernetes",
            Self::GoogleBatch => "Google Cloud Batch",
            Self::CloudRun => "Cloud Run",
            Self::Pbs => "PBS",
            Self::Torque => "Torque",
            Self::Lsf => "LSF",
            Self::GridEngine => "Grid Engine",
            Self::Nomad => "Nomad",
            Self::GitLab => "GitLab",
        })
    }
}
