//! A parent for every worker that a scheduler starts: so that one that is killed, or runs out of memory, leaves a
//! record of why.
//!
//! The parent does nothing else: it holds almost no memory, hands on what the worker says and the signals it gets,
//! and ends as the worker does. A worker whose parent is killed is killed with it. Where somebody looks on at a
//! terminal, there is no parent.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::app::Call;

/// Runs `words`, which say `call`, in a process of its own and waits for it; none where this process is to do the work
/// itself.
#[cfg(not(target_os = "linux"))]
pub(crate) fn supervise(_call: &Call<'_>, _words: &[OsString]) -> Option<ExitCode> {
    None
}

/// Whether this process's own parent is the one that started it as a worker.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_supervised() -> bool {
    false
}

/// Set where a worker is to have a parent even though somebody looks on.
#[cfg(not(target_os = "linux"))]
pub(crate) const ALWAYS: &str = "_CROUPIER_SUPERVISED";

#[cfg(target_os = "linux")]
pub(crate) use linux::{ALWAYS, is_supervised, supervise};

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::VecDeque;
    use std::fs;
    use std::io::{Read, Write};
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{ChildStderr, Command, ExitStatus, Stdio};
    use std::sync::mpsc::{Receiver, channel};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread::JoinHandle;
    use std::time::Duration;

    use croupier_fleet::tracker::FailureClass;
    use croupier_run::Death;
    use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
    use tokio::signal::unix::{SignalKind, signal};

    use super::{Call, ExitCode, OsString};
    use crate::exit::Exit;
    use crate::tracking::Tracking;
    use crate::worker::ATTEMPT;
    use crate::{CliError, environment, program};

    /// The parent's process. A worker hands its variables on to programs that it starts itself, which are no workers.
    const PARENT: &str = "_CROUPIER_PARENT";
    /// Set where a worker is to have a parent even though somebody looks on.
    pub(crate) const ALWAYS: &str = "_CROUPIER_SUPERVISED";
    /// How much of what a worker said last is kept.
    const TAIL_BYTES: usize = 64 << 10;

    /// Runs `words`, which say `call`, in a process of its own and waits for it; none where this process is to do the
    /// work itself.
    pub(crate) fn supervise(call: &Call<'_>, words: &[OsString]) -> Option<ExitCode> {
        if !call.is_worker() {
            return None;
        }
        if is_supervised() {
            // Where the system refuses, a killed parent leaves a worker that ends by itself.
            let _ = set_parent_process_death_signal(Some(Signal::KILL));
            return None;
        }
        if environment::stderr_is_a_terminal() && environment::variable(ALWAYS).is_none() {
            return None;
        }
        // A worker without a parent is better than none.
        let attempt = format!("{:016x}", croupier_run::drawn_seed().ok()?);
        let program = environment::executable().ok()?;
        let kills_before = memory_kills();
        let mut child = Command::new(program)
            .args(&words[1..])
            .env(ATTEMPT, &attempt)
            .env(PARENT, std::process::id().to_string())
            .stderr(Stdio::piped())
            // What a terminal or a shell sends to this group comes here, and is handed on once.
            .process_group(0)
            .spawn()
            .ok()?;
        let tail = child.stderr.take().map(pass_on);
        let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .ok();
        let waiting = std::thread::spawn(move || child.wait());
        if let (Some(runtime), Some(process)) = (&runtime, process) {
            runtime.block_on(hand_on_signals(process, &waiting));
        }
        let Ok(Ok(status)) = waiting.join() else {
            return Some(ExitCode::from(Exit::Failed.code()));
        };
        let stderr = tail.map(Tail::take).unwrap_or_default();
        if is_a_death(status) {
            let death = Death {
                exit_code: status.code(),
                signal: status.signal(),
                out_of_memory: (status.signal() == Some(Signal::KILL.as_raw()))
                    .then(|| Some(memory_kills()? > kills_before?))
                    .flatten(),
                stderr,
            };
            if let Some(runtime) = &runtime
                && let Err(error) = runtime.block_on(record(call, &attempt, death))
            {
                eprintln!("its end could not be recorded: {error}");
            }
        }
        // As shells tell it: 128 and the signal.
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        let code = code.and_then(|code| u8::try_from(code).ok());
        Some(ExitCode::from(code.unwrap_or(Exit::Failed.code())))
    }

    /// Whether this process's own parent is the one that started it as a worker.
    pub(crate) fn is_supervised() -> bool {
        let parent = environment::variable(PARENT).and_then(|parent| parent.parse().ok());
        let now = getppid().map(|parent| parent.as_raw_nonzero().get());
        parent.is_some() && parent == now
    }

    /// Whether there is more to say of an end than the worker said itself.
    fn is_a_death(status: ExitStatus) -> bool {
        let well = [Exit::Done, Exit::BadInput, Exit::Stopped].map(|exit| Some(exit.code().into()));
        !well.contains(&status.code())
    }

    /// Hands on SIGTERM and SIGINT until the worker has ended.
    async fn hand_on_signals<T>(process: Pid, waiting: &JoinHandle<T>) {
        let (Ok(mut terminate), Ok(mut interrupt)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) else {
            return;
        };
        let Ok(mut ended) = signal(SignalKind::child()) else {
            return;
        };
        while !waiting.is_finished() {
            let got = tokio::select! {
                _ = terminate.recv() => Some(Signal::TERM),
                _ = interrupt.recv() => Some(Signal::INT),
                _ = ended.recv() => None,
                // Had it ended before the signals were listened to.
                () = tokio::time::sleep(Duration::from_millis(20)) => None,
            };
            if let Some(got) = got {
                let _ = kill_process(process, got);
            }
        }
    }

    /// The end of what a worker said.
    struct Tail {
        bytes: Arc<Mutex<VecDeque<u8>>>,
        closed: Receiver<()>,
    }

    impl Tail {
        /// Takes it. A process that the worker had started, and that outlives it, may hold the pipe open: it is not
        /// waited for.
        fn take(self) -> String {
            let _ = self.closed.recv_timeout(Duration::from_secs(1));
            let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            let (front, back) = bytes.as_slices();
            String::from_utf8_lossy(&[front, back].concat()).into_owned()
        }
    }

    /// Writes what the worker says to this process's stderr, and keeps the end of it.
    fn pass_on(mut from: ChildStderr) -> Tail {
        let bytes = Arc::new(Mutex::new(VecDeque::with_capacity(TAIL_BYTES)));
        let kept = Arc::clone(&bytes);
        let (close, closed) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let said = &buffer[..count];
                let _ = std::io::stderr().write_all(said);
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(said);
                let excess = kept.len().saturating_sub(TAIL_BYTES);
                kept.drain(..excess);
            }
            // Nobody may be waiting.
            let _ = close.send(());
        });
        Tail { bytes, closed }
    }

    /// How often the system has killed a process of this control group for want of memory.
    fn memory_kills() -> Option<u64> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
        let events = fs::read_to_string(format!("/sys/fs/cgroup{group}/memory.events")).ok()?;
        let kills = events
            .lines()
            .find_map(|line| line.strip_prefix("oom_kill "))?;
        kills.trim().parse().ok()
    }

    /// Adds the death to the attempt's record; and where the policy is to fail fast, stops the run, as the worker
    /// would have done.
    async fn record(call: &Call<'_>, attempt: &str, death: Death) -> Result<(), CliError> {
        let (run, shard, claim) = program::shard_target(call).await?;
        let how = match (death.signal, death.exit_code) {
            (Some(signal), _) => format!("killed by signal {signal}"),
            (None, code) => format!("exit code {}", code.unwrap_or_default()),
        };
        let class = match (death.out_of_memory, death.signal) {
            (Some(true), _) => Some(FailureClass::OutOfMemory),
            (_, Some(_)) => Some(FailureClass::Signal),
            // A worker that exits by itself has told the tracker.
            (_, None) => None,
        };
        run.record_death(shard, attempt, death).await?;
        // A worker that ended by itself has stopped the run itself, where that was a failure.
        if run.manifest.policy.fail_fast && class.is_some() {
            run.stop(Some(shard), format!("shard {shard} failed: {how}"))
                .await?;
        }
        if let Some(class) = class {
            Tracking::end_dead(&claim, &run, shard, attempt, class, &how).await?;
        }
        Ok(())
    }
}
