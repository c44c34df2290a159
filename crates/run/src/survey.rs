//! How every shard of a run stands: by its partials what is done, by its attempts why the rest is not.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::{Attempt, AttemptState, Error, Inventory, Round, ShardState, StopOrder, StoredRun};

/// What clocks may differ by, and a store be slow.
const CLOCK_MARGIN: Duration = Duration::from_secs(120);

/// A run as it stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Survey {
    /// By shard.
    pub shards: Vec<ShardSurvey>,
    /// The order that stopped the run.
    pub stop_order: Option<StopOrder>,
    /// The rounds that were begun.
    pub rounds: Vec<Round>,
}

/// A shard as it stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShardSurvey {
    /// Its number.
    pub shard: u32,
    /// How it stands.
    pub standing: Standing,
    /// Blocks that were planned for it.
    pub blocks: u64,
    /// Blocks of its largest partial.
    pub blocks_done: u64,
    /// How many attempts are known.
    pub attempts: u32,
    /// The one that was begun last. Not looked for where the shard is done.
    pub last: Option<Attempt>,
}

/// How a shard stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// The kernel failed on a sample, and will again.
    Kernel,
    /// Its process died.
    Died,
    /// Its last attempt failed.
    Failed,
    /// Its last attempt said that it runs, and has been silent for too long.
    Lost,
    /// Its last attempt was stopped in time.
    Stopped,
    /// No attempt is known.
    Waiting,
    /// An attempt is at work.
    Running,
    /// All of its blocks are there.
    Done,
}

impl Standing {
    /// Whether nothing is at work on it and nothing more is to be expected.
    pub fn is_hole(self) -> bool {
        !matches!(self, Self::Running | Self::Done)
    }
}

impl StoredRun {
    /// Looks at every shard, by lists and the records of attempts at those that are not done: no partial is
    /// read.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn survey(&self) -> Result<Survey, Error> {
        Ok(Survey {
            shards: self.survey_shards().await?,
            stop_order: self.stop_order().await?,
            rounds: self.rounds().await?,
        })
    }

    pub(crate) async fn survey_shards(&self) -> Result<Vec<ShardSurvey>, Error> {
        let planned = self.blocks_by_shard()?;
        let before = Inventory::of(self).await?;
        let mut records = self.attempt_entries().await?;
        let mut to_read = Vec::new();
        for (shard, blocks) in &planned {
            if before.state(*shard, *blocks) != ShardState::Done {
                to_read.extend(records.get(shard).into_iter().flatten().cloned());
            }
        }
        let mut by_shard: BTreeMap<u32, Vec<Attempt>> = BTreeMap::new();
        for attempt in self.read_attempts(to_read).await? {
            by_shard.entry(attempt.shard).or_default().push(attempt);
        }
        // Again, since a worker publishes before it says that it is done: a shard that was done meanwhile is no
        // hole.
        let inventory = Inventory::of(self).await?;
        let now = Utc::now();
        let mut shards = Vec::with_capacity(planned.len());
        for (shard, blocks) in planned {
            let state = inventory.state(shard, blocks);
            let attempts = by_shard.remove(&shard).unwrap_or_default();
            shards.push(ShardSurvey {
                shard,
                standing: standing(state, &attempts, now),
                blocks,
                blocks_done: match state {
                    ShardState::Done => blocks,
                    ShardState::Partial { blocks } => blocks,
                    ShardState::Missing => 0,
                },
                attempts: records
                    .remove(&shard)
                    .map_or(0, |records| records.len() as u32),
                last: match state {
                    ShardState::Done => None,
                    _ => attempts.into_iter().next_back(),
                },
            });
        }
        Ok(shards)
    }

    /// Every shard and how many blocks it has.
    pub(crate) fn blocks_by_shard(&self) -> Result<Vec<(u32, u64)>, Error> {
        let mut shards = Vec::with_capacity(self.shards() as usize);
        for segment in &self.segments {
            let grid = segment.grid(&self.manifest.identity)?;
            shards.extend((0..segment.shards).map(|number| {
                let blocks = grid.shard(number, segment.shards);
                (segment.first_shard + number, blocks.end - blocks.start)
            }));
        }
        Ok(shards)
    }
}

fn standing(state: ShardState, attempts: &[Attempt], now: DateTime<Utc>) -> Standing {
    if state == ShardState::Done {
        return Standing::Done;
    }
    let is_running = |attempt: &Attempt| {
        attempt.state == AttemptState::Running
            && !attempt.is_lost(now, CLOCK_MARGIN)
            && !attempt.is_dead_here()
    };
    if attempts.iter().any(is_running) {
        return Standing::Running;
    }
    match attempts.last().map(|attempt| attempt.state) {
        None => Standing::Waiting,
        Some(AttemptState::Running) => Standing::Lost,
        // What it published is not listed yet, or is gone.
        Some(AttemptState::Done) if is_just_now(attempts.last(), now) => Standing::Running,
        Some(AttemptState::Done) => Standing::Lost,
        Some(AttemptState::Failed) => Standing::Failed,
        Some(AttemptState::Kernel) => Standing::Kernel,
        Some(AttemptState::Stopped) => Standing::Stopped,
        Some(AttemptState::Died) => Standing::Died,
    }
}

