//! `drive`: applies a run's policy on this machine until nothing more is to be done, and reduces.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{ArgMatches, Args};
use croupier_fleet::driver::{DriveError, Driven, Legacy, Step, drive_on as drive_run};
use croupier_fleet::engine::Engine;
use croupier_fleet::tracker;
use croupier_run::{Found, ReduceOptions, Standing, StoredRun, Survey};
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;

use crate::engines::{EngineFlags, driver_arguments, worker_call};
use crate::exit::Exit;
use crate::flags::{ClaimFlags, RunFlags, ShowFlags, TrackerFlags, WorkFlags, duration};
use crate::kind::Kind;
use crate::until::go_on;
use crate::verbs::reduce::{Reduced, check_found, reduced};
use crate::verbs::retry::this_build;
use crate::worker::{exit_when_told_again, told_to_stop};
use crate::{CliError, run_uri, show, tracking};

// What `drive` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct DriveVerb {
    #[command(flatten)]
    run: RunFlags,
    #[command(flatten)]
    engine: EngineFlags,
    /// How often to look
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    every: Duration,
    /// Make the tracker's table first, for trying out
    #[arg(long, requires = "tracker", help_heading = "Tracker")]
    create_table: bool,
    #[command(flatten)]
    claim: ClaimFlags,
    #[command(flatten)]
    work: WorkFlags,
    /// What the driver before this one left; it leaves another, rather than wait for shards
    #[arg(long, hide = true, value_name = "SHARDS,ROUND")]
    handed_over: Option<Legacy>,
    #[command(flatten)]
    show: ShowFlags,
}

pub(crate) async fn drive(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &DriveVerb,
) -> Result<Exit, CliError> {
    let mut run = run_uri::find(&flags.run).await?;
    check_found(kind, &run)?;
    prepare_tracker(flags, &mut run).await?;
    let call = worker_call(&run, &flags.work, &flags.claim, &flags.run.store)?;
    let mut engine = flags.engine.open(&run, call).await?;
    let relay = flags.handed_over.map(|predecessor| Relay {
        predecessor,
        successor: driver_arguments(&run, matches),
    });
    let engine = &mut *engine;
    drive_on(kind, &mut run, engine, relay, flags.every, flags.show.json).await
}

/// A driver that takes over from one and leaves another.
pub(super) struct Relay {
    predecessor: Legacy,
    /// What that other one is called with, but for what this one leaves it.
    successor: Vec<String>,
}

/// Drives `run` to its end on `engine`, and prints its result. In a relay it ends before that, where it would wait.
/// SIGTERM and SIGINT end it at any time, the second one at once.
pub(super) async fn drive_on(
    kind: &dyn Kind,
    run: &mut Found,
    engine: &mut dyn Engine,
    relay: Option<Relay>,
    every: Duration,
    json: bool,
) -> Result<Exit, CliError> {
    // Apart from what is driven, which may be busy.
    let (told, to_stop) = oneshot::channel();
    let listening = tokio::spawn(async move {
        if told_to_stop().await.is_some() {
            // Nobody hears it whose run has ended.
            let _ = told.send(());
            exit_when_told_again().await;
        }
    });
    let ended = tokio::select! {
        ended = drive_to_the_end(kind, run, engine, relay, every, json) => ended,
        Ok(()) = to_stop => stop(engine, every).await,
    };
    listening.abort();
    ended
}

/// Ends without a result.
async fn stop(engine: &mut dyn Engine, every: Duration) -> Result<Exit, CliError> {
    if engine.needs_driver() {
        eprintln!("stopping: workers publish what they have; `drive` goes on with it");
        engine.cancel().await?;
        until_idle(engine, every).await?;
    } else {
        eprintln!(
            "stopping: what is at work goes on without a driver, until `drive` is called again"
        );
    }
    Ok(Exit::Stopped)
}

async fn drive_to_the_end(
    kind: &dyn Kind,
    run: &mut Found,
    engine: &mut dyn Engine,
    relay: Option<Relay>,
    every: Duration,
    json: bool,
) -> Result<Exit, CliError> {
    let build = this_build()?;
    loop {
        let predecessor = relay.as_ref().map(|relay| relay.predecessor);
        let driven = drive_run(predecessor, run, engine, &build, every, &tell).await;
        let driven = driven.map_err(|error| match error {
            DriveError::Run(error) => CliError::Run(error),
            DriveError::Engine(error) => CliError::Engine(error),
        })?;
        let driven = match (driven, &relay) {
            (Driven::AtWork(legacy), Some(relay)) => {
                let mut successor = relay.successor.clone();
                successor.extend(["--handed-over".to_owned(), legacy.to_string()]);
                let driver = engine.start_driver(&successor).await?;
                eprintln!("shards are at work; {driver} goes on when they have ended");
                return Ok(Exit::Done);
            }
            (driven, _) => driven,
        };
        let result = reduce(kind, run, engine, &driven, every).await?;
        if !go_on(run, &result).await? {
            return result.print(json);
        }
    }
}

