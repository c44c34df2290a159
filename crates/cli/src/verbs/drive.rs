//! `drive`: applies a run's policy on this machine until nothing more is to be done, and reduces.

use std::ffi::OsString;

use croupier_fleet::driver::{DriveError, Driven, Step, drive as drive_run};
use croupier_fleet::engine::{Engine, Local};
use croupier_fleet::tracker;
use croupier_run::{Found, ReduceOptions, Standing, Survey};

use crate::exit::Exit;
use crate::flags::DriveVerb;
use crate::kind::Kind;
use crate::verbs::reduce::{check_found, reduced};
use crate::verbs::retry::this_build;
use crate::worker::told_to_stop;
use crate::{CliError, environment, run_uri, show, supervise, tracking};

pub(crate) async fn drive(kind: &dyn Kind, flags: &DriveVerb) -> Result<Exit, CliError> {
    let mut run = run_uri::find(&flags.run).await?;
    check_found(kind, &run)?;
    prepare_tracker(flags, &run).await?;
    let program = environment::executable().map_err(|error| CliError::System {
        what: "this program's own file can't be found",
        error,
    })?;
    let always = vec![(supervise::ALWAYS.into(), "1".into())];
    let mut engine = Local::new(program, worker_arguments(&run, flags), always, flags.jobs);
    let build = this_build()?;
    let driven = tokio::select! {
        driven = drive_run(&mut run, &mut engine, &build, flags.every, &tell) => driven,
        Some(()) = told_to_stop() => {
            eprintln!("stopping: workers publish what they have; `drive` goes on with it");
            engine.cancel().await?;
            while !engine.at_work().await?.is_empty() {
                engine.changed().await;
            }
            return Ok(Exit::Stopped);
        }
    };
    let driven = driven.map_err(|error| match error {
        DriveError::Run(error) => CliError::Run(error),
        DriveError::Engine(error) => CliError::Engine(error),
    })?;
    let is_done = driven == Driven::Done;
    if let Driven::Stopped(order) = driven {
        eprintln!("the run is stopped: {}", order.reason);
    }
    let options = ReduceOptions::default();
    let mut result = reduced(kind, &mut run, &options).await?;
    let missing = result.missing();
    if is_done && !missing.is_empty() {
        // Done by the names of partials, which were found damaged now that they were read.
        eprintln!("damaged and run again: {}", show::shards(missing));
        engine.start(missing, None).await?;
        while !engine.at_work().await?.is_empty() {
            engine.changed().await;
        }
        result = reduced(kind, &mut run, &options).await?;
    }
    result.print(flags.show.json)
}

/// Makes its table where that is asked for, and tells it what is done, which it may have lost.
async fn prepare_tracker(flags: &DriveVerb, run: &Found) -> Result<(), CliError> {
    let Some(uri) = &flags.claim.tracker.tracker else {
        return Ok(());
    };
    if flags.create_table {
        tracker::create(uri).await?;
    }
    // Cases are tracked each by itself, and are told of as their workers ask.
    let Found::Run(run) = run else {
        return Ok(());
    };
    let Some(tracker) = tracking::open(&flags.claim.tracker, run).await? else {
        return Ok(());
    };
    let survey = run.survey().await?;
    let done = survey
        .shards
        .iter()
        .filter(|shard| shard.standing == Standing::Done);
    let done: Vec<u32> = done.map(|shard| shard.shard).collect();
    match tracker.rebuild(&done).await {
        Ok(0) => {}
        Ok(count) => eprintln!("told the tracker of {count} shards that are done"),
        Err(error) if error.is_retryable() => eprintln!("warning: {error}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// What every worker is called with, but for its shard.
fn worker_arguments(run: &Found, flags: &DriveVerb) -> Vec<OsString> {
    let mut arguments: Vec<String> = ["shard", "--no-progress", "--run"]
        .map(str::to_owned)
        .into();
    arguments.push(run.uri());
    let mut say = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    say(
        "--checkpoint",
        format!("{}ms", flags.work.checkpoint.as_millis()),
    );
    say(
        "--store-timeout",
        format!("{}ms", flags.run.store.store_timeout.as_millis()),
    );
    if let Some(threads) = flags.work.threads {
        say("--threads", threads.to_string());
    }
    if let Some(deadline) = flags.work.deadline {
        say("--deadline", format!("{}ms", deadline.as_millis()));
    }
    if let Some(tracker) = &flags.claim.tracker.tracker {
        say("--tracker", tracker.clone());
        say("--max-attempts", flags.claim.max_attempts.to_string());
    }
    if flags.work.allow_other_build {
        arguments.push("--allow-other-build".to_owned());
    }
    arguments.into_iter().map(OsString::from).collect()
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
