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

impl DriveError {
    /// Whether the same may go well later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Run(error) => error.is_retryable(),
            Self::Engine(error) => error.is_retryable,
        }
    }
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

/// So many turns one after the other may fail for reasons that pass, before a driver gives up.
const MOST_FAILED_TURNS: u32 = 30;

/// Drives `run` with `engine` until its policy says that there is nothing more to do. Looks every `every`, and when
/// the engine has news, but no more than a quarter of the time; `tell` hears of each step that is more than waiting.
/// `build` is the program that is started.
///
/// # Errors
///
/// Where the run can't be read, or the engine fails: at once where that will not pass, after thirty turns where it does
/// not. Calling it again goes on.
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
    let memory = Memory::after(predecessor.unwrap_or_default());
    let mut driver = Driver {
        run,
        engine,
        build,
        every,
        tell,
        hands_over,
        memory,
    };
    let mut failed_turns = 0;
    loop {
        let before = driver.memory.clone();
        match driver.turn().await {
            Ok(None) => failed_turns = 0,
            Ok(Some(driven)) => return Ok(driven),
            // Workers go on meanwhile, and what is out of reach comes back. What was not done is not remembered as
            // done.
            Err(error) if error.is_retryable() && failed_turns < MOST_FAILED_TURNS => {
                failed_turns += 1;
                driver.memory = before;
                tokio::time::sleep(every).await;
            }
            Err(error) => return Err(error),
        }
    }
}

struct Driver<'a> {
    run: &'a mut dyn Subject,
    engine: &'a mut dyn Engine,
    build: &'a str,
    every: Duration,
    tell: &'a (dyn Fn(&Step, &Survey) + Send + Sync),
    hands_over: bool,
    memory: Memory,
}

impl Driver<'_> {
    /// Looks, and does the next step; how it ended, where that was the last.
    async fn turn(&mut self) -> Result<Option<Driven>, DriveError> {
        let began = Instant::now();
        // Asked first: what is no longer at work then has left what it leaves, and the survey sees it. The other way
        // round a shard that ends between the two is a hole that nobody is at work on.
        let at_work = self.engine.at_work().await?;
        let survey = self.run.look().await?;
        let terms = self.run.terms();
        let step = self.memory.next(terms, &survey, &at_work, self.build);
        if step != Step::Wait {
            (self.tell)(&step, &survey);
        }
        match step {
            Step::Wait if self.hands_over && !at_work.is_empty() => {
                return Ok(Some(Driven::AtWork(self.memory.legacy(&survey))));
            }
            Step::Wait => self.rest(began.elapsed()).await,
            Step::Start { shards, round } => {
                // A part of a round is no round: its indexes would mean other shards.
                let is_whole = |round: &Round| round.shards == shards;
                let round = round.filter(|_| survey.rounds.last().is_some_and(is_whole));
                self.engine.start(&shards, round).await?;
            }
            Step::BeginRound { number, shards } => {
                self.memory.round_taken_up = Some(number);
                // Where another driver began it first, it is that one, and is started as such.
                let round = self.run.begin_round(number, shards).await?;
                self.engine.start(&round.shards, Some(round.round)).await?;
            }
            Step::Stop { shard, reason } => {
                self.run.stop(Some(shard), reason).await?;
            }
            Step::Cancel => self.engine.cancel().await?,
            Step::End(driven) => return Ok(Some(driven)),
        }
        Ok(None)
    }

    /// Until the next look, after one that took so long.
    async fn rest(&mut self, look: Duration) {
        let rest = look.saturating_mul(REST_AFTER_LOOK).min(self.every);
        tokio::time::sleep(rest).await;
        tokio::select! {
            () = tokio::time::sleep(self.every.saturating_sub(rest)) => {}
            () = self.engine.changed() => {}
        }
    }
}
