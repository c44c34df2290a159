//! `ls`: the runs of a store.

use clap::Args;
use croupier_run::Found;
use serde::Serialize;

use crate::exit::Exit;
use crate::flags::{ShowFlags, StoreFlags};
use crate::number::format_count;
use crate::{CliError, run_uri, show};

// What `ls` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct LsVerb {
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    show: ShowFlags,
}

#[derive(Serialize)]
struct RunLine {
    run: String,
    kernel: String,
    created: String,
    /// Null of cases that each have their own number.
    samples: Option<u64>,
    shards: u32,
    /// Null of a run that is none of cases.
    cases: Option<usize>,
}

pub(crate) async fn ls(flags: &LsVerb) -> Result<Exit, CliError> {
    let store = run_uri::open_store(&flags.store).await?;
    let mut lines = Vec::new();
    for name in croupier_run::runs(&store).await? {
        match croupier_run::find(&store, &name).await {
            Ok(Found::Cases(cases)) => {
                let wanted = &cases.manifest.wanted;
                let count = cases.manifest.count();
                lines.push(RunLine {
                    run: cases.uri(),
                    kernel: wanted.kernel.clone(),
                    created: cases.manifest.created.clone(),
                    samples: wanted
                        .samples
                        .map(|samples| samples.saturating_mul(count as u64)),
                    shards: count as u32 * wanted.shards,
                    cases: Some(count),
                });
            }
            Ok(Found::Run(run)) => lines.push(RunLine {
                run: run.uri(),
                kernel: run.manifest.identity.kernel.clone(),
                created: run.manifest.created.clone(),
                samples: Some(run.samples()),
                shards: run.shards(),
                cases: None,
            }),
            Err(error) => eprintln!("warning: {name}: {error}"),
        }
    }
    lines.sort_by(|a, b| a.created.cmp(&b.created));
    if lines.is_empty() {
        eprintln!("no runs in {}", store.uri());
    }
    show::print(flags.show.json, &lines, |lines| {
        lines
            .iter()
            .map(|line| {
                let cases = line.cases.map(|cases| format!("{cases} cases, "));
                let samples = line
                    .samples
                    .map(|samples| format!("{} samples, ", format_count(samples)));
                format!(
                    "{}  {}  {}  {}{}{} shards\n",
                    line.created,
                    line.run,
                    line.kernel,
                    cases.unwrap_or_default(),
                    samples.unwrap_or_default(),
                    line.shards
                )
            })
            .collect()
    })?;
    Ok(Exit::Done)
}
