//! Real programs as child processes: with an environment that holds nothing but what a test says, a deadline, and
//! all they said shown where a test fails.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::s3::S3Server;

/// Far longer than anything here takes on a busy machine; it ends what hangs.
const DEADLINE: Duration = Duration::from_secs(120);

/// A program, where it is to run, and its environment.
#[derive(Clone, Debug)]
pub struct Program {
    file: PathBuf,
    directory: PathBuf,
    environment: Vec<(String, String)>,
    user: Option<u32>,
}

impl Program {
    /// The program at `file`, in `directory`.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>, directory: &Path) -> Self {
        Self {
            file: file.into(),
            directory: directory.to_owned(),
            environment: Vec::new(),
            user: None,
        }
    }

    /// The example `name`, in `directory`.
    ///
    /// # Panics
    /// If it is not built. Cargo builds examples before it runs the tests of the whole workspace.
    #[must_use]
    pub fn example(name: &str, directory: &Path) -> Self {
        let file = built().join("examples").join(name);
        assert!(
            file.is_file(),
            "{} is not there: run the whole workspace's tests, `cargo test --workspace --release`, which builds the examples first",
            file.display()
        );
        Self::new(file, directory)
    }

    /// Sets a variable of its environment, which is empty otherwise.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Lets it talk to `server`.
    #[must_use]
    pub fn with_s3(mut self, server: &S3Server) -> Self {
        self.environment.extend(server.env());
        self
    }

    /// Lets it run as another user, and of no group but the one of the same number, which only root may.
    #[must_use]
    pub fn as_user(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    /// The shell, in its place and environment.
    #[must_use]
    pub fn in_shell(&self) -> Self {
        Self {
            file: "/bin/sh".into(),
            ..self.clone()
        }
    }

    /// Where it runs.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Runs it to its end; arguments are separated by spaces.
    #[must_use]
    pub fn call(&self, arguments: &str) -> Ended {
        self.start(arguments).wait()
    }

    /// Runs it to its end with arguments that may hold spaces.
    #[must_use]
    pub fn call_with<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Ended {
        self.start_with(arguments).wait()
    }

    /// Starts it; arguments are separated by spaces.
    pub fn start(&self, arguments: &str) -> Running {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        self.start_with(&arguments)
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_with<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Running {
        let mut command = Command::new(&self.file);
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env_clear()
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        let said = format!("{command:?}");
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{said} does not start: {error}"));
        let stdout = child.stdout.take().expect("a pipe");
        let stderr = child.stderr.take().expect("a pipe");
        let process = Process(Arc::new(Mutex::new((child, None))));
        let (sender, ended) = channel();
        let waiting = process.clone();
        std::thread::spawn(move || {
            let stderr = std::thread::spawn(move || all_of(stderr));
            let stdout = all_of(stdout);
            let stderr = stderr.join().unwrap_or_default();
            // Nobody may be waiting any more.
            let _ = sender.send((waiting.reap(), stdout, stderr));
        });
        Running {
            said,
            process,
            ended,
        }
    }
}

/// Waits for what another process does.
///
/// # Panics
/// If it never does.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "{what}: never");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Where Cargo put what it built: a test's own file is in `deps` there.
///
/// # Panics
/// If this is no process of Cargo's.
#[must_use]
pub fn built() -> PathBuf {
    let own = std::env::current_exe().expect("this test's own file");
    let deps = own.parent().expect("a directory");
    deps.parent().expect("Cargo's directory").to_owned()
}

fn all_of(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // What was read until then is shown; the exit code tells the rest.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A process that can be sent signals at any time. Once it is gone they go nowhere.
#[derive(Clone, Debug)]
pub struct Process(Arc<Mutex<(Child, Option<ExitStatus>)>>);

impl Process {
    /// Ends it as a power failure would.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// The process that it started, where there is one: a supervised worker, say. Linux alone tells.
    #[must_use]
    pub fn child(&self) -> Option<Pid> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (child, ended) = &*guard;
        if ended.is_some() {
            return None;
        }
        let id = child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
    }

    /// Ends the process that it started as a power failure would, and not itself; whether there was one.
    pub fn kill_child(&self) -> bool {
        self.child()
            .is_some_and(|child| kill_process(child, Signal::KILL).is_ok())
    }

    /// Asks it and the processes that it started to end, as schedulers do that tell a whole job.
    ///
    /// # Panics
    /// If it has started none.
    pub fn terminate_with_children(&self) {
        let parent = {
            let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            guard.0.id()
        };
        let tasks = format!("/proc/{parent}/task/{parent}/children");
        let children = std::fs::read_to_string(tasks).expect("the children of a process");
        let children: Vec<i32> = children
            .split_whitespace()
            .filter_map(|child| child.parse().ok())
            .collect();
        assert!(!children.is_empty(), "it has no children");
        for child in children {
            let _ = kill_process(Pid::from_raw(child).expect("a process"), Signal::TERM);
        }
        self.terminate();
    }

    fn signal(&self, signal: Signal) {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (child, ended) = &*guard;
        // Its number may be another's once it was waited for.
        if ended.is_none() {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            // It may have ended this moment.
            let _ = kill_process(pid.expect("a process has a number"), signal);
        }
    }

    /// Its pipes are closed, so this does not wait for long.
    fn reap(&self) -> ExitStatus {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (child, ended) = &mut *guard;
        *ended.insert(child.wait().expect("a child can be waited for"))
    }
}

/// A program that was started.
#[derive(Debug)]
pub struct Running {
    said: String,
    process: Process,
    ended: Receiver<(ExitStatus, String, String)>,
}

impl Running {
    /// To signal it from elsewhere.
    #[must_use]
    pub fn process(&self) -> Process {
        self.process.clone()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it hangs.
    #[must_use]
    pub fn wait(self) -> Ended {
        match self.ended.recv_timeout(DEADLINE) {
            Ok((status, stdout, stderr)) => Ended {
                said: self.said,
                status,
                stdout,
                stderr,
            },
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                self.process.kill();
                panic!("{} did not end within {DEADLINE:?}", self.said);
            }
        }
    }
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    said: String,
    status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ended {
    /// Its exit code; `None` if a signal ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Whether it was killed.
    #[must_use]
    pub fn was_killed(&self) -> bool {
        self.signal() == Some(Signal::KILL.as_raw())
    }

    /// The signal that ended it, if one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Asserts its exit code.
    ///
    /// # Panics
    /// If it is another one.
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        self
    }

    /// Its standard output as JSON, of which there is nothing else.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Asserts that it has all `words` in its standard error, and nothing on standard output.
    ///
    /// # Panics
    /// If it has not.
    pub fn says(&self, words: &[&str]) -> &Self {
        assert_eq!(self.stdout, "", "{self}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not said by {self}");
        }
        self
    }

    /// Asserts that it has all `words` in its standard error, whatever else it said.
    ///
    /// # Panics
    /// If it has not.
    pub fn tells(&self, words: &[&str]) {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not said by {self}");
        }
    }

    /// Asserts that it has all `words` in its standard output.
    ///
    /// # Panics
    /// If it has not.
    pub fn shows(&self, words: &[&str]) {
        for word in words {
            assert!(
                self.stdout.contains(word),
                "{word:?} is not shown by {self}"
            );
        }
    }

    /// Asserts that bad input was refused as it should be: exit code 2, and one line that has all `words`. Clap adds
    /// lines that point to `--help`.
    ///
    /// # Panics
    /// If it was not.
    pub fn is_refused(&self, words: &[&str]) {
        assert_eq!(self.code(), Some(2), "{self}");
        self.says(&[]);
        let (line, rest) = self.stderr.split_once('\n').unwrap_or((&self.stderr, ""));
        assert!(line.starts_with("error: "), "{self}");
        for word in words {
            assert!(
                line.contains(word),
                "{word:?} is not in the first line of {self}"
            );
        }
        let is_claps = |line: &str| {
            ["", "Usage: ", "For more information", "  tip: ", "  ["]
                .iter()
                .any(|start| {
                    if start.is_empty() {
                        line.is_empty()
                    } else {
                        line.starts_with(start)
                    }
                })
        };
        assert!(
            rest.lines().all(is_claps),
            "one line was expected of {self}"
        );
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            said,
            status,
            stdout,
            stderr,
        } = self;
        write!(f, "{said}\n{status}\nstdout:\n{stdout}\nstderr:\n{stderr}")
    }
}
