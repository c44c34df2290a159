//! Shards as processes of this machine.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, Semaphore, watch};

use super::{Engine, EngineError, WorkerCall};

/// Runs `<program> <arguments> --shard N` for each shard, so many at a time.
#[derive(Debug)]
pub struct Local {
    call: WorkerCall,
    environment: Vec<(OsString, OsString)>,
    driver_log: PathBuf,
    slots: Arc<Semaphore>,
    shared: Arc<Shared>,
    cancel: watch::Sender<bool>,
}

/// What an engine and the tasks that wait for its processes have in common.
#[derive(Debug, Default)]
struct Shared {
    at_work: Mutex<BTreeSet<u32>>,
    /// The first process that could not be started, until somebody is told.
    failure: Mutex<Option<EngineError>>,
    ended: Notify,
}

impl Shared {
    fn at_work(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self) -> MutexGuard<'_, Option<EngineError>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Local {
    /// At rest. `jobs` processes run at a time, with `environment` beside what this process has; what a driver says
    /// is appended to `driver_log`.
    pub fn new(
        call: WorkerCall,
        environment: Vec<(OsString, OsString)>,
        jobs: u32,
        driver_log: PathBuf,
    ) -> Self {
        Self {
            call,
            environment,
            driver_log,
            slots: Arc::new(Semaphore::new(jobs.max(1) as usize)),
            shared: Arc::default(),
            cancel: watch::Sender::new(false),
        }
    }

    fn command(&self, shard: u32) -> Command {
        let mut command = Command::new(&self.call.program);
        command
            .args(&self.call.arguments)
            .arg("--shard")
            .arg(shard.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

#[async_trait]
impl Engine for Local {
    async fn start(&mut self, shards: &[u32], _round: Option<u32>) -> Result<(), EngineError> {
        self.cancel.send_replace(false);
        for shard in shards {
            if !self.shared.at_work().insert(*shard) {
                continue;
            }
            let (shard, command) = (*shard, self.command(*shard));
            let (slots, shared) = (Arc::clone(&self.slots), Arc::clone(&self.shared));
            let cancelled = self.cancel.subscribe();
            tokio::spawn(async move {
                if let Err(error) = run_one(command, &slots, cancelled).await {
                    let what = format!("starting a worker on shard {shard}");
                    shared.failure().get_or_insert(failed(what, &error));
                }
                shared.at_work().remove(&shard);
                shared.ended.notify_one();
            });
        }
        Ok(())
    }

    async fn at_work(&mut self) -> Result<BTreeSet<u32>, EngineError> {
        match self.shared.failure().take() {
            Some(failure) => Err(failure),
            None => Ok(self.shared.at_work().clone()),
        }
    }

    async fn cancel(&mut self) -> Result<(), EngineError> {
        self.cancel.send_replace(true);
        Ok(())
    }

    async fn changed(&mut self) {
        self.shared.ended.notified().await;
    }

    fn needs_driver(&self) -> bool {
        true
    }

    /// A process of its own group, so that the end of a terminal or of this process does not reach it.
    async fn start_driver(&mut self, arguments: &[String]) -> Result<String, EngineError> {
        let log = self.driver_log.display();
        let failed =
            |error: io::Error| failed(format!("starting a driver that logs to {log}"), &error);
        let file = File::options()
            .append(true)
            .create(true)
            .open(&self.driver_log)
            .map_err(failed)?;
        let mut command = std::process::Command::new(&self.call.program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().map_err(failed)?)
            .stderr(file);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let driver = command.spawn().map_err(failed)?;
        Ok(format!("process {}, log {log}", driver.id()))
    }
}

/// That this machine does not start a process. It may later, where it has too many or too little memory now.
fn failed(what: String, error: &io::Error) -> EngineError {
    use io::ErrorKind::{ExecutableFileBusy, OutOfMemory, ResourceBusy, WouldBlock};
    EngineError {
        engine: "local",
        what,
        reason: error.to_string(),
        is_retryable: matches!(
            error.kind(),
            WouldBlock | OutOfMemory | ResourceBusy | ExecutableFileBusy
        ),
    }
}

/// Waits for a slot, starts a process, and waits for its end. How it ended is for its own record.
async fn run_one(
    mut command: Command,
    slots: &Semaphore,
    mut cancelled: watch::Receiver<bool>,
) -> io::Result<()> {
    let slot = tokio::select! {
        slot = slots.acquire() => slot,
        _ = cancelled.wait_for(|cancelled| *cancelled) => return Ok(()),
    };
    let Ok(_slot) = slot else { return Ok(()) };
    let mut child = command.spawn()?;
    tokio::select! {
        _ = child.wait() => return Ok(()),
        _ = cancelled.wait_for(|cancelled| *cancelled) => terminate(&child),
    }
    let _ = child.wait().await;
    Ok(())
}

/// Asks a process to end.
fn terminate(child: &Child) {
    #[cfg(unix)]
    if let Some(process) = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw)
    {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
    }
    #[cfg(not(unix))]
    let _ = child;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_that_can_not_be_started_is_told_of_once() {
        let call = WorkerCall {
            program: PathBuf::from("/no/such/program"),
            arguments: Vec::new(),
        };
        let mut engine = Local::new(call, Vec::new(), 2, PathBuf::from("log"));
        engine.start(&[7], None).await.unwrap();
        engine.changed().await;
        let error = engine.at_work().await.unwrap_err();
        assert!(!error.is_retryable);
        let said = error.to_string();
        for word in ["local", "shard 7", "No such file"] {
            assert!(said.contains(word), "{said}");
        }
        assert!(engine.at_work().await.unwrap().is_empty());
    }
}
