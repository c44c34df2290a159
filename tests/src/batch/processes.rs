//! Attempts: their processes, which are started, told to end, and killed.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::OwnedSemaphorePermit;

use super::Fate;
use super::jobs::Begun;
use super::operations::Batch;
use super::retry::Ending;

/// What AWS says of a container that ended by itself.
const EXITED: &str = "Essential container in task exited";
const HOST_LOST: &str = "Host EC2 (instance i-0123456789abcdef0) terminated.";

/// Where the words of a log stream are.
pub(super) fn log_file(directory: &Path, stream: &str) -> PathBuf {
    directory.join(format!("log-{}", stream.replace('/', "-")))
}

/// One attempt in its slot.
pub(super) async fn attempt(batch: Arc<Batch>, unit: (usize, usize), slot: OwnedSemaphorePermit) {
    let Some(begun) = batch.begin(unit) else {
        return;
    };
    let (deciding, start) = (Arc::clone(&batch), begun.start.clone());
    let fate = tokio::task::spawn_blocking(move || deciding.fate(&start)).await;
    let ending = live(&batch, unit, begun, fate.unwrap_or(Fate::CannotStart)).await;
    drop(slot);
    batch.end(unit, &ending);
}

async fn live(batch: &Batch, unit: (usize, usize), begun: Begun, fate: Fate) -> Ending {
    match fate {
        Fate::Run | Fate::HostLost => {}
        Fate::CannotStart => return cannot_start("CannotPullContainerError: manifest not found"),
        Fate::Exit(code) => {
            batch.running(unit, &begun.log_stream);
            return exited(Some(code));
        }
        Fate::Hold => {
            batch.running(unit, &begun.log_stream);
            return tokio::select! {
                () = batch.released() => exited(Some(0)),
                _ = begun.stop => Ending { is_final: true, ..exited(Some(143)) },
            };
        }
    }
    let mut child = match command(batch, &begun).spawn() {
        Ok(child) => child,
        Err(error) => {
            return cannot_start(&format!("CannotStartContainerError: {error}"));
        }
    };
    batch.running(unit, &begun.log_stream);
    if fate == Fate::HostLost {
        kill(&mut child).await;
        return Ending {
            status_reason: HOST_LOST.to_owned(),
            ..Ending::default()
        };
    }
    let timeout = async {
        match begun.terms.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        status = child.wait() => exited(status.ok().and_then(code)),
        Ok(()) = begun.stop => Ending {
            is_final: true,
            ..exited(stop(&mut child, batch.settings.stop_timeout).await)
        },
        () = timeout => Ending {
            is_final: true,
            status_reason: "Job attempt duration exceeded timeout".to_owned(),
            ..exited(stop(&mut child, batch.settings.stop_timeout).await)
        },
    }
}

fn command(batch: &Batch, begun: &Begun) -> Command {
    let mut command = Command::new(&begun.container.program);
    command
        .args(&begun.container.arguments)
        .current_dir(batch.directory())
        .env_clear()
        .envs(batch.settings.environment.iter().cloned())
        .envs(begun.container.environment.iter().cloned())
        .envs(begun.variables.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    // Without its log it runs all the same.
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log_file(batch.directory(), &begun.log_stream));
    if let Ok(log) = log
        && let Ok(same) = log.try_clone()
    {
        command.stdout(same).stderr(log);
    }
    command
}

/// SIGTERM to the container's first process, and after a while SIGKILL to all that it started.
async fn stop(child: &mut Child, stop_timeout: Duration) -> Option<i32> {
    if let Some(process) = process(child) {
        let _ = kill_process(process, Signal::TERM);
    }
    tokio::select! {
        status = child.wait() => status.ok().and_then(code),
        () = tokio::time::sleep(stop_timeout) => {
            kill(child).await;
            Some(137)
        }
    }
}

async fn kill(child: &mut Child) {
    if let Some(process) = process(child) {
        let _ = kill_process_group(process, Signal::KILL);
    }
    let _ = child.wait().await;
}

fn process(child: &Child) -> Option<Pid> {
    child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw)
}

/// As a container's engine tells it: 128 and the signal.
fn code(status: ExitStatus) -> Option<i32> {
    status.code().or(status.signal().map(|signal| 128 + signal))
}

fn exited(exit_code: Option<i32>) -> Ending {
    Ending {
        exit_code,
        status_reason: EXITED.to_owned(),
        ..Ending::default()
    }
}

fn cannot_start(reason: &str) -> Ending {
    Ending {
        status_reason: "Task failed to start".to_owned(),
        reason: Some(reason.to_owned()),
        ..Ending::default()
    }
}
