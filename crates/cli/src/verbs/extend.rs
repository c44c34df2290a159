//! `extend`: asks a run for more samples. What is done stays; only new blocks run.

use serde::Serialize;

use crate::exit::Exit;
use crate::flags::ExtendVerb;
use crate::number::format_count;
use crate::{CliError, run_uri, show};

#[derive(Serialize)]
struct Extended {
    run: String,
    segment: usize,
    samples: u64,
    /// The new shards: the first, and how many.
    first_shard: u32,
    shards: u32,
}

pub(crate) async fn extend(flags: &ExtendVerb) -> Result<Exit, CliError> {
    let run = run_uri::open_run(&flags.run).await?;
    let run = run.extend(flags.samples, flags.shards).await?;
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
        first_shard: segment.first_shard,
        shards: segment.shards,
    };
    show::print(flags.show.json, &report, |report| {
        format!(
            "{} now has {} samples: new are shards {} to {}",
            report.run,
            format_count(report.samples),
            report.first_shard,
            report.first_shard + report.shards - 1
        )
    })?;
    Ok(Exit::Done)
}
