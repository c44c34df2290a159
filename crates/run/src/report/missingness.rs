//! Whether work that was in trouble looks unlike the rest: then what is missing is missing because of what was
//! sampled, and leaving it out biases the estimates. (Rubin 1976, "Inference and missing data": missing not at random.)

use serde::{Deserialize, Serialize};

use super::usage::AttemptFacts;
use crate::AttemptState;

/// Shards of one kind beside the rest, in one respect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Which shards: those `in trouble` (unfinished, or done after an attempt that was not) or those `with failed
    /// samples`.
    pub group: String,
    /// In what: `seconds per block`, `memory peak`, or an estimate by its name.
    pub what: String,
    /// How many shards are in the group, and how many are the rest.
    pub shards: u64,
    /// See `shards`.
    pub rest: u64,
    /// The group's value: a geometric mean for time and memory, the estimate otherwise.
    pub value: f64,
    /// The value of the rest.
    pub rest_value: f64,
    /// Their difference in standard errors.
    pub z: f64,
}

pub(crate) const IN_TROUBLE: &str = "in trouble";
pub(crate) const WITH_FAILED_SAMPLES: &str = "with failed samples";

impl Comparison {
    /// Beyond so many standard errors two groups are unlike. Of a hundred comparisons of what is alike, one in two
    /// hundred runs says so by chance.
    pub const UNLIKE: f64 = 4.0;

    /// Whether the group looks unlike the rest.
    pub fn is_unlike(&self) -> bool {
        self.z.abs() > Self::UNLIKE
    }
}

/// The shards in trouble, from their attempts, and how they compare in time and memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble {
    /// Sorted.
    pub(crate) shards: Vec<u32>,
    pub(crate) comparisons: Vec<Comparison>,
}

impl Trouble {
    /// From facts in the order of shards, and the shards, in order, that are not done.
    pub(crate) fn of(facts: &[AttemptFacts], unfinished: &[u32]) -> Self {
        let mut shards = unfinished.to_vec();
        let mut seconds = Sides::default();
        let mut memory = Sides::default();
        for attempts in facts.chunk_by(|a, b| a.shard == b.shard) {
            let shard = attempts[0].shard;
            let is_unfinished = unfinished.binary_search(&shard).is_ok();
            let is_in_trouble = is_unfinished || is_in_trouble(attempts);
            if is_in_trouble && !is_unfinished {
                shards.push(shard);
            }
            seconds.add(is_in_trouble, seconds_per_block(attempts));
            let peak = attempts.iter().map(|a| a.memory_bytes).fold(0.0, f32::max);
            memory.add(is_in_trouble, [peak.into(); 2]);
        }
        shards.sort_unstable();
        let comparisons = [("seconds per block", seconds), ("memory peak", memory)];
        Self {
            shards,
            comparisons: comparisons
                .into_iter()
                .filter_map(|(what, sides)| sides.compare(what))
                .collect(),
        }
    }
}

/// Whether a shard's attempts say that it did not go well at once. Of several attempts, one
/// that says it runs has died without a word; a single one may be at work just now.
fn is_in_trouble(attempts: &[AttemptFacts]) -> bool {
    attempts.iter().any(|attempt| match attempt.state {
        AttemptState::Done => false,
        AttemptState::Running => attempts.len() > 1,
        _ => true,
    })
}

/// How long a block took one thread: at least, and at most. Of a shard that was done in the end the attempt that did it
/// tells, since the time of those that died is time lost, whatever they sampled. Of another all of them do, and the
/// blocks that its threads had in hand may have been as good as done, or just begun.
fn seconds_per_block(attempts: &[AttemptFacts]) -> [f64; 2] {
    let thread_seconds =
        |attempt: &AttemptFacts| f64::from(attempt.kernel_seconds) * f64::from(attempt.threads);
    let done = attempts
        .iter()
        .rev()
        .find(|attempt| attempt.state == AttemptState::Done && attempt.blocks > 0);
    if let Some(done) = done {
        return [thread_seconds(done) / done.blocks as f64; 2];
    }
    let seconds: f64 = attempts.iter().map(thread_seconds).sum();
    let blocks: u64 = attempts.iter().map(|attempt| attempt.blocks).sum();
    let in_hand: u64 = attempts
        .iter()
        .map(|attempt| u64::from(attempt.threads))
        .sum();
    [blocks + in_hand, blocks].map(|blocks| seconds / blocks as f64)
}

