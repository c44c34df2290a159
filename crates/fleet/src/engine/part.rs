//! How shards are dealt to a scheduler's arrays.

use std::fmt;
use std::str::FromStr;

/// More arrays than this are not made of a run's holes: one array over all of them takes their place, in which shards
/// that are done end at once.
const MOST_PARTS: usize = 16;

/// What a scheduler is given in one piece: one job, or an array of jobs whose indexes count from 0.
///
/// Written as `s7`, `s100-199` and `r2-0-49`, it is a job's name and is read back from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// One shard, as a job of its own.
    One(u32),
    /// Index i is shard `first + i`.
    Range {
        /// The first shard.
        first: u32,
        /// How many: two or more.
        count: u32,
    },
    /// Index i is shard number `offset + i` of the round.
    Round {
        /// The round's number.
        round: u32,
        /// The first index that is in this array.
        offset: u32,
        /// How many: two or more.
        count: u32,
    },
}

impl Part {
    /// How many jobs.
    pub fn count(self) -> u32 {
        match self {
            Self::One(_) => 1,
            Self::Range { count, .. } | Self::Round { count, .. } => count,
        }
    }

    /// What the worker's call has besides, so that its index means the right shard.
    pub fn arguments(self) -> Vec<String> {
        let offset_of = |offset: u32| match offset {
            0 => Vec::new(),
            offset => vec!["--index-offset".to_owned(), offset.to_string()],
        };
        match self {
            Self::One(shard) => vec!["--shard".to_owned(), shard.to_string()],
            Self::Range { first, .. } => offset_of(first),
            Self::Round { round, offset, .. } => {
                let mut arguments = vec!["--round".to_owned(), round.to_string()];
                arguments.extend(offset_of(offset));
                arguments
            }
        }
    }

    /// The shard that the array's index means, given the shards of the round that it is of.
    pub fn shard(self, index: u32, round: &[u32]) -> Option<u32> {
        match self {
            Self::One(shard) => (index == 0).then_some(shard),
            Self::Range { first, count } => (index < count).then_some(first + index),
            Self::Round { offset, count, .. } => {
                let at = offset.checked_add(index)? as usize;
                round.get(at).copied().filter(|_| index < count)
            }
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(shard) => write!(formatter, "s{shard}"),
            Self::Range { first, count } => write!(formatter, "s{first}-{}", first + count - 1),
            Self::Round {
                round,
                offset,
                count,
            } => write!(formatter, "r{round}-{offset}-{}", offset + count - 1),
        }
    }
}

/// A job's name that is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected s7, s100-199 or r2-0-49")]
pub struct NoPart;

impl FromStr for Part {
    type Err = NoPart;

    fn from_str(text: &str) -> Result<Self, NoPart> {
        let kind = text.chars().next().ok_or(NoPart)?;
        let numbers: Vec<u32> = text[kind.len_utf8()..]
            .split('-')
            .map(|number| number.parse().map_err(|_| NoPart))
            .collect::<Result<_, _>>()?;
        let count_of = |first: u32, last: u32| {
            let more = last.checked_sub(first).filter(|more| *more > 0);
            more.and_then(|more| more.checked_add(1)).ok_or(NoPart)
        };
        let part = match (kind, numbers.as_slice()) {
            ('s', [shard]) => Self::One(*shard),
            ('s', [first, last]) => Self::Range {
                first: *first,
                count: count_of(*first, *last)?,
            },
            ('r', [round, first, last]) => Self::Round {
                round: *round,
                offset: *first,
                count: count_of(*first, *last)?,
            },
            _ => return Err(NoPart),
        };
        // One spelling each, since names are compared.
        if part.to_string() == text {
            Ok(part)
        } else {
            Err(NoPart)
        }
    }
}

