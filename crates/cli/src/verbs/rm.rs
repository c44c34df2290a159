//! `rm`: removes a run, once it is meant.

use serde::Serialize;

use crate::exit::Exit;
use crate::flags::RmVerb;
use crate::number::format_count;
use crate::{CliError, run_uri, show};

#[derive(Serialize)]
struct Removed {
    run: String,
    objects: u64,
    removed: bool,
}

pub(crate) async fn rm(flags: &RmVerb) -> Result<Exit, CliError> {
    // Not opened: what is left of an interrupted removal, or is damaged, must be removable too.
    let (store, name) = run_uri::named(&flags.run, &flags.store).await?;
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
