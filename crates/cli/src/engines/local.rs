//! `--on local`.

use std::path::PathBuf;

use clap::Args;
use croupier_fleet::engine::{Local, WorkerCall};
use croupier_run::Found;

use crate::supervise;

// Processes of this machine.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct LocalFlags {
    /// local: how many shards run at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Engine")]
    pub(crate) jobs: u32,
}

pub(crate) fn open(flags: &LocalFlags, run: &Found, call: WorkerCall) -> Local {
    let always = vec![(supervise::ALWAYS.into(), "1".into())];
    let driver_log = PathBuf::from(format!("{}.driver.log", run.name()));
    Local::new(call, always, flags.jobs, driver_log)
}