/// Deals `shards` to arrays of at most `most` jobs. `round` is given where they are exactly the shards of that round,
/// in its order.
pub fn parts(shards: &[u32], round: Option<u32>, most: u32) -> Vec<Part> {
    let most = most.max(2);
    if let [shard] = shards {
        return vec![Part::One(*shard)];
    }
    if let Some(round) = round {
        let count = u32::try_from(shards.len()).unwrap_or(u32::MAX);
        return cut(count, most)
            .map(|(offset, count)| match count {
                1 => Part::One(shards[offset as usize]),
                count => Part::Round {
                    round,
                    offset,
                    count,
                },
            })
            .collect();
    }
    let mut ranges = ranges(shards);
    if ranges.len() > MOST_PARTS
        && let (Some((first, _)), Some((_, last))) = (ranges.first(), ranges.last())
    {
        ranges = vec![(*first, *last)];
    }
    let mut parts = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        // Shards are u32 and fewer than 2^32, so a range of all of them still has a count.
        let pieces = cut((last - first).saturating_add(1), most);
        parts.extend(pieces.map(|(offset, count)| match count {
            1 => Part::One(first + offset),
            count => Part::Range {
                first: first + offset,
                count,
            },
        }));
    }
    parts
}

/// The ranges of consecutive shards, each with its first and last one.
fn ranges(shards: &[u32]) -> Vec<(u32, u32)> {
    let mut sorted = shards.to_vec();
    sorted.sort_unstable();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for shard in sorted {
        match ranges.last_mut() {
            Some((_, last)) if shard <= last.saturating_add(1) => *last = shard,
            _ => ranges.push((shard, shard)),
        }
    }
    ranges
}

/// Offsets and lengths of pieces of at most `most`.
fn cut(count: u32, most: u32) -> impl Iterator<Item = (u32, u32)> {
    let starts = (0..count).step_by(most as usize);
    starts.map(move |offset| (offset, most.min(count - offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(shards: &[u32], round: Option<u32>, most: u32) -> Vec<String> {
        parts(shards, round, most)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn one_shard_is_a_plain_job_and_many_are_waves() {
        assert_eq!(written(&[7], None, 10), ["s7"]);
        assert_eq!(written(&[7], Some(2), 10), ["s7"]);
        let all: Vec<u32> = (0..21).collect();
        assert_eq!(written(&all, None, 10), ["s0-9", "s10-19", "s20"]);
        assert_eq!(written(&[4, 5, 9], None, 10), ["s4-5", "s9"]);
        assert!(written(&[], None, 10).is_empty());
    }

    #[test]
    fn a_round_is_dealt_by_its_own_indexes() {
        let shards = [3, 8, 11, 2, 40];
        assert_eq!(written(&shards, Some(2), 2), ["r2-0-1", "r2-2-3", "s40"]);
        let part: Part = "r2-2-3".parse().unwrap();
        assert_eq!(part.shard(1, &shards), Some(2));
        assert_eq!(part.shard(2, &shards), None);
        assert_eq!(part.arguments(), ["--round", "2", "--index-offset", "2"]);
    }

    #[test]
    fn scattered_holes_become_one_array() {
        let scattered: Vec<u32> = (0..100).map(|shard| shard * 3).collect();
        assert_eq!(written(&scattered, None, 10_000), ["s0-297"]);
    }

    #[test]
    fn every_shard_is_in_one_part_and_parts_are_read_back() {
        for shards in [vec![0], (5..905).collect(), vec![1, 2, 4, 5, 6, 9]] {
            let parts = parts(&shards, None, 100);
            let mut met: Vec<u32> = Vec::new();
            for part in parts {
                assert_eq!(part.to_string().parse(), Ok(part));
                met.extend((0..part.count()).filter_map(|index| part.shard(index, &[])));
            }
            assert_eq!(met, shards);
        }
        for text in [
            "", "s", "s5-5", "s5-4", "r1", "s07", "x1", "s1-2-3", "r1-2-9x", "é1",
        ] {
            assert_eq!(text.parse::<Part>(), Err(NoPart), "{text}");
        }
    }
}
