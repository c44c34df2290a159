//! `ls`: the runs of a store.

use serde::Serialize;

use crate::exit::Exit;
use crate::flags::LsVerb;
use crate::number::format_count;
use crate::{CliError, run_uri, show};

#[derive(Serialize)]
struct RunLine {
    run: String,
    kernel: String,
    created: String,
    samples: u64,
    shards: u32,
}

pub(crate) async fn ls(flags: &LsVerb) -> Result<Exit, CliError> {
    let store = run_uri::open_store(&flags.store).await?;
    let mut lines = Vec::new();
    for name in croupier_run::runs(&store).await? {
        match croupier_run::open(&store, &name).await {
            Ok(run) => lines.push(RunLine {
                run: run.uri(),
                kernel: run.manifest.identity.kernel.clone(),
                created: run.manifest.created.clone(),
                samples: run.samples(),
                shards: run.shards(),
            }),
            Err(error) => eprintln!("warning: {name}: {error}"),
        }
    }
    lines.sort_by(|a, b| a.created.cmp(&b.created));
    show::print(flags.show.json, &lines, |lines| {
        lines
            .iter()
            .map(|line| {
                format!(
                    "{}  {}  {}  {} samples, {} shards\n",
                    line.created,
                    line.run,
                    line.kernel,
                    format_count(line.samples),
                    line.shards
                )
            })
            .collect()
    })?;
    Ok(Exit::Done)
}
