//! The command line that every Croupier kernel gets.
//!
//! [`main`] is a whole program: it finds the verb, turns flags, a JSON object and the environment
//! into the kernel's parameters by one path ([`parameters`]), calls the layers below, prints what
//! came of it, and ends with an exit code that a scheduler understands ([`exit`]). Results go to
//! stdout, as text or as one JSON object with `--json`; everything else goes to stderr.
//!
//! invariant: this is the only layer that prints, and the only one that exits.
//! invariant: the process's environment is read in the module `environment` alone. (clap reads `CROUPIER_*`
//! for flags, named by [`parameters::set_environment_names`]; the AWS SDK reads its own.)

mod app;
mod cases;
mod engines;
mod environment;
mod error;
pub mod exit;
mod flags;
mod grammar;
mod kind;
pub mod number;
pub mod parameters;
mod pilot;
mod program;
mod progress;
mod run_uri;
mod setup;
mod show;
mod supervise;
mod target;
pub mod threads;
mod tracking;
mod until;
mod verbs;
mod worker;

pub use app::{App, app};
pub use error::CliError;
pub use kind::{Program, TaskProgram};
pub use program::main;
