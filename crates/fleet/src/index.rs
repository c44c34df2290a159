//! Which of the array's processes this one is.
//!
//! `--index` above all, then `CROUPIER_INDEX`, then the scheduler's variable:
//!
//! | scheduler | variable | counts from | at most | trap |
//! |---|---|---|---|---|
//! | AWS Batch | `AWS_BATCH_JOB_ARRAY_INDEX` | 0 | `AWS_BATCH_JOB_ARRAY_SIZE` - 1 | unset outside arrays; `<uuid>:3` is 3 |
//! | Slurm | `SLURM_ARRAY_TASK_ID` | the user's | `SLURM_ARRAY_TASK_MAX` | sparse lists: the count bounds nothing |
//! | Kubernetes | `JOB_COMPLETION_INDEX` | 0 | | two pods may hold one index |
//! | Google Cloud Batch | `BATCH_TASK_INDEX` | 0 | `BATCH_TASK_COUNT` - 1 | set for a single task too |
//! | Cloud Run jobs | `CLOUD_RUN_TASK_INDEX` | 0 | `CLOUD_RUN_TASK_COUNT` - 1 | set for a single task too |
//! | PBS Pro, OpenPBS | `PBS_ARRAY_INDEX` | the user's | | |
//! | Torque | `PBS_ARRAYID` | the user's | | |
//! | LSF | `LSB_JOBINDEX` | 1 | | 0 outside arrays |
//! | Grid Engine | `SGE_TASK_ID` | 1 | `SGE_TASK_LAST` | `undefined` outside arrays; strides |
//! | Nomad | `NOMAD_ALLOC_INDEX` | 0 | | may be reused |
//! | GitLab | `CI_NODE_INDEX` | 1 | `CI_NODE_TOTAL` | unset unless `parallel` |
//!
//! What counts from 1 is brought to 0; Slurm's, PBS's and Torque's numbers are taken as their users wrote them. The
//! bound is a cross-check, from which nothing is derived: a retry of a few processes has smaller bounds, and its
//! indexes must mean what they meant before. For the same reason Grid Engine's `-t 5-8` is 4 to 7, whatever
//! `SGE_TASK_FIRST` says, and with a stride of ten, `-t 1-100:10`, the tasks 1, 11, 21 are 0, 1, 2.
//!
//! Several schedulers may speak at once, for one may run inside another. Which of them dealt the shards is not to be
//! guessed: [`Explicit::from`] says it.

mod error;
mod number;
mod scheduler;

pub use error::IndexError;
pub use scheduler::Scheduler;

use crate::Environment;
use scheduler::{Bound, Numbering};

/// The variable that goes before every scheduler's.
pub const OWN_VARIABLE: &str = "CROUPIER_INDEX";

/// What the command line says of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explicit {
    /// `--index`: the index itself, from 0.
    pub index: Option<String>,
    /// `--index-from`: the scheduler to believe, by its name (`slurm`) or its variable (`SLURM_ARRAY_TASK_ID`).
    pub from: Option<String>,
}

/// An index, and what said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// From 0, or as the user of Slurm, PBS or Torque wrote it.
    pub index: u64,
    /// What said so: `AWS_BATCH_JOB_ARRAY_INDEX=3`.
    pub source: String,
    /// Who said so; `None` for `--index` and `CROUPIER_INDEX`.
    pub scheduler: Option<Scheduler>,
}

/// Something that says this process is one of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The variable and its value: `SLURM_ARRAY_TASK_ID=3`.
    pub source: String,
    /// Whose variable it is; `None` for `CROUPIER_INDEX`.
    pub scheduler: Option<Scheduler>,
}

/// Finds the index of this process.
///
/// # Errors
/// There is none; or it is no index; or it is outside of its own scheduler's bounds; or several schedulers give one and
/// none is chosen.
pub fn find(environment: Environment<'_>, explicit: &Explicit) -> Result<Found, IndexError> {
    if let Some(value) = &explicit.index {
        return read_own("--index", value);
    }
    let chosen = explicit.from.as_deref().map(Scheduler::named).transpose()?;
    match (environment(OWN_VARIABLE), chosen) {
        (Some(value), None) => read_own(OWN_VARIABLE, &value),
        (Some(value), Some(chosen)) => Err(IndexError::OwnAndChosen {
            own: format!("{OWN_VARIABLE}={value}"),
            chosen,
        }),
        (None, Some(chosen)) => match environment(chosen.variable()) {
            Some(value) => chosen_index(environment, chosen, &value),
            None => Err(IndexError::ChosenIsAbsent { chosen }),
        },
        (None, None) => only_index(environment),
    }
}

