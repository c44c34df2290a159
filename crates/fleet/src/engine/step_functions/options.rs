//! What an execution is asked for, in the words of the AWS CLI where it has some.

/// Which machine starts shards, and how. What is left out is the machine's own.
#[derive(Clone, Debug, PartialEq)]
pub struct StepFunctionsOptions {
    /// `--state-machine-arn`.
    pub state_machine_arn: String,
    /// The shards' queue.
    pub job_queue: Option<String>,
    /// The shards' job definition.
    pub job_definition: Option<String>,
    /// vCPUs of a shard, which are also a worker's threads.
    pub vcpus: Option<f64>,
    /// Memory of a shard in MiB.
    pub memory_mib: Option<u32>,
    /// How long an attempt may take, 60 or more.
    pub attempt_duration_seconds: Option<u32>,
    /// How many shards at once; 0 is as many as there may be.
    pub max_concurrency: Option<u32>,
    /// Tags of the jobs, beside the one with the run's name.
    pub tags: Vec<(String, String)>,
    /// What the last job runs; it reduces, if left out.
    pub finish_command: Option<Vec<String>>,
    /// The last job's queue.
    pub finish_queue: Option<String>,
    /// The last job's definition.
    pub finish_definition: Option<String>,
}