/// Whether an attempt's last word is younger than lists may lag.
fn is_just_now(attempt: Option<&Attempt>, now: DateTime<Utc>) -> bool {
    const LISTS_LAG: TimeDelta = TimeDelta::seconds(10);
    attempt
        .and_then(Attempt::last_seen)
        .is_some_and(|seen| (now - seen).abs() < LISTS_LAG)
}

impl Survey {
    /// The shards of the last round that have not been started since it was begun: their standing is that of before.
    pub fn not_started_in_last_round(&self) -> Vec<u32> {
        let Some(round) = self.rounds.last() else {
            return Vec::new();
        };
        let is_waiting = |shard: &u32| {
            // Numbers of cases may have gaps.
            let at = self.shards.binary_search_by_key(shard, |shard| shard.shard);
            at.is_ok_and(|at| {
                let shard = &self.shards[at];
                shard.standing.is_hole() && !shard.was_started_since(&round.created)
            })
        };
        round.shards.iter().copied().filter(is_waiting).collect()
    }

    /// Whether all shards are done.
    pub fn is_done(&self) -> bool {
        self.count(Standing::Done) == self.shards.len()
    }

    /// How many shards stand so.
    pub fn count(&self, standing: Standing) -> usize {
        let is_so = |shard: &&ShardSurvey| shard.standing == standing;
        self.shards.iter().filter(is_so).count()
    }

    /// The shards that another start may mend: those with holes that nobody is at work on, without those
    /// whose kernel failed in the program `build`, since it would fail the same way.
    pub fn retriable(&self, build: &str) -> Vec<u32> {
        self.shards
            .iter()
            .filter(|shard| shard.standing.is_hole() && !shard.is_hopeless(build))
            .map(|shard| shard.shard)
            .collect()
    }

    /// Why shards are not done, in groups, the largest first: standing, cause, how many, the first of them.
    pub fn causes(&self) -> Vec<Cause> {
        let mut causes: BTreeMap<(Standing, String), (u32, u32)> = BTreeMap::new();
        for shard in &self.shards {
            if let Some(cause) = shard.cause() {
                let (count, _) = causes
                    .entry((shard.standing, cause))
                    .or_insert((0, shard.shard));
                *count += 1;
            }
        }
        let mut causes: Vec<Cause> = causes
            .into_iter()
            .map(|((standing, cause), (shards, first))| Cause {
                standing,
                cause,
                shards,
                first,
            })
            .collect();
        causes.sort_by_key(|cause| (u32::MAX - cause.shards, cause.standing));
        causes
    }
}

/// Why some shards are not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cause {
    /// How they stand.
    pub standing: Standing,
    /// Why, in one line.
    pub cause: String,
    /// How many there are.
    pub shards: u32,
    /// The first of them.
    pub first: u32,
}

impl ShardSurvey {
    /// Whether its last attempt began at the instant `created` or later.
    pub fn was_started_since(&self, created: &str) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|last| last.started.as_str() >= created)
    }

    /// Whether it would fail again in the same way.
    pub fn is_hopeless(&self, build: &str) -> bool {
        self.standing == Standing::Kernel
            && self.last.as_ref().is_some_and(|last| last.build == build)
    }

    /// Why it is not done, in one line without what differs from shard to shard; none where nothing is
    /// wrong with it.
    pub fn cause(&self) -> Option<String> {
        let last = self.last.as_ref()?;
        if matches!(self.standing, Standing::Done | Standing::Running) {
            return None;
        }
        let death = last.death.as_ref();
        Some(match (death.and_then(|death| death.signal), &last.error) {
            (Some(_), _) if death.and_then(|death| death.out_of_memory) == Some(true) => {
                "killed by the system: out of memory".to_owned()
            }
            (Some(signal), _) => format!("killed by signal {signal}"),
            (None, Some(error)) => without_numbers(error.lines().next().unwrap_or_default()),
            (None, None) => match (death.and_then(|death| death.exit_code), self.standing) {
                (Some(code), _) => format!("exit code {code}"),
                (None, Standing::Lost) if last.state == AttemptState::Done => {
                    "said it was done, and its partial is not there".to_owned()
                }
                (None, Standing::Lost) => "silent".to_owned(),
                (None, _) => "unknown".to_owned(),
            },
        })
    }
}

/// A message with `#` for each number, so that the same trouble with other samples is one group.
fn without_numbers(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for letter in message.chars() {
        if !letter.is_ascii_digit() {
            text.push(letter);
        } else if !text.ends_with('#') {
            text.push('#');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::without_numbers;

    #[test]
    fn messages_that_differ_in_numbers_only_are_one_group() {
        let group = without_numbers("sample 1234 (block 5) failed: no root");
        assert_eq!(group, "sample # (block #) failed: no root");
        assert_eq!(
            group,
            without_numbers("sample 7 (block 99) failed: no root")
        );
    }
}
