//! `--on slurm`. Flags are called as `sbatch` calls them.

use clap::Args;
use croupier_fleet::engine::{Slurm, SlurmOptions, Walltime, WorkerCall};
use croupier_run::Found;

// Job arrays of Slurm.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct SlurmFlags {
    /// slurm: the partition
    #[arg(long, value_name = "NAMES", help_heading = "Engine")]
    pub(crate) partition: Option<String>,
    /// slurm: the most that a shard may take, such as 30 (minutes), 1:30:00 or 2-12
    #[arg(long, value_name = "TIME", help_heading = "Engine")]
    pub(crate) walltime: Option<Walltime>,
    /// slurm: how many CPUs a shard has, and threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Engine")]
    pub(crate) cpus_per_task: u32,
    /// slurm: a shard's memory, such as 4G
    #[arg(long, value_name = "SIZE", help_heading = "Engine")]
    pub(crate) mem: Option<String>,
    /// slurm: whose account it goes to
    #[arg(long, value_name = "NAME", help_heading = "Engine")]
    pub(crate) account: Option<String>,
    /// slurm: the quality of service
    #[arg(long, value_name = "NAME", help_heading = "Engine")]
    pub(crate) qos: Option<String>,
    /// slurm: where jobs log to [default: slurm-%A_%a.out]
    #[arg(long, value_name = "PATTERN", help_heading = "Engine")]
    pub(crate) job_output: Option<String>,
    /// slurm: how many shards run at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Engine")]
    pub(crate) array_limit: Option<u32>,
    /// slurm: one more argument of sbatch, such as --sbatch-arg=--constraint=avx2; may be given several times
    #[arg(
        long,
        value_name = "ARGUMENT",
        allow_hyphen_values = true,
        help_heading = "Engine"
    )]
    pub(crate) sbatch_arg: Vec<String>,
}

pub(crate) fn open(flags: &SlurmFlags, run: &Found, call: WorkerCall) -> Slurm {
    let flags = flags.clone();
    let options = SlurmOptions {
        partition: flags.partition,
        time: flags.walltime,
        cpus_per_task: flags.cpus_per_task,
        mem: flags.mem,
        account: flags.account,
        qos: flags.qos,
        output: flags.job_output,
        array_limit: flags.array_limit,
        sbatch_arguments: flags.sbatch_arg,
    };
    Slurm::new(run, call, options)
}
