//! Where Croupier's shards run.
//!
//! A scheduler gives each process of an array one number, the index. [`index`] finds it in the variables of eleven
//! schedulers, and refuses whatever might be mistaken for one: a number that is missing must never be read as 0, for
//! then every process draws the same stream, and the result looks better than it is. [`attempt`] says what is known of
//! this start of the shard, for the record.
//!
//! Nothing here reads the environment; it is passed in, as a function from a name to a value.

pub mod attempt;
pub mod index;

pub use attempt::Attempt;
pub use index::{Explicit, Found, IndexError, Presence, Scheduler};

/// Looks up an environment variable.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;
