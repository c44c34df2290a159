//! `--on step-functions`. What its machine asks AWS Batch for is said by the flags of `--on aws-batch`.

use clap::Args;
use croupier_fleet::engine::{Engine, WorkerCall};
use croupier_run::Found;

use crate::CliError;
use crate::engines::BatchFlags;

// Executions of a state machine.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct StepFunctionsFlags {
    /// step-functions: the machine, by its ARN; --job-queue, --job-definition, --vcpus, --memory, --attempt-duration-seconds and --tags are its jobs', and --driver-job-queue and --driver-job-definition the last job's, which for rounds and --until must be a driver's [default of these: the machine's]
    #[arg(long, value_name = "ARN", value_parser = machine, help_heading = "Engine")]
    pub(crate) state_machine_arn: Option<String>,
    /// step-functions: how many shards at once, of a machine that starts a job for each; 0 is as many as there may be [default: the machine's]
    #[arg(long, value_name = "N", help_heading = "Engine")]
    pub(crate) max_concurrency: Option<u32>,
}

impl StepFunctionsFlags {
    /// Refuses to leave a run to a machine whose last job can't do what the run was planned for.
    pub(crate) async fn check_last_job(batch: &BatchFlags, run: &Found) -> Result<(), CliError> {
        if batch.driver_job_definition.is_some() || !needs_driver(run).await? {
            return Ok(());
        }
        Err(CliError::Usage(
            "--on step-functions: the run may need rounds or further segments, and the machine's last job only reduces: give --driver-job-definition, with --job-queue and --job-definition for what it starts, or --no-driver and then call `drive --on step-functions`".to_owned(),
        ))
    }
}

/// Whether more is to be done with the run than to start its shards and reduce.
async fn needs_driver(run: &Found) -> Result<bool, CliError> {
    Ok(run.policy().retries > 0 || !run.is_over().await?)
}

/// The engine.
#[cfg(feature = "aws")]
pub(crate) async fn open(
    flags: &StepFunctionsFlags,
    batch: &BatchFlags,
    run: &Found,
    call: WorkerCall,
) -> Result<Box<dyn Engine>, CliError> {
    use croupier_fleet::engine::{StepFunctions, StepFunctionsOptions};

    let machine = flags.state_machine_arn.clone();
    let machine = machine.ok_or_else(|| {
        CliError::Usage("--on step-functions needs --state-machine-arn".to_owned())
    })?;
    // What only looks at executions has no call.
    let starts = !call.arguments.is_empty();
    let has_driver = starts && batch.driver_job_definition.is_some() && needs_driver(run).await?;
    let finish_command = match has_driver {
        true => Some(driver(batch, run, &call)?),
        false => None,
    };
    let batch = batch.clone();
    let options = StepFunctionsOptions {
        state_machine_arn: machine,
        job_queue: batch.job_queue,
        job_definition: batch.job_definition,
        vcpus: batch.vcpus,
        memory_mib: batch.memory,
        attempt_duration_seconds: batch.attempt_duration_seconds,
        max_concurrency: flags.max_concurrency,
        tags: batch.tags,
        finish_command,
        finish_queue: batch.driver_job_queue,
        finish_definition: batch.driver_job_definition,
    };
    Ok(Box::new(StepFunctions::open(run, call, options).await?))
}

/// The engine is not in this program.
#[cfg(not(feature = "aws"))]
pub(crate) async fn open(
    _flags: &StepFunctionsFlags,
    _batch: &BatchFlags,
    _run: &Found,
    _call: WorkerCall,
) -> Result<Box<dyn Engine>, CliError> {
    Err(super::without_aws())
}

/// The last job as a driver. It starts jobs itself: as an execution it would wait for its own end.
#[cfg(feature = "aws")]
fn driver(batch: &BatchFlags, run: &Found, call: &WorkerCall) -> Result<Vec<String>, CliError> {
    let mut arguments = ["drive", "--run"].map(str::to_owned).to_vec();
    arguments.push(run.uri());
    // Its workers are called as those of the machine are.
    let workers = call.arguments.iter();
    let workers = workers.skip_while(|said| **said != run.uri()).skip(1);
    arguments.extend(workers.cloned());
    arguments.extend(["--on", "aws-batch"].map(str::to_owned));
    let mut say = |flag: &str, value: Option<String>| {
        arguments.extend(
            value
                .into_iter()
                .flat_map(|value| [format!("--{flag}"), value]),
        );
    };
    let needed = |flag: &str, value: &Option<String>| match value {
        Some(value) => Ok(Some(value.clone())),
        None => Err(CliError::Usage(format!(
            "--on step-functions: the last job starts jobs on AWS Batch itself and needs --{flag}"
        ))),
    };
    say("job-queue", needed("job-queue", &batch.job_queue)?);
    say(
        "job-definition",
        needed("job-definition", &batch.job_definition)?,
    );
    say("vcpus", batch.vcpus.map(|vcpus| vcpus.to_string()));
    say("memory", batch.memory.map(|mib| mib.to_string()));
    say("job-attempts", Some(batch.job_attempts.to_string()));
    let seconds = batch.attempt_duration_seconds;
    say(
        "attempt-duration-seconds",
        seconds.map(|seconds| seconds.to_string()),
    );
    for (key, value) in &batch.tags {
        say("tags", Some(format!("{key}={value}")));
    }
    Ok(arguments)
}

fn machine(text: &str) -> Result<String, String> {
    match text.starts_with("arn:") && text.contains(":states:") && text.contains(":stateMachine:") {
        true => Ok(text.to_owned()),
        false => Err(
            "expected an ARN, such as arn:aws:states:eu-west-1:123456789012:stateMachine:croupier-map"
                .to_owned(),
        ),
    }
}
