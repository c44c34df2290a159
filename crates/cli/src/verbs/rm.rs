//! `rm`: removes a run, once it is meant.

use std::sync::Arc;

use clap::Args;
use croupier_run::Standing;
use croupier_store::Store;
use serde::Serialize;

use crate::exit::Exit;
use crate::flags::{ShowFlags, StoreFlags};
use crate::number::format_count;
use crate::{CliError, run_uri, show};

// What `rm` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct RmVerb {
    /// The run: its name in --store, or its path or URI
    #[arg(long, value_name = "RUN", required = true)]
    run: String,
    #[command(flatten)]
    store: StoreFlags,
    /// Remove it; without this, only say what would be removed
    #[arg(long)]
    yes: bool,
    /// Also while shards are at work, which then publish into nothing
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    show: ShowFlags,
}

#[derive(Serialize)]
struct Removed {
    run: String,
    objects: u64,
    removed: bool,
}

pub(crate) async fn rm(flags: &RmVerb) -> Result<Exit, CliError> {
    // Not opened: what is left of an interrupted removal, or is damaged, must be removable too.
    let (store, name) = run_uri::named(&flags.run, &flags.store).await?;
    if flags.yes && !flags.force {
        refuse_at_work(&store, name).await?;
    }
    let objects = croupier_run::remove(&store, name, flags.yes).await?;
    let report = Removed {
        run: format!("{}/{name}", store.uri().trim_end_matches('/')),
        objects,
        removed: flags.yes,
    };
    show::print(flags.show.json, &report, |report| {
        let objects = format_count(report.objects);
        if report.removed {
            format!("removed {} ({objects} objects)", report.run)
        } else {
            format!(
                "would remove {} ({objects} objects): repeat it with --yes",
                report.run
            )
        }
    })?;
    Ok(Exit::Done)
}

/// Refuses a run whose workers would go on without it. What can't be read is nobody's to work on.
async fn refuse_at_work(store: &Arc<dyn Store>, name: &str) -> Result<(), CliError> {
    let Ok(mut run) = croupier_run::find(store, name).await else {
        return Ok(());
    };
    let Ok(survey) = run.survey().await else {
        return Ok(());
    };
    match survey.count(Standing::Running) {
        0 => Ok(()),
        running => Err(CliError::Usage(format!(
            "{running} of its shards are at work: `cancel --run {}` ends them, and --force removes it all the same",
            run.uri()
        ))),
    }
}
