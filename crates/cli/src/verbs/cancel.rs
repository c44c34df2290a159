//! `cancel`: stops a run for all its workers, at their next checkpoint.

use clap::Args;
use serde::Serialize;

use crate::engines::EngineFlags;
use crate::exit::Exit;
use crate::flags::{RunFlags, ShowFlags};
use crate::{CliError, run_uri, show};

// What `cancel` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct CancelVerb {
    #[command(flatten)]
    run: RunFlags,
    #[command(flatten)]
    engine: EngineFlags,
    /// Why, for whoever meets it
    #[arg(long, default_value = "cancelled")]
    reason: String,
    #[command(flatten)]
    show: ShowFlags,
}

#[derive(Serialize)]
struct Cancelled {
    run: String,
    reason: String,
    at: String,
}

pub(crate) async fn cancel(flags: &CancelVerb) -> Result<Exit, CliError> {
    let run = run_uri::find(&flags.run).await?;
    let order = run.stop(None, flags.reason.clone()).await?;
    if let Some(mut engine) = flags.engine.asked(&run).await? {
        engine.cancel().await?;
    }
    let report = Cancelled {
        run: run.uri(),
        reason: order.reason,
        at: order.at,
    };
    show::print(flags.show.json, &report, |report| {
        format!(
            "{} is stopped since {}: {}\nits workers see it at their next checkpoint and publish what they have; `retry` goes on with it",
            report.run, report.at, report.reason
        )
    })?;
    Ok(Exit::Done)
}