/// Reduces a run that was driven to its end. Shards that are found damaged are run again.
async fn reduce(
    kind: &dyn Kind,
    run: &mut Found,
    engine: &mut dyn Engine,
    driven: &Driven,
    every: Duration,
) -> Result<Reduced, CliError> {
    if let Driven::Stopped(order) = driven {
        eprintln!("the run is stopped: {}", order.reason);
    }
    let options = ReduceOptions::default();
    let result = reduced(kind, run, &options).await?;
    let missing = result.missing();
    if *driven != Driven::Done || missing.is_empty() {
        return Ok(result);
    }
    // Done by the names of partials, which were found damaged now that they were read.
    eprintln!("damaged and run again: {}", show::shards(missing));
    engine.start(missing, None).await?;
    until_idle(engine, every).await?;
    reduced(kind, run, &options).await
}

/// Waits until nothing is at work.
async fn until_idle(engine: &mut dyn Engine, every: Duration) -> Result<(), CliError> {
    while !engine.at_work().await?.is_empty() {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = engine.changed() => {}
        }
    }
    Ok(())
}

/// Makes its table where that is asked for, and tells it what is done, which it may have lost.
async fn prepare_tracker(flags: &DriveVerb, run: &mut Found) -> Result<(), CliError> {
    const AT_ONCE: usize = 16;
    let tracker = &flags.claim.tracker;
    let Some(uri) = &tracker.tracker else {
        return Ok(());
    };
    if flags.create_table {
        tracker::create(uri).await?;
    }
    let mut telling = stream::iter(done_by_run(run).await?)
        .map(|(run, done)| tell_tracker(tracker, run, done))
        .buffer_unordered(AT_ONCE);
    let mut told = 0;
    while let Some(count) = telling.next().await {
        match count? {
            Some(count) => told += count,
            // Out of reach for one, it is so for all.
            None => break,
        }
    }
    if told > 0 {
        eprintln!("told the tracker of {told} shards that are done");
    }
    Ok(())
}

/// Which shards are done, of the run or of each of its cases, whose trackers are their own.
async fn done_by_run(run: &mut Found) -> Result<Vec<(StoredRun, Vec<u32>)>, CliError> {
    let survey = run.survey().await?;
    let shards = survey.shards.iter();
    let done = shards.filter(|shard| shard.standing == Standing::Done);
    let done = done.map(|shard| shard.shard);
    match run {
        Found::Run(run) => Ok(vec![((**run).clone(), done.collect())]),
        Found::Cases(cases) => {
            let mut by_case: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            for shard in done {
                let (case, shard) = cases.locate(shard)?;
                by_case.entry(case).or_default().push(shard);
            }
            let planned = cases.planned().await?;
            let of_case = |(case, done)| Some((planned.get(&case)?.clone(), done));
            Ok(by_case.into_iter().filter_map(of_case).collect())
        }
    }
}

/// Tells a run's tracker what is done; of how many shards it did not know. None where it is out of reach.
async fn tell_tracker(
    flags: &TrackerFlags,
    run: StoredRun,
    done: Vec<u32>,
) -> Result<Option<usize>, CliError> {
    let Some(tracker) = tracking::open(flags, &run).await? else {
        return Ok(None);
    };
    match tracker.rebuild(&done).await {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.is_retryable() => {
            eprintln!("warning: {error}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Says what is done, with the reasons.
fn tell(step: &Step, survey: &Survey) {
    match step {
        Step::Start {
            shards,
            round: None,
        } => eprintln!("starting {}", show::shards(shards)),
        Step::Start {
            shards,
            round: Some(number),
        }
        | Step::BeginRound { number, shards } => {
            eprintln!("round {number}: {}", show::shards(shards));
            for cause in survey.causes() {
                eprintln!(
                    "  {} shards: {}, such as shard {}",
                    cause.shards, cause.cause, cause.first
                );
            }
        }
        Step::Stop { reason, .. } => eprintln!("stopping the run: {reason}"),
        Step::Cancel => eprintln!("ending what is at work"),
        Step::Wait => {}
        Step::End(_) => eprintln!(
            "{} of {} shards are done",
            survey.count(Standing::Done),
            survey.shards.len()
        ),
    }
}
