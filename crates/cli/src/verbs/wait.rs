//! `wait`: blocks until a run is done or stands still, and ends as its result does.

use std::time::Duration;

use clap::Args;
use croupier_run::{ReduceOptions, Standing};

use crate::exit::Exit;
use crate::flags::{RunFlags, ShowFlags, duration};
use crate::kind::Kind;
use crate::verbs::reduce::{check_found, reduced};
use crate::{CliError, run_uri};

// What `wait` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct WaitVerb {
    #[command(flatten)]
    run: RunFlags,
    /// How often to look
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    every: Duration,
    #[command(flatten)]
    show: ShowFlags,
}

/// A run stands still when nothing is at work or still to start in so many looks one after the other: between two
/// rounds of a driver nothing is, for a moment.
const LOOKS: u32 = 3;

pub(crate) async fn wait(kind: &dyn Kind, flags: &WaitVerb) -> Result<Exit, CliError> {
    let mut run = run_uri::find(&flags.run).await?;
    check_found(kind, &run)?;
    let mut still = 0;
    loop {
        let survey = run.survey().await?;
        let is_running = survey.count(Standing::Running) > 0;
        let is_over = survey.is_done() && run.is_over().await?;
        if is_over || (survey.stop_order.is_some() && !is_running) {
            break;
        }
        let waiting = survey.count(Standing::Waiting) + survey.not_started_in_last_round().len();
        let is_still = !is_running && waiting == 0;
        still = if is_still { still + 1 } else { 0 };
        if still == LOOKS {
            break;
        }
        tokio::time::sleep(flags.every).await;
    }
    reduced(kind, &mut run, &ReduceOptions::default())
        .await?
        .print(flags.show.json)
}
