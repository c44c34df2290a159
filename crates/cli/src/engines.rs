//! What `--on` names: the engines, each with flags of its own.
//!
//! (Plain comments on the groups: clap would take documentation for the verb's help.)

mod batch;
mod kubernetes;
mod local;
mod slurm;
mod step_functions;

use std::ffi::OsStr;

use clap::{ArgMatches, Args, Command, ValueEnum};
use croupier_fleet::engine::{Engine, WorkerCall};
use croupier_run::Found;

use crate::flags::{ClaimFlags, StoreFlags, WorkFlags};
use crate::{CliError, environment};

pub(crate) use batch::BatchFlags;
pub(crate) use kubernetes::{KubernetesFlags, print as print_manifests};
pub(crate) use local::LocalFlags;
pub(crate) use slurm::SlurmFlags;
pub(crate) use step_functions::StepFunctionsFlags;

/// An engine's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineName {
    /// Processes of this machine
    Local,
    /// Array jobs of AWS Batch
    AwsBatch,
    /// Jobs of AWS Batch, one for each shard
    AwsBatchEach,
    /// Jobs of AWS Batch that a state machine starts
    StepFunctions,
    /// Job arrays of Slurm
    Slurm,
    /// Manifests of Indexed Jobs, for somebody to apply
    Kubernetes,
}

impl EngineName {
    /// As `--on` spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::AwsBatch => "aws-batch",
            Self::AwsBatchEach => "aws-batch-each",
            Self::StepFunctions => "step-functions",
            Self::Slurm => "slurm",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// Whether it is AWS that starts shards.
    fn is_of_aws(self) -> bool {
        matches!(
            self,
            Self::AwsBatch | Self::AwsBatchEach | Self::StepFunctions
        )
    }
}

// Where shards run.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct EngineFlags {
    /// What starts shards [default: local]
    #[arg(long, value_name = "ENGINE", help_heading = "Engine")]
    pub(crate) on: Option<EngineName>,
    #[command(flatten)]
    pub(crate) local: LocalFlags,
    #[command(flatten)]
    pub(crate) batch: BatchFlags,
    #[command(flatten)]
    pub(crate) step_functions: StepFunctionsFlags,
    #[command(flatten)]
    pub(crate) slurm: SlurmFlags,
    #[command(flatten)]
    pub(crate) kubernetes: KubernetesFlags,
}

impl EngineFlags {
    pub(crate) fn name(&self) -> EngineName {
        self.on.unwrap_or(EngineName::Local)
    }

    /// How many threads a shard is given, where the engine's flags say so.
    pub(crate) fn threads(&self) -> Option<u64> {
        match self.name() {
            EngineName::Local => None,
            EngineName::AwsBatch | EngineName::AwsBatchEach | EngineName::StepFunctions => {
                self.batch.threads()
            }
            EngineName::Slurm => Some(self.slurm.cpus_per_task.into()),
            EngineName::Kubernetes => self.kubernetes.threads(),
        }
    }

    /// Checks what can be told before there is a run.
    pub(crate) fn check(&self) -> Result<(), CliError> {
        if !cfg!(feature = "aws") && self.name().is_of_aws() {
            return Err(without_aws());
        }
        let batch = &self.batch;
        let needed = match self.name() {
            EngineName::Local | EngineName::Slurm => Vec::new(),
            EngineName::AwsBatch | EngineName::AwsBatchEach => vec![
                ("job-definition", batch.job_definition.is_some()),
                ("job-queue", batch.job_queue.is_some()),
            ],
            EngineName::StepFunctions => vec![(
                "state-machine-arn",
                self.step_functions.state_machine_arn.is_some(),
            )],
            EngineName::Kubernetes => {
                vec![("container-image", self.kubernetes.container_image.is_some())]
            }
        };
        match needed.iter().find(|(_, is_there)| !is_there) {
            None => Ok(()),
            Some((flag, _)) => Err(CliError::Usage(format!(
                "--on {} needs --{flag}",
                self.name().name()
            ))),
        }
    }