/// Whether anything says that this process is one of an array: the first variable that does. A program about to do a
/// whole run asks this, for as one of an array it would do it as many times as the array has processes. A value that is
/// no index counts as well; an array of one process by its own scheduler's count does not.
#[must_use]
pub fn is_present(environment: Environment<'_>) -> Option<Presence> {
    let own = environment(OWN_VARIABLE).map(|value| Presence {
        source: format!("{OWN_VARIABLE}={value}"),
        scheduler: None,
    });
    own.or_else(|| {
        let (scheduler, value) = present(environment)
            .into_iter()
            .find(|(scheduler, _)| !is_alone(environment, *scheduler))?;
        Some(Presence {
            source: format!("{}={value}", scheduler.variable()),
            scheduler: Some(scheduler),
        })
    })
}

/// The index of the only scheduler that gives one.
fn only_index(environment: Environment<'_>) -> Result<Found, IndexError> {
    let present = present(environment);
    match present.as_slice() {
        [(scheduler, value)] => index_of(environment, *scheduler, value),
        [] => Err(IndexError::Absent {
            outside: Scheduler::ALL
                .into_iter()
                .filter_map(|scheduler| {
                    Some(format!(
                        "{}={}",
                        scheduler.variable(),
                        environment(scheduler.variable())?
                    ))
                })
                .collect(),
        }),
        several => Err(IndexError::Several {
            sources: several
                .iter()
                .map(|(scheduler, value)| (*scheduler, format!("{}={value}", scheduler.variable())))
                .collect(),
        }),
    }
}

/// The schedulers whose variable is set, without those that so say that there is no array.
fn present(environment: Environment<'_>) -> Vec<(Scheduler, String)> {
    Scheduler::ALL
        .into_iter()
        .filter_map(|scheduler| Some((scheduler, environment(scheduler.variable())?)))
        .filter(|(scheduler, value)| scheduler.outside_array() != Some(value.as_str()))
        .collect()
}

fn is_alone(environment: Environment<'_>, scheduler: Scheduler) -> bool {
    match scheduler.bound() {
        Some(Bound::Count(variable)) => environment(variable).as_deref() == Some("1"),
        Some(Bound::Last(_)) | None => false,
    }
}

fn read_own(name: &str, value: &str) -> Result<Found, IndexError> {
    Ok(Found {
        index: number::read(name, value)?,
        source: format!("{name}={value}"),
        scheduler: None,
    })
}

/// The index of a scheduler that was chosen by name, which may say that there is no array.
fn chosen_index(
    environment: Environment<'_>,
    scheduler: Scheduler,
    value: &str,
) -> Result<Found, IndexError> {
    if scheduler.outside_array() == Some(value) {
        return Err(IndexError::NotAnArray {
            source_text: format!("{}={value}", scheduler.variable()),
            scheduler,
        });
    }
    index_of(environment, scheduler, value)
}

fn index_of(
    environment: Environment<'_>,
    scheduler: Scheduler,
    value: &str,
) -> Result<Found, IndexError> {
    let variable = scheduler.variable();
    let source = format!("{variable}={value}");
    let plain = match scheduler {
        Scheduler::AwsBatch => number::without_job_id(value),
        _ => value,
    };
    let number = number::read_as(variable, plain, value)?;
    check_bound(environment, scheduler, number, &source)?;
    let index = match scheduler.numbering() {
        Numbering::FromZero | Numbering::Users => number,
        Numbering::FromOne { stride } => {
            let below = number.checked_sub(1).ok_or_else(|| IndexError::Zero {
                source_text: source.clone(),
                scheduler,
            })?;
            below / read_stride(environment, stride)?
        }
    };
    Ok(Found {
        index,
        source,
        scheduler: Some(scheduler),
    })
}

/// Holds a number against its scheduler's own bound, where there is one.
fn check_bound(
    environment: Environment<'_>,
    scheduler: Scheduler,
    number: u64,
    source: &str,
) -> Result<(), IndexError> {
    let Some(bound) = scheduler.bound() else {
        return Ok(());
    };
    let (Bound::Count(variable) | Bound::Last(variable)) = bound;
    let Some(value) = environment(variable) else {
        return Ok(());
    };
    let limit = number::read(variable, &value)?;
    let is_within = match (bound, scheduler.numbering()) {
        (Bound::Count(_), Numbering::FromZero) => number < limit,
        // A count can bound only what has no gaps; numbers of the user's have `Bound::Last`.
        (Bound::Count(_), Numbering::FromOne { .. } | Numbering::Users) | (Bound::Last(_), _) => {
            number <= limit
        }
    };
    if is_within {
        return Ok(());
    }
    Err(IndexError::OutOfBounds {
        source_text: source.to_owned(),
        bound: format!("{variable}={value}"),
    })
}

fn read_stride(environment: Environment<'_>, variable: Option<&str>) -> Result<u64, IndexError> {
    let Some((variable, value)) = variable.and_then(|name| Some((name, environment(name)?))) else {
        return Ok(1);
    };
    match number::read(variable, &value)? {
        0 => Err(IndexError::NoStride {
            source_text: format!("{variable}={value}"),
        }),
        stride => Ok(stride),
    }
}

#[cfg(test)]
mod tests;
