//! Everything that can end a verb, and the exit code it ends with.

use croupier_compute::Failure;
use croupier_compute::engine::PoolError;
use croupier_fleet::IndexError;

use crate::exit::Exit;
use crate::parameters::ParametersError;
use crate::threads::ThreadsError;

/// Why a verb ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The call was wrong.
    #[error("{0}")]
    Usage(String),
    /// A program is made wrongly: its author must mend it.
    #[error("{0}")]
    Program(String),
    /// Parameters were refused.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// The kernel refuses its parameters or inputs.
    #[error("{what}: {failure}")]
    Kernel {
        /// What it was asked.
        what: &'static str,
        /// What it said.
        failure: Failure,
    },
    /// There is no index, or no usable one.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// There is no number of threads.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// Threads can't be had.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The run failed.
    #[error(transparent)]
    Run(#[from] croupier_run::Error),
    /// The same, with a line that says how to look into it.
    #[error("{error}\n{advice}")]
    Advised {
        /// What happened.
        error: croupier_run::Error,
        /// What to do.
        advice: String,
    },
    /// What starts shards failed.
    #[error(transparent)]
    Engine(#[from] croupier_fleet::engine::EngineError),
    /// The tracker failed.
    #[error(transparent)]
    Tracker(#[from] croupier_fleet::TrackerError),
    /// The tracker says that the shard is not for this worker.
    #[error("{what}")]
    Tracked {
        /// Why.
        what: String,
        /// What it means for a scheduler.
        exit: Exit,
    },
    /// The system failed.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
}

impl CliError {
    /// The code that the process ends with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::Program(_)
            | Self::Parameters(_)
            | Self::Kernel { .. }
            | Self::Index(_)
            | Self::Threads(_) => Exit::BadInput,
            Self::Tracked { exit, .. } => *exit,
            Self::Tracker(error) if !error.is_retryable() => Exit::BadInput,
            Self::Engine(error) if !error.is_retryable => Exit::BadInput,
            Self::Tracker(_) | Self::Pool(_) | Self::Engine(_) | Self::System { .. } => {
                Exit::Failed
            }
            Self::Run(error) | Self::Advised { error, .. } => exit_of(error),
        }
    }
}

impl From<croupier_store::Error> for CliError {
    fn from(error: croupier_store::Error) -> Self {
        Self::Run(error.into())
    }
}

pub(crate) fn exit_of(error: &croupier_run::Error) -> Exit {
    use croupier_run::Error;
    match error {
        Error::Differ { .. } => Exit::BitsDiffer,
        Error::Foreign { .. } => Exit::Foreign,
        Error::Kernel(_)
        | Error::Task {
            is_permanent: true, ..
        } => Exit::KernelFailed,
        Error::Stopped { .. } => Exit::Stopped,
        Error::RunStopped { .. } | Error::StartedBefore { .. } => Exit::Failed,
        error if error.is_retryable() => Exit::Failed,
        _ => Exit::BadInput,
    }
}
