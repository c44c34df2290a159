//! Our own flags, by what they are about. Verbs are made of these groups, and of flags of their own.
//!
//! (Plain comments on the groups: clap would take documentation for the verb's help.)

use std::time::Duration;

use clap::Args;
use croupier_run::{FailedSamplesLimit, Policy};

use crate::number;
use crate::until::UntilFlags;

// Where runs are.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct StoreFlags {
    /// Where runs are kept: a path, or s3://bucket/prefix
    #[arg(
        long,
        value_name = "URI",
        default_value = "./croupier-runs",
        help_heading = "Store"
    )]
    pub(crate) store: String,
    /// How long the store may take to answer, retries included
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration, help_heading = "Store")]
    pub(crate) store_timeout: Duration,
}

// Which run.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct RunFlags {
    /// The run: its name in --store, or its path or URI; the newest in --store if left out
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) store: StoreFlags,
}

// What a run is to be.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct PlanFlags {
    /// How many samples, such as 1e9, 64Mi or 1_000_000; with --until, how many to begin with
    #[arg(long, value_name = "N", value_parser = number::count, help_heading = "Plan")]
    pub(crate) samples: Option<u64>,
    /// The seed; drawn, printed and stored if left out
    #[arg(long, value_name = "N", value_parser = number::count, help_heading = "Plan")]
    pub(crate) seed: Option<u64>,
    /// How many shards the samples are dealt to [default: 1]
    #[arg(long, value_name = "N", value_parser = shards, help_heading = "Plan")]
    pub(crate) shards: Option<u32>,
    /// Samples in a block, a power of two; the kernel's own choice if left out
    #[arg(long, value_name = "N", value_parser = number::count, help_heading = "Plan")]
    pub(crate) block: Option<u64>,
    /// The run's name; kernel, time and four digits if left out
    #[arg(long, help_heading = "Plan")]
    pub(crate) name: Option<String>,
    /// When shards fail: complete, tolerate=N (shards missing), tolerate=P% (of the blocks), retry=R, retry=R,tolerate=..., or fail-fast [default: complete]
    #[arg(long, value_name = "POLICY", value_parser = policy, help_heading = "Plan")]
    pub(crate) policy: Option<Policy>,
    /// How many samples may fail and be left out: N, or P% of the run's [default: 0]
    #[arg(long, value_name = "N|P%", value_parser = failed_samples, help_heading = "Plan")]
    pub(crate) failed_samples: Option<FailedSamplesLimit>,
    /// Start no shard a second time, whatever became of the first: for work that must not run twice
    #[arg(long, help_heading = "Plan")]
    pub(crate) at_most_once: bool,
    #[command(flatten)]
    pub(crate) until: UntilFlags,
    /// A file the kernel is prepared with: a path or s3://bucket/key
    #[arg(long, value_name = "NAME=URI", value_parser = input, help_heading = "Plan")]
    pub(crate) input: Vec<(String, String)>,
    /// A JSON object with the kernel's parameters: a path or s3://bucket/key. In an array, a folder with 0.json, 1.json, ...: each process runs the case of its index
    #[arg(
        long,
        visible_alias = "s3uri-kwargs",
        value_name = "URI",
        help_heading = "Plan"
    )]
    pub(crate) kwargs: Option<String>,
    /// Many sets of parameters, each a case of the run: a file with a JSON object in each line (.jsonl), or a folder with 0.json, 1.json, ...
    #[arg(long, value_name = "URI", help_heading = "Plan")]
    pub(crate) cases: Option<String>,
}

// How a worker works.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct WorkFlags {
    /// How many threads [default: RAYON_NUM_THREADS, SLURM_CPUS_PER_TASK, or every core that may be used]
    #[arg(long, value_name = "N", help_heading = "Work")]
    pub(crate) threads: Option<u64>,
    /// How often what is finished is published, so that a death costs no more
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration, help_heading = "Work")]
    pub(crate) checkpoint: Duration,
    /// How long this may take: it publishes and stops shortly before, with exit code 75 [default: what Slurm tells]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Work")]
    pub(crate) deadline: Option<Duration>,
    /// Work on a run that another build of the program began
    #[arg(long, help_heading = "Work")]
    pub(crate) allow_other_build: bool,
    /// Show no progress
    #[arg(long, help_heading = "Work")]
    pub(crate) no_progress: bool,
}

// What remembers how shards ended, beside the store.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct TrackerFlags {
    /// Who lets one worker have each shard and remembers how it ended: store, or dynamodb://table. Nobody, but for the attempts' records, if left out
    #[arg(long, value_name = "URI", help_heading = "Tracker")]
    pub(crate) tracker: Option<String>,
}

// How a tracker is asked for a shard.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct ClaimFlags {
    #[command(flatten)]
    pub(crate) tracker: TrackerFlags,
    /// With a tracker: after so many failed attempts a shard is given up
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Tracker")]
    pub(crate) max_attempts: u32,
}

// What a forecast is made for.
#[derive(Args, Clone, Copy, Debug)]
#[group(skip)]
pub(crate) struct ForecastFlags {
    /// How long a shard should take, where --shards does not say how many there are
    #[arg(long, value_name = "TIME", default_value = "20m", value_parser = duration, help_heading = "Forecast")]
    pub(crate) shard_time: Duration,
    /// What a core costs for an hour, for a price
    #[arg(long, value_name = "PRICE", value_parser = price, help_heading = "Forecast")]
    pub(crate) price_per_vcpu_hour: Option<f64>,
}

// How results are shown.
#[derive(Args, Clone, Copy, Debug)]
#[group(skip)]
pub(crate) struct ShowFlags {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match number::duration(text)? {
        Duration::ZERO => Err("no time at all: give at least 1ms".to_owned()),
        time => Ok(time),
    }
}

pub(crate) fn shards(text: &str) -> Result<u32, String> {
    let shards = number::count(text)?;
    u32::try_from(shards).map_err(|_| format!("a run has at most {} shards", u32::MAX))
}

pub(crate) fn policy(text: &str) -> Result<Policy, String> {
    text.parse()
        .map_err(|error: croupier_run::Error| error.to_string())
}

pub(crate) fn failed_samples(text: &str) -> Result<FailedSamplesLimit, String> {
    text.parse()
        .map_err(|error: croupier_run::Error| error.to_string())
}

fn price(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|price: &f64| price.is_finite() && *price >= 0.0)
        .ok_or_else(|| "expected a price, such as 0.0125".to_owned())
}

fn input(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, uri)) if !name.is_empty() && !uri.is_empty() => {
            Ok((name.to_owned(), uri.to_owned()))
        }
        _ => Err("expected NAME=URI, such as scene=s3://bucket/scene.json".to_owned()),
    }
}
