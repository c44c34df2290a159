//! Work that is no sampling: copying, measuring, running another program. It is done once, and what it returns is a
//! row of a table.
//!
//! A kernel may run twice, since its bits are the same; a task's need not be. So where two attempts both end well, the
//! first whole partial counts and the other is recorded as superseded. That they differ is no alarm.

mod partial;
mod reduce;

use std::fmt;

use croupier_compute::{Failure, Inputs, type_name};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use partial::{done_before, publish};
pub use reduce::{clean_task, reduce_task};

/// Work that is no sampling. The type's fields are its parameters.
///
/// An attempt may be killed half-way and begun again, on another machine; so [`perform`](Self::perform) should find
/// out what is done already, or do it again without harm.
///
/// # Example
///
/// ```
/// use croupier_run::{Task, TaskFailure};
///
/// struct Measure {
///     path: String,
/// }
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Size {
///     bytes: u64,
/// }
///
/// impl Task for Measure {
///     type Row = Size;
///
///     async fn perform(&self) -> Result<Size, TaskFailure> {
///         let bytes = std::fs::metadata(&self.path)?.len();
///         Ok(Size { bytes })
///     }
/// }
/// ```
pub trait Task: Sized + Send + Sync + 'static {
    /// What it returns: a struct, whose fields are columns of the table. Numbers must be finite.
    type Row: Serialize + DeserializeOwned + Send;

    /// What it is called. By default the type's name in lower case with hyphens, `CopyS3Folder` becoming
    /// `copy-s3-folder`.
    const NAME: Option<&'static str> = None;
    /// Raised by hand where the same parameters mean other work: runs of another version are refused.
    const VERSION: u32 = 1;
    /// The names of the files it is prepared with.
    const INPUTS: &'static [&'static str] = &[];

    /// Does it.
    ///
    /// The future is dropped where the worker is told to stop. What blocks for long belongs on a thread of its own.
    ///
    /// # Errors
    ///
    /// Where it failed: worth a retry, unless it is [`TaskFailure::permanent`].
    fn perform(&self) -> impl Future<Output = Result<Self::Row, TaskFailure>> + Send;

    /// Takes what the files of [`INPUTS`](Self::INPUTS) hold, once a process and before `perform`.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    fn prepare(&mut self, inputs: &Inputs) -> Result<(), Failure> {
        let _ = inputs;
        Ok(())
    }

    /// Checks the parameters, before anything else is done.
    ///
    /// # Errors
    ///
    /// What is wrong with them, and what would be right.
    fn validate(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// What task `T` is called.
pub fn task_name<T: Task>() -> String {
    T::NAME.map_or_else(type_name::<T>, str::to_owned)
}

/// Why a task failed. Made from any error by `?`, and then worth a retry.
#[derive(Clone, PartialEq, Eq)]
pub struct TaskFailure {
    pub(crate) message: String,
    pub(crate) is_permanent: bool,
}

impl TaskFailure {
    /// A failure that another attempt may not meet: the worker exits with 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_permanent: false,
        }
    }

    /// A failure that every attempt will meet: the worker exits with 6, and no round repeats it.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_permanent: true,
        }
    }
}

impl<E: std::error::Error> From<E> for TaskFailure {
    fn from(error: E) -> Self {
        Self::new(Failure::from(error).to_string())
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
