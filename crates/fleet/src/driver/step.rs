//! What a driver does next: a function of what it sees, so that it can be tested without a store or a clock.

use std::collections::{BTreeMap, BTreeSet};

use croupier_run::{ShardSurvey, Standing, Survey};

use super::{Driven, Memory, Terms};

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing, for a while.
    Wait,
    /// Start shards: for the first time, those that were stopped in time and got further, or those of a round that was
    /// begun and not started.
    Start {
        /// Which.
        shards: Vec<u32>,
        /// The round they are of.
        round: Option<u32>,
    },
    /// Begin a round of shards that have holes, and start it.
    BeginRound {
        /// Its number.
        number: u32,
        /// Which shards.
        shards: Vec<u32>,
    },
    /// Stop the run: a shard failed, and the policy is to fail fast.
    Stop {
        /// The shard.
        shard: u32,
        /// Why it failed.
        reason: String,
    },
    /// End what the engine has at work, since the run was stopped.
    Cancel,
    /// Nothing more.
    End(Driven),
}

impl Memory {
    /// The next step, given the shards that the engine has at work.
    pub fn next(
        &mut self,
        terms: impl Into<Terms>,
        survey: &Survey,
        at_work: &BTreeSet<u32>,
        build: &str,
    ) -> Step {
        let terms: Terms = terms.into();
        let is_busy = !at_work.is_empty() || survey.count(Standing::Running) > 0;
        if let Some(order) = &survey.stop_order {
            if !at_work.is_empty() && !std::mem::replace(&mut self.cancelled, true) {
                return Step::Cancel;
            }
            // Those at work elsewhere see the order themselves.
            return match is_busy {
                true => Step::Wait,
                false => Step::End(Driven::Stopped(order.clone())),
            };
        }
        self.cancelled = false;
        if survey.is_done() {
            return match at_work.is_empty() {
                true => Step::End(Driven::Done),
                false => Step::Wait,
            };
        }
        // What failed before somebody began a round was forgiven by that.
        let is_news = |shard: &ShardSurvey| match survey.rounds.last() {
            Some(round) => shard.was_started_since(&round.created),
            None => true,
        };
        let idle = |shard: &&ShardSurvey| !at_work.contains(&shard.shard);
        if terms.policy.fail_fast
            && let Some(failed) = survey
                .shards
                .iter()
                .filter(idle)
                .find(|shard| has_failed(shard) && is_news(shard))
        {
            let cause = failed.cause().unwrap_or_else(|| "unknown".to_owned());
            return Step::Stop {
                shard: failed.shard,
                reason: format!("shard {} failed: {cause}", failed.shard),
            };
        }
        if is_busy {
            return Step::Wait;
        }
        let first: Vec<u32> = survey
            .shards
            .iter()
            .filter(|shard| shard.standing == Standing::Waiting)
            .map(|shard| shard.shard)
            .filter(|shard| !self.has_started(*shard))
            .collect();
        if !first.is_empty() {
            self.started.extend(&first);
            return Step::Start {
                shards: first,
                round: None,
            };
        }
        if terms.at_most_once {
            return Step::End(Driven::HolesLeft);
        }
        let further = self.stopped_in_time_and_got_further(survey);
        if !further.is_empty() {
            return Step::Start {
                shards: further,
                round: None,
            };
        }
        let holes = survey.retriable(build);
        if let Some(last) = survey.rounds.last() {
            // A round that was begun and not started, as by a driver that died then.
            let mut shards = survey.not_started_in_last_round();
            shards.retain(|shard| holes.binary_search(shard).is_ok());
            if !shards.is_empty() && self.round_taken_up.replace(last.round) != Some(last.round) {
                return Step::Start {
                    shards,
                    round: Some(last.round),
                };
            }
        }
        let repeats = repeats(survey);
        let mut shards = holes;
        shards.retain(|shard| repeats.get(shard).unwrap_or(&0) < &terms.policy.retries);
        if shards.is_empty() {
            return Step::End(Driven::HolesLeft);
        }
        Step::BeginRound {
            number: survey.rounds.last().map_or(1, |round| round.round + 1),
            shards,
        }
    }

    /// A shard that had no time, and got further with each start, has not failed: it is gone on with, at no round's
    /// cost.
    fn stopped_in_time_and_got_further(&mut self, survey: &Survey) -> Vec<u32> {
        let mut shards = Vec::new();
        for shard in &survey.shards {
            if shard.standing != Standing::Stopped {
                continue;
            }
            let known = self.blocks_at_start.insert(shard.shard, shard.blocks_done);
            // Of a start by another driver its own record tells.
            let recorded = shard.last.as_ref().map(|last| last.blocks_before);
            if shard.blocks_done > known.or(recorded).unwrap_or(0) {
                shards.push(shard.shard);
            }
        }
        shards
    }
}

/// How many rounds name each shard, whoever began them. The policy counts these, so that a shard of a later segment is
/// repeated as often as one of the first.
fn repeats(survey: &Survey) -> BTreeMap<u32, u32> {
    let mut repeats = BTreeMap::new();
    for shard in survey.rounds.iter().flat_map(|round| &round.shards) {
        *repeats.entry(*shard).or_default() += 1;
    }
    repeats
}

fn has_failed(shard: &ShardSurvey) -> bool {
    matches!(
        shard.standing,
        Standing::Kernel | Standing::Died | Standing::Failed | Standing::Lost
    )
}
