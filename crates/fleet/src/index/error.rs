//! Why there is no index.

use thiserror::Error;

use super::{OWN_VARIABLE, Scheduler};

/// Why there is no index. None of these is worth a retry: the call or the job has to change.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexError {
    /// Nothing gives one.
    #[error(
        "no index says which shard this is: give --index or --shard. Looked for --index, {OWN_VARIABLE}, {}{}",
        variables(),
        but(outside)
    )]
    Absent {
        /// Variables that are set, and say by their value that the job is no array.
        outside: Vec<String>,
    },
    /// Several schedulers give one.
    #[error(
        "several schedulers say which shard this is: {}. Choose one with --index-from {}",
        sources.iter().map(|(scheduler, source)| format!("{source} ({scheduler})")).collect::<Vec<_>>().join(", "),
        sources.iter().map(|(scheduler, _)| scheduler.name()).collect::<Vec<_>>().join(" or ")
    )]
    Several {
        /// The schedulers, with variable and value.
        sources: Vec<(Scheduler, String)>,
    },
    /// The chosen scheduler gives none.
    #[error("--index-from {} wants {}, which is not set", chosen.name(), chosen.variable())]
    ChosenIsAbsent {
        /// The scheduler.
        chosen: Scheduler,
    },
    /// A scheduler is chosen, and our own variable, which goes before all schedulers, is set.
    #[error("{own} and --index-from {} both say which shard this is: keep one", chosen.name())]
    OwnAndChosen {
        /// Our variable and its value.
        own: String,
        /// The scheduler.
        chosen: Scheduler,
    },
    /// The chosen scheduler says that this job is no array.
    #[error(
        "{source_text} is what {scheduler} sets in a job that is no array: submit an array, or give --index"
    )]
    NotAnArray {
        /// The variable and its value.
        source_text: String,
        /// The scheduler.
        scheduler: Scheduler,
    },
    /// `--index-from` names no scheduler.
    #[error(
        "unknown scheduler {name:?} in --index-from: expected one of {}",
        names()
    )]
    UnknownScheduler {
        /// The name.
        name: String,
    },
    /// A value is not made of decimal digits.
    #[error("{name}={value:?} is no index, for {problem}: expected a number like 0 or 17")]
    NoNumber {
        /// The variable or flag.
        name: String,
        /// What it says.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A zero where the scheduler counts from 1.
    #[error(
        "{source_text} cannot be, for {scheduler} counts from 1: unset it, or give --index, which counts from 0"
    )]
    Zero {
        /// The variable and its value.
        source_text: String,
        /// The scheduler.
        scheduler: Scheduler,
    },
    /// The index contradicts its scheduler's own bound.
    #[error(
        "{source_text} is outside of its own array by {bound}: one of the two was altered; give --index"
    )]
    OutOfBounds {
        /// The variable and its value.
        source_text: String,
        /// The bound's variable and its value.
        bound: String,
    },
    /// A stride of zero.
    #[error("{source_text} cannot be, for a stride is at least 1: unset it, or give --index")]
    NoStride {
        /// The variable and its value.
        source_text: String,
    },
}

fn variables() -> String {
    Scheduler::ALL
        .map(|scheduler| format!("{} ({scheduler})", scheduler.variable()))
        .join(", ")
}

fn names() -> String {
    Scheduler::ALL.map(Scheduler::name).join(", ")
}

fn but(outside: &[String]) -> String {
    if outside.is_empty() {
        return String::new();
    }
    format!(
        "; {} is set, which means that this job is no array",
        outside.join(" and ")
    )
}
