//! `status`: how far a run is, by the names of its partials.

use croupier_run::{Inventory, ShardState};
use serde::Serialize;

use crate::exit::Exit;
use crate::flags::StatusVerb;
use crate::number::format_count;
use crate::{CliError, run_uri, show};

#[derive(Serialize)]
struct StatusReport {
    run: String,
    kernel: String,
    seed: String,
    samples: u64,
    blocks: Counts<u64>,
    shards: Counts<u32>,
    /// Shards with a part of their blocks.
    unfinished: Vec<u32>,
    /// Shards with nothing.
    missing: Vec<u32>,
}

#[derive(Serialize)]
struct Counts<N> {
    planned: N,
    done: N,
}

pub(crate) async fn status(flags: &StatusVerb) -> Result<Exit, CliError> {
    let run = run_uri::open_run(&flags.run).await?;
    let inventory = Inventory::of(&run).await?;
    let identity = &run.manifest.identity;
    let mut report = StatusReport {
        run: run.uri(),
        kernel: identity.kernel.clone(),
        seed: identity.seed.to_string(),
        samples: run.samples(),
        blocks: Counts {
            planned: identity.block_length.blocks_for(run.samples()),
            done: 0,
        },
        shards: Counts {
            planned: run.shards(),
            done: 0,
        },
        unfinished: Vec::new(),
        missing: Vec::new(),
    };
    for shard in 0..run.shards() {
        let (segment, grid) = run.segment_of(shard)?;
        let blocks = grid.shard(shard - segment.first_shard, segment.shards);
        let count = blocks.end - blocks.start;
        match inventory.state(shard, count) {
            ShardState::Done => {
                report.shards.done += 1;
                report.blocks.done += count;
            }
            ShardState::Partial { blocks } => {
                report.unfinished.push(shard);
                report.blocks.done += blocks;
            }
            ShardState::Missing => report.missing.push(shard),
        }
    }
    show::print(flags.show.json, &report, |report| {
        let mut text = format!(
            "run     {}\nkernel  {}, seed {}\nshards  {} of {} done\nblocks  {} of {} done",
            report.run,
            report.kernel,
            report.seed,
            report.shards.done,
            report.shards.planned,
            format_count(report.blocks.done),
            format_count(report.blocks.planned)
        );
        for (what, shards) in [
            ("unfinished", &report.unfinished),
            ("missing", &report.missing),
        ] {
            if !shards.is_empty() {
                text.push_str(&format!("\n{what} {}", show::shards(shards)));
            }
        }
        text
    });
    Ok(Exit::Done)
}
