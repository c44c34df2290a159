//! Applies a run's policy while nobody watches: starts shards, repeats those that have holes, ends all where one may
//! not fail.
//!
//! All that it knows is in the store. So it may be killed and started again, and two of them at once do no harm: at
//! worst a shard is started twice, and draws the same samples.

mod legacy;
mod step;
mod subject;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use croupier_run::{Round, StopOrder, Survey};

use crate::engine::{Engine, EngineError};

pub use legacy::{Legacy, NoLegacy};
pub use step::Step;
pub use subject::{Subject, Terms};

/// How driving a run ended. What the result is worth is for the reducer to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driven {
    /// Every shard is done.
    Done,
    /// Shards have holes, and the policy allows no more rounds, or they would fail the same way.
    HolesLeft,
    /// The run was stopped.
    Stopped(StopOrder),
    /// Shards are at work, and it hands over: this is what another driver needs that begins when they have ended.
    AtWork(Legacy),
}

/// Why a run can't be driven on.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The run, or its store.
    #[error(transparent)]
    Run(#[from] croupier_run::Error),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What a driver has seen and done so far; a new one begins with nothing.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Shards that were started for the first time by this driver.
    started: BTreeSet<u32>,
    /// How many blocks a shard had when it was last gone on with.
    blocks_at_start: BTreeMap<u32, u64>,
    /// The last round of another driver that this one started.
    round_taken_up: Option<u32>,
    cancelled: bool,
    predecessor: Legacy,
}

/// A look takes time with the number of shards, and news come as often as shards end: so after each this many times
/// as long passes before the next.
const REST_AFTER_LOOK: u32 = 3;

/// So many looks one after the other may fail for reasons that pass, before a driver gives up.
const MOST_FAILED_LOOKS: u32 = 30;

/// Drives `run` with `engine` until its policy says that there is nothing more to do. Looks every `every`, and when
/// the engine has news, but no more than a quarter of the time; `tell` hears of each step that is more than waiting. `build` is the program that is started.
///
/// # Errors
///
/// Where the run can't be read, or the engine fails. Calling it again goes on.
pub async fn drive(
    run: &mut dyn Subject,
    engine: &mut dyn Engine,
    build: &str,
    every: Duration,
    tell: &(dyn Fn(&Step, &Survey) + Send + Sync),
) -> Result<Driven, DriveError> {
    drive_on(None, run, engine, build, every, tell).await
}

/// As [`drive`]; with a `predecessor` it takes up what that one left, and does not wait for shards either: it returns
/// [`Driven::AtWork`] with what the next one needs.
///
/// # Errors
///
/// As [`drive`] does.
pub async fn drive_on(
    predecessor: Option<Legacy>,
    run: &mut dyn Subject,
    engine: &mut dyn Engine,
    build: &str,
    every: Duration,
    tell: &(dyn Fn(&Step, &Survey) + Send + Sync),
) -> Result<Driven, DriveError> {
    let hands_over = predecessor.is_some();
    let mut memory = Memory::after(predecessor.unwrap_or_default());
    let mut failed_looks = 0;
    loop {
        let began = Instant::now();
        // Asked first: what is no longer at work then has left what it leaves, and the survey sees it. The other way
        // round a shard that ends between the two is a hole that nobody is at work on.
        let at_work = engine.at_work().await?;
        let survey = match run.look().await {
            Ok(survey) => survey,
            // Workers go on meanwhile, and a store comes back.
            Err(error) if error.is_retryable() && failed_looks < MOST_FAILED_LOOKS => {
                failed_looks += 1;
                tokio::time::sleep(every).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        failed_looks = 0;
        let step = memory.next(run.terms(), &survey, &at_work, build);
        if step != Step::Wait {
            tell(&step, &survey);
        }
        match step {
            Step::Wait if hands_over && !at_work.is_empty() => {
                return Ok(Driven::AtWork(memory.legacy(&survey)));
            }
            Step::Wait => {
                let rest = began.elapsed().saturating_mul(REST_AFTER_LOOK).min(every);
                tokio::time::sleep(rest).await;
                tokio::select! {
                    () = tokio::time::sleep(every.saturating_sub(rest)) => {}
                    () = engine.changed() => {}
                }
            }
            Step::Start { shards, round } => {
                // A part of a round is no round: its indexes would mean other shards.
                let is_whole = |round: &Round| round.shards == shards;
                let round = round.filter(|_| survey.rounds.last().is_some_and(is_whole));
                engine.start(&shards, round).await?;
            }
            Step::BeginRound { number, shards } => {
                memory.round_taken_up = Some(number);
                // Where another driver began it first, it is that one, and is started as such.
                let round = run.begin_round(number, shards).await?;
                engine.start(&round.shards, Some(round.round)).await?;
            }
            Step::Stop { shard, reason } => {
                run.stop(Some(shard), reason).await?;
            }
            Step::Cancel => engine.cancel().await?,
            Step::End(driven) => return Ok(driven),
        }
    }
}
