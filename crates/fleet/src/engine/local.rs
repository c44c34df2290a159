//! Shards as processes of this machine.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
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
    ended: Notify,
}

impl Shared {
    fn at_work(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
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
                run_one(command, &slots, cancelled).await;
                shared.at_work().remove(&shard);
                shared.ended.notify_one();
            });
        }
        Ok(())
    }

    async fn at_work(&mut self) -> Result<BTreeSet<u32>, EngineError> {
        Ok(self.shared.at_work().clone())
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
        let failed = |error: std::io::Error| EngineError {
            engine: "local",
            what: format!(
                "starting a driver that logs to {}",
                self.driver_log.display()
            ),
            reason: error.to_string(),
        };
        let log = File::options()
            .append(true)
            .create(true)
            .open(&self.driver_log)
            .map_err(failed)?;
        let mut command = std::process::Command::new(&self.call.program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let driver = command.spawn().map_err(failed)?;
        Ok(format!(
            "process {}, log {}",
            driver.id(),
            self.driver_log.display()
        ))
    }
}

/// Waits for a slot, starts a process, and waits for its end. How it ended is for its own record.
async fn run_one(mut command: Command, slots: &Semaphore, mut cancelled: watch::Receiver<bool>) {
    let slot = tokio::select! {
        slot = slots.acquire() => slot,
        _ = cancelled.wait_for(|cancelled| *cancelled) => return,
    };
    let Ok(_slot) = slot else { return };
    let mut child = match command.spawn() {
        Ok(child) => child,
        // It is not at work, and has left no partial: a hole like any other.
        Err(_) => return,
    };
    tokio::select! {
        _ = child.wait() => return,
        _ = cancelled.wait_for(|cancelled| *cancelled) => terminate(&child),
    }
    let _ = child.wait().await;
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
