//! What a run will take, from a few of its blocks run here.

use std::time::{Duration, Instant};

use croupier_compute::{Estimates, Grid};
use serde::Serialize;

use crate::number::format_count;
use crate::setup::Planned;
use crate::threads::{self, Processors};
use crate::{CliError, environment, show};

/// Enough blocks to see that they differ.
const MOST_BLOCKS: u64 = 16;
/// No more are begun after this.
const ENOUGH: Duration = Duration::from_secs(10);
/// What one shard asks of S3 when nothing fails, besides its checkpoints: manifest, segments, build, stop order and
/// what earlier attempts left, then its partial and its records.
const REQUESTS_PER_SHARD: Requests = Requests {
    puts_and_lists: 6,
    gets: 4,
};
/// The same, for each checkpoint: the stop order is looked at, and a partial is put with a record of it.
const REQUESTS_PER_CHECKPOINT: Requests = Requests {
    puts_and_lists: 2,
    gets: 1,
};

/// What is asked for with a forecast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// How many shards, where that is settled.
    pub(crate) shards: Option<u32>,
    /// How long a shard should take, where it is not.
    pub(crate) shard_time: Duration,
    /// How many threads a shard will have, where the engine does not decide it here.
    pub(crate) threads: Option<u64>,
    /// How often a shard publishes.
    pub(crate) checkpoint: Duration,
    /// What a core costs for an hour, in any currency.
    pub(crate) price_per_vcpu_hour: Option<f64>,
}

/// What a run will take.
#[derive(Debug, Serialize)]
pub(crate) struct Forecast {
    /// Blocks that were run here, on one thread.
    blocks_timed: u64,
    seconds_per_block: f64,
    /// The shortest and the longest of them.
    seconds_per_block_range: [f64; 2],
    blocks: u64,
    shards: u32,
    threads_per_shard: u64,
    seconds_per_shard: f64,
    vcpu_hours: f64,
    s3_requests: Requests,
    price: Option<f64>,
}

/// How many requests, as S3 prices them.
#[derive(Clone, Copy, Debug, Serialize)]
struct Requests {
    puts_and_lists: u64,
    gets: u64,
}

/// Runs a few blocks that lie evenly over the plan, and says what all of them will take.
pub(crate) fn forecast(planned: &Planned, wanted: &Wanted) -> Result<Forecast, CliError> {
    let length = planned.plan.identity.block_length;
    let blocks = length.blocks_for(planned.plan.samples);
    let seconds = time_blocks(planned, blocks)?;
    let timed = seconds.len() as f64;
    let per_block = seconds.iter().sum::<f64>() / timed;
    let threads = match wanted.threads {
        Some(threads) => threads,
        None => threads::choose(None, &environment::variable, Processors::here())?.count as u64,
    };
    let all_seconds = per_block * blocks as f64;
    let shards = wanted.shards.unwrap_or_else(|| {
        let one = wanted.shard_time.as_secs_f64() * threads as f64;
        // Saturates, and NaN is 0.
        let shards = (all_seconds / one).ceil() as u32;
        shards.clamp(1, u32::try_from(blocks).unwrap_or(u32::MAX).max(1))
    });
    // Of a shard's blocks each is one thread's.
    let blocks_per_shard = blocks.div_ceil(shards.into());
    let seconds_per_shard = per_block * blocks_per_shard.div_ceil(threads) as f64;
    let checkpoints = (seconds_per_shard / wanted.checkpoint.as_secs_f64()) as u64;
    let requests = |of: fn(&Requests) -> u64| {
        let per_shard = of(&REQUESTS_PER_SHARD) + checkpoints * of(&REQUESTS_PER_CHECKPOINT);
        u64::from(shards).saturating_mul(per_shard)
    };
    let vcpu_hours = f64::from(shards) * seconds_per_shard * threads as f64 / 3600.0;
    Ok(Forecast {
        blocks_timed: seconds.len() as u64,
        seconds_per_block: per_block,
        seconds_per_block_range: [
            seconds.iter().copied().fold(f64::INFINITY, f64::min),
            seconds.iter().copied().fold(0.0, f64::max),
        ],
        blocks,
        shards,
        threads_per_shard: threads,
        seconds_per_shard,
        vcpu_hours,
        s3_requests: Requests {
            puts_and_lists: requests(|requests| requests.puts_and_lists),
            gets: requests(|requests| requests.gets),
        },
        price: wanted.price_per_vcpu_hour.map(|price| price * vcpu_hours),
    })
}

/// Seconds of each block that was run. The first one also warms caches, and does not count where there are others.
fn time_blocks(planned: &Planned, blocks: u64) -> Result<Vec<f64>, CliError> {
    let identity = &planned.plan.identity;
    let grid = Grid::new(identity.block_length, 0, planned.plan.samples)
        .map_err(croupier_run::Error::from)?;
    let count = blocks.min(MOST_BLOCKS);
    let began = Instant::now();
    let mut seconds = Vec::new();
    for nth in 0..count {
        let block = (u128::from(nth) * u128::from(blocks) / u128::from(count)) as u64;
        let mut estimates = Estimates::new(identity.kernel.clone(), 0.95);
        let before = Instant::now();
        let kernel = &planned.kernel;
        tokio::task::block_in_place(|| {
            kernel.replay_block(identity.seed, &grid, block, &mut estimates)
        })
        .map_err(croupier_run::Error::from)?;
        seconds.push(before.elapsed().as_secs_f64());
        if began.elapsed() > ENOUGH {
            break;
        }
    }
    if seconds.len() > 1 {
        seconds.remove(0);
    }
    Ok(seconds)
}

/// The forecast as a person reads it.
/// Many cases may cost each its own.
pub(crate) fn no_cases(flag: &str) -> CliError {
    CliError::Usage(format!(
        "{flag}: a forecast is of one set of parameters; say those of a typical case by flags, instead of --cases"
    ))
}

pub(crate) fn text(forecast: &Forecast) -> String {
    let [shortest, longest] = forecast.seconds_per_block_range.map(show::seconds);
    let mut text = format!(
        "a block {} ({shortest} to {longest}), from {} blocks on one thread of this machine\nblocks  {}\nshards  {} of {} threads, {} each\nvCPU-h  {:.3}\nS3      {} puts and lists, {} gets, where nothing fails",
        show::seconds(forecast.seconds_per_block),
        forecast.blocks_timed,
        format_count(forecast.blocks),
        forecast.shards,
        forecast.threads_per_shard,
        show::seconds(forecast.seconds_per_shard),
        forecast.vcpu_hours,
        format_count(forecast.s3_requests.puts_and_lists),
        format_count(forecast.s3_requests.gets),
    );
    if let Some(price) = forecast.price {
        text.push_str(&format!("\nprice   {price:.2}, for the vCPU-hours alone"));
    }
    text
}