/// Logarithms of positive quantities, of two groups.
#[derive(Default)]
struct Sides {
    /// Each at least, and at most.
    group: Vec<[f64; 2]>,
    rest: Sums,
}

#[derive(Default)]
struct Sums {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Sums {
    /// Welford 1962.
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let difference = value - self.mean;
        self.mean += difference / self.count;
        self.squares += difference * (value - self.mean);
    }
}

impl Sides {
    fn add(&mut self, is_in_group: bool, [least, most]: [f64; 2]) {
        if !(least > 0.0 && least.is_finite()) {
            return;
        }
        if is_in_group {
            self.group.push([least.ln(), most.ln()]);
        } else {
            self.rest.add(least.ln());
        }
    }

    /// The difference of the means in standard errors, with the spread of the rest: a group may be a single shard.
    fn compare(&self, what: &str) -> Option<Comparison> {
        /// Fewer say nothing of their spread.
        const LEAST_REST: f64 = 8.0;
        /// Shards that are alike to two percent are alike.
        const LEAST_SPREAD: f64 = 0.02;
        let rest = &self.rest;
        let mut group = Sums::default();
        for [least, most] in &self.group {
            // What may be like the rest is taken to be.
            group.add(rest.mean.clamp(*least, *most));
        }
        if group.count < 1.0 || rest.count < LEAST_REST {
            return None;
        }
        let spread = (rest.squares / (rest.count - 1.0)).sqrt().max(LEAST_SPREAD);
        let error = spread * (1.0 / group.count + 1.0 / rest.count).sqrt();
        Some(Comparison {
            group: IN_TROUBLE.to_owned(),
            what: what.to_owned(),
            shards: group.count as u64,
            rest: rest.count as u64,
            value: group.mean.exp(),
            rest_value: rest.mean.exp(),
            z: (group.mean - rest.mean) / error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(shard: u32, seconds: f32, in_trouble: bool) -> AttemptFacts {
        AttemptFacts {
            shard,
            state: if in_trouble {
                AttemptState::Died
            } else {
                AttemptState::Done
            },
            blocks: 10,
            kernel_seconds: seconds / 2.0,
            threads: 2,
            memory_bytes: 1e6,
        }
    }

    #[test]
    fn a_shard_that_took_ten_times_as_long_and_died_is_unlike_the_rest() {
        let mut facts: Vec<AttemptFacts> = (0..20)
            .map(|shard| fact(shard, 1.0 + 0.1 * (shard % 5) as f32, false))
            .collect();
        facts.push(fact(20, 12.0, true));
        let trouble = Trouble::of(&facts, &[]);
        assert_eq!(trouble.shards, [20]);
        let [seconds, memory] = trouble.comparisons.as_slice() else {
            panic!("{trouble:?}")
        };
        assert!(seconds.is_unlike() && seconds.z > 0.0, "{seconds:?}");
        // Twelve seconds, for ten blocks and two in hand.
        assert!((seconds.value - 1.0).abs() < 1e-6, "{seconds:?}");
        assert!(!memory.is_unlike(), "{memory:?}");
    }

    #[test]
    fn time_lost_is_not_held_against_a_shard_that_was_done_in_the_end() {
        let mut facts: Vec<AttemptFacts> = (0..20).map(|shard| fact(shard, 1.0, false)).collect();
        facts.push(fact(20, 50.0, true));
        facts.push(fact(20, 1.0, false));
        let trouble = Trouble::of(&facts, &[]);
        assert_eq!(trouble.shards, [20]);
        assert!(!trouble.comparisons.iter().any(Comparison::is_unlike));
    }

    #[test]
    fn chance_is_not_called_unlike() {
        let facts: Vec<AttemptFacts> = (0..40)
            .map(|shard| fact(shard, 1.0 + 0.1 * (shard * 7 % 5) as f32, shard % 10 == 3))
            .collect();
        let trouble = Trouble::of(&facts, &[]);
        assert_eq!(trouble.shards, [3, 13, 23, 33]);
        assert!(!trouble.comparisons.iter().any(Comparison::is_unlike));
    }

    #[test]
    fn few_shards_say_nothing() {
        let facts = [fact(0, 1.0, false), fact(1, 100.0, true)];
        assert_eq!(Trouble::of(&facts, &[]).comparisons, []);
    }
}
