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
    let run = run_uri::open_named(&flags.run, &flags.store).await?;
    let objects = croupier_run::remove(&run, flags.yes).await?;
    let report = Removed {
        run: run.uri(),
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
    });
    Ok(Exit::Done)
}
