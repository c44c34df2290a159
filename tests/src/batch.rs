//! AWS Batch in this process: the real SDK talks to it over loopback, and jobs are real processes with the variables,
//! attempts, timeouts and states that AWS gives them. Real servers that say of themselves that they speak Batch end every
//! job well at once, and tell no child of an array its index.
//!
//! A definition's image is the path of a program here, which gets the command as its arguments, as an ENTRYPOINT does.
//! `definitions` resolves what a job runs, `limits` refuses what AWS refuses, `jobs` has the states and `retry` the
//! rules of another attempt, `processes` starts and ends them, `views` tells them as AWS does, and `front` is the wire.
//!
//! What differs from AWS:
//!
//! - Requests need no valid signature, and no rights; there is one account, and any queue that is named exists.
//! - A job waits for a free slot of its queue, not for an instance. Slots are one to a job, whatever vCPUs and memory it asks for.
//! - States follow each other as fast as this machine goes. A second of a timeout is as long as the settings say.
//! - `statusSummary` tells what was so at the look before. On AWS it lags by seconds.
//! - A process is not confined: it sees this machine's files, and has no cgroup whose end would end what it started.
//!   What it started and did not leave its process group is killed with it.
//! - Dependencies on a whole job are kept; the types `N_TO_N` and `SEQUENTIAL`, multi-node jobs, priorities and shares
//!   are refused or without effect. Jobs are kept for ever.
//! - `ListJobs` by several filters, consumable resources, and whatever no engine calls, are refused.

mod definitions;
mod fault;
mod front;
mod jobs;
mod limits;
mod list;
mod operations;
mod processes;
mod retry;
mod views;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use serde_json::{Value, json};

pub use self::fault::{Call, Fate, Fault, Start};
pub use self::jobs::{Job, Status, Unit};
use self::operations::Batch;
use crate::http::Server;
use crate::s3::S3Server;

/// The queue that tests use; any other does as well.
pub const QUEUE: &str = "spot";
const REGION: &str = "eu-west-1";

/// How it behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// So many attempts of each queue run at a time.
    pub slots: usize,
    /// What every process finds in its environment, beside what Batch and the job say.
    pub environment: Vec<(String, String)>,
    /// How long a second of a job's timeout is.
    pub second: Duration,
    /// How long a process has from SIGTERM to SIGKILL.
    pub stop_timeout: Duration,
    /// A new job is not in so many listings of its queue that come first.
    pub lists_lag: usize,
    /// So many SubmitJob are answered in a second, and the others refused; none refused if left out.
    pub submits_per_second: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            slots: 4,
            environment: Vec::new(),
            second: Duration::from_secs(1),
            stop_timeout: Duration::from_secs(30),
            lists_lag: 0,
            submits_per_second: None,
        }
    }
}

/// The service. It stops, and its processes are killed, when it is dropped.
#[derive(Debug)]
pub struct BatchServer {
    server: Server,
    batch: Arc<Batch>,
}

impl BatchServer {
    /// Starts it. Processes run in `directory`, where also what they say is kept.
    ///
    /// # Panics
    /// If this machine has no port or thread left.
    #[must_use]
    pub fn start(directory: &Path, mut settings: Settings) -> Self {
        let mut server = Server::bind();
        settings.environment.extend(env(&server.endpoint()));
        let batch = Arc::new(Batch::new(directory, settings, server.handle().clone()));
        let answering = Arc::clone(&batch);
        server.answer(move |request| front::answer(Arc::clone(&answering), request));
        Self { server, batch }
    }

    /// The environment of a process that uses this service: put it after a store's, whose credentials will do.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        env(&self.server.endpoint())
    }

    /// The same for a client in this process, where the environment is not to be changed.
    #[must_use]
    pub fn sdk_config(&self) -> SdkConfig {
        S3Server::sdk_config_for(&self.endpoint(), "AKIDCROUPIERTEST", "any")
    }

    /// Its URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Registers a definition of one container, whose image is `program`.
    pub fn define(&self, name: &str, program: &Path) {
        let container = json!({
            "image": program,
            "resourceRequirements": [
                { "type": "VCPU", "value": "1" },
                { "type": "MEMORY", "value": "2048" },
            ],
        });
        self.register(json!({
            "jobDefinitionName": name, "type": "container", "containerProperties": container,
        }));
    }

    /// Registers a definition as `RegisterJobDefinition` gets it.
    ///
    /// # Panics
    /// If it is refused.
    pub fn register(&self, definition: Value) {
        let registered = self
            .batch
            .call("RegisterJobDefinition", &definition)
            .map_err(|refusal| refusal.message);
        registered.expect("a definition");
    }

    /// Every call so far, in the order they came, those that failed included.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.batch.calls()
    }

    /// How often an operation was called.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        let calls = self.calls();
        let same = calls.iter().filter(|call| call.operation == operation);
        same.count()
    }

    /// Decides for each call that comes from now on what goes wrong with it.
    pub fn set_fault(&self, fault: impl Fn(&Call) -> Fault + Send + Sync + 'static) {
        self.batch.set_fault(Arc::new(fault));
    }

    /// Decides for each attempt that starts from now on how it fares. It may wait, or do the work itself.
    pub fn set_fate(&self, fate: impl Fn(&Start) -> Fate + Send + Sync + 'static) {
        self.batch.set_fate(Arc::new(fate));
    }

    /// Lets so many attempts end whose fate was to be held.
    pub fn release(&self, attempts: usize) {
        self.batch.release(attempts);
    }

    /// Every job, in the order they were submitted.
    #[must_use]
    pub fn jobs(&self) -> Vec<Job> {
        self.batch.jobs()
    }

    /// The one job whose name ends so, if there is one.
    ///
    /// # Panics
    /// If there are several.
    #[must_use]
    pub fn job(&self, name_ends: &str) -> Option<Job> {
        let mut jobs = self.jobs();
        jobs.retain(|job| job.name.ends_with(name_ends));
        assert!(jobs.len() < 2, "{} jobs end with {name_ends}", jobs.len());
        jobs.pop()
    }

    /// What the attempts of this log stream said.
    #[must_use]
    pub fn log(&self, stream: &str) -> String {
        std::fs::read_to_string(self.log_file(stream)).unwrap_or_default()
    }

    fn log_file(&self, stream: &str) -> PathBuf {
        processes::log_file(self.batch.directory(), stream)
    }
}

fn env(endpoint: &str) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL_BATCH", endpoint),
        ("AWS_ACCESS_KEY_ID", "AKIDCROUPIERTEST"),
        ("AWS_SECRET_ACCESS_KEY", "a secret that only the tests know"),
        ("AWS_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("NO_PROXY", "*"),
        ("no_proxy", "*"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
