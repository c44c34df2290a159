//! Where Croupier's shards run.
//!
//! A scheduler gives each process of an array one number, the index. [`index`] finds it in the variables of eleven
//! schedulers, and refuses whatever might be mistaken for one: a number that is missing must never be read as 0, for
//! then every process draws the same stream, and the result looks better than it is. [`attempt`] says what is known of
//! this start of the shard, for the record. [`tracker`] remembers how shards ended, so that two workers need not run one,
//! and a shard that fails each time is given up.
//!
//! An [`engine`] starts shards, as processes of this machine or as a scheduler's jobs; the [`driver`] applies a run's
//! policy with it while nobody watches. [`iam`] says what each who takes part may do in AWS.
//!
//! Index, attempt and deadline don't read the environment; it is passed in, as a function from a name to a value. The
//! tracker in DynamoDB and the engine for AWS Batch are behind the feature `aws`, without which no AWS crate is built,
//! and are configured as the AWS tools are.

pub mod attempt;
#[cfg(feature = "aws")]
mod aws;
pub mod deadline;
pub mod driver;
pub mod engine;
pub mod iam;
pub mod index;
pub mod tracker;

pub use attempt::Attempt;
pub use index::{Explicit, Found, IndexError, Presence, Scheduler};
pub use tracker::{Tracker, TrackerError};

/// Looks up an environment variable.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;
