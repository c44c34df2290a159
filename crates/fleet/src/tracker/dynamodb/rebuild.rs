//! Marking as done what the store says is done: conditional updates, some at once, of the shards that need it.
//!
//! Not by `BatchWriteItem`, which knows no conditions and would overwrite a shard that is being run.

use std::collections::HashSet;

use tokio::task::JoinSet;

use super::item::{name, number};
use super::update::{Outcome, Update};
use super::{DynamoDb, State, Tracker, TrackerError};

/// How many writes of a rebuild are under way at once.
const AT_ONCE: usize = 32;

const REBUILD: &str = "SET #state = :done, #updated = :now, \
    #token = if_not_exists(#token, :zero), #attempts = if_not_exists(#attempts, :zero)";
const IS_NOT_LIVE: &str =
    "attribute_not_exists(#state) OR #state = :failed OR (#state = :running AND #expires < :lost)";

pub(super) async fn rebuild(tracker: &DynamoDb, done: &[u32]) -> Result<usize, TrackerError> {
    let states = tracker.states().await?;
    let known = states
        .iter()
        .filter(|tracked| tracked.state == State::Done)
        .map(|tracked| tracked.shard);
    let known: HashSet<u32> = known.collect();
    let missing: HashSet<u32> = done.iter().copied().collect();
    let moment = tracker.terms.now();
    let mut tasks = JoinSet::new();
    let mut marked = 0;
    for shard in missing.difference(&known).copied() {
        if tasks.len() == AT_ONCE {
            marked += finished(&mut tasks).await?;
        }
        let tracker = tracker.clone();
        tasks.spawn(async move {
            let update = Update::new(REBUILD)
                .only_if(IS_NOT_LIVE)
                .with(":done", name(State::Done))
                .with(":failed", name(State::Failed))
                .with(":running", name(State::Running))
                .with(":lost", number(moment.lost_before.0))
                .with(":now", number(moment.now.0))
                .with(":zero", number(0));
            let outcome = tracker.send(shard, update).await?;
            Ok(usize::from(matches!(outcome, Outcome::Changed(_))))
        });
    }
    while !tasks.is_empty() {
        marked += finished(&mut tasks).await?;
    }
    Ok(marked)
}

/// What the next task to end has marked; nothing if there is none.
async fn finished(tasks: &mut JoinSet<Result<usize, TrackerError>>) -> Result<usize, TrackerError> {
    match tasks.join_next().await {
        None => Ok(0),
        Some(Ok(marked)) => marked,
        Some(Err(error)) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is shutting down cancels them.
            Err(_) => Ok(0),
        },
    }
}
