//! Calls of Slurm's programs.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::engine::EngineError;

pub(super) const ENGINE: &str = "slurm";

/// What a job hands on to what is submitted from inside it and would be taken for the new job's own, since Slurm does
/// not set it anew everywhere; and what would make `squeue` hide jobs.
const NOT_HANDED_ON: [&str; 14] = [
    "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_TASK_COUNT",
    "SLURM_ARRAY_TASK_MIN",
    "SLURM_ARRAY_TASK_MAX",
    "SLURM_ARRAY_TASK_STEP",
    "SLURM_CPUS_PER_TASK",
    "SLURM_JOB_END_TIME",
    "SLURM_RESTART_COUNT",
    "SQUEUE_ACCOUNT",
    "SQUEUE_NAMES",
    "SQUEUE_PARTITION",
    "SQUEUE_QOS",
    "SQUEUE_STATES",
    "SQUEUE_USERS",
];

/// What Slurm says where its controller is away, restarts, or has no room, all of which pass.
const PASSING: [&str; 6] = [
    "Unable to contact slurm controller",
    "Socket timed out",
    "Connection refused",
    "Zero Bytes were transmitted",
    "temporarily unable to accept job",
    "Resource temporarily unavailable",
];

/// How often one thing was tried.
#[derive(Debug, Default)]
pub(super) struct Retries(u32);

impl Retries {
    /// About five minutes with the seconds that each call takes, which is a controller's restart.
    const MOST: u32 = 12;
    const LONGEST_PAUSE: Duration = Duration::from_secs(30);

    /// Waits, where trying again may help.
    pub(super) async fn wait_after(&mut self, error: EngineError) -> Result<(), EngineError> {
        if !error.is_retryable || self.0 >= Self::MOST {
            return Err(error);
        }
        let pause = Duration::from_secs(1 << self.0.min(5)).min(Self::LONGEST_PAUSE);
        self.0 += 1;
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// What a call prints that may be repeated: it is, while the controller is away.
pub(super) async fn query(program: &str, arguments: &[&str]) -> Result<String, EngineError> {
    let mut retries = Retries::default();
    loop {
        match call(program, arguments, None).await {
            Ok(output) => return Ok(output),
            Err(error) => retries.wait_after(error).await?,
        }
    }
}

/// Submits a script, once; gives the job's id.
pub(super) async fn submit(arguments: &[String], script: &str) -> Result<String, EngineError> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = call("sbatch", &arguments, Some(script)).await?;
    // `17`, or `17;cluster`.
    let id = output.trim().split(';').next().unwrap_or_default();
    Ok(id.to_owned())
}

/// One call, with what it is to read.
pub(super) async fn call(
    program: &str,
    arguments: &[&str],
    input: Option<&str>,
) -> Result<String, EngineError> {
    let failed = |reason: String| EngineError {
        engine: ENGINE,
        what: std::iter::once(&program)
            .chain(arguments)
            .copied()
            .collect::<Vec<_>>()
            .join(" "),
        is_retryable: PASSING.iter().any(|passing| reason.contains(passing)),
        reason,
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(match input {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for name in NOT_HANDED_ON {
        command.env_remove(name);
    }
    let mut child = command.spawn().map_err(|error| {
        failed(format!(
            "{program} can't be started on this machine: {error}"
        ))
    })?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // Where it does not read, it says why.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child
        .wait_with_output()
        .await
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(match said.trim() {
            "" => output.status.to_string(),
            said => said.replace('\n', "; "),
        }));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
