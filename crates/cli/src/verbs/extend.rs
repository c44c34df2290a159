//! `extend`: asks a run for more samples. What is done stays; only new blocks run.

use clap::Args;
use serde::Serialize;

use crate::exit::Exit;
use crate::flags::{RunFlags, ShowFlags, shards};
use crate::number;
use crate::number::format_count;
use crate::{CliError, run_uri, show};

// What `extend` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct ExtendVerb {
    #[command(flatten)]
    run: RunFlags,
    /// How many samples the run is to have in all
    #[arg(long, value_name = "N", value_parser = number::count)]
    samples: u64,
    /// How many shards the new ones are dealt to; as many as the last segment has, if left out
    #[arg(long, value_name = "N", value_parser = shards)]
    shards: Option<u32>,
    #[command(flatten)]
    show: ShowFlags,
}

#[derive(Serialize)]
struct Extended {
    run: String,
    segment: usize,
    samples: u64,
    /// The new shards: the first, and how many; none where it had so many samples before.
    first_shard: u32,
    shards: u32,
}

pub(crate) async fn extend(flags: &ExtendVerb) -> Result<Exit, CliError> {
    let run = run_uri::open_run(&flags.run).await?;
    let segments = run.segments.len();
    let run = run.extend(flags.samples, flags.shards).await?;
    let is_new = run.segments.len() > segments;
    let Some(segment) = run.segments.last() else {
        return Err(CliError::Usage(format!(
            "run {} has no segment",
            run.name()
        )));
    };
    let report = Extended {
        run: run.uri(),
        segment: run.segments.len() - 1,
        samples: run.samples(),
        first_shard: if is_new {
            segment.first_shard
        } else {
            run.shards()
        },
        shards: if is_new { segment.shards } else { 0 },
    };
    show::print(flags.show.json, &report, |report| {
        let (run, samples) = (&report.run, format_count(report.samples));
        let first = report.first_shard;
        match report.shards {
            0 => format!("{run} has {samples} samples already: nothing is new"),
            1 => format!("{run} now has {samples} samples: new is shard {first}"),
            shards => format!(
                "{run} now has {samples} samples: new are shards {first} to {}",
                first + shards - 1
            ),
        }
    })?;
    Ok(Exit::Done)
}