    /// The engine for `run`, whose workers are called by `call`.
    pub(crate) async fn open(
        &self,
        run: &Found,
        call: WorkerCall,
    ) -> Result<Box<dyn Engine>, CliError> {
        match self.name() {
            EngineName::Local => Ok(Box::new(local::open(&self.local, run, call))),
            EngineName::AwsBatch => batch::open(&self.batch, run, call, false).await,
            EngineName::AwsBatchEach => batch::open(&self.batch, run, call, true).await,
            EngineName::StepFunctions => {
                step_functions::open(&self.step_functions, &self.batch, run, call).await
            }
            EngineName::Slurm => Ok(Box::new(slurm::open(&self.slurm, run, call))),
            EngineName::Kubernetes => Err(CliError::Usage(
                "--on kubernetes only goes with `launch`, which prints what you apply; the rest is kubectl's, and `status`, `wait`, `reduce` and `cancel` work without --on".to_owned(),
            )),
        }
    }

    /// The engine for looking at `run`, or ending it, where one is named that can be asked: it starts nothing. Of
    /// Kubernetes `kubectl` tells, and the store.
    pub(crate) async fn asked(&self, run: &Found) -> Result<Option<Box<dyn Engine>>, CliError> {
        if matches!(self.on, None | Some(EngineName::Kubernetes)) {
            return Ok(None);
        }
        let call = WorkerCall {
            program: environment::executable().map_err(no_executable)?,
            arguments: Vec::new(),
        };
        self.open(run, call).await.map(Some)
    }
}

/// The engines of AWS are not in this program.
pub(crate) fn without_aws() -> CliError {
    CliError::Usage(
        "this program was built without the engines of AWS: build it with the feature `aws` of croupier"
            .to_owned(),
    )
}

/// How the workers of `run` are called, but for their shard.
pub(crate) fn worker_call(
    run: &Found,
    work: &WorkFlags,
    claim: &ClaimFlags,
    store: &StoreFlags,
) -> Result<WorkerCall, CliError> {
    let mut arguments: Vec<String> = ["shard", "--no-progress", "--run"]
        .map(str::to_owned)
        .into();
    arguments.push(run.uri());
    let mut say = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    say("--checkpoint", milliseconds(work.checkpoint));
    say("--store-timeout", milliseconds(store.store_timeout));
    if let Some(threads) = work.threads {
        say("--threads", threads.to_string());
    }
    if let Some(deadline) = work.deadline {
        say("--deadline", milliseconds(deadline));
    }
    if let Some(tracker) = &claim.tracker.tracker {
        say("--tracker", tracker.clone());
        say("--max-attempts", claim.max_attempts.to_string());
    }
    if work.allow_other_build {
        arguments.push("--allow-other-build".to_owned());
    }
    let program = environment::executable().map_err(no_executable)?;
    Ok(WorkerCall { program, arguments })
}

/// The call of a driver of `run`, on the engine and with the flags that this call was given.
pub(crate) fn driver_arguments(run: &Found, matches: &ArgMatches) -> Vec<String> {
    let mut arguments = vec!["drive".to_owned(), "--run".to_owned(), run.uri()];
    let groups = Command::new("driver");
    let groups = EngineFlags::augment_args(groups);
    let groups = ClaimFlags::augment_args(WorkFlags::augment_args(groups));
    for argument in groups.get_arguments() {
        let id = argument.get_id().as_str();
        let values: Vec<&OsStr> = matches.get_raw(id).into_iter().flatten().collect();
        // What a target says looks like a default, and is not the driver's.
        let is_said = values != argument.get_default_values();
        let Some(long) = argument.get_long().filter(|_| is_said) else {
            continue;
        };
        if !argument.get_action().takes_values() {
            if matches.get_flag(id) {
                arguments.push(format!("--{long}"));
            }
            continue;
        }
        let values = values.into_iter();
        arguments.extend(values.flat_map(|value| [format!("--{long}"), text(value)]));
    }
    arguments
}

fn no_executable(error: std::io::Error) -> CliError {
    CliError::System {
        what: "this program's own file can't be found",
        error,
    }
}

fn text(value: &OsStr) -> String {
    value.to_string_lossy().into_owned()
}

fn milliseconds(time: std::time::Duration) -> String {
    format!("{}ms", time.as_millis())
}
