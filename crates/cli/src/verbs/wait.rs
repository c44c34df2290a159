//! `wait`: blocks until a run is done or nothing more is to come, and ends as its result does.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use clap::Args;
use croupier_fleet::driver::{Driven, Memory, Step, Subject};
use croupier_run::{Found, ReduceOptions, Standing, Survey};

use crate::exit::Exit;
use crate::flags::{RunFlags, ShowFlags, duration};
use crate::kind::Kind;
use crate::verbs::reduce::{check_found, reduced};
use crate::verbs::retry::this_build;
use crate::{CliError, environment, run_uri};

// What `wait` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct WaitVerb {
    #[command(flatten)]
    run: RunFlags,
    /// How often to look
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    every: Duration,
    /// How long nothing may be at work before it ends with what there is, although a driver would start more, or shards wait for their first start: give more than they may be queued for
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_idle: Option<Duration>,
    #[command(flatten)]
    show: ShowFlags,
}

/// Nothing more is to come when so many looks one after the other say so: what was published a moment ago may not be
/// listed yet.
const LOOKS: u32 = 3;

/// So many looks one after the other may fail for reasons that pass, before it gives up.
const MOST_FAILED_LOOKS: u32 = 30;

/// What is to be expected of a run.
enum Outlook {
    /// It is done, or was stopped.
    Over,
    /// Shards are at work.
    AtWork,
    /// Nothing is at work, and shards that were handed to a scheduler may be queued, or were refused before they could
    /// leave a word.
    ToStart,
    /// Nothing is at work, and a driver would go on.
    ForADriver,
    /// Nothing is at work, and a driver would end.
    Still,
}

pub(crate) async fn wait(kind: &dyn Kind, flags: &WaitVerb) -> Result<Exit, CliError> {
    let mut run = run_uri::find(&flags.run).await?;
    check_found(kind, &run)?;
    let (mut still, mut idle_since, mut was_said) = (0, None, false);
    let mut failed_looks = 0;
    loop {
        let survey = match run.survey().await {
            Ok(survey) => survey,
            // Workers go on meanwhile, and a store comes back.
            Err(error) if error.is_retryable() && failed_looks < MOST_FAILED_LOOKS => {
                failed_looks += 1;
                tokio::time::sleep(flags.every).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        failed_looks = 0;
        let outlook = outlook(&run, &survey).await?;
        still = match outlook {
            Outlook::Still => still + 1,
            _ => 0,
        };
        let idle = match outlook {
            Outlook::Over => break,
            Outlook::AtWork => {
                (idle_since, was_said) = (None, false);
                None
            }
            Outlook::ToStart | Outlook::ForADriver | Outlook::Still => {
                Some(idle_since.get_or_insert_with(Instant::now).elapsed())
            }
        };
        let has_waited = flags
            .max_idle
            .zip(idle)
            .is_some_and(|(max, idle)| idle >= max);
        if still == LOOKS || has_waited {
            break;
        }
        if matches!(outlook, Outlook::ForADriver) && !std::mem::replace(&mut was_said, true) {
            eprintln!(
                "nothing is at work, and more is for a driver to start: waiting for one, such as\n  {} drive --run {}",
                environment::program(),
                run.uri()
            );
        }
        tokio::time::sleep(flags.every).await;
    }
    reduced(kind, &mut run, &ReduceOptions::default())
        .await?
        .print(flags.show.json)
}

/// What is to be expected. Between two rounds nothing is at work, and a driver that is to begin the next may have to
/// wait for a place: so what it would do then is what counts.
async fn outlook(run: &Found, survey: &Survey) -> Result<Outlook, CliError> {
    let is_idle = survey.count(Standing::Running) == 0;
    let waiting = survey.count(Standing::Waiting) + survey.not_started_in_last_round().len();
    if survey.stop_order.is_none() && !survey.is_done() {
        if !is_idle {
            return Ok(Outlook::AtWork);
        }
        if waiting > 0 {
            return Ok(Outlook::ToStart);
        }
    }
    let step = Memory::default().next(run.terms(), survey, &BTreeSet::new(), &build_of(survey)?);
    Ok(match step {
        Step::Wait => Outlook::AtWork,
        Step::End(Driven::Stopped(_)) => Outlook::Over,
        Step::End(_) if run.is_over().await? => match survey.is_done() {
            true => Outlook::Over,
            false => Outlook::Still,
        },
        // A further segment is for a driver to plan, unless the policy refuses what there is.
        Step::End(_) if is_accepted(run, survey) => Outlook::ForADriver,
        // Workers stop one another where one may not fail.
        Step::End(_) | Step::Stop { .. } | Step::Cancel => Outlook::Still,
        Step::Start { .. } | Step::BeginRound { .. } => Outlook::ForADriver,
    })
}

fn is_accepted(run: &Found, survey: &Survey) -> bool {
    let shards = survey.shards.iter();
    let (planned, done) = shards.fold((0, 0), |(planned, done), shard| {
        (planned + shard.blocks, done + shard.blocks_done)
    });
    let unfinished = survey.shards.len() - survey.count(Standing::Done);
    run.policy()
        .accepts(unfinished as u64, planned - done, planned)
}

/// The program that is at work, by whoever began last; it may be built for another machine than this.
fn build_of(survey: &Survey) -> Result<String, CliError> {
    let attempts = survey.shards.iter().filter_map(|shard| shard.last.as_ref());
    match attempts.max_by(|one, other| one.started.cmp(&other.started)) {
        Some(last) => Ok(last.build.clone()),
        None => this_build(),
    }
}
